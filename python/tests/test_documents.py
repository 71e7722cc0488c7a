"""The README's program runs, and so do the statements of docs/python.md that need no framework."""

import re
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
        names = {"X": X, "y": y, "s": np.ones(80), "X_val": X[:20], "y_val": y[:20]}
        if "to_pandas" in program:
            pytest.importorskip("pandas")
        if "logistic" in program and "Problem" in program:
            names |= {"y": labels, "y_val": labels[:20]}
        if "executor=" in program:
            names["problem"] = proxdiff.Problem(X, y)
        if "ProxLayer" in program:
            continue
        exec(program, names)
        assert len(names) > 6, at
