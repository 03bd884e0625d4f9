"""The reverse pass through branches and loops: what it does differently from the one through straight graphs.

A loop's Switch is visited twice: from the Exit, which begins the backward loop, and from the body, which closes it.
The exits of a loop wait for each other, so that all enter the backward loop or none does.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from graphgrad import dtypes
from graphgrad.backprop import ReversePass
from graphgrad.controlflow import steering
from graphgrad.controlflow.backward import BackwardLoop
from graphgrad.controlflow.contexts import Branch, Loop, loop_around
from graphgrad.controlflow.frames import EXITS, MERGES, SWITCHES, back_edge
from graphgrad.controlflow.listed import ListedLoop
from graphgrad.controlflow.recover import is_of_gradient, recover
from graphgrad.errors import ModelError
from graphgrad.frontier import Frontier
from graphgrad.functions import GraphBuilder
from graphgrad.graph import Operation
from graphgrad.handles import is_trainable
from graphgrad.shapes import dims
from graphgrad.tensors import Tensor


class ControlFlowPass(ReversePass):
    """One call of `gradients` on a graph with branches or loops."""

    def __init__(self, g: GraphBuilder, frontier: Frontier, *, colocate: bool, **options: Any):
        self.contexts = recover(g)
        self.loops: dict[Loop, BackwardLoop] = {}
        self.joined: set[Operation] = set()  # exits that are visited although no x leads to them
        between = list(frontier.between)
        for op in between:
            if op.type in EXITS:
                if colocate:
                    with g.colocate_with(op):
                        others = self._exits_to_add(g, op, frontier)
                else:
                    others = self._exits_to_add(g, op, frontier)
                between += others
                frontier.between.update(dict.fromkeys(others))
                self.joined.update(others)
        super().__init__(g, frontier, colocate=colocate, **options)

    def _exits_to_add(self, g: GraphBuilder, op: Operation, frontier: Frontier) -> list[Operation]:
        """Makes the backward loop of an Exit's loop; gives back the loop's other exits."""
        loop = self.contexts.loop_of(op)
        if loop is None:
            raise ModelError(f"{op.type} node {op.name!r} does not leave a loop by a Switch of it")
        if loop in self.loops:
            return []
        outer = loop_around(loop.outer)
        self._add_exits(g, loop, frontier)
        kind = BackwardLoop if g.recording is None else ListedLoop
        state = self.loops[loop] = kind(self.contexts, loop, self.loops.get(outer) if outer is not None else None)
        return [other for other in state.exits if other not in frontier.between]

    def _add_exits(self, g: GraphBuilder, loop: Loop, frontier: Frontier) -> None:
        """Every loop variable on the way needs an exit to go back from; those nobody reads are often cut off a graph."""
        left = {op.inputs[0] for op in loop.exits}
        for op in loop.switches:
            value = op.outputs[0]
            if op in frontier.between and value not in left and is_trainable(value):
                made = g.Exit(value).op
                self.contexts.put(made, loop)
                loop.exits.append(made)

    def loop_of(self, op: Operation) -> BackwardLoop | None:
        """The backward loop over the loop that an operation stands in."""
        loop = self.contexts.loop_of(op)
        return None if loop is None else self.loops.get(loop)

    def why_none(self, op: Operation) -> str:
        """As the pass through straight graphs does; a loop may have been made to have none."""
        loop = self.contexts.loop_of(op)
        if op.type in EXITS and loop is not None and not loop.has_gradient:
            return f"leaves loop {loop.name!r}, which was made with back_prop=False"
        return super().why_none(op)

    def has_no_gradient_again(self, loop: Loop) -> bool:
        """Whether a loop goes back over another by stacks, or in a function by lists where there are branches too."""
        of = self.g.recording
        if loop.is_backward_in_file or of is None or not of.is_of_gradient:
            return loop.is_backward_in_file
        is_in_branch = any(of.conditions.of(enter.inputs[0]) for enter in loop.enters)
        has_branches = any(op.type in MERGES and back_edge(op) is None for op in loop.operations)
        return is_in_branch or has_branches

    def branch_joined_by(self, merge: Operation) -> Branch | None:
        """The branch that the first input of a cond's Merge comes from."""
        branch, around = self.contexts.after(merge.inputs[0].op), self.contexts.of(merge)
        is_cond = isinstance(branch, Branch) and len(merge.inputs) == 2 and branch.outer is around
        return branch if is_cond and not is_of_gradient(merge) else None  # type: ignore[return-value]

    def are_together(self, one: Operation, other: Operation) -> bool:
        """Whether the outputs of two operations are in the same branch or loop."""
        return self.contexts.after(one) is self.contexts.after(other)

    def is_loop_switch(self, op: Operation) -> bool:
        """Whether this Switch decides on another iteration."""
        return op.type in SWITCHES and op.inputs[1].op.type == "LoopCond"

    # ------------------------------------------------------------------ the order of visits
    def run(self, ys: Any, seeds: Any) -> None:
        """As the pass through straight graphs does."""
        self.g.flow = self
        try:
            super().run(ys, seeds)
        finally:
            self.g.flow = None

    def _start(self, ready: deque[Operation]) -> None:
        """Exits that no gradient can arrive at are accounted for at once."""
        for op in self.joined.intersection(ready):
            ready.remove(op)  # a y that no x leads to: its zeros come on top of what it was given
        among_ys, entering = set(ready), []
        for state in self.loops.values():
            for op in state.exits:
                if not self.awaits.get(op):
                    state.awaited -= 1
                    if op not in among_ys:
                        state.unused.append(op)
                    if not state.awaited:
                        entering += state.unused
            for op in state.forward.enters:
                if not self.awaits.get(op):
                    self.awaits[op] = 1
        for op in entering:
            if is_trainable(op.outputs[0]):
                self._receive(op.outputs[0], self._zeros_for_exit(op.outputs[0]))
                ready.append(op)

    def _release(self, op: Operation, ready: deque[Operation]) -> None:
        for tensor in op.inputs:
            producer = tensor.op
            if producer not in self.awaits:
                continue
            self.awaits[producer] -= 1
            if self.awaits[producer] and not (op.type in EXITS and self.is_loop_switch(producer)):
                continue
            if producer.type in EXITS:
                ready.extend(self._exits_ready(producer))
            else:
                ready.append(producer)

    def _exits_ready(self, op: Operation) -> list[Operation]:
        """The exits of a loop, once all have what they wait for; those without a gradient get zeros if any has one."""
        state = self.loop_of(op)
        assert state is not None
        state.waiting.append(op)
        state.awaited -= 1
        if state.awaited:
            return []
        used = [e for e in state.waiting if any(dz is not None for dzs in self.received.get(e, ()) for dz in dzs)]
        state.unused += [e for e in state.waiting if e not in used]
        if used:
            for unused in state.unused:
                if is_trainable(unused.outputs[0]):
                    self._receive(unused.outputs[0], self._zeros_for_exit(unused.outputs[0]))
        return used + state.unused

    # ------------------------------------------------------------------ visits
    def _receive(self, tensor: Tensor, gradient: Any) -> None:
        received = self.received.get(tensor.op)
        if received is not None and received[tensor.index] is None:
            received[tensor.index] = []  # a loop's Switch, on its way to be visited again
        elif received is not None and not isinstance(received[tensor.index], list):
            op = tensor.op
            raise ModelError(
                f"{op.type} node {op.name!r} is read past the Switch of its loop: loops do not fit together"
            )
        super()._receive(tensor, gradient)

    def _sum_up(self, op: Operation, received: list[Any]) -> None:
        state = self.loop_of(op)
        if op.type in EXITS and state is not None:
            state = state.outer
        with self.g.within(None if state is None else state.loop):
            for i, summands in enumerate(received):
                if isinstance(summands, list):
                    received[i] = self._aggregate(op, summands)

    def _hand_on(self, op: Operation, received: list[Any]) -> None:
        state = self.loop_of(op)
        with self.g.within(None if state is None else state.loop):
            super()._hand_on(op, received)

    def _finish(self) -> None:
        """A loop variable whose next value does not depend on its present one sends zeros round."""
        with self.g.in_scope(""):
            for state in self.loops.values():
                for merge in state.merges.values():
                    if isinstance(merge, Tensor) and merge.op.inputs[0] is merge.op.inputs[1]:
                        self._close_with_zeros(state, merge)
        if self.g.recording is not None:
            recorded = [op for op in self.g.graph.added() if self.contexts.loop_of(op) in self.loops]
            self.g.recording.take_note(recorded)

    def _close_with_zeros(self, state: BackwardLoop, merge: Tensor) -> None:
        g: Any = self.g
        enter = merge.op.inputs[0]
        if enter.dtype is dtypes.variant:
            with g.within(state.loop.outer):
                zeros = g.zeros_like(enter.op.inputs[0])
        elif dims.is_known(enter.shape):
            with g.within(state.loop):
                zeros = g.constant(0, enter.dtype, shape=enter.shape)
        else:
            with g.within(state.loop.outer):
                zeros = g.zeros(g.Shape(enter.op.inputs[0]), enter.dtype)
        with g.within(state.loop):
            state.loop.close(merge, zeros)

    # ------------------------------------------------------------------ zeros
    def _zeros_for_exit(self, exit_value: Tensor) -> Tensor:
        """The gradient of a loop variable that nobody uses after the loop."""
        g: Any = self.g
        shape = exit_value.shape
        state = self.loop_of(exit_value.op)
        assert state is not None
        is_list = exit_value.dtype is dtypes.variant
        if state.outer is None:
            is_static = dims.is_known(shape) and not is_list
            return g.zeros(shape, exit_value.dtype) if is_static else g.zeros_like(exit_value, optimize=False)
        if is_list:
            with g.within(state.outer.loop):
                return g.zeros_like(exit_value)
        if dims.is_known(shape):
            with g.within(state.outer.loop):
                return g.zeros(shape, exit_value.dtype)
        return state.outer.zeros_shaped_as(exit_value, state.forward.outer, exit_value.dtype)

    def _zeros_for(self, output: Tensor) -> Tensor | None:
        g: Any = self.g
        op = output.op
        if self.loops and self.is_loop_switch(op):
            return None
        state, where = self.loop_of(op), self.contexts.of(op)
        branch = where if op.type in SWITCHES and isinstance(where, Branch) else None
        if state is None:
            return super()._zeros_for(output) if branch is None else self._zeros_of_other_branch(op, branch, output)
        if output.dtype is dtypes.variant and branch is None:
            return g.zeros_like(output)  # in the backward loop, of what it was
        if not dims.is_known(output.shape):
            return self._zeros_of_past_shape(state, branch, output)
        if output.dtype is dtypes.resource:
            zeros = g.zeros(g.variable_shape(output), g.variable_dtype(output))
        else:
            zeros = g.constant(0, output.dtype, shape=output.shape)
        if branch is not None:
            zeros = steering.switch_beside(g, zeros, state.predicate(branch.predicate))[1 - branch.branch]
        return zeros

    def _zeros_of_other_branch(self, op: Operation, branch: Branch, output: Tensor) -> Tensor:
        """Outside of loops: made only where the other branch is taken."""
        g: Any = self.g
        data = g.Switch(op.inputs[0], branch.predicate)[1 - branch.branch]
        pivot = g.Identity(data)
        if output.dtype is dtypes.resource:
            with g.control_dependencies([pivot]):
                return g.zeros(g.VariableShape(data), g.variable_dtype(data))
        shape = g.Shape(data)
        with g.control_dependencies([pivot]):
            return g.zeros(shape, output.dtype)

    def _zeros_of_past_shape(self, state: BackwardLoop, branch: Branch | None, output: Tensor) -> Tensor:
        """In loops: the forward iteration notes the shape; that of a branch not taken on the other branch."""
        g: Any = self.g
        if branch is None:
            with g.within(self.contexts.of(output.op)):
                shape = g.Shape(output)
        else:
            with g.within(branch.outer):
                data = steering.switch_beside(g, output.op.inputs[0], branch.predicate)[1 - branch.branch]
                shape = g.Shape(data)
            self.contexts.put(data.op, branch)
            self.contexts.put(shape.op, branch)
        is_dead_branch = branch is not None
        with g.within(None):
            history = state.accumulate(shape, is_dead_branch)
        return g.zeros(state.recall(history, shape, is_dead_branch), output.dtype)  # type: ignore[no-any-return]
