"""Static shapes of variants that hold the components of one value."""

from __future__ import annotations

from graphgrad.attributes import Shape
from graphgrad.graph import Operation
from graphgrad.registry import shape, shapes
from graphgrad.shapes.common import scalar

shapes(scalar, "OptionalFromValue", "OptionalNone", "OptionalHasValue", "CompositeTensorVariantFromComponents")


@shape("OptionalGetValue")
def optional_get_value(op: Operation) -> list[Shape]:
    return list(op["output_shapes"])


@shape("CompositeTensorVariantToComponents")
def composite_to_components(op: Operation) -> list[Shape]:
    return [None] * len(op.outputs)
