"""Gradients of reductions. Each spreads the gradient back over the axes that were reduced."""

from __future__ import annotations

import math
import sys

from graphgrad import dtypes
from graphgrad.functions import GraphBuilder, static_shape
from graphgrad.graph import Operation
from graphgrad.registry import gradient, no_gradient
from graphgrad.tensors import Tensor

no_gradient("ArgMax", "ArgMin")


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
    with g.on_device("/device:CPU:0"):
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


# The least finite number of each type.
LOWEST = {
    dtypes.float16: -65504.0,
    dtypes.bfloat16: -float.fromhex("0x1.fep127"),
    dtypes.float32: -float.fromhex("0x1.fffffep127"),
    dtypes.float64: -sys.float_info.max,
}


@gradient("CumulativeLogsumexp")
def cumulative_logsumexp(g, op, dz):
    """dx = exp(x) · the scan back of dz exp(-y), in logarithms, of dz's positive and its negative part."""
    x, axis = op.inputs
    (y,) = op.outputs
    lowest = LOWEST[dz.dtype]
    log_positive = g.SelectV2(g.Greater(dz, 0), g.Log(dz), lowest)
    log_negative = g.SelectV2(g.Less(dz, 0), g.Log(-dz), lowest)

    def scanned_back(log_part: Tensor) -> Tensor:
        sums = g.CumulativeLogsumexp(log_part - y, axis, exclusive=op["exclusive"], reverse=not op["reverse"])
        return g.Exp(sums + x)

    positive = scanned_back(log_positive)
    return positive - scanned_back(log_negative), None


# ------------------------------------------------------------------ the largest elements
@gradient("NthElement")
def nth_element(g, op, dz):
    """The gradient is shared by all elements that equal the one taken."""
    x = op.inputs[0]
    selected = g.cast(g.Equal(g.ExpandDims(op.outputs[0], -1), x), dz.dtype)
    dz = g.ExpandDims(dz, -1)
    count = g.ExpandDims(g.reduce_sum(selected, -1), -1)
    return selected / count * dz, None


@gradient("TopKV2")
def top_k_v2(g, op, dz, _):
    return top_k(g, op, dz, _), g.zeros([], dtypes.int32)


@gradient("TopK")
def top_k(g, op, dz, _):
    """dz scattered to where its elements came from, each row's indices counted on from where the row begins."""
    shape, chosen_shape = g.shape(op.inputs[0]), g.shape(op.outputs[1])
    rows = g.Reshape(op.outputs[1], g.stack([-1, innermost(g, chosen_shape)]))
    length = innermost(g, shape)
    count = g.cast(g.shape(rows)[0], dtypes.int64)
    starts = g.ExpandDims(g.range(0, count * length, length), -1)
    places = g.Reshape(rows + g.cast(starts, rows.dtype), [-1])
    values = g.ExpandDims(places, -1), g.Reshape(dz, [-1])
    return g.Reshape(g.ScatterNd(*values, [g.reduce_prod(shape)]), shape)


def innermost(g: GraphBuilder, shape: Tensor) -> Tensor:
    """The last dimension of a shape, as int64."""
    return g.gather(g.cast(shape, dtypes.int64), g.size(shape) - 1)


@gradient("ApproxTopK")
def approx_top_k(g, op, dz, _):
    """dz scattered to where its elements came from: the index along the axis searched, own positions along the others."""
    x, indices = op.inputs[0], op.outputs[1]
    shape = static_shape(indices)
    if shape is None or static_shape(x) is None:
        return scattered_along(g, op, dz)
    rank = len(shape)
    axis = op["reduction_dimension"] % rank
    coordinates = []
    for i, length in enumerate(shape):
        if i == axis:
            coordinates.append(g.Reshape(indices, [*shape, 1]))
        else:
            positions = g.Reshape(g.range(0, length), [length if j == i else 1 for j in range(rank + 1)])
            coordinates.append(g.BroadcastTo(positions, [*shape, 1]))
    count = math.prod(shape)
    places = g.Reshape(g.concat(coordinates, rank), [count, rank])
    return g.ScatterNd(places, g.Reshape(dz, [count]), list(x.shape))


def scattered_along(g: GraphBuilder, op: Operation, dz: Tensor) -> Tensor:
    """The same where shapes are unknown, which TensorFlow refuses: x is seen as [outer, length, inner]."""
    x, indices, axis = op.inputs[0], op.outputs[1], op["reduction_dimension"]
    shape = g.shape(x)
    inner = g.reduce_prod(shape[axis + 1 :] if axis != -1 else shape[:0])
    length = shape[axis]
    chosen = g.Reshape(indices, g.stack([-1, g.shape(indices)[axis], inner]))
    outer = g.Reshape(g.range(0, g.shape(chosen)[0]), [-1, 1, 1])
    places = (outer * length + chosen) * inner + g.range(0, inner)
    values = g.Reshape(places, [-1, 1]), g.Reshape(dz, [-1])
    return g.Reshape(g.ScatterNd(*values, [g.size(x)]), shape)
