"""From what callers hand over to the arrays that the compiled part takes."""

from __future__ import annotations

import os
from numbers import Real

import numpy as np


def n_threads_of(n_threads: int | None) -> int:
    """Number of threads: None takes the limit that the environment sets, or all cores of the process.

    joblib sets OMP_NUM_THREADS in its workers, so that workers together do not take more cores than there are.
    """
    if n_threads is None:
        for name in ("PROXDIFF_NUM_THREADS", "OMP_NUM_THREADS"):
            text = os.environ.get(name, "").split(",")[0].strip()
            if text.isdigit() and int(text) > 0:
                return int(text)
        if hasattr(os, "sched_getaffinity"):
            return len(os.sched_getaffinity(0))
        return os.cpu_count() or 1
    return count_of(n_threads, "n_threads", "threads", "give 1 or more, or None")


def count_of(value, name: str, things: str, remedy: str = "give 1 or more") -> int:
    """A whole number of at least 1."""
    if isinstance(value, bool) or not isinstance(value, Real) or int(value) != value or value < 1:
        raise ValueError(f"{name}: {value!r} is no number of {things}; {remedy}")
    return int(value)


def word(value, name: str) -> str:
    """A word; the compiled part names the words that it knows."""
    return value if isinstance(value, str) else repr(value)


def words(values, name: str) -> tuple[str, ...]:
    """A word, or several."""
    if isinstance(values, str):
        return (values,)
    try:
        return tuple(word(value, name) for value in values)
    except TypeError:
        raise ValueError(f"{name}: {values!r} is no name; give a name, or a list of names") from None


def number(value, name: str) -> float:
    """A number."""
    try:
        return float(value)
    except (TypeError, ValueError):
        raise ValueError(f"{name}: {value!r} is no number; give a number") from None


def pair(values, name: str) -> tuple[float, float]:
    """Two numbers, the lower and the upper one."""
    try:
        lower, upper = values
    except (TypeError, ValueError):
        raise ValueError(f"{name}: {values!r} does not fit; give (lower, upper)") from None
    return number(lower, name), number(upper, name)


def mapping(values, name: str) -> dict:
    """A dictionary by names; None is an empty one."""
    try:
        return dict(values or {})
    except (TypeError, ValueError):
        raise ValueError(f"{name}: {values!r} does not fit; give a dictionary by the names of variables") from None


def is_sparse(X) -> bool:
    """Whether X is a matrix or an array of scipy.sparse, without an import of it."""
    return hasattr(X, "tocsr") and hasattr(X, "nnz")


def numbers(values, name: str, ndim: int | tuple[int, ...] | None = None) -> np.ndarray:
    """An f64 array; other kinds than real numbers are refused."""
    array = np.asarray(values)
    if array.dtype.kind == "c":
        raise ValueError(f"{name}: complex data are not supported; give real numbers")
    try:
        array = np.asarray(array, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name}: {error}; give numbers") from None
    allowed = (ndim,) if isinstance(ndim, int) else ndim
    if allowed is not None and array.ndim not in allowed:
        wanted = " or ".join(map(str, allowed))
        raise ValueError(f"{name}: {array.ndim} dimensions where {wanted} are wanted; reshape it")
    return array


def rows_of(X, name: str = "X"):
    """Rows of data for the compiled part: an array in any order, or the parts of a CSR matrix."""
    if not is_sparse(X):
        return numbers(X, name, 2)
    if X.dtype.kind == "c":
        raise ValueError(f"{name}: complex data are not supported; give real numbers")
    csr = X.tocsr()
    if not csr.has_canonical_format:
        csr = csr.copy()
        csr.sum_duplicates()
    parts = [np.ascontiguousarray(part, dtype=np.int64) for part in (csr.indptr, csr.indices)]
    return (*csr.shape, *parts, np.ascontiguousarray(csr.data, dtype=np.float64))


def per_coefficient(values, d: int, classes: int, name: str) -> list[float] | None:
    """One number a coefficient, in the compiled part's order: features first, then classes.

    Takes one number a feature, shared by its classes, or (classes, features).
    """
    if values is None:
        return None
    array = numbers(values, name, (1, 2))
    if array.ndim == 2:
        if array.shape != (classes, d):
            raise ValueError(f"{name}: shape {array.shape} where {(classes, d)} is wanted; give one entry each")
        return array.T.ravel().tolist()
    if array.shape[0] == d:
        return np.repeat(array, classes).tolist()
    return array.tolist()


def codes_of(labels, name: str = "groups") -> tuple[np.ndarray, np.ndarray]:
    """The labels of groups in their order, and the number of its group for each feature."""
    array = np.asarray(labels)
    if array.ndim != 1:
        raise ValueError(f"{name}: {array.ndim} dimensions where 1 is wanted; give one label a feature")
    names, codes = np.unique(array, return_inverse=True)
    return names, codes.astype(np.uint32)


def statement(
    X,
    y,
    *,
    sample_weight=None,
    validation=None,
    loss: str = "squared",
    criterion: str | None = None,
    delta: float = 1.0,
    power: float = 1.5,
    classes: int = 1,
    penalty: str = "elastic-net",
    groups=None,
    strengths=None,
    bounds=None,
    ridge=None,
    prior=None,
    fit_intercept: bool = True,
    standardize: bool = True,
) -> dict:
    """A problem for the compiled part; y has shape (n,) or (n, targets)."""
    rows = rows_of(X)
    d = rows[1] if isinstance(rows, tuple) else rows.shape[1]

    def targets(values, name):
        array = numbers(values, name, (1, 2))
        return np.ascontiguousarray((array[:, None] if array.ndim == 1 else array).T)

    def weights(values, name):
        return None if values is None else numbers(values, name, 1).tolist()

    codes = None
    if groups is not None:
        codes = np.repeat(codes_of(groups)[1], classes).tolist()
    # The strengths of groups are in their order.
    own = per_coefficient(strengths, d if groups is None else -1, classes, "strengths")
    stated = {
        "x": rows,
        "y": targets(y, "y"),
        "weights": weights(sample_weight, "sample_weight"),
        "x_val": None,
        "y_val": None,
        "weights_val": None,
        "loss": word(loss, "loss"),
        "criterion": None if criterion is None else word(criterion, "criterion"),
        "huber_delta": number(delta, "delta"),
        "tweedie_power": number(power, "power"),
        "classes": int(classes),
        "penalty": word(penalty, "penalty"),
        "groups": codes,
        "strengths": own,
        "bounds": None if bounds is None else pair(bounds, "bounds"),
        "ridge": per_coefficient(ridge, d, classes, "ridge"),
        "prior": per_coefficient(prior, d, classes, "prior"),
        "fit_intercept": bool(fit_intercept),
        "standardize": bool(standardize),
    }
    if validation is not None:
        try:
            X_val, y_val, *rest = validation
        except (TypeError, ValueError):
            raise ValueError("validation: it has other parts; give (X, y) or (X, y, weights)") from None
        stated["x_val"] = rows_of(X_val, "validation rows")
        stated["y_val"] = targets(y_val, "validation targets")
        stated["weights_val"] = weights(rest[0], "validation weights") if rest else None
    return stated


def settings(
    *,
    method: str | None = None,
    wrt=(),
    solver: str = "auto",
    tol: float | None = None,
    max_iter: int = 100_000,
    n_threads: int | None = None,
) -> dict:
    """Settings of a run for the compiled part."""
    return {
        "method": None if method is None else word(method, "method"),
        "wrt": list(wrt),
        "solver": word(solver, "solver"),
        "tolerance": None if tol is None else number(tol, "tol"),
        "max_steps": count_of(max_iter, "max_iter", "steps"),
        "n_threads": n_threads_of(n_threads),
    }


def row_numbers(part, n):
    """Row numbers from 0: of numbers, of which negative ones count from the end, or of a mask of n rows."""
    part = np.asarray(part)
    if part.dtype.kind == "b" and part.shape == (n,):
        return np.flatnonzero(part).astype(np.int64, copy=False)
    if part.dtype.kind not in "iu" or part.ndim != 1 or ((part < -n) | (part >= n)).any():
        raise ValueError(f"cv: give row numbers from 0 to {n - 1}, or masks of {n} rows")
    return np.where(part < 0, part + n, part).astype(np.int64, copy=False)


def splits_of_rows(cv, n):
    """Pairs of row numbers (train, test) as arrays."""
    fault = "cv: give pairs of row numbers (train, test), such as list(KFold(5).split(X))"
    if isinstance(cv, str):
        raise ValueError(fault)
    try:
        pairs = [(train, test) for train, test in cv]
    except (TypeError, ValueError):
        raise ValueError(fault) from None
    return [(row_numbers(train, n), row_numbers(test, n)) for train, test in pairs]
