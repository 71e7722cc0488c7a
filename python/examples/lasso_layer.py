"""A lasso as a layer: features that a network makes of inputs are chosen by a lasso, and trained through it.

    python lasso_layer.py        # needs jax

The inner model is fitted to half of the rows; the loss is that of the other half. Its gradient in the network's
weights goes through the lasso's solution, and so does that in the strengths.
"""

import jax
import jax.numpy as jnp
import numpy as np

from proxdiff.jax import prox_layer

jax.config.update("jax_enable_x64", True)

generator = np.random.default_rng(0)
inputs = generator.normal(size=(200, 3))
targets = np.sin(2 * inputs[:, 0]) + np.abs(inputs[:, 1]) + 0.1 * generator.normal(size=200)
first, second = slice(0, 100), slice(100, 200)
lasso = prox_layer()


def features(parameters, rows):
    """Twenty features of rows."""
    return jnp.tanh(rows @ parameters["weights"] + parameters["shifts"])


def loss(parameters):
    """The mean square on the rows that the lasso has not seen, and how many features it has kept."""
    coef, intercept = lasso(
        features(parameters, inputs[first]),
        targets[first],
        jnp.exp(parameters["log_l1"]),
        jnp.exp(parameters["log_l2"]),
    )
    predictions = features(parameters, inputs[second]) @ coef + intercept
    return jnp.mean((predictions - targets[second]) ** 2), jnp.sum(coef != 0)


parameters = {
    "weights": jnp.asarray(generator.normal(size=(3, 20))),
    "shifts": jnp.asarray(generator.normal(size=20)),
    "log_l1": jnp.log(0.02),
    "log_l2": jnp.log(0.01),
}
slope = jax.jit(jax.value_and_grad(loss, has_aux=True))
for step in range(61):
    (value, kept), gradient = slope(parameters)
    if step == 0:
        start = value
    if step % 20 == 0:
        print(f"step {step:3d}: loss {value:.4f}, {kept} of 20 features, l1 {jnp.exp(parameters['log_l1']):.4f}")
    parameters = jax.tree.map(lambda parameter, g: parameter - 0.2 * g, parameters, gradient)
assert value < start / 2, (value, start)
