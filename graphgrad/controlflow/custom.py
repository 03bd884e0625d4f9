"""Custom gradients that a file holds: functions of the gradients of an operation's outputs and of tensors beside it.

A SavedModel names these tensors among its objects. Where a graph comes without them they are found by their names:
an argument that stands for tensor `x` and is first read by node `Cos` is called `cos_x`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from graphgrad.backprop import Gradient
from graphgrad.controlflow.calls import call
from graphgrad.definitions import Body, argument_name
from graphgrad.dtypes import resource
from graphgrad.errors import ModelError
from graphgrad.functions import GraphBuilder
from graphgrad.graph import Graph, Operation
from graphgrad.handles import is_trainable
from graphgrad.library import Library
from graphgrad.schema import graph_pb2
from graphgrad.tensors import Tensor


def gradient_by_function(g: GraphBuilder, op: Operation, name: str, dz: Sequence[Gradient]) -> list[Gradient]:
    """The gradients that the function of that name gives for an operation whose gradients are custom ones."""
    library: Library = op.graph.functions
    body = library.body(name, op)
    count = len(op.outputs)
    seeds = [g.zeros_for(y) if dy is None else g.dense(dy) for y, dy in zip(op.outputs, dz, strict=True)]
    captured = [_captured(g, op, body, i) for i in range(count, len(body.arguments))]
    f = graph_pb2.NameAttrList(name=name)
    dtypes = [t.dtype for t in body.results]
    new = call(g, [*seeds, *captured], f, dtypes, library[name].signature.is_stateful)  # type: ignore[list-item]
    given = iter(new.outputs)
    gradients = [next(given) if is_there else None for is_there in _gives(library, body, len(op.inputs))]
    return [dx if is_trainable(x) else None for x, dx in zip(op.inputs, gradients, strict=True)]


def _gives(library: Library, body: Body, inputs: int) -> list[bool]:
    """For each input of the operation, whether there is a gradient for it; without more to go by, for the last ones."""
    function = library.objects.concrete_functions.get(body.name) if library.objects is not None else None
    if function is not None:
        parts = list(function.output_signature.tuple_value.values) or list(function.output_signature.list_value.values)
        if len(parts) == inputs:
            return [part.WhichOneof("kind") != "none_value" for part in parts]
    results = len(body.results)
    return [i >= inputs - results for i in range(inputs)]


def _captured(g: GraphBuilder, op: Operation, body: Body, position: int) -> Tensor:
    """What an argument behind the gradients stands for, in the graph of the operation.

    Raises ModelError where no tensor can be meant, or two.
    """
    standing = _standing_for(g, op, body, position)
    if standing is not None:
        return standing
    reference = _noted(op.graph.functions, body, position - len(op.outputs))
    names = [reference.partition(":")] if reference else []
    for name, _, index in names or ((name, "", "0") for name in _possible_names(body, body.arguments[position])):
        found, i = _find(op.graph, name), int(index or 0)
        if found is None or i >= len(found.outputs) or found.outputs[i].dtype is not body.arguments[position].dtype:
            continue
        other = None if names or g.recording is None else _handed_in(op.graph, name)
        if other is None or other is found:
            return found.outputs[i]
        why = f"may stand for node {found.name!r} or what is handed in as {other.name!r}: give the SavedModel, which tells"
        break
    else:
        why = "stands for a tensor that is not in the graph of the node"
    argument = body.arguments[position].op.name
    raise ModelError(
        f"{op.type} node {op.name!r} has the custom gradient {body.name!r}, whose argument {argument!r} {why}"
    )


def _noted(library: Library, body: Body, position: int) -> str:
    """The name of a captured tensor as the objects of a SavedModel have it."""
    bound = _bound(library, body.name)
    if position >= len(bound) or bound[position] >= len(library.objects.nodes):
        return ""
    return str(library.objects.nodes[bound[position]].captured_tensor.name)


def _bound(library: Library, function: str) -> Sequence[int]:
    """The objects of a SavedModel that a function captures, which its last arguments stand for."""
    objects: Any = library.objects
    known = objects is not None and function in objects.concrete_functions
    return objects.concrete_functions[function].bound_inputs if known else ()  # type: ignore[no-any-return]


def _standing_for(g: GraphBuilder, op: Operation, body: Body, position: int) -> Tensor | None:
    """The argument of the function around an operation that stands for the same object, as a variable is one, or is called so."""
    argument = body.arguments[position]
    if g.recording is None or not (argument.dtype is resource or argument.op.name.endswith("_resource")):
        return None  # a variable that was frozen keeps the name of its handle
    around: Body = g.recording.body
    bound, others = _bound(op.graph.functions, body.name), _bound(op.graph.functions, around.name)
    place = position - len(op.outputs)
    if place < len(bound) and bound[place] in others:
        return around.arguments[len(around.arguments) - len(others) + list(others).index(bound[place])]
    named = [a for a in around.arguments if a.dtype is argument.dtype and a.op.name == argument.op.name]
    return named[0] if named else None


def _handed_in(graph: Graph, name: str) -> Operation | None:
    """The argument of a function that stands for a tensor of this name outside of it."""
    for reader in graph.operations[: graph.read_count]:
        start = f"{argument_name(reader.name)}_{name}"
        for x in reader.inputs:
            if x.op.type == "Placeholder" and x.op.name.startswith(start):
                rest = x.op.name.removeprefix(start)
                if not rest or (rest[0] == "_" and rest[1:].isdigit()):
                    return x.op
    return None


def _possible_names(body: Body, argument: Tensor) -> Iterator[str]:
    for reader in body.graph:
        prefix = argument_name(reader.name) + "_"
        if argument in reader.inputs and argument.op.name.startswith(prefix):
            yield argument.op.name.removeprefix(prefix)


def _find(graph: Graph, name: str) -> Operation | None:
    """The node that was read under this name, or the only one that is called so as an argument."""
    read = graph.operations[: graph.read_count]
    found = [op for op in read if op.name == name] or [op for op in read if argument_name(op.name) == name]
    return found[0] if len(found) == 1 else None
