"""Words and numbers that do not fit: `ValueError` that names what does, in the words of Python's parameters."""

import numpy as np
import pytest

import proxdiff


@pytest.fixture(scope="module")
def rows():
    generator = np.random.default_rng(11)
    X = generator.normal(size=(40, 4))
    return X, X[:, 0] + 0.1 * generator.normal(size=40)


@pytest.mark.parametrize(
    ("stated", "sentence"),
    [
        ({"loss": 3}, "loss: '3' is not known; give one of squared, "),
        ({"loss": None}, "loss: 'None' is not known"),
        ({"penalty": ["group"]}, "penalty: .* is not known; give one of elastic-net, group"),
        ({"criterion": 1.5}, "criterion: '1.5' is not known; give one of squared"),
        ({"loss": "huber", "delta": "wide"}, "delta: 'wide' is no number"),
        ({"loss": "huber", "delta": None}, "delta: None is no number"),
        ({"penalty": "box", "bounds": 1}, r"bounds: 1 does not fit; give \(lower, upper\)"),
        ({"penalty": "box", "bounds": (0, 1, 2)}, "bounds: .* does not fit"),
        ({"validation": 3}, r"validation: .* give \(X, y\)"),
        ({"n_threads": "all"}, "n_threads: 'all' is no number of threads"),
        ({"n_threads": [1]}, "n_threads: .* is no number of threads"),
        ({"loss": "multinomial", "n_classes": "many"}, "n_classes: 'many' is no number of classes"),
        ({"loss": "tweedie", "power": 2.5}, "[pP]ower: 2.5; give a number between 1 and 2"),
    ],
)
def test_statements(rows, stated, sentence):
    with pytest.raises(ValueError, match=sentence):
        proxdiff.Problem(*rows, **stated)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"solver": 3}, "solver: '3' is not known; give one of auto, path"),
        ({"method": 3}, "method: '3' is not known; give one of itd-forward"),
        ({"method": "direct", "wrt": 3}, "wrt: 3 is no name"),
        ({"method": "direct", "wrt": "sample-weights"}, "wrt: 'sample-weights' is not known; give names of l1, l2"),
        ({"tol": "small"}, "tol: 'small' is no number"),
        ({"max_iter": "many"}, "max_iter: 'many' is no number of steps"),
    ],
)
def test_options(rows, options, sentence):
    with pytest.raises(ValueError, match=sentence):
        proxdiff.Problem(*rows).solve(0.1, 0.1, **options)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"variables": 3}, "variables: 3 is no name"),
        ({"variables": ("l1", 3)}, "variables: '3'"),
        ({"guard": 3}, "guard: '3' is not known; give 'auto' or None"),
        ({"bounds": 3}, "bounds: 3 does not fit; give a dictionary"),
        ({"bounds": {"l1": 3}}, "bounds: 3 does not fit"),
        ({"start": {"l1": "low"}}, "start: 'low' is no number"),
        ({"cv": 5}, r"cv: give pairs of row numbers \(train, test\)"),
        ({"cv": "five"}, "cv: give pairs"),
        ({"max_evaluations": None}, "max_evaluations: None is no number of points"),
        ({"l1": "much"}, "l1: 'much' is no number"),
    ],
)
def test_tuning(rows, options, sentence):
    with pytest.raises(ValueError, match=sentence):
        proxdiff.tune(proxdiff.Problem(*rows), **options)


def test_sentences_name_parameters_and_no_flags(rows):
    X, y = rows
    problem = proxdiff.Problem(X, y)
    with pytest.raises(ValueError) as refused:
        problem.solve(0.1, 0.1, solver="path", method="itd-reverse")
    assert "--" not in str(refused.value) and 'solver="ista"' in str(refused.value)
    logistic = proxdiff.Problem(X, np.where(y > 0, 1.0, -1.0), loss="logistic")
    found = logistic.solve(0.01, 0.1, solver="ista", max_iter=2, method="aid-cg", wrt="l1")
    sentences = [text for of_point in found.warnings for _, text in of_point]
    assert sentences and not any("--" in text for text in sentences)
    tuned = proxdiff.ElasticNetTuned(max_evaluations=2, bounds={"l1": (1e-3, 1.0)}).fit(X, y)
    assert tuned.remarks_ and not any("--" in text for text in tuned.remarks_)


def test_the_power_of_the_tweedie_loss(rows):
    X, _ = rows
    amounts = np.where(X[:, 1] > 0, np.exp(0.3 * X[:, 0]), 0.0)
    found = {power: proxdiff.Problem(X, amounts, loss="tweedie", power=power).solve(0.0, 0.1) for power in (1.2, 1.8)}
    for power, solution in found.items():
        assert solution.status[0] == "converged"
        mean = np.exp(solution.predict(X)[0])
        # The slope of the loss in the intercept is zero.
        assert np.mean(mean ** (2 - power) - amounts * mean ** (1 - power)) == pytest.approx(0, abs=1e-8)
    assert not np.allclose(found[1.2].coef, found[1.8].coef)
    plain = proxdiff.Problem(X, amounts, loss="tweedie").solve(0.0, 0.1)
    same = proxdiff.Problem(X, amounts, loss="tweedie", power=1.5).solve(0.0, 0.1)
    assert plain.coef.tobytes() == same.coef.tobytes()


def test_a_singular_hessian_has_no_derivative():
    generator = np.random.default_rng(0)
    X = generator.normal(size=(30, 3))
    X = np.c_[X, X[:, 0]]
    y = X[:, 0] - X[:, 1]
    found = proxdiff.Problem(X, y, standardize=False).solve(0.01, 0.0)
    cotangent = np.array([[1.0, 0, 0, -1.0]])
    with pytest.raises(ValueError, match="singular; choose l2 > 0"):
        proxdiff.vjp(found, cotangent, "l1")


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_frames(library, rows):
    frames = pytest.importorskip(library)
    X, y = rows
    names = ["a", "b", "c", "d"]
    frame = frames.DataFrame({name: X[:, at] for at, name in enumerate(names)})
    model = proxdiff.ElasticNet(alpha=0.1).fit(frame, frames.Series("target", y) if library == "polars" else y)
    plain = proxdiff.ElasticNet(alpha=0.1).fit(X, y)
    assert model.coef_.tobytes() == plain.coef_.tobytes()
    assert model.feature_names_in_.tolist() == names
    assert model.predict(frame).tobytes() == plain.predict(X).tobytes()
    with pytest.raises(ValueError, match="feature names"):
        model.predict(frame[["b", "a", "c", "d"]])
    found = proxdiff.hypergradient(proxdiff.Problem(frame, y), [0.1, 0.2], 0.1)
    table = found.to_pandas() if library == "pandas" else found.to_polars()
    assert table.shape[0] == 2 and table["l1"].to_list() == [0.1, 0.2]
    assert table["status"].to_list() == ["converged"] * 2 and "d_l2" in table.columns


def test_the_gradient_of_a_layer_at_a_singular_hessian_is_a_runtime_error():
    from proxdiff import _layer

    generator = np.random.default_rng(0)
    X = generator.normal(size=(30, 3))
    X = np.c_[X, X[:, 0]]
    inputs = [X[None], (X[:, 0] - X[:, 1])[None], np.array([0.01]), np.array([0.0]), None, None]
    _, _, members = _layer.forward(_layer.Shared(), inputs, 1)
    cotangent = np.array([[1.0, 0, 0, -1.0]]), np.zeros(1)
    with pytest.raises(RuntimeError, match="gradient: .*singular; choose l2 > 0"):
        _layer.backward(members, cotangent, ["l1"], inputs, 1)
    inputs[3] = np.array([0.1])
    _, _, members = _layer.forward(_layer.Shared(), inputs, 1)
    found = _layer.backward(members, cotangent, ["l1"], inputs, 1)
    assert found["l1"].shape == (1,) and np.isfinite(found["l1"]).all()
