"""A grid of 16 × 16 elastic nets with hypergradients: proxdiff's whole process against scikit-learn.

    python3 benches/peers/grid.py target/release/proxdiff

The peer is scikit-learn's coordinate descent on the Gram matrix, warm-started along decreasing l1,
with a NumPy solve on the support for every hypergradient: its compute alone, on one core; once through
the estimator that people use (ElasticNet with precompute and warm_start), once through the bare
enet_path with its checks off. All run alternately, the answers are compared, and the ratios of the
medians are printed. Needs numpy and scikit-learn.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import sklearn
from sklearn.linear_model import ElasticNet, enet_path

ROUNDS = 7


def data():
    rng = np.random.default_rng(0)
    n, n_val, d = 500, 250, 100
    w = np.zeros(d)
    w[:30] = np.abs(rng.standard_normal(30))
    x, x_val = rng.standard_normal((n, d)), rng.standard_normal((n_val, d))
    y = x @ w + 0.1 * rng.standard_normal(n)
    y_val = x_val @ w + 0.1 * rng.standard_normal(n_val)
    largest = np.abs(x.T @ y / n).max()
    return x, y, x_val, y_val, largest * np.logspace(-3, -0.1, 16), np.logspace(-4, 0, 16)


def peer(x, y, x_val, y_val, l1s, l2s, bare):
    n, d = x.shape
    gram, xy = x.T @ x, x.T @ y
    out = {}
    estimator = ElasticNet(precompute=gram, fit_intercept=False, warm_start=True, tol=1e-9, max_iter=100_000)
    for l2 in l2s:
        # alpha·ratio = l1, alpha·(1 − ratio) = l2: the ratio changes along the path, so that each
        # point is a call of its own, warm-started.
        w = None
        estimator.coef_ = np.zeros(d)
        for l1 in sorted(l1s, reverse=True):
            alpha = l1 + l2
            if bare:
                _, coefs, _ = enet_path(
                    x, y, l1_ratio=l1 / alpha, alphas=[alpha], precompute=gram, Xy=xy, coef_init=w, tol=1e-9,
                    max_iter=100_000, check_input=False,
                )
                w = np.ascontiguousarray(coefs[:, 0])
            else:
                w = estimator.set_params(alpha=alpha, l1_ratio=l1 / alpha).fit(x, y).coef_
            support = np.flatnonzero(w)
            r = x_val @ w - y_val
            e = x_val[:, support].T @ r / len(y_val)
            hessian = gram[np.ix_(support, support)] / n + l2 * np.eye(len(support))
            z = np.linalg.solve(hessian, e)
            out[(l1, l2)] = (-np.sign(w[support]) @ z, -w[support] @ z)
    return out


def main():
    binary = sys.argv[1]
    x, y, x_val, y_val, l1s, l2s = data()
    with tempfile.TemporaryDirectory() as folder:
        for name, value in dict(x=x, y=y, x_val=x_val, y_val=y_val).items():
            np.save(f"{folder}/{name}.npy", value)
        listed = lambda values: ",".join(repr(float(v)) for v in values)
        command = [
            binary, "hypergrad", "--x", f"{folder}/x.npy", "--y", f"{folder}/y.npy", "--x-val", f"{folder}/x_val.npy",
            "--y-val", f"{folder}/y_val.npy", "--l1", listed(l1s), "--l2", listed(l2s), "--method", "aid-cg",
            "--threads", "2", "--no-intercept", "--no-standardize", "--format", "json",
        ]
        ours, theirs = [], {False: [], True: []}
        for _ in range(ROUNDS):
            start = time.perf_counter()
            printed = subprocess.run(command, check=True, capture_output=True).stdout
            ours.append(time.perf_counter() - start)
            for bare, times in theirs.items():
                start = time.process_time()
                expected = peer(x, y, x_val, y_val, l1s, l2s, bare)
                times.append(time.process_time() - start)
    worst = 0.0
    for point in json.loads(printed)["points"]:
        assert point["status"] == "converged", point
        found = np.array([point["hypergradient"]["l1"], point["hypergradient"]["l2"]])
        reference = np.array(expected[(point["l1"], point["l2"])])
        worst = max(worst, np.linalg.norm(found - reference) / max(np.linalg.norm(reference), 1e-12))
    assert worst < 1e-4, worst
    mine = statistics.median(ours)
    print(f"proxdiff, whole process, 2 threads: {1e3 * mine:.1f} ms (from {1e3 * min(ours):.1f} to {1e3 * max(ours):.1f})")
    for bare, name in [(False, "ElasticNet"), (True, "enet_path, unchecked")]:
        other = statistics.median(theirs[bare])
        print(f"{name} + NumPy, compute alone, one core: {1e3 * other:.1f} ms of CPU, ratio {other / mine:.1f}")
    print(f"scikit-learn {sklearn.__version__}, NumPy {np.__version__}; hypergradients agree to {worst:.1e}")


main()
