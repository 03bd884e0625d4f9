"""Gradients of If and Case: an operation of the same kind whose branches are the gradients of the branches.

A branch hands on what its gradient needs as optionals, so that the results of all branches agree: those that were not
run hold nothing.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

from graphgrad import dtypes, handles
from graphgrad.attributes import Shape
from graphgrad.backprop import Gradient
from graphgrad.controlflow import steering
from graphgrad.controlflow.bodies import Copy, GradientFunction, components, put_together
from graphgrad.functions import GraphBuilder
from graphgrad.graph import Operation
from graphgrad.handles import is_trainable
from graphgrad.schema import graph_pb2
from graphgrad.shapes import dims
from graphgrad.shapes.functional import KNOWN_SHAPES
from graphgrad.tensors import IndexedSlices, Tensor

# (inputs, functions, whether they are stateful, dtypes and shapes of the results) -> the new operation
Build = Callable[[list[Tensor], list[graph_pb2.NameAttrList], bool, list[Any], list[Any]], Operation]


class BranchGradient(GradientFunction):
    """The gradient of one branch."""

    def __init__(self, copy: Copy):
        super().__init__(copy)
        self.optionals: list[Tensor] = []
        self.needs_rewriting = False

    def argument(self, source: Tensor, dtype: Any = None, shape: Any = ()) -> Tensor:
        """Notes what an optional or a list holds: the branches may hand on different ones, so the caller does not know."""
        argument = super().argument(source, dtype, shape)
        held = handles.held(source) if source.dtype is dtypes.variant else None
        if held is not None:
            argument.op.annotate(handles.HELD, (held.enum,))
        return argument

    def hand_on(self, tensor: Tensor) -> Tensor:
        optional = self._optional_there_is(tensor)
        if optional is None:
            [optional] = self.copy.in_forward("OptionalFromValue", [tensor])
            self.needs_rewriting = True
        self.optionals.append(optional)
        held = self.argument(optional, dtypes.variant)
        [value] = self.g.OptionalGetValue(held, output_types=[tensor.dtype], output_shapes=[tensor.shape])
        return value  # type: ignore[no-any-return]

    def _optional_there_is(self, tensor: Tensor) -> Tensor | None:
        """The branch may have been differentiated before, and hand the value on already."""
        for result in self.copy.results:
            if result.op.type == "OptionalFromValue" and list(result.op.inputs) == [tensor]:
                return result
        return None


def gradient_of_branches(
    g: GraphBuilder, op: Operation, names: Sequence[str], dz: Sequence[Gradient], build: Build
) -> list[Gradient]:
    """The gradients of an operation that calls one of these functions with all inputs but its first."""
    inputs = op.inputs[1:]
    copies = [Copy(op, name, inputs, [t.shape for t in inputs]) for name in names]
    for copy in copies:
        copy.graph.outer.update(zip(copy.arguments, inputs, strict=True))
    found = [_differentiate(copy, dz) for copy in copies]
    _agree(copies, found)
    branches = [BranchGradient(copy) for copy in copies]
    results = []
    for branch, gradients in zip(branches, found, strict=True):
        branch.move_added()
        results.append([branch.take(t) for gradient in gradients for t in components(gradient)])
    if any(branch.needs_rewriting for branch in branches):
        _rewrite(op, branches)
    new_inputs, arguments = _same_inputs(branches)
    functions = [b.add_to_library(a, r) for b, a, r in zip(branches, arguments, results, strict=True)]
    shapes = [dims.common(t.shape for t in tensors) for tensors in zip(*results, strict=True)]
    is_stateful = any(branch.is_stateful for branch in branches)
    new = build(new_inputs, functions, is_stateful, [t.dtype for t in results[0]], shapes)
    new.annotate("_lower_using_switch_merge", True)
    outputs = iter([g.Identity(t) for t in new.outputs])
    return [None, *(put_together(gradient, outputs) for gradient in found[0])]


def _differentiate(copy: Copy, dz: Sequence[Gradient]) -> list[Gradient]:
    pairs = [(y, dy) for y, dy in zip(copy.results, dz, strict=False) if dy is not None and is_trainable(y)]
    found = copy.differentiate([y for y, _ in pairs], copy.arguments, [dy for _, dy in pairs])
    with copy.adding() as g:
        return [None if dx is None else steering.each(g.Identity, dx) for dx in found]


def _agree(copies: list[Copy], found: list[list[Gradient]]) -> None:
    """All branches give a gradient where one does, and of the same kind."""
    for i, x in enumerate(copies[0].inputs):
        gradients = [of_branch[i] for of_branch in found]
        if all(dx is None for dx in gradients):
            continue
        for copy, of_branch in zip(copies, found, strict=True):
            if of_branch[i] is None:
                of_branch[i] = _zeros(copy, copy.arguments[i], x)
        if any(isinstance(of_branch[i], IndexedSlices) for of_branch in found):
            slices = [_sliced(copy, of_branch[i]) for copy, of_branch in zip(copies, found, strict=True)]
            is_mixed = len({s.indices.dtype for s in slices}) > 1
            for copy, of_branch, part in zip(copies, found, slices, strict=True):
                of_branch[i] = _widened(copy, part) if is_mixed else part


def _zeros(copy: Copy, argument: Tensor, outside: Tensor) -> Tensor:
    with copy.adding() as g:
        if argument.dtype is not dtypes.resource:
            return g.zeros_like(argument)  # type: ignore[no-any-return]
        shape = handles.variable_shape(outside)
        return g.zeros(shape if dims.is_known(shape) else g.VariableShape(argument), g.variable_dtype(outside))  # type: ignore[no-any-return]


def _sliced(copy: Copy, gradient: Gradient) -> IndexedSlices:
    """A gradient as slices, a dense one with all its rows."""
    if isinstance(gradient, IndexedSlices):
        return gradient
    with copy.adding() as g:
        shape = g.shape(gradient)
        return IndexedSlices(gradient, g.range(0, shape[0]), shape)  # type: ignore[arg-type]


def _widened(copy: Copy, slices: IndexedSlices) -> IndexedSlices:
    with copy.adding() as g:
        return dataclasses.replace(slices, indices=g.widen_index(slices.indices))


def _rewrite(op: Operation, branches: list[BranchGradient]) -> None:
    """Makes the forward operation hand on what the gradients of its branches need."""
    most = max(len(branch.optionals) for branch in branches)
    for branch in branches:
        missing = [branch.copy.in_forward("OptionalNone")[0] for _ in range(most - len(branch.optionals))]
        branch.copy.results += branch.optionals + missing
    functions = [graph_pb2.NameAttrList(name=branch.copy.rewritten().name) for branch in branches]
    if "branches" in op.signature.attrs:  # type: ignore[union-attr]
        attrs: dict[str, Any] = {"branches": tuple(functions)}
    else:
        attrs = dict(zip(("then_branch", "else_branch"), functions, strict=True))
    attrs["Tout"] = tuple(t.dtype for t in branches[0].copy.results)
    attrs["output_shapes"] = tuple(_stated(of_all) for of_all in zip(*[b.copy.results for b in branches], strict=True))
    recording = op.graph.build.recording
    if recording is not None and recording.is_of_gradient:
        attrs[KNOWN_SHAPES] = (*(t.shape for t in op.outputs), *[()] * most)
    op.rewrite(outputs=[(dtypes.variant, ())] * most, **attrs)


def _stated(results: Sequence[Tensor]) -> Shape:
    """The shape of the first branch's result, as TensorFlow has it, unless another's contradicts it."""
    shapes = [t.shape for t in results]
    return shapes[0] if all(dims.compatible(shapes[0], s) for s in shapes) else dims.common(shapes)


def _same_inputs(branches: list[BranchGradient]) -> tuple[list[Tensor], list[list[Tensor]]]:
    """What the branches take, once each, and the arguments of each branch in that order."""
    inputs: list[tuple[Tensor, int]] = []
    taken = []
    for branch in branches:
        arguments: dict[tuple[Tensor, int], Tensor] = {}
        for source, placeholder in branch.captured:
            tensor = branch.outer(source)
            key = tensor, sum(known is tensor for known, _ in arguments)
            arguments[key] = placeholder
        taken.append(arguments)
        inputs += [key for key in arguments if key not in inputs]
    return [tensor for tensor, _ in inputs], [
        [arguments[key] if key in arguments else _unused(branch, key[0], i) for i, key in enumerate(inputs)]
        for branch, arguments in zip(branches, taken, strict=True)
    ]


def _unused(branch: BranchGradient, tensor: Tensor, position: int) -> Tensor:
    return branch.g.Placeholder(dtype=tensor.dtype, shape=tensor.shape, name=f"unused_{position}")  # type: ignore[no-any-return]
