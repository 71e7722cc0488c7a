"""Estimators tuned by hypergradients: scikit-learn's checks, and choices that are no worse than a grid's."""

import sys

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import proxdiff


@parametrize_with_checks(
    [
        proxdiff.ElasticNetTuned(n_threads=1),
        proxdiff.GroupLassoTuned(n_threads=1, max_evaluations=20),
        proxdiff.LogisticRegressionTuned(n_threads=1, max_evaluations=60),
    ]
)
def test_checks_of_scikit_learn(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def diabetes():
    X, y = load_diabetes(return_X_y=True, scaled=False)
    return StandardScaler().fit_transform(X), y


def test_elastic_nets_are_better_than_those_of_a_grid(diabetes):
    X, y = diabetes
    splits = list(KFold(5).split(X))
    tuned = proxdiff.ElasticNetTuned(cv=splits).fit(X, y)
    grid = proxdiff.ElasticNetCV(cv=splits, l1_ratio=[0.1, 0.5, 0.9, 1.0], alphas=50).fit(X, y)
    best = grid.mse_path_.mean(axis=2).min() / 2
    assert tuned.criterion_ <= best * (1 + 1e-9)
    assert tuned.tuning_status_ in ("stationary", "stationary-kink", "at-bound")
    assert tuned.alpha_ == tuned.l1_ + tuned.l2_ and 0 <= tuned.l1_ratio_ <= 1
    # The criterion is the mean over folds, the fit that of all rows.
    for fold, (train, test) in enumerate(splits):
        one = proxdiff.ElasticNet(tuned.alpha_, l1_ratio=tuned.l1_ratio_).fit(X[train], y[train])
        assert tuned.fold_criteria_[fold] == pytest.approx(((y[test] - one.predict(X[test])) ** 2).mean() / 2, rel=1e-8)
    same = proxdiff.ElasticNet(tuned.alpha_, l1_ratio=tuned.l1_ratio_).fit(X, y)
    np.testing.assert_allclose(tuned.coef_, same.coef_, atol=1e-8)
    assert set(tuned.hypergradient_) == {"l1", "l2"} and tuned.n_evaluations_ <= 400
    (strengths, value), *_ = tuned.tuning_path_[0]
    assert strengths.shape == (2,) and value >= tuned.criterion_


def test_vectors_of_strengths_are_guarded(diabetes):
    X, y = diabetes
    generator = np.random.default_rng(0)
    wide = np.c_[X, generator.normal(size=(len(X), 20))]
    guarded = proxdiff.ElasticNetTuned(variables=("l1[]", "l2"), max_evaluations=120).fit(wide, y)
    assert guarded.nested_criterion_ is not None
    free = proxdiff.ElasticNetTuned(variables="l1[]", guard=None, max_evaluations=120).fit(wide, y)
    assert free.l1_.shape == (30,) and not hasattr(free, "alpha_")
    assert free.criterion_ < guarded.criterion_ and free.nested_criterion_ is None


def test_groups_have_strengths_of_their_own(diabetes):
    X, y = diabetes
    groups = np.repeat(["a", "b", "c"], [4, 4, 2])
    tuned = proxdiff.GroupLassoTuned(groups=groups, cv=4).fit(X, y)
    assert np.shape(tuned.l1_) in ((3,), ())
    common = proxdiff.GroupLassoCV(groups=groups, cv=4).fit(X, y)
    assert tuned.criterion_ <= common.mse_path_.mean(axis=1).min() / 2 * (1 + 1e-9)
    scalar = proxdiff.GroupLassoTuned(groups=groups, group_weights="sqrt", variables="l1", cv=4).fit(X, y)
    same = proxdiff.GroupLasso(float(scalar.l1_), groups=groups, group_weights="sqrt").fit(X, y)
    np.testing.assert_allclose(scalar.coef_, same.coef_, atol=1e-8)


@pytest.mark.parametrize("case", ["binary", "multinomial"])
def test_classes_are_better_than_those_of_a_grid(case):
    X, y = load_breast_cancer(return_X_y=True) if case == "binary" else load_iris(return_X_y=True)
    X = StandardScaler().fit_transform(X[:, :5])
    splits = list(StratifiedKFold(4).split(X, y))
    tuned = proxdiff.LogisticRegressionTuned(cv=splits).fit(X, y)
    # Strengths between the tuner's bounds.
    grid = proxdiff.LogisticRegressionCV(
        cv=splits, l1_ratios=(0.0, 0.5, 1.0), Cs=np.logspace(-2, 1, 10), scoring="neg_log_loss"
    ).fit(X, y)
    assert tuned.criterion_ <= -grid.scores_.mean(axis=0).max() * (1 + 1e-9)
    same = proxdiff.LogisticRegression(C=tuned.C_, l1_ratio=tuned.l1_ratio_).fit(X, y)
    np.testing.assert_allclose(tuned.coef_, same.coef_, atol=1e-6)
    assert tuned.predict_proba(X).shape == (len(X), len(np.unique(y)))


def test_tuning_of_problems(diabetes):
    X, y = diabetes
    problem = proxdiff.Problem(X, y)
    splits = list(KFold(4).split(X))
    found = proxdiff.tune(problem, ("l1", "l2"), cv=splits, bounds={"l1": (1e-3, 10.0)})
    assert found["criterion"] > 0 and found["coef"].shape == (10,)
    values, slope = found["variables"]["l1"]
    assert 1e-3 <= values[0] <= 10.0 and slope.shape == (1,)
    own = proxdiff.Problem(X[:300], y[:300], validation=(X[300:], y[300:]))
    at = proxdiff.tune(own, "l2", l1=1.0)
    assert at["l1"] == 1.0
    assert at["criterion"] == pytest.approx(own.solve(1.0, at["l2"]).criterion[0], rel=1e-9)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"variables": "l3"}, "variables"),
        ({"variables": ()}, "tune"),
        ({"variables": ("l1", "l1")}, "l1"),
        ({"bounds": {"l3": (0, 1)}}, "bounds"),
        ({"bounds": {"l1": (2, 1)}}, "bounds"),
        ({"guard": "always"}, "guard"),
        ({"max_evaluations": 0}, "max_evaluations"),
        ({"cv": [([0, 1, 2], [3, 4])]}, "cv"),
        ({"variables": "l1[group]"}, "group"),
    ],
)
def test_parameters_that_do_not_fit(diabetes, change, sentence):
    with pytest.raises(ValueError, match=sentence):
        proxdiff.ElasticNetTuned(**change).fit(*diabetes)


@pytest.mark.parametrize("variables", [("l1", "l2"), ("l1[]",), ("l1", "l2[]")])
def test_the_strongest_within_one_standard_error(diabetes, variables):
    X, y = diabetes
    arguments = {"variables": variables, "cv": 4, "guard": None, "max_evaluations": 60}
    best = proxdiff.ElasticNetTuned(**arguments).fit(X, y)
    chosen = proxdiff.ElasticNetTuned(**arguments, choice="one-se").fit(X, y)
    assert best.standard_error_ == chosen.standard_error_ > 0
    assert best.criterion_ <= chosen.criterion_ <= best.criterion_ + best.standard_error_
    assert chosen.criterion_ == pytest.approx(chosen.fold_criteria_.mean(), rel=1e-12)
    ratio = np.max(chosen.l1_) / np.max(best.l1_)
    assert ratio > 1 and np.count_nonzero(chosen.coef_) <= np.count_nonzero(best.coef_)
    np.testing.assert_allclose(chosen.l1_, ratio * best.l1_, rtol=1e-12)
    np.testing.assert_allclose(chosen.l2_, ratio * best.l2_, rtol=1e-12)
    if variables == ("l1", "l2"):
        same = proxdiff.ElasticNet(chosen.alpha_, l1_ratio=chosen.l1_ratio_).fit(X, y)
        np.testing.assert_allclose(chosen.coef_, same.coef_, atol=1e-8)
        # The next multiple is beyond.
        more = 1000 ** (1 / 120)
        errors = []
        for train, test in KFold(4).split(X):
            model = proxdiff.ElasticNet(more * chosen.alpha_, l1_ratio=chosen.l1_ratio_).fit(X[train], y[train])
            errors.append(((y[test] - model.predict(X[test])) ** 2).mean() / 2)
        assert np.mean(errors) > best.criterion_ + best.standard_error_


def test_classes_and_groups_within_one_standard_error(diabetes):
    X, y = load_iris(return_X_y=True)
    best = proxdiff.LogisticRegressionTuned(cv=4).fit(X, y)
    chosen = proxdiff.LogisticRegressionTuned(cv=4, choice="one-se").fit(X, y)
    assert chosen.C_ < best.C_ and chosen.criterion_ <= best.criterion_ + best.standard_error_
    same = proxdiff.LogisticRegression(C=chosen.C_, l1_ratio=chosen.l1_ratio_).fit(X, y)
    np.testing.assert_allclose(chosen.coef_, same.coef_, atol=1e-6)
    groups = np.repeat([0, 1, 2], [4, 4, 2])
    arguments = {"groups": groups, "cv": 4, "guard": None, "max_evaluations": 60}
    strong = proxdiff.GroupLassoTuned(**arguments, choice="one-se").fit(*diabetes)
    weak = proxdiff.GroupLassoTuned(**arguments).fit(*diabetes)
    assert (strong.l1_ >= weak.l1_).all() and strong.criterion_ >= weak.criterion_


def test_choices_that_do_not_fit(diabetes):
    with pytest.raises(ValueError, match="choice: 'worst' is not known; give 'best' or 'one-se'"):
        proxdiff.ElasticNetTuned(choice="worst", max_evaluations=5).fit(*diabetes)
    with pytest.raises(ValueError, match="choice: 'one-se' strengthens l1 and l2"):
        proxdiff.ElasticNetTuned(choice="one-se", variables=("l2", "prior"), max_evaluations=5).fit(*diabetes)


def test_progress_shows_the_evaluations_and_the_best_criterion(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    generator = np.random.default_rng(3)
    X = generator.normal(size=(60, 4))
    problem = proxdiff.Problem(X[:40], X[:40, 0], validation=(X[40:], X[40:, 0] + 0.1 * generator.normal(size=20)))
    quiet = proxdiff.tune(problem, "l2")
    assert capsys.readouterr().err == ""
    found = proxdiff.tune(problem, "l2", progress=True)
    assert found["criterion"] == quiet["criterion"]
    last = capsys.readouterr().err.split("\r")[-1]
    assert f"{found['evaluations']} of 400 evaluations | best {found['criterion']:.6g} |" in last
