"""Going back over a loop of a function: what the forward loop records in lists is handed on, as stacks could not be.

A list is a variable of the forward loop and then one of the backward loop: what goes on in a function stays free of
state, so that its calls may stand in branches and in loops themselves.
"""

from __future__ import annotations

from graphgrad.controlflow import steering
from graphgrad.controlflow.backward import BackwardLoop
from graphgrad.controlflow.contexts import Contexts, Loop
from graphgrad.dtypes import resource
from graphgrad.tensors import Tensor


class ListedLoop(BackwardLoop):
    """A forward loop with the loop that goes back over it, both in functions."""

    def __init__(self, contexts: Contexts, forward: Loop, outer: BackwardLoop | None):
        self._lists: dict[Tensor, Tensor] = {}  # list of an outer loop -> the list that its iterations put on it
        super().__init__(contexts, forward, outer)

    def accumulate(self, tensor: Tensor, is_dead_branch: bool = False) -> Tensor:
        """A list that every iteration of the forward loop puts the tensor on; of an inner loop, one for all its runs."""
        if tensor.dtype is resource:  # of an array that an iteration makes; lists of TensorFlow do not hold handles
            return super().accumulate(tensor, is_dead_branch)
        g, forward = self.g, self.forward
        branches = self._branches_around(tensor)
        with g.detached():
            with g.within(forward.outer):
                shape = g.shape_with_gaps(tensor.shape)
                empty = g.EmptyTensorList(shape, -1, element_dtype=tensor.dtype, name="f_acc")
            with g.within(forward):
                merge, _ = forward.variable(empty)
                more = g.Switch(merge, forward.condition)
                here, others = self._into(more[1], branches)
                pushed = g.TensorListPushBack(here, tensor)
                forward.close(merge, self._out_of(pushed, others, branches))
                left = forward.leave(more[0])
        if self.outer is None:
            return left
        history = self.outer.accumulate(left)
        self._lists[history] = left
        return history

    def recall(self, history: Tensor, tensor: Tensor, is_dead_branch: bool = False) -> Tensor:
        """Takes what an iteration of the forward loop put on a list, in the one that goes back over it."""
        if tensor.dtype is resource:
            return super().recall(history, tensor, is_dead_branch)
        g, loop = self.g, self.loop
        branches = self._branches_around(tensor)
        ways = [(self.predicate(p), way) for p, way in branches]
        if self.outer is not None:
            history = self.outer.recall(history, self._lists[history])
        with g.detached(), g.within(loop):
            merge, _ = loop.variable(history)
            more = g.Switch(merge, loop.condition)
            here, others = self._into(more[1], ways)
            rest, value = g.TensorListPopBack(here, -1, element_dtype=tensor.dtype)
            value.has_shape(tensor.shape)
            loop.close(merge, self._out_of(rest, others, ways))
        return value  # type: ignore[no-any-return]

    def _into(self, values: Tensor, ways: list[tuple[Tensor, int]]) -> tuple[Tensor, list[Tensor]]:
        """A list on its way into branches, and what it is where each of them is not taken."""
        others = []
        for predicate, way in ways:
            switched = self.g.Switch(values, predicate)
            others.append(switched[1 - way])
            values = switched[way]
        return values, others

    def _out_of(self, values: Tensor, others: list[Tensor], ways: list[tuple[Tensor, int]]) -> Tensor:
        for other, (_, way) in zip(reversed(others), reversed(ways), strict=True):
            values = self.g.Merge(steering.in_order(values, other, way))[0]
        return values

    def _branches_around(self, tensor: Tensor) -> list[tuple[Tensor, int]]:
        """The predicates of the branches of the forward loop that a tensor is in, the outermost first, each with its way."""
        ways = self.g.recording.conditions.of(tensor)
        return [(p, way) for p, way in ways if self.contexts.loop_of(p.op) is self.forward]
