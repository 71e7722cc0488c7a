# %% [markdown]
# # A pipeline on real data
#
# Tumours of 569 patients, 30 measurements each: which few of these tell benign from malignant ones, and how well?
# The strengths of the penalties are tuned by hypergradients inside a scikit-learn pipeline.
#
#     python pipeline.py

# %%
import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import StratifiedKFold, cross_val_score, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from proxdiff import LogisticRegressionCV, LogisticRegressionTuned

data = load_breast_cancer()
X, X_test, y, y_test = train_test_split(data.data, data.target, test_size=0.3, stratify=data.target, random_state=0)
folds = StratifiedKFold(5, shuffle=True, random_state=0)

# %% [markdown]
# A grid of strengths first, as scikit-learn has it: ten values of C and three shares of the l1 norm.

# %%
grid = make_pipeline(
    StandardScaler(),
    LogisticRegressionCV(Cs=10, l1_ratios=(0.1, 0.5, 1.0), scoring="neg_log_loss", cv=folds),
).fit(X, y)
print(f"grid:    C {grid[-1].C_:.3g}, l1_ratio {grid[-1].l1_ratio_:.2f}, accuracy {grid[-1].scores_.shape} points")

# %% [markdown]
# The same two strengths by hypergradients of the held-out log loss: no grid to choose, and no worse.

# %%
tuned = make_pipeline(StandardScaler(), LogisticRegressionTuned(cv=folds)).fit(X, y)
best = tuned[-1]
print(
    f"tuned:   C {best.C_:.3g}, l1_ratio {best.l1_ratio_:.2f}, log loss {best.criterion_:.4f} ({best.tuning_status_})"
)
assert best.criterion_ <= -grid[-1].scores_.mean(axis=0).max() * 1.001

# %% [markdown]
# The strongest penalty whose log loss is within one standard error of that: fewer measurements.

# %%
sparse = make_pipeline(StandardScaler(), LogisticRegressionTuned(cv=folds, choice="one-se")).fit(X, y)
kept = np.flatnonzero(sparse[-1].coef_)
print(f"one-se:  {kept.size} of {X.shape[1]} measurements: {', '.join(data.feature_names[kept])}")
assert kept.size <= np.flatnonzero(best.coef_).size

# %% [markdown]
# What that is worth on patients that nothing was learned from, and over other splits.

# %%
for name, model in [("tuned", tuned), ("one-se", sparse)]:
    print(f"{name}: accuracy {model.score(X_test, y_test):.3f} on the test rows")
    assert model.score(X_test, y_test) > 0.93
scores = cross_val_score(make_pipeline(StandardScaler(), LogisticRegressionTuned(cv=3, max_evaluations=40)), X, y, cv=3)
print(f"nested:  accuracy {scores.mean():.3f} over three outer folds")
