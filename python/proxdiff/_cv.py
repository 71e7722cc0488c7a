"""Estimators that choose their strength by cross-validation along warm paths, in scikit-learn's shape."""

from __future__ import annotations

import warnings
from numbers import Integral

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import get_scorer
from sklearn.model_selection import check_cv

from ._convert import row_numbers
from ._estimators import LogisticRegression
from ._linear import Classifier, Regressor, at_least, group_parts, weight_sum, whole

__all__ = ["ElasticNetCV", "GroupLassoCV", "LassoCV", "LogisticRegressionCV"]


def splits_of(cv, X, y, classifier=False, groups=None):
    """The splits of a parameter cv: None, a number, a splitter, or pairs of row numbers."""
    splitter = check_cv(cv, y, classifier=classifier)
    n = X.shape[0]
    return [tuple(row_numbers(part, n) for part in split) for split in splitter.split(X, y, groups)]


def warn_of_folds(statuses):
    """A warning where points did not converge on folds."""
    each = [status for of_fold in statuses for status in of_fold]
    count = sum(status != "converged" for status in each)
    if count:
        warnings.warn(
            f"{count} of {len(each)} points did not converge on their folds; increase max_iter, or scale the columns",
            ConvergenceWarning,
            stacklevel=3,
        )


def least(mean):
    """The place of the smallest number, of those that are numbers."""
    known = np.where(np.isnan(mean), np.inf, mean)
    if not np.isfinite(known).any():
        raise ValueError("no point has an error on all folds; scale the columns and the target")
    return np.argmin(known)


class _RegressorCV(Regressor):
    """The choice of alpha by the mean over folds of the mean squared error on their held-out rows."""

    _several = False

    def _grid(self, alpha_max):
        """Strengths from large to small."""
        if not isinstance(self.alphas, Integral):
            alphas = np.asarray(self.alphas, dtype=float)
            if alphas.ndim != 1 or alphas.size == 0 or not np.isfinite(alphas).all() or (alphas < 0).any():
                raise ValueError("alphas: give numbers of zero or more, or how many to take")
            return np.sort(alphas)[::-1]
        count, eps = whole(self.alphas, "alphas", 1), at_least(self.eps, "eps", 0, open_=True, most=1)
        if alpha_max <= np.finfo(float).resolution:
            return np.full(count, np.finfo(float).resolution)
        return np.geomspace(alpha_max, alpha_max * eps, num=count)

    def _count(self):
        """How many strengths there are."""
        return whole(self.alphas, "alphas", 1) if isinstance(self.alphas, Integral) else np.size(self.alphas)

    def _choose(self, validation, folds, alphas, l1, l2):
        """Mean squared errors of points (ratios, alphas) on folds, and the place of the best."""
        spread = [np.ascontiguousarray(np.broadcast_to(part.ravel(), (folds, part.size))) for part in (l1, l2)]
        found = validation.run(*spread, False, self._settings())
        # The criterion is half a mean of squares.
        mse = 2 * np.asarray(found["criterion"]).reshape(folds, *alphas.shape)
        warn_of_folds(found["status"])
        mean = mse.mean(axis=0)
        best = np.unravel_index(least(mean), mean.shape)
        self.mse_path_ = np.squeeze(np.moveaxis(mse, 0, 2), axis=0) if len(alphas) == 1 else np.moveaxis(mse, 0, 2)
        return best


class ElasticNetCV(_RegressorCV):
    """`ElasticNet` with alpha, and l1_ratio where several are given, chosen by cross-validation.

    Parameters and attributes are those of scikit-learn's estimator of this name: ``alphas`` is a number of
    strengths between the largest and ``eps`` times it, or the strengths; ``cv`` None (5 folds), a number, a splitter,
    or pairs of row numbers; ``alpha_``, ``l1_ratio_``, ``alphas_``, ``mse_path_`` with one column a fold. Others are
    those of `ElasticNet`.
    """

    def __init__(
        self,
        *,
        l1_ratio=0.5,
        eps=1e-3,
        alphas=100,
        fit_intercept=True,
        positive=False,
        cv=None,
        max_iter=100_000,
        tol=None,
        n_threads=None,
    ):
        self.l1_ratio = l1_ratio
        self.eps = eps
        self.alphas = alphas
        self.fit_intercept = fit_intercept
        self.positive = positive
        self.cv = cv
        self.max_iter = max_iter
        self.tol = tol
        self.n_threads = n_threads

    def fit(self, X, y, sample_weight=None):
        """Chooses the strength and fits the model to all rows."""
        X, y = self._data(X, y)
        weights = self._weights(sample_weight, X)
        given = np.atleast_1d(getattr(self, "l1_ratio", 1.0))
        ratios = np.array([at_least(ratio.item(), "l1_ratio", 0, most=1) for ratio in given])
        if isinstance(self.alphas, Integral) and (ratios == 0).any():
            raise ValueError("alphas: at l1_ratio=0 there is no largest strength to start from; give the strengths")
        penalty = "nonneg" if self.positive else "elastic-net"
        stated = self._stated(X, y, weights, penalty=penalty)
        splits = splits_of(self.cv, X, y)
        validation = self._validation(stated, splits, len(ratios) * self._count())
        largest = validation.l1_max(0.0) if isinstance(self.alphas, Integral) else 0.0
        grids = np.stack([self._grid(largest / ratio if ratio else 0.0) for ratio in ratios])
        l1, l2 = ratios[:, None] * grids, (1 - ratios)[:, None] * grids
        best = self._choose(validation, len(splits), grids, l1, l2)
        self.alpha_, self.l1_ratio_ = float(grids[best]), float(ratios[best[0]])
        self.alphas_ = grids[0] if len(ratios) == 1 or not isinstance(self.alphas, Integral) else grids
        l1, l2 = self.alpha_ * self.l1_ratio_, self.alpha_ * (1 - self.l1_ratio_)
        self._keep(*self._refit(validation, l1, l2), y)
        if not hasattr(self, "l1_ratio"):
            del self.l1_ratio_
        return self


class LassoCV(ElasticNetCV):
    """`Lasso` with alpha chosen by cross-validation: `ElasticNetCV` at ``l1_ratio=1``."""

    def __init__(
        self,
        *,
        eps=1e-3,
        alphas=100,
        fit_intercept=True,
        positive=False,
        cv=None,
        max_iter=100_000,
        tol=None,
        n_threads=None,
    ):
        self.eps = eps
        self.alphas = alphas
        self.fit_intercept = fit_intercept
        self.positive = positive
        self.cv = cv
        self.max_iter = max_iter
        self.tol = tol
        self.n_threads = n_threads


class GroupLassoCV(_RegressorCV):
    """`GroupLasso` with alpha chosen by cross-validation; parameters and attributes as in `LassoCV`."""

    def __init__(
        self,
        *,
        groups=None,
        group_weights=None,
        eps=1e-3,
        alphas=100,
        fit_intercept=True,
        cv=None,
        max_iter=100_000,
        tol=None,
        n_threads=None,
    ):
        self.groups = groups
        self.group_weights = group_weights
        self.eps = eps
        self.alphas = alphas
        self.fit_intercept = fit_intercept
        self.cv = cv
        self.max_iter = max_iter
        self.tol = tol
        self.n_threads = n_threads

    def fit(self, X, y, sample_weight=None):
        """Chooses the strength and fits the model to all rows."""
        X, y = self._data(X, y)
        weights = self._weights(sample_weight, X)
        codes, factors = group_parts(self.groups, self.group_weights, X.shape[1])
        stated = self._stated(X, y, weights, penalty="group", groups=codes, strengths=factors)
        splits = splits_of(self.cv, X, y)
        validation = self._validation(stated, splits, self._count())
        self.alphas_ = self._grid(validation.l1_max(0.0))
        grid = self.alphas_[None]
        best = self._choose(validation, len(splits), grid, grid, np.zeros_like(grid))
        self.alpha_ = float(grid[best])
        self._keep(*self._refit(validation, self.alpha_, 0.0), y)
        return self


class LogisticRegressionCV(Classifier):
    """`LogisticRegression` with C, and l1_ratio where several are given, chosen by cross-validation.

    Parameters
    ----------
    Cs : int or array, default 10
        Inverse strengths, or how many to take between 1e-4 and 1e4.
    l1_ratios : array, default (0.0,)
    scoring : str or callable, optional
        None is the accuracy; what is largest is chosen, the smallest C among equals.
    cv : as in `ElasticNetCV`; folds are stratified by class

    Attributes
    ----------
    C_, l1_ratio_ : float
    Cs_, l1_ratios_ : arrays
    scores_ : array of shape (folds, l1_ratios, Cs)
    coefs_paths_ : array of shape (folds, l1_ratios, Cs, classes or 1, features + intercept)
    """

    def __init__(
        self,
        *,
        Cs=10,
        l1_ratios=(0.0,),
        fit_intercept=True,
        class_weight=None,
        scoring=None,
        cv=None,
        max_iter=100_000,
        tol=None,
        n_threads=None,
    ):
        self.Cs = Cs
        self.l1_ratios = l1_ratios
        self.fit_intercept = fit_intercept
        self.class_weight = class_weight
        self.scoring = scoring
        self.cv = cv
        self.max_iter = max_iter
        self.tol = tol
        self.n_threads = n_threads

    def fit(self, X, y, sample_weight=None):
        """Chooses the strength and fits the model to all rows."""
        X, codes, weights = self._data(X, y, sample_weight)
        given = None if sample_weight is None else self._weights(sample_weight, X)
        if isinstance(self.Cs, Integral):
            self.Cs_ = np.logspace(-4, 4, whole(self.Cs, "Cs", 1))
        else:
            self.Cs_ = np.array([at_least(C, "Cs", 0, open_=True) for C in np.asarray(self.Cs, float).tolist()])
        self.l1_ratios_ = np.array(
            [at_least(ratio, "l1_ratios", 0, most=1) for ratio in np.atleast_1d(self.l1_ratios).tolist()]
        )
        if not self.Cs_.size or not self.l1_ratios_.size:
            raise ValueError("Cs and l1_ratios: give one value of each, or more")
        y = self.classes_[codes]
        splits = splits_of(self.cv, X, y, classifier=True)
        shape = (len(splits), len(self.l1_ratios_), len(self.Cs_))
        strengths = np.empty(shape)
        for strength, (train, _) in zip(strengths, splits, strict=True):
            total = len(train) if weights is None else weights[train].sum()
            strength[:] = 1 / (self.Cs_ * total)
        l1 = strengths * self.l1_ratios_[:, None]
        stated = self._of_classes(X, codes, weights)
        flat = (shape[0], -1)
        validation = self._validation(stated, splits, l1[0].size)
        options = self._settings()
        found = validation.run(l1.reshape(flat), (strengths - l1).reshape(flat), True, options)
        warn_of_folds(found["status"])
        self.scores_, self.coefs_paths_ = self._scores(X, y, given, splits, found, stated["classes"], shape)
        mean = self.scores_.mean(axis=0)
        best = np.unravel_index(np.argmax(mean), mean.shape)
        self.l1_ratio_, self.C_ = float(self.l1_ratios_[best[0]]), float(self.Cs_[best[1]])
        self.n_iter_ = np.maximum(np.asarray(found["n_iter"]), 1).astype(int).reshape(shape)
        strength = 1 / (self.C_ * weight_sum(weights, X))
        l1, l2 = strength * self.l1_ratio_, strength * (1 - self.l1_ratio_)
        coef, intercept = self._refit(validation, l1, l2, stated["classes"])
        self.coef_, self.intercept_ = self._shaped(coef, stated["classes"])[0], intercept[0]
        return self

    def _scorer(self):
        if self.scoring is None:
            return get_scorer("accuracy")
        return get_scorer(self.scoring) if isinstance(self.scoring, str) else self.scoring

    def _scores(self, X, y, weights, splits, found, classes, shape):
        """Scores of all points on the held-out rows, and their coefficients with the intercepts last."""
        model, scorer = LogisticRegression(), self._scorer()
        model.classes_, model.n_features_in_ = self.classes_, X.shape[1]
        scores, paths = np.empty((shape[0], shape[1] * shape[2])), []
        for at, (_, test) in enumerate(splits):
            coef = self._shaped(np.asarray(found["coef"][at]), classes)
            intercept = np.asarray(found["intercept"][at])
            if classes > 1 and self.fit_intercept:
                intercept = intercept - intercept.mean(axis=1, keepdims=True)
            if self.fit_intercept:
                paths.append(np.concatenate([coef, intercept[:, :, None]], axis=2))
            else:
                paths.append(coef)
                intercept = np.zeros((len(coef), classes))
            more = {} if weights is None else {"sample_weight": weights[test]}
            for point, (model.coef_, model.intercept_) in enumerate(zip(coef, intercept, strict=True)):
                scores[at, point] = scorer(model, X[test], y[test], **more)
        paths = np.stack(paths)
        return scores.reshape(shape), paths.reshape(*shape, *paths.shape[2:])

    def score(self, X, y, sample_weight=None):
        """The score that chose the strength, on other rows."""
        more = {} if sample_weight is None else {"sample_weight": sample_weight}
        return self._scorer()(self, X, y, **more)
