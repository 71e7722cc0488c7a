"""Golden values of the losses with a log link, by scikit-learn. Run here; writes *.npy and expected.json.

Ridge: PoissonRegressor, GammaRegressor and TweedieRegressor, whose objective is half the mean deviance and
alpha/2 |w|^2, so that alpha is l2; with sample weights, and mean_tweedie_deviance and d2_tweedie_score of their
predictions. Columns are not standardised there, so that proxdiff is run without it.

Elastic net: scikit-learn has none, and neither has another program that is at hand. The minimum is that of
Newton's method on the face that proximal steps with backtracking end on, in NumPy; its optimality conditions are
checked here, and the derivative of the held-out half deviance in l1 and l2 is that of the solutions beside it.
"""

import json
import warnings

import numpy as np
import sklearn
from sklearn import metrics
from sklearn.linear_model import GammaRegressor, PoissonRegressor, TweedieRegressor

warnings.filterwarnings("error", category=sklearn.exceptions.ConvergenceWarning)
generator = np.random.default_rng(20261130)
expected = {"versions": {"scikit-learn": sklearn.__version__, "numpy": np.__version__}}
POWERS = {"poisson": 1.0, "gamma": 2.0, "tweedie": 1.4}
n, m, d = 60, 25, 5


def draw(rows, kind):
    X = generator.standard_normal((rows, d)) * np.array([1.0, 2.0, 0.5, 1.0, 0.3]) + np.array([0, 1, 0, -1, 0.5])
    mean = np.exp(X @ np.array([0.5, -0.2, 0.6, 0.0, 0.0]) + 0.7)
    if kind == "poisson":
        y = generator.poisson(mean).astype(float)
    elif kind == "gamma":
        y = generator.gamma(2.0, mean / 2.0)
    else:
        counts = generator.poisson(0.8 * mean)
        y = np.array([generator.gamma(1.5, 0.8, size=k).sum() for k in counts])
    return X, y, generator.uniform(0.2, 3.0, size=rows)


def regressor(kind, l2):
    options = dict(alpha=l2, solver="newton-cholesky", tol=1e-13, max_iter=1000)
    if kind == "poisson":
        return PoissonRegressor(**options)
    if kind == "gamma":
        return GammaRegressor(**options)
    return TweedieRegressor(power=POWERS[kind], link="log", **options)


def slopes(kind, z, y):
    """Residual and curvature of half the deviance in the predictor."""
    p = POWERS[kind]
    up, down = np.exp((2 - p) * z), y * np.exp((1 - p) * z)
    return up - down, (2 - p) * up + (p - 1) * down


def half_deviance(kind, z, y):
    return 0.5 * metrics.mean_tweedie_deviance(y, np.exp(z), power=POWERS[kind])


def elastic_net(kind, X, y, l1, l2):
    A = np.column_stack([X, np.ones(len(y))])
    w = np.zeros(d + 1)
    w[d] = np.log(y.mean())
    ridge = np.append(np.full(d, l2), 0.0)
    strength = np.append(np.full(d, l1), 0.0)
    p = POWERS[kind]

    def smooth(w):
        """Up to a constant."""
        z = A @ w
        first = np.exp((2 - p) * z) / (2 - p) if p < 2 else z
        second = y * z if p == 1 else y * np.exp((1 - p) * z) / (1 - p)
        return np.mean(first - second) + 0.5 * w @ (ridge * w)

    gradient = lambda w: A.T @ slopes(kind, A @ w, y)[0] / len(y) + ridge * w
    step = 1.0
    for _ in range(3_000):
        g = gradient(w)
        while True:
            u = w - step * g
            new = np.sign(u) * np.maximum(np.abs(u) - step * strength, 0.0)
            delta = new - w
            if smooth(new) <= smooth(w) + g @ delta + delta @ delta / (2 * step) + 1e-15:
                break
            step *= 0.5
        w = new
    face = w != 0
    signs = np.sign(w)
    for _ in range(20):
        h = slopes(kind, A @ w, y)[1]
        H = (A.T * h) @ A / len(y) + np.diag(ridge)
        rho = gradient(w) + strength * signs
        w[face] -= np.linalg.solve(H[np.ix_(face, face)], rho[face])
    g = gradient(w)
    assert np.all(np.sign(w) == signs) and np.abs(g + strength * signs)[face].max() < 1e-13
    assert np.all(np.abs(g[~face]) < strength[~face])
    return w


for kind in POWERS:
    X, y, s = draw(n, kind)
    X_test, y_test, s_test = draw(m, kind)
    for part, array in dict(X=X, y=y, weights=s, Xtest=X_test, ytest=y_test, testweights=s_test).items():
        np.save(f"{kind}_{part}.npy", np.ascontiguousarray(array, dtype=np.float64))
    p, fits = POWERS[kind], []
    for l2 in [1e-3, 0.1, 2.0]:
        for weights in [None, s]:
            fit = regressor(kind, l2).fit(X, y, sample_weight=weights)
            mean = fit.predict(X_test)
            deviance = metrics.mean_tweedie_deviance(y_test, mean, power=p)
            fits.append({
                "l2": l2,
                "weighted": weights is not None,
                "coefficients": fit.coef_.tolist(),
                "intercept": float(fit.intercept_),
                "predictions": mean.tolist(),
                "deviance": float(deviance),
                "d2": float(metrics.d2_tweedie_score(y_test, mean, power=p)),
                "weighted_deviance": float(
                    metrics.mean_tweedie_deviance(y_test, mean, power=p, sample_weight=s_test)),
                "weighted_d2": float(metrics.d2_tweedie_score(y_test, mean, power=p, sample_weight=s_test)),
                "mae": float(metrics.mean_absolute_error(y_test, mean)),
                "mse": float(metrics.mean_squared_error(y_test, mean)),
            })
    nets = []
    for l1, l2 in [(0.15, 0.05), (0.04, 0.3)]:
        held_out = lambda l1, l2: half_deviance(
            kind, np.column_stack([X_test, np.ones(m)]) @ elastic_net(kind, X, y, l1, l2), y_test)
        w = elastic_net(kind, X, y, l1, l2)
        h = 1e-5
        nets.append({
            "l1": l1,
            "l2": l2,
            "coefficients": w[:d].tolist(),
            "intercept": w[d],
            "criterion": float(held_out(l1, l2)),
            "slope_l1": float((held_out(l1 + h, l2) - held_out(l1 - h, l2)) / (2 * h)),
            "slope_l2": float((held_out(l1, l2 + h) - held_out(l1, l2 - h)) / (2 * h)),
        })
    expected[kind] = {"power": p, "ridge": fits, "elastic_net": nets}

with open("expected.json", "w") as file:
    json.dump(expected, file, indent=1)
    file.write("\n")
