"""Gradients of reductions. Each spreads the gradient back over the axes that were reduced."""

from __future__ import annotations

import math

from graphgrad import dtypes
from graphgrad.functions import GraphBuilder, static_shape
from graphgrad.graph import Operation, Tensor
from graphgrad.registry import gradient, no_gradient

no_gradient("ArgMax", "ArgMin", "All", "Any")


def spread(g: GraphBuilder, op: Operation, dz: Tensor) -> Tensor:
    """`dz` copied along the axes that `op` reduced, to the shape of its input."""
    x, axes = op.inputs
    shape, known_axes = x.shape, g.python_value(axes)
    if shape is not None and known_axes is not None:
        if known_axes.flat == tuple(range(len(shape))) and len(known_axes.shape) == 1:
            dz = g.Reshape(dz, [1] * len(shape))
            return g.Tile(dz, g.constant(list(shape), dtypes.int32) if None not in shape else g.shape(x))
        if None not in shape:
            kept, scaling = g.reduced_shape_and_scaling(shape, known_axes.flat)
            return g.Tile(g.Reshape(dz, kept), scaling)
    whole = g.shape(x)
    if not op["keep_dims"]:
        with g.colocate_with(whole.op):
            kept = g.reduced_shape(whole, axes)
        dz = g.Reshape(dz, kept)
    return g.BroadcastTo(dz, whole)


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


@gradient("Max", "Min")
def extremum(g, op, dz):
    """The gradient is shared by all elements that equal the extremum."""
    x, axes = op.inputs
    (y,) = op.outputs
    shape = g.shape(x)
    if op["keep_dims"]:
        kept = g.shape(y)
    else:
        kept = g.reduced_shape(shape, axes)
        y, dz = g.Reshape(y, kept), g.Reshape(dz, kept)
    selected = g.cast(g.Equal(y, x), dz.dtype)
    count = g.Reshape(g.reduce_sum(selected, axes), kept)
    return selected / count * dz, None


@gradient("Prod")
def prod(g, op, dz):
    """Each element's gradient is the product of all others: of those before it and those behind it."""
    x, axes = op.inputs
    shape = g.shape(x)
    flat_axes = g.Reshape(axes, [-1])
    if not op["keep_dims"]:
        dz = g.Reshape(dz, g.reduced_shape(shape, axes))
    dz = g.BroadcastTo(dz, shape)
    with g.anywhere("/device:CPU:0"):
        rank = g.rank(x)
        reduced = (g.cast(flat_axes, rank.dtype) + rank) % rank
        other, _ = g.ListDiff(g.range(0, rank), reduced, out_idx=reduced.dtype)
        perm = g.concat([reduced, other], 0)
        reduced_count = g.reduce_prod(g.gather(shape, reduced))
        other_count = g.reduce_prod(g.gather(shape, other))
    permuted = g.transpose(x, perm)
    permuted_shape = g.shape(permuted)
    rows = g.Reshape(permuted, [reduced_count, other_count])
    before = g.Cumprod(rows, 0, exclusive=True)
    behind = g.Cumprod(rows, 0, exclusive=True, reverse=True)
    others = g.Reshape(g.conj(before) * g.conj(behind), permuted_shape)
    dx = dz * g.transpose(others, g.InvertPermutation(perm))
    return g.Reshape(dx, shape), None


@gradient("EuclideanNorm")
def euclidean_norm(g, op, dz):
    x, axes = op.inputs
    (y,) = op.outputs
    if not op["keep_dims"]:
        kept = g.reduced_shape(g.shape(x), axes)
        y, dz = g.Reshape(y, kept), g.Reshape(dz, kept)
    return x / (y / dz), None


@gradient("Cumsum")
def cumsum(g, op, dz):
    axis = op.inputs[1]
    return g.Cumsum(dz, axis, exclusive=op["exclusive"], reverse=not op["reverse"]), None


@gradient("Cumprod")
def cumprod(g, op, dz):
    x, axis = op.inputs
    scan = {"exclusive": op["exclusive"], "reverse": op["reverse"]}
    products = g.Cumprod(x, axis, **scan)
    sums = g.Cumsum(products * dz, axis, exclusive=op["exclusive"], reverse=not op["reverse"])
    return g.DivNoNan(sums, x, name="div_no_nan"), None
