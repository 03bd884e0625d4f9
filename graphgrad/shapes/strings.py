"""Static shapes of strings: most ops keep the shape, and the number of parts is known only when they are cut."""

from __future__ import annotations

from graphgrad.attributes import Shape
from graphgrad.graph import Operation
from graphgrad.registry import shape, shapes
from graphgrad.shapes import dims, values
from graphgrad.shapes._coordinates import coordinates
from graphgrad.shapes.common import same_as_first, scalar

shapes(
    same_as_first,
    *["AsString", "DecodeBase64", "EncodeBase64", "RegexFullMatch", "RegexReplace", "StaticRegexFullMatch"],
    *["StaticRegexReplace", "StringLength", "StringLower", "StringStrip", "StringToHashBucket"],
    *["StringToHashBucketFast", "StringToHashBucketStrong", "StringToNumber", "StringUpper"],
)
shapes(scalar, "StringFormat")


@shape("StringJoin")
def join(op: Operation) -> Shape:
    """Scalars go with any other shape; one that is unknown says nothing, unless there is nothing else."""
    found: Shape = ()
    for tensor in op.inputs:
        if tensor.shape is None:
            found = found or None
        elif tensor.shape:
            found = dims.merge(tensor.shape, found) if found else tensor.shape
    return found


@shape("Substr")
def substr(op: Operation) -> Shape:
    return dims.broadcast(op.inputs[0].shape, op.inputs[1].shape)


@shape("StringSplit", "StringSplitV2")
def split(op: Operation) -> list[Shape]:
    return coordinates(None, 2)


@shape("StringNGrams")
def ngrams(op: Operation) -> list[Shape]:
    return [(None,), op.inputs[1].shape or (None,)]


@shape("ReduceJoin")
def reduce_join(op: Operation) -> Shape:
    inputs, axes = op.inputs[0].shape, values.complete(op.inputs[1])
    if inputs is None:
        return None
    if axes is None:
        return dims.unknown(len(inputs)) if op["keep_dims"] else None
    reduced = {axis % len(inputs) for axis in axes} if inputs else set()
    if op["keep_dims"]:
        return tuple(1 if i in reduced else d for i, d in enumerate(inputs))
    return tuple(d for i, d in enumerate(inputs) if i not in reduced)


@shape("UnsortedSegmentJoin")
def segment_join(op: Operation) -> Shape:
    inputs, ids = (t.shape for t in op.inputs[:2])
    return None if inputs is None or ids is None else (values.scalar(op.inputs[2]), *inputs[len(ids) :])


@shape("Fingerprint")
def fingerprint(op: Operation) -> Shape:
    """Eight bytes a row; TensorFlow knows so where the method is constant."""
    data, method = op.inputs[0].shape, op.inputs[1].op
    return (data[0] if data else None, 8 if method.type == "Const" else None)
