"""Static shapes of decoded and encoded images: what a file holds is not known before a run."""

from __future__ import annotations

from graphgrad.attributes import Shape
from graphgrad.graph import Operation
from graphgrad.registry import shape, shapes
from graphgrad.shapes import values
from graphgrad.shapes.common import scalar

shapes(scalar, "EncodeJpeg", "EncodeJpegVariableQuality")


@shape("DecodeJpeg", "DecodePng", "DecodeBmp")
def decoded(op: Operation) -> Shape:
    return (None, None, op["channels"] or None)


@shape("DecodeAndCropJpeg")
def cropped(op: Operation) -> Shape:
    window = values.complete(op.inputs[1]) or (None,) * 4
    return (*window[2:4], op["channels"] or None)


@shape("DecodeGif")
def frames(op: Operation) -> Shape:
    return (None, None, None, 3)


@shape("DecodeWebP")
def webp(op: Operation) -> Shape:
    return (None, None, None, op["channels"] or None)


@shape("DecodeImage")
def image(op: Operation) -> Shape:
    return None if op["expand_animations"] else (None, None, op["channels"] or None)


@shape("ExtractJpegShape")
def jpeg_shape(op: Operation) -> Shape:
    return (3,)


@shape("EncodePng")
def encoded(op: Operation) -> Shape:
    x = op.inputs[0].shape
    return None if x is None else x[:-3]
