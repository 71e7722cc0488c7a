"""The function interface: problems, batches of points, hypergradients, products with derivatives, tuning."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from . import _proxdiff
from ._convert import (
    count_of,
    mapping,
    number,
    numbers,
    pair,
    per_coefficient,
    settings,
    splits_of_rows,
    statement,
    word,
    words,
)
from ._progress import Progress
from ._table import Tabular, html

#: Names in Python by the compiled part's.
_PARTS = {"sample_weights": "sample_weight", "x": "X"}
#: Hyperparameters in the compiled part's words, by their names in Python.
_HYPERPARAMETERS = {
    "l1": "l1",
    "l2": "l2",
    "prior": "prior",
    "sample_weight": "sample-weights",
    "class_weight": "class-weights",
    "delta": "huber-delta",
    "bounds": "box",
}
#: The same with the data, which products are differentiated in too.
_INPUTS = _HYPERPARAMETERS | {"y": "y", "X": "x"}


def _inputs(wrt, known):
    """The compiled part's words for names in Python."""
    for name in words(wrt, "wrt"):
        if name not in known:
            raise ValueError(f"wrt: {name!r} is not known; give names of {', '.join(known)}")
    return [known[name] for name in words(wrt, "wrt")]


class Problem:
    """A problem, stated and checked: rows, loss, penalty, and the criterion's rows.

    w(λ) = argmin loss(w) + ½ λ₂ ‖w − c‖² + penalty(w; l1), with the mean of the loss over the rows. Columns are
    standardised unless told otherwise: strengths then act on coefficients of standardised columns, while
    coefficients are reported in the data's units.

    Parameters
    ----------
    X : array or scipy.sparse matrix of shape (n, d)
    y : array of shape (n,) or (n, targets)
        Numbers; −1 and 1 for the logistic loss and the squared hinge; classes from 0 for the multinomial loss.
    loss : {"squared", "logistic", "multinomial", "huber", "squared-hinge", "poisson", "gamma", "tweedie", "quadratic"}
    penalty : {"elastic-net", "group", "sparse-group", "nonneg", "box"}
    groups : labels of shape (d,), for the group penalties
    strengths : array, optional
        Strengths at l1 = 1: one a coefficient (a weighted l1), one a group, or for the sparse group penalty that
        of the coefficients and one a group.
    ridge : array of shape (d,), optional
        Ridge strengths at l2 = 1.
    bounds : (lower, upper), for the box
    prior : array of shape (d,), optional
        What the ridge pulls to, in the data's units.
    validation : (X, y) or (X, y, weights), optional
        The rows of the criterion; without them it is taken on the training rows.
    criterion : str, optional
        The loss of the criterion; the training loss by default.
    delta : float
        The place from which on the Huber loss is linear.
    power : float
        The power p of the Tweedie loss, 1 < p < 2: the variance is proportional to the mean to the p.
    n_classes : int, optional
        Classes of the multinomial loss, where y does not say it.
    """

    def __init__(
        self,
        X,
        y,
        *,
        loss="squared",
        penalty="elastic-net",
        groups=None,
        strengths=None,
        ridge=None,
        bounds=None,
        prior=None,
        sample_weight=None,
        validation=None,
        criterion=None,
        delta=1.0,
        power=1.5,
        n_classes=None,
        fit_intercept=True,
        standardize=True,
        n_threads=None,
    ):
        if loss == "quadratic":
            fit_intercept = standardize = False
        classes = 1
        if loss == "multinomial":
            y = numbers(y, "y", (1, 2))
            classes = (
                count_of(n_classes, "n_classes", "classes") if n_classes else (int(np.nanmax(y)) + 1 if y.size else 0)
            )
        self._statement = statement(
            X,
            y,
            sample_weight=sample_weight,
            validation=validation,
            loss=loss,
            criterion=criterion,
            delta=delta,
            power=power,
            classes=classes,
            penalty=penalty,
            groups=groups,
            strengths=strengths,
            bounds=bounds,
            ridge=ridge,
            prior=prior,
            fit_intercept=fit_intercept,
            standardize=standardize,
        )
        options = settings(n_threads=n_threads)
        self._problem = _proxdiff.Problem(self._statement, options["n_threads"])
        self.n_threads = n_threads
        self.loss = loss
        self.n_classes = classes
        self.fit_intercept = bool(fit_intercept)
        rows = self._statement["x"]
        self.shape = rows[:2] if isinstance(rows, tuple) else rows.shape
        self.n_targets = self._statement["y"].shape[0]
        # Whether the rows stand for others, as those of `read_factors` do.
        self.is_compressed = False

    def __getstate__(self):
        return {name: part for name, part in vars(self).items() if name != "_problem"}

    def __setstate__(self, state):
        vars(self).update(state)
        options = settings(n_threads=self.n_threads)
        self._problem = _proxdiff.Problem(self._statement, options["n_threads"])

    def __repr__(self):
        n, d = self.shape
        return f"Problem({self.loss}, {n} rows, {d} features)"

    def _check_sample(self, options):
        """Refuses minibatches where the rows are no sample."""
        method, solver = options["method"], options["solver"]
        asked = f"method: {method!r}" if method in ("nsid", "sid") else f"solver: {solver!r}"
        if self.is_compressed and (method in ("nsid", "sid") or solver == "stochastic"):
            raise ValueError(
                f"{asked} draws minibatches, and sums of squares are no sample of the rows; use another, or the rows "
                "themselves"
            )

    def l1_max(self, l2=0.0, target=0):
        """The smallest l1 whose coefficients are all zero."""
        options = settings(n_threads=self.n_threads)
        return self._problem.l1_max(int(target), float(l2), options["n_threads"])

    def _coef(self, rows):
        """Coefficients with one row a point: (points, d), or (points, classes, d)."""
        if self.n_classes == 1:
            return rows
        d = self.shape[1]
        return rows.reshape(len(rows), d, self.n_classes).transpose(0, 2, 1)

    def _intercept(self, rows):
        """Intercepts with one row a point: (points,), or (points, classes) with the sum zero.

        A shift that all classes have in common changes no probability.
        """
        if rows.shape[1] == 0:
            rows = np.zeros((len(rows), self.n_classes))
        if self.n_classes == 1:
            return rows[:, 0]
        return rows - rows.mean(axis=1, keepdims=True)

    def _uncoef(self, coef):
        """The inverse of `_coef`."""
        if self.n_classes == 1:
            return coef
        return coef.transpose(0, 2, 1).reshape(len(coef), -1)

    def _points(self, l1, l2, target, prior, sample_weight):
        """The points of a batch for the compiled part, and how many there are."""
        parts = {
            "l1": numbers(l1, "l1", (0, 1, 2)),
            "l2": numbers(l2, "l2", (0, 1, 2)),
            "targets": np.asarray(target),
        }
        if parts["targets"].dtype.kind not in "iu" or parts["targets"].ndim > 1:
            raise ValueError("target: give whole numbers from 0, one for all points or one a point")
        if (parts["targets"] < 0).any():
            raise ValueError("target: there are negative numbers; count targets from 0")
        lengths = {name: part.shape[0] for name, part in parts.items() if part.ndim > 0}
        for name, values in (("prior", prior), ("sample_weight", sample_weight)):
            if values is None:
                parts[name] = None
                continue
            array = numbers(values, name, (1, 2, 3) if name == "prior" else (1, 2))
            if name == "prior":
                flat = array.ndim == 1 or (array.ndim == 2 and self.n_classes > 1)
                array = array[None] if flat else array
                d, c = self.shape[1], self.n_classes
                array = np.array([per_coefficient(one, d, c, name) for one in array], dtype=float)
                array = array.reshape(len(array), -1)
                parts[name] = array[0] if flat else array
                if not flat:
                    lengths[name] = array.shape[0]
            else:
                parts[name] = array
                if array.ndim == 2:
                    lengths[name] = array.shape[0]
        different = {length for length in lengths.values() if length != 1}
        if len(different) > 1:
            raise ValueError(f"points: {lengths} differ in length; give one entry a point, or one for all")
        count = different.pop() if different else 1

        def spread(part, vector):
            part = np.asarray(part)
            if part.ndim == vector:
                part = part[None]
            return np.ascontiguousarray(np.broadcast_to(part, (count, *part.shape[1:])))

        points = {name: spread(parts[name], 0) for name in ("l1", "l2")}
        points["targets"] = spread(parts["targets"], 0).tolist()
        points["priors"] = None if parts["prior"] is None else spread(parts["prior"], 1)
        own = parts["sample_weight"]
        points["weights"] = None if own is None else spread(own, 1)
        return points

    def solve(
        self,
        l1,
        l2=0.0,
        *,
        method=None,
        wrt=(),
        target=0,
        prior=None,
        sample_weight=None,
        solver="auto",
        tol=None,
        max_iter=100_000,
        warm_start=None,
        n_threads=None,
    ):
        """Solutions of a batch of points; see `proxdiff.solve` and `proxdiff.hypergradient`."""
        options = settings(
            method=method,
            wrt=_inputs(wrt, _HYPERPARAMETERS),
            solver=solver,
            tol=tol,
            max_iter=max_iter,
            n_threads=self.n_threads if n_threads is None else n_threads,
        )
        self._check_sample(options)
        points = self._points(l1, l2, target, prior, sample_weight)
        start = None
        if warm_start is not None:
            if warm_start.problem is not self or warm_start._outcomes is None:
                raise ValueError("warm_start: solutions of another problem; give those of this one, or None")
            start = warm_start._outcomes
        found, outcomes = self._problem.run(points, options, start)
        parts = {_PARTS.get(name, name): part for name, part in found.pop("hypergradient").items()}
        if "prior" in parts:
            parts["prior"] = self._coef(parts["prior"])
        intercept = self._intercept(found.pop("intercept"))
        return Solutions(
            problem=self,
            l1=points["l1"],
            l2=points["l2"],
            target=np.asarray(points["targets"]),
            coef=self._coef(found.pop("coef")),
            intercept=intercept,
            status=np.asarray(found.pop("status"), dtype=object),
            warnings=found.pop("warnings"),
            hypergradient=parts,
            _outcomes=outcomes,
            **{name: np.asarray(part) for name, part in found.items()},
        )

    def vjp(
        self, solutions, cotangent, wrt=("l1", "l2"), *, method="aid-cg", tol=None, max_iter=100_000, n_threads=None
    ):
        """Products of a cotangent with the derivative of solutions; see `proxdiff.vjp`."""
        if solutions.problem is not self:
            raise ValueError("solutions: they are of another problem; give those of this one")
        if solutions._outcomes is None:
            raise ValueError("solutions: they come from a pickle, which has no more than their numbers; solve again")
        coef, intercept = cotangent if isinstance(cotangent, tuple) else (cotangent, None)
        coef = numbers(coef, "cotangent")
        if coef.shape == solutions.coef.shape[1:]:
            coef = coef[None]
        if coef.shape != solutions.coef.shape:
            raise ValueError(
                f"cotangent: shape {coef.shape} where that of the coefficients, {solutions.coef.shape}, is wanted; "
                "give one entry a coefficient"
            )
        width = self.n_classes if self.fit_intercept else 0
        if intercept is None:
            intercept = np.zeros((len(coef), width))
        else:
            intercept = numbers(intercept, "cotangent of the intercepts")
            if intercept.size != len(coef) * self.n_classes:
                raise ValueError(
                    f"cotangent of the intercepts: {intercept.size} entries where {solutions.intercept.size} are "
                    "wanted; give one an intercept"
                )
            intercept = intercept.reshape(len(coef), self.n_classes)[:, :width]
            if self.n_classes > 1 and width:
                # The sum of the intercepts stays zero.
                intercept = intercept - intercept.mean(axis=1, keepdims=True)
        options = settings(
            method=method,
            tol=tol,
            max_iter=max_iter,
            n_threads=self.n_threads if n_threads is None else n_threads,
        )
        self._check_sample(options)
        inputs = _inputs(wrt, _INPUTS)
        rows = np.ascontiguousarray(self._uncoef(coef))
        found = self._problem.vjp(solutions._outcomes, rows, np.ascontiguousarray(intercept), inputs, options)
        found = {_PARTS.get(name, name): part for name, part in found.items()}
        if "X" in found:
            found["X"] = found["X"].reshape(-1, *self.shape)
        if "prior" in found:
            found["prior"] = self._coef(found["prior"])
        return found


@dataclass(repr=False)
class Solutions(Tabular):
    """Solutions of a batch of points: arrays with one row a point.

    `hypergradient` has the derivatives of the criterion by the name of what they are in, with NaN where a point
    has none. `status` is "converged" for what can be relied on; `duality_gap`, `residual`, `kink_margin` and
    `certified` say how far.
    """

    problem: Problem
    l1: np.ndarray
    l2: np.ndarray
    target: np.ndarray
    coef: np.ndarray
    intercept: np.ndarray
    criterion: np.ndarray
    objective: np.ndarray
    status: np.ndarray
    solver_converged: np.ndarray
    n_iter: np.ndarray
    support: np.ndarray
    duality_gap: np.ndarray
    residual: np.ndarray
    linear_residual: np.ndarray
    kink_margin: np.ndarray
    certified: np.ndarray
    engine: np.ndarray
    warnings: list
    hypergradient: dict[str, np.ndarray] = field(default_factory=dict)
    _outcomes: _proxdiff.Outcomes | None = None

    def __len__(self):
        return len(self.criterion)

    def __getstate__(self):
        return vars(self) | {"_outcomes": None}

    def __repr__(self):
        converged = int((self.status == "converged").sum())
        return f"Solutions({len(self)} points, {converged} converged)"

    def predict(self, X):
        """Linear predictors of rows: (points, n), or (points, n, classes)."""
        from ._convert import is_sparse

        X = X if is_sparse(X) else numbers(X, "X", 2)
        if self.coef.ndim == 2:
            return (X @ self.coef.T).T + self.intercept[:, None]
        return np.stack([X @ w.T for w in self.coef]) + self.intercept[:, None, :]

    def table(self):
        """The columns of one number a point, by name."""
        columns = {"target": self.target}
        for name in ("l1", "l2"):
            values = getattr(self, name)
            if values.ndim == 1:
                columns[name] = values
        for name in ("criterion", "objective", "support", "n_iter", "duality_gap", "kink_margin", "certified"):
            columns[name] = getattr(self, name)
        columns["status"] = self.status
        for name, part in self.hypergradient.items():
            if part.ndim == 1:
                columns[f"d_{name}"] = part
        return columns

    def _repr_html_(self):
        return html(self.table(), 50)


def solve(problem, l1, l2=0.0, **options):
    """Solutions of a batch of points.

    `l1` and `l2` are numbers, arrays with one entry a point, or with one row a point for strengths of their own;
    what is given once is for all points. Options: `target`, `prior` and `sample_weight` of points, `solver`, `tol`
    (None goes to rounding), `max_iter`, `warm_start` (solutions of as many points), `n_threads`.
    """
    return problem.solve(l1, l2, **options)


def hypergradient(problem, l1, l2=0.0, *, wrt=("l1", "l2"), method="aid-cg", **options):
    """Solutions of a batch of points with the derivatives of the criterion.

    `wrt` names of "l1", "l2", "prior", "sample_weight", "class_weight", "delta", "bounds"; `method` one of
    "aid-cg", "direct", "aid-fp", "itd-forward", "itd-reverse", "nsid", "sid". Other options as in `solve`.
    """
    return problem.solve(l1, l2, wrt=wrt, method=method, **options)


def vjp(solutions, cotangent, wrt=("l1", "l2"), **options):
    """Products of a cotangent of the caller's own with the derivatives of solutions, by name: one row a point.

    `cotangent` is ∂L/∂coef in the shape of `solutions.coef`, or (∂L/∂coef, ∂L/∂intercept); `wrt` names of "l1",
    "l2", "prior", "sample_weight", "class_weight", "delta", "bounds", "y", "X". The criterion plays no part.
    """
    return solutions.problem.vjp(solutions, cotangent, wrt, **options)


def tune(
    problem,
    variables=("l1", "l2"),
    *,
    cv=None,
    bounds=None,
    start=None,
    l1=0.0,
    l2=0.0,
    guard="auto",
    max_evaluations=400,
    tol=None,
    max_iter=100_000,
    n_threads=None,
    progress=False,
):
    """The criterion minimised over variables by hypergradients.

    It is the mean over the splits `cv`, pairs of row numbers (train, test) that partition the rows, or the
    problem's own where `cv` is None. `variables` are names of "l1", "l2", "l1[]", "l1[group]", "l2[]", "l2[group]",
    "l2[class]", "prior", "class-weights", "huber-delta"; `bounds` and `start` are dictionaries by these names. `progress=True` shows how
    many evaluations are done and the best criterion so far.
    """
    variables = words(variables, "variables")
    bounds, start = mapping(bounds, "bounds"), mapping(start, "start")
    unknown = [name for name in (*bounds, *start) if name not in variables]
    if unknown:
        raise ValueError(f"bounds and start: {unknown[0]!r} is not tuned; add it to the variables or leave it out")
    if problem.n_targets > 1:
        raise ValueError("problem: it has several targets; state one problem a target")
    if cv is not None:
        n = problem.shape[0]
        cv = splits_of_rows(cv, n)
    named = [
        (
            name,
            pair(bounds[name], "bounds") if name in bounds else None,
            number(start[name], "start") if name in start else None,
        )
        for name in variables
    ]
    guard = None if guard is None else word(guard, "guard")
    most = count_of(max_evaluations, "max_evaluations", "points")
    options = settings(
        method="aid-cg",
        tol=tol,
        max_iter=max_iter,
        n_threads=problem.n_threads if n_threads is None else n_threads,
        wrt=("l1", "l2"),
    )
    at = number(l1, "l1"), number(l2, "l2")
    with Progress(progress, most, "evaluations") as shown:
        watch = shown.at if progress else None
        found = _proxdiff.tune(problem._statement, cv, named, *at, most, guard, options, watch)
        shown.at(found["evaluations"], found["criterion"])
    refit = found["refit"]
    found["coef"] = problem._coef(refit["coef"])[0]
    found["intercept"] = problem._intercept(refit["intercept"])[0]
    found["variables"] = {
        name.removeprefix("variable:"): (np.asarray(found[name][0]), np.asarray(found[name][1]))
        for name in [name for name in found if name.startswith("variable:")]
    }
    return {name: part for name, part in found.items() if not name.startswith("variable:")}
