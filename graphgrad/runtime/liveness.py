"""Which steps may find that an input has no value, because it lies on the way that a Switch did not take.

Only those steps look: they hand DEAD on instead of running. What can be live only under conditions is told when
compiling; a Merge that joins both ways of a predicate is live whenever they are.
"""

from __future__ import annotations

from collections.abc import Container
from typing import Any

from graphgrad.controlflow.frames import MERGES, SWITCHES
from graphgrad.graph import Operation
from graphgrad.kernels._liveness import DEAD
from graphgrad.kernels._state import Variable
from graphgrad.runtime.binding import Kernel
from graphgrad.runtime.steps import Step
from graphgrad.tensors import Tensor

# Ways that must be taken, as (predicate, branch), for a value to be there for sure.
Conditions = frozenset[tuple[Tensor, int]]
ALWAYS: Conditions = frozenset()


class Liveness:
    """The conditions of operations, noted producers first."""

    def __init__(self, fed: Container[Tensor]):
        self.fed = fed
        self._of: dict[Operation, Conditions] = {}

    def note(self, op: Operation) -> Conditions:
        """The conditions of the next operation."""
        conditions = self._conditions(op)
        if conditions:
            self._of[op] = conditions
            self._of.update((tensor.op, conditions) for tensor in op.outputs)  # a whole loop's are those of its exits
        return conditions

    def __getitem__(self, op: Operation) -> Conditions:
        return self._of.get(op, ALWAYS)

    def of(self, tensor: Tensor) -> Conditions:
        """When a tensor has a value for sure."""
        if tensor in self.fed:
            return ALWAYS
        conditions = self._of.get(tensor.op, ALWAYS)
        if tensor.op.type in SWITCHES:
            return conditions | {(_asked(tensor.op.inputs[1]), tensor.index)}
        return conditions

    def _conditions(self, op: Operation) -> Conditions:
        if op.type == "ControlTrigger":
            return ALWAYS
        if op.type in MERGES:
            return _joined([self.of(t) for t in op.inputs])
        found = ALWAYS
        for tensor in op.inputs:
            found |= self.of(tensor)
        for producer in op.control_inputs:
            found |= self[producer]
        return found


def _asked(predicate: Tensor) -> Tensor:
    """The tensor a predicate was copied from."""
    while predicate.op.type in ("Identity", "Switch"):
        predicate = predicate.op.inputs[0]
    return predicate


def _joined(inputs: list[Conditions]) -> Conditions:
    """One input with a value is enough: both ways of a predicate make up for it, else the least demanding input."""
    if len(inputs) == 2:
        one, other = inputs
        for predicate, branch in one:
            if (predicate, 1 - branch) in other:
                return one - {(predicate, branch)} | other - {(predicate, 1 - branch)}
    return min(inputs, key=len)


def guard(step: Step, waited_for: list[int], alive: int | None) -> Step:
    """The step as one that is not taken where an input, or something it waits for, has no value.

    `alive` is a slot that tells whether the step was taken, for an operation whose outputs do not tell.
    """
    step.run = _guarded(step.run, len(step.inputs), len(step.outputs), alive is not None)
    step.inputs = [*step.inputs, *waited_for]
    if alive is not None:
        step.outputs = [*step.outputs, alive]
    step.is_plain = step.is_elementwise = step.takes_out = False
    step.is_guarded = True
    return step


def _guarded(run: Kernel, read: int, outputs: int, tells: bool) -> Kernel:
    count = outputs + tells
    dead: Any = (DEAD,) * count if count != 1 else DEAD

    def call(*inputs: Any) -> Any:
        for value in inputs:
            if value is DEAD:
                return dead
        if not tells:
            return run(*inputs[:read])
        result = run(*inputs[:read])
        return (*result, True) if outputs else True

    return call


def read_reference(variable: Any) -> Any:
    """What a variable holds; what is no variable (a dead value, an old tensor array) is itself."""
    return variable.read() if isinstance(variable, Variable) else variable
