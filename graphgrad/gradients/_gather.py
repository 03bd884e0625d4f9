"""Gradients of gathering from tensors and from variables: what was read from a place flows back to that place.

Rows come back as IndexedSlices; everything else is summed into a dense tensor of the shape of the source.
"""

from __future__ import annotations

from typing import Any

from graphgrad.errors import ArgumentError
from graphgrad.functions import GraphBuilder
from graphgrad.graph import Operation
from graphgrad.tensors import IndexedSlices, Tensor


def rows_back(g: GraphBuilder, op: Operation, shape: Tensor, dz: Any) -> IndexedSlices:
    """The gradient of gathering along axis 0 from params of this shape: one row of values per index."""
    indices = op.inputs[1]
    count = g.ExpandDims(g.size(indices), 0)
    values_shape = g.concat([count, shape[1:]], 0)
    if op.type != "ResourceGather":  # there Reshape makes dz dense itself
        dz = g.dense(dz)
    values = g.Reshape(dz, values_shape)
    return IndexedSlices(values, g.Reshape(indices, count), shape)


def elements_back(g: GraphBuilder, op: Operation, shape: Tensor, dz: Any) -> IndexedSlices | Tensor:
    """The gradient of gathering by index vectors: rows where the vectors are known to hold one index, else dense."""
    indices, known = op.inputs[1], op.inputs[1].shape
    if known is not None and len(known) == 2 and known[1] == 1:
        return IndexedSlices(g.dense(dz), g.Squeeze(indices, squeeze_dims=[-1]), shape)
    policy = op.get("bad_indices_policy", "")
    return g.ScatterNd(indices, dz, shape, bad_indices_policy=policy)


def gathered_back(g: GraphBuilder, op: Operation, shape: Tensor, axis: Any, dz: Any) -> Tensor:
    """The gradient of gathering along `axis` behind batch axes, from params of this shape.

    The axis is moved to the front of what follows the batch axes, the slices are summed there, and it is moved back.
    """
    batch_dims = batch_dims_of(op)
    outer, inner = shape[:axis], shape[axis:][1:]
    values_shape = g.concat([outer, [-1], inner], 0)
    rank, axis_position = g.size(values_shape), g.size(outer)
    batch_axes, before, after = (
        g.range(0, batch_dims),
        g.range(batch_dims, axis_position),
        g.range(axis_position + 1, rank),
    )
    values = g.Reshape(g.dense(dz), values_shape)
    order = g.concat([batch_axes, [axis_position], before, after], 0)
    values, moved_shape = g.transpose(values, order), g.gather(shape, order)
    dparams = summed_by_index(g, op.inputs[1], batch_dims, moved_shape, values, shape[axis])
    return g.transpose(dparams, g.concat([batch_axes, before + 1, [batch_dims], after], 0))


def batch_dims_of(op: Operation) -> int:
    """The number of batch axes. Raises ArgumentError where it counts from the end of indices of unknown rank."""
    batch_dims, shape = op["batch_dims"], op.inputs[1].shape
    if batch_dims >= 0:
        return batch_dims
    if shape is None:
        raise ArgumentError(
            f"the gradient of {op.type} node {op.name!r} has batch_dims={batch_dims}, and the rank of its indices "
            "is unknown: give them a static rank or use a positive batch_dims"
        )
    return batch_dims + len(shape)


def summed_by_index(
    g: GraphBuilder, indices: Tensor, batch_dims: int, shape: Tensor, values: Tensor, size: Tensor
) -> Tensor:
    """`values`, whose first axis behind the batch axes runs over the indices, summed over equal ones."""
    count = g.ExpandDims(g.size(indices), 0)
    if not batch_dims:
        return g.UnsortedSegmentSum(values, g.Reshape(indices, count), size)
    values_shape = g.shape(values)
    batch_shape, inner = values_shape[:batch_dims], values_shape[batch_dims:][1:]
    batch_size = g.Prod(batch_shape, [0])
    flat_shape = g.concat([[-1], inner], 0)
    size = size * batch_size
    indices = counted_through_batches(g, shape, indices, batch_dims)
    values = g.Reshape(values, flat_shape)
    summed = g.UnsortedSegmentSum(values, g.Reshape(indices, count), size)
    return g.Reshape(summed, g.concat([batch_shape, flat_shape], 0))


def counted_through_batches(g: GraphBuilder, shape: Tensor, indices: Tensor, batch_dims: int) -> Tensor:
    """Indices into params whose batch axes are flattened into the gathered one."""
    dtype = indices.dtype
    sizes = g.cast(shape, dtype)
    stride = g.ones((), dtype)
    result = indices
    for axis in range(batch_dims, 0, -1):
        length = sizes[axis - 1]
        stride = stride * sizes[axis]
        start, step = g.zeros((), dtype), g.ones((), dtype)
        offsets = g.range(start, length, step) * stride
        lead, trail = g.Tile([1], [axis - 1]), g.Tile([1], [g.rank(indices) - axis])
        result = result + g.Reshape(offsets, g.concat([lead, [length], trail], 0))
    return result
