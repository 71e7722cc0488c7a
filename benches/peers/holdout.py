"""Paths on a hold-out against scikit-learn: python3 benches/peers/holdout.py target/release/proxdiff [rounds]

Lasso, 100 strengths, rows split three to one; both sides read the same files and score the same held-out
rows, on one thread. scikit-learn: the lasso's path with a Gram matrix at its default tolerance, compute alone. proxdiff: the whole process of `sweep`, to rounding, with hypergradients and
with --method none. The held-out errors of both sides agree to 1e-6 where scikit-learn's tolerance is 1e-12.
CPU seconds, medians of runs in turn.
"""

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[name] = "1"

import numpy as np
from sklearn.linear_model import enet_path

SIZES = [(10_000, 200), (2_000, 500)]
POINTS = 100


def children():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def proxdiff(program, files, l1, more):
    flags = [f"--{name}={path}" for name, path in files.items()]
    axis = ",".join(map(repr, l1))
    before = children()
    command = [program, "sweep", *flags, f"--l1={axis}", "--l2=0", "--no-intercept", "--no-standardize",
               "--threads=1", "--format=json", *more]
    found = subprocess.run(command, capture_output=True, text=True, check=True)
    seconds = children() - before
    points = sorted(json.loads(found.stdout)["points"], key=lambda point: -point["l1"])
    return seconds, np.array([2.0 * point["criterion"] for point in points])


def peer(files, l1, tolerance):
    arrays = {name: np.load(path) for name, path in files.items()}
    start = resource.getrusage(resource.RUSAGE_SELF)
    _, w, _ = enet_path(np.asfortranarray(arrays["x"]), arrays["y"], alphas=l1, l1_ratio=1.0,
                        precompute=True, tol=tolerance, max_iter=100_000)
    errors = ((arrays["x-val"] @ w - arrays["y-val"][:, None]) ** 2).mean(axis=0)
    end = resource.getrusage(resource.RUSAGE_SELF)
    return end.ru_utime + end.ru_stime - start.ru_utime - start.ru_stime, errors


def main():
    program = os.path.abspath(sys.argv[1])
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    with tempfile.TemporaryDirectory() as folder:
        for n, d in SIZES:
            random = np.random.default_rng(n + d)
            x = random.normal(size=(n, d))
            y = x[:, :10] @ random.normal(size=10) + random.normal(size=n)
            cut = 3 * n // 4
            files = {}
            for name, array in (("x", x[:cut]), ("y", y[:cut]), ("x-val", x[cut:]), ("y-val", y[cut:])):
                files[name] = os.path.join(folder, f"{n}-{name}.npy")
                np.save(files[name], array)
            largest = np.abs(x[:cut].T @ y[:cut]).max() / cut
            l1 = [float(largest * 1e-3 ** (k / (POINTS - 1))) for k in range(POINTS)]
            exact = peer(files, l1, 1e-12)[1]
            ours = proxdiff(program, files, l1, [])[1]
            worst = np.abs(ours / exact - 1.0).max()
            assert worst < 1e-6, worst
            sides = {"with hypergradients": [], "--method none": [], "scikit-learn": []}
            for _ in range(rounds):
                sides["with hypergradients"].append(proxdiff(program, files, l1, [])[0])
                sides["--method none"].append(proxdiff(program, files, l1, ["--method=none"])[0])
                sides["scikit-learn"].append(peer(files, l1, 1e-4)[0])
            medians = {name: statistics.median(seconds) for name, seconds in sides.items()}
            print(f"lasso {n} x {d}: " + ", ".join(f"{name} {s:.3f}" for name, s in medians.items()),
                  f"(answers within {worst:.1e})", flush=True)


main()
