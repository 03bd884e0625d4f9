"""Where an operation stands: in which loop, in which branch of which cond. New operations are fitted into theirs.

A context is entered with `g.within(context)`; each operation built there is handed to `adopt`, which brings what it
reads from elsewhere inside: through a Switch into a branch, through an Enter into a loop, off a stack from the forward
loop into the backward one.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from graphgrad.controlflow import steering
from graphgrad.controlflow.frames import BACK_EDGES, ENTERS, EXITS, MERGES
from graphgrad.functions import GraphBuilder
from graphgrad.graph import Operation
from graphgrad.tensors import Tensor

if TYPE_CHECKING:
    from graphgrad.controlflow.backward import BackwardLoop

# A backward loop asks for these of forward tensors in the forward loop: what is kept is smaller.
_MEASURES = frozenset(["Shape", "Size", "Rank"])
_CALLS = frozenset(["PartitionedCall", "StatefulPartitionedCall"])


class Contexts:
    """The context of every operation; None is the graph outside of all."""

    def __init__(self, g: GraphBuilder):
        self.g = g
        self._of: dict[Operation, Context] = {}

    def of(self, op: Operation) -> Context | None:
        """The context that an operation stands in."""
        return self._of.get(op)

    def after(self, op: Operation) -> Context | None:
        """The context that its outputs are in: an Exit leaves the loop it stands in."""
        context = self._of.get(op)
        return context.outer if context is not None and op.type in EXITS else context

    def put(self, op: Operation, context: Context | None) -> None:
        """Notes where an operation stands."""
        if context is None:
            self._of.pop(op, None)
        else:
            self._of[op] = context

    def loop_of(self, op: Operation) -> Loop | None:
        """The innermost loop around an operation."""
        return loop_around(self._of.get(op))


class Context(ABC):
    """A loop or a branch. `inside` tells what stands in here for a tensor of the surroundings."""

    def __init__(self, contexts: Contexts, outer: Context | None):
        self.contexts, self.outer = contexts, outer
        self.inside: dict[Tensor, Tensor] = {}

    @property
    @abstractmethod
    def pivot(self) -> Tensor | None:
        """What an operation without inputs waits for, to run when this context does."""

    def adopt(self, op: Operation) -> None:
        """Fits an operation, just built in this context, into it."""
        self.contexts.put(op, self)
        self.fit(op)

    @abstractmethod
    def fit(self, op: Operation) -> None:
        """Replaces inputs and control inputs from elsewhere."""

    def bring(self, tensor: Tensor) -> Tensor:
        """The tensor, or what stands for it in here."""
        found = self.inside.get(tensor)
        if found is not None:
            return found
        return tensor if self.holds(tensor.op) else self._bring_in(tensor)

    @abstractmethod
    def _bring_in(self, tensor: Tensor) -> Tensor:
        """What stands in here for a tensor from elsewhere that was not brought in before."""

    def holds(self, op: Operation) -> bool:
        """Whether the outputs of an operation are in this context or deeper."""
        return contains(self, self.contexts.after(op))

    def _bring_inputs(self, op: Operation) -> None:
        inputs = op.inputs
        for i, tensor in enumerate(inputs):
            if not (op.type in MERGES and tensor.op.type in BACK_EDGES):
                inputs[i] = self.bring(tensor)

    def _part_controls(self, op: Operation) -> list[Operation]:
        """Leaves an operation the control inputs of its own loop, and gives back the others."""
        loop = loop_around(self)
        if loop is None:
            return []
        own = [c for c in op.control_inputs if loop_around(self.contexts.after(c)) is loop]
        others = [c for c in op.control_inputs if c not in own]
        if others:
            op.control_inputs[:] = own
        return others


class Branch(Context):
    """One side of a cond: `branch` is 1 where the predicate holds."""

    def __init__(self, contexts: Contexts, outer: Context | None, predicate: Tensor, branch: int):
        super().__init__(contexts, outer)
        self.predicate, self.branch = predicate, branch
        self.identity: Tensor | None = None  # the pivot
        self.inside[predicate] = predicate

    @property
    def pivot(self) -> Tensor | None:
        return self.identity

    def fit(self, op: Operation) -> None:
        if op.inputs:
            self._bring_inputs(op)
        self._part_controls(op)
        is_free = not op.inputs and not any(contains(self, self.contexts.of(c)) for c in op.control_inputs)
        if (is_free or op.type == "SymbolicGradient") and self.identity is not None:
            op.control_inputs.append(self.identity.op)

    def _bring_in(self, tensor: Tensor) -> Tensor:
        outside = tensor if self.outer is None else self.outer.bring(tensor)
        if outside not in self.inside:
            with self.contexts.g.detached():
                switched = steering.switch_beside(self.contexts.g, outside, self.predicate)[self.branch]
            self.contexts.put(switched.op, self)
            self.inside[outside] = switched
        self.inside[tensor] = self.inside[outside]
        return self.inside[tensor]


class Loop(Context):
    """A while loop: a forward one, or with `backward` the one that goes back over it."""

    def __init__(self, contexts: Contexts, outer: Context | None, name: str, parallel_iterations: int):
        super().__init__(contexts, outer)
        self.name, self.parallel_iterations = name, parallel_iterations
        self.condition: Tensor | None = None  # of LoopCond
        self.at_condition: Tensor | None = None  # pivot before the condition is known
        self.at_body: Tensor | None = None  # and after
        self.operations: list[Operation] = []  # those there were in the file, without nested loops'
        self.enters: list[Operation] = []
        self.exits: list[Operation] = []
        self.merges: list[Operation] = []  # of its variables
        self.switches: list[Operation] = []  # of its variables, which decide on another iteration
        self.backward: BackwardLoop | None = None
        self.swaps_memory = False  # what is recorded of it
        self.has_gradient = True  # it was not made with back_prop=False
        self.is_backward_in_file = False  # it takes values off stacks

    @property
    def pivot(self) -> Tensor | None:
        return self.at_condition if self.at_body is None else self.at_body

    def adopt(self, op: Operation) -> None:
        if op.type in _MEASURES:
            loop, measured = loop_around(self.contexts.g.context), op.inputs[0].op
            if (
                loop is not None
                and loop.backward is not None
                and self.contexts.loop_of(measured) is loop.backward.forward
            ):
                context = self.contexts.of(measured)
                assert context is not None
                self.contexts.put(op, context)
                context.fit(op)
                return
        super().adopt(op)

    def fit(self, op: Operation) -> None:
        pivot = self.pivot
        if op.type in _CALLS and pivot is not None:
            op.control_inputs.append(pivot.op)
        if op.inputs:
            self._bring_inputs(op)
        others = self._part_controls(op)
        is_free = not op.control_inputs and all(_is_constant_enter(t.op) for t in op.inputs)
        if (is_free or (op.type == "SymbolicGradient" and not op.control_inputs)) and pivot is not None:
            op.control_inputs.append(pivot.op)
        g = self.contexts.g
        with g.detached(), g.within(self):
            op.control_inputs.extend([g.identity(other.outputs[0]).op for other in others if other.outputs])

    def _bring_in(self, tensor: Tensor) -> Tensor:
        g, contexts = self.contexts.g, self.contexts
        current = loop_around(g.context)
        backward = None if current is None else current.backward
        if backward is not None and loop_around(contexts.after(tensor.op)) is backward.forward:
            self.inside[tensor] = tensor  # while its past is being looked for
            self.inside[tensor] = backward.past(tensor)
            return self.inside[tensor]
        outside = tensor if self.outer is None else self.outer.bring(tensor)
        if outside not in self.inside:
            with g.detached():
                enter = self.enter(outside, is_constant=True)
            self._keep_outer_controls(enter.op)
            contexts.put(enter.op, self)
            self.inside[outside] = enter
        self.inside[tensor] = self.inside[outside]
        return self.inside[tensor]

    def enter(self, tensor: Tensor, is_constant: bool = False, name: str | None = None) -> Tensor:
        """An Enter of this loop's frame."""
        g = self.contexts.g
        enter = g.RefEnter if steering.is_reference(tensor) else g.Enter
        return enter(  # type: ignore[no-any-return]
            tensor,
            frame_name=self.name,
            is_constant=is_constant,
            parallel_iterations=self.parallel_iterations,
            name=name,
        )

    def _keep_outer_controls(self, enter: Operation) -> None:
        """An Enter waits for what the open blocks ask for, as far as that stands between this loop and the next outer."""
        g = self.contexts.g
        around = loop_around(self.outer)
        allowed: list[Context | None] = [self.outer]
        while allowed[-1] is not None and allowed[-1] is not around:
            allowed.append(allowed[-1].outer)
        waits_for = g.controls_for([enter.inputs[0]])
        enter.control_inputs.extend(c for c in waits_for if self.contexts.after(c) in allowed)
        g.note_controlled(enter)

    def variable(
        self, initial: Tensor, name: str | None = None, merge_name: str | None = None
    ) -> tuple[Tensor, Tensor]:
        """A new loop variable: its Merge, whose back edge is still missing, and its Enter. Called within this loop."""
        self.inside[initial] = initial
        enter = self.enter(initial, name=name)
        self.enters.append(enter.op)
        merge = steering.merge(self.contexts.g, [enter, enter], name=merge_name)
        return merge, enter

    def close(self, merge: Tensor, following: Tensor) -> Tensor:
        """Gives a loop variable its next value. Called within this loop."""
        g = self.contexts.g
        back = (g.RefNextIteration if steering.is_reference(following) else g.NextIteration)(following)
        merge.op.inputs[1] = back
        return back  # type: ignore[no-any-return]

    def leave(self, tensor: Tensor, name: str | None = None) -> Tensor:
        """What is left of a tensor when the loop ends. Called within this loop."""
        left = self.contexts.g.Exit(tensor, name=name)
        self.exits.append(left.op)
        return left  # type: ignore[no-any-return]


def contains(outer: Context | None, context: Context | None) -> bool:
    """Whether a context is `outer` or lies in it."""
    while context is not outer:
        if context is None:
            return False
        context = context.outer
    return True


def loop_around(context: Context | None) -> Loop | None:
    """The innermost loop: the context itself or one around it."""
    while context is not None and not isinstance(context, Loop):
        context = context.outer
    return context


def constant_enter(tensor: Tensor) -> Operation | None:
    """The Enter of the loop invariant that a tensor is, or None."""
    op = tensor.op
    while op.type in ("Switch", "RefSwitch", "Identity", "RefIdentity"):
        op = op.inputs[0].op
    return op if _is_constant_enter(op) else None


def _is_constant_enter(op: Operation) -> bool:
    return op.type in ENTERS and bool(op["is_constant"])
