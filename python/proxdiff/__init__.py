"""Sparse linear models along warm paths, and hypergradients of their solutions.

The estimators have scikit-learn's shape; `Problem`, `solve`, `hypergradient` and `vjp` work on batches of
points, `sweep` on grids times folds; `proxdiff.jax` and `proxdiff.torch` make solutions layers.
"""

from __future__ import annotations

from importlib.metadata import version as _version
from typing import TYPE_CHECKING

from ._core import Problem, Solutions, hypergradient, solve, tune, vjp

if TYPE_CHECKING:
    from ._cv import ElasticNetCV, GroupLassoCV, LassoCV, LogisticRegressionCV
    from ._estimators import ElasticNet, GroupLasso, Huber, Lasso, LogisticRegression, SparseGroupLasso
    from ._factors import compress, read_factors
    from ._onnx import to_onnx
    from ._sweep import Sweep, read_sweep, sweep
    from ._tuned import ElasticNetTuned, GroupLassoTuned, LogisticRegressionTuned

__version__ = _version("proxdiff")

# Estimators are imported when they are used: scikit-learn takes longer than everything else.
_HOMES = {
    "_estimators": ["ElasticNet", "GroupLasso", "Huber", "Lasso", "LogisticRegression", "SparseGroupLasso"],
    "_cv": ["ElasticNetCV", "GroupLassoCV", "LassoCV", "LogisticRegressionCV"],
    "_factors": ["compress", "read_factors"],
    "_onnx": ["to_onnx"],
    "_sweep": ["Sweep", "read_sweep", "sweep"],
    "_tuned": ["ElasticNetTuned", "GroupLassoTuned", "LogisticRegressionTuned"],
}

__all__ = [
    "ElasticNet",
    "ElasticNetCV",
    "ElasticNetTuned",
    "GroupLasso",
    "GroupLassoCV",
    "GroupLassoTuned",
    "Huber",
    "Lasso",
    "LassoCV",
    "LogisticRegression",
    "LogisticRegressionCV",
    "LogisticRegressionTuned",
    "Problem",
    "Solutions",
    "SparseGroupLasso",
    "Sweep",
    "compress",
    "hypergradient",
    "read_factors",
    "read_sweep",
    "solve",
    "sweep",
    "to_onnx",
    "tune",
    "vjp",
]


def __getattr__(name: str):
    for home, names in _HOMES.items():
        if name in names:
            from importlib import import_module

            return getattr(import_module(f".{home}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))
