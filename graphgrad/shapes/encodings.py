"""Static shapes of decoded strings: code points, numbers in binary, records of comma-separated values."""

from __future__ import annotations

from graphgrad.attributes import Shape
from graphgrad.graph import Operation
from graphgrad.registry import shape, shapes
from graphgrad.shapes import dims, values
from graphgrad.shapes.common import same_as_first
from graphgrad.shapes.dims import Dim

shapes(same_as_first, "UnicodeTranscode", "DecodeCompressed")


# ---------------------------------------------------------------------- code points
def count_of(op: Operation) -> Dim:
    """One more than there are strings."""
    return dims.total(dims.size(op.inputs[0].shape), 1)


@shape("UnicodeDecode")
def unicode_decode(op: Operation) -> list[Shape]:
    return [(count_of(op),), (None,)]


@shape("UnicodeDecodeWithOffsets")
def unicode_decode_with_offsets(op: Operation) -> list[Shape]:
    return [(count_of(op),), (None,), (None,)]


@shape("UnicodeEncode")
def unicode_encode(op: Operation) -> Shape:
    splits = op.inputs[1].shape
    return (dims.total(splits[0], -1) if splits else None,)


# ---------------------------------------------------------------------- encoded numbers
@shape("DecodeRaw")
def decode_raw(op: Operation) -> Shape:
    return dims.join(op.inputs[0].shape, (None,))


@shape("DecodePaddedRaw")
def decode_padded_raw(op: Operation) -> Shape:
    length = values.scalar(op.inputs[1])
    size = op["out_type"].size
    return dims.join(op.inputs[0].shape, (None if length is None else length // size,))


@shape("DecodeCSV")
def decode_csv(op: Operation) -> list[Shape]:
    return [op.inputs[0].shape] * len(op.outputs)
