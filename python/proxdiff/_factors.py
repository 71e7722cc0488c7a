"""Sums of squares in place of rows: parts of a data set that are compressed wherever they lie."""

from __future__ import annotations

import os
from numbers import Integral

import numpy as np

from . import _proxdiff
from ._convert import count_of, numbers, splits_of_rows, statement
from ._core import Problem


def _names(values, count, what):
    """The names of a frame's columns, or x0, x1, …"""
    names = getattr(values, "columns", None)
    if names is None and what == "y":
        name = getattr(values, "name", None)
        names = [name] if isinstance(name, str) and name else None
    if names is None:
        return [what] if what == "y" and count == 1 else [f"{what}{at}" for at in range(count)]
    return [str(name) for name in names]


def _fold_of(cv, n, seed, y):
    """The number of its fold for each row."""
    if isinstance(cv, Integral) and not isinstance(cv, bool):
        count = count_of(
            cv, "cv", "folds", "give 2 or more, a splitter, pairs of row numbers, or the fold of every row"
        )
        if not 2 <= count <= n:
            raise ValueError(f"cv: {count} folds of {n} rows; give 2 folds or more, and no more than rows")
        return np.random.default_rng(seed).permutation(np.arange(n) % count)
    given = cv if hasattr(cv, "split") or isinstance(cv, str) else np.asarray(cv, dtype=object)
    if isinstance(given, np.ndarray) and given.shape == (n,) and all(np.isscalar(one) for one in given):
        folds = numbers(cv, "cv", 1)
        if (folds != np.round(folds)).any():
            raise ValueError("cv: give whole numbers as folds; rows of a negative one are never held out")
        return folds.astype(np.int64)
    if hasattr(cv, "split") and not isinstance(cv, str):
        cv = cv.split(np.zeros((n, 1)), y)
    fold_of = np.full(n, -1)
    for number, (train, test) in enumerate(splits_of_rows(cv, n)):
        if len(train) + len(test) != n or (fold_of[test] >= 0).any() or np.isin(test, train).any():
            raise ValueError(
                "cv: splits do not partition the rows; give folds that each learn from all rows that they do not hold out"
            )
        fold_of[test] = number
    return fold_of


def compress(X, y, out, *, cv, sample_weight=None, seed=0):
    """Writes the sums of squares of a part of a data set, fold by fold, into a file; returns how many rows it has.

    `cv` is a number of folds (rows dealt at random by `seed`), the fold of every row, a splitter, or pairs of row
    numbers, the same folds for all parts. `read_factors` takes the files of all parts together, and so does
    `proxdiff sweep --factors`.
    """
    stated = statement(X, y, sample_weight=sample_weight)
    rows, n = stated["x"], stated["y"].shape[1]
    d = rows[1] if isinstance(rows, tuple) else rows.shape[1]
    fold_of = np.ascontiguousarray(_fold_of(cv, n, seed, stated["y"][0]), dtype=np.int64)
    names = _names(X, d, "x"), _names(y, stated["y"].shape[0], "y")
    return _proxdiff.compress(stated, fold_of, *names, os.fspath(out))


def read_factors(files, **stated):
    """A problem on the sums of squares in the files of all parts of a data set, and its folds.

    The problem has a few rows of the same sums as all rows, and what `stated` says of it (`penalty`, `standardize`, …);
    the folds are pairs of row numbers: ``proxdiff.sweep(problem, cv=folds)`` finds what it would find on all rows.
    What is no sum of squares, such as the mean absolute error, is not there.
    """
    paths = [files] if isinstance(files, (str, os.PathLike)) else list(files)
    losses = stated.get("loss", "squared"), stated.get("criterion")
    if "validation" in stated or losses[0] != "squared" or losses[1] not in (None, "squared"):
        raise ValueError(
            "read_factors: sums of squares are of the squared loss by folds; leave loss, criterion and validation out"
        )
    found = _proxdiff.read_factors([os.fspath(path) for path in paths])
    y = found["y"].T
    problem = Problem(found["X"], y[:, 0] if y.shape[1] == 1 else y, sample_weight=found["sample_weight"], **stated)
    problem.is_compressed = True
    problem.feature_names, problem.target_names = found["features"], found["targets"]
    of_rows = found["folds"]
    splits = [
        (np.flatnonzero(of_rows != one), np.flatnonzero(of_rows == one)) for one in np.unique(of_rows[of_rows >= 0])
    ]
    return problem, splits
