"""Exact leave-one-out against a loop of scikit-learn: python3 benches/peers/leave_one_out.py PROGRAM

Logistic regression with ridge on the breast cancer data, columns scaled once: 569 fits, each without one row,
and the loss of each on all rows. proxdiff: the whole process of `influence --exact`, to rounding. scikit-learn:
LogisticRegression of each solver and tolerance, the fits alone. Wall seconds on one thread each, and on two
threads of proxdiff; the least of three runs of proxdiff, and one of scikit-learn. Losses agree where scikit-learn's tolerance is small.
"""

import json
import os
import subprocess
import sys
import tempfile
import time

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[name] = "1"

import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression

L2 = 0.01


def loss(model, x, y):
    z = x @ model.coef_[0] + model.intercept_[0]
    return np.mean(np.logaddexp(0, -z * (2 * y - 1)))


def loop(x, y, **settings):
    def fit(keep):
        return LogisticRegression(C=1 / (L2 * keep.sum()), max_iter=10_000, **settings).fit(x[keep], y[keep])

    all_rows = np.ones(len(y), dtype=bool)
    full = loss(fit(all_rows), x, y)
    influence = np.empty(len(y))
    started = time.perf_counter()
    for row in range(len(y)):
        keep = all_rows.copy()
        keep[row] = False
        influence[row] = loss(fit(keep), x, y) - full
    return time.perf_counter() - started, influence


def proxdiff(program, folder, threads):
    command = [program, "influence", "--x", f"{folder}/X.npy", "--y", f"{folder}/y.npy", "--loss=logistic",
               "--l1=0", f"--l2={L2}", "--no-standardize", "--val-fraction=0", "--exact", "--format=json",
               f"--threads={threads}"]
    started = time.perf_counter()
    found = subprocess.run(command, capture_output=True, text=True, check=True)
    seconds = time.perf_counter() - started
    found = json.loads(found.stdout)
    return seconds, np.array(found["exact"]), found["rank_correlation"]


def main(program):
    x, y = load_breast_cancer(return_X_y=True)
    x = (x - x.mean(0)) / x.std(0)
    with tempfile.TemporaryDirectory() as folder:
        np.save(f"{folder}/X.npy", x)
        np.save(f"{folder}/y.npy", y.astype(float))
        for threads in (1, 2):
            runs = [proxdiff(program, folder, threads) for _ in range(3)]
            seconds, exact, correlation = min(runs, key=lambda run: run[0])
            print(f"proxdiff, {threads} threads: {seconds:.3f} s, rank correlation of the estimate {correlation:.4f}")
    for settings in ({"solver": "lbfgs"}, {"solver": "lbfgs", "tol": 1e-10}, {"solver": "newton-cholesky"}):
        seconds, influence = loop(x, y, **settings)
        error = np.abs(influence - exact).max() / np.abs(exact).max()
        print(f"scikit-learn, {settings}: {seconds:.2f} s, largest relative difference {error:.1e}")


main(sys.argv[1])
