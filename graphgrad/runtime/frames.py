"""A loop of the graph as one step of a plan: its operations in flat lists, one until the condition is known, one that
makes the next iteration, one for what leaves.

Slots hold the values of one iteration; what the next one needs is moved at its end, and nothing else outlives it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import numpy as np

from graphgrad.controlflow.frames import BACK_EDGES, ENTERS, EXITS, MERGES, SWITCHES, Frame, back_edge, frames_of
from graphgrad.errors import EvaluationError, GraphGradError, ModelError
from graphgrad.graph import Operation, Tensor
from graphgrad.kernels._liveness import DEAD
from graphgrad.kernels._state import State
from graphgrad.runtime import binding
from graphgrad.runtime.steps import Step, failure, store

if TYPE_CHECKING:
    from graphgrad.runtime.plan import Compiler

# Inside a loop the value of these is their input's, under another name.
PASSING = frozenset(["Identity", "LoopCond", *BACK_EDGES, *EXITS])


class Loop:
    """A frame seen from outside, where it stands for an operation: it reads what enters and gives what exits."""

    type = "Loop"

    def __init__(self, frame: Frame):
        self.frame, self.name = frame, frame.name
        self.enters, self.exits = frame.of_type(ENTERS), frame.of_type(EXITS)
        self.inputs: list[Tensor] = [op.inputs[0] for op in self.enters]
        self.control_inputs: list[Operation] = [c for op in self.enters for c in op.control_inputs]
        self.outputs: list[Tensor] = [op.outputs[0] for op in self.exits]


class Loops:
    """The loops among the operations that some fetches need."""

    def __init__(self, roots: Iterable[Operation], fed: dict[Tensor, None]):
        needed = dict.fromkeys(roots)
        queue = list(needed)
        while queue:
            op = queue.pop()
            for producer in [t.op for t in op.inputs if t not in fed] + op.control_inputs:
                if producer not in needed:
                    needed[producer] = None
                    queue.append(producer)
        self.needed = list(needed)
        self._frames = frames_of(self.needed)
        self._loops: dict[Frame, Loop] = {}

    def unit(self, op: Operation, level: Frame | None) -> Operation | Loop:
        """What stands for an operation in the frame `level`: itself, or the loop that it leaves."""
        frame = self._frames.get(op)
        if frame is level:
            return op
        if op.type in EXITS:
            while frame is not None and frame.parent is not level:
                frame = frame.parent
            if frame is not None:
                return self._loops.get(frame) or self._loops.setdefault(frame, Loop(frame))
        place = "outside the loops" if frame is None else f"in the loop of frame {frame.name!r}"
        use = "outside of it" if level is None else f"in that of frame {level.name!r}"
        raise ModelError(f"{op.type} node {op.name!r} lies {place} and is used {use}, without an Enter or Exit between")


def steps(loop: Loop, outer: Compiler) -> list[Step]:
    """The loop as a step of the frame it stands in; before it those that read what enters by reference."""
    run = _Running(loop, outer.inside(loop.frame), outer.state)
    reads, inputs = [], [outer.slot(t) for t in loop.inputs]
    for i, enter in enumerate(loop.enters):
        if binding.references_read(enter):
            read, _, inputs[i] = outer.read_reference(enter.inputs[0], inputs[i])
            reads.append(read)
    return [*reads, Step(loop, run, inputs, [outer.slot(t) for t in loop.outputs], False)]  # type: ignore[arg-type]


class _Running:
    """The loop compiled. Each call runs it to its end, in slots of its own."""

    def __init__(self, loop: Loop, inner: Compiler, state: State):
        self.name, self.state = loop.name, state
        frame = loop.frame
        condition = frame.condition
        switches = [op for op in frame.of_type(SWITCHES) if op.inputs[1].op is condition]
        merges = [op for op in frame.of_type(MERGES) if back_edge(op) is not None]
        for op in (*loop.enters, *merges, *switches):
            inner.give(op)
        for op in switches:
            inner.slots[op.outputs[0]] = inner.slots[op.outputs[1]] = inner.slot(op.inputs[0])
        invariant = {inner.slot(op.outputs[0]) for op in loop.enters if op["is_constant"]}

        head = inner.order([condition.inputs[0], *(op.inputs[0] for op in switches)], [condition])
        self.head = _calls(inner.steps(head))
        body = inner.order([], frame.of_type(BACK_EDGES), but=head)
        body_steps = inner.steps(body)
        self.tail = _calls(inner.steps(inner.order([], loop.exits, but=head)))
        self.before, self.body = _hoisted(body_steps, invariant, inner.initial)

        self.condition = inner.slot(condition.inputs[0])
        self.entered = [inner.slot(op.outputs[0]) for op in loop.enters]
        self.exits = [inner.slot(op.inputs[0]) for op in loop.exits]
        variables = [_variable(op) for op in merges]
        self.first = [inner.slot(enter) for enter, _, _ in variables]
        self.now = [inner.slot(now) for _, now, _ in variables]
        self.following = [inner.slot(following.op.inputs[0]) for _, _, following in variables]
        self.rounds = [inner.slot(op.outputs[1]) for op in merges if op.outputs[1] in inner.slots]
        self.initial = inner.initial

    def __call__(self, *entering: Any) -> list[Any]:
        for value in entering:
            if value is DEAD:
                return [DEAD] * len(self.exits)
        slots = self.initial.copy()
        for slot, value in zip(self.entered, entering, strict=True):
            slots[slot] = value
        self._move(slots, self.first, 0)
        _take(self.head, slots)
        if slots[self.condition]:
            _take(self.before, slots)
        iterations, most = 0, self.state.max_iterations
        while slots[self.condition]:
            if iterations == most:
                raise EvaluationError(f"the loop of frame {self.name!r} was stopped after {most} iterations")
            _take(self.body, slots)
            self._move(slots, self.following, 1)
            _take(self.head, slots)
            iterations += 1
        _take(self.tail, slots)
        return [slots[slot] for slot in self.exits]

    def _move(self, slots: list[Any], source: list[int], index: int) -> None:
        values = [slots[slot] for slot in source]
        for slot, value in zip(self.now, values, strict=True):
            slots[slot] = value
        for slot in self.rounds:
            slots[slot] = np.array(index, np.int32)


def _variable(merge: Operation) -> tuple[Tensor, Tensor, Tensor]:
    """The initial, the present and the next value of a loop variable."""
    enter = next((t for t in merge.inputs if t.op.type in ENTERS), None)
    following = back_edge(merge)
    if enter is None or following is None or len(merge.inputs) != 2:
        raise ModelError(f"{merge.type} node {merge.name!r} does not join one Enter and one NextIteration node")
    return enter, merge.outputs[0], following


class _Call:
    """A step bound to how it reads its slots."""

    __slots__ = ("lone", "out", "read", "run", "step")

    def __init__(self, step: Step):
        self.step, self.run = step, step.run
        self.lone = step.inputs[0] if len(step.inputs) == 1 else -1
        self.read: Any = itemgetter(*step.inputs) if len(step.inputs) > 1 else tuple
        self.out = step.outputs[0] if len(step.outputs) == 1 else -1


def _calls(steps: Sequence[Step]) -> list[_Call]:
    return [_Call(step) for step in steps]


def _hoisted(steps: list[Step], invariant: set[int], initial: list[Any]) -> tuple[list[_Call], list[_Call]]:
    """The steps whose results are the same in each iteration, and the others."""
    known = invariant | {slot for slot, value in enumerate(initial) if value is not None}
    before, body = [], []
    for each in steps:
        if each.is_plain and known.issuperset(each.inputs):
            known.update(each.outputs)
            before.append(each)
        else:
            body.append(each)
    return _calls(before), _calls(body)


def _take(calls: list[_Call], slots: list[Any]) -> None:
    """Runs calls one after the other. Raises EvaluationError naming the node that failed."""
    call = None
    try:
        for call in calls:
            if call.lone >= 0:
                result = call.run(slots[call.lone])
            elif call.step.inputs:
                result = call.run(*call.read(slots))
            else:
                result = call.run()
            if call.out >= 0 and result.__class__ is np.ndarray:
                slots[call.out] = result
            else:
                store(call.step, result, slots)
    except (GraphGradError, KeyboardInterrupt):
        raise
    except Exception as error:
        assert call is not None
        raise EvaluationError(failure(call.step, [slots[i] for i in call.step.inputs], error)) from error
