"""Graphs of ONNX, run by ONNX Runtime: their predictions are the package's, and those of `proxdiff predict`."""

import json
import subprocess
import sys

import numpy as np
import pytest

import proxdiff

pd = pytest.importorskip("pandas")
runtime = pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")


def run(model, feed):
    """The outputs of a model's graph by name."""
    session = runtime.InferenceSession(proxdiff.to_onnx(model).SerializeToString())
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, feed), strict=True))


def command(*words):
    # A process of its own: the program takes Ctrl-C for itself.
    subprocess.run([sys.executable, "-m", "proxdiff", *map(str, words)], check=True)


@pytest.fixture(scope="module")
def rows():
    generator = np.random.default_rng(5)
    X = generator.normal(size=(60, 5))
    return X, X @ [2.0, -1.0, 0.0, 0.5, 0.0] + 1.0 + 0.3 * generator.normal(size=60)


@pytest.mark.parametrize(
    "estimator",
    [
        proxdiff.Lasso(alpha=0.05),
        proxdiff.ElasticNet(alpha=0.05, fit_intercept=False),
        proxdiff.Huber(alpha=0.05),
        proxdiff.GroupLasso(alpha=0.05),
        proxdiff.ElasticNetCV(cv=3, alphas=5),
    ],
    ids=lambda estimator: type(estimator).__name__,
)
def test_numbers(rows, estimator):
    X, y = rows
    model = estimator.fit(X, y)
    found = run(model, {"X": X})
    assert found["prediction"].shape == (60,)
    np.testing.assert_allclose(found["prediction"], model.predict(X), rtol=1e-14, atol=1e-14)


def test_several_targets(rows):
    X, y = rows
    model = proxdiff.ElasticNet(alpha=0.05).fit(X, np.column_stack([y, -2.0 * y + X[:, 2]]))
    found = run(model, {"X": X})
    np.testing.assert_allclose(found["prediction"], model.predict(X), rtol=1e-14, atol=1e-14)


@pytest.mark.parametrize("labels", [["no", "yes"], [3, 7], [-1.0, 1.0], ["a", "b", "c"], [0, 1, 2]])
def test_classes(rows, labels):
    X, y = rows
    codes = np.digitize(y, np.quantile(y, np.arange(1, len(labels)) / len(labels)))
    model = proxdiff.LogisticRegression(C=2.0).fit(X, np.array(labels)[codes])
    found = run(model, {"X": X})
    assert (found["prediction"] == model.predict(X)).all()
    np.testing.assert_allclose(found["probabilities"], model.predict_proba(X), rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("missing", ["mean", "indicator"])
@pytest.mark.parametrize("loss", ["squared", "logistic", "multinomial", "poisson", "squared-hinge"])
def test_a_folder_predicts_as_the_command_line_does(tmp_path, monkeypatch, loss, missing):
    monkeypatch.chdir(tmp_path)
    generator = np.random.default_rng(7)
    table = pd.DataFrame(generator.normal(size=(90, 3)), columns=list("abc"))
    table["city"] = generator.choice(["Wien", "Graz", "Linz"], 90)
    table["e"] = 0.1 * generator.normal(size=90)
    level = table["a"] + (table["city"] == "Wien") + 0.5 * generator.normal(size=90)
    targets = {
        "squared": level,
        "logistic": np.where(level > 0, "yes", "no"),
        "multinomial": np.select([level < -0.5, level < 0.7], ["low", "mid"], "high"),
        "poisson": generator.poisson(np.exp(0.3 * level)),
        "squared-hinge": np.where(level > 0, "yes", "no"),
    }
    table["y"] = targets[loss]
    table.loc[::7, "b"] = np.nan
    table.loc[5::11, "city"] = ""
    table.to_csv("rows.csv", index=False)
    new = table.drop(columns="y")
    new.to_csv("new.csv", index=False)
    offset = ["--offset", "e"] if loss == "poisson" else []
    command("fit", "rows.csv", "--target", "y", "--loss", loss, "--l1", 0.01, "--l2", 0.01, "--missing", missing,
            "--out", "model", *offset)  # fmt: skip
    probabilities = ["--proba"] if loss in ("logistic", "multinomial") else []
    command("predict", "new.csv", "--model", "model", "--format", "csv", "--out", "found.csv", *probabilities)
    expected = pd.read_csv("found.csv")

    properties = proxdiff.to_onnx("model").metadata_props
    features = json.loads({one.key: one.value for one in properties}["features"])
    assert features == (["a", "b", "c"] if offset else ["a", "b", "c", "e"])
    feed = {"X": new[features].to_numpy(float), "city": new[["city"]].to_numpy(object)}
    if offset:
        feed["offset"] = new[["e"]].to_numpy()
    found = run("model", feed)
    if loss in ("squared", "poisson"):
        np.testing.assert_allclose(found["prediction"], expected["y"], rtol=1e-13, atol=1e-14)
    else:
        assert (found["prediction"] == expected["y"]).all()
    if probabilities:
        columns = [name for name in expected if name.startswith("y: ")]
        np.testing.assert_allclose(found["probabilities"], expected[columns], rtol=1e-13, atol=1e-15)
    assert ("probabilities" in found) == bool(probabilities)


def test_what_has_no_graph(rows, tmp_path, monkeypatch):
    from sklearn.exceptions import NotFittedError
    from sklearn.linear_model import LinearRegression

    with pytest.raises(NotFittedError):
        proxdiff.to_onnx(proxdiff.Lasso())
    with pytest.raises(ValueError, match="model: LinearRegression is none; give an estimator"):
        proxdiff.to_onnx(LinearRegression().fit(*rows))
    with pytest.raises(OSError, match=r"model\.json"):
        proxdiff.to_onnx(tmp_path)
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ImportError, match="pip install onnx"):
        proxdiff.to_onnx(proxdiff.Lasso().fit(*rows))
