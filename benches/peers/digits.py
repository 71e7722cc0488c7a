"""Handwritten digits: a multinomial fit beside scikit-learn's, and labels that are cleaned.

    python3 benches/peers/digits.py PROGRAM MNIST fit [ROWS]            default 20 000 rows
    python3 benches/peers/digits.py PROGRAM MNIST clean [ROWS] [SHARE]  default 20 000 rows, 0.5

PROGRAM is the program of a release build, MNIST the folder that examples/mnist.sh fills. Needs NumPy and
scikit-learn. Columns are divided by their standard deviation in the training rows.

`fit` compares CPU seconds and objectives at the ridge 0.08, without intercept, on one thread.

`clean` draws a label anew for a SHARE of the rows, each class with the same probability, keeps a quarter as many
right rows as trusted ones, and prints the error on 10 000 test digits of four fits: all rows with the ridge tuned
on the trusted rows, cleaned, only the right rows with the ridge tuned (the oracle), and the trusted rows alone.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

RIDGE = 0.08


def idx(path):
    data = path.read_bytes()
    if data[3] == 3:
        return np.frombuffer(data, np.uint8, offset=16).reshape(int.from_bytes(data[4:8], "big"), -1)
    return np.frombuffer(data, np.uint8, offset=8)


def digits(folder, rows, seed=32):
    """Training, trusted and test rows, and their labels."""
    x = idx(folder / "train-images-idx3-ubyte").astype(float)
    y = idx(folder / "train-labels-idx1-ubyte").astype(int)
    x_test = idx(folder / "t10k-images-idx3-ubyte").astype(float)
    y_test = idx(folder / "t10k-labels-idx1-ubyte").astype(int)
    order = np.random.RandomState(seed).permutation(len(x))
    train, trusted = order[:rows], order[30000 : 30000 + rows // 4]
    varies = x[train].std(0) > 0
    mean, scale = x[train][:, varies].mean(0), x[train][:, varies].std(0)
    scaled = lambda a: np.clip((a[:, varies] - mean) / scale, -50, 50)
    return scaled(x[train]), y[train], scaled(x[trusted]), y[trusted], scaled(x_test), y_test


def run(program, *arguments):
    """The JSON that the program prints, and its CPU seconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([program, *arguments, "--format", "json"], capture_output=True, text=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        sys.exit(done.stderr)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return json.loads(done.stdout), seconds


def save(folder, **arrays):
    paths = {}
    for name, values in arrays.items():
        paths[name] = str(folder / f"{name}.npy")
        np.save(paths[name], np.asarray(values, dtype=np.float64))
    return paths


def objective(w, x, y):
    z = x @ w
    top = z.max(1)
    loss = np.log(np.exp(z - top[:, None]).sum(1)) + top - z[np.arange(len(y)), y]
    return loss.mean() + RIDGE / 2 * (w**2).sum()


def fit(program, data, folder):
    os.environ["OMP_NUM_THREADS"] = "1"
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits

    x, y, *_ = data
    paths = save(folder, x=x, y=y)
    flags = ["--loss", "multinomial", "--no-intercept", "--no-standardize", "--l1", "0", "--l2", str(RIDGE)]
    for tolerance in ("1e-4", "1e-8"):
        own, seconds = run(program, "fit", "--x", paths["x"], "--y", paths["y"], *flags, "--tol", tolerance,
                           "--threads", "1", "--out", str(folder / "model"))
        w = np.load(folder / "model" / "coefficients.npy").reshape(-1, 10)
        print(f"proxdiff, tolerance {tolerance}: {seconds:.1f} s, objective {objective(w, x, y):.10f}")
    for solver, tolerance in (("lbfgs", 1e-4), ("lbfgs", 1e-8), ("newton-cg", 1e-4)):
        before = resource.getrusage(resource.RUSAGE_SELF)
        with threadpool_limits(1):
            model = LogisticRegression(C=1 / (RIDGE * len(y)), fit_intercept=False, solver=solver,
                                       tol=tolerance, max_iter=10_000).fit(x, y)
        after = resource.getrusage(resource.RUSAGE_SELF)
        seconds = after.ru_utime - before.ru_utime
        value = objective(model.coef_.T, x, y)
        print(f"scikit-learn {solver}, tolerance {tolerance:g}: {seconds:.1f} s, objective {value:.10f}")


def error(program, model, test, y):
    found, _ = run(program, "predict", test, "--model", str(model))
    predicted = np.array([int(float(label)) for label in found["targets"][0]["predictions"]])
    return (predicted != y).mean()


def clean(program, data, folder, share):
    x, y, x_val, y_val, x_test, y_test = data
    draws = np.random.RandomState(5)
    labels = y.copy()
    drawn = draws.rand(len(y)) < share
    labels[drawn] = draws.randint(0, 10, drawn.sum())
    wrong = labels != y
    paths = save(folder, x=x, y=labels, x_val=x_val, y_val=y_val, x_test=x_test, x_right=x[~wrong],
                 y_right=labels[~wrong])
    (folder / "wrong.txt").write_text("\n".join(str(int(w)) for w in wrong))
    flags = ["--loss", "multinomial", "--no-intercept", "--no-standardize"]
    trusted = ["--x-val", paths["x_val"], "--y-val", paths["y_val"]]
    tuned = [*flags, "--tune", "l2", "--l1", "0", "--tol", "1e-6", "--max-evaluations", "20"]
    model = folder / "model"

    def show(name, seconds, more=""):
        print(f"{name}: test error {100 * error(program, model, paths['x_test'], y_test):.2f} %, "
              f"{seconds:.0f} s{more}", flush=True)

    print(f"{len(y)} rows, {100 * wrong.mean():.0f} % of the labels wrong, {len(y_val)} trusted rows")
    _, seconds = run(program, "tune", "--x", paths["x"], "--y", paths["y"], *trusted, *tuned, "--model", str(model))
    show("all rows", seconds)
    found, seconds = run(program, "clean", "--x", paths["x"], "--y", paths["y"], *trusted, *flags,
                         "--corrupted", str(folder / "wrong.txt"), "--model", str(model))
    detection = {name: round(value, 3) for name, value in found["detection"].items()}
    show("cleaned", seconds, f", {detection}")
    _, seconds = run(program, "tune", "--x", paths["x_right"], "--y", paths["y_right"], *trusted, *tuned,
                     "--model", str(model))
    show("right rows alone (the oracle)", seconds)
    _, seconds = run(program, "tune", "--x", paths["x_val"], "--y", paths["y_val"], "--cv", "5", *tuned,
                     "--model", str(model))
    show("trusted rows alone", seconds)


def main():
    program, mnist, task, *rest = sys.argv[1:]
    rows = int(rest[0]) if rest else 20_000
    data = digits(Path(mnist), rows)
    with tempfile.TemporaryDirectory() as folder:
        if task == "fit":
            fit(program, data, Path(folder))
        else:
            clean(program, data, Path(folder), float(rest[1]) if len(rest) > 1 else 0.5)


if __name__ == "__main__":
    main()
