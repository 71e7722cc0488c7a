"""Golden values of sweeps over folds, by scikit-learn. Run here; writes *.npy and expected.json.

Elastic net: ElasticNetCV on given folds at tol 1e-13, and the metrics of every fit.
Logistic and multinomial: LogisticRegression with saga on every fold at tol 1e-13. scikit-learn
minimises C * sum(loss) + |w|_1, so that a strength l1 of the mean loss on n rows is C = 1/(l1 n).
"""

import json
import warnings

import numpy as np
import sklearn
from sklearn.linear_model import ElasticNet, ElasticNetCV, LogisticRegression
from sklearn import metrics
from sklearn.model_selection import PredefinedSplit

warnings.filterwarnings("error", category=sklearn.exceptions.ConvergenceWarning)
generator = np.random.default_rng(20261123)
expected = {"versions": {"scikit-learn": sklearn.__version__, "numpy": np.__version__}}


def save(name, **arrays):
    for part, array in arrays.items():
        np.save(f"{name}_{part}.npy", np.ascontiguousarray(array, dtype=np.float64))


def elastic_net():
    n, d = 90, 7
    X = generator.standard_normal((n, d)) @ (np.eye(d) + 0.4 * generator.standard_normal((d, d)))
    y = X @ np.array([2.0, -1.0, 0.5, 0, 0, 0, 0.2]) + 1.5 + 1.5 * generator.standard_normal(n)
    folds = generator.permutation(n) % 4
    save("enet", X=X, y=y, folds=folds)
    alphas = [2.0, 1.0, 0.4, 0.15, 0.05, 0.01]
    ratios = [0.2, 0.7, 1.0]
    options = dict(tol=1e-13, max_iter=1_000_000)
    model = ElasticNetCV(l1_ratio=ratios, alphas=alphas, cv=PredefinedSplit(folds), **options)
    model.fit(X, y)
    order = [list(model.alphas_).index(a) for a in alphas]
    mse = np.asarray(model.mse_path_)[:, order, :]  # ratio, alpha, fold
    cells = []
    for alpha in alphas:
        for ratio in ratios:
            for fold in range(4):
                held, train = folds == fold, folds != fold
                fit = ElasticNet(alpha=alpha, l1_ratio=ratio, **options).fit(X[train], y[train])
                p = fit.predict(X[held])
                cells.append({
                    "mse": metrics.mean_squared_error(y[held], p),
                    "mae": metrics.mean_absolute_error(y[held], p),
                    "r2": metrics.r2_score(y[held], p),
                    "support": int(np.count_nonzero(fit.coef_)),
                })
    expected["enet"] = {
        "alphas": alphas, "ratios": ratios, "mse_path": mse.tolist(), "cells": cells,
        "best_alpha": model.alpha_, "best_ratio": model.l1_ratio_,
    }


def classes(name, k):
    n, d = 120, 5
    X = generator.standard_normal((n, d))
    W = generator.standard_normal((d, k))
    y = np.argmax(X @ W + generator.gumbel(size=(n, k)), axis=1)
    folds = np.empty(n)
    for c in range(k):  # stratified
        rows = np.flatnonzero(y == c)
        folds[rows] = np.arange(len(rows)) % 3
    save(name, X=X, y=y, folds=folds)
    strengths = [0.1, 0.03, 0.01]
    cells = []
    for l1 in strengths:
        for fold in range(3):
            held, train = folds == fold, folds != fold
            fit = LogisticRegression(
                l1_ratio=1.0, C=1.0 / (l1 * train.sum()), solver="saga", tol=1e-13,
                max_iter=10_000_000,
            ).fit(X[train], y[train])
            proba = fit.predict_proba(X[held])
            p, t = fit.predict(X[held]), y[held]
            average = {} if k == 2 else {"average": "macro"}
            auc = (metrics.roc_auc_score(t, proba[:, 1]) if k == 2
                   else metrics.roc_auc_score(t, proba, multi_class="ovr"))
            cells.append({
                "criterion": metrics.log_loss(t, proba, labels=range(k)),
                "accuracy": metrics.accuracy_score(t, p),
                "balanced_accuracy": metrics.balanced_accuracy_score(t, p),
                "f1": metrics.f1_score(t, p, **average),
                "auc": auc,
                "support": int(np.count_nonzero(fit.coef_)),
                "coefficients": fit.coef_.T.ravel().tolist(),
                "intercepts": fit.intercept_.tolist(),
            })
    expected[name] = {"strengths": strengths, "cells": cells}


elastic_net()
classes("logistic", 2)
classes("multinomial", 3)
with open("expected.json", "w") as out:
    json.dump(expected, out, indent=1)
    out.write("\n")
