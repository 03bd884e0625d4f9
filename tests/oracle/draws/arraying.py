"""Operations that arrange elements anew: shapes, joins, splits, pads, gathers and scatters."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.oracle.draws import ALL, REAL, Drawer, sketch

DTYPES = ("float32", "float32", *ALL)


def any_dtype(d: Drawer) -> str:
    """What ops take that only move elements."""
    return str(d.pick(*DTYPES))


@sketch("Reshape")
def reshape(d: Drawer, op: str) -> Any:
    shape = d.shape()
    size = int(np.prod(shape))
    target = d.pick([size], list(reversed(shape)), [*shape, 1], [1, size], [-1], [-1, 1])
    if size == 0:
        target = list(reversed(shape))
    if d.chance(0.2) and shape and size:
        target = [*shape[:-1], -1]
    return d.op(op, d.tensor(shape, any_dtype(d)), d.index(target))


@sketch("ExpandDims")
def expand_dims(d: Drawer, op: str) -> Any:
    shape = d.shape()
    axis = d.integer(-len(shape) - 1, len(shape))
    return d.op(op, d.tensor(shape, any_dtype(d)), d.index(axis if d.chance(0.8) else [axis]))


@sketch("Squeeze")
def squeeze(d: Drawer, op: str) -> Any:
    shape = tuple(1 if d.chance(0.5) else n for n in d.shape())
    ones = [i for i, n in enumerate(shape) if n == 1]
    chosen = [i if d.chance(0.7) else i - len(shape) for i in ones if d.chance(0.6)]
    return d.op(op, d.tensor(shape, any_dtype(d)), squeeze_dims=tuple(chosen))


@sketch("Pack")
def pack(d: Drawer, op: str) -> Any:
    shape, dtype = d.shape(0, 3), any_dtype(d)
    axis = d.integer(-len(shape) - 1, len(shape))
    return d.op(op, [d.operand(shape, dtype) for _ in range(d.integer(1, 4))], axis=axis)


@sketch("Unpack")
def unpack(d: Drawer, op: str) -> Any:
    shape = d.dims(d.integer(1, 4))
    axis = d.axis(len(shape))
    return d.op(op, d.tensor(shape, any_dtype(d)), num=shape[axis], axis=axis)


@sketch("ConcatV2", "Concat")
def concat(d: Drawer, op: str) -> Any:
    shape, dtype = d.dims(d.integer(1, 4)), any_dtype(d)
    axis = d.axis(len(shape))
    parts = []
    for _ in range(d.integer(2, 4)):
        part = list(shape)
        part[axis] = d.integer(0 if d.chance(0.1) else 1, 3)
        parts.append(d.operand(part, dtype))
    if op == "Concat":
        return d.op(op, d.index(axis, "int32"), parts)
    return d.op(op, parts, d.index(axis, d.pick("int32", "int32", "int32", "int64")))


@sketch("Split")
def split(d: Drawer, op: str) -> Any:
    shape, pieces = list(d.dims(d.integer(1, 4))), d.integer(1, 3)
    axis = d.axis(len(shape))
    shape[axis] = pieces * d.integer(1, 2)
    return d.op(op, d.index(axis, "int32"), d.tensor(shape, any_dtype(d)), num_split=pieces)


@sketch("SplitV")
def split_v(d: Drawer, op: str) -> Any:
    shape, sizes = (
        list(d.dims(d.integer(1, 4))),
        [d.integer(0 if d.chance(0.1) else 1, 3) for _ in range(d.integer(1, 3))],
    )
    axis = d.axis(len(shape))
    shape[axis] = sum(sizes)
    if d.chance(0.25):
        sizes[d.integer(0, len(sizes) - 1)] = -1
    x = d.tensor(shape, any_dtype(d))
    # TensorFlow takes the last axis for one that it does not know
    known = 0.5 if len(shape) == 1 else 1.0
    return d.op(op, x, d.index(sizes), d.index(axis, "int32", known), num_split=len(sizes))


@sketch("Transpose", "ConjugateTranspose")
def transpose(d: Drawer, op: str) -> Any:
    shape = d.shape(0 if op == "Transpose" else 1)  # of a conjugated scalar TensorFlow's kernel ends the process
    return d.op(op, d.tensor(shape, any_dtype(d)), d.index([int(i) for i in d.rng.permutation(len(shape))]))


@sketch("Tile")
def tile(d: Drawer, op: str) -> Any:
    shape = d.shape()
    return d.op(op, d.tensor(shape, any_dtype(d)), d.index([d.integer(1, 3) for _ in shape]))


@sketch("BroadcastTo")
def broadcast_to(d: Drawer, op: str) -> Any:
    whole = d.shape()
    return d.op(op, d.tensor(d.narrowed(whole), any_dtype(d)), d.index(list(whole)))


@sketch("Pad", "PadV2", "MirrorPad")
def pad(d: Drawer, op: str) -> Any:
    shape = d.dims(d.integer(1 if op == "MirrorPad" else 0, 4), 2 if op == "MirrorPad" else 1)
    dtype = any_dtype(d)
    x = d.tensor(shape, dtype, rank_known=op == "MirrorPad" and d.chance(0.7))
    if op == "MirrorPad":
        mode = d.pick("REFLECT", "SYMMETRIC")
        most = [n - (mode == "REFLECT") for n in shape]
        pads = [[d.integer(0, m), d.integer(0, m)] for m in most]
        return d.op(op, x, d.index(pads), mode=mode)
    pads = np.reshape([[d.integer(0, 2), d.integer(0, 2)] for _ in shape], (-1, 2)).astype(int)
    return d.op(op, x, d.index(pads), *([d.operand((), dtype)] if op == "PadV2" else []))


@sketch("MirrorPadGrad")
def mirror_pad_grad(d: Drawer, op: str) -> Any:
    inner = d.dims(d.integer(1, 4), 2)
    mode = d.pick("REFLECT", "SYMMETRIC")
    pads = [[d.integer(0, n - (mode == "REFLECT")), d.integer(0, n - (mode == "REFLECT"))] for n in inner]
    shape = [n + a + b for n, (a, b) in zip(inner, pads, strict=True)]
    return d.op(op, d.tensor(shape, any_dtype(d), rank_known=True), d.index(pads), mode=mode)


@sketch("Fill")
def fill(d: Drawer, op: str) -> Any:
    return d.op(op, d.index(list(d.shape())), d.tensor((), any_dtype(d)))


@sketch("EnsureShape", "PlaceholderWithDefault")
def ensure(d: Drawer, op: str) -> Any:
    shape = d.shape()
    # TensorFlow's EnsureShape takes no rank for the rank -1
    told = d.pick(
        shape, *([None] if op == "PlaceholderWithDefault" else []), tuple(None if d.chance(0.5) else n for n in shape)
    )
    return d.op(op, d.tensor(shape, any_dtype(d)), shape=told)


@sketch("Gather", "GatherV2")
def gather(d: Drawer, op: str) -> Any:
    params = d.dims(d.integer(1, 4))
    if 0 in params:
        params = tuple(max(n, 1) for n in params)
    dtype = any_dtype(d)
    if op == "Gather":
        indices = d.rng.integers(0, params[0], d.shape(0, 2))
        return d.op(op, d.tensor(params, dtype), d.index(indices), validate_indices=d.chance(0.8))
    axis = d.axis(len(params))
    place = axis % len(params)
    batch = d.integer(0, place) if d.chance(0.5) else 0
    shape = (*params[:batch], *d.shape(0, 2))
    spelled = batch - len(shape) if batch and len(shape) > batch and d.chance(0.2) else batch
    indices = d.rng.integers(0, params[place], shape)
    x = d.tensor(params, dtype)
    kind = d.pick("int32", "int64", "int32", "int64", "int16")
    return d.op(op, x, d.index(indices, kind, 0.3), d.index(axis), batch_dims=spelled)


def some_indices(d: Drawer, shape: tuple[int, ...], unique: bool = False) -> tuple[np.ndarray, int]:
    """Indices into the first dimensions of `shape`, and how many of them."""
    depth = d.integer(1, len(shape))
    outer = d.shape(1, 2) if not unique else (d.integer(1, 3),)
    if unique:
        size = int(np.prod(shape[:depth]))
        flat = d.rng.permutation(size)[: min(outer[0], size)]
        return np.stack(np.unravel_index(flat, shape[:depth]), -1), depth
    columns = [d.rng.integers(0, n, outer) for n in shape[:depth]]
    return np.stack(columns, -1), depth


@sketch("GatherNd")
def gather_nd(d: Drawer, op: str) -> Any:
    shape = tuple(max(n, 1) for n in d.dims(d.integer(1, 3)))
    indices, _ = some_indices(d, shape)
    if d.chance(0.15):
        indices = indices.reshape(-1, indices.shape[-1])[0] if indices.size else indices
    kind = d.pick("int32", "int64", "int32", "int64", "int16")
    return d.op(op, d.tensor(shape, any_dtype(d)), d.index(indices, kind), **policy(d))


def policy(d: Drawer) -> dict[str, str]:
    """What becomes of indices that lie outside."""
    return d.pick({}, {}, {"bad_indices_policy": "ERROR"}, {"bad_indices_policy": "IGNORE"})


@sketch("ScatterNd")
def scatter_nd(d: Drawer, op: str) -> Any:
    shape = tuple(max(n, 1) for n in d.dims(d.integer(1, 3)))
    indices, depth = some_indices(d, shape)
    kind = d.pick("int32", "int64", "int32", "int64", "int16")
    updates = d.tensor((*indices.shape[:-1], *shape[depth:]), any_dtype(d))
    return d.op(op, d.index(indices, kind), updates, d.index(list(shape), kind), **policy(d))


@sketch(
    "TensorScatterAdd", "TensorScatterSub", "TensorScatterUpdate", "TensorScatterMax", "TensorScatterMin",
    "ScatterNdNonAliasingAdd",
)  # fmt: skip
def tensor_scatter(d: Drawer, op: str) -> Any:
    shape = tuple(max(n, 1) for n in d.dims(d.integer(1, 3)))
    ordered = op in ("TensorScatterMax", "TensorScatterMin")
    indices, depth = some_indices(d, shape, unique=op == "TensorScatterUpdate" or ordered)
    dtype = str(d.pick(*REAL)) if ordered else any_dtype(d)
    x = d.tensor(shape, dtype)
    kind = d.pick("int32", "int64", *(("int16", "uint16") if op == "TensorScatterUpdate" else ()))
    updates = d.operand((*indices.shape[:-1], *shape[depth:]), dtype)
    return d.op(op, x, d.index(indices, kind), updates, **policy(d))


@sketch("Reverse")
def reverse(d: Drawer, op: str) -> Any:
    shape = d.shape()
    return d.op(
        op,
        d.tensor(shape, any_dtype(d), rank_known=True),
        d.index(d.values((len(shape),), "bool", 0, 1), "bool"),
    )


@sketch("ReverseV2")
def reverse_v2(d: Drawer, op: str) -> Any:
    shape = d.shape(1)
    axes = [
        int(a) - len(shape) if d.chance(0.3) else int(a)
        for a in d.rng.permutation(len(shape))[: d.integer(0, len(shape))]
    ]
    return d.op(op, d.tensor(shape, any_dtype(d)), d.index(axes))


@sketch("ReverseSequence")
def reverse_sequence(d: Drawer, op: str) -> Any:
    shape = d.dims(d.integer(2, 4))
    batch, seq = (int(a) for a in d.rng.permutation(len(shape))[:2])
    lengths = d.rng.integers(0, shape[seq] + 1, (shape[batch],))
    x = d.tensor(shape, any_dtype(d))
    kind = d.pick("int32", "int64")
    return d.op(op, x, d.tensor(lengths.shape, kind, value=lengths), seq_dim=seq, batch_dim=batch)


@sketch("Roll")
def roll(d: Drawer, op: str) -> Any:
    shape = d.shape(1)
    if d.chance(0.4):
        shift, axis = d.integer(-4, 4), d.axis(len(shape))
        return d.op(op, d.tensor(shape, any_dtype(d)), d.index(shift), d.index(axis))
    axes = d.axes(len(shape)) or [0]
    return d.op(op, d.tensor(shape, any_dtype(d)), d.index([d.integer(-4, 4) for _ in axes]), d.index(axes))


@sketch("SpaceToBatchND", "BatchToSpaceND")
def space_to_batch_nd(d: Drawer, op: str) -> Any:
    rank, spatial = d.integer(2, 4), 0
    spatial = d.integer(1, rank - 1)
    blocks = [d.integer(1, 3) for _ in range(spatial)]
    pads = [[d.integer(0, 1), d.integer(0, 1)] for _ in range(spatial)]
    inner = [b * d.integer(1, 2) for b in blocks]
    outer = [b - p[0] - p[1] for b, p in zip(inner, pads, strict=True)]
    for i, n in enumerate(outer):
        if n <= 0:
            pads[i], outer[i] = [0, 0], inner[i]
    rest = d.dims(rank - spatial - 1)
    if op == "SpaceToBatchND":
        shape = (d.integer(1, 2), *outer, *rest)
    else:
        batch = int(np.prod(blocks)) * d.integer(1, 2)
        shape = (batch, *(n // b for n, b in zip(inner, blocks, strict=True)), *rest)
    x = d.tensor(shape, any_dtype(d))
    return d.op(op, x, d.index(blocks), d.index(pads))


@sketch("SpaceToBatch", "BatchToSpace")
def space_to_batch(d: Drawer, op: str) -> Any:
    block = d.integer(2, 3)
    pads = [[d.integer(0, 1), d.integer(0, 1)] for _ in range(2)]
    inner = [block * d.integer(2 if op == "BatchToSpace" else 1, 2) for _ in range(2)]
    outer = [n - p[0] - p[1] for n, p in zip(inner, pads, strict=True)]
    for i, n in enumerate(outer):
        if n <= 0:
            pads[i], outer[i] = [0, 0], inner[i]
    depth = d.integer(1, 2)
    if op == "SpaceToBatch":
        shape = (d.integer(1, 2), *outer, depth)
    else:
        shape = (block * block * d.integer(1, 2), *(n // block for n in inner), depth)
    return d.op(op, d.tensor(shape, any_dtype(d)), d.index(pads), block_size=block)


@sketch("DepthToSpace", "SpaceToDepth")
def depth_to_space(d: Drawer, op: str) -> Any:
    block, batch, (h, w), depth = d.integer(2, 3), d.integer(1, 2), (d.integer(1, 2), d.integer(1, 2)), d.integer(1, 2)
    if op == "DepthToSpace":
        shape = (batch, h, w, depth * block * block)
    else:
        shape = (batch, h * block, w * block, depth)
    layout = d.pick("NHWC", "NHWC", "NCHW")
    if layout == "NCHW":
        d.numbers = False
        shape = (shape[0], shape[3], shape[1], shape[2])
    return d.op(op, d.tensor(shape, any_dtype(d)), block_size=block, data_format=layout)


@sketch("DynamicPartition")
def dynamic_partition(d: Drawer, op: str) -> Any:
    shape, count = d.shape(0, 3), d.integer(1, 3)
    prefix = shape[: d.integer(0, len(shape))]
    where = d.rng.integers(0, count, prefix)
    x = d.tensor(shape, any_dtype(d), rank_known=d.chance(0.8))
    return d.op(op, x, d.tensor(prefix, "int32", value=where, rank_known=d.chance(0.8)), num_partitions=count)


@sketch("DynamicStitch", "ParallelDynamicStitch")
def dynamic_stitch(d: Drawer, op: str) -> Any:
    inner, count = d.shape(0, 2), d.integer(1, 3)
    shapes = [d.shape(0, 2) for _ in range(count)]
    total = sum(int(np.prod(s)) for s in shapes)
    order = d.rng.permutation(total)
    indices, data, start, dtype = [], [], 0, any_dtype(d)
    for shape in shapes:
        size = int(np.prod(shape))
        values = order[start : start + size].reshape(shape)
        start += size
        indices.append(d.const(values) if d.chance(0.4) else d.tensor(shape, "int32", value=values))
        data.append(d.operand((*shape, *inner), dtype))
    return d.op(op, indices, data)


@sketch("MatrixBandPart")
def band_part(d: Drawer, op: str) -> Any:
    shape = (*d.shape(0, 2), *d.dims(2))
    kind = d.pick("int32", "int64")
    limits = [d.index(d.integer(-1, max(0, n - 1)), kind) for n in shape[-2:]]
    return d.op(op, d.tensor(shape, any_dtype(d)), *limits)


@sketch("Diag", "DiagPart")
def diag(d: Drawer, op: str) -> Any:
    shape = d.shape(1, 2)
    return d.op(op, d.tensor(shape if op == "Diag" else shape * 2, d.dtype(op)))


@sketch("CopyToMesh", "CopyToMeshGrad", "Relayout", "RelayoutLike", "CrossReplicaSum", "AllToAll", "CollectivePermute")
def devices(d: Drawer, op: str) -> Any:
    d.numbers = False
    shape, dtype = d.dims(2), d.dtype(op) if op in ("CrossReplicaSum", "CollectivePermute") else any_dtype(d)
    x = d.tensor(shape, dtype)
    if op == "CopyToMesh":
        return d.op(op, x, mesh="m")
    if op == "Relayout":
        return d.op(op, x, layout="l")
    if op in ("CopyToMeshGrad", "RelayoutLike"):
        return d.op(op, x, d.tensor(shape, dtype))
    if op == "CrossReplicaSum":
        return d.op(op, x, d.index([[0]], "int32"))
    if op == "AllToAll":
        count = d.integer(1, 2)
        split, joined = d.integer(0, 1), d.integer(0, 1)
        x = d.tensor((2 * d.integer(1, 2), 2 * d.integer(1, 2)), dtype)
        groups = d.index([list(range(count))], "int32")
        return d.op(op, x, groups, concat_dimension=joined, split_dimension=split, split_count=count)
    return d.op(op, x, d.index([[0, 0]], "int32"))
