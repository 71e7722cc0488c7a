"""The README's program runs, and so do the statements of docs/python.md that need no framework."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import proxdiff

ROOT = Path(__file__).parents[2]


def programs(name):
    """The blocks of Python of a document."""
    return re.findall(r"```python\n(.*?)```", (ROOT / name).read_text(), re.DOTALL)


def test_the_program_of_the_readme(capsys):
    (program,) = programs("python/README.md")
    exec(program, {})
    assert "R² on test rows" in capsys.readouterr().out


def test_the_statements_of_the_manual(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    generator = np.random.default_rng(0)
    X = generator.normal(size=(80, 6))
    y = X[:, 0] - X[:, 1] + 0.5 * generator.normal(size=80)
    labels = np.where(y > 0, 1.0, -1.0)
    for at, program in enumerate(programs("docs/python.md")):
        names = {"X": X, "y": y, "labels": labels, "s": np.ones(80), "X_val": X[:20], "y_val": y[:20]}
        if "to_pandas" in program:
            pytest.importorskip("pandas")
        if "onnxruntime" in program:
            pytest.importorskip("onnxruntime")
        if "logistic" in program and "Problem" in program:
            names |= {"y": labels, "y_val": labels[:20]}
        if "executor=" in program:
            names["problem"] = proxdiff.Problem(X, y)
        if "ProxLayer" in program:
            continue
        exec(program, names)
        assert len(names) > 7, at


@pytest.mark.parametrize("loss", ["squared", "logistic", "multinomial", "poisson"])
def test_the_lines_that_predict_from_a_models_files(tmp_path, monkeypatch, loss):
    monkeypatch.chdir(tmp_path)
    generator = np.random.default_rng(1)
    X = generator.normal(size=(80, 3))
    level = X @ [1.0, -1.0, 0.0] + 0.5 * generator.normal(size=80)
    targets = {
        "squared": level,
        "logistic": np.where(level > 0, "yes", "no"),
        "multinomial": np.select([level < -0.5, level < 0.7], ["low", "mid"], "high"),
        "poisson": generator.poisson(np.exp(0.3 * level)),
    }
    rows = ["a,b,c,y", *(",".join(map(str, (*row, y))) for row, y in zip(X.tolist(), targets[loss], strict=True))]
    Path("rows.csv").write_text("\n".join(rows) + "\n")
    fit = ["fit", "rows.csv", "--target", "y", "--loss", loss, "--l1", "0.01", "--out", "model"]
    predict = ["predict", "rows.csv", "--model", "model", "--format", "csv", "--out", "found.csv"]
    # A process of its own: the program takes Ctrl-C for itself.
    for words in (fit, predict):
        subprocess.run([sys.executable, "-m", "proxdiff", *words], check=True)
    (program,) = programs("docs/models.md")
    names = {"X": X}
    exec(program, names)
    lines = Path("found.csv").read_text().split()
    expected = [line.split(",")[-1] for line in lines[1:]]
    if names["target"]["classes"]:
        assert names["prediction"].tolist() == expected
    else:
        np.testing.assert_allclose(names["prediction"], np.array(expected, dtype=float), rtol=1e-13, atol=1e-14)
