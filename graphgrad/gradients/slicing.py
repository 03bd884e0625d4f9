"""Gradients of ops that take tensors apart by position, and of those that put them together again.

Taking a part has as its gradient putting it into zeros; gathering has scattering, padding has slicing, and so on back.
"""

from __future__ import annotations

from typing import Any

from graphgrad import dtypes
from graphgrad.errors import ArgumentError
from graphgrad.functions import GraphBuilder
from graphgrad.gradients._gather import elements_back, gathered_back, rows_back
from graphgrad.graph import Operation
from graphgrad.registry import gradient
from graphgrad.tensors import IndexedSlices, Tensor

MASKS = ("begin_mask", "end_mask", "ellipsis_mask", "new_axis_mask", "shrink_axis_mask")


# ---------------------------------------------------------------------- slices
@gradient("Slice")
def slice_(g, op, dz):
    """dz amid zeros: `begin` of them before it, and after it what is left over."""
    x, begin, _ = op.inputs
    rank = g.rank(x)
    size = g.shape(op.outputs[0], out_type=begin.dtype)
    column = g.stack([rank, 1])
    before = g.Reshape(begin, column)
    after = g.Reshape(g.shape(x, out_type=begin.dtype) - size - begin, column)
    return g.Pad(dz, g.concat([before, after], 1)), None, None


def masks(op: Operation) -> dict[str, int]:
    """The attributes that tell how a strided slice reads its bounds."""
    return {name: op[name] for name in MASKS}


def known(g: GraphBuilder, x: Tensor) -> Any:
    """The elements of a vector where TensorFlow's Python layer sees them, else the tensor."""
    value = g.python_value(x)
    return x if value is None else list(value.flat)


@gradient("StridedSlice")
def strided_slice(g, op, dz):
    x, *bounds = op.inputs
    dtype = bounds[0].dtype
    shape = g.shape(x, out_type=dtype)
    places = [known(g, t) for t in (shape, *bounds)]
    return g.StridedSliceGrad(*places, dz, Index=dtype, **masks(op)), None, None, None


@gradient("StridedSliceGrad")
def strided_slice_grad(g, op, dz):
    return None, None, None, None, g.StridedSlice(dz, *op.inputs[1:4], **masks(op))


@gradient("TensorStridedSliceUpdate")
def tensor_strided_slice_update(g, op, dz):
    """What was overwritten gets no gradient; the value gets that of its place, summed where it was broadcast."""
    _, *bounds, value = op.inputs
    dvalue = g.StridedSlice(dz, *bounds, **masks(op))
    dx = g.TensorStridedSliceUpdate(dz, *bounds, g.zeros_like(dvalue), **masks(op))
    placed = g.shape(dvalue, out_type=bounds[0].dtype)
    shape = g.shape(value, out_type=placed.dtype)
    axes = g.BroadcastGradientArgs(placed, shape)[1]
    return dx, None, None, None, g.Reshape(g.reduce_sum(dvalue, axes, keepdims=True), shape)


# ---------------------------------------------------------------------- padding
@gradient("Pad", "PadV2")
def pad(g, op, dz):
    x, paddings = op.inputs[:2]
    before = g.Slice(paddings, [0, 0], g.stack([g.rank(x), 1]))
    begin = g.Reshape(before, [-1])
    dx = g.Slice(dz, begin, g.shape(x, out_type=begin.dtype))
    return dx, None, *[None] * (len(op.inputs) - 2)


@gradient("MirrorPad")
def mirror_pad(g, op, dz):
    return g.MirrorPadGrad(dz, op.inputs[1], mode=op["mode"]), None


@gradient("MirrorPadGrad")
def mirror_pad_grad(g, op, dz):
    return g.MirrorPad(dz, op.inputs[1], mode=op["mode"]), None


# ---------------------------------------------------------------------- permutations
@gradient("Reverse", "ReverseV2")
def reverse(g, op, dz):
    return g.op(op.type, dz, op.inputs[1]).outputs[0], None


@gradient("ReverseSequence")
def reverse_sequence(g, op, dz):
    return g.ReverseSequence(dz, op.inputs[1], seq_dim=op["seq_dim"], batch_dim=op["batch_dim"]), None


@gradient("Roll")
def roll(g, op, dz):
    _, shift, axis = op.inputs
    return g.Roll(dz, -shift, axis), None, None


@gradient("SpaceToBatchND")
def space_to_batch_nd(g, op, dz):
    return g.BatchToSpaceND(dz, *op.inputs[1:]), None, None


@gradient("BatchToSpaceND")
def batch_to_space_nd(g, op, dz):
    return g.SpaceToBatchND(dz, *op.inputs[1:]), None, None


@gradient("SpaceToBatch")
def space_to_batch(g, op, dz):
    return g.BatchToSpaceND(dz, [op["block_size"]] * 2, op.inputs[1], Tblock_shape=dtypes.int64), None


@gradient("BatchToSpace")
def batch_to_space(g, op, dz):
    return g.SpaceToBatchND(dz, [op["block_size"]] * 2, op.inputs[1], Tblock_shape=dtypes.int64), None


@gradient("SpaceToDepth")
def space_to_depth(g, op, dz):
    return moved_depth(g, op, "DepthToSpace", dz)


@gradient("DepthToSpace")
def depth_to_space(g, op, dz):
    return moved_depth(g, op, "SpaceToDepth", dz)


def moved_depth(g: GraphBuilder, op: Operation, back: str, dz: Any) -> Tensor:
    """`dz` through the opposite op. Raises ArgumentError for the layout that only quantized tensors have."""
    if op["data_format"] == "NCHW_VECT_C":
        raise ArgumentError(
            f"Cannot compute {op.type} gradient with NCHW_VECT_C. NCHW_VECT_C requires qint8 data type. (node {op.name!r})"
        )
    return g.op(back, dz, block_size=op["block_size"], data_format=op["data_format"]).outputs[0]


# ---------------------------------------------------------------------- gathering
@gradient("Gather")
def gather(g, op, dz):
    params, _ = op.inputs
    with g.colocate_with(params.op):  # the shape of large params is best computed where they are
        shape = g.shape(params)
    return rows_back(g, op, shape, dz), None


@gradient("GatherV2")
def gather_v2(g, op, dz):
    """Rows give IndexedSlices; slices along another axis are summed into their places."""
    params, indices, axis = op.inputs
    with g.colocate_with(params.op):
        shape = g.shape(params)
    along = g.python_value(axis)
    if along is not None and along.scalar == 0:
        return rows_back(g, op, shape, dz), None, None
    g.ExpandDims(g.size(indices), 0)  # unused in TensorFlow as well
    dparams = gathered_back(g, op, shape, axis, dz)
    return g.Reshape(dparams, g.shape(params)), None, None


@gradient("GatherNd")
def gather_nd(g, op, dz):
    params, indices = op.inputs
    return elements_back(g, op, g.shape(params, out_type=indices.dtype), dz), None


# ---------------------------------------------------------------------- scattering
@gradient("ScatterNd")
def scatter_nd(g, op, dz):
    return None, g.GatherNd(dz, op.inputs[0]), None


@gradient("ScatterNdNonAliasingAdd")
def scatter_nd_non_aliasing_add(g, op, dz):
    return dz, None, g.GatherNd(dz, op.inputs[1])


@gradient("TensorScatterAdd")
def tensor_scatter_add(g, op, dz):
    dupdates = g.GatherNd(dz, op.inputs[1])
    return g.identity(dz), None, dupdates


@gradient("TensorScatterSub")
def tensor_scatter_sub(g, op, dz):
    dupdates = g.GatherNd(dz, op.inputs[1])
    return g.identity(dz), None, -dupdates


@gradient("TensorScatterUpdate")
def tensor_scatter_update(g, op, dz):
    """What was overwritten gets no gradient."""
    _, indices, updates = op.inputs
    dupdates = g.GatherNd(dz, indices)
    return g.TensorScatterUpdate(g.identity(dz), indices, g.zeros_like(updates, dz.dtype)), None, dupdates


@gradient("TensorScatterMax", "TensorScatterMin")
def tensor_scatter_extremum(g, op, dz):
    """All that equal the extremum of their place, the tensor's element and updates, share its gradient evenly."""
    x, indices, updates = op.inputs
    (z,) = op.outputs
    policy = {"bad_indices_policy": op["bad_indices_policy"]}
    x_won = g.cast(g.Equal(x, z), dz.dtype)
    update_won = g.cast(g.Equal(updates, g.GatherNd(z, indices, **policy)), dz.dtype)
    winners = x_won + g.ScatterNd(indices, update_won, g.shape(x, out_type=indices.dtype), **policy)
    dx = dz * x_won / winners
    return dx, None, g.GatherNd(dz / winners, indices, **policy) * update_won


# ---------------------------------------------------------------------- stitching
@gradient("DynamicPartition")
def dynamic_partition(g, op, *dz):
    """The positions, partitioned as the data was, tell where each row of the gradients belongs."""
    data, partitions = op.inputs
    shape = g.shape(partitions)
    positions = g.Reshape(g.range(0, g.reduce_prod(shape)), shape)
    places = g.DynamicPartition(positions, partitions, num_partitions=op["num_partitions"])
    return g.Reshape(g.ParallelDynamicStitch(places, dz), g.shape(data)), None


@gradient("DynamicStitch", "ParallelDynamicStitch")
def dynamic_stitch(g, op, dz):
    count = len(op.inputs) // 2
    indices = [g.cast(t, dtypes.int32) for t in op.inputs[:count]]
    if isinstance(dz, IndexedSlices):
        dz = g.UnsortedSegmentSum(dz.values, dz.indices, g.shape(op.outputs[0])[0])
    return [*[None] * count, *[g.gather(dz, t) for t in indices]]
