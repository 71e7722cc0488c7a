# %% [markdown]
# # A large sweep on Dask
#
# Six thousand cells, 300 strengths times 20 folds, by the workers of a cluster. Here the cluster is of this
# machine's processes; that of a data centre takes the same lines with its own address.
#
#     python large_sweep.py        # needs dask and distributed

# %%
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from distributed import Client, LocalCluster

import proxdiff


def main():
    """Runs the sweep, and looks at what it has found."""
    generator = np.random.default_rng(0)
    X = generator.normal(size=(2000, 60))
    y = X[:, :5] @ [3.0, -2.0, 1.0, 1.0, -1.0] + 2 * generator.normal(size=2000)
    problem = proxdiff.Problem(X, y)

    # %% [markdown]
    # The plan is made once; its units are dealt into shards, which the workers run in stores of their own. A worker
    # that is lost costs its running shards, which others do again.

    # %%
    with (
        TemporaryDirectory() as folder,
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        store = Path(folder) / "sweep.db"
        found = proxdiff.sweep(
            problem,
            l1="frac:1:0.001:60",
            l2=np.geomspace(1e-4, 1, 5),
            cv=20,
            executor=client.get_executor(),
            shards=8,
            store=store,
        )
        print(found)

        # %% [markdown]
        # The best point, and the sparsest within one standard error of it.

        # %%
        for name, (at,) in [("best", found.best), ("one standard error", found.one_standard_error)]:
            point = found.point(at)
            print(
                f"{name}: l1 {point['l1']:.4g}, l2 {point['l2']:.4g}, mse {point['mse']:.4f}, {point['support']:.0f} kept"
            )
        assert found.is_complete and found.point(found.one_standard_error[0])["support"] <= 20

        # %% [markdown]
        # The store goes on: the same call in this process finds everything done, to the last bit.

        # %%
        again = proxdiff.sweep(problem, l1="frac:1:0.001:60", l2=np.geomspace(1e-4, 1, 5), cv=20, store=store)
        assert again.criterion.tobytes() == found.criterion.tobytes()
        print(found.report(Path(folder) / "report").name)


# Processes that are started anew read this file again.
if __name__ == "__main__":
    main()
