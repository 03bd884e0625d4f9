"""Static shapes of object detection: how many boxes are chosen is known only where the result is filled up."""

from __future__ import annotations

from graphgrad.attributes import Shape
from graphgrad.graph import Operation
from graphgrad.registry import shape, shapes
from graphgrad.shapes import dims, values


def _some(op: Operation) -> Shape:
    return (None,)


shapes(_some, "NonMaxSuppression", "NonMaxSuppressionV2", "NonMaxSuppressionV3", "NonMaxSuppressionWithOverlaps")


@shape("NonMaxSuppressionV4")
def suppress_v4(op: Operation) -> list[Shape]:
    return [_filled(op), ()]


@shape("NonMaxSuppressionV5")
def suppress_v5(op: Operation) -> list[Shape]:
    return [_filled(op), _filled(op), ()]


def _filled(op: Operation) -> Shape:
    return (values.scalar(op.inputs[2]) if op["pad_to_max_output_size"] else None,)


@shape("CombinedNonMaxSuppression")
def suppress_combined(op: Operation) -> list[Shape]:
    boxes, scores = op.inputs[0].shape or (None,) * 4, op.inputs[1].shape or (None,) * 3
    batch, classes = boxes[0], scores[2]
    per_class, total = values.scalar(op.inputs[2]), values.scalar(op.inputs[3])
    if op["pad_per_class"]:
        most = dims.product(per_class, classes)
        total = None if total is None or most is None else min(total, most)
    return [(batch, total, 4), (batch, total), (batch, total), (batch,)]


@shape("DrawBoundingBoxes", "DrawBoundingBoxesV2")
def draw(op: Operation) -> Shape:
    return op.inputs[0].shape
