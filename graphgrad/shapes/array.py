"""Static shapes of ops that make, pass on and rearrange tensors; of inputs that contradict each other nothing is known.

A rule knows what TensorFlow's shape function knows: no less, and where that is sound no more.
"""

from __future__ import annotations

import functools
import math

from graphgrad.attributes import Shape
from graphgrad.graph import Operation
from graphgrad.registry import shape, shapes
from graphgrad.shapes import dims, values
from graphgrad.shapes.common import constant_shape, merge_all, same_as_first, scalar
from graphgrad.shapes.dims import Dim
from graphgrad.tensors import Tensor

OLD_PRODUCER = 21  # files of this version or older wrote a scalar shape for 'unknown'

shapes(scalar, "Rank", "Size")
shapes(
    same_as_first,
    *["CheckNumerics", "CheckNumericsV2", "Copy", "CopyHost", "DebugGradientIdentity", "DebugGradientRefIdentity"],
    *["DebugIdentity", "DebugIdentityV2", "DebugIdentityV3", "DeepCopy", "GuaranteeConst", "Identity", "OnesLike"],
    *["PreventGradient", "RefIdentity", "Snapshot", "StopGradient", "ZerosLike", "_EagerConst"],
)


# ---------------------------------------------------------------------- made
@shape("Const")
def const(op: Operation) -> Shape:
    return constant_shape(op)


@shape("Placeholder", "PlaceholderV2")
def placeholder(op: Operation) -> Shape:
    known = op["shape"]
    is_old = op.type == "Placeholder" and op.graph.message.versions.producer <= OLD_PRODUCER
    return None if known == () and is_old else known


@shape("PlaceholderWithDefault", "ParallelConcat")
def declared(op: Operation) -> Shape:
    return op["shape"]


@shape("Fill", "Empty")
def filled(op: Operation) -> Shape:
    return values.as_shape(op.inputs[0])


@shape("Range")
def range_(op: Operation) -> Shape:
    start, limit, step = (values.scalar(t) for t in op.inputs)
    if start is None or limit is None or not step:
        return (None,)
    return (max(0, math.ceil((limit - start) / step)),)


@shape("LinSpace")
def lin_space(op: Operation) -> Shape:
    return (values.scalar(op.inputs[2]),)


@shape("OneHot")
def one_hot(op: Operation) -> Shape:
    indices, depth = op.inputs[0].shape, values.scalar(op.inputs[1])
    if indices is None:
        return None
    return inserted(indices, op["axis"], depth)


def inserted(shape: tuple[Dim, ...], axis: int, dim: Dim) -> Shape:
    """The shape with a new dimension at an axis of the result."""
    place = dims.axis_of(axis, len(shape) + 1)
    return None if place is None else (*shape[:place], dim, *shape[place:])


# ---------------------------------------------------------------------- asked for
@shape("Shape")
def shape_(op: Operation) -> Shape:
    return (dims.rank_of(op.inputs[0].shape),)


@shape("ShapeN")
def shape_n(op: Operation) -> list[Shape]:
    return [(dims.rank_of(t.shape),) for t in op.inputs]


@shape("IdentityN")
def identity_n(op: Operation) -> list[Shape]:
    return [t.shape for t in op.inputs]


@shape("EnsureShape")
def ensure_shape(op: Operation) -> Shape:
    return dims.merge(op["shape"], op.inputs[0].shape)


@shape("ConcatOffset")
def concat_offset(op: Operation) -> list[Shape]:
    return [t.shape for t in op.inputs[1:]]


@shape("Where")
def where(op: Operation) -> Shape:
    return (None, dims.rank_of(op.inputs[0].shape))


@shape("LowerBound", "UpperBound")
def bound(op: Operation) -> Shape:
    return op.inputs[1].shape


@shape("UnravelIndex")
def unravel_index(op: Operation) -> Shape:
    """A row of indices for each axis, or one index each for a lone position."""
    indices, axes = (t.shape for t in op.inputs)
    count = None if axes is None else axes[0]
    if indices is None:
        return None
    return (count,) if indices == () else (count, dims.size(indices))


@shape("ListDiff")
def list_diff(op: Operation) -> list[Shape]:
    return [(None,), (None,)]


@shape("Unique", "UniqueWithCounts")
def unique(op: Operation) -> list[Shape]:
    return [(None,), op.inputs[0].shape, (None,)][: len(op.outputs)]


@shape("UniqueV2", "UniqueWithCountsV2")
def unique_along_axis(op: Operation) -> list[Shape]:
    """As many slices as there are different ones, and of each old one its place; no axis means a vector."""
    x, axis = op.inputs[0].shape, values.complete(op.inputs[1])
    count: Dim = None
    if axis is not None and x is not None:
        place = dims.axis_of(axis[0] if axis else 0, len(x))
        count = None if place is None else x[place]
    return [dims.unknown(dims.rank_of(x)), (count,), (None,)][: len(op.outputs)]


# ---------------------------------------------------------------------- reshaped
@shape("InvertPermutation")
def invert_permutation(op: Operation) -> Shape:
    return op.inputs[0].shape or (None,)


@shape("Reshape")
def reshape(op: Operation) -> Shape:
    """A lone dimension that is not known is what the others leave over."""
    x, target = op.inputs[0].shape, values.as_shape(op.inputs[1])
    if x is None or target is None or target.count(None) != 1:
        return target
    known = math.prod(d for d in target if d is not None)
    count = dims.size(x)
    if count is not None:
        return target if not known else tuple(count // known if d is None else d for d in target)
    return target


@shape("ExpandDims")
def expand_dims(op: Operation) -> Shape:
    x, axis = op.inputs[0].shape, values.scalar(op.inputs[1])
    return None if x is None or axis is None else inserted(x, axis, 1)


@shape("Squeeze")
def squeeze(op: Operation) -> Shape:
    x, axes = op.inputs[0].shape, op["squeeze_dims"]
    if x is None or (not axes and None in x):
        return None
    if not axes:
        return tuple(d for d in x if d != 1)
    places = {dims.axis_of(axis, len(x)) for axis in axes}
    return tuple(d for i, d in enumerate(x) if i not in places)


@shape("Transpose", "ConjugateTranspose")
def transpose(op: Operation) -> Shape:
    """The rank is that of x or the length of perm; of an unknown x only two dimensions and more count."""
    x, perm, length = op.inputs[0].shape, values.complete(op.inputs[1]), dims.size(op.inputs[1].shape)
    if x is None:
        return None if length is None or length < 2 else (None,) * length
    perm = perm and tuple(axis + len(x) if axis < 0 else axis for axis in perm)
    if perm is None or sorted(perm) != list(range(len(x))):
        return (None,) * len(x)
    return tuple(x[axis] for axis in perm)


@shape("BroadcastTo")
def broadcast_to(op: Operation) -> Shape:
    """A dimension of x that is more than one stays as it is."""
    x, target = op.inputs[0].shape, values.as_shape(op.inputs[1])
    if x is None or target is None or len(x) > len(target):
        return target
    padded = (None,) * (len(target) - len(x)) + x
    return tuple(a if d is None and a is not None and a > 1 else d for a, d in zip(padded, target, strict=True))


@shape("Tile")
def tile(op: Operation) -> Shape:
    x, multiples = op.inputs[0].shape, values.as_shape(op.inputs[1])
    rank = dims.rank_of(x) if x is not None else dims.rank_of(multiples)
    if rank is None:
        return None
    return tuple(map(dims.product, x or (None,) * rank, multiples or (None,) * rank))


# ---------------------------------------------------------------------- joined and taken apart
@shape("Pack")
def pack(op: Operation) -> Shape:
    inner = merge_all(op)
    return None if inner is None else inserted(inner, op["axis"], len(op.inputs))


@shape("Unpack")
def unpack(op: Operation) -> list[Shape]:
    x, count = op.inputs[0].shape, op["num"]
    place = None if x is None else dims.axis_of(op["axis"], len(x))
    return [None if x is None or place is None else (*x[:place], *x[place + 1 :])] * count


@shape("ConcatV2")
def concat_v2(op: Operation) -> Shape:
    *parts, axis = op.inputs
    return joined(parts, axis)


@shape("Concat")
def concat(op: Operation) -> Shape:
    axis, *parts = op.inputs
    return joined(parts, axis)


def joined(parts: list[Tensor], axis_tensor: Tensor) -> Shape:
    """The parts agree in all dimensions but the one at the axis, which is their sum."""
    axis = values.scalar(axis_tensor)
    known = [t.shape for t in parts if t.shape is not None]
    if not known:
        return None
    if axis is None:
        return (None,) * len(known[0])
    merged = functools.reduce(dims.merge, (dims.replace(s, axis, None) for s in known))
    place = dims.axis_of(axis, len(known[0]))
    if place is None or any(len(s) != len(known[0]) for s in known):
        return None
    length = None
    if len(known) == len(parts):
        length = functools.reduce(dims.total, (s[place] for s in known))
    return dims.replace(merged, place, length)


@shape("Split")
def split(op: Operation) -> list[Shape]:
    axis, x, count = values.scalar(op.inputs[0]), op.inputs[1].shape, op["num_split"]
    if x is None or axis is None:
        return [dims.unknown(dims.rank_of(x))] * count
    place = dims.axis_of(axis, len(x))
    size = None if place is None else dims.quotient(x[place], count)
    return [dims.replace(x, axis, size)] * count


@shape("SplitV")
def split_v(op: Operation) -> list[Shape]:
    """An axis that is not known could be any, but of a vector it is the first."""
    x, sizes, axis, count = (
        op.inputs[0].shape,
        values.complete(op.inputs[1]),
        values.scalar(op.inputs[2]),
        op["num_split"],
    )
    if axis is None and count == 1 and sizes is not None:
        return [x]
    if axis is None and x is not None and len(x) == 1:
        axis = 0
    if x is None or axis is None:
        return [dims.unknown(dims.rank_of(x))] * count
    place = dims.axis_of(axis, len(x))
    if sizes is None or place is None:
        return [dims.replace(x, axis, None)] * count
    given = sum(size for size in sizes if size >= 0)
    rest = None if x[place] is None else x[place] - given  # type: ignore[operator]
    return [dims.replace(x, place, rest if size < 0 else size) for size in sizes]
