"""Common subexpressions: of steps that compute the same from the same, the first stands for all.

Merged are plain steps (functions of arrays, see `steps`) of one op type with equal attributes, inputs and control inputs. Control
inputs count, since what was tied to run late is meant to be computed again: see `--checkpoints`.
"""

from __future__ import annotations

from typing import Any

from graphgrad.graph import Operation
from graphgrad.runtime.steps import Step

SMALL = 1024  # bytes of constants that are worth comparing


class Shared:
    """The steps of one list, in order; none of them changes what is in a slot."""

    def __init__(self) -> None:
        self._first: dict[Any, list[Step]] = {}

    def twin_of(self, step: Step) -> Step | None:
        """An earlier step that gives what this one gives, else None."""
        if not step.is_plain or not step.inputs or min(step.outputs, default=-1) < 0:
            return None
        op = step.op
        alike = self._first.setdefault((op.type, *step.inputs, *op.control_inputs), [])
        for twin in alike:
            if len(twin.outputs) == len(step.outputs) and _have_same_attributes(twin.op, op):
                return twin
        alike.append(step)
        return None


def _have_same_attributes(one: Operation, other: Operation) -> bool:
    """Whether they agree in all that kernels may read; what begins with an underscore is for others."""
    names = [[name for name in op.attr_names() if name[0] != "_"] for op in (one, other)]
    return names[0] == names[1] and all(one.attr_message(name) == other.attr_message(name) for name in names[0])
