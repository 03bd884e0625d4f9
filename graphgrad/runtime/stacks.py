"""Lists that a loop uses as stacks: in each round it pushes onto them, or pops from them, and does nothing else with them.

The backward loop of a While pops what the forward loop pushed, a dozen lists for a small cell. As values each of these
steps makes a list; as the loop's own, nothing but the last is made.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from graphgrad.errors import EvaluationError
from graphgrad.kernels.lists import ListInUse
from graphgrad.runtime.binding import for_kernel
from graphgrad.runtime.steps import Step, failure
from graphgrad.runtime.uses import Uses


class Stack(NamedTuple):
    """The slot of a loop variable that is a stack, and the step that pushes or pops."""

    slot: int
    step: Step
    dtype: np.dtype[Any] | None  # of its elements, where the step states it

    def take(self, slots: list[Any]) -> None:
        """Makes it the loop's own. Raises EvaluationError where it is no such list."""
        try:
            slots[self.slot] = ListInUse(slots[self.slot], self.dtype)
        except Exception as error:
            raise EvaluationError(failure(self.step, [slots[self.slot]], error)) from error

    def release(self, slots: list[Any]) -> None:
        slots[self.slot] = slots[self.slot].released()


def stacks(body: list[Step], uses: Uses, changing: Sequence[tuple[int, int]]) -> list[Stack]:
    """The variables of a loop, given as slots (now, following), that are stacks; their steps in the body are replaced."""
    makers, readers = uses
    found = []
    for now, following in changing:
        step = makers.get(following)
        if step is None or step.is_guarded or readers[now] != 1 or readers[following] != 1:
            continue
        if step.op.type not in ("TensorListPushBack", "TensorListPopBack") or now != step.inputs[0]:
            continue
        pushes = step.op.type == "TensorListPushBack"
        run, outputs = (ListInUse.push, []) if pushes else (ListInUse.pop, step.outputs[1:])
        body[body.index(step)] = Step(step.op, run, step.inputs, outputs, nested=False)
        found.append(Stack(now, step, None if pushes else for_kernel(step.op["element_dtype"])))
    return found
