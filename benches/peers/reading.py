"""Reading tables against pandas, polars and scikit-learn: python3 benches/peers/reading.py target/release/proxdiff FOLDER [GB]

A table of 100 columns of numbers whose CSV file is one GB, the same rows as Parquet by pandas (Snappy) and by
polars (Zstandard), and a sparse libsvm file of one GB. Each reader runs in a process of its own and makes numbers
of every cell; proxdiff is `hypergrad --l1 1e30 --method none`, which reads the table and fits an intercept. CPU
and wall seconds and the largest memory in use, of one run. The files stay in FOLDER for another run.
"""

import os
import subprocess
import sys
import time

import numpy as np

COLUMNS = 100
READERS = {
    "csv": {
        "pandas": "import pandas as p; x = p.read_csv(f).to_numpy()",
        "pandas, engine pyarrow": "import pandas as p; x = p.read_csv(f, engine='pyarrow').to_numpy()",
        "polars": "import polars as p; x = p.read_csv(f).to_numpy()",
    },
    "parquet": {
        "pandas": "import pandas as p; x = p.read_parquet(f).to_numpy()",
        "polars": "import polars as p; x = p.read_parquet(f).to_numpy()",
    },
    "svm": {"scikit-learn": "from sklearn.datasets import load_svmlight_file as l; x = l(f)"},
}


def write(folder, size):
    """The files that are not there yet."""
    names = {kind: os.path.join(folder, name) for kind, name in
             [("csv", "t.csv"), ("pandas", "pandas.parquet"), ("polars", "polars.parquet"), ("svm", "t.svm")]}
    random = np.random.default_rng(0)
    if not os.path.exists(names["polars"]):
        import pandas as pd
        import polars as pl

        # 19 bytes a cell.
        rows = int(size / (19.3 * COLUMNS))
        frame = pd.DataFrame(random.normal(size=(rows, COLUMNS)), columns=[f"c{j}" for j in range(COLUMNS)])
        pl.from_pandas(frame).write_csv(names["csv"])
        frame.to_parquet(names["pandas"])
        pl.from_pandas(frame).write_parquet(names["polars"])
    if not os.path.exists(names["svm"]):
        with open(names["svm"], "w") as out:
            while out.tell() < size:
                for _ in range(1000):
                    columns = np.unique(random.integers(1, 50_000, 100))
                    cells = " ".join(f"{j}:{v:.8f}" for j, v in zip(columns, random.normal(size=len(columns))))
                    out.write(f"{random.normal():.6f} {cells}\n")
    return names


def measured(command):
    """CPU and wall seconds and GB of a process."""
    start = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    wall = time.perf_counter() - start
    if status:
        sys.exit(f"{command}: {status}")
    return usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss / 2**20


def main():
    program, folder = os.path.abspath(sys.argv[1]), sys.argv[2]
    size = float(sys.argv[3] if len(sys.argv) > 3 else 1.0) * 1e9
    files = write(folder, size)
    print("| file | size, GB | reader | CPU s | wall s | memory, GB |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name, kind in [("csv", "csv"), ("pandas", "parquet"), ("polars", "parquet"), ("svm", "svm")]:
        file = files[name]
        own = [program, "hypergrad", file, "--l1", "1e30", "--l2", "0", "--val-fraction", "0", "--method", "none"]
        commands = {"proxdiff": own}
        for reader, code in READERS[kind].items():
            commands[reader] = [sys.executable, "-c", f"f = {file!r}; {code}"]
        for reader, command in commands.items():
            cpu, wall, memory = measured(command)
            held = os.path.getsize(file) / 1e9
            label = {"csv": "CSV", "parquet": f"Parquet of {name}", "svm": "libsvm"}[kind]
            print(f"| {label} | {held:.2f} | {reader} | {cpu:.1f} | {wall:.1f} | {memory:.2f} |", flush=True)


if __name__ == "__main__":
    main()
