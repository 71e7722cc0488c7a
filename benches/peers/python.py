"""The Python package against scikit-learn: both in turn on one thread, choices compared, ratios printed.

    pip install ./python; python3 benches/peers/python.py [rounds]

ElasticNetCV as a drop-in, n = 10 000, d = 200, 100 strengths, 5 folds: scikit-learn at its default tolerance and tight,
proxdiff to rounding. LogisticRegressionCV with l1 on breast cancer and digits, 10 strengths, 5 folds, against saga. A call on tiny
data, and a layer of 256 lassos, 100 x 50, forward and backward, where PyTorch can be imported. Seconds are of the
process's CPU.
"""

import sys
import time
import warnings

import numpy as np
import sklearn.linear_model as theirs
from sklearn.datasets import load_breast_cancer, load_digits, make_regression
from sklearn.preprocessing import StandardScaler

import proxdiff

warnings.filterwarnings("ignore")


def seconds(call, rounds):
    """The least CPU seconds, and what the call returns."""
    spent = []
    for _ in range(rounds):
        start = time.process_time()
        value = call()
        spent.append(time.process_time() - start)
    return min(spent), value


def compare(name, own, other, rounds, agree):
    """Prints both, after a check that their choices agree."""
    (mine, model), (yours, reference) = seconds(own, rounds), seconds(other, rounds)
    agree(model, reference)
    print(f"{name}: proxdiff {mine:.3f} s, scikit-learn {yours:.3f} s, ratio {yours / mine:.1f}")


def elastic_net(rounds):
    X, y = make_regression(10_000, 200, n_informative=30, noise=20, random_state=0)

    def agree(model, reference):
        np.testing.assert_allclose(model.mse_path_, reference.mse_path_, rtol=2e-2)
        assert model.alpha_ == reference.alpha_ or abs(np.log(model.alpha_ / reference.alpha_)) < 0.2

    for name, other in [
        ("scikit-learn's default tolerance", {}),
        ("both to rounding", {"tol": 1e-12, "max_iter": 100_000}),
    ]:
        compare(
            f"ElasticNetCV 10000 x 200, {name}",
            lambda: proxdiff.ElasticNetCV(cv=5, n_threads=1).fit(X, y),
            lambda other=other: theirs.ElasticNetCV(cv=5, **other).fit(X, y),
            rounds,
            agree,
        )


def logistic(rounds, name, load):
    X, y = load(return_X_y=True)
    X = StandardScaler().fit_transform(X)
    own = {"Cs": np.logspace(-2, 1, 10), "cv": 5, "l1_ratios": (1.0,), "scoring": "neg_log_loss"}
    saga = {"solver": "saga", "max_iter": 2000, "use_legacy_attributes": False}

    def agree(model, reference):
        # saga stops early where the strength is small.
        np.testing.assert_allclose(model.scores_[..., :4], reference.scores_[..., :4], atol=5e-3)

    compare(
        f"LogisticRegressionCV l1, {name}",
        lambda: proxdiff.LogisticRegressionCV(**own, n_threads=1).fit(X, y),
        lambda: theirs.LogisticRegressionCV(**own, **saga).fit(X, y),
        rounds,
        agree,
    )


def tiny(rounds):
    X, y = make_regression(30, 5, random_state=0)
    problem = proxdiff.Problem(X, y, n_threads=1)
    spent, _ = seconds(lambda: [problem.solve(0.1, 0.1) for _ in range(200)], rounds)
    print(f"a call on 30 x 5: {spent / 200 * 1e6:.0f} microseconds")


def layer(rounds):
    try:
        import torch

        from proxdiff.torch import ProxLayer
    except ImportError:
        print("a layer of 256 lassos: PyTorch is not installed")
        return
    generator = np.random.default_rng(0)
    X = torch.tensor(generator.normal(size=(256, 100, 50)), requires_grad=True)
    y = torch.tensor(generator.normal(size=(256, 100)), requires_grad=True)
    l1 = torch.full((256,), 0.05, dtype=torch.float64, requires_grad=True)
    lassos = ProxLayer(n_threads=1)

    def once():
        coef, _ = lassos(X, y, l1, 0.01)
        (coef**2).sum().backward()

    spent, _ = seconds(once, rounds)
    print(f"a layer of 256 lassos, forward and backward: {spent:.3f} s")


if __name__ == "__main__":
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    elastic_net(rounds)
    logistic(rounds, "breast cancer", load_breast_cancer)
    logistic(1, "digits", load_digits)
    tiny(rounds)
    layer(rounds)
