"""Static shapes of ops that make, pass on and rearrange tensors."""

from __future__ import annotations

import math

from graphgrad.attributes import Shape, decode_shape
from graphgrad.graph import Operation
from graphgrad.registry import shape, shapes
from graphgrad.shapes import dims, values
from graphgrad.shapes.common import same_as_first, scalar

shapes(
    same_as_first, "Identity", "StopGradient", "PreventGradient", "Snapshot", "ZerosLike", "OnesLike", "CheckNumerics"
)


@shape("Const")
def const(op: Operation) -> Shape:
    return decode_shape(op["value"].tensor_shape)


@shape("Placeholder", "PlaceholderV2")
def placeholder(op: Operation) -> Shape:
    """A scalar shape with no `_output_shapes` beside it is what old writers put for 'unknown'."""
    return op["shape"]


@shape("Shape")
def shape_(op: Operation) -> Shape:
    return (dims.rank_of(op.inputs[0].shape),)


@shape("ShapeN")
def shape_n(op: Operation) -> list[Shape]:
    return [(dims.rank_of(t.shape),) for t in op.inputs]


@shape("Fill")
def fill(op: Operation) -> Shape:
    return values.as_shape(op.inputs[0])


@shape("Reshape")
def reshape(op: Operation) -> Shape:
    x, shape = op.inputs[0].shape, values.as_shape(op.inputs[1])
    if shape is None or shape.count(None) != 1 or (value := op.inputs[1].value) is None or -1 not in value.flat:
        return shape
    # The one open dimension is what the others leave over.
    count, known = dims.size(x), dims.size(tuple(d for d in shape if d is not None))
    if count is None or not known:
        return shape
    return tuple(count // known if d is None else d for d in shape)


@shape("Tile")
def tile(op: Operation) -> Shape:
    x, multiples = op.inputs[0].shape, values.as_shape(op.inputs[1])
    if x is None or multiples is None:
        return dims.unknown(dims.rank_of(multiples if x is None else x))
    return tuple(None if d is None or m is None else d * m for d, m in zip(x, multiples, strict=True))


@shape("BroadcastTo")
def broadcast_to(op: Operation) -> Shape:
    return values.as_shape(op.inputs[1])


shapes(scalar, "Size", "Rank")


@shape("EnsureShape")
def ensure_shape(op: Operation) -> Shape:
    return dims.merge(op["shape"], op.inputs[0].shape)


@shape("PlaceholderWithDefault")
def placeholder_with_default(op: Operation) -> Shape:
    return op["shape"]


shapes(
    same_as_first,
    *[
        "RefIdentity",
        "CheckNumericsV2",
        "DeepCopy",
        "DebugGradientIdentity",
        "DebugGradientRefIdentity",
        "DebugIdentityV2",
        "GuaranteeConst",
    ],
    *["InvertPermutation", "Copy", "CopyHost", "Print"],
)


@shape("IdentityN", "Unique", "UniqueV2", "UniqueWithCounts", "ListDiff")
def several(op: Operation) -> list[Shape]:
    """IdentityN passes its inputs on; the others give vectors whose length only a run tells."""
    if op.type == "IdentityN":
        return [t.shape for t in op.inputs]
    if op.type == "ListDiff":
        return [(None,), (None,)]
    places = op.inputs[0].shape if op.type != "UniqueV2" else (None,)
    return [(None,), places, (None,)][: len(op.outputs)]


@shape("ExpandDims")
def expand_dims(op: Operation) -> Shape:
    x, axis = op.inputs[0].shape, values.scalar(op.inputs[1])
    if x is None:
        return None
    if axis is None:
        return (None,) * (len(x) + 1)
    axis = axis + len(x) + 1 if axis < 0 else axis
    return (*x[:axis], 1, *x[axis:])


@shape("Squeeze")
def squeeze(op: Operation) -> Shape:
    x, axes = op.inputs[0].shape, op["squeeze_dims"]
    if x is None or (not axes and None in x):
        return None
    places = {axis % len(x) for axis in axes} if axes else {i for i, d in enumerate(x) if d == 1}
    return tuple(d for i, d in enumerate(x) if i not in places)


@shape("Transpose", "ConjugateTranspose")
def transpose(op: Operation) -> Shape:
    x, perm = op.inputs[0].shape, values.complete(op.inputs[1])
    if perm is None:
        known = op.inputs[1].shape
        return (None,) * len(x) if x is not None else dims.unknown(known[0]) if known else None
    return (None,) * len(perm) if x is None else tuple(x[i] for i in perm)


@shape("Pack")
def pack(op: Operation) -> Shape:
    inner: Shape = None
    for tensor in op.inputs:
        inner = dims.merge(inner, tensor.shape)
    if inner is None:
        return None
    axis = op["axis"] % (len(inner) + 1)
    return (*inner[:axis], len(op.inputs), *inner[axis:])


@shape("Unpack")
def unpack(op: Operation) -> list[Shape]:
    x = op.inputs[0].shape
    if not x:
        return [None] * op["num"]
    axis = op["axis"] % len(x)
    return [(*x[:axis], *x[axis + 1 :])] * op["num"]


@shape("Concat", "ConcatV2")
def concat(op: Operation) -> Shape:
    pieces = op.inputs[1:] if op.type == "Concat" else op.inputs[:-1]
    axis = values.scalar(op.inputs[0 if op.type == "Concat" else -1])
    known = [t.shape for t in pieces if t.shape is not None]
    if not known:
        return None
    rank = len(known[0])
    if axis is None or not rank:
        return (None,) * rank
    axis = axis % rank
    merged: Shape = None
    for piece in known:
        merged = dims.merge(merged, (*piece[:axis], None, *piece[axis + 1 :]))
    sizes = [t.shape[axis] if t.shape is not None else None for t in pieces]
    total = None if None in sizes else sum(sizes)  # type: ignore[arg-type]
    return (*(merged or ())[:axis], total, *(merged or ())[axis + 1 :])


@shape("ConcatOffset")
def concat_offset(op: Operation) -> list[Shape]:
    return [t.shape for t in op.inputs[1:]]


@shape("Split")
def split(op: Operation) -> list[Shape]:
    axis, x, count = values.scalar(op.inputs[0]), op.inputs[1].shape, op["num_split"]
    if x is None or axis is None:
        return [dims.unknown(dims.rank_of(x))] * count
    axis = axis % len(x)
    size = x[axis]
    return [(*x[:axis], None if size is None else size // count, *x[axis + 1 :])] * count


@shape("SplitV")
def split_v(op: Operation) -> list[Shape]:
    x, sizes, axis, count = (
        op.inputs[0].shape,
        values.complete(op.inputs[1]),
        values.scalar(op.inputs[2]),
        op["num_split"],
    )
    if x is None or axis is None:
        return [dims.unknown(dims.rank_of(x))] * count
    axis = axis % len(x)
    if sizes is None:
        return [(*x[:axis], None, *x[axis + 1 :])] * count
    given = sum(s for s in sizes if s >= 0)
    whole = x[axis]
    rest = None if whole is None else whole - given
    return [(*x[:axis], rest if s < 0 else s, *x[axis + 1 :]) for s in sizes]


@shape("Range")
def range_(op: Operation) -> Shape:
    start, limit, step = (values.scalar(t) for t in op.inputs)
    if start is None or limit is None or not step:
        return (None,)
    return (max(0, math.ceil((limit - start) / step)),)


@shape("OneHot")
def one_hot(op: Operation) -> Shape:
    indices, depth = op.inputs[0].shape, values.scalar(op.inputs[1])
    if indices is None:
        return None
    axis = op["axis"] % (len(indices) + 1)
    return (*indices[:axis], depth, *indices[axis:])


@shape("Where")
def where(op: Operation) -> Shape:
    return (None, dims.rank_of(op.inputs[0].shape))


@shape("LinSpace")
def lin_space(op: Operation) -> Shape:
    return (values.scalar(op.inputs[2]),)


@shape("Empty")
def empty(op: Operation) -> Shape:
    return values.as_shape(op.inputs[0])
