"""A graph, or a function of it, as text, one line a node, producers first: stable enough to be diffed.

A line is `name  Op  dtype[shape]  <- inputs`; small constants show their elements, calls the functions they run.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterator, Sequence
from typing import Any

from graphgrad import attributes
from graphgrad.controlflow.frames import producers_first
from graphgrad.definitions import Body
from graphgrad.errors import ArgumentError, UnknownNameError, did_you_mean
from graphgrad.graph import Graph, Operation
from graphgrad.library import functions_run_by, is_call
from graphgrad.shapes import dims
from graphgrad.shapes.common import small_constant
from graphgrad.tensors import Tensor

MOST_ELEMENTS = 8  # of a constant that is shown
MOST_NAMES = 8  # of a function's arguments, which are its first nodes, and of its results
_READERS = 3  # named in a message
_GRADIENT_SCOPE = re.compile(r"(.*)_grad(?:ient_sum)?(?:_\d+)?/")


def chosen(graph: Graph, names: Sequence[str], gradients_of: Sequence[str] = ()) -> list[Operation]:
    """The operations of these names, globs and scopes (all without any), and those of the gradients of others, producers first.

    Raises ArgumentError for a name that is no node, no scope and no glob that matches.
    """
    everything = producers_first(graph)
    if not names and not gradients_of:
        return everything
    wanted: set[Operation] = set()
    for name in names:
        wanted.update(_named(graph, name))
    for node in gradients_of:
        wanted.update(_gradient_of(graph.operation(node)))
    return [op for op in everything if op in wanted]


def _named(graph: Graph, name: str) -> list[Operation]:
    if name in graph:
        return [graph.operation(name)]
    scope = name.rstrip("/") + "/"
    found = [op for op in graph if op.name.startswith(scope) or fnmatch.fnmatchcase(op.name, name)]
    if not found:
        scopes = {op.name.rpartition("/")[0] for op in graph} - {""}
        known = [op.name for op in graph][:20_000] + sorted(scopes)[:20_000]
        inside = _functions_with(graph, name)
        meant = f": --function {inside[0]} has it" if inside else did_you_mean(name, known)
        raise UnknownNameError(f"no node, scope or glob {name!r}{meant}")
    return found


def _functions_with(graph: Graph, name: str) -> list[str]:
    """The functions that hold a node of this name or glob."""
    return [
        function
        for function, definition in graph.functions.items()
        if any(node.name == name or fnmatch.fnmatchcase(node.name, name) for node in definition.node_def)
    ]


def _gradient_of(op: Operation) -> list[Operation]:
    """What stands in the scopes `<op>_grad` and `<op>_gradient_sum` of any call of gradients."""
    found: dict[Operation, list[Operation]] = {}
    for other in op.graph:
        if (differentiated := _differentiated(other)) is not None:
            found.setdefault(differentiated, []).append(other)
    if op in found:
        return found[op]
    readers = [reader.name for reader in found if op in (t.op for t in reader.inputs)]
    if readers:  # an x: nothing is handed on from it
        raise ArgumentError(
            f"no gradient goes on from node {op.name!r}; its own is made by those of what reads it: "
            f"--gradient-of {','.join(readers[:_READERS])}" + (", and others" if len(readers) > _READERS else "")
        )
    raise ArgumentError(f"no gradient of node {op.name!r} is in the graph: add-gradients adds it")


def _differentiated(op: Operation) -> Operation | None:
    """The operation to whose gradient this one belongs, by its scope; None where it belongs to none."""
    scope = _GRADIENT_SCOPE.match(op.name)
    name = scope[1] if scope else ""
    while name and name not in op.graph:
        name = name.partition("/")[2]
    return op.graph.operation(name) if name else None


def line(op: Operation, attrs: bool = False) -> str:
    """The line of an operation; with its attributes, sorted, where `attrs` asks for them."""
    inputs = [t.input_name for t in op.inputs] + [f"^{c.name}" for c in op.control_inputs]
    parts = [op.name, op.type, " ".join(described(t) for t in op.outputs) or "-"]
    if op.type == "Const":
        parts.append(f"= {elements(op)}")
    if is_call(op) and op.signature is not None:
        parts.append("-> " + ", ".join(called_by(op)))
    if inputs:
        parts.append("<- " + ", ".join(inputs))
    if op.device:
        parts.append(f"@ {op.device}")
    text = "  ".join(parts)
    return "\n".join([text, *(f"    {name} = {value}" for name, value in attributes_of(op))]) if attrs else text


def heading(body: Body) -> str:
    """What a function takes and gives, as `name[its own attributes](arguments) -> results`; of many the first."""
    unbound = ", ".join(attr.name for attr in body.graph.functions[body.name].signature.attr)
    sides = [", ".join(_some([t.input_name for t in tensors])) for tensors in (body.arguments, body.results)]
    return f"{body.name}{unbound and f'[{unbound}]'}({sides[0]}) -> {sides[1] or 'nothing'}"


def _some(names: list[str]) -> list[str]:
    return names if len(names) <= MOST_NAMES else [*names[:MOST_NAMES], f"... {len(names) - MOST_NAMES} more"]


def functions(graph: Graph, names: Sequence[str]) -> list[Body]:
    """The functions of these names and globs, in the order of the library, then those with attributes as calls bind them.

    Raises ArgumentError for a name that fits none.
    """
    library = graph.functions
    wanted: dict[str, None] = {}
    for name in names:
        found = [known for known in library if known == name or fnmatch.fnmatchcase(known, name)]
        if not found and "[" in name:
            found = [known for known in library.run_by(op.node_def() for op in graph) if known == name]
        if not found:
            others = f"{did_you_mean(name, list(library))}: `inspect` lists them" if library else ", nor any other"
            raise ArgumentError(f"no function {name!r} in the model{others}")
        wanted.update(dict.fromkeys(found))
    bound = [name for name in wanted if library.base(name) != name]
    return [library.shown(name) for name in [*library, *bound] if name in wanted]


def chosen_of_functions(
    functions: Sequence[Body], names: Sequence[str], gradients_of: Sequence[str] = ()
) -> list[tuple[Body | None, list[Operation]]]:
    """For each function that has such operations what `chosen` gives. Raises ArgumentError where none has."""
    found: list[tuple[Body | None, list[Operation]]] = []
    missing: ArgumentError | None = None
    for body in functions:
        try:
            found.append((body, chosen(body.graph, names, gradients_of)))
        except ArgumentError as error:
            missing = missing or error
    if missing is not None and not found:
        raise missing
    return found


def called_by(op: Operation) -> list[str]:
    """The names of the functions that a call runs."""
    if op.graph.is_template:
        assert op.signature is not None
        named = [name for name, attr in op.signature.attrs.items() if attr.type.endswith("func")]
        return [attributes.shown(op.attr_message(name)) for name in named]
    return [called.name for called in functions_run_by(op)] or [op.function("f")]


def as_document(places: Sequence[tuple[Body | None, list[Operation]]]) -> dict[str, Any]:
    """The operations of a graph, or of functions, as a document."""
    nodes = [
        as_json(op) if body is None else {"function": body.name, **as_json(op)}
        for body, found in places
        for op in found
    ]
    functions = [
        {
            "name": body.name,
            "arguments": [t.name for t in body.arguments],
            "results": [t.name for t in body.results],
        }
        for body, _ in places
        if body is not None
    ]
    return {"schema": 1, "nodes": nodes} | ({"functions": functions} if functions else {})


def as_json(op: Operation) -> dict[str, Any]:
    """The line of an operation as a document."""
    return {
        "name": op.name,
        "op": op.type,
        "outputs": [{"dtype": repr(t.dtype), "shape": None if t.shape is None else list(t.shape)} for t in op.outputs],
        "inputs": [t.name for t in op.inputs],
        "control_inputs": [c.name for c in op.control_inputs],
        "device": op.device,
        "attrs": dict(attributes_of(op)),
    }


def described(tensor: Tensor) -> str:
    shape = tensor.shape
    return f"{tensor.dtype or '?'}{'<unknown rank>' if shape is None else dims.show(shape)}"


def elements(op: Operation) -> str:
    if op.graph.is_template and op.attr_message("value").placeholder:
        return attributes.shown(op.attr_message("value"))
    is_read = not op.graph.is_template or op.attr_message("dtype").type
    known = small_constant(op) if is_read and op["dtype"].size is not None else None
    if known is None:
        return "..."
    shape, elements = known
    shown = " ".join(f"{v:.6g}" if isinstance(v, float) else str(v) for v in elements[:MOST_ELEMENTS])
    more = " ..." if len(elements) > MOST_ELEMENTS else ""
    return f"[{shown}{more}]" if shape else shown


def attributes_of(op: Operation) -> Iterator[tuple[str, str]]:
    for name in op.attr_names():
        if not (op.type == "Const" and name == "value"):
            yield name, attributes.shown(op.attr_message(name))
