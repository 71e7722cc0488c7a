"""Evaluations that proxdiff tune takes for many strengths, and where they lead.

    python3 benches/peers/evaluations.py PROGRAM [ANOTHER PROGRAM]

Every problem holds rows out, and is tuned without a guard, with the default budget. For each program, such as
an older one: evaluations, status, projected slope, criterion. Needs numpy. The counts are the same on every
machine.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np


def correlated(rng, rows, features, share):
    x = rng.standard_normal((rows, features))
    for j in range(1, features):
        x[:, j] = share * x[:, j - 1] + np.sqrt(1 - share**2) * x[:, j]
    return x


def labels(rng, z):
    return np.where(rng.random(len(z)) < 1 / (1 + np.exp(-z)), 1.0, -1.0)


def problems():
    """name -> X, y, rows to learn from, flags."""
    logistic = ["--loss", "logistic", "--l1", "0", "--tune", "l2[]"]
    for seed in (0, 1):
        rng = np.random.default_rng(seed)
        x = correlated(rng, 15000, 22, 0.5)
        w = rng.standard_normal(22) * (rng.random(22) < 0.6) * 0.7
        yield f"22 λ₂, logistic, 10 000 rows, {seed}", x, labels(rng, x @ w), 10000, logistic
    rng = np.random.default_rng(7)
    x = correlated(rng, 15000, 22, 0.8)
    w = rng.standard_normal(22) * np.exp(-np.arange(22) / 4)
    yield "22 λ₂, logistic, a rare class", x, labels(rng, x @ w - 2.5), 10000, logistic
    for features, rows in ((10, 200), (50, 150)):
        rng = np.random.default_rng(features)
        x = correlated(rng, 2 * rows, features, 0.5)
        w = rng.standard_normal(features) * (rng.random(features) < 0.5)
        y = x @ w + 2 * rng.standard_normal(2 * rows)
        yield f"{features} λ₂, squared loss", x, y, rows, ["--l1", "0", "--tune", "l2[]"]
    rng = np.random.default_rng(3)
    x = correlated(rng, 1200, 12, 0.5)
    y = (0.5 * x @ rng.standard_normal((12, 5)) + rng.gumbel(size=(1200, 5))).argmax(1).astype(float)
    for tune in ("l2[class]", "l2[]"):
        yield f"{tune}, 5 classes × 12", x, y, 600, ["--loss", "multinomial", "--l1", "0", "--tune", tune]
    for seed in (0, 1):
        rng = np.random.default_rng(seed)
        x = correlated(rng, 240, 250, 0.5)
        y = x[:, :15].sum(1) + 3 * rng.standard_normal(240)
        yield f"l1 and λ₂, {seed}", x[:120], y[:120], 100, ["--tune", "l1,l2"]
    rng = np.random.default_rng(5)
    x = correlated(rng, 400, 40, 0.5)
    y = x[:, :8] @ rng.standard_normal(8) + 2 * rng.standard_normal(400)
    yield "40 l1", x, y, 200, ["--tune", "l1[]", "--l2", "0"]


def tuned(program, folder, flags):
    files = [f"--{name.replace('_', '-')}={folder / name}.npy" for name in ("x", "y", "x_val", "y_val")]
    words = [program, "tune", *files, *flags, "--guard", "none", "--device", "cpu", "--format", "json"]
    return json.loads(subprocess.run(words, check=True, capture_output=True).stdout)


def main(programs):
    for name, x, y, rows, flags in problems():
        with tempfile.TemporaryDirectory() as folder:
            parts = {"x": x[:rows], "y": y[:rows], "x_val": x[rows:], "y_val": y[rows:]}
            for part, values in parts.items():
                np.save(Path(folder) / f"{part}.npy", values)
            for program in programs:
                found = tuned(program, Path(folder), flags)
                print(
                    f"{name:34} {found['evaluations']:4} {found['status']:16} "
                    f"{found['projected_slope']:8.1e} {found['criterion']:.10g}"
                )


main(sys.argv[1:])
