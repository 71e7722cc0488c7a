"""Two builds of the program on the same jobs, in turn: python3 benches/versions.py OLD NEW

Prints medians of CPU seconds of the whole process, five runs after one to warm up, and the median of
their ratios.
"""
import os
import statistics
import subprocess
import sys
import tempfile

import numpy as np

RUNS = 5


def write(folder, name, n, d, classes=False):
    """Standard normal rows with ten true coefficients, plus noise; classes are signs."""
    random = np.random.default_rng(n + d)
    x = random.normal(size=(n, d))
    z = x[:, :10] @ random.normal(size=min(10, d)) + random.normal(size=n)
    path = os.path.join(folder, name + ".npz")
    np.savez(path, X=x, y=np.where(z > 0, 1.0, -1.0) if classes else z)
    return path


def cpu_seconds(command):
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, _, usage = os.wait4(process.pid, 0)
    return usage.ru_utime + usage.ru_stime


def main():
    old, new = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        wide = write(folder, "wide", 500, 400)
        tall = write(folder, "tall", 2000, 100)
        small = write(folder, "small", 600, 30, classes=True)
        large = write(folder, "large", 3000, 60, classes=True)
        logistic = ["--loss", "logistic"]
        point = ["--l1", "0.01", "--l2", "0.01"]
        jobs = {
            "folds": ["sweep", tall, "--cv", "5", "--l1", "frac:1e-3:1:100", "--l2", "1e-3,1e-2,0.1,1,10"],
            "example": ["sweep", "--example", "--cv", "10", "--l1", "log:0.1:10:100", "--l2", "log:1e-3:1:100"],
            "wide": ["sweep", wide, "--cv", "5", "--l1", "frac:1e-2:1:60", "--l2", "0.01,0.1"],
            "logistic": ["sweep", small, *logistic, "--cv", "5", "--l1", "frac:1e-3:1:60", "--l2", "1e-3,0.1"],
            "large": ["sweep", large, *logistic, "--cv", "5", "--l1", "frac:1e-3:1:60", "--l2", "1e-3,0.1"],
            "huber": ["sweep", tall, "--loss", "huber", "--cv", "5", "--l1", "frac:1e-2:1:40", "--l2", "1e-2"],
            "group": ["sweep", tall, "--penalty", "group", "--group-size", "5", "--l1", "frac:1e-2:1:40", "--l2", "1e-2"],
            "hold-out": ["sweep", tall, "--l1", "frac:1e-3:1:100", "--l2", "1e-3,0.1"],
            "main job": ["sweep"],
            "nsid": ["hypergrad", large, *logistic, *point, "--method", "nsid", "--stochastic-steps", "2000"],
            "itd": ["hypergrad", small, *logistic, *point, "--method", "itd-forward"],
            "fista": ["hypergrad", large, *logistic, *point, "--solver", "fista", "--method", "aid-fp"],
            "ista f32": ["hypergrad", small, *logistic, *point, "--solver", "ista", "--precision", "f32"],
        }
        for name, flags in jobs.items():
            pairs = [(cpu_seconds([old, *flags]), cpu_seconds([new, *flags])) for _ in range(RUNS + 1)][1:]
            before, after = (statistics.median(side) for side in zip(*pairs))
            ratio = statistics.median(b / a for a, b in pairs)
            print(f"{name:10} {before:.3f} {after:.3f} {ratio:.2f}", flush=True)


main()
