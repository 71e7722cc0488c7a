"""Estimators at given strengths, in scikit-learn's shape."""

from __future__ import annotations

import numpy as np

from ._linear import Classifier, Regressor, at_least, group_parts, weight_sum

__all__ = ["ElasticNet", "GroupLasso", "Huber", "Lasso", "LogisticRegression", "SparseGroupLasso"]


class ElasticNet(Regressor):
    """Least squares with l1 and ridge.

    Minimises ``1/(2n) Σ s (y − Xw − b)² + alpha l1_ratio ‖w‖₁ + ½ alpha (1 − l1_ratio) ‖w‖²``, s the sample weights
    divided by their mean, as scikit-learn's estimator of this name does.

    Parameters
    ----------
    alpha : float, default 1
        Strength of the penalty.
    l1_ratio : float between 0 and 1, default 0.5
        Share of the l1 norm.
    fit_intercept : bool, default True
    positive : bool, default False
        Coefficients of zero or more.
    max_iter : int
        The most steps of the solver.
    tol : float, optional
        Stops where the optimality residual is below this times that at zero. None goes to rounding.
    n_threads : int, optional
        None takes OMP_NUM_THREADS, or all cores.

    Attributes
    ----------
    coef_, intercept_, n_iter_ : as scikit-learn's
    duality_gap_ : float, or one a target
        Relative to the objective.
    status_ : str, or one a target
        "converged", or what a ``ConvergenceWarning`` tells.
    """

    def __init__(
        self, alpha=1.0, *, l1_ratio=0.5, fit_intercept=True, positive=False, max_iter=100_000, tol=None, n_threads=None
    ):
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.fit_intercept = fit_intercept
        self.positive = positive
        self.max_iter = max_iter
        self.tol = tol
        self.n_threads = n_threads

    def fit(self, X, y, sample_weight=None):
        """Fits the model; y has shape (n,) or (n, targets)."""
        X, y = self._data(X, y)
        alpha = at_least(self.alpha, "alpha", 0)
        l1_ratio = at_least(getattr(self, "l1_ratio", 1.0), "l1_ratio", 0, most=1)
        penalty = "nonneg" if self.positive else "elastic-net"
        stated = self._stated(X, y, self._weights(sample_weight, X), penalty=penalty)
        coef, intercept = self._solve(stated, alpha * l1_ratio, alpha * (1 - l1_ratio))
        self._keep(coef, intercept, y)
        return self


class Lasso(ElasticNet):
    """Least squares with l1: `ElasticNet` at ``l1_ratio=1``."""

    def __init__(self, alpha=1.0, *, fit_intercept=True, positive=False, max_iter=100_000, tol=None, n_threads=None):
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        self.positive = positive
        self.max_iter = max_iter
        self.tol = tol
        self.n_threads = n_threads


class Huber(Regressor):
    """Robust regression: quadratic for residuals up to delta, linear beyond.

    Minimises ``1/n Σ s huber_delta(y − Xw − b) + alpha l1_ratio ‖w‖₁ + ½ alpha (1 − l1_ratio) ‖w‖²``. delta is in units
    of the target. scikit-learn's ``HuberRegressor`` estimates the scale σ of the residuals too: at its solution
    this one has ``delta = epsilon σ`` and ``alpha = alpha_sklearn σ/n``.
    """

    def __init__(
        self, *, delta=1.35, alpha=0.0001, l1_ratio=0.0, fit_intercept=True, max_iter=100_000, tol=None, n_threads=None
    ):
        self.delta = delta
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.fit_intercept = fit_intercept
        self.max_iter = max_iter
        self.tol = tol
        self.n_threads = n_threads

    def fit(self, X, y, sample_weight=None):
        """Fits the model; y has shape (n,) or (n, targets)."""
        X, y = self._data(X, y)
        delta = at_least(self.delta, "delta", 0, open_=True)
        alpha = at_least(self.alpha, "alpha", 0)
        l1_ratio = at_least(self.l1_ratio, "l1_ratio", 0, most=1)
        stated = self._stated(X, y, self._weights(sample_weight, X), loss="huber", delta=delta)
        coef, intercept = self._solve(stated, alpha * l1_ratio, alpha * (1 - l1_ratio))
        self._keep(coef, intercept, y)
        return self


class GroupLasso(Regressor):
    """Least squares with the norms of groups of coefficients.

    Minimises ``1/(2n) Σ s (y − Xw − b)² + alpha Σ_g weight_g ‖w_g‖₂``.

    Parameters
    ----------
    groups : labels of shape (d,), optional
        The group of every feature; None is one group a feature.
    group_weights : "sqrt", or numbers, optional
        Factors of the groups' strengths in the order of their sorted labels: None is 1 for all, "sqrt" the root of
        their sizes.
    """

    def __init__(
        self,
        alpha=1.0,
        *,
        groups=None,
        group_weights=None,
        fit_intercept=True,
        max_iter=100_000,
        tol=None,
        n_threads=None,
    ):
        self.alpha = alpha
        self.groups = groups
        self.group_weights = group_weights
        self.fit_intercept = fit_intercept
        self.max_iter = max_iter
        self.tol = tol
        self.n_threads = n_threads

    def fit(self, X, y, sample_weight=None):
        """Fits the model; y has shape (n,) or (n, targets)."""
        X, y = self._data(X, y)
        alpha = at_least(self.alpha, "alpha", 0)
        codes, factors = group_parts(self.groups, self.group_weights, X.shape[1])
        weights = self._weights(sample_weight, X)
        stated = self._stated(X, y, weights, penalty="group", groups=codes, strengths=factors)
        coef, intercept = self._solve(stated, alpha, 0.0)
        self._keep(coef, intercept, y)
        return self


class SparseGroupLasso(Regressor):
    """Least squares with the l1 norm and the norms of groups of coefficients.

    Minimises ``1/(2n) Σ s (y − Xw − b)² + alpha (l1_ratio ‖w‖₁ + (1 − l1_ratio) Σ_g weight_g ‖w_g‖₂)``; groups and
    group_weights are those of `GroupLasso`.
    """

    def __init__(
        self,
        alpha=1.0,
        *,
        l1_ratio=0.5,
        groups=None,
        group_weights=None,
        fit_intercept=True,
        max_iter=100_000,
        tol=None,
        n_threads=None,
    ):
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.groups = groups
        self.group_weights = group_weights
        self.fit_intercept = fit_intercept
        self.max_iter = max_iter
        self.tol = tol
        self.n_threads = n_threads

    def fit(self, X, y, sample_weight=None):
        """Fits the model; y has shape (n,) or (n, targets)."""
        X, y = self._data(X, y)
        alpha = at_least(self.alpha, "alpha", 0)
        l1_ratio = at_least(self.l1_ratio, "l1_ratio", 0, most=1)
        codes, factors = group_parts(self.groups, self.group_weights, X.shape[1])
        strengths = np.concatenate([[l1_ratio], (1 - l1_ratio) * factors])
        weights = self._weights(sample_weight, X)
        stated = self._stated(X, y, weights, penalty="sparse-group", groups=codes, strengths=strengths)
        coef, intercept = self._solve(stated, alpha, 0.0)
        self._keep(coef, intercept, y)
        return self


class LogisticRegression(Classifier):
    """Logistic regression, multinomial for more than two classes, with l1 and ridge.

    Minimises ``C Σ s loss + l1_ratio ‖w‖₁ + ½ (1 − l1_ratio) ‖w‖²`` as scikit-learn's estimator of this name does: the
    intercept has no penalty, and C = inf is no penalty at all.

    Parameters
    ----------
    C : float, default 1
        Inverse of the strength.
    l1_ratio : float between 0 and 1, default 0
        0 is the ridge, 1 the l1 norm.
    class_weight : dict or "balanced", optional
        Factors of the weights of classes.
    """

    def __init__(
        self, *, C=1.0, l1_ratio=0.0, fit_intercept=True, class_weight=None, max_iter=100_000, tol=None, n_threads=None
    ):
        self.C = C
        self.l1_ratio = l1_ratio
        self.fit_intercept = fit_intercept
        self.class_weight = class_weight
        self.max_iter = max_iter
        self.tol = tol
        self.n_threads = n_threads

    def fit(self, X, y, sample_weight=None):
        """Fits the model; y has the class of every row."""
        X, codes, weights = self._data(X, y, sample_weight)
        l1_ratio = at_least(self.l1_ratio, "l1_ratio", 0, most=1)
        strength = 0.0
        if self.C != np.inf:
            strength = 1 / (at_least(self.C, "C", 0, open_=True) * weight_sum(weights, X))
        stated = self._of_classes(X, codes, weights)
        coef, intercept = self._solve(stated, strength * l1_ratio, strength * (1 - l1_ratio))
        self.coef_ = self._shaped(coef, stated["classes"])[0]
        self.intercept_ = intercept[0]
        self.n_iter_ = np.array([self._steps])
        return self
