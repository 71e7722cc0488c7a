"""A solution and its products with cotangents over batches: what the layers of all frameworks call."""

from __future__ import annotations

import numpy as np

from ._core import Problem

#: The inputs of a layer, in their order.
INPUTS = ("X", "y", "l1", "l2", "sample_weight", "prior")


class Shared:
    """A layer's problem without its data: loss, penalty, groups, tolerance."""

    def __init__(
        self,
        *,
        loss="squared",
        penalty="elastic-net",
        groups=None,
        delta=1.0,
        power=1.5,
        n_classes=None,
        fit_intercept=True,
        tol=None,
        max_iter=100_000,
        n_threads=None,
    ):
        if loss == "multinomial" and n_classes is None:
            raise ValueError("n_classes: the multinomial loss needs it; a batch of targets may lack a class")
        if penalty == "box":
            raise ValueError("penalty: the box has no strengths to differentiate in; give another penalty")
        self.stated = {
            "loss": loss,
            "penalty": penalty,
            "groups": groups,
            "delta": delta,
            "power": power,
            "n_classes": n_classes,
            "fit_intercept": fit_intercept,
            "standardize": False,
            "n_threads": n_threads,
        }
        self.options = {"tol": tol, "max_iter": max_iter}
        self.n_classes = n_classes if loss == "multinomial" else 1
        self.fit_intercept = fit_intercept
        self.has_number_targets = loss not in ("logistic", "squared-hinge", "multinomial")

    def shapes(self, d):
        """The shapes of coefficients and intercepts of one problem."""
        c = self.n_classes
        return ((d,), ()) if c == 1 else ((c, d), (c,))


class Member:
    """The solutions of the members of a batch that share their rows: one problem, whose targets may differ."""

    def __init__(self, shared, X, y, l1, l2, weights, prior):
        stated = dict(shared.stated)
        if l1.ndim == 2:
            # A vector of strengths of each point's own.
            stated["strengths"] = np.ones(l1.shape[1])
        if l2.ndim == 2:
            stated["ridge"] = np.ones(l2.shape[1])
        if prior is not None:
            stated["prior"] = np.zeros(X.shape[1])
        target = 0
        self.options = shared.options
        if y.ndim == 2:
            target, y = np.arange(len(y)), y.T
        self.problem = Problem(X, y, **stated)
        options = {"target": target, "sample_weight": weights, "prior": prior}
        self.solutions = self.problem.solve(l1, l2, **options, **shared.options)
        bad = [status for status in self.solutions.status if status != "converged"]
        if bad:
            raise RuntimeError(
                f"the layer's solver ended {bad[0]}: {self._sentence()}; raise max_iter, or choose larger strengths"
            )

    def products(self, cotangent, wrt):
        """Products of a cotangent with the derivative of the solutions."""
        try:
            found = self.problem.vjp(self.solutions, cotangent, wrt, **self.options)
        except ValueError as error:
            # The inputs are those of the solutions: what is amiss is the derivative there.
            raise RuntimeError(f"the layer's gradient: {error}") from None
        bad = [status for status in found["status"] if status != "converged"]
        if bad:
            raise RuntimeError(
                f"the layer's gradient ended {bad[0]}; raise max_iter or tol, or choose larger strengths"
            )
        return found

    def _sentence(self):
        sentences = [text for of_point in self.solutions.warnings for _, text in of_point]
        return sentences[0] if sentences else "it needs more steps"


def groups_of(X):
    """Members of a batch that share their rows: lists of places."""
    found: dict[bytes, list[int]] = {}
    for at in range(len(X)):
        # Broadcast members have the same memory; others are told apart by their bytes.
        key = b"" if X.strides[0] == 0 else X[at].tobytes()
        found.setdefault(key, []).append(at)
    return list(found.values())


def forward(shared, inputs, batch):
    """Coefficients and intercepts of all members, and what the products need."""
    X, y, *rest = inputs
    coef_shape, intercept_shape = shared.shapes(X.shape[-1])
    coef, intercept = np.empty((batch, *coef_shape)), np.empty((batch, *intercept_shape))
    members = []
    for places in groups_of(X):
        targets = y[places[0]] if y.strides[0] == 0 or len(places) == 1 else y[places]
        own = [None if part is None else part[places] for part in rest]
        member = Member(shared, X[places[0]], targets, *own)
        coef[places], intercept[places] = member.solutions.coef, member.solutions.intercept
        members.append((places, member))
    return coef, intercept, members


def backward(members, cotangent, wrt, inputs, batch):
    """Products for the inputs that are named, each in the shape of its input."""
    out = {name: np.zeros(inputs[INPUTS.index(name)].shape) for name in wrt}
    for places, member in members:
        own = (cotangent[0][places], cotangent[1][places])
        found = member.products(own, wrt)
        for name in wrt:
            out[name][places] = found[name].reshape(len(places), *out[name].shape[1:])
    return out
