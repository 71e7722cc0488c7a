"""Sweeps: their numbers, stores, reports, and executors that lose workers."""

import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from itertools import product
from multiprocessing import get_context

import numpy as np
import pytest
from sklearn.model_selection import KFold, ShuffleSplit, TimeSeriesSplit

import proxdiff

L1, L2 = [0.3, 0.1, 0.03, 0.01], [0.0, 0.1]


@pytest.fixture(scope="module")
def rows():
    generator = np.random.default_rng(21)
    X = generator.normal(size=(90, 6)) + generator.normal(size=6)
    return X, X[:, 0] - 2 * X[:, 1] + 0.5 * generator.normal(size=90)


@pytest.fixture(scope="module")
def problem(rows):
    return proxdiff.Problem(*rows)


def processes(count, kind=ProcessPoolExecutor):
    """Processes that are started anew: JAX, where another test has imported it, forbids forks."""
    return kind(count, mp_context=get_context("spawn"))


def same(a, b):
    """Whether two sweeps have the same bits."""
    assert a.by_fold.keys() == b.by_fold.keys() and a.best == b.best and a.one_standard_error == b.one_standard_error
    return all(a.by_fold[name].tobytes() == b.by_fold[name].tobytes() for name in a.by_fold)


def test_cells_are_those_of_problems_on_the_folds(rows, problem):
    X, y = rows
    splits = list(KFold(4).split(X))
    found = proxdiff.sweep(problem, L1, L2, cv=splits, wrt=("l1", "l2"), keep_coefficients=True)
    assert len(found) == 8 and found.is_complete and found.by_fold["criterion"].shape == (8, 4)
    assert list(zip(found.l1, found.l2, strict=True)) == list(product(L1, L2))
    for fold, (train, test) in enumerate(splits):
        own = proxdiff.Problem(X[train], y[train], validation=(X[test], y[test]))
        expected = proxdiff.hypergradient(own, found.l1, found.l2)
        np.testing.assert_allclose(found.by_fold["criterion"][:, fold], expected.criterion, rtol=1e-10)
        np.testing.assert_allclose(
            found.by_fold["hypergradient_l1"][:, fold], expected.hypergradient["l1"], rtol=1e-6, atol=1e-10
        )
        np.testing.assert_allclose(found.coef[:, fold], expected.coef, atol=1e-10)
        np.testing.assert_allclose(found.intercept[:, fold], expected.intercept, atol=1e-10)
        errors = y[test] - (X[test] @ found.coef[0, fold] + found.intercept[0, fold])
        assert found.by_fold["mae"][0, fold] == pytest.approx(np.abs(errors).mean(), rel=1e-10)
    criteria = found.by_fold["criterion"]
    np.testing.assert_allclose(found.criterion, criteria.mean(axis=1), rtol=1e-14)
    np.testing.assert_allclose(found.standard_error, criteria.std(axis=1, ddof=1) / 2, rtol=1e-10)
    assert found.best == [int(found.criterion.argmin())]
    limit = found.criterion.min() + found.standard_error[found.best[0]]
    assert found.criterion[found.one_standard_error[0]] <= limit


def test_a_sweep_is_that_of_the_command_line(rows, problem, tmp_path):
    X, y = rows
    np.save(tmp_path / "x.npy", X)
    np.save(tmp_path / "y.npy", y)
    words = "sweep --x x.npy --y y.npy --cv 4 --seed 7 --l1 frac:1:0.01:9 --l2 0,0.1 --store s.db --method aid-cg"
    program = [sys.executable, "-m", "proxdiff", *words.split()]
    done = subprocess.run(program, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    theirs = proxdiff.read_sweep(tmp_path / "s.db")
    own = proxdiff.sweep(problem, "frac:1:0.01:9", [0.0, 0.1], cv=4, seed=7, method="aid-cg")
    assert same(own, theirs) and own.l1.tobytes() == theirs.l1.tobytes() and len(own) == 18


def test_spaces(problem):
    plain = proxdiff.sweep(problem, cv=3)
    assert len(plain) == 64 and (plain.l2 == 0).all()
    assert plain.l1[0] == pytest.approx(problem.l1_max()) and plain.l1[-1] == pytest.approx(problem.l1_max() / 1000)
    ratios = proxdiff.sweep(problem, alpha=[0.2, 0.1], l1_ratio=[0.5, 1.0], cv=3)
    np.testing.assert_allclose(ratios.l1, ratios.alpha * ratios.l1_ratio)
    np.testing.assert_allclose(ratios.l2, ratios.alpha * (1 - ratios.l1_ratio))
    random = proxdiff.sweep(problem, "log:0.01:1:2", "log:0.01:1:2", search="sobol", samples=20, seed=3, cv=3)
    assert len(random) == 20 and len(set(random.l1)) == 20


def test_rows_of_a_problem_s_own_criterion_and_several_targets(rows):
    X, y = rows
    held_out = proxdiff.Problem(X[:60], y[:60], validation=(X[60:], y[60:]))
    found = proxdiff.sweep(held_out, L1)
    np.testing.assert_allclose(found.criterion, held_out.solve(L1).criterion, rtol=1e-10)
    assert np.isnan(found.standard_error).all() and found.one_standard_error == [None]
    both = proxdiff.sweep(proxdiff.Problem(X, np.c_[y, -y]), L1, cv=3)
    assert both.target.tolist() == [0] * 4 + [1] * 4 and len(both.best) == 2
    np.testing.assert_allclose(both.criterion[:4], both.criterion[4:], rtol=1e-10)


def test_splits_of_other_kinds(rows, problem):
    X, y = rows
    in_time = proxdiff.sweep(problem, L1, cv=TimeSeriesSplit(3))
    train, test = list(TimeSeriesSplit(3).split(X))[0]
    own = proxdiff.Problem(X[train], y[train], validation=(X[test], y[test]))
    np.testing.assert_allclose(in_time.by_fold["criterion"][:, 0], own.solve(L1).criterion, rtol=1e-10)
    assert np.isfinite(in_time.standard_error).all()
    overlapping = proxdiff.sweep(problem, L1, cv=ShuffleSplit(3, random_state=0))
    assert overlapping.by_fold["criterion"].shape == (4, 3)


def test_a_store_goes_on(rows, problem, tmp_path):
    store = tmp_path / "s.db"
    first = proxdiff.sweep(problem, L1, L2, cv=4, store=store)
    changed = store.stat().st_mtime_ns
    told = []
    again = proxdiff.sweep(problem, L1, L2, cv=4, store=store)
    assert same(first, again) and same(first, proxdiff.read_sweep(store)) and not told
    assert changed <= store.stat().st_mtime_ns
    X, y = rows
    with pytest.raises(OSError, match="store") as refused:
        proxdiff.sweep(proxdiff.Problem(X, y + 1), L1, L2, cv=4, store=store)
    assert "--" not in str(refused.value)
    with pytest.raises(OSError, match="no such store"):
        proxdiff.read_sweep(tmp_path / "none.db")


def test_an_interrupted_sweep_keeps_what_is_done(tmp_path):
    generator = np.random.default_rng(0)
    X = generator.normal(size=(400, 50))
    problem = proxdiff.Problem(X, np.sign(X[:, 0] + generator.normal(size=400)), loss="logistic", n_threads=1)
    store = tmp_path / "s.db"
    arguments = {"l1": "frac:1:0.001:40", "l2": np.geomspace(1e-4, 1, 400), "cv": 10, "store": store}

    def interrupt():
        while not (store.exists() and done()):
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)

    def done():
        try:
            return proxdiff.read_sweep(store).cells_done
        except OSError:
            # It is being made.
            return 0

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        proxdiff.sweep(problem, **arguments)
    thread.join()
    kept = proxdiff.read_sweep(store)
    assert not kept.is_complete and kept.cells_done == np.isfinite(kept.by_fold["criterion"]).sum()
    assert set(kept.status) <= {"unfinished", "converged"}


def test_tables_reports_and_pickles(problem, tmp_path):
    found = proxdiff.sweep(problem, L1, L2, cv=4)
    store = found.store
    page = found.report(tmp_path / "report")
    assert page.read_text().count("<svg") >= 1
    html = found._repr_html_()
    assert html.count("<tr>") == 9 and "best" in html and "8 points, 4 folds, 32 of 32 cells" in html
    at = found.point(found.best[0])
    assert at["criterion"] == found.criterion.min() and at["status"] == "converged" and at["mse"] > 0
    copy = pickle.loads(pickle.dumps(found))
    assert same(copy, found) and copy.store is None
    with pytest.raises(ValueError, match="report: the sweep's store is gone"):
        copy.report(tmp_path / "other")
    del found
    assert not store.exists()


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_frames(library, problem):
    pytest.importorskip(library)
    found = proxdiff.sweep(problem, L1, L2, cv=4)
    table = found.to_pandas() if library == "pandas" else found.to_polars()
    assert table.shape[0] == 8 and table["l1"].to_list() == found.l1.tolist()
    assert table["status"].to_list() == ["converged"] * 8


@pytest.mark.parametrize("make", [lambda: processes(2), lambda: ThreadPoolExecutor(2)])
def test_workers_find_the_same(make, problem):
    expected = proxdiff.sweep(problem, L1, L2, cv=4, wrt="l1", keep_coefficients=True)
    with make() as executor:
        found = proxdiff.sweep(problem, L1, L2, cv=4, wrt="l1", keep_coefficients=True, executor=executor, shards=3)
    assert same(found, expected) and found.coef.tobytes() == expected.coef.tobytes()


def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)


class Deadly(ProcessPoolExecutor):
    """Processes of which one is killed by a task, once."""

    deaths = 0

    def submit(self, work, *arguments):
        if arguments[1] == 1 and not Deadly.deaths:
            Deadly.deaths += 1
            return super().submit(die, *arguments)
        return super().submit(work, *arguments)


@pytest.mark.parametrize("is_made_again", [True, False])
def test_the_shards_of_a_killed_worker_are_done_again(is_made_again, problem):
    expected = proxdiff.sweep(problem, L1, L2, cv=4)
    Deadly.deaths = 0
    executor = (lambda: processes(2, Deadly)) if is_made_again else processes(2, Deadly)
    with pytest.warns(UserWarning, match="BrokenProcessPool.* shards are done again"):
        found = proxdiff.sweep(problem, L1, L2, cv=4, executor=executor, shards=4)
    assert Deadly.deaths == 1 and found.is_complete and same(found, expected)


class Forgetful(Executor):
    """An executor in this process that loses the first tasks."""

    def __init__(self, losses, fault=RuntimeError):
        self.losses, self.fault = losses, fault

    def submit(self, work, *arguments):
        future = Future()
        if self.losses > 0:
            self.losses -= 1
            future.set_exception(self.fault("the worker is gone"))
        else:
            try:
                future.set_result(work(*arguments))
            except Exception as error:
                future.set_exception(error)
        return future


def test_lost_shards_are_handed_out_again_and_not_for_ever(problem, tmp_path):
    expected = proxdiff.sweep(problem, L1, L2, cv=4)
    with pytest.warns(UserWarning, match="RuntimeError.*: 2 of 3 shards"):
        found = proxdiff.sweep(problem, L1, L2, cv=4, executor=Forgetful(2), shards=3)
    assert same(found, expected)
    with pytest.warns(UserWarning, match="ConnectionError"):
        proxdiff.sweep(problem, L1, L2, cv=4, executor=Forgetful(1, ConnectionError), shards=3)
    store = tmp_path / "s.db"
    with pytest.warns(UserWarning), pytest.raises(RuntimeError, match="shard 0 of 1 was lost 3 times"):
        proxdiff.sweep(problem, L1, L2, cv=4, executor=Forgetful(99), shards=1, store=store)
    # What the store has is not done again.
    assert proxdiff.read_sweep(store).cells_done == 0
    assert same(proxdiff.sweep(problem, L1, L2, cv=4, store=store, executor=Forgetful(0)), expected)


def test_a_cluster_of_dask_loses_a_worker(problem):
    distributed = pytest.importorskip("distributed")
    expected = proxdiff.sweep(problem, L1, L2, cv=4)
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        distributed.Client(cluster) as client,
    ):
        pids = client.run(os.getpid)
        threading.Timer(0.2, os.kill, (next(iter(pids.values())), signal.SIGKILL)).start()
        found = proxdiff.sweep(problem, L1, L2, cv=4, executor=client.get_executor(), shards=8)
    assert same(found, expected)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"l1": "frac:two"}, "l1: "),
        ({"l1": [-1.0]}, "l1: a value is negative"),
        ({"l1": [np.nan]}, "l1: a value is negative or not finite"),
        ({"l1": object()}, "l1: .* does not fit"),
        ({"l1": []}, "give"),
        ({"alpha": 1.0, "l1": 1.0}, "alpha: it stands in place of l1 and l2"),
        ({"l1_ratio": 0.5}, "l1_ratio: it is a share of alpha"),
        ({"alpha": 1.0, "l1_ratio": 2.0}, "l1.ratio"),
        ({"search": "best"}, "search: 'best' is not known; give one of grid, random, sobol"),
        ({"search": 3}, "search: '3' is not known"),
        ({"search": "random", "samples": 0}, "samples: 0 is no number of points"),
        ({"seed": -1}, "seed: -1 does not fit"),
        ({"cv": 1}, "cv: 1 folds of 90 rows"),
        ({"cv": 91}, "cv: 91 folds of 90 rows"),
        ({"cv": "five"}, "cv: give pairs"),
        ({"cv": [([0, 0, 1], [2])]}, "cv: split 0 names a row twice"),
        ({"cv": [([0, 1], [90])]}, "cv: give row numbers from 0 to 89"),
        ({"wrt": "sample_weight"}, "wrt: 'sample_weight' is not known; give names of l1, l2, bounds"),
        ({"executor": 3}, "executor: it has no submit"),
        ({"executor": lambda: 3}, "executor: the function makes something without submit"),
        ({"executor": ThreadPoolExecutor(1), "shards": 0}, "shards: 0 is no number of shards"),
        ({"n_threads": 0}, "n_threads: 0 is no number"),
    ],
)
def test_what_does_not_fit(problem, arguments, sentence):
    with pytest.raises(ValueError, match=sentence) as refused:
        proxdiff.sweep(problem, **({"cv": 3} | arguments))
    assert "--" not in str(refused.value)


def test_a_sweep_needs_a_problem(rows):
    with pytest.raises(ValueError, match=r"problem: give a proxdiff\.Problem"):
        proxdiff.sweep(rows[0], 0.1)


def test_progress(problem, capsys, monkeypatch):
    pytest.importorskip("numpy")
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    proxdiff.sweep(problem, L1, L2, cv=4, progress=True)
    assert "cells" in capsys.readouterr().err
    proxdiff.sweep(problem, L1, L2, cv=4, progress=True, executor=Forgetful(0), shards=4)
    assert "100 % | 32 of 32 cells" in capsys.readouterr().err
