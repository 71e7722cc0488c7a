"""The examples run, each in an interpreter of its own; those of frameworks where these can be imported."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"
NEEDS = {"lasso_layer": ["jax"], "lasso_network": ["torch"], "large_sweep": ["distributed"], "pipeline": []}


def test_every_example_is_known():
    assert {path.stem for path in EXAMPLES.glob("*.py")} == set(NEEDS)


@pytest.mark.parametrize("name", NEEDS)
def test_examples(name, tmp_path):
    for module in NEEDS[name]:
        pytest.importorskip(module)
    program = [sys.executable, os.fspath(EXAMPLES / f"{name}.py")]
    done = subprocess.run(program, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
