"""Solutions as differentiable functions of JAX: of rows, targets, strengths, weights and priors.

coef, intercept = prox_layer()(X, y, l1, l2)
"""

from __future__ import annotations

from functools import lru_cache

import jax
import jax.numpy as jnp
import numpy as np

from . import _layer

__all__ = ["prox_layer"]


def _arrays(inputs, own, lead):
    """Inputs with one leading axis of the batch in place of those of vmap."""
    batch = int(np.prod(lead, dtype=int))
    out = []
    for part, ndim in zip(inputs, own, strict=True):
        array = np.asarray(part, dtype=np.float64)
        full = np.broadcast_to(array, (*lead, *array.shape[array.ndim - ndim :]))
        out.append(full.reshape((batch, *full.shape[len(lead) :])))
    return out, batch


def _shaped(part, lead, like):
    """A part with the axes of vmap in place of that of the batch."""
    return part.reshape((*lead, *part.shape[1:])).astype(like.dtype)


def _lead(inputs, own):
    shapes = [np.shape(part)[: np.ndim(part) - ndim] for part, ndim in zip(inputs, own, strict=True)]
    return np.broadcast_shapes(*shapes)


def prox_layer(**stated):
    """A function (X, y, l1, l2, sample_weight=None, prior=None) → (coef, intercept) of one problem.

    The parameters are those of `proxdiff.Problem`; columns are not standardised. It works under `jax.jit`, `jax.grad`
    and `jax.vmap`, for which a batch is one call. Arithmetic is f64 on the CPU; results have X's type. Gradients
    are right away from kinks; at a kink they are one of the derivatives that are valid there.
    """
    shared = _layer.Shared(**stated)

    def cotangent_axes():
        return (1, 0) if shared.n_classes == 1 else (2, 1)

    # Cached: what JAX has compiled for a function is known by the function.
    @lru_cache(maxsize=64)
    def made(shapes):
        """The differentiable function of the inputs that are there."""
        own = tuple(len(shape) for shape in shapes if shape is not None)

        def host_forward(*inputs):
            lead = _lead(inputs, own)
            present, batch = _arrays(inputs, own, lead)
            coef, intercept, _ = _layer.forward(shared, _filled(present, shapes), batch)
            return tuple(_shaped(part, lead, inputs[0]) for part in (coef, intercept))

        @lru_cache(maxsize=64)
        def host_backward(names):
            axes = (*own, *cotangent_axes())

            def products(*inputs):
                lead = _lead(inputs, axes)
                arrays, batch = _arrays(inputs, axes, lead)
                present, cotangent = arrays[: len(own)], arrays[len(own) :]
                full = _filled(present, shapes)
                _, _, members = _layer.forward(shared, full, batch)
                wrt = [name for name in names if name != "y" or shared.has_number_targets]
                found = _layer.backward(members, cotangent, wrt, full, batch)
                # Targets of classes have no derivative: whoever asks for one is to see that.
                missing = {name: np.full(full[_layer.INPUTS.index(name)].shape, np.nan) for name in names}
                return tuple(_shaped((missing | found)[name], lead, inputs[0]) for name in names)

            return products

        def solved(*inputs):
            dtype = inputs[0].dtype
            results = tuple(jax.ShapeDtypeStruct(shape, dtype) for shape in shared.shapes(inputs[0].shape[1]))
            return jax.pure_callback(host_forward, results, *inputs, vmap_method="expand_dims")

        function = jax.custom_vjp(solved)

        def with_residuals(*primals):
            inputs = tuple(primal.value for primal in primals)
            # A flag that is part of the structure, not of the values: None where nothing is differentiated.
            wanted = tuple(() if primal.perturbed else None for primal in primals)
            return solved(*inputs), (inputs, wanted)

        def products(residuals, cotangent):
            inputs, wanted = residuals
            places = [at for at, want in enumerate(wanted) if want is not None]
            if not places:
                return (None,) * len(inputs)
            present = _names(shapes)
            names = tuple(present[at] for at in places)
            results = tuple(jax.ShapeDtypeStruct(inputs[at].shape, inputs[0].dtype) for at in places)
            given = [_materialized(part) for part in cotangent]
            found = jax.pure_callback(host_backward(names), results, *inputs, *given, vmap_method="expand_dims")
            of_places = dict(zip(places, found, strict=True))
            return tuple(of_places.get(at) for at in range(len(inputs)))

        function.defvjp(with_residuals, products, symbolic_zeros=True)
        return function

    def layer(X, y, l1, l2=0.0, sample_weight=None, prior=None):
        """Coefficients (d,) and the intercept, with a class axis first for the multinomial loss."""
        X = jnp.asarray(X)
        if not jnp.issubdtype(X.dtype, jnp.floating):
            X = X.astype(float)
        inputs = [
            None if part is None else jnp.asarray(part, dtype=X.dtype) for part in (X, y, l1, l2, sample_weight, prior)
        ]
        shapes = tuple(None if part is None else part.shape for part in inputs)
        return made(shapes)(*[part for part in inputs if part is not None])

    return layer


def _materialized(cotangent):
    """A cotangent as numbers: one that is known to be zero comes without."""
    if isinstance(cotangent, jax.custom_derivatives.SymbolicZero):
        return jnp.zeros(cotangent.shape, cotangent.dtype)
    return cotangent


def _names(shapes):
    return [name for name, shape in zip(_layer.INPUTS, shapes, strict=True) if shape is not None]


def _filled(present, shapes):
    """All inputs, None for those that were left out."""
    rest = iter(present)
    return [None if shape is None else next(rest) for shape in shapes]
