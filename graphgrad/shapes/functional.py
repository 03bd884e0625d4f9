"""Static shapes of operations that call functions: what their attributes say, or what the bodies give."""

from __future__ import annotations

from typing import Any

from graphgrad import dtypes, handles
from graphgrad.attributes import Shape
from graphgrad.depth import with_room
from graphgrad.graph import Operation
from graphgrad.registry import shape
from graphgrad.shapes import inference
from graphgrad.tensors import Tensor

# Annotation: what is known of branches that were made to hand on more, where they state other shapes since.
KNOWN_SHAPES = "_known_shapes"


@shape("If", "StatelessIf", "Case", "StatelessCase")
def branches(op: Operation) -> list[Shape]:
    return list(op.annotation(KNOWN_SHAPES) or ()) or _stated(op) or [None] * len(op.outputs)


@shape("While", "StatelessWhile")
def loop(op: Operation) -> list[Shape]:
    """Where nothing is stated, loop variables keep the shapes they start with."""
    return _stated(op) or [t.shape for t in op.inputs]


def _stated(op: Operation) -> list[Shape]:
    shapes = list(op["output_shapes"])
    return shapes if len(shapes) == len(op.outputs) else []


@shape("PartitionedCall", "StatefulPartitionedCall")
def call(op: Operation) -> list[Shape]:
    """What the body gives for what it is called with. Raises ModelError where the function calls itself."""
    return with_room(op.graph.functions.depth, lambda: _of_body(op))  # type: ignore[no-any-return]


def _of_body(op: Operation) -> list[Shape]:
    library = op.graph.functions
    name = op.function(None if op.signature is None else "f")
    library.check_call(op)
    library.refuse_recursion([name], op)
    body = library.body(name, op)
    key = None if any(x.dtype is dtypes.variant for x in op.inputs) else tuple(map(_known, op.inputs))
    found = body.shapes_of_results.get(key)
    if found is None:
        with inference.called(body.graph, dict(zip(body.arguments, op.inputs, strict=True))):
            found = [result.shape for result in body.results]
        if key is not None:
            body.shapes_of_results[key] = found
    return list(found)


def _known(x: Tensor) -> Any:
    """All that the shapes of a function's results can hang on."""
    if x.dtype is dtypes.resource:
        return handles.shape_for_what_was_read(x)
    return x.shape, inference.value(x)


@shape("SymbolicGradient")
def symbolic_gradient(op: Operation) -> list[Shape]:
    """One gradient for each argument, of its shape."""
    return [t.shape for t in op.inputs[: len(op.outputs)]]
