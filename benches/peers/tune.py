"""Tuning elastic nets: proxdiff tune against warm grids and other tuners, both sides in one call.

    python3 benches/peers/tune.py target/release/proxdiff [rounds] [folder of .npz files with X and y]

On every data set, for a hold-out and for five given folds:
- tune, with the default budget and with 60 evaluations: criterion, evaluations, time of the whole process;
- a warm grid (sweep) of as many points as take the tuner's own median time: the tuner must end at most
  1e-4 above the grid's best;
- a long search (10 random starts of 50 evaluations, a 10 x 10 grid and 6 starts from it): the tuner's excess
  over the best of all.
Then scikit-learn's ElasticNetCV with 10 ratios x 100 alphas, Optuna's TPE over scikit-learn's ElasticNet with
100 trials, where it is installed, on 2 000 x 500 and 500 x 2 000: seconds, and the criterion
(the mean over the same five folds of half the squared error) at what each of them chose, computed by
proxdiff. Answers are compared, and medians are printed. Needs numpy and scikit-learn.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "2")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "2")

import numpy as np
import sklearn
from sklearn.datasets import load_diabetes, make_regression
from sklearn.linear_model import ElasticNet, ElasticNetCV
from sklearn.model_selection import PredefinedSplit

warnings.filterwarnings("ignore")

SEEDS = 20


def correlated(seed, n=120, d=250):
    """Neighbouring features with correlation 1/2, fifteen of which count; noise of half the signal's size."""
    rng = np.random.RandomState(seed)
    covariance = 0.5 ** np.abs(np.subtract.outer(np.arange(d), np.arange(d)))
    x = rng.randn(n, d) @ np.linalg.cholesky(covariance).T
    w = np.zeros(d)
    w[rng.permutation(d)[:15]] = 1.0
    signal, noise = x @ w, rng.randn(n)
    return x, signal + 0.5 * noise * np.linalg.norm(signal) / np.linalg.norm(noise)


def data_sets(folder):
    """name -> X, y, number of held-out rows, scaled."""
    for seed in range(SEEDS):
        yield f"correlated {seed}", *correlated(seed), 20, False
    yield "diabetes", *load_diabetes(return_X_y=True), 110, True
    for n, d in ((400, 200), (200, 400)):
        yield f"regression {n}x{d}", *make_regression(n, d, n_informative=20, noise=20.0, random_state=1), n // 4, False
    for path in sorted(Path(folder).glob("*.npz")) if folder else []:
        with np.load(path) as arrays:
            yield path.stem, arrays["X"], arrays["y"], len(arrays["y"]) // 4, True


class Case:
    """A data set as files, with its rows split in one of two ways."""

    def __init__(self, program, folder, x, y, held_out, scaled, has_folds):
        self.program, rng = program, np.random.RandomState(3)
        order = rng.permutation(len(y))
        train, held = order[held_out:], order[:held_out]
        save = lambda name, array: np.save(folder / name, np.ascontiguousarray(array, dtype=float))
        files = lambda names: [str(word) for name, flag in names for word in (flag, folder / name)]
        if has_folds:
            save("x.npy", x), save("y.npy", y), save("folds.npy", rng.permutation(len(y)) % 5)
            self.flags = files([("x.npy", "--x"), ("y.npy", "--y"), ("folds.npy", "--folds")])
        else:
            save("x.npy", x[train]), save("y.npy", y[train]), save("xv.npy", x[held]), save("yv.npy", y[held])
            self.flags = files([("x.npy", "--x"), ("y.npy", "--y"), ("xv.npy", "--x-val"), ("yv.npy", "--y-val")])
        if not scaled:
            self.flags += ["--no-intercept", "--no-standardize"]

    def run(self, command, *more):
        begin = time.perf_counter()
        words = [self.program, command, *self.flags, "--threads", "2", "--format", "json", *map(str, more)]
        result = subprocess.run(words, capture_output=True, text=True, check=True)
        return time.perf_counter() - begin, json.loads(result.stdout)

    def grid(self, bounds, count):
        """Seconds and the best criterion of a warm grid of about so many points, within the tuner's bounds."""
        rows = max(2, round((count / 4) ** 0.5))
        listed = lambda name, n: ",".join(repr(float(v)) for v in np.geomspace(*bounds[name], n))
        # As the tuner does: many l1, few l2.
        seconds, found = self.run("sweep", "--l1", listed("l1", 4 * rows), "--l2", listed("l2", rows), "--best", 1)
        return seconds, found["best"]["criterion"], 4 * rows * rows

    def long_search(self, bounds, seed):
        rng = np.random.RandomState(seed)
        at = lambda name, share: float(bounds[name][0] * (bounds[name][1] / bounds[name][0]) ** share)
        clip = lambda name, v: min(max(v, bounds[name][0]), bounds[name][1])
        start = lambda a, b, budget: self.run(
            "tune", "--start", f"l1={clip('l1', a)!r},l2={clip('l2', b)!r}", "--max-evaluations", budget)[1]["criterion"]
        values = [start(at("l1", rng.rand()), at("l2", rng.rand()), 50) for _ in range(10)]
        places = [(at("l1", i / 9), at("l2", j / 9)) for i in range(10) for j in range(10)]
        grid = sorted((start(a, b, 1), a, b) for a, b in places)
        return min(values + [start(a, b, 50) for _, a, b in grid[:6]])


def compare_with_grids(program, rounds, folder):
    misses, worst, few, seconds_of = [], {}, {}, {}
    for name, x, y, held_out, scaled in data_sets(folder):
        for has_folds in (False, True):
            with tempfile.TemporaryDirectory() as place:
                case = Case(program, Path(place), x, y, held_out, scaled, has_folds)
                runs = [case.run("tune") for _ in range(rounds)]
                seconds, tuned = statistics.median(run[0] for run in runs), runs[0][1]
                assert all(run[1]["criterion"] == tuned["criterion"] for run in runs), "not the same bits"
                _, small = case.run("tune", "--max-evaluations", 60)
                # A grid of the same time: its size from that of a first one.
                first, _, points = case.grid(tuned["bounds"], 400)
                _, _, few_points = case.grid(tuned["bounds"], 40)
                begin, _, _ = case.grid(tuned["bounds"], 40)
                per_point = max((first - begin) / (points - few_points), 1e-6)
                count = max(40, int((seconds - begin) / per_point))
                grids = [case.grid(tuned["bounds"], count) for _ in range(rounds)]
                grid_seconds, grid = statistics.median(g[0] for g in grids), grids[0][1]
                best = min(case.long_search(tuned["bounds"], 1), tuned["criterion"], small["criterion"], grid)
                of = lambda value: value / best - 1
                kind = ("folds" if has_folds else "hold-out", name.split()[0])
                worst[kind] = max(worst.get(kind, 0.0), of(tuned["criterion"]))
                few.setdefault(kind, []).append(of(small["criterion"]))
                seconds_of.setdefault(kind, []).append(seconds)
                above = tuned["criterion"] / grid - 1
                if above > 1e-4 or of(tuned["criterion"]) > 1e-4:
                    misses.append(name)
                print(f"{name}, {kind[0]}: {tuned['status']}, {tuned['evaluations']} evaluations, {1e3 * seconds:.0f} ms, "
                      f"excess {of(tuned['criterion']):.1e}; with 60: {of(small['criterion']):.1e}; grid of {grids[0][2]} "
                      f"points, {1e3 * grid_seconds:.0f} ms: {of(grid):.1e}", flush=True)
    for kind, excess in worst.items():
        within = sum(value < 1e-3 for value in few[kind])
        print(f"{kind[1]}, {kind[0]}: worst excess {excess:.1e}; with 60 evaluations {within} of {len(few[kind])} "
              f"within 1e-3; median of seconds {statistics.median(seconds_of[kind]):.3f}, largest {max(seconds_of[kind]):.3f}")
    print(f"misses: {misses or 'none'}")


def peers(x, y, folds):
    """name -> a function that returns (l1, l2) of its choice."""
    n = len(y)

    def elastic_net_cv():
        ratios = np.linspace(0.1, 1.0, 10)
        model = ElasticNetCV(l1_ratio=ratios, alphas=100, cv=PredefinedSplit(folds), n_jobs=2, fit_intercept=False)
        model.fit(x, y)
        return model.alpha_ * model.l1_ratio_, model.alpha_ * (1 - model.l1_ratio_)

    def tpe():
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        largest = np.abs(x.T @ y).max() / n

        def objective(trial):
            l1 = trial.suggest_float("l1", 1e-3 * largest, largest, log=True)
            l2 = trial.suggest_float("l2", 1e-4, 10.0, log=True)
            error = 0.0
            for fold in range(5):
                train = folds != fold
                model = ElasticNet(alpha=l1 + l2, l1_ratio=l1 / (l1 + l2), fit_intercept=False).fit(x[train], y[train])
                error += np.mean((model.predict(x[~train]) - y[~train]) ** 2)
            return error

        study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=0))
        study.optimize(objective, n_trials=100)
        return study.best_params["l1"], study.best_params["l2"]

    yield "ElasticNetCV 10 x 100", elastic_net_cv
    try:
        import optuna  # noqa: F401

        yield "Optuna TPE, 100 trials", tpe
    except ImportError:
        print("Optuna is not installed")


def compare_with_peers(program, rounds):
    for n, d in ((2000, 500), (500, 2000)):
        x, y = make_regression(n, d, n_informative=20, noise=50.0, random_state=0)
        with tempfile.TemporaryDirectory() as place:
            case = Case(program, Path(place), x, y, 0, False, True)
            folds = np.load(Path(place) / "folds.npy")
            runs = [case.run("tune") for _ in range(rounds)]
            seconds, tuned = statistics.median(run[0] for run in runs), runs[0][1]
            print(f"{n} x {d}: tune {seconds:.2f} s, criterion {tuned['criterion']:.6g}", flush=True)
            for name, peer in peers(x, y, folds):
                times = []
                for _ in range(rounds if name.startswith("Elastic") else 1):
                    begin = time.perf_counter()
                    l1, l2 = peer()
                    times.append(time.perf_counter() - begin)
                _, at = case.run("sweep", "--l1", repr(float(l1)), "--l2", repr(float(l2)))
                theirs = at["best"]["criterion"]
                print(f"  {name}: {statistics.median(times):.2f} s, ratio {statistics.median(times) / seconds:.1f}; criterion "
                      f"{theirs:.6g}, {theirs / tuned['criterion'] - 1:+.1e} of the tuner's", flush=True)


def main():
    program = str(Path(sys.argv[1]).resolve())
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    folder = sys.argv[3] if len(sys.argv) > 3 else None
    print(f"scikit-learn {sklearn.__version__}, NumPy {np.__version__}, medians of {rounds} rounds, {os.cpu_count()} cores")
    compare_with_peers(program, rounds)
    compare_with_grids(program, rounds, folder)


main()
