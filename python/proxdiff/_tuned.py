"""Estimators whose strengths are tuned by hypergradients of the cross-validated loss, in scikit-learn's shape."""

from __future__ import annotations

import numpy as np

from . import _proxdiff
from ._convert import mapping, pair, word, words
from ._cv import splits_of
from ._linear import Classifier, Regressor, group_parts, weight_sum, whole

__all__ = ["ElasticNetTuned", "GroupLassoTuned", "LogisticRegressionTuned"]


#: The largest multiple of strengths that one standard error is looked for, and how many there are up to it.
_MOST, _COUNT = 1000.0, 121


class _Tuned:
    """The search, and what is known of it."""

    def _tune(self, stated, splits):
        """Tunes, keeps what is known and returns coefficients and intercepts of the fit to all rows."""
        names = words(self.variables, "variables")
        bounds = mapping(self.bounds, "bounds")
        for name in bounds:
            if name not in names:
                raise ValueError(f"bounds: {name!r} is not tuned; add it to the variables or leave it out")
        variables = [(name, pair(bounds[name], "bounds") if name in bounds else None, None) for name in names]
        guard = None if self.guard is None else word(self.guard, "guard")
        most = whole(self.max_evaluations, "max_evaluations", 1)
        options = self._settings() | {"method": "aid-cg", "wrt": ["l1", "l2"]}
        found = _proxdiff.tune(stated, splits, variables, 0.0, 0.0, most, guard, options, None)
        found["standard_error"] = _standard_error(found["fold_criteria"])
        if self.choice == "one-se":
            found |= self._stronger(stated, splits, names, found)
        elif self.choice != "best":
            raise ValueError(f"choice: {self.choice!r} is not known; give 'best' or 'one-se'")
        for strength in ("l1", "l2"):
            own = found[f"{strength}_each"]
            value = found[strength] if own is None else found[strength] * np.asarray(own)
            setattr(self, f"{strength}_", value)
        self.criterion_ = found["criterion"]
        self.fold_criteria_ = np.asarray(found["fold_criteria"])
        self.standard_error_ = found["standard_error"]
        self.nested_criterion_ = found["nested_criterion"]
        self.n_evaluations_ = found["evaluations"]
        self.tuning_status_ = found["status"]
        self.tuning_path_ = [[(np.asarray(at), value) for at, value in path] for path in found["paths"]]
        self.remarks_ = found["remarks"]
        refit = found["refit"]
        self.hypergradient_ = {
            name.removeprefix("variable:"): np.asarray(part[1])
            for name, part in found.items()
            if name.startswith("variable:")
        }
        return self._known(refit, stated["classes"])

    def _stronger(self, stated, splits, names, found):
        """The strongest multiple of the strengths whose mean criterion is within one standard error of theirs."""
        if not all(name.startswith(("l1", "l2")) for name in names):
            raise ValueError("choice: 'one-se' strengthens l1 and l2; tune these alone, or take the best point")
        own = dict(stated)
        d, classes = self.n_features_in_, stated["classes"]
        for key, each, count in (("strengths", "l1_each", None), ("ridge", "l2_each", d * classes)):
            if found[each] is not None:
                if count is not None and len(found[each]) != count:
                    raise ValueError(f"choice: 'one-se' takes one {key} a coefficient; tune 'l2' or 'l2[]'")
                own[key] = list(found[each])
        multiples = np.geomspace(1.0, _MOST, _COUNT)
        options = self._settings()
        validation = self._validation(own, splits, _COUNT)
        l1, l2 = (found[name] * multiples for name in ("l1", "l2"))
        spread = [np.tile(part, (len(splits), 1)) for part in (l1, l2)]
        criteria = np.asarray(validation.run(*spread, False, options)["criterion"])
        mean = criteria.mean(axis=0)
        at = int(np.flatnonzero(mean <= mean[0] + _standard_error(criteria[:, 0])).max())
        return {
            "l1": float(l1[at]),
            "l2": float(l2[at]),
            "criterion": float(mean[at]),
            "fold_criteria": criteria[:, at],
            "refit": validation.fit(float(l1[at]), float(l2[at]), options),
        }


def _standard_error(criteria):
    """That of the mean over folds; NaN for one fold."""
    criteria = np.asarray(criteria)
    return float(criteria.std(ddof=1) / np.sqrt(len(criteria))) if len(criteria) > 1 else float("nan")


class ElasticNetTuned(_Tuned, Regressor):
    """`ElasticNet` with strengths that minimise the mean over folds of the held-out squared loss.

    Parameters
    ----------
    variables : names, default ("l1", "l2")
        What is tuned: "l1", "l2", or "l1[]" and "l2[]" for one strength a coefficient. What is not named is zero.
    bounds : dict of (lower, upper) by name, optional
    cv : None (5 folds), a number, a splitter, or pairs of row numbers that partition the rows
    guard : "auto" or None
        Keeps many strengths from fitting the held-out rows by chance, by nested folds.
    max_evaluations : int
        Points on all folds.
    choice : "best" or "one-se"
        The best strengths, or the largest multiple of them (up to 1000) whose mean criterion is within one standard
        error of the best.

    Attributes
    ----------
    l1_, l2_ : float or array
        The strengths; ``alpha_ = l1_ + l2_`` and ``l1_ratio_`` where they are numbers.
    criterion_, fold_criteria_ : float, array
        The mean held-out loss (half a mean square), and that of each fold, at the chosen strengths.
    standard_error_ : float
        That of the mean at the best strengths.
    nested_criterion_ : float or None
        Its estimate on rows that nothing was tuned on, where there is a guard.
    hypergradient_ : dict
        ∂ log criterion / ∂ log strength, by name, at the best strengths.
    tuning_status_ : str
        "stationary", "stationary-kink", "at-bound", "budget-spent" or "flat".
    tuning_path_ : list
        For each start, the best one first, its places (strengths, criterion).
    remarks_ : list of sentences
    """

    _several = False

    def __init__(
        self,
        *,
        variables=("l1", "l2"),
        bounds=None,
        cv=None,
        guard="auto",
        max_evaluations=400,
        choice="best",
        fit_intercept=True,
        max_iter=100_000,
        tol=None,
        n_threads=None,
    ):
        self.variables = variables
        self.bounds = bounds
        self.cv = cv
        self.guard = guard
        self.max_evaluations = max_evaluations
        self.choice = choice
        self.fit_intercept = fit_intercept
        self.max_iter = max_iter
        self.tol = tol
        self.n_threads = n_threads

    def fit(self, X, y, sample_weight=None):
        """Tunes the strengths and fits the model to all rows."""
        X, y = self._data(X, y)
        stated = self._stated(X, y, self._weights(sample_weight, X))
        self._keep(*self._tune(stated, splits_of(self.cv, X, y)), y)
        if np.ndim(self.l1_) == 0 and np.ndim(self.l2_) == 0:
            self.alpha_ = self.l1_ + self.l2_
            self.l1_ratio_ = self.l1_ / self.alpha_ if self.alpha_ > 0 else 0.0
        return self


class GroupLassoTuned(_Tuned, Regressor):
    """`GroupLasso` with one strength a group, tuned; ``l1_`` has them in the order of the sorted labels.

    ``variables`` may be ("l1",) for one strength in common. The others are those of `ElasticNetTuned`.
    """

    _several = False

    def __init__(
        self,
        *,
        groups=None,
        group_weights=None,
        variables=("l1[group]",),
        bounds=None,
        cv=None,
        guard="auto",
        max_evaluations=400,
        choice="best",
        fit_intercept=True,
        max_iter=100_000,
        tol=None,
        n_threads=None,
    ):
        self.groups = groups
        self.group_weights = group_weights
        self.variables = variables
        self.bounds = bounds
        self.cv = cv
        self.guard = guard
        self.max_evaluations = max_evaluations
        self.choice = choice
        self.fit_intercept = fit_intercept
        self.max_iter = max_iter
        self.tol = tol
        self.n_threads = n_threads

    def fit(self, X, y, sample_weight=None):
        """Tunes the strengths and fits the model to all rows."""
        X, y = self._data(X, y)
        codes, factors = group_parts(self.groups, self.group_weights, X.shape[1])
        weights = self._weights(sample_weight, X)
        own = None if self.group_weights is None else factors
        stated = self._stated(X, y, weights, penalty="group", groups=codes, strengths=own)
        self._keep(*self._tune(stated, splits_of(self.cv, X, y)), y)
        return self


class LogisticRegressionTuned(_Tuned, Classifier):
    """`LogisticRegression` with strengths that minimise the mean over folds of the held-out log-loss.

    Parameters and attributes are those of `ElasticNetTuned`; ``variables`` may be "l2[class]" too. Where both
    strengths are numbers there are ``C_ = 1/((l1_ + l2_) Σ s)`` and ``l1_ratio_``.
    """

    def __init__(
        self,
        *,
        variables=("l1", "l2"),
        bounds=None,
        cv=None,
        guard="auto",
        max_evaluations=400,
        choice="best",
        class_weight=None,
        fit_intercept=True,
        max_iter=100_000,
        tol=None,
        n_threads=None,
    ):
        self.variables = variables
        self.bounds = bounds
        self.cv = cv
        self.guard = guard
        self.max_evaluations = max_evaluations
        self.choice = choice
        self.class_weight = class_weight
        self.fit_intercept = fit_intercept
        self.max_iter = max_iter
        self.tol = tol
        self.n_threads = n_threads

    def fit(self, X, y, sample_weight=None):
        """Tunes the strengths and fits the model to all rows."""
        X, codes, weights = self._data(X, y, sample_weight)
        stated = self._of_classes(X, codes, weights)
        splits = splits_of(self.cv, X, codes, classifier=True)
        coef, intercept = self._tune(stated, splits)
        self.coef_, self.intercept_ = self._shaped(coef, stated["classes"])[0], intercept[0]
        self.n_iter_ = np.array([self._steps])
        if np.ndim(self.l1_) == 0 and np.ndim(self.l2_) == 0:
            total = self.l1_ + self.l2_
            self.C_ = 1 / (total * weight_sum(weights, X)) if total > 0 else np.inf
            self.l1_ratio_ = self.l1_ / total if total > 0 else 0.0
        return self
