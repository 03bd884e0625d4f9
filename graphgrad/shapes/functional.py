"""Static shapes of operations that call functions: what their attributes say."""

from __future__ import annotations

from graphgrad.attributes import Shape
from graphgrad.graph import Operation
from graphgrad.registry import shape


@shape("If", "StatelessIf", "Case", "StatelessCase")
def branches(op: Operation) -> list[Shape]:
    return _stated(op) or [None] * len(op.outputs)


@shape("While", "StatelessWhile")
def loop(op: Operation) -> list[Shape]:
    """Where nothing is stated, loop variables keep the shapes they start with."""
    return _stated(op) or [t.shape for t in op.inputs]


def _stated(op: Operation) -> list[Shape]:
    shapes = list(op["output_shapes"])
    return shapes if len(shapes) == len(op.outputs) else []


@shape("PartitionedCall", "StatefulPartitionedCall")
def call(op: Operation) -> list[Shape]:
    return [None] * len(op.outputs)


@shape("SymbolicGradient")
def symbolic_gradient(op: Operation) -> list[Shape]:
    """One gradient for each argument, of its shape."""
    return [t.shape for t in op.inputs[: len(op.outputs)]]
