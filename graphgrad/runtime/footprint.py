"""What a plan's arrays take at their most, told from static shapes before anything runs.

Counted are constants, variables, feeds and what the steps give, each until its last reader has run, in called functions
and loops too; not what a kernel needs while it runs.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from graphgrad.dtypes import DType, variant
from graphgrad.graph import Operation, Shape
from graphgrad.library import functions_run_by, is_call
from graphgrad.runtime.functions import Function, Functions
from graphgrad.runtime.rounds import Rounds
from graphgrad.runtime.steps import Step
from graphgrad.shapes import dims, inference
from graphgrad.tensors import Tensor

# Ops whose output shows the memory of their first input.
_VIEWS = frozenset(
    [
        *["Identity", "IdentityN", "StopGradient", "PreventGradient", "CheckNumerics", "Snapshot", "Reshape"],
        *["Squeeze", "ExpandDims", "Transpose", "EnsureShape", "Bitcast", "PlaceholderWithDefault", "ReadVariableOp"],
    ]
)
_VARIABLES = frozenset(["VarHandleOp", "VariableV2", "Variable"])
_FILLED_LATER = frozenset(["Stack", "StackV2", "TensorArray", "TensorArrayV2", "TensorArrayV3"])


class Footprint(NamedTuple):
    """The most bytes that are held at once, by the time of which node, and the nodes of which only a run tells what they
    hold, since their shapes are not known."""

    bytes: int
    node: str
    unknown: list[str]


Key = tuple[str, tuple[Shape, ...]]


class Footprints:
    """The footprint of a plan; what its functions hold is reckoned once for each kind of call."""

    def __init__(self, functions: Functions):
        self._functions = functions
        self._known: dict[Key, Footprint] = {}

    def of_plan(self, steps: Sequence[Step], initial: Sequence[Any], shapes: Mapping[Tensor, Shape]) -> Footprint:
        """What a run holds at most, for feeds of these shapes; the caller keeps the feeds."""
        found = self._of_steps(steps, shapes)
        fixed = sum(_bytes(tensor.dtype, shape) or 0 for tensor, shape in shapes.items())
        plans = [steps, *(f.plan.steps for f in self._functions)]
        constants = [initial, *(f.plan.initial for f in self._functions)]
        constants += [loop.slots.initial for each in plans for loop in _loops(each)]
        fixed += sum(getattr(value, "nbytes", 0) for values in constants for value in values)
        return found._replace(bytes=found.bytes + fixed)

    def _of_steps(self, steps: Sequence[Step], shapes: Mapping[Tensor, Shape]) -> Footprint:
        """The same without feeds and constants, which are held all the time."""
        with inference.supposing(shapes, _affected(steps)):
            held = _Held()
            most, node, unknown = 0, "", dict[str, None]()
            for step in steps:
                called = self._of_call(step)
                unknown.update(dict.fromkeys(called.unknown))
                if called.node and held.bytes + called.bytes > most:
                    most, node = held.bytes + called.bytes, called.node
                unknown.update(dict.fromkeys(_take(held, step)))
                if held.bytes > most:
                    most, node = held.bytes, step.op.name
                for slot in step.frees:
                    held.free(slot)
        return Footprint(most, node, list(unknown))

    def _of_call(self, step: Step) -> Footprint:
        """What is held inside of a step while it runs, beside what it was handed."""
        if isinstance(step.run, Rounds):
            return self._of_loop(step.op, step.run)
        found = [self._of_function(step.op, function) for function in self._called(step.op)]
        if not found:
            return Footprint(0, "", [])
        most = max(found, key=lambda each: each.bytes)
        unknown = dict.fromkeys(name for each in found for name in each.unknown)
        inside = [f"{step.op.name}/{name}" for name in unknown]
        return Footprint(most.bytes, f"{step.op.name}/{most.node}" if most.node else step.op.name, inside)

    def _called(self, op: Operation) -> list[Function]:
        if not is_call(op):
            return []
        if op.type == "SymbolicGradient":
            from graphgrad.controlflow.calls import symbolic_gradient

            return [self._functions.compiled(symbolic_gradient(op))]
        return [self._functions.compiled(called.name) for called in functions_run_by(op)]

    def _of_function(self, op: Operation, function: Function) -> Footprint:
        plan = function.plan
        handed = [t.shape for t in op.inputs[len(op.inputs) - len(plan.feeds) :]]
        key = function.name, tuple(None if shape is None else tuple(shape) for shape in handed)
        if key not in self._known:
            pairs = zip(plan.feeds, handed, strict=True)
            self._known[key] = self._of_steps(
                plan.steps, {spec.tensor: dims.merge(spec.shape, shape) for spec, shape in pairs}
            )
        return self._known[key]

    def _of_loop(self, op: Operation, loop: Rounds) -> Footprint:
        """A round holds what all of its steps give until the next one gives the same anew."""
        arguments: dict[Tensor, Shape] = {}
        if op.type != "Loop":
            for _, name, handed, _ in functions_run_by(op):
                body = op.graph.functions.body(name, op)
                arguments |= {a: x.shape for a, x in zip(body.arguments, handed, strict=True)}
        held, unknown = _Held(), dict[str, None]()
        with inference.supposing(arguments, _affected(loop.steps)):
            inner = [self._of_call(step) for step in loop.steps]
            for step, called in zip(loop.steps, inner, strict=True):
                unknown.update(dict.fromkeys([*called.unknown, *_take(held, step)]))
        inside = "" if op.type == "Loop" else f"{op.name}/"
        most = max((called.bytes for called in inner), default=0)
        return Footprint(held.bytes + most, op.name, [inside + name for name in unknown])


def _loops(steps: Iterable[Step]) -> list[Rounds]:
    """The loops of steps, and those inside of them."""
    found: list[Rounds] = []
    queue = list(steps)
    while queue:
        run = queue.pop().run
        if isinstance(run, Rounds):
            found.append(run)
            queue += run.steps
    return found


def _affected(steps: Sequence[Step]) -> list[Operation]:
    """The operations whose shapes follow from those of the feeds. In a loop of frames some of them are no steps."""
    ops = [step.op for step in (*steps, *(step for loop in _loops(steps) for step in loop.steps))]
    nodes = [op for op in ops if op.type != "Loop"]
    return nodes if len(nodes) == len(ops) else [*nodes, *nodes[0].graph]


def _take(held: _Held, step: Step) -> list[str]:
    """Holds what a step gives. Gives the name of its node, where it is not known how much that is."""
    unknown = []
    for slot, tensor in zip(step.outputs, step.op.outputs, strict=False):
        if slot < 0:
            continue
        if step.op.type in _VIEWS:
            held.show(slot, step.inputs[min(tensor.index, len(step.inputs) - 1)])
            continue
        size = _size(tensor)
        if size is None:
            unknown.append(step.op.name)
        # A variable stays when nobody means it any more.
        held.take(slot, size or 0, readers=2 if step.op.type in _VARIABLES else 1)
    return unknown


def _size(tensor: Tensor) -> int | None:
    """Bytes; None where they are not known. Of a handle those of the variable, where it is made."""
    if tensor.op.type == "VarHandleOp":
        return _bytes(tensor.op["dtype"], tensor.op["shape"])
    is_filled_later = tensor.dtype is variant or tensor.op.type in _FILLED_LATER
    return None if is_filled_later else _bytes(tensor.dtype, tensor.shape)


def _bytes(dtype: DType | None, shape: Shape) -> int | None:
    if dtype is None or dtype.size is None:
        return 0  # strings are not counted
    return math.prod(shape) * dtype.size if dims.is_known(shape) else None  # type: ignore[arg-type]


class _Held:
    """The memory that is held; memory that several slots show goes with the last of them."""

    def __init__(self) -> None:
        self.bytes = 0
        self._sizes: dict[int, int] = {}
        self._readers: dict[int, int] = {}
        self._root: dict[int, int] = {}

    def take(self, slot: int, size: int, readers: int = 1) -> None:
        self._sizes[slot], self._readers[slot] = size, readers
        self.bytes += size

    def show(self, slot: int, source: int) -> None:
        root = self._root[slot] = self._root.get(source, source)
        self._readers[root] = self._readers.get(root, 0) + 1

    def free(self, slot: int) -> None:
        root = self._root.get(slot, slot)
        self._readers[root] = self._readers.get(root, 1) - 1
        if not self._readers[root]:
            self.bytes -= self._sizes.get(root, 0)
