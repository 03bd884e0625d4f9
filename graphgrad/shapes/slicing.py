"""Static shapes of ops that cut pieces out of tensors and put them in."""

from __future__ import annotations

from graphgrad.attributes import Shape
from graphgrad.graph import Operation
from graphgrad.registry import shape, shapes
from graphgrad.shapes import dims, values
from graphgrad.shapes.common import same_as_first

shapes(
    same_as_first,
    *["Reverse", "ReverseV2", "ReverseSequence", "Roll", "TensorScatterUpdate", "TensorScatterAdd", "TensorScatterSub"],
    *["TensorScatterMax", "TensorScatterMin", "TensorStridedSliceUpdate", "ScatterNdNonAliasingAdd"],
)


@shape("Slice")
def slice_(op: Operation) -> Shape:
    x, begin, size = op.inputs[0].shape, op.inputs[1].value, op.inputs[2].value
    if x is None:
        known = op.inputs[1].shape or op.inputs[2].shape
        x = dims.unknown(known[0]) if known else None
    if x is None or size is None:
        return dims.unknown(dims.rank_of(x))
    starts = begin.flat if begin is not None else (None,) * len(x)
    return tuple(
        n if n != -1 else None if d is None or b is None else d - b
        for d, b, n in zip(x, starts, size.flat, strict=True)
    )


@shape("StridedSlice")
def strided_slice(op: Operation) -> Shape:
    """Walks the specification: each entry takes an axis, makes a new one, or is the ellipsis over those left."""
    x = op.inputs[0].shape
    begin, end, strides = (t.value for t in op.inputs[1:])
    length = op.inputs[1].shape
    if x is None or length is None or length[0] is None:
        return None
    masks = {m: op[f"{m}_mask"] for m in ("begin", "end", "ellipsis", "new_axis", "shrink_axis")}
    taken = sum(not (masks["ellipsis"] | masks["new_axis"]) >> i & 1 for i in range(length[0]))
    out: list[int | None] = []
    axis = 0
    for i in range(length[0]):
        bit = 1 << i
        if masks["ellipsis"] & bit:
            rest = len(x) - taken
            out += x[axis : axis + rest]
            axis += rest
        elif masks["new_axis"] & bit:
            out.append(1)
        else:
            if not masks["shrink_axis"] & bit:
                start = None if begin is None else begin.flat[i]
                stop, step = (None if v is None else v.flat[i] for v in (end, strides))
                out.append(_extent(x[axis], start, stop, step, bool(masks["begin"] & bit), bool(masks["end"] & bit)))
            axis += 1
    return (*out, *x[axis:])


def _extent(
    size: dims.Dim, start: dims.Dim, stop: dims.Dim, step: dims.Dim, from_start: bool, to_end: bool
) -> dims.Dim:
    if size is None or step is None or step == 0 or (start is None and not from_start) or (stop is None and not to_end):
        return None
    return len(range(size)[slice(None if from_start else start, None if to_end else stop, step)])


@shape("StridedSliceGrad")
def strided_slice_grad(op: Operation) -> Shape:
    return values.as_shape(op.inputs[0])


@shape("Gather", "GatherV2")
def gather(op: Operation) -> Shape:
    params, indices = op.inputs[0].shape, op.inputs[1].shape
    axis = values.scalar(op.inputs[2]) if op.type == "GatherV2" else 0
    if params is None or indices is None:
        return None
    batch = op.get("batch_dims", 0)
    if axis is None:
        return (None,) * (len(params) + len(indices) - 1 - batch)
    axis = axis + len(params) if axis < 0 else axis
    batch = batch + len(indices) if batch < 0 else batch
    return (*params[:axis], *indices[batch:], *params[axis + 1 :])


@shape("GatherNd")
def gather_nd(op: Operation) -> Shape:
    params, indices = op.inputs[0].shape, op.inputs[1].shape
    if params is None or not indices or indices[-1] is None:
        return None
    return (*indices[:-1], *params[indices[-1] :])


@shape("ScatterNd")
def scatter_nd(op: Operation) -> Shape:
    return values.as_shape(op.inputs[2])


@shape("Pad", "PadV2", "MirrorPad")
def pad(op: Operation) -> Shape:
    x, around = op.inputs[0].shape, values.complete(op.inputs[1])
    rows = op.inputs[1].shape
    if around is None:
        return dims.unknown(dims.rank_of(x) if x is not None else rows[0] if rows else None)
    if x is None:
        return (None,) * (len(around) // 2)
    return tuple(None if d is None else d + around[2 * i] + around[2 * i + 1] for i, d in enumerate(x))


@shape("DynamicStitch", "ParallelDynamicStitch")
def dynamic_stitch(op: Operation) -> Shape:
    half = len(op.inputs) // 2
    indices, data = op.inputs[:half], op.inputs[half:]
    known = [values.complete(t) for t in indices]
    first = None if any(k is None for k in known) else 1 + max((i for k in known for i in k or ()), default=-1)
    rest: Shape = None
    for index, piece in zip(indices, data, strict=True):
        if index.shape is not None and piece.shape is not None:
            rest = dims.merge(rest, piece.shape[len(index.shape) :])
    return None if rest is None else (first, *rest)


@shape("DynamicPartition")
def dynamic_partition(op: Operation) -> list[Shape]:
    data, partitions = (t.shape for t in op.inputs)
    piece: Shape = None if data is None or partitions is None else (None, *data[len(partitions) :])
    return [piece] * op["num_partitions"]


@shape("SpaceToDepth", "DepthToSpace")
def space_and_depth(op: Operation) -> Shape:
    """Blocks of the image become channels, or the other way round."""
    x, block = op.inputs[0].shape, op["block_size"]
    if x is None or len(x) != 4:
        return (None,) * 4
    first = op["data_format"] == "NCHW"
    batch, *space = (x[0], *x[2:], x[1]) if first else x
    *space, depth = space
    if op.type == "SpaceToDepth":
        space = [None if d is None else d // block for d in space]
        depth = None if depth is None else depth * block * block
    else:
        space = [None if d is None else d * block for d in space]
        depth = None if depth is None else depth // (block * block)
    return (batch, depth, *space) if first else (batch, *space, depth)


@shape("SpaceToBatchND", "BatchToSpaceND")
def space_and_batch(op: Operation) -> Shape:
    """Blocks of the space become batch entries after padding, or the other way round before cropping."""
    x, blocks, around = op.inputs[0].shape, values.complete(op.inputs[1]), values.complete(op.inputs[2])
    if x is None or blocks is None or around is None:
        return dims.unknown(dims.rank_of(x))
    out = list(x)
    for i, block in enumerate(blocks):
        extra, size = around[2 * i] + around[2 * i + 1], x[i + 1]
        if op.type == "SpaceToBatchND":
            out[0] = None if out[0] is None else out[0] * block
            out[i + 1] = None if size is None else (size + extra) // block
        else:
            out[0] = None if out[0] is None else out[0] // block
            out[i + 1] = None if size is None else size * block - extra
    return tuple(out)


@shape("MirrorPadGrad")
def mirror_pad_grad(op: Operation) -> Shape:
    x, around = op.inputs[0].shape, values.complete(op.inputs[1])
    if x is None or around is None:
        return dims.unknown(dims.rank_of(x))
    return tuple(None if d is None else d - around[2 * i] - around[2 * i + 1] for i, d in enumerate(x))
