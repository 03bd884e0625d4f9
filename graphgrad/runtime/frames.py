"""A loop of frames as one step of a plan: which of its operations come before the condition, after it, at the end."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from graphgrad.controlflow.frames import BACK_EDGES, ENTERS, EXITS, MERGES, SWITCHES, Frame, back_edge, frames_of
from graphgrad.errors import ModelError
from graphgrad.graph import Operation
from graphgrad.kernels._state import State
from graphgrad.runtime import binding
from graphgrad.runtime.rounds import Rounds, Slots
from graphgrad.runtime.steps import Step
from graphgrad.tensors import Tensor

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
    run = _compiled(loop, outer.inside(loop.frame), outer.state)
    reads, inputs = [], [outer.slot(t) for t in loop.inputs]
    for i, enter in enumerate(loop.enters):
        if binding.references_read(enter):
            read, _, inputs[i] = outer.read_reference(enter.inputs[0], inputs[i])
            reads.append(read)
    return [*reads, Step(loop, run, inputs, [outer.slot(t) for t in loop.outputs], False)]  # type: ignore[arg-type]


def _compiled(loop: Loop, inner: Compiler, state: State) -> Rounds:
    frame = loop.frame
    condition = frame.condition
    switches = [op for op in frame.of_type(SWITCHES) if op.inputs[1].op is condition]
    merges = [op for op in frame.of_type(MERGES) if back_edge(op) is not None]
    for op in (*loop.enters, *merges, *switches):
        inner.give(op)
    for op in switches:
        inner.slots[op.outputs[0]] = inner.slots[op.outputs[1]] = inner.slot(op.inputs[0])
    head = inner.order([condition.inputs[0], *(op.inputs[0] for op in switches)], [condition])
    head_steps = inner.steps(head)
    body_steps = inner.steps(inner.order([], frame.of_type(BACK_EDGES), but=head))
    tail_steps = inner.steps(inner.order([], loop.exits, but=head))
    variables = [_variable(op) for op in merges]
    slots = Slots(
        initial=inner.initial,
        entered=[inner.slot(op.outputs[0]) for op in loop.enters],
        first=[inner.slot(enter) for enter, _, _ in variables],
        now=[inner.slot(now) for _, now, _ in variables],
        following=[inner.slot(following.op.inputs[0]) for _, _, following in variables],
        condition=inner.slot(condition.inputs[0]),
        exits=[inner.slot(op.inputs[0]) for op in loop.exits],
        rounds=[inner.slot(op.outputs[1]) for op in merges if op.outputs[1] in inner.slots],
    )
    return Rounds(f"the loop of frame {loop.name!r}", state, slots, head_steps, body_steps, tail_steps)


def _variable(merge: Operation) -> tuple[Tensor, Tensor, Tensor]:
    """The initial, the present and the next value of a loop variable."""
    enter = next((t for t in merge.inputs if t.op.type in ENTERS), None)
    following = back_edge(merge)
    if enter is None or following is None or len(merge.inputs) != 2:
        raise ModelError(f"{merge.type} node {merge.name!r} does not join one Enter and one NextIteration node")
    return enter, merge.outputs[0], following
