"""Estimators: scikit-learn's own checks, and equality with its estimators."""

import pickle
import warnings

import numpy as np
import pytest
import scipy.sparse
import sklearn.linear_model as theirs
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris, make_regression
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.linear_model._huber import _huber_loss_and_gradient
from sklearn.model_selection import GridSearchCV, KFold, TimeSeriesSplit, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import proxdiff as ours

CLOSE = {"rtol": 0, "atol": 1e-7}


@parametrize_with_checks(
    [
        ours.ElasticNet(n_threads=1),
        ours.ElasticNet(positive=True, n_threads=1),
        ours.Lasso(n_threads=1),
        ours.Huber(n_threads=1),
        ours.GroupLasso(n_threads=1),
        ours.SparseGroupLasso(n_threads=1),
        ours.LogisticRegression(n_threads=1),
        ours.LogisticRegression(l1_ratio=1.0, n_threads=1),
        ours.LogisticRegression(l1_ratio=0.5, n_threads=1),
        ours.ElasticNetCV(alphas=10, n_threads=1),
        ours.LassoCV(alphas=10, n_threads=1),
        ours.GroupLassoCV(alphas=10, n_threads=1),
        ours.LogisticRegressionCV(Cs=3, n_threads=1),
    ]
)
def test_checks_of_scikit_learn(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def diabetes():
    X, y = load_diabetes(return_X_y=True, scaled=False)
    return StandardScaler().fit_transform(X), y


def weights_of(n):
    weights = np.random.default_rng(1).uniform(0.2, 3, n)
    weights[::7] = 0
    return weights


def sparse_rows(X):
    X = X.copy()
    X[np.abs(X) < 0.7] = 0
    return X


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("sparse", [True, False])
@pytest.mark.parametrize("positive", [True, False])
def test_elastic_nets_are_those_of_scikit_learn(diabetes, fit_intercept, weighted, sparse, positive):
    X, y = diabetes
    weights = weights_of(len(y)) if weighted else None
    if sparse:
        X = scipy.sparse.csr_matrix(sparse_rows(X))
    tight = {"tol": 1e-14, "max_iter": 1_000_000}
    for alpha, l1_ratio in [(2.0, 0.5), (0.3, 0.9), (0.05, 0.1)]:
        own = {"alpha": alpha, "l1_ratio": l1_ratio, "fit_intercept": fit_intercept, "positive": positive}
        found = ours.ElasticNet(**own).fit(X, y, weights)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            expected = theirs.ElasticNet(**own, **tight).fit(X, y, weights)
        np.testing.assert_allclose(found.coef_, expected.coef_, **CLOSE)
        np.testing.assert_allclose(found.intercept_, expected.intercept_, **CLOSE)
        assert found.duality_gap_ < 1e-12 and found.status_ == "converged"


def test_lasso_and_several_targets(diabetes):
    X, y = diabetes
    found = ours.Lasso(alpha=1.5).fit(X, y)
    expected = theirs.Lasso(alpha=1.5, tol=1e-14, max_iter=1_000_000).fit(X, y)
    np.testing.assert_allclose(found.coef_, expected.coef_, **CLOSE)
    assert type(found.intercept_) is float and found.n_iter_ >= 1
    np.testing.assert_allclose(found.sparse_coef_.toarray()[0], found.coef_)
    Y = np.c_[y, X[:, 0] * 3 + y / 2, -y]
    found = ours.Lasso(alpha=1.5).fit(X, Y)
    expected = theirs.Lasso(alpha=1.5, tol=1e-14, max_iter=1_000_000).fit(X, Y)
    assert found.coef_.shape == (3, X.shape[1])
    np.testing.assert_allclose(found.coef_, expected.coef_, **CLOSE)
    np.testing.assert_allclose(found.intercept_, expected.intercept_, **CLOSE)
    np.testing.assert_allclose(found.predict(X), expected.predict(X), rtol=1e-9)


@pytest.mark.parametrize("l1_ratio", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("case", ["binary", "multinomial"])
@pytest.mark.parametrize("weighted", [True, False])
def test_logistic_regressions_are_those_of_scikit_learn(l1_ratio, case, weighted):
    X, y = load_breast_cancer(return_X_y=True) if case == "binary" else load_iris(return_X_y=True)
    X = StandardScaler().fit_transform(X[:, :8])
    weights = np.random.default_rng(2).uniform(0.2, 3, len(y)) if weighted else None
    own = {"C": 0.3, "l1_ratio": l1_ratio, "class_weight": "balanced" if weighted else None}
    found = ours.LogisticRegression(**own).fit(X, y, weights)
    # saga goes no further than its steps; the ridge has a second order method.
    if l1_ratio == 0:
        expected = theirs.LogisticRegression(**own, solver="newton-cg", tol=1e-13, max_iter=10_000)
    else:
        expected = theirs.LogisticRegression(**own, solver="saga", tol=1e-13, max_iter=200_000, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected.fit(X, y, weights)
    np.testing.assert_allclose(found.coef_, expected.coef_, **CLOSE)
    scores, theirs_ = found.decision_function(X), expected.decision_function(X)
    if case == "multinomial":
        # A shift in common of the intercepts changes nothing; ours have the sum zero.
        assert abs(found.intercept_.sum()) < 1e-12
        theirs_ = theirs_ - theirs_.mean(axis=1, keepdims=True) + scores.mean(axis=1, keepdims=True)
    np.testing.assert_allclose(scores, theirs_, rtol=0, atol=1e-6)
    np.testing.assert_allclose(found.predict_proba(X), expected.predict_proba(X), **CLOSE)
    np.testing.assert_allclose(found.predict_log_proba(X), np.log(found.predict_proba(X)), atol=1e-12)
    assert (found.predict(X) == expected.predict(X)).all()
    sparse = ours.LogisticRegression(**own).fit(scipy.sparse.csr_matrix(X), y, weights)
    np.testing.assert_allclose(sparse.coef_, found.coef_, **CLOSE)


def test_huber_at_the_scale_of_scikit_learn(diabetes):
    X, y = diabetes
    y = y.copy()
    y[::10] += 400
    expected = theirs.HuberRegressor(epsilon=1.5, alpha=0.1, tol=1e-12, max_iter=100_000).fit(X, y)
    sigma = expected.scale_
    found = ours.Huber(delta=1.5 * sigma, alpha=0.1 * sigma / len(y)).fit(X, y)
    np.testing.assert_allclose(found.coef_, expected.coef_, rtol=2e-3)

    # Its L-BFGS stops at three digits: at ours the gradient of its objective is zero, and the objective smaller.
    def objective(model):
        at = np.r_[model.coef_, model.intercept_, sigma]
        return _huber_loss_and_gradient(at, X, y, 1.5, 0.1, np.ones(len(y)))

    (value, gradient), (other, its_gradient) = objective(found), objective(expected)
    assert value <= other and np.abs(gradient[:-1]).max() < 1e-9 < np.abs(its_gradient[:-1]).max()


def test_group_lasso_of_tasks_is_the_multi_task_lasso():
    X, Y = make_regression(50, 6, n_targets=3, noise=5, random_state=0)
    X -= X.mean(axis=0)
    Y -= Y.mean(axis=0)
    expected = theirs.MultiTaskLasso(alpha=3.0, tol=1e-14, max_iter=100_000).fit(X, Y)
    # vec(Y) = (X ⊗ I) vec(W): 150 rows in place of 50.
    groups = np.repeat(np.arange(6), 3)
    rows = np.kron(X, np.eye(3))
    found = ours.GroupLasso(alpha=1.0, groups=groups, fit_intercept=False).fit(rows, Y.ravel())
    np.testing.assert_allclose(found.coef_.reshape(6, 3).T, expected.coef_, **CLOSE)
    named = np.array(list("abcdef"))[groups]
    again = ours.GroupLasso(alpha=1.0, groups=named, fit_intercept=False).fit(rows, Y.ravel())
    assert (again.coef_ == found.coef_).all()


def test_groups_of_one_are_the_lasso_and_the_sparse_group_lasso_is_optimal(diabetes):
    X, y = diabetes
    lasso = ours.Lasso(alpha=1.5).fit(X, y)
    np.testing.assert_allclose(ours.GroupLasso(alpha=1.5).fit(X, y).coef_, lasso.coef_, **CLOSE)
    np.testing.assert_allclose(ours.SparseGroupLasso(alpha=1.5, l1_ratio=0.3).fit(X, y).coef_, lasso.coef_, **CLOSE)
    groups = np.arange(X.shape[1]) // 4
    without = ours.SparseGroupLasso(alpha=1.5, l1_ratio=0.0, groups=groups).fit(X, y)
    np.testing.assert_allclose(without.coef_, ours.GroupLasso(1.5, groups=groups).fit(X, y).coef_, **CLOSE)
    found = ours.SparseGroupLasso(alpha=2.0, l1_ratio=0.4, groups=groups, group_weights="sqrt").fit(X, y)
    gradient = -X.T @ (y - found.predict(X)) / len(y)
    for g in np.unique(groups):
        w, slope = found.coef_[groups == g], gradient[groups == g]
        weight = 2.0 * 0.6 * np.sqrt((groups == g).sum())
        if not w.any():
            assert np.linalg.norm(np.maximum(np.abs(slope) - 0.8, 0)) <= weight + 1e-9
            continue
        on = w != 0
        np.testing.assert_allclose(slope[on] + 0.8 * np.sign(w[on]) + weight * w[on] / np.linalg.norm(w), 0, atol=1e-9)
        assert (np.abs(slope[~on]) <= 0.8 + 1e-9).all()


@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("cv", [None, KFold(4, shuffle=True, random_state=0), TimeSeriesSplit(4)])
def test_paths_over_folds_are_those_of_scikit_learn(diabetes, weighted, cv):
    X, y = diabetes
    weights = weights_of(len(y)) + 0.1 if weighted else None
    own = {"l1_ratio": [0.3, 0.9], "alphas": 20, "cv": cv}
    found = ours.ElasticNetCV(**own).fit(X, y, weights)
    expected = theirs.ElasticNetCV(**own, tol=1e-12, max_iter=100_000).fit(X, y, weights)
    np.testing.assert_allclose(found.alphas_, expected.alphas_, rtol=1e-10)
    np.testing.assert_allclose(found.mse_path_, expected.mse_path_, rtol=1e-7)
    assert found.alpha_ == pytest.approx(expected.alpha_, rel=1e-10) and found.l1_ratio_ == expected.l1_ratio_
    np.testing.assert_allclose(found.coef_, expected.coef_, rtol=0, atol=1e-6)
    lasso = ours.LassoCV(cv=cv, alphas=10).fit(X, y, weights)
    expected = theirs.LassoCV(cv=cv, alphas=10, tol=1e-12, max_iter=100_000).fit(X, y, weights)
    np.testing.assert_allclose(lasso.mse_path_, expected.mse_path_, rtol=1e-7)
    assert lasso.mse_path_.shape == expected.mse_path_.shape and not hasattr(lasso, "l1_ratio_")


def test_more_rows_than_columns_by_factors_or_by_rows_give_one_choice(diabetes):
    X, y = diabetes
    pairs = list(KFold(5).split(X))
    by_factors = ours.LassoCV(cv=pairs).fit(X, y)
    # A row that trains twice: no fold of all other rows.
    doubled = [(np.r_[train, train[:1]], test) for train, test in pairs]
    by_rows = ours.LassoCV(cv=doubled).fit(X, y)
    assert by_factors.mse_path_.shape == by_rows.mse_path_.shape == (100, 5)
    np.testing.assert_allclose(by_factors.mse_path_, by_rows.mse_path_, rtol=0.05)
    sparse = ours.LassoCV(cv=pairs).fit(scipy.sparse.csr_matrix(X), y)
    np.testing.assert_allclose(by_factors.mse_path_, sparse.mse_path_, rtol=1e-9)


@pytest.mark.parametrize("case", ["binary", "multinomial"])
def test_logistic_cross_validation_is_that_of_scikit_learn(case):
    X, y = load_breast_cancer(return_X_y=True) if case == "binary" else load_iris(return_X_y=True)
    X = StandardScaler().fit_transform(X[:, :6])
    own = {"Cs": [0.01, 0.1, 1.0], "cv": 3, "scoring": "neg_log_loss"}
    found = ours.LogisticRegressionCV(**own).fit(X, y)
    expected = theirs.LogisticRegressionCV(
        **own, l1_ratios=(0.0,), solver="newton-cg", tol=1e-12, max_iter=10_000, use_legacy_attributes=False
    ).fit(X, y)
    np.testing.assert_allclose(found.scores_, expected.scores_, **CLOSE)
    np.testing.assert_allclose(found.coef_, expected.coef_, **CLOSE)
    assert found.C_ == expected.C_ and found.coefs_paths_.shape == expected.coefs_paths_.shape
    np.testing.assert_allclose(found.coefs_paths_, expected.coefs_paths_, rtol=0, atol=1e-6)
    assert found.score(X, y) == pytest.approx(expected.score(X, y))
    lasso = ours.LogisticRegressionCV(Cs=3, l1_ratios=(0.5, 1.0), cv=3).fit(X, y)
    assert lasso.scores_.shape == (3, 2, 3) and lasso.l1_ratio_ in (0.5, 1.0)


def test_group_paths_over_folds(diabetes):
    X, y = diabetes
    groups = np.arange(X.shape[1]) // 2
    found = ours.GroupLassoCV(groups=groups, group_weights="sqrt", cv=4, alphas=15).fit(X, y)
    at = list(found.alphas_).index(found.alpha_)
    assert found.mse_path_.shape == (15, 4) and found.mse_path_.mean(axis=1).argmin() == at
    for fold, (train, test) in enumerate(KFold(4).split(X)):
        one = ours.GroupLasso(found.alphas_[7], groups=groups, group_weights="sqrt").fit(X[train], y[train])
        assert found.mse_path_[7, fold] == pytest.approx(((y[test] - one.predict(X[test])) ** 2).mean(), rel=1e-9)
    same = ours.GroupLasso(found.alpha_, groups=groups, group_weights="sqrt").fit(X, y)
    np.testing.assert_allclose(found.coef_, same.coef_, atol=1e-9)
    ones = ours.GroupLassoCV(cv=4, alphas=15).fit(X, y)
    np.testing.assert_allclose(ones.mse_path_, ours.LassoCV(cv=4, alphas=15).fit(X, y).mse_path_, rtol=1e-9)


def test_pipelines_searches_clones_and_pickles(diabetes):
    pandas = pytest.importorskip("pandas")
    X, y = diabetes
    pipeline = make_pipeline(StandardScaler(), ours.Lasso(alpha=1.0))
    assert cross_val_score(pipeline, X, y, cv=3).min() > 0.3
    # In processes of joblib.
    assert cross_val_score(pipeline, X, y, cv=4, n_jobs=2).min() > 0.3
    search = GridSearchCV(ours.ElasticNet(), {"alpha": [0.1, 10.0]}, cv=3).fit(X, y)
    assert search.best_params_ == {"alpha": 0.1}
    frame = pandas.DataFrame(X, columns=[f"x{j}" for j in range(X.shape[1])])
    model = ours.ElasticNet(alpha=0.1).fit(frame, y)
    assert list(model.feature_names_in_) == list(frame.columns)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict(frame), model.predict(frame))
    assert clone(model).get_params() == model.get_params()
    with pytest.raises(NotFittedError):
        ours.ElasticNet().predict(X)


def test_a_solver_without_enough_steps_warns(diabetes):
    X, y = diabetes
    with pytest.warns(ConvergenceWarning, match="budget-spent"):
        model = ours.LogisticRegression(C=np.inf, max_iter=1).fit(X, y > 100)
    assert model.status_ == "budget-spent"


def test_separated_classes_without_a_penalty_have_no_fit(diabetes):
    X, y = diabetes
    with pytest.warns(ConvergenceWarning, match="separated"):
        model = ours.LogisticRegression(C=np.inf).fit(X[:8], y[:8] > 100)
    assert model.status_ == "diverged"


@pytest.mark.parametrize(
    ("model", "sentence"),
    [
        (ours.ElasticNet(alpha=-1), "alpha"),
        (ours.ElasticNet(l1_ratio=2), "l1_ratio"),
        (ours.ElasticNet(alpha=np.nan), "alpha"),
        (ours.ElasticNet(max_iter=0), "max_iter"),
        (ours.ElasticNet(n_threads=-1), "n_threads"),
        (ours.Huber(delta=0), "delta"),
        (ours.GroupLasso(groups=[0, 1]), "one label a feature"),
        (ours.GroupLasso(group_weights="cube"), "group_weights"),
        (ours.GroupLasso(group_weights=[1.0]), "group_weights"),
        (ours.ElasticNetCV(l1_ratio=0), "alphas"),
        (ours.ElasticNetCV(alphas=0), "alphas"),
        (ours.ElasticNetCV(alphas=[-1.0]), "alphas"),
        (ours.ElasticNetCV(cv=[([], [1])]), "cv"),
        (ours.ElasticNetCV(cv=[([0], [100_000])]), "cv"),
    ],
)
def test_parameters_that_do_not_fit(diabetes, model, sentence):
    with pytest.raises(ValueError, match=sentence):
        model.fit(*diabetes)


def test_classes_that_do_not_fit(diabetes):
    X, _ = diabetes
    with pytest.raises(ValueError, match="2 classes"):
        ours.LogisticRegression().fit(X, np.zeros(len(X)))
    with pytest.raises(ValueError, match="C"):
        ours.LogisticRegression(C=0).fit(X, np.arange(len(X)) % 2)
