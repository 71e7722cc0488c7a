"""Layers of JAX and PyTorch: gradients against finite differences, batches against loops.

They run where the framework can be imported; .ci/run installs JAX.
"""

import numpy as np
import pytest

import proxdiff


@pytest.fixture
def rows():
    generator = np.random.default_rng(5)
    X = generator.normal(size=(30, 5)) + 1.0
    y = X[:, 0] - 2 * X[:, 1] + 0.3 * generator.normal(size=30) + 0.5
    return X, y


def along(f, at, direction, step=1e-6):
    """The central difference of f along a direction."""
    return (f(at + step * direction) - f(at - step * direction)) / (2 * step)


def directions(seed=2):
    generator = np.random.default_rng(seed)
    return lambda at: generator.normal(size=np.shape(at))


CASES = [
    {"loss": "squared"},
    {"loss": "squared", "fit_intercept": False},
    {"loss": "huber", "delta": 0.4},
    {"loss": "logistic"},
    {"loss": "squared", "penalty": "group", "groups": [0, 0, 1, 1, 2]},
    {"loss": "multinomial", "n_classes": 3},
]


def stated_of(case, rows):
    X, y = rows
    if case["loss"] == "logistic":
        y = np.where(y > np.median(y), 1.0, -1.0)
    if case["loss"] == "multinomial":
        y = np.digitize(y, np.quantile(y, [1 / 3, 2 / 3])).astype(float)
    return X, y


@pytest.mark.parametrize("case", CASES, ids=lambda case: "-".join(map(str, case.values())))
def test_products_are_those_of_finite_differences(rows, case):
    X, y = stated_of(case, rows)
    weights, prior = np.linspace(0.5, 2, 30), 0.1 * np.arange(5.0)
    inputs = {"X": X, "y": y, "l1": 0.04, "l2": 0.2, "sample_weight": weights, "prior": prior}

    def solved(**changed):
        own = inputs | changed
        problem = proxdiff.Problem(own["X"], own["y"], standardize=False, prior=prior, **case)
        return problem.solve(own["l1"], own["l2"], sample_weight=own["sample_weight"], prior=own["prior"])

    found = solved()
    generator = np.random.default_rng(1)
    g, h = generator.normal(size=found.coef[0].shape), generator.normal(size=found.intercept[0].shape)
    names = [name for name in inputs if name != "y" or case["loss"] in ("squared", "huber")]
    products = proxdiff.vjp(found, (g[None], np.asarray(h)[None]), names)
    direction = directions()
    for name in names:

        def value(at, name=name):
            other = solved(**{name: at})
            assert (other.kink_margin > 1e-5).all() or case["loss"] in ("logistic", "multinomial")
            return (g * other.coef[0]).sum() + (h * other.intercept[0]).sum()

        for _ in range(3):
            d = direction(inputs[name])
            expected = along(value, np.asarray(inputs[name]), d)
            product = products[name][0]
            if name == "prior" and case["loss"] == "multinomial":
                # One entry a coefficient; here classes share theirs.
                product = product.sum(axis=0)
            assert (product * d).sum() == pytest.approx(expected, rel=1e-5, abs=1e-7), name


def test_products_that_do_not_exist_are_value_errors(rows):
    X, y = rows
    found = proxdiff.solve(proxdiff.Problem(X, y), 0.1, 0.1)
    for cotangent, wrt in [
        (found.coef, "X"),
        (np.ones(3), "l1"),
        ((found.coef, np.ones(7)), "l1"),
        (found.coef, "bounds"),
        (found.coef, "nothing"),
    ]:
        with pytest.raises(ValueError):
            proxdiff.vjp(found, cotangent, wrt)
    labels = np.where(y > 0, 1.0, -1.0)
    found = proxdiff.solve(proxdiff.Problem(X, labels, loss="logistic"), 0.01, 0.1)
    with pytest.raises(ValueError, match="classes"):
        proxdiff.vjp(found, found.coef, "y")


class TestJax:
    @pytest.fixture(autouse=True)
    def double(self):
        jax = pytest.importorskip("jax")
        jax.config.update("jax_enable_x64", True)
        jax.config.update("jax_platforms", "cpu")
        self.jax = jax

    def loss(self, layer, weights):
        jnp = self.jax.numpy

        def value(X, y, l1, l2):
            coef, intercept = layer(X, y, l1, l2)
            return jnp.sum(weights * coef**2) + jnp.sum(jnp.sin(intercept))

        return value

    @pytest.mark.parametrize("case", CASES, ids=lambda case: "-".join(map(str, case.values())))
    def test_gradients_are_those_of_finite_differences(self, rows, case):
        from proxdiff.jax import prox_layer

        X, y = stated_of(case, rows)
        value = self.loss(prox_layer(**case), np.arange(1.0, 6.0))
        at = {0: X, 2: 0.03, 3: 0.2}
        if case["loss"] in ("squared", "huber"):
            at[1] = y
        inputs = [X, y, 0.04, 0.2]
        places = tuple(sorted(at))
        gradients = self.jax.jit(self.jax.grad(value, argnums=places))(*inputs)
        direction = directions()
        for place, gradient in zip(places, gradients, strict=True):

            def moved(part, place=place):
                return float(value(*[part if k == place else inputs[k] for k in range(4)]))

            d = direction(inputs[place])
            expected = along(moved, np.asarray(inputs[place]), d)
            assert float((gradient * d).sum()) == pytest.approx(expected, rel=1e-5, abs=1e-7), place
        if case["loss"] == "logistic":
            assert np.isnan(self.jax.grad(value, argnums=1)(*inputs)).all()

    def test_a_batch_of_lassos_is_a_loop_of_them(self, rows):
        from proxdiff.jax import prox_layer

        X, y = rows
        layer = prox_layer()
        generator = np.random.default_rng(0)
        Y = y + 0.1 * generator.normal(size=(512, 30))
        strengths = np.linspace(0.01, 0.2, 512)
        value = self.loss(layer, 1.0)
        batch = self.jax.vmap(self.jax.value_and_grad(value, argnums=(1, 2)), in_axes=(None, 0, 0, None))
        values, (of_y, of_l1) = batch(X, Y, strengths, 0.01)
        one = self.jax.value_and_grad(value, argnums=(1, 2))
        for at in range(0, 512, 37):
            expected, (dy, dl1) = one(X, Y[at], strengths[at], 0.01)
            np.testing.assert_allclose(values[at], expected, rtol=1e-12)
            np.testing.assert_allclose(of_y[at], dy, rtol=1e-9, atol=1e-13)
            np.testing.assert_allclose(of_l1[at], dl1, rtol=1e-9)

    def test_vectors_of_strengths_weights_and_priors(self, rows):
        from proxdiff.jax import prox_layer

        X, y = rows
        layer = prox_layer()
        weights = np.linspace(0.5, 2, 30)

        def value(l1, l2, s, c):
            coef, intercept = layer(X, y, l1, l2, s, c)
            return (coef**2).sum() + intercept

        inputs = [np.full(5, 0.05), np.linspace(0.1, 0.3, 5), weights, 0.1 * np.arange(5.0)]
        gradients = self.jax.grad(value, argnums=(0, 1, 2, 3))(*inputs)
        direction = directions()
        for place, gradient in enumerate(gradients):

            def moved(part, place=place):
                return float(value(*[part if k == place else inputs[k] for k in range(4)]))

            d = direction(inputs[place])
            assert float((gradient * d).sum()) == pytest.approx(along(moved, inputs[place], d), rel=1e-5, abs=1e-7)


class TestTorch:
    @pytest.fixture(autouse=True)
    def framework(self):
        self.torch = pytest.importorskip("torch")

    def tensors(self, *arrays):
        return [self.torch.tensor(part, dtype=self.torch.float64, requires_grad=True) for part in arrays]

    @pytest.mark.parametrize("case", CASES, ids=lambda case: "-".join(map(str, case.values())))
    def test_gradcheck(self, rows, case):
        from proxdiff.torch import ProxLayer

        X, y = stated_of(case, rows)
        X, y, l1, l2 = self.tensors(X, y, 0.04, 0.2)
        if case["loss"] not in ("squared", "huber"):
            y.requires_grad_(False)
        layer = ProxLayer(**case)
        assert self.torch.autograd.gradcheck(
            lambda *parts: layer(*parts), (X, y, l1, l2), eps=1e-5, rtol=1e-4, atol=1e-6
        )

    def test_a_batch_of_lassos_is_a_loop_of_them(self, rows):
        from proxdiff.torch import ProxLayer

        X, y = rows
        generator = np.random.default_rng(0)
        layer = ProxLayer()
        X, Y, l1, l2 = self.tensors(X, y + 0.1 * generator.normal(size=(512, 30)), np.linspace(0.01, 0.2, 512), 0.01)
        coef, intercept = layer(X, Y, l1, l2)
        assert coef.shape == (512, 5) and intercept.shape == (512,)
        (coef**2).sum().backward()
        batch, Y.grad = Y.grad.clone(), None
        mapped, _ = self.torch.func.vmap(layer, in_dims=(None, 0, 0, None))(X, Y, l1, l2)
        assert (mapped == coef).all()
        for at in range(0, 512, 73):
            alone, _ = layer(X, Y[at], l1[at], l2)
            assert self.torch.allclose(alone, coef[at], rtol=1e-12)
            (alone**2).sum().backward()
            assert self.torch.allclose(Y.grad[at], batch[at], rtol=1e-9)

    def test_gradients_are_those_of_unrolled_steps(self, rows):
        from proxdiff.torch import ProxLayer

        X, y, l1 = self.tensors(*rows, 0.1)
        w = self.torch.zeros(5, dtype=self.torch.float64)
        step = 0.9 / float(self.torch.linalg.eigvalsh(X.detach().T @ X.detach() / 30).max())
        for _ in range(3000):
            u = w - step * (X.T @ (X @ w - y) / 30)
            w = self.torch.sign(u) * self.torch.relu(self.torch.abs(u) - step * l1)
        (w**3).sum().backward()
        expected = [part.grad.clone() for part in (X, y, l1)]
        for part in (X, y, l1):
            part.grad = None
        coef, _ = ProxLayer(fit_intercept=False)(X, y, l1)
        assert self.torch.allclose(coef, w, rtol=0, atol=1e-12)
        (coef**3).sum().backward()
        for part, other in zip((X, y, l1), expected, strict=True):
            assert self.torch.allclose(part.grad, other, rtol=1e-8, atol=1e-10)
