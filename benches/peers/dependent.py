"""Columns that depend on each other, without ridge and with: proxdiff's whole process against scikit-learn.

    python3 benches/peers/dependent.py target/release/proxdiff

pairs    156 × 134, columns in pairs that are equal but for single precision, 10 folds × 60 l1, λ₂ = 0:
         against LassoCV on as many folds
wide     200 × 400, λ₂ = 0, one cold point at a thousandth of the largest l1: against LassoLars
factors  500 × 2 000 of 30 noisy factors, half l1, half ridge, 100 points, supports beyond the rows: against
         enet_path

proxdiff goes to rounding and has hypergradients; the peer stops at its default tolerance and has none. All
run alternately, the objectives of wide are compared, and medians of CPU seconds and of ratios are printed. Needs
numpy and scikit-learn.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import warnings

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from sklearn.linear_model import LassoCV, LassoLars, enet_path
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

ROUNDS = 5


def pairs(random):
    n, k = 156, 67
    x = random.normal(size=(n, 12)) @ random.normal(size=(12, k)) + 0.7 * random.normal(size=(n, k))
    x = x * np.exp(random.normal(size=k)) + 3 * random.normal(size=k)
    y = (x - x.mean(0)) / x.std(0) @ np.where(random.random(k) < 0.3, random.normal(size=k), 0)
    both = np.empty((n, 2 * k))
    both[:, 0::2], both[:, 1::2] = x, x.astype(np.float32)
    return both, y + 0.5 * y.std() * random.normal(size=n)


def wide(random):
    x = random.normal(size=(200, 400))
    return x, x[:, :20] @ random.normal(size=20) + 0.5 * random.normal(size=200)


def factors(random):
    n, d = 500, 2000
    x = random.normal(size=(n, 30)) @ random.normal(size=(30, d)) + random.normal(size=(n, d))
    return x, x @ random.normal(size=d) + random.normal(size=n)


def cpu_seconds(command):
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    output = process.stdout.read()
    _, _, usage = os.wait4(process.pid, 0)
    return usage.ru_utime + usage.ru_stime, output


def timed(work):
    start = time.process_time()
    result = work()
    return time.process_time() - start, result


def lasso_cv(x, y):
    make_pipeline(StandardScaler(), LassoCV(eps=1e-3, alphas=60, cv=10)).fit(x, y)


def lars(x, y):
    x, y = (x - x.mean(0)) / x.std(0), y - y.mean()
    alpha = 1e-3 * np.abs(x.T @ y).max() / len(y)
    model = LassoLars(alpha=alpha, fit_intercept=False).fit(x, y)
    residual = y - x @ model.coef_
    return 0.5 * residual @ residual / len(y) + alpha * np.abs(model.coef_).sum()


def path(x, y):
    x, y = np.asfortranarray((x - x.mean(0)) / x.std(0)), y - y.mean()
    enet_path(x, y, l1_ratio=0.5, eps=1e-3, alphas=100)


def main():
    (program,) = sys.argv[1:]
    warnings.simplefilter("ignore")
    random = np.random.default_rng(1)
    jobs = {
        "pairs": (pairs, lasso_cv, ["sweep", "--cv", "10", "--l1", "frac:1e-3:1:60", "--l2", "0"]),
        "wide": (wide, lars, ["fit", "--l1", "frac:1e-3", "--l2", "0"]),
        "factors": (
            factors,
            path,
            ["sweep", "--val-fraction", "0", "--alpha", "frac:1e-3:1:100", "--l1-ratio", "0.5"],
        ),
    }
    with tempfile.TemporaryDirectory() as folder:
        for name, (data, peer, flags) in jobs.items():
            x, y = data(random)
            file = os.path.join(folder, name + ".npz")
            np.savez(file, X=x, y=y)
            command = [program, flags[0], file, *flags[1:], "--threads", "1", "--format", "json"]
            rounds = [(cpu_seconds(command), timed(lambda: peer(x, y))) for _ in range(ROUNDS + 1)][1:]
            (_, output), (_, expected) = rounds[0]
            report = json.loads(output)
            if expected is not None:
                found = report["points"][0]["objective"]
                assert abs(found - expected) <= 1e-6 * abs(expected), (name, found, expected)
            own = statistics.median(own for (own, _), _ in rounds)
            other = statistics.median(other for _, (other, _) in rounds)
            ratio = statistics.median(other / own for (own, _), (other, _) in rounds)
            print(f"{name:8} proxdiff {own:.3f} scikit-learn {other:.3f} ratio {ratio:.2f}", flush=True)


main()
