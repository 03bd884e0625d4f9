"""Gradients of reductions. Each spreads the gradient back over the axes that were reduced."""

from __future__ import annotations

import math

from graphgrad.functions import GraphBuilder, static_shape
from graphgrad.graph import Operation, Tensor
from graphgrad.registry import gradient


def spread(g: GraphBuilder, op: Operation, dz: Tensor) -> Tensor:
    """`dz` copied along the axes that `op` reduced, to the shape of its input."""
    x, axes = op.inputs
    shape, known_axes = x.shape, g.python_value(axes)
    if shape is not None and known_axes is not None:
        if list(known_axes.flat) == list(range(len(shape))) and len(known_axes.shape) == 1:
            dz = g.Reshape(dz, [1] * len(shape))
            return g.Tile(dz, g.constant(list(shape)) if None not in shape else g.shape(x))
        if None not in shape:
            kept = g.reduced_shape(shape, known_axes.flat)
            return g.Tile(g.Reshape(dz, kept), [full // max(one, 1) for full, one in zip(shape, kept, strict=True)])
    shape = g.shape(x)
    if not op["keep_dims"]:
        with g.colocate_with(shape.op):
            kept = g.reduced_shape(shape, axes)
        dz = g.Reshape(dz, kept)
    return g.BroadcastTo(dz, shape)


@gradient("Sum")
def sum_(g, op, dz):
    return spread(g, op, dz), None


@gradient("Mean")
def mean(g, op, dz):
    """The gradient of the sum over the number of elements that went into each mean."""
    x, axes = op.inputs
    dx = spread(g, op, dz)
    before, after = static_shape(x), static_shape(op.outputs[0])
    if before is not None and after is not None:
        count = g.constant(math.prod(before) // max(math.prod(after), 1), dx.dtype)
    else:
        shape = g.shape(x)
        rank = g.size(shape)
        axes = (g.cast(axes, rank.dtype) + rank) % rank
        count = g.reduce_prod(g.gather(shape, axes))
    return dx / g.cast(count, dx.dtype), None
