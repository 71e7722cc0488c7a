"""Sweeps: a grid of strengths times folds, in this process or by the workers of an executor."""

from __future__ import annotations

import os
import shutil
import tempfile
import warnings
import weakref
from concurrent.futures import FIRST_COMPLETED, wait
from dataclasses import dataclass
from numbers import Integral
from pathlib import Path

import numpy as np

from . import _proxdiff
from ._convert import count_of, n_threads_of, settings, splits_of_rows, word
from ._core import _HYPERPARAMETERS, Problem, _inputs
from ._progress import Progress
from ._table import Tabular, html

#: What the criterion of a cell is differentiated in.
_OF_CELLS = {name: _HYPERPARAMETERS[name] for name in ("l1", "l2", "bounds")}
#: How often the work of a lost worker is handed out again.
_ATTEMPTS = 3


@dataclass(repr=False)
class Sweep(Tabular):
    """What a sweep has found: arrays with one row a point, and one column a fold.

    `criterion` and `standard_error` are of the mean over folds; `by_fold` has the criterion, its derivatives,
    diagnostics and metrics of every fold as arrays (points, folds), NaN where a cell is not done. `best` and
    `one_standard_error` are the numbers of the chosen points, one a target, None where there is none. `store` is the
    file that keeps it all; one that no caller has named goes with this object.
    """

    l1: np.ndarray
    l2: np.ndarray
    target: np.ndarray
    criterion: np.ndarray
    standard_error: np.ndarray
    status: np.ndarray
    failed_folds: np.ndarray
    means: dict[str, np.ndarray]
    by_fold: dict[str, np.ndarray]
    best: list
    one_standard_error: list
    folds: list
    targets: list
    cells_done: int
    store: Path | None = None
    alpha: np.ndarray | None = None
    l1_ratio: np.ndarray | None = None
    coef: np.ndarray | None = None
    intercept: np.ndarray | None = None

    def __len__(self):
        return len(self.l1)

    def __repr__(self):
        cells = len(self) * len(self.folds)
        return f"Sweep({len(self)} points, {len(self.folds)} folds, {self.cells_done} of {cells} cells done)"

    def __getstate__(self):
        state = dict(vars(self))
        if state.pop("_temporary", None) is not None:
            # The file ends with the process.
            state["store"] = None
        return state

    @property
    def is_complete(self):
        """Whether every cell is done."""
        return self.cells_done == len(self) * len(self.folds)

    def point(self, at):
        """A point's numbers by name: strengths, mean criterion, standard error, diagnostics, metrics."""
        return {name: column[at] for name, column in self.table().items()}

    def table(self):
        """The columns of one number a point, by name."""
        columns = {"target": self.target}
        for name in ("alpha", "l1_ratio", "l1", "l2"):
            if getattr(self, name) is not None:
                columns[name] = getattr(self, name)
        columns |= {"criterion": self.criterion, "standard_error": self.standard_error}
        columns |= {name: part for name, part in self.means.items() if name != "criterion"}
        return columns | {"status": self.status, "failed_folds": self.failed_folds}

    def report(self, folder):
        """Writes a report with its charts into a folder, and returns the path of its page."""
        if self.store is None:
            raise ValueError("report: the sweep's store is gone; name one with store=, and read it with read_sweep")
        _proxdiff.report(os.fspath(self.store), os.fspath(folder))
        return Path(folder) / "report.html"

    def _repr_html_(self):
        order = np.argsort(np.where(np.isnan(self.criterion), np.inf, self.criterion), kind="stable")
        marks = {at: "one standard error" for at in self.one_standard_error if at is not None}
        marks |= {at: "best" for at in self.best if at is not None}
        columns = self.table()
        shown = [name for name in columns if name not in ("target",) or len(self.targets) > 1]
        table = {name: columns[name][order] for name in shown}
        table["chosen"] = np.array([marks.get(at, "") for at in order.tolist()], dtype=object)
        return f"<p>{self!r}</p>" + html(table, 20)


def read_sweep(store):
    """What a store has: that of `sweep(..., store=)`, or of `proxdiff sweep --store`."""
    return _read(Path(store), None)


def _read(store, problem, temporary=None):
    found = _proxdiff.read_sweep(os.fspath(store))
    solution = found.pop("solution", None)
    means = {name: np.asarray(part) for name, part in found.pop("means").items()}
    # Before anything is done nothing is known, and that is.
    unknown = np.full((len(found["l1"]), len(found["folds"])), np.nan)
    sweep = Sweep(
        criterion=means.get("criterion", np.full(len(found["l1"]), np.nan)),
        means=means,
        by_fold={"criterion": unknown} | {name: np.asarray(part) for name, part in found.pop("by_fold").items()},
        status=np.asarray(found.pop("status"), dtype=object),
        store=store,
        **found,
    )
    if temporary is not None:
        sweep._temporary = temporary
        weakref.finalize(sweep, shutil.rmtree, temporary, ignore_errors=True)
    if solution is not None and problem is not None:
        width = problem.shape[1] * problem.n_classes
        flat = solution.reshape(-1, solution.shape[2])
        shape = solution.shape[:2]
        coef, intercept = problem._coef(flat[:, :width]), problem._intercept(flat[:, width:])
        sweep.coef = coef.reshape(*shape, *coef.shape[1:])
        sweep.intercept = intercept.reshape(*shape, *intercept.shape[1:])
    return sweep


class _Task:
    """A sweep for the workers: what states it, and its plan, an empty store; each worker states it once."""

    def __init__(self, stated, planned):
        self.stated = stated
        self.planned = planned
        self.key = os.urandom(16)


#: The sweep that this worker has stated last, by its key.
_stated: dict[bytes, _proxdiff.Sweep] = {}


def _shard(task, index, count):
    """The store of a shard, as bytes: the work of a worker."""
    sweep = _stated.get(task.key)
    if sweep is None:
        _stated.clear()
        sweep = _stated[task.key] = _proxdiff.Sweep(*task.stated)
    with tempfile.TemporaryDirectory(prefix="proxdiff-") as folder:
        store = Path(folder) / "shard.db"
        store.write_bytes(task.planned)
        sweep.run(os.fspath(store), (index, count), None)
        return store.read_bytes()


def _axis(values, name):
    """An axis for the compiled part: a text such as "frac:1:0.001:64", or numbers."""
    if values is None or isinstance(values, str):
        return values
    try:
        return np.atleast_1d(np.asarray(values, dtype=np.float64)).ravel().tolist()
    except (TypeError, ValueError):
        raise ValueError(f"{name}: {values!r} does not fit; give numbers, or a text such as 'log:1e-3:1:20'") from None


def _folds(cv, seed, problem):
    """Folds for the compiled part: None, a number and a seed, or splits."""
    if cv is None:
        return None
    if isinstance(cv, Integral) and not isinstance(cv, bool):
        return count_of(cv, "cv", "folds", "give 2 or more, a splitter, or pairs of row numbers"), seed
    n = problem.shape[0]
    if hasattr(cv, "split") and not isinstance(cv, str):
        cv = cv.split(np.zeros((n, 1)), problem._statement["y"][0])
    return splits_of_rows(cv, n)


def sweep(
    problem,
    l1=None,
    l2=None,
    *,
    alpha=None,
    l1_ratio=None,
    search="grid",
    samples=64,
    seed=0,
    cv=None,
    wrt=(),
    method=None,
    solver="auto",
    tol=None,
    max_iter=100_000,
    keep_coefficients=False,
    store=None,
    executor=None,
    shards=None,
    progress=False,
    n_threads=None,
):
    """The criterion at all points of a space of strengths, over folds.

    Parameters
    ----------
    problem : Problem
    l1, l2 : number, array, or text
        The values of each strength, of which all pairs are taken; texts are those of the command line, such as
        "frac:1:0.001:64", 64 values from the smallest l1 whose coefficients are zero down to a thousandth of it.
        That is the default of l1; that of l2 is 0.
    alpha, l1_ratio : the same in place of them: l1 = alpha l1_ratio, l2 = alpha (1 − l1_ratio)
    search : {"grid", "random", "sobol"}
        "random" and "sobol" take `samples` points between the values.
    cv : None, a number, a splitter, or pairs of row numbers
        None takes the problem's own criterion; a number deals the rows at random by `seed`.
    wrt, method : as in `hypergradient`: what the criterion is differentiated in ("l1", "l2", "bounds"), and how
    keep_coefficients : bool
        Also keep the coefficients, as `coef` (points, folds, d) and `intercept`.
    store : path, optional
        The SQLite file that keeps the results. A sweep whose store is there goes on where it stopped.
    executor : concurrent.futures.Executor, or a function that makes one, optional
        Shards of the plan are run by its workers, each with a store of its own, which are merged. Shards of a worker
        that is lost are done again: by the same executor, by a new one where a function makes them, else here.
    shards : int, optional
        How many shards; by default four a worker.
    progress : bool
        Show how far it is.
    n_threads : int, optional
        Threads of this process; of each worker, by default one.
    """
    if not isinstance(problem, Problem):
        raise ValueError("problem: give a proxdiff.Problem, which states rows, loss and penalty")
    if wrt and method is None:
        method = "aid-cg"
    given = problem.n_threads if n_threads is None else n_threads
    options = settings(
        method=method,
        wrt=_inputs(wrt, _OF_CELLS) or (["l1", "l2"] if method is not None else []),
        solver=solver,
        tol=tol,
        max_iter=max_iter,
        n_threads=given,
    )
    space = {
        "l1": _axis(l1, "l1"),
        "l2": _axis(l2, "l2"),
        "alpha": _axis(alpha, "alpha"),
        "l1_ratio": _axis(l1_ratio, "l1_ratio"),
        "search": word(search, "search"),
        "samples": count_of(samples, "samples", "points"),
        "seed": _seed(seed),
    }
    targets = ["y"] if problem.n_targets == 1 else [f"y{at}" for at in range(problem.n_targets)]
    folds = _folds(cv, space["seed"], problem)
    stated = [
        problem._statement,
        folds,
        space,
        options,
        bool(keep_coefficients),
        (problem.loss, targets, problem.is_compressed),
    ]
    temporary = None
    if store is None:
        temporary = tempfile.mkdtemp(prefix="proxdiff-")
        store = Path(temporary) / "sweep.db"
    store = Path(store)
    try:
        own = _proxdiff.Sweep(*stated)
        units, cells = own.plan(os.fspath(store))
        with Progress(progress, cells, "cells") as shown:
            if executor is None:
                own.run(os.fspath(store), (0, 1), shown.at if progress else None)
            else:
                del own
                # A worker has one thread unless more are asked for: its neighbours have the other cores.
                stated[3] = options | {"n_threads": 1 if given is None else n_threads_of(given)}
                _distributed(stated, store, units, executor, shards, shown)
        return _read(store, problem, temporary)
    except BaseException:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)
        raise


def _seed(seed):
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or not 0 <= seed < 2**64:
        raise ValueError(f"seed: {seed!r} does not fit; give a whole number of zero or more")
    return int(seed)


def _distributed(stated, store, units, executor, shards, shown):
    """Shards of a planned sweep run by an executor, and merged into the store."""
    make = None
    if not hasattr(executor, "submit"):
        if not callable(executor):
            raise ValueError("executor: it has no submit; give one of concurrent.futures, or a function that makes one")
        make, executor = executor, executor()
        if not hasattr(executor, "submit"):
            raise ValueError("executor: the function makes something without submit; make one of concurrent.futures")
    workers = getattr(executor, "_max_workers", None)
    count = 4 * workers if isinstance(workers, int) and workers > 0 else 32
    count = min(count if shards is None else count_of(shards, "shards", "shards"), max(units, 1))
    task = _Task(stated, store.read_bytes())
    with tempfile.TemporaryDirectory(prefix="proxdiff-") as folder:
        pool = _Pool(task, count, executor, make, Path(folder), shown)
        try:
            pool.run()
        finally:
            # Whatever ends it: what is done is kept.
            done = sorted(map(os.fspath, Path(folder).glob("*.db")))
            if done:
                _proxdiff.merge_stores(done, os.fspath(store))


class _Pool:
    """Shards that are handed to an executor until each is done."""

    def __init__(self, task, count, executor, make, folder, shown):
        self.task, self.count, self.executor, self.make = task, count, executor, make
        self.folder, self.shown = folder, shown
        self.attempts = dict.fromkeys(range(count), 0)
        self.is_own = make is not None

    def run(self):
        """Hands out shards, and those of lost workers again."""
        running = {}
        try:
            lost = self._submit(range(self.count), running)
            while running or lost:
                lost += self._collect(running)
                if lost and not running:
                    lost = self._again(lost, running)
        finally:
            for future in running:
                future.cancel()
            if self.is_own:
                self.executor.shutdown(wait=False, cancel_futures=True)

    def _submit(self, shards, running):
        """Hands shards out; those that the executor does not take any more are returned."""
        lost = []
        for shard in shards:
            try:
                running[self.executor.submit(_shard, self.task, shard, self.count)] = shard
            except Exception as error:
                lost.append((shard, error))
        return lost

    def _collect(self, running):
        """Waits for a shard; returns those that were lost with what happened."""
        if not running:
            return []
        done = _wait(list(running))
        lost = []
        for future in done:
            shard = running.pop(future)
            try:
                found = future.result()
            except (ValueError, OSError) as error:
                if isinstance(error, ConnectionError):
                    lost.append((shard, error))
                    continue
                # Of the sweep itself: it would fail anywhere.
                raise
            except Exception as error:
                lost.append((shard, error))
            else:
                self._keep(shard, found)
        return lost

    def _keep(self, shard, found):
        path = self.folder / f"{shard}.db"
        path.write_bytes(found)
        self.shown.share(1 / self.count)

    def _again(self, lost, running):
        """Hands lost shards out again, or does them here."""
        names = sorted({type(error).__name__ for _, error in lost})
        for shard, error in lost:
            self.attempts[shard] += 1
            if self.attempts[shard] >= _ATTEMPTS:
                raise RuntimeError(
                    f"executor: shard {shard} of {self.count} was lost {_ATTEMPTS} times ({type(error).__name__}: "
                    f"{error}); give its workers more memory, or more shards="
                ) from error
        warnings.warn(
            f"workers were lost ({', '.join(names)}): {len(lost)} of {self.count} shards are done again",
            stacklevel=6,
        )
        if self.make is not None:
            self.executor.shutdown(wait=False, cancel_futures=True)
            self.executor = self.make()
        again = self._submit([shard for shard, _ in lost], running)
        if self.make is None:
            # An executor that is broken takes nothing: the rest is done here.
            for shard, _ in again:
                self._keep(shard, _shard(self.task, shard, self.count))
            return []
        return again


def _wait(futures):
    """Those of some futures that are done, one at least; Ctrl-C comes through."""
    try:
        return wait(futures, return_when=FIRST_COMPLETED).done
    except (AttributeError, TypeError):
        # Futures of another kind, such as an adapter's.
        done = [future for future in futures if future.done()]
        return done or [futures[0]]
