"""Sums of squares in files: sweeps on them are those on all rows."""

import subprocess
import sys

import numpy as np
import pytest
from sklearn.model_selection import KFold

import proxdiff


@pytest.fixture(scope="module")
def rows():
    generator = np.random.default_rng(31)
    X = generator.normal(size=(300, 5)) * [1, 10, 0.1, 1, 1] + [0, 1e3, 0, 0, 5]
    X[:, 4] = 5.0
    y = X[:, 0] - 0.1 * X[:, 1] + generator.normal(size=300)
    return X, y, generator.uniform(0.5, 2, 300), np.arange(300) % 4


@pytest.mark.parametrize("stated", [{}, {"standardize": False}, {"fit_intercept": False}])
@pytest.mark.parametrize("is_weighted", [False, True])
def test_sweeps_are_those_on_all_rows(rows, stated, is_weighted, tmp_path):
    X, y, weights, folds = rows
    weights = weights if is_weighted else None
    files = []
    for at, part in enumerate([slice(0, 120), slice(120, 130), slice(130, 300)]):
        files.append(tmp_path / f"{at}.factors")
        own = None if weights is None else weights[part]
        kept = proxdiff.compress(X[part], y[part], files[-1], cv=folds[part], sample_weight=own)
        assert kept == (10 if at == 1 else 28)
    problem, cv = proxdiff.read_factors(files, **stated)
    found = proxdiff.sweep(problem, [0.1, 0.01], [0.0, 0.1], cv=cv, wrt=("l1", "l2"), keep_coefficients=True)
    whole = proxdiff.Problem(X, y, sample_weight=weights, **stated)
    splits = [(np.flatnonzero(folds != k), np.flatnonzero(folds == k)) for k in range(4)]
    expected = proxdiff.sweep(whole, [0.1, 0.01], [0.0, 0.1], cv=splits, wrt=("l1", "l2"), keep_coefficients=True)
    for name in ("criterion", "mse", "r2", "hypergradient_l1", "hypergradient_l2"):
        np.testing.assert_allclose(found.by_fold[name], expected.by_fold[name], rtol=1e-10, atol=1e-10, err_msg=name)
    np.testing.assert_allclose(found.coef, expected.coef, rtol=1e-9, atol=1e-10)
    assert found.best == expected.best and "mae" not in found.by_fold and "mae" in expected.by_fold


def test_files_are_those_of_the_command_line(rows, tmp_path):
    X, y, _, folds = rows
    np.save(tmp_path / "x.npy", X)
    np.save(tmp_path / "y.npy", y)
    np.savetxt(tmp_path / "folds.txt", folds, fmt="%d")
    words = "compress --x x.npy --y y.npy --folds folds.txt --out cli.factors"
    done = subprocess.run(
        [sys.executable, "-m", "proxdiff", *words.split()], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    proxdiff.compress(X, y, tmp_path / "own.factors", cv=folds)
    assert (tmp_path / "cli.factors").read_bytes() == (tmp_path / "own.factors").read_bytes()


def test_folds_and_names(rows, tmp_path):
    X, y, *_ = rows
    out = tmp_path / "a.factors"
    for cv in (3, KFold(3), list(KFold(3).split(X))):
        assert proxdiff.compress(X, np.c_[y, -y], out, cv=cv) == 3 * 8
        problem, splits = proxdiff.read_factors(out)
        assert len(splits) == 3 and problem.shape == (24, 5) and problem.n_targets == 2
        assert problem.feature_names == ["x0", "x1", "x2", "x3", "x4"] and problem.target_names == ["y0", "y1"]
    pandas = pytest.importorskip("pandas")
    proxdiff.compress(pandas.DataFrame(X, columns=list("abcde")), pandas.Series(y, name="price"), out, cv=3)
    problem, _ = proxdiff.read_factors([out])
    assert problem.feature_names == list("abcde") and problem.target_names == ["price"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"cv": 1}, "cv: 1 folds of 300 rows"),
        ({"cv": "five"}, "cv: give pairs"),
        ({"cv": [([0, 1], [2])]}, "cv: splits do not partition the rows"),
        ({"cv": np.full(300, 0.5)}, "cv: give whole numbers"),
        ({"cv": np.full(300, -1)}, "no row is in a fold"),
        ({"cv": 3, "sample_weight": -np.ones(300)}, "weights"),
    ],
)
def test_what_does_not_fit(rows, arguments, sentence, tmp_path):
    X, y, *_ = rows
    with pytest.raises(ValueError, match=sentence):
        proxdiff.compress(X, y, tmp_path / "x.factors", **arguments)
    assert not (tmp_path / "x.factors").exists()


def test_files_that_do_not_fit(rows, tmp_path):
    X, y, _, folds = rows
    first, other = tmp_path / "a.factors", tmp_path / "b.factors"
    proxdiff.compress(X, y, first, cv=folds)
    proxdiff.compress(X[:, :4], y, other, cv=folds)
    with pytest.raises(ValueError, match="it has 4 features, and .* has 5"):
        proxdiff.read_factors([first, other])
    proxdiff.compress(X, y, other, cv=folds % 2)
    with pytest.raises(ValueError, match=r"its folds are \[0, 1\]"):
        proxdiff.read_factors([first, other])
    with pytest.raises(ValueError, match="the same rows as"):
        proxdiff.read_factors([first, first])
    other.write_bytes(first.read_bytes()[:-8])
    with pytest.raises(ValueError, match="damaged"):
        proxdiff.read_factors(other)
    with pytest.raises(OSError, match="none"):
        proxdiff.read_factors(tmp_path / "none")
    with pytest.raises(ValueError, match="name the files of all parts"):
        proxdiff.read_factors([])
    for stated in ({"loss": "huber"}, {"criterion": "huber"}, {"validation": (X, y)}):
        with pytest.raises(ValueError, match="leave loss, criterion and validation out"):
            proxdiff.read_factors(first, **stated)
    assert proxdiff.read_factors(first, loss="squared", criterion="squared")[0].is_compressed


def test_folds_by_a_number_of_numpy(rows, tmp_path):
    X, y, *_ = rows
    files = tmp_path / "a.factors", tmp_path / "b.factors"
    for cv, out in zip((5, np.int64(5)), files, strict=True):
        proxdiff.compress(X, y, out, cv=cv)
    assert files[0].read_bytes() == files[1].read_bytes()
    problem = proxdiff.Problem(X, y)
    found = [proxdiff.sweep(problem, [0.1], [0.1], cv=cv).criterion for cv in (5, np.int64(5))]
    assert found[0] == found[1]
    with pytest.raises(ValueError, match="cv: "):
        proxdiff.sweep(problem, [0.1], [0.1], cv=np.int64(0))


def test_rows_that_are_no_sample_are_not_drawn_from(rows, tmp_path):
    X, y, _, folds = rows
    proxdiff.compress(X, y, tmp_path / "a.factors", cv=folds)
    problem, cv = proxdiff.read_factors(tmp_path / "a.factors")
    sentence = "draws minibatches"
    for method in ("nsid", "sid"):
        with pytest.raises(ValueError, match=f"method: '{method}' {sentence}"):
            proxdiff.hypergradient(problem, 0.1, 0.1, method=method)
    with pytest.raises(ValueError, match=f"solver: 'stochastic' {sentence}"):
        proxdiff.solve(problem, 0.1, 0.1, solver="stochastic")
    solutions = proxdiff.solve(problem, 0.1, 0.1)
    with pytest.raises(ValueError, match=sentence):
        proxdiff.vjp(solutions, np.ones(5), method="nsid")
    for stated in ({"method": "nsid"}, {"solver": "stochastic"}):
        with pytest.raises(ValueError, match="minibatches"):
            proxdiff.sweep(problem, [0.1], [0.1], cv=cv, **stated)
    assert proxdiff.tune(problem, ("l2",), cv=cv, l1=0.01)["coef"].shape == (5,)
