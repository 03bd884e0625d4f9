"""Static shapes of ops that take tensors apart by position and put them together again.

What a position cannot tell, because it is not known before a run, is an unknown dimension; never an error.
"""

from __future__ import annotations

import math

from graphgrad.attributes import Shape
from graphgrad.graph import Operation
from graphgrad.registry import shape, shapes
from graphgrad.shapes import dims, values
from graphgrad.shapes.common import same_as_first
from graphgrad.shapes.dims import Dim
from graphgrad.tensors import Tensor

shapes(
    same_as_first,
    *["InplaceAdd", "InplaceSub", "InplaceUpdate", "ReverseV2", "Roll", "ScatterNdNonAliasingAdd"],
    *["TensorScatterAdd", "TensorScatterMax", "TensorScatterMin", "TensorScatterSub", "TensorScatterUpdate"],
    "TensorStridedSliceUpdate",
)


def length_of(vector: Tensor) -> Dim:
    """How many elements a vector has."""
    shape = vector.shape
    return shape[0] if shape is not None and len(shape) == 1 else None


# ---------------------------------------------------------------------- slices
@shape("Slice")
def slice_(op: Operation) -> Shape:
    """A size of -1 means the rest, where all sizes are known; among unknown ones it is an unknown dimension."""
    x, begin, size = op.inputs
    rank = next((n for n in (dims.rank_of(x.shape), length_of(begin), length_of(size)) if n is not None), None)
    if rank is None:
        return None
    sizes, starts = values.complete(size), values.as_shape(begin) or (None,) * rank
    if sizes is None:
        return values.as_shape(size) or (None,) * rank
    full = x.shape or (None,) * rank
    return tuple(
        n if n != -1 else None if d is None or b is None else d - b for d, b, n in zip(full, starts, sizes, strict=True)
    )


@shape("StridedSlice")
def strided_slice(op: Operation) -> Shape:
    """Each entry of the bounds takes an axis, makes a new one, or is the ellipsis over those that are left."""
    x = op.inputs[0].shape
    begin, end, strides = (values.complete(t) for t in op.inputs[1:])
    if x is None or strides is None:
        return None
    masks = {name: op[f"{name}_mask"] for name in ("begin", "end", "ellipsis", "new_axis", "shrink_axis")}
    entries = [{name for name, mask in masks.items() if mask >> i & 1} for i in range(len(strides))]
    taken = sum(not entry & {"ellipsis", "new_axis"} for entry in entries)
    found: list[Dim] = []
    axis = 0
    for i, entry in enumerate(entries):
        if "ellipsis" in entry:
            rest = max(len(x) - taken, 0)
            found += x[axis : axis + rest]
            axis += rest
        elif "new_axis" in entry:
            found.append(1)
        elif axis < len(x):
            if "shrink_axis" not in entry:
                bounds = None if begin is None or end is None else (begin[i], end[i])
                found.append(extent(x[axis], bounds, strides[i], entry))
            axis += 1
    return (*found, *x[axis:])


def extent(size: Dim, bounds: tuple[int, int] | None, step: int, masked: set[str]) -> Dim:
    """How many elements a slice of an axis has; bounds that are not known do not matter where both are masked."""
    if size is None or not step or (bounds is None and not {"begin", "end"} <= masked):
        return None
    begin, end = bounds or (None, None)
    taken = slice(None if "begin" in masked else begin, None if "end" in masked else end, step)
    return len(range(size)[taken])


@shape("StridedSliceGrad")
def strided_slice_grad(op: Operation) -> Shape:
    return values.as_shape(op.inputs[0])


# ---------------------------------------------------------------------- gathering and scattering
@shape("Gather")
def gather(op: Operation) -> Shape:
    params, indices = (t.shape for t in op.inputs)
    return gathered(params, indices, 0, 0)


@shape("GatherV2")
def gather_v2(op: Operation) -> Shape:
    params, indices, axis = op.inputs[0].shape, op.inputs[1].shape, values.scalar(op.inputs[2])
    if params is None or indices is None:
        return None
    batch_dims = op["batch_dims"]
    if axis is None:
        return (None,) * (len(params) - 1 + len(indices[batch_dims:]))
    return gathered(params, indices, axis, batch_dims)


def gathered(params: Shape, indices: Shape, axis: int, batch_dims: int) -> Shape:
    """The indices behind the batch axes stand in the place of the axis."""
    if params is None or indices is None or (place := dims.axis_of(axis, len(params))) is None:
        return None
    return (*params[:place], *indices[batch_dims:], *params[place + 1 :])


@shape("GatherNd")
def gather_nd(op: Operation) -> Shape:
    params, indices = (t.shape for t in op.inputs)
    if params is None or not indices or indices[-1] is None:
        return None
    return (*indices[:-1], *params[indices[-1] :])


@shape("ScatterNd")
def scatter_nd(op: Operation) -> Shape:
    return values.as_shape(op.inputs[2])


# ---------------------------------------------------------------------- padding
def around(paddings: Tensor) -> list[int] | None:
    """How many elements stand before and behind each axis together."""
    flat = values.complete(paddings)
    return None if flat is None else [before + behind for before, behind in zip(flat[::2], flat[1::2], strict=True)]


@shape("Pad", "PadV2", "MirrorPad")
def pad(op: Operation) -> Shape:
    x, paddings = op.inputs[0].shape, op.inputs[1]
    added = around(paddings)
    if added is None:
        rank = paddings.shape[0] if paddings.shape else None
        return dims.unknown(dims.rank_of(x) if rank is None else rank)
    return tuple(map(dims.total, x or (None,) * len(added), added))


@shape("MirrorPadGrad")
def mirror_pad_grad(op: Operation) -> Shape:
    x, paddings = op.inputs[0].shape, op.inputs[1]
    added = around(paddings)
    if added is None:
        return dims.unknown(paddings.shape[0] if paddings.shape else None)
    return tuple(map(dims.total, x or (None,) * len(added), [-n for n in added]))


# ---------------------------------------------------------------------- permutations
@shape("Reverse")
def reverse(op: Operation) -> Shape:
    x, axes = op.inputs
    return x.shape if x.shape is not None else dims.unknown(length_of(axes))


@shape("ReverseSequence")
def reverse_sequence(op: Operation) -> Shape:
    x, axis = op.inputs[0].shape, op["batch_dim"]
    place = None if x is None else dims.axis_of(axis, len(x))
    if x is None or place is None:
        return None
    return dims.replace(x, place, dims.merge_dim(x[place], length_of(op.inputs[1])))


@shape("SpaceToDepth", "DepthToSpace")
def space_and_depth(op: Operation) -> Shape:
    """Blocks of space become channels, or channels blocks."""
    x, block = op.inputs[0].shape, op["block_size"]
    if op["data_format"] == "NCHW_VECT_C" or (x is not None and len(x) != 4):
        return dims.unknown(dims.rank_of(x))
    x = x or (None,) * 4
    channels = 3 if op["data_format"] == "NHWC" else 1
    scale, shrink = (dims.quotient, dims.product) if op.type == "SpaceToDepth" else (dims.product, dims.quotient)
    resized = [d if i == 0 else scale(d, block) for i, d in enumerate(x)]
    resized[channels] = shrink(x[channels], block * block)
    return tuple(resized)


@shape("SpaceToBatchND", "BatchToSpaceND")
def space_and_batch(op: Operation) -> Shape:
    x, block, edges = op.inputs
    return exchanged(x.shape, length_of(block), values.complete(block), around(edges), op.type == "SpaceToBatchND")


@shape("SpaceToBatch", "BatchToSpace")
def space_and_batch_of_images(op: Operation) -> Shape:
    x, edges = op.inputs
    shape = x.shape or (None,) * 4
    return exchanged(shape, 2, (op["block_size"],) * 2, around(edges), op.type == "SpaceToBatch")


def exchanged(x: Shape, axes: Dim, block: tuple[int, ...] | None, edges: list[int] | None, to_batch: bool) -> Shape:
    """Blocks of padded space become batch entries, or these blocks of space that is cropped."""
    if x is None or axes is None or len(x) <= axes:
        return None
    if block is None:
        return (None if axes else x[0], *[None] * axes, *x[axes + 1 :])
    batch, spaces = x[0], x[1 : axes + 1]
    count = math.prod(block)
    if to_batch:
        batch = dims.product(batch, count)
        sizes = [dims.quotient(dims.total(d, e), b) for d, e, b in zip(spaces, edges or [], block, strict=False)]
    else:
        batch = dims.quotient(batch, count)
        sizes = [dims.total(dims.product(d, b), -e) for d, e, b in zip(spaces, edges or [], block, strict=False)]
    return (batch, *(sizes if edges is not None else [None] * axes), *x[axes + 1 :])


# ---------------------------------------------------------------------- stitching
@shape("DynamicStitch", "ParallelDynamicStitch")
def dynamic_stitch(op: Operation) -> Shape:
    """One row more than the largest index; a row is what of the data is left behind the axes of its indices."""
    half = len(op.inputs) // 2
    rest: Shape = None
    largest: Dim = -1
    for indices, data in zip(op.inputs[:half], op.inputs[half:], strict=True):
        found = values.complete(indices)
        largest = None if found is None or largest is None else max((largest, *found))
        if indices.shape is not None and data.shape is not None:
            rest = dims.merge(rest, data.shape[len(indices.shape) :])
    return dims.join((dims.total(largest, 1),), rest)


@shape("DynamicPartition")
def dynamic_partition(op: Operation) -> list[Shape]:
    data, partitions = (t.shape for t in op.inputs)
    rows = None if data is None or partitions is None else (None, *data[len(partitions) :])
    return [rows] * op["num_partitions"]
