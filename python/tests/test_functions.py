"""The function interface: batches, hypergradients, products with derivatives, bad input, interruption, threads."""

import json
import os
import pickle
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
import scipy.sparse

import proxdiff


@pytest.fixture
def rows():
    generator = np.random.default_rng(3)
    X = generator.normal(size=(60, 8)) + generator.normal(size=8)
    y = X[:, 0] - 2 * X[:, 1] + 0.3 * generator.normal(size=60) + 1.5
    return X, y


def objective(X, y, w, b, l1, l2):
    return ((y - X @ w - b) ** 2).mean() / 2 + l1 * np.abs(w).sum() + l2 / 2 * (w**2).sum()


def test_a_batch_has_one_row_a_point(rows):
    X, y = rows
    problem = proxdiff.Problem(X, y, standardize=False)
    found = proxdiff.solve(problem, [0.5, 0.1, 0.02], 0.01)
    assert found.coef.shape == (3, 8) and found.intercept.shape == (3,)
    assert (found.status == "converged").all() and len(found) == 3
    for at, l1 in enumerate([0.5, 0.1, 0.02]):
        alone = proxdiff.solve(problem, l1, 0.01)
        assert alone.coef.tobytes() == found.coef[at].tobytes()
        expected = objective(X, y, found.coef[at], found.intercept[at], l1, 0.01)
        assert found.objective[at] == pytest.approx(expected, rel=1e-12)
    assert (found.duality_gap < 1e-12).all()
    assert problem.l1_max() == pytest.approx(
        np.abs(X.T @ (y - y.mean()) / 60 - X.mean(0) * (y - y.mean()).mean()).max()
    )


def test_layouts_dtypes_and_sparse_rows_are_the_same_problem(rows, tmp_path):
    X, y = rows
    X[np.abs(X) < 0.5] = 0
    expected = proxdiff.solve(proxdiff.Problem(X, y), 0.1, 0.1)
    wide = np.zeros((60, 16))
    wide[:, ::2] = X
    read_only = X.copy()
    read_only.flags.writeable = False
    np.save(tmp_path / "x.npy", X)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    for same in (np.asfortranarray(X), wide[:, ::2], read_only, mapped, X.tolist()):
        assert proxdiff.solve(proxdiff.Problem(same, y), 0.1, 0.1).coef.tobytes() == expected.coef.tobytes()
    for kind in (scipy.sparse.csr_array, scipy.sparse.csc_matrix, scipy.sparse.coo_array):
        found = proxdiff.solve(proxdiff.Problem(kind(X), y), 0.1, 0.1)
        np.testing.assert_allclose(found.coef, expected.coef, rtol=1e-10)
    doubled = scipy.sparse.coo_array(
        (np.r_[X[X != 0] / 2, X[X != 0] / 2], np.c_[np.nonzero(X), np.nonzero(X)]), X.shape
    )
    np.testing.assert_allclose(proxdiff.solve(proxdiff.Problem(doubled, y), 0.1, 0.1).coef, expected.coef, rtol=1e-10)
    single = X.astype(np.float32)
    found = proxdiff.solve(proxdiff.Problem(single, y), 0.1, 0.1)
    same = proxdiff.solve(proxdiff.Problem(single.astype(float), y), 0.1, 0.1)
    assert found.coef.tobytes() == same.coef.tobytes()


def test_targets_priors_and_weights_of_points(rows):
    X, y = rows
    both = proxdiff.Problem(X, np.c_[y, -2 * y])
    found = proxdiff.solve(both, [0.1, 0.2], 0.1, target=[0, 1])
    np.testing.assert_allclose(found.coef[1], -2 * found.coef[0], rtol=1e-9)
    problem = proxdiff.Problem(X, y, standardize=False)
    weights = np.r_[np.ones(30), np.zeros(30)]
    half = proxdiff.solve(proxdiff.Problem(X[:30], y[:30], standardize=False), 0.1, 0.1)
    own = proxdiff.solve(problem, 0.1, 0.1, sample_weight=weights)
    np.testing.assert_allclose(own.coef, half.coef, rtol=1e-9)
    np.testing.assert_allclose(own.intercept, half.intercept, rtol=1e-9)
    prior = np.arange(8.0)
    pulled = proxdiff.solve(problem, 0.0, 1e9, prior=prior)
    np.testing.assert_allclose(pulled.coef[0], prior, atol=1e-6)
    scaled = proxdiff.Problem(X, y, prior=prior)
    np.testing.assert_allclose(proxdiff.solve(scaled, 0.0, 1e9).coef[0], prior, atol=1e-6)


def differences(f, at, step=1e-5):
    at = np.atleast_1d(np.asarray(at, dtype=float))
    out = np.empty(at.shape)
    for index in np.ndindex(at.shape):
        up, down = at.copy(), at.copy()
        up[index] += step
        down[index] -= step
        out[index] = (f(up) - f(down)) / (2 * step)
    return out


@pytest.mark.parametrize("method", ["aid-cg", "direct", "aid-fp", "itd-reverse"])
def test_hypergradients_are_those_of_finite_differences(rows, method):
    X, y = rows
    problem = proxdiff.Problem(X[:40], y[:40], validation=(X[40:], y[40:]))

    def criterion(at):
        return proxdiff.solve(problem, at[0], at[1]).criterion[0]

    found = proxdiff.hypergradient(problem, [0.1, 0.2], 0.05, method=method)
    for point, l1 in enumerate([0.1, 0.2]):
        expected = differences(criterion, [l1, 0.05])
        got = [found.hypergradient["l1"][point], found.hypergradient["l2"][point]]
        np.testing.assert_allclose(got, expected, rtol=1e-6)
    assert found.hypergradient["l1"].shape == (2,)
    assert found.certified.all() == (method != "none")


def test_the_hypergradient_of_sparse_logistic_regression_to_eight_digits():
    generator = np.random.default_rng(0)
    X = generator.normal(size=(80, 12))
    y = np.sign(X[:, 0] - X[:, 1] + 0.5 * generator.normal(size=80))
    problem = proxdiff.Problem(
        X[:50], y[:50], loss="logistic", validation=(X[50:], y[50:]), fit_intercept=False, standardize=False
    )

    def criterion(at):
        # In log l1.
        return proxdiff.solve(problem, np.exp(at[0])).criterion[0]

    at = np.log(0.1 * problem.l1_max())
    found = proxdiff.hypergradient(problem, np.exp(at))
    assert 2 < found.support[0] < 12 and found.kink_margin[0] > 1e-4
    assert found.hypergradient["l1"][0] * np.exp(at) == pytest.approx(differences(criterion, at)[0], abs=1e-8)


def test_derivatives_in_vectors_of_weights_and_priors(rows):
    X, y = rows
    problem = proxdiff.Problem(
        X[:40], y[:40], validation=(X[40:], y[40:]), strengths=np.ones(8), sample_weight=np.linspace(1, 2, 40)
    )
    strengths = np.linspace(0.05, 0.2, 8)
    found = proxdiff.hypergradient(problem, strengths[None], 0.05, wrt=("l1", "sample_weight", "prior"))
    assert found.hypergradient["l1"].shape == (1, 8)
    assert found.hypergradient["sample_weight"].shape == (1, 40)
    expected = differences(lambda at: proxdiff.solve(problem, at[None], 0.05).criterion[0], strengths)
    np.testing.assert_allclose(found.hypergradient["l1"][0], expected, rtol=1e-5, atol=1e-9)
    prior = differences(lambda at: proxdiff.solve(problem, strengths[None], 0.05, prior=at).criterion[0], np.zeros(8))
    np.testing.assert_allclose(found.hypergradient["prior"][0], prior, rtol=1e-5, atol=1e-9)


def test_frames_and_notebooks(rows):
    pandas = pytest.importorskip("pandas")
    X, y = rows
    found = proxdiff.hypergradient(proxdiff.Problem(X, y), [0.1, 0.2], 0.1)
    frame = found.to_pandas()
    assert isinstance(frame, pandas.DataFrame) and list(frame["l1"]) == [0.1, 0.2]
    assert (frame["d_l1"] == found.hypergradient["l1"]).all()
    assert found._repr_html_().count("<tr>") == 3


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"X": np.full((60, 8), np.nan)}, "replace or drop missing"),
        ({"X": np.zeros((60, 8), dtype=complex)}, "complex"),
        ({"X": [["a"] * 8] * 60}, "give numbers"),
        ({"X": np.zeros(60)}, "dimensions"),
        ({"X": np.zeros((0, 8)), "y": np.zeros(0)}, "rows"),
        ({"y": np.zeros(59)}, "same rows"),
        ({"sample_weight": np.ones(3)}, "one weight per row"),
        ({"sample_weight": -np.ones(60)}, "not negative"),
        ({"loss": "logistic"}, "-1 and 1"),
        ({"loss": "cubic"}, "not known"),
        ({"penalty": "none"}, "not known"),
        ({"penalty": "group"}, "groups"),
        ({"penalty": "box"}, "bounds"),
        ({"groups": np.zeros(3), "penalty": "group"}, "one group number"),
        ({"strengths": np.ones(3)}, "strengths"),
        ({"n_threads": 0}, "n_threads"),
    ],
)
def test_what_does_not_fit_is_a_value_error_with_a_remedy(rows, change, sentence):
    X, y = rows
    stated = {"X": X, "y": y} | change
    with pytest.raises(ValueError, match=sentence):
        proxdiff.Problem(**stated)


def test_points_that_do_not_fit_are_value_errors(rows):
    problem = proxdiff.Problem(*rows)
    for arguments in [
        {"l1": -1.0},
        {"l1": np.nan},
        {"l1": [0.1, 0.2], "l2": [0.1, 0.2, 0.3]},
        {"l1": 0.1, "target": 1},
        {"l1": 0.1, "target": -1},
        {"l1": 0.1, "tol": -1.0},
        {"l1": 0.1, "max_iter": 0},
        {"l1": 0.1, "solver": "none"},
        {"l1": 0.1, "method": "none"},
        {"l1": 0.1, "method": "direct", "wrt": "l3"},
        {"l1": 0.1, "method": "direct", "wrt": "bounds"},
        {"l1": 0.1, "sample_weight": np.ones(3)},
        {"l1": 0.1, "warm_start": proxdiff.solve(proxdiff.Problem(*rows), 0.1)},
    ]:
        with pytest.raises(ValueError):
            problem.solve(**arguments)
    with pytest.raises(ValueError):
        problem.l1_max(target=3)


def test_pickles_of_problems_and_solutions(rows):
    problem = proxdiff.Problem(*rows)
    found = proxdiff.solve(problem, [0.1, 0.2])
    again = pickle.loads(pickle.dumps(problem))
    assert proxdiff.solve(again, [0.1, 0.2]).coef.tobytes() == found.coef.tobytes()
    copy = pickle.loads(pickle.dumps(found))
    assert copy.coef.tobytes() == found.coef.tobytes()
    with pytest.raises(ValueError, match="pickle"):
        proxdiff.vjp(copy, copy.coef, "l1")


def test_two_commands_of_one_interpreter():
    code = (
        "from proxdiff._proxdiff import run_command as run; w = ['proxdiff', 'hypergrad', '--example', '--l1', '1']; "
    )
    code += "assert run(w) == 0 and run(w) == 0 and run(['proxdiff', 'sing']) == 2"
    out = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert out.stdout.count("hypergradient") == 2 and out.stderr.count("error") == 1


def test_what_has_not_converged_says_so(rows):
    found = proxdiff.solve(proxdiff.Problem(*rows), 0.01, solver="ista", max_iter=3)
    assert found.status[0] == "budget-spent"
    warm = proxdiff.solve(proxdiff.Problem(*rows), 0.01)
    assert warm.status[0] == "converged"
    again = proxdiff.solve(warm.problem, 0.01, warm_start=warm)
    np.testing.assert_allclose(again.coef, warm.coef, atol=1e-12)


def test_the_same_bits_for_any_number_of_threads(rows):
    problem = proxdiff.Problem(*rows)
    strengths = np.geomspace(0.01, 1, 40)
    one = proxdiff.hypergradient(problem, strengths, 0.1, n_threads=1)
    four = proxdiff.hypergradient(problem, strengths, 0.1, n_threads=4)
    assert one.coef.tobytes() == four.coef.tobytes()
    assert one.hypergradient["l1"].tobytes() == four.hypergradient["l1"].tobytes()


def long_problem():
    generator = np.random.default_rng(0)
    return proxdiff.Problem(generator.normal(size=(300, 200)), generator.normal(size=300))


def test_ctrl_c_stops_a_long_call():
    problem = long_problem()
    timer = threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        # Exactly so many steps: it would take hours.
        proxdiff.solve(problem, np.full(64, 1e-6), 0.0, solver="ista", tol=0.0, max_iter=2_000_000_000)
    timer.join()


def test_the_interpreter_goes_on_during_a_call():
    problem = long_problem()
    ticks = []

    def tick():
        while not stop.is_set():
            ticks.append(time.monotonic())
            time.sleep(0.001)

    stop = threading.Event()
    thread = threading.Thread(target=tick)
    thread.start()
    proxdiff.solve(problem, np.full(8, 1e-3), 0.0, solver="ista", tol=0.0, max_iter=3000)
    stop.set()
    thread.join()
    assert len(ticks) > 3


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_child_of_a_fork_computes_with_threads_of_its_own(rows):
    problem = proxdiff.Problem(*rows)
    expected = proxdiff.solve(problem, 0.1, n_threads=2).coef
    child = os.fork()
    if child == 0:
        found = proxdiff.solve(problem, 0.1, n_threads=2).coef
        os._exit(0 if found.tobytes() == expected.tobytes() else 3)
    for _ in range(600):
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            break
        time.sleep(0.1)
    else:
        os.kill(child, signal.SIGKILL)
        pytest.fail("the child hangs")
    assert os.waitstatus_to_exitcode(status) == 0


def test_workers_of_joblib_keep_their_limit(monkeypatch):
    from proxdiff._convert import n_threads_of

    monkeypatch.delenv("PROXDIFF_NUM_THREADS", raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert n_threads_of(None) == 3
    monkeypatch.setenv("OMP_NUM_THREADS", "")
    assert n_threads_of(None) >= 1
    assert n_threads_of(2) == 2


def test_nothing_heavy_is_imported_before_it_is_used():
    heavy = ["sklearn", "torch", "jax", "pandas", "polars", "scipy.sparse"]
    code = f"import proxdiff, sys; assert not [name for name in {heavy} if name in sys.modules], sys.modules.keys()"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_command_line_comes_along(tmp_path, rows):
    X, y = rows
    np.save(tmp_path / "x.npy", X)
    np.save(tmp_path / "y.npy", y)
    words = ["hypergrad", "--x", "x.npy", "--y", "y.npy", "--val-fraction", "0", "--l1", "0.1", "--l2", "0.05"]
    words += ["--format", "json", "--coefficients"]
    program = os.path.join(os.path.dirname(sys.executable), "proxdiff")
    for command in ([sys.executable, "-m", "proxdiff"], [program]):
        version = subprocess.run([*command, "--version"], capture_output=True, text=True, check=True, cwd=tmp_path)
        assert version.stdout.strip() == f"proxdiff {proxdiff.__version__}"
        fault = subprocess.run([*command, "nothing"], capture_output=True, text=True, cwd=tmp_path)
        assert fault.returncode == 2 and fault.stderr.startswith("error:")
    out = subprocess.run([*command, *words], capture_output=True, text=True, cwd=tmp_path)
    assert out.returncode == 0, out.stderr
    point = json.loads(out.stdout)["points"][0]
    found = proxdiff.hypergradient(proxdiff.Problem(X, y), 0.1, 0.05)
    # To the last bit.
    for name in ("l1", "l2"):
        assert point["hypergradient"][name] == found.hypergradient[name][0]
    assert point["criterion"] == found.criterion[0]
    assert point["coefficients"] == found.coef[0].tolist()


def test_the_stubs_name_what_the_compiled_part_has():
    import ast
    from pathlib import Path

    from proxdiff import _proxdiff

    stubs = ast.parse((Path(__file__).parents[1] / "proxdiff" / "_proxdiff.pyi").read_text())
    named = {node.name: node for node in stubs.body if isinstance(node, (ast.ClassDef, ast.FunctionDef))}
    assert set(named) == {name for name in dir(_proxdiff) if not name.startswith("_")}
    for name, node in named.items():
        if isinstance(node, ast.ClassDef):
            methods = {one.name for one in node.body if isinstance(one, ast.FunctionDef)} - {"__new__"}
            assert methods == {one for one in vars(getattr(_proxdiff, name)) if not one.startswith("_")}
    assert (Path(proxdiff.__file__).parent / "py.typed").exists()


@pytest.mark.parametrize("name, value", [("strengths", np.ones(8)), ("groups", [0] * 8), ("bounds", (0, 1))])
def test_what_a_penalty_does_not_have_is_refused(rows, name, value):
    with pytest.raises(ValueError, match=f"{name}: the penalty 'nonneg' has none"):
        proxdiff.solve(proxdiff.Problem(*rows, penalty="nonneg", **{name: value}), 0.1)


def test_the_hypergradient_in_the_prior_has_the_shape_of_the_prior():
    generator = np.random.default_rng(8)
    X, y = generator.normal(size=(40, 2)), generator.integers(0, 3, 40)
    prior = 0.1 * generator.normal(size=(3, 2))
    found = proxdiff.hypergradient(proxdiff.Problem(X, y, loss="multinomial", prior=prior), 0.01, 0.2, wrt="prior")
    assert found.hypergradient["prior"].shape == (1, 3, 2)


def test_splits_are_numbers_or_masks(rows):
    X, y = rows
    mask = np.arange(60) < 40
    by_mask = proxdiff.LassoCV(cv=[(mask, ~mask)]).fit(X, y)
    by_number = proxdiff.LassoCV(cv=[(np.arange(40), np.arange(-20, 0))]).fit(X, y)
    assert by_mask.alpha_ == by_number.alpha_
    np.testing.assert_array_equal(by_mask.mse_path_, by_number.mse_path_)
    with pytest.raises(ValueError, match="row numbers from 0 to 59"):
        proxdiff.LassoCV(cv=[([0, 60], [1, 2])]).fit(X, y)
