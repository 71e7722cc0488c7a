"""Models for other runtimes: a fitted estimator, or a folder of `proxdiff fit`, as a graph of ONNX in f64."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field

import numpy as np

from . import _proxdiff

#: What makes predictions of the linear predictors of each loss.
_LINKS = {
    "squared": "identity",
    "huber": "identity",
    "logistic": "classes",
    "multinomial": "classes",
    "squared-hinge": "sign",
    "poisson": "exp",
    "gamma": "exp",
    "tweedie": "exp",
}
#: Operators as of ONNX 1.14 (2023), factors' as of ONNX-ML 3.
_OPERATORS = {"": 19, "ai.onnx.ml": 3}
_FORM = 9


@dataclass
class _Target:
    """What one target is predicted by: (d, c) coefficients and c intercepts; labels, or None for numbers."""

    coef: np.ndarray
    intercept: np.ndarray
    labels: list | None


@dataclass
class _Model:
    """A linear model: what its columns are called and filled with, and its targets."""

    link: str
    features: list[str]
    targets: list[_Target]
    factors: list[dict] = field(default_factory=list)
    filling: list[float] | None = None
    indicators: list[dict] = field(default_factory=list)
    has_offset: bool = False


def to_onnx(model):
    """A model as an `onnx.ModelProto`, which `onnx.save` writes and ONNX Runtime and others run.

    Parameters
    ----------
    model : fitted estimator of this package, or path of a model of `proxdiff fit --out`

    Returns
    -------
    onnx.ModelProto
        Inputs: `X`, f64 (rows, features) in the order of the metadata `features`; one of text (rows, 1) for every
        factor, by its name, a level that training has not seen being none of the levels; `offset`, f64 (rows, 1), where
        the model has offsets. Missing cells are NaN, of factors the empty text, and are filled where the model fills them.
        Outputs: `prediction`, (rows,), or (rows, targets) for several numbers; `probabilities` (rows, classes) of
        classifiers with a probability. Several targets of classes have outputs with a number behind their names.

    Raises
    ------
    ImportError
        Where the package `onnx` is missing.
    OSError
        Where the folder cannot be read.
    ValueError
        For what is no fitted linear model of this package.
    """
    try:
        import onnx
    except ImportError as error:
        raise ImportError("to_onnx needs the package onnx: pip install onnx") from error
    if isinstance(model, (str, os.PathLike)):
        known = _of_folder(model)
    else:
        known = _of_estimator(model)
    return _Graph(onnx).model(known)


def _of_folder(folder):
    """The model of a folder."""
    head, coefficients = _proxdiff.read_model(os.fspath(folder))
    head = json.loads(head)
    features, targets = head["feature_names"], head["targets"]
    if head["loss"] not in _LINKS:
        raise ValueError(f"model: its loss, {head['loss']}, has no graph; give a model of {', '.join(_LINKS)}")
    missing = head.get("missing") or {}
    return _Model(
        link=_LINKS[head["loss"]],
        features=features,
        targets=[
            _target(own.reshape(len(features), -1), target) for own, target in zip(coefficients, targets, strict=True)
        ],
        factors=head.get("factors", []),
        filling=missing.get("values"),
        indicators=missing.get("indicators", []),
        has_offset=head.get("offset") is not None,
    )


def _target(coef, known):
    intercept = np.array(known["intercept"]) if known["intercept"] else np.zeros(coef.shape[1])
    return _Target(coef, intercept, known["classes"])


def _of_estimator(model):
    """The model of a fitted estimator."""
    from sklearn.utils.validation import check_is_fitted

    from ._linear import Classifier, Linear

    if not isinstance(model, Linear):
        raise ValueError(f"model: {type(model).__name__} is none; give an estimator of this package, or a model's folder")
    check_is_fitted(model)
    names = getattr(model, "feature_names_in_", None)
    names = [f"x{at}" for at in range(model.n_features_in_)] if names is None else [str(name) for name in names]
    intercept = np.atleast_1d(np.asarray(model.intercept_, dtype=float))
    coef = np.atleast_2d(model.coef_)
    if isinstance(model, Classifier):
        labels = model.classes_.tolist()
        return _Model("classes", names, [_Target(coef.T, np.broadcast_to(intercept, len(coef)), labels)])
    intercept = np.broadcast_to(intercept, len(coef))
    targets = [_Target(own[:, None], at[None], None) for own, at in zip(coef, intercept, strict=True)]
    return _Model("identity", names, targets)


class _Graph:
    """The nodes of a graph, as they are added."""

    def __init__(self, onnx):
        self.onnx, self.helper, self.types = onnx, onnx.helper, onnx.TensorProto
        self.nodes, self.constants, self.inputs, self.outputs = [], [], [], []
        self.uses_ml = False

    def model(self, known):
        """The graph of a model."""
        X = self._filled(known, self._columns(known))
        predictors = [self._predictors(X, target) for target in known.targets]
        if known.has_offset:
            offset = self._input("offset", self.types.DOUBLE, 1)
            predictors = [self._node("Add", z, offset) for z in predictors]
        if known.targets[0].labels is None:
            z = predictors[0] if len(predictors) == 1 else self._node("Concat", *predictors, axis=1)
            self._numbers(z if known.link == "identity" else self._node("Exp", z), len(predictors))
        else:
            for at, (z, target) in enumerate(zip(predictors, known.targets, strict=True)):
                self._classes(z, target, known.link, f"_{at}" if len(predictors) > 1 else "")
        graph = self.helper.make_graph(self.nodes, "proxdiff", self.inputs, self.outputs, self.constants)
        used = {name: version for name, version in _OPERATORS.items() if not name or self.uses_ml}
        made = self.helper.make_model(
            graph,
            producer_name="proxdiff",
            ir_version=_FORM,
            opset_imports=[self.helper.make_opsetid(name, version) for name, version in used.items()],
        )
        self.helper.set_model_props(made, {"features": json.dumps(self.features)})
        self.onnx.checker.check_model(made, full_check=True)
        return made

    def _columns(self, known):
        """The features as they are read: numbers from `X`, levels of factors from inputs of their own."""
        read = known.features[: len(known.features) - len(known.indicators)]
        factors = {f"{factor['name']}={factor['levels'][0]}": factor for factor in known.factors}
        pieces, self.features, at = [], [], 0
        while at < len(read):
            factor = factors.get(read[at])
            if factor is None:
                pieces.append(len(self.features))
                self.features.append(read[at])
                at += 1
            else:
                pieces.append(factor)
                at += len(factor["levels"])
        X = self._input("X", self.types.DOUBLE, len(self.features)) if self.features else None
        if not known.factors:
            return X
        columns = []
        for piece in pieces:
            if isinstance(piece, int):
                columns.append(self._node("Gather", X, self._whole([piece]), axis=1))
            else:
                columns.append(self._levels(piece, known.filling is not None))
        return self._node("Concat", *columns, axis=1)

    def _levels(self, factor, is_filled):
        """The features of a factor; NaN where it is missing and is to be filled."""
        self.uses_ml = True
        text = self._input(factor["name"], self.types.STRING, 1)
        levels = self._node("OneHotEncoder", text, domain="ai.onnx.ml", cats_strings=factor["levels"], zeros=1)
        flat = self._node("Reshape", levels, self._whole([-1, len(factor["levels"])]))
        found = self._node("Cast", flat, to=self.types.DOUBLE)
        if not is_filled:
            return found
        none = self._node("Equal", text, self._constant(np.array([""], dtype=object)))
        return self._node("Where", none, self._number(np.nan), found)

    def _filled(self, known, X):
        """The features with missing cells filled, and the indicators of such cells behind them."""
        if known.filling is None:
            return X
        gaps = self._node("IsNaN", X)
        read = len(known.features) - len(known.indicators)
        full = self._node("Where", gaps, self._number(known.filling[:read]), X)
        if not known.indicators:
            return full
        of_indicators = self._whole([one["feature"] for one in known.indicators])
        marks = self._node("Cast", self._node("Gather", gaps, of_indicators, axis=1), to=self.types.DOUBLE)
        return self._node("Concat", full, marks, axis=1)

    def _predictors(self, X, target):
        product = self._node("MatMul", X, self._number(target.coef))
        return self._node("Add", product, self._number(target.intercept))

    def _numbers(self, z, count):
        if count == 1:
            z = self._node("Reshape", z, self._whole([-1]))
        self._output("prediction", z, self.types.DOUBLE, [] if count == 1 else [count])

    def _classes(self, z, target, link, number):
        """Labels, and probabilities where the loss has some."""
        if target.coef.shape[1] == 1:
            flat = self._node("Reshape", z, self._whole([-1]))
            at = self._node("Cast", self._node("Greater", flat, self._number(0.0)), to=self.types.INT64)
            both = self._node("Concat", self._node("Neg", z), z, axis=1)
            probabilities = self._node("Sigmoid", both) if link == "classes" else None
        else:
            at = self._node("ArgMax", z, axis=1, keepdims=0)
            probabilities = self._node("Softmax", z, axis=1) if link == "classes" else None
        labels = np.asarray(target.labels)
        if labels.dtype.kind in "iu":
            labels, kind = labels.astype(np.int64), self.types.INT64
        elif labels.dtype.kind == "f":
            labels, kind = labels.astype(np.float64), self.types.DOUBLE
        else:
            labels, kind = labels.astype(str).astype(object), self.types.STRING
        self._output(f"prediction{number}", self._node("Gather", self._constant(labels), at, axis=0), kind, [])
        if probabilities is not None:
            self._output(f"probabilities{number}", probabilities, self.types.DOUBLE, [len(labels)])

    def _input(self, name, kind, columns):
        self.inputs.append(self.helper.make_tensor_value_info(name, kind, ["rows", columns]))
        return name

    def _output(self, name, value, kind, shape):
        self.nodes.append(self.helper.make_node("Identity", [value], [name]))
        self.outputs.append(self.helper.make_tensor_value_info(name, kind, ["rows", *shape]))

    def _node(self, operator, *inputs, domain="", **attributes):
        name = f"node_{len(self.nodes)}"
        self.nodes.append(self.helper.make_node(operator, list(inputs), [name], domain=domain, **attributes))
        return name

    def _number(self, values):
        return self._constant(np.asarray(values, dtype=np.float64))

    def _whole(self, values):
        return self._constant(np.asarray(values, dtype=np.int64))

    def _constant(self, values):
        name = f"constant_{len(self.constants)}"
        self.constants.append(self.onnx.numpy_helper.from_array(values, name))
        return name
