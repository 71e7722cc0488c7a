"""Solutions as layers of PyTorch: differentiable functions of rows, targets, strengths, weights and priors.

coef, intercept = ProxLayer()(X, y, l1, l2)
"""

from __future__ import annotations

import numpy as np
import torch

from . import _layer

__all__ = ["ProxLayer"]


class _Solve(torch.autograd.Function):
    @staticmethod
    def forward(shared, batch, *inputs):
        arrays = [
            None if part is None else part.detach().cpu().numpy().astype(np.float64, copy=False) for part in inputs
        ]
        coef, intercept, members = _layer.forward(shared, arrays, batch)
        like = inputs[0]
        out = [torch.as_tensor(part, dtype=like.dtype, device=like.device) for part in (coef, intercept)]
        return (*out, members)

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.shared, ctx.batch, *tensors = inputs
        ctx.members = output[2]
        ctx.shapes = [None if part is None else (part.shape, part.dtype, part.device) for part in tensors]
        ctx.set_materialize_grads(True)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, coef, intercept, _):
        needed = [name for name, needs in zip(_layer.INPUTS, ctx.needs_input_grad[2:], strict=True) if needs]
        like = [None if shape is None else np.empty(shape[0]) for shape in ctx.shapes]
        cotangent = [part.detach().cpu().numpy().astype(np.float64) for part in (coef, intercept)]
        found = _layer.backward(ctx.members, cotangent, needed, like, ctx.batch)
        out = []
        for name, shape in zip(_layer.INPUTS, ctx.shapes, strict=True):
            part = found.get(name)
            out.append(None if part is None else torch.as_tensor(part, dtype=shape[1], device=shape[2]))
        return (None, None, *out)

    @staticmethod
    def vmap(info, in_dims, shared, batch, *inputs):
        moved = []
        for part, dim in zip(inputs, in_dims[2:], strict=True):
            if part is not None:
                # (vmapped, batch, …) as one batch.
                part = part.unsqueeze(0).expand(info.batch_size, *part.shape) if dim is None else part.movedim(dim, 0)
                part = part.reshape(info.batch_size * batch, *part.shape[2:])
            moved.append(part)
        coef, intercept, members = _Solve.apply(shared, info.batch_size * batch, *moved)
        split = [part.reshape(info.batch_size, batch, *part.shape[1:]) for part in (coef, intercept)]
        return (*split, members), (0, 0, None)


class ProxLayer(torch.nn.Module):
    """A layer whose output is the solution of a problem: coefficients and intercepts.

    The parameters are those of `proxdiff.Problem`; columns are not standardised. X has shape (n, d) or (batch, n, d), y
    (n,) or (batch, n), l1 and l2 are numbers or vectors, with a leading axis in a batch; sample_weight and prior
    may be left out. A batch, and `torch.func.vmap`, is one call. Arithmetic is f64 on the CPU, whatever the
    tensors are. Gradients are right away from kinks; at a kink they are one of the derivatives that are valid there.
    """

    def __init__(self, **stated):
        super().__init__()
        self.shared = _layer.Shared(**stated)

    def forward(self, X, y, l1, l2=0.0, sample_weight=None, prior=None):
        """Coefficients (…, d) and intercepts (…), with a class axis before d for the multinomial loss."""
        X = torch.as_tensor(X)
        if not X.is_floating_point():
            X = X.to(torch.get_default_dtype())
        y = torch.as_tensor(y, device=X.device)
        given = [torch.as_tensor(part, dtype=X.dtype, device=X.device) for part in (l1, l2)]
        given += [None if part is None else torch.as_tensor(part, device=X.device) for part in (sample_weight, prior)]
        # Axes of one member: of strengths none, or one where they are longer than a batch's numbers.
        batches = {part.shape[0] for part, own in ((X, 2), (y, 1)) if part.ndim > own}
        is_batch = bool(batches)
        for part in given[2:]:
            if part is not None and part.ndim > 1:
                batches.add(part.shape[0])
                is_batch = True
        if not is_batch and any(part.ndim == 2 for part in given[:2]):
            batches = {part.shape[0] for part in given[:2] if part.ndim == 2}
            is_batch = True
        if len(batches) > 1:
            raise ValueError(f"batch: inputs have {sorted(batches)} members; give the same number, or none")
        batch = batches.pop() if batches else 1
        d = X.shape[-1]

        def spread(part, own):
            if part is None:
                return None
            return part if part.ndim > own else part.unsqueeze(0).expand(batch, *part.shape)

        def strength(part):
            if part.ndim == 0:
                return part.expand(batch)
            if part.ndim == 1 and is_batch and part.shape[0] == batch and part.shape[0] != d:
                return part
            if part.ndim == 1 and is_batch and part.shape[0] == batch == d:
                raise ValueError("l1 and l2: a vector of as many numbers as members and features; give two axes")
            return part.unsqueeze(0).expand(batch, *part.shape) if part.ndim == 1 else part

        inputs = (
            spread(X, 2),
            spread(y, 1),
            strength(given[0]),
            strength(given[1]),
            spread(given[2], 1),
            spread(given[3], 1),
        )
        coef, intercept, _ = _Solve.apply(self.shared, batch, *inputs)
        return (coef, intercept) if is_batch else (coef[0], intercept[0])
