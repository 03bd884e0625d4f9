"""Static shapes of ops that make, pass on and rearrange tensors."""

from __future__ import annotations

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
