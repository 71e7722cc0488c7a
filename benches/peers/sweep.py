"""Sweeps over folds against scikit-learn: both sides in turn, answers compared, ratios printed.

    python3 benches/peers/sweep.py target/release/proxdiff [rounds]

Elastic net: 5 folds x 500 points (100 alphas x 5 ratios), n = 10 000, d = 200. ElasticNetCV with n_jobs=1
at its default tolerance gives the criterion; proxdiff gives solutions to rounding, criterion, metrics and
hypergradients, on 2 threads, start and reading of the files included.
Logistic: l1 path of 10 strengths x 5 folds on breast cancer; liblinear (default and tight tolerance), saga.
Multinomial: the same on digits; saga, which does not converge in its iterations.
"""

import csv
import json
import os
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import sklearn
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.linear_model import ElasticNetCV, LogisticRegression
from sklearn.model_selection import PredefinedSplit, StratifiedKFold

warnings.filterwarnings("ignore")


def proxdiff(program, folder, name, X, y, folds, flags):
    """Seconds of the whole process, the summary, and the cells."""
    paths = {}
    for part, array in (("x", X), ("y", y), ("folds", folds)):
        paths[part] = folder / f"{name}_{part}.npy"
        if not paths[part].exists():
            np.save(paths[part], np.ascontiguousarray(array, dtype=np.float64))
            # Or the store's writes would wait for these.
            os.sync()
    store = folder / f"{name}.db"
    for old in folder.glob(f"{name}.db*"):
        old.unlink()
    command = [program, "sweep", "--x", paths["x"], "--y", paths["y"], "--folds", paths["folds"],
               "--no-standardize", "--threads", "2", "--format", "json", "--store", store, *flags]
    # The threads of the other side's linear algebra spin for a while before they sleep.
    time.sleep(0.3)
    begin = time.perf_counter()
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    seconds = time.perf_counter() - begin
    out = folder / "cells.csv"
    subprocess.run([program, "runs", "export", store, "--out", out], check=True)
    with open(out, newline="") as file:
        return seconds, json.loads(result.stdout), list(csv.DictReader(file))


def column(cells, name):
    return np.array([float(cell[name]) for cell in cells])


def elastic_net(program, folder, rounds):
    generator = np.random.default_rng(0)
    n, d = 10_000, 200
    X = generator.standard_normal((n, d))
    w = np.zeros(d)
    w[:20] = generator.standard_normal(20)
    y = X @ w + 1.5 * generator.standard_normal(n)
    folds = generator.permutation(n) % 5
    ratios = [0.1, 0.3, 0.5, 0.7, 0.9]
    flags = ["--alpha", "frac:1:1e-3:100", "--l1-ratio", ",".join(map(str, ratios))]
    times = []
    for _ in range(rounds):
        begin = time.perf_counter()
        model = ElasticNetCV(l1_ratio=ratios, alphas=100, cv=PredefinedSplit(folds), n_jobs=1)
        model.fit(X, y)
        theirs = time.perf_counter() - begin
        ours, summary, cells = proxdiff(program, folder, "enet", X, y, folds, flags)
        times.append((theirs, ours))
    exact = ElasticNetCV(l1_ratio=ratios, alphas=100, cv=PredefinedSplit(folds), n_jobs=-1, tol=1e-10,
                         max_iter=100_000).fit(X, y)
    mse = 2 * column(cells, "criterion").reshape(100, 5, 5).transpose(1, 0, 2)
    error = np.abs(mse / exact.mse_path_ - 1).max()
    gap = column(cells, "duality_gap").max()
    best = summary["best"]
    assert error < 1e-6 and gap < 1e-6, (error, gap)
    assert np.isclose(best["alpha"], exact.alpha_) and best["l1_ratio"] == exact.l1_ratio_
    report("elastic net 5 x 500", "ElasticNetCV", times, f"criteria agree to {error:.1e}, gaps below {gap:.1e}")


def classes(program, folder, name, loss, X, y, solvers):
    X = (X - X.mean(0)) / np.maximum(X.std(0), 1e-12)
    folds = np.empty(len(y))
    for k, (_, held) in enumerate(StratifiedKFold(5, shuffle=True, random_state=0).split(X, y)):
        folds[held] = k
    strengths = np.geomspace(0.05, 0.0005, 10)
    flags = ["--loss", loss, "--l1", ",".join(map(repr, map(float, strengths))), "--l2", "0"]
    for solver, options, rounds in solvers:
        times, error = [], 0.0
        for _ in range(rounds):
            begin = time.perf_counter()
            losses = np.empty((10, 5))
            for k in range(5):
                train, held = folds != k, folds == k
                model = LogisticRegression(solver=solver, l1_ratio=1.0, warm_start=True, **options)
                for at, l1 in enumerate(strengths):
                    model.set_params(C=1 / (l1 * train.sum()))
                    model.fit(X[train], y[train])
                    p = model.predict_proba(X[held])
                    rows = np.searchsorted(model.classes_, y[held])
                    losses[at, k] = -np.log(np.maximum(p[np.arange(len(rows)), rows], 1e-300)).mean()
            theirs = time.perf_counter() - begin
            ours, _, cells = proxdiff(program, folder, name, X, y, folds, flags)
            times.append((theirs, ours))
        error = np.abs(column(cells, "criterion").reshape(10, 5) - losses).max()
        gap = column(cells, "duality_gap").max()
        assert gap < 1e-6, gap
        report(f"{loss}, {name}", f"{solver} (tol={options['tol']:.0e})", times,
               f"held-out losses differ by at most {error:.1e} (their accuracy), our gaps below {gap:.1e}")


def report(what, peer, times, note):
    theirs, ours = (sorted(t[i] for t in times)[len(times) // 2] for i in (0, 1))
    print(f"{what}: proxdiff {ours:.3f} s, {peer} {theirs:.3f} s, ratio {theirs / ours:.1f}; {note}", flush=True)


def main():
    program = str(Path(sys.argv[1]).resolve())
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    print(f"scikit-learn {sklearn.__version__}, NumPy {np.__version__}, medians of {rounds} rounds (saga: one)")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        elastic_net(program, folder, rounds)
        X, y = load_breast_cancer(return_X_y=True)
        # At its default tolerance liblinear's relative duality gaps, of its own problem with a penalised
        # intercept, reach 3e-2; at 1e-9 they are below 1e-6.
        solvers = [
            ("liblinear", dict(tol=1e-4, max_iter=1000, intercept_scaling=1), rounds),
            ("liblinear", dict(tol=1e-9, max_iter=100_000, intercept_scaling=1), rounds),
            ("saga", dict(tol=1e-6, max_iter=100_000), 1),
        ]
        classes(program, folder, "breast cancer", "logistic", X, y, solvers)
        X, y = load_digits(return_X_y=True)
        classes(program, folder, "digits", "multinomial", X, y, [("saga", dict(tol=1e-4, max_iter=100), 1)])


main()
