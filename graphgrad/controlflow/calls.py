"""Gradients of function calls: a call of the gradient of the function."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphgrad.backprop import Gradient
from graphgrad.controlflow.bodies import Copy, GradientFunction, components, put_together
from graphgrad.dtypes import resource, variant
from graphgrad.functions import GraphBuilder
from graphgrad.graph import Operation
from graphgrad.handles import is_trainable
from graphgrad.library import Library
from graphgrad.schema import graph_pb2
from graphgrad.tensors import Tensor


def gradient_of_call(g: GraphBuilder, op: Operation, name: str, dz: Sequence[Gradient]) -> list[Gradient]:
    """The gradients of a call; the library may name a function that is the gradient."""
    given = _given(op, name)
    if given is not None:
        return _call_what_is_given(g, op, given, dz)
    copy = Copy(op, name, op.inputs, [t.shape for t in op.inputs])
    # A loop inside that carries a variable along needs its dtype to count up its gradient from zero; so do lists.
    copy.graph.outer.update(
        (a, x) for a, x in zip(copy.arguments, op.inputs, strict=True) if x.dtype in (resource, variant)
    )
    pairs = [(y, dy) for y, dy in zip(copy.results, dz, strict=False) if dy is not None and is_trainable(y)]
    found = copy.differentiate([y for y, _ in pairs], copy.arguments, [dy for _, dy in pairs])
    function, results = GradientFunction(copy), len(copy.results)
    function.move_added()
    parts = [function.take(t) for dx in found for t in components(dx)]
    if not parts:
        return found
    if len(copy.results) > results:
        _rewrite(op, copy, results)
    inputs = [function.outer(source) for source, _ in function.captured]
    f = function.add_to_library([placeholder for _, placeholder in function.captured], parts)
    new = call(g, inputs, f, [t.dtype for t in parts], function.is_stateful)
    outputs = iter(new.outputs)
    for output, part in zip(new.outputs, parts, strict=True):
        output.has_shape(part.shape)
    return [put_together(dx, outputs) for dx in found]


def _given(op: Operation, name: str) -> str | None:
    """The gradient of a function that the library names, with the same attributes bound."""
    library: Library = op.graph.functions
    found = library.gradient_of(name)
    return None if found is None else library.instance(found, library.reference(name).attr, op)


def call(
    g: GraphBuilder, inputs: list[Tensor], f: graph_pb2.NameAttrList, results: list[Any], is_stateful: bool
) -> Operation:
    """A call of a function with results of these dtypes."""
    return g.op("StatefulPartitionedCall" if is_stateful else "PartitionedCall", inputs, f=f, Tout=results)


def _call_what_is_given(g: GraphBuilder, op: Operation, name: str, dz: Sequence[Gradient]) -> list[Gradient]:
    """It takes the function's arguments and a gradient of each result, and gives one for each argument."""
    seeds = [g.zeros_for(y) if dy is None else g.dense(dy) for y, dy in zip(op.outputs, dz, strict=True)]
    is_stateful = op.graph.functions[name].signature.is_stateful
    f = op.graph.functions.reference(name)
    new = call(g, [*op.inputs, *seeds], f, [t.dtype for t in op.inputs], is_stateful)  # type: ignore[list-item]
    return [dx if is_trainable(x) else None for x, dx in zip(op.inputs, new.outputs, strict=True)]  # type: ignore[union-attr]


def _rewrite(op: Operation, copy: Copy, results: int) -> None:
    """Makes the function give what its gradient needs, behind its own results."""
    new = copy.results[results:]
    outputs = [(t.dtype, t.shape) for t in new]
    body = copy.rewritten()
    if op.signature is None:
        op.rewrite(outputs=outputs, op_type=body.name)
        return
    attrs: dict[str, Any] = {"f": graph_pb2.NameAttrList(name=body.name), "Tout": tuple(t.dtype for t in copy.results)}
    if op.type == "SymbolicGradient":
        op.rewrite(outputs=outputs, op_type="PartitionedCall", **attrs)
    else:
        op.rewrite(outputs=outputs, **attrs)


def symbolic_gradient(op: Operation) -> str:
    """The function that a SymbolicGradient stands for: of a function's arguments and a gradient for each result."""
    library: Library = op.graph.functions
    name = op.function("f")
    wanted = f"{library.base(name)}_symbolic_gradient"
    known = _given(op, name) or library.symbolic.get(name)
    if known is None and library.base(name) == name and wanted in library:
        known = wanted
    if known is not None:
        return known
    count = len(library.body(name, op).arguments)
    copy = Copy(op, name, op.inputs[:count], [t.shape for t in op.inputs[:count]])
    pairs = [(y, dy) for y, dy in zip(copy.results, op.inputs[count:], strict=True) if is_trainable(y)]
    unused = [dy for y, dy in zip(copy.results, op.inputs[count:], strict=True) if not is_trainable(y)]
    found = copy.differentiate([y for y, _ in pairs], copy.arguments, [dy for _, dy in pairs])
    seeds = {outside: placeholder for placeholder, outside in copy.seeds.items()}
    g = copy.graph.build
    for i, dy in enumerate(unused):
        seeds[dy] = g.Placeholder(dtype=dy.dtype, shape=dy.shape, name=f"unused_{i}")
    results = [g.zeros_like(x) if dx is None else g.dense(dx) for x, dx in zip(copy.arguments, found, strict=True)]
    arguments = [*copy.arguments, *(seeds[dy] for dy in op.inputs[count:])]
    library.symbolic[name] = library.add(wanted, copy.graph, arguments, results).name
    return library.symbolic[name]
