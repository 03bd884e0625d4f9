"""Gradients of element-wise ops. Every rule of a broadcasting op ends in `unbroadcast`, which alone undoes it."""

from __future__ import annotations

from graphgrad.gradients.broadcasting import unbroadcast
from graphgrad.registry import gradient, no_gradient

no_gradient(
    *"Equal NotEqual ApproximateEqual Less LessEqual Greater GreaterEqual LogicalAnd LogicalOr LogicalNot".split(),
    "BroadcastGradientArgs",
)


@gradient("Neg")
def neg(g, op, dz):
    return -dz


@gradient("Tanh")
def tanh(g, op, dz):
    """d tanh(x) = (1 - y²) dx"""
    (y,) = op.outputs
    with g.control_dependencies([dz]):
        return g.TanhGrad(g.conj(y), dz)


@gradient("Square")
def square(g, op, dz):
    (x,) = op.inputs
    with g.control_dependencies([dz]):
        return g.Mul(dz, g.Mul(g.conj(x), g.constant(2.0, x.dtype)))


@gradient("Add", "AddV2")
def add(g, op, dz):
    return unbroadcast(g, op, dz, dz)
