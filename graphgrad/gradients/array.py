"""Gradients of ops that make, pass on and rearrange tensors: each puts the gradient back into the order it came from.

A gradient that arrives as IndexedSlices stays sparse where TensorFlow keeps it so, and becomes dense elsewhere.
"""

from __future__ import annotations

from typing import Any

from graphgrad import dtypes
from graphgrad.errors import ArgumentError, MissingGradientError
from graphgrad.functions import GraphBuilder
from graphgrad.graph import Operation
from graphgrad.registry import gradient, gradients, no_gradient
from graphgrad.shapes import values
from graphgrad.tensors import IndexedSlices, Tensor

no_gradient(
    *[
        "ConcatOffset",
        "Const",
        "InvertPermutation",
        "LinSpace",
        "OneHot",
        "OnesLike",
        "Range",
        "Rank",
        "Shape",
        "ShapeN",
        "Size",
        "StopGradient",
    ],
    "ZerosLike",
)


# ---------------------------------------------------------------------- passed on
def unchanged(g, op, *dz):
    """The outputs are the first inputs; those behind them only steer."""
    return [*dz, *[None] * (len(op.inputs) - len(dz))]


gradients(
    dict.fromkeys(
        [
            *[
                "DebugGradientIdentity",
                "DebugGradientRefIdentity",
                "DebugIdentityV2",
                "EnsureShape",
                "Identity",
                "IdentityN",
            ],
            *["PlaceholderWithDefault", "RefIdentity", "_EagerConst"],
        ],
        unchanged,
    )
)


@gradient("CheckNumerics", "CheckNumericsV2")
def check_numerics(g, op, dz):
    """TensorFlow puts the op's message in as Python shows bytes."""
    shown = op["message"] if isinstance(op["message"], bytes) else op["message"].encode()
    message = f"Not a number (NaN) or infinity (Inf) values detected in gradient. {shown!r}"
    return g.op(op.type, dz, message=message).outputs[0]


@gradient("PreventGradient")
def prevent_gradient(g, op, dz):
    raise MissingGradientError(
        f"Gradient explicitly disabled. Reason: {op['message']} (PreventGradient node {op.name!r})",
        [{"op": op.type, "node": op.name, "path": [op.name], "custom_gradient": None}],
    )


# ---------------------------------------------------------------------- reshaped
def shape_of_input(g: GraphBuilder, op: Operation, dz: Any) -> Tensor:
    """`dz`, dense, in the shape of the input."""
    return g.Reshape(g.dense(dz), g.shape(op.inputs[0]))


@gradient("Reshape")
def reshape(g, op, dz):
    """A lone unknown dimension is left to Reshape to work out, unless another one is zero."""
    shape = op.inputs[0].shape
    if shape is not None and shape.count(None) == 1 and 0 not in shape:
        return g.Reshape(g.dense(dz), [-1 if d is None else d for d in shape]), None
    return shape_of_input(g, op, dz), None


@gradient("ExpandDims")
def expand_dims(g, op, dz):
    return shape_of_input(g, op, dz), None


@gradient("Squeeze")
def squeeze(g, op, dz):
    return shape_of_input(g, op, dz)


@gradient("Transpose", "ConjugateTranspose")
def transpose(g, op, dz):
    """The inverse permutation, conjugated as the op conjugates."""
    inverse = g.InvertPermutation(op.inputs[1])
    return g.transpose(dz, inverse, conjugate=op.type == "ConjugateTranspose"), None


# ---------------------------------------------------------------------- joined and taken apart
@gradient("Pack")
def pack(g, op, dz):
    return g.Unpack(dz, num=op["N"], axis=op["axis"], name="unstack")


@gradient("Unpack")
def unpack(g, op, *dz):
    """Sparse gradients are made dense by Pack; before, TensorFlow makes the first of them so as well, and drops it."""
    axis, name = op["axis"], "stack"
    if all(isinstance(part, Tensor) for part in dz):
        return g.stack(dz, axis=axis)
    if axis == 0 and any(isinstance(part, Tensor) for part in dz):
        with g.name_scope(name):  # an attempt at packing that fails, but keeps its name
            pass
    g.dense(dz[0], name=name)
    return g.Pack(dz, axis=axis, name=name)


@gradient("Split")
def split(g, op, *dz):
    return None, g.concat(dz, op.inputs[0])


@gradient("SplitV")
def split_v(g, op, *dz):
    return g.concat(dz, op.inputs[2]), None, None


@gradient("Concat")
def concat(g, op, dz):
    axis, *parts = op.inputs
    return [None, *pieces(g, parts, axis, dz)]


@gradient("ConcatV2")
def concat_v2(g, op, dz):
    *parts, axis = op.inputs
    return [*pieces(g, parts, axis, dz), None]


def pieces(g: GraphBuilder, parts: list[Tensor], axis: Tensor, dz: Any) -> list[Any]:
    """The part of `dz` that belongs to each of the tensors that were joined along `axis`."""
    axis = g.cast(axis, dtypes.int32)  # TensorFlow fails on an int64 axis
    if isinstance(dz, IndexedSlices):
        return sparse_pieces(g, parts, axis, dz)
    axis = g.here(axis, dz) % g.rank(parts[0])
    shapes = part_shapes(g, parts)
    if len(shapes) > 16:  # from here on one SplitV is cheaper than a Slice for each
        sizes = g.Squeeze(g.Slice(g.stack(shapes, axis=1), [axis, 0], [1, -1]))
        return g.SplitV(dz, sizes, axis, num_split=len(shapes), name="split")
    return [g.Slice(dz, begin, shape) for begin, shape in zip(g.ConcatOffset(axis, shapes), shapes, strict=True)]


def part_shapes(g: GraphBuilder, parts: list[Tensor]) -> list[Tensor]:
    """The shapes of the parts: constants where all are static, else the outputs of one ShapeN."""
    shapes = []
    for part in parts:
        shapes.append(g.shape(part))
        if shapes[-1].op.type != "Const":
            return g.ShapeN(parts)
    return shapes


def sparse_pieces(g: GraphBuilder, parts: list[Tensor], axis: Tensor, dz: IndexedSlices) -> list[IndexedSlices]:
    """The same of a sparse gradient: along axis 0 each part gets its rows, along others its columns of all rows."""
    known, from_front = g.python_value(axis), axis % g.rank(parts[0])
    if known is None:
        raise ArgumentError("Can only compute IndexedSlices gradient with statically-known concat_dim")
    if known.scalar < 0 and parts[0].shape is None:
        raise ArgumentError(
            "Can only compute IndexedSlices gradient with negative concat_dim when first value rank is statically-known."
        )
    along_rows = known.scalar == 0 or (known.scalar < 0 and g.python_value(g.rank(parts[0])).scalar == -known.scalar)
    shapes = [g.shape(part) for part in parts]
    return (row_pieces if along_rows else column_pieces)(g, shapes, from_front, dz)


def row_pieces(g: GraphBuilder, shapes: list[Tensor], axis: Tensor, dz: IndexedSlices) -> list[IndexedSlices]:
    """Each part gets the values whose indices fall into its rows, with indices counted from its first."""
    found = []
    start = g.constant(0, dz.indices.dtype)
    for shape in shapes:
        end = start + g.cast(g.gather(shape, axis), dz.indices.dtype)
        inside = g.LogicalAnd(dz.indices >= start, dz.indices < end)
        chosen = g.Squeeze(g.Where(inside), squeeze_dims=[1])
        indices = g.gather(dz.indices, chosen) - start
        found.append(IndexedSlices(g.gather(dz.values, chosen), indices, shape))
        start = end
    return found


def column_pieces(g: GraphBuilder, shapes: list[Tensor], axis: Tensor, dz: IndexedSlices) -> list[IndexedSlices]:
    """Each part gets all indices, and its columns of the values: of these there are fewer rows than of the parts."""
    rank = g.shape(shapes[0])
    mask = g.concat([g.zeros(g.ExpandDims(axis, 0), axis.dtype), [1], g.zeros(rank - axis - 1, axis.dtype)], 0)
    begin = g.zeros(rank, axis.dtype)
    found = []
    for shape in shapes:
        size = g.concat([[-1], g.Slice(shape, [1], [-1])], 0)
        found.append(IndexedSlices(g.Slice(dz.values, begin, size), dz.indices, shape))
        begin = g.AddV2(begin, shape * mask, name="Add")
    return found


# ---------------------------------------------------------------------- repeated
@gradient("Tile")
def tile(g, op, dz):
    """The sum over the copies, which are axes of their own once dz has the shape (m0, d0, m1, d1, ...)."""
    x, multiples = op.inputs
    shape = g.shape(x, out_type=multiples.dtype)
    interleaved = g.Reshape(g.transpose(g.stack([multiples, shape])), [-1])
    axes = g.range(0, g.size(interleaved), 2)
    if isinstance(dz, IndexedSlices):
        rows = g.cast(shape[0], dz.indices.dtype)
        dz = g.UnsortedSegmentSum(dz.values, g.FloorMod(dz.indices, rows, name="mod"), rows)
        interleaved = g.concat([[1], interleaved[1:]], 0)
    return g.reduce_sum(g.Reshape(dz, interleaved), axes), None


@gradient("BroadcastTo")
def broadcast_to(g, op, dz):
    x, target = op.inputs
    shape = g.shape(x, out_type=target.dtype)
    known = values.complete(target)
    if known is not None and all(d >= 0 for d in known):
        target = g.constant(list(known), target.dtype)
    axes = g.BroadcastGradientArgs(target, shape)[1]
    return g.Reshape(g.reduce_sum(dz, axes, keepdims=True), shape), None


@gradient("Fill")
def fill(g, op, dz):
    return None, g.reduce_sum(dz)
