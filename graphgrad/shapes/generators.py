"""Static shapes of what random generators in variables give."""

from __future__ import annotations

from graphgrad.attributes import Shape
from graphgrad.graph import Operation
from graphgrad.registry import shape
from graphgrad.shapes import values


@shape(
    *["StatefulUniform", "StatefulUniformFullInt", "StatefulUniformInt"],
    *["StatefulStandardNormalV2", "StatefulTruncatedNormal", "StatefulRandomBinomial"],
)
def drawn(op: Operation) -> Shape:
    return values.as_shape(op.inputs[2])


@shape("StatefulStandardNormal")
def standard_normal(op: Operation) -> Shape:
    return values.as_shape(op.inputs[1])


@shape("NonDeterministicInts")
def any_integers(op: Operation) -> Shape:
    return values.as_shape(op.inputs[0])


@shape("RngReadAndSkip")
def state(op: Operation) -> Shape:
    return (3,)


@shape("RngSkip")
def nothing(op: Operation) -> list[Shape]:
    return []
