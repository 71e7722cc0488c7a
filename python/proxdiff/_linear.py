"""What the estimators have in common: data, strengths, fits, warnings."""

from __future__ import annotations

import warnings
from numbers import Integral, Real

import numpy as np
from scipy import sparse
from scipy.special import expit, softmax
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import compute_class_weight
from sklearn.utils.extmath import safe_sparse_dot
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, column_or_1d, validate_data

from . import _proxdiff
from ._convert import codes_of, settings, statement


def at_least(value, name: str, least: float, *, open_: bool = False, most: float = np.inf) -> float:
    """A finite parameter between bounds; `open_` leaves the lower one out."""
    fits = isinstance(value, Real) and not isinstance(value, bool) and np.isfinite(value)
    if not fits or value < least or (open_ and value == least) or value > most:
        above = "greater than" if open_ else "of at least"
        upto = "" if most == np.inf else f" and at most {most:g}"
        raise ValueError(f"{name}: {value!r} does not fit; give a number {above} {least:g}{upto}")
    return float(value)


_HINTS = {
    "diverged": "the rows have no best fit without a penalty, as where classes are separated; choose one (a finite C)",
    "non-finite": "numbers have overflowed; scale the columns",
}


class Linear(BaseEstimator):
    """Rows, fits and predictors of a linear model."""

    def _rows(self, X):
        """Rows to predict for."""
        check_is_fitted(self)
        return validate_data(self, X, accept_sparse="csr", dtype=np.float64, reset=False)

    def _weights(self, sample_weight, X):
        if sample_weight is None:
            return None
        return _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)

    def _stated(self, X, y, weights, **parts):
        return statement(
            X,
            y,
            sample_weight=weights,
            fit_intercept=self.fit_intercept,
            standardize=False,
            **parts,
        )

    def _settings(self):
        return settings(tol=self.tol, max_iter=self.max_iter, n_threads=self.n_threads)

    def _solve(self, stated, l1, l2):
        """Solutions of all targets at one point: (targets, d·c), (targets, c), and what is known of them."""
        options = self._settings()
        problem = _proxdiff.Problem(stated, options["n_threads"])
        count = stated["y"].shape[0]
        points = {
            "l1": np.full(count, l1),
            "l2": np.full(count, l2),
            "targets": list(range(count)),
            "priors": None,
            "weights": None,
        }
        found, _ = problem.run(points, options, None)
        return self._known(found, stated["classes"])

    def _validation(self, stated, splits, points):
        """The cross-validation of so many points of a problem."""
        return _proxdiff.CrossValidation(stated, splits, points, self._settings()["n_threads"])

    def _refit(self, validation, l1, l2, classes=1):
        """The solution of a cross-validation's problem on all rows, as `_solve` has it."""
        return self._known(validation.fit(l1, l2, self._settings()), classes)

    def _known(self, found, classes):
        """Sets what is known of solutions, and returns their coefficients and intercepts."""
        status = found["status"]
        self.status_ = status[0] if len(status) == 1 else list(status)
        gaps = np.asarray(found["duality_gap"])
        self.duality_gap_ = float(gaps[0]) if len(gaps) == 1 else gaps
        steps = np.maximum(found["n_iter"], 1)
        self._steps = int(steps[0]) if len(steps) == 1 else steps.tolist()
        for one, sentences in zip(status, found["warnings"], strict=True):
            if one != "converged":
                more = "; ".join(sentence for _, sentence in sentences)
                hint = more or _HINTS.get(one, "raise max_iter or tol, or choose larger strengths")
                warnings.warn(f"the solver ended {one}: {hint}", ConvergenceWarning, stacklevel=4)
        intercept = np.asarray(found["intercept"])
        if intercept.shape[1] == 0:
            intercept = np.zeros((len(status), classes))
        if classes > 1:
            # A shift in common changes no probability: the sum is zero.
            intercept = intercept - intercept.mean(axis=1, keepdims=True)
        return np.asarray(found["coef"]), intercept

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


class Regressor(RegressorMixin, Linear):
    """A linear model of numbers."""

    _several = True

    def _data(self, X, y):
        """Checked rows and targets."""
        X, y = validate_data(
            self,
            X,
            y,
            accept_sparse="csr",
            dtype=np.float64,
            y_numeric=True,
            multi_output=self._several,
            # One row leaves nothing to learn from beside an intercept.
            ensure_min_samples=2,
        )
        if not self._several:
            y = column_or_1d(y, warn=True)
        return X, np.asarray(y, dtype=np.float64)

    def _keep(self, coef, intercept, y):
        several = y.ndim == 2
        self.coef_ = coef if several and y.shape[1] > 1 else coef[0]
        self.intercept_ = intercept[:, 0] if several else float(intercept[0, 0])
        if several and y.shape[1] == 1:
            self.coef_ = coef[0]
        if not self.fit_intercept:
            self.intercept_ = 0.0
        self.n_iter_ = self._steps

    def predict(self, X):
        """Predictions of rows."""
        X = self._rows(X)
        return safe_sparse_dot(X, self.coef_.T, dense_output=True) + self.intercept_

    @property
    def sparse_coef_(self):
        """The coefficients as a sparse matrix."""
        return sparse.csr_matrix(self.coef_)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = self._several
        return tags


class Classifier(ClassifierMixin, Linear):
    """A linear model of classes: the logistic loss for two, the multinomial loss for more."""

    def _data(self, X, y, sample_weight):
        """Checked rows, codes of classes and weights; class weights are factors of the rows'."""
        X, y = validate_data(self, X, y, accept_sparse="csr", dtype=np.float64)
        check_classification_targets(y)
        y = column_or_1d(y, warn=True)
        self.classes_, codes = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(
                f"y: all rows have the class {self.classes_[0]!r}; give rows of 2 classes or more, since one class "
                "leaves nothing to tell apart"
            )
        weights = self._weights(sample_weight, X)
        if self.class_weight is not None:
            of_classes = compute_class_weight(self.class_weight, classes=self.classes_, y=y, sample_weight=weights)
            weights = of_classes[codes] * (1.0 if weights is None else weights)
        return X, codes, weights

    def _of_classes(self, X, codes, weights, **parts):
        """The statement of the problem."""
        if len(self.classes_) == 2:
            return self._stated(X, 2.0 * codes - 1.0, weights, loss="logistic", **parts)
        count = len(self.classes_)
        return self._stated(X, codes.astype(float), weights, loss="multinomial", classes=count, **parts)

    @staticmethod
    def _shaped(coef, classes):
        """(points, d·c) as (points, c, d)."""
        return coef.reshape(len(coef), -1, classes).transpose(0, 2, 1)

    def decision_function(self, X):
        """Linear predictors: (n,) for two classes, else (n, classes)."""
        X = self._rows(X)
        scores = safe_sparse_dot(X, self.coef_.T, dense_output=True) + self.intercept_
        return scores.ravel() if scores.shape[1] == 1 else scores

    def predict(self, X):
        """The class of every row."""
        scores = self.decision_function(X)
        at = (scores > 0).astype(int) if scores.ndim == 1 else scores.argmax(axis=1)
        return self.classes_[at]

    def predict_proba(self, X):
        """Probabilities of classes: (n, classes)."""
        scores = self.decision_function(X)
        if scores.ndim == 1:
            return np.column_stack([expit(-scores), expit(scores)])
        return softmax(scores, axis=1)

    def predict_log_proba(self, X):
        """Logarithms of the probabilities."""
        scores = self.decision_function(X)
        if scores.ndim == 1:
            return -np.column_stack([np.logaddexp(0, scores), np.logaddexp(0, -scores)])
        shifted = scores - scores.max(axis=1, keepdims=True)
        return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def weight_sum(weights, X) -> float:
    """Σ s over rows."""
    return float(X.shape[0] if weights is None else weights.sum())


def group_parts(groups, group_weights, d: int) -> tuple[list[int], np.ndarray]:
    """Numbers of the groups of features and the factor of each group's strength.

    None is one group a feature; `group_weights` None is 1 for all, "sqrt" the root of their sizes, or one a group
    in the order of the sorted labels.
    """
    codes = np.arange(d, dtype=np.uint32) if groups is None else codes_of(groups)[1]
    if len(codes) != d:
        raise ValueError(f"groups: {len(codes)} labels for {d} features; give one label a feature")
    count = int(codes.max()) + 1 if d else 0
    if group_weights is None:
        return codes, np.ones(count)
    if isinstance(group_weights, str):
        if group_weights != "sqrt":
            raise ValueError(f"group_weights: {group_weights!r} is not known; give 'sqrt', numbers or None")
        return codes, np.sqrt(np.bincount(codes, minlength=count))
    own = np.asarray(group_weights, dtype=float)
    if own.shape != (count,) or not np.isfinite(own).all() or (own < 0).any():
        raise ValueError(f"group_weights: give {count} numbers of zero or more, one a group")
    return codes, own


def whole(value, name: str, least: int) -> int:
    """A whole parameter."""
    if not isinstance(value, Integral) or isinstance(value, bool) or value < least:
        raise ValueError(f"{name}: {value!r} does not fit; give a whole number of at least {least}")
    return int(value)
