"""The loop that goes back over a forward loop: as many iterations, the last one first.

A forward value that an iteration of it needs was put on a stack by the same iteration of the forward loop; loop
invariants are entered again, and constants are written anew.
"""

from __future__ import annotations

from typing import Any

from graphgrad import dtypes
from graphgrad.attributes import Shape
from graphgrad.controlflow import steering
from graphgrad.controlflow.contexts import Branch, Context, Contexts, Loop, constant_enter
from graphgrad.controlflow.frames import ENTERS
from graphgrad.errors import ModelError
from graphgrad.graph import Operation
from graphgrad.shapes import dims
from graphgrad.tensors import IndexedSlices, Tensor


class BackwardLoop:
    """A forward loop with the loop that goes back over it, inside of `outer` where the loops are nested."""

    def __init__(self, contexts: Contexts, forward: Loop, outer: BackwardLoop | None):
        self.contexts, self.forward, self.outer = contexts, forward, outer
        self.g: Any = contexts.g
        self.merges: dict[Operation, Any] = {}  # Switch of the forward loop -> Merge that its gradient goes round by
        self.exits = list(forward.exits)
        self.awaited = len(self.exits)
        self.waiting: list[Operation] = []  # exits that wait for the others
        self.unused: list[Operation] = []  # exits that no gradient arrives at
        self._pasts: dict[Tensor, Tensor] = {}
        self._forward_sync: Operation | None = None
        self._sync: Operation | None = None
        if forward.condition is None:
            raise ModelError(
                f"the loop of frame {forward.name!r} does not have one LoopCond node, so it is no while loop"
            )
        for merge in forward.merges:
            if not any(t.op.type in ENTERS for t in merge.inputs):
                raise ModelError(f"{merge.type} node {merge.name!r} does not join one Enter and one NextIteration node")
        g = self.g
        with g.within(forward.outer if outer is None else outer.forward):
            count, self.index = self._count_forward()
        if outer is None:
            with g.within(forward.outer):
                self.loop = self._new_loop()
                self.back_index = self._count_back(count)
        else:
            history = outer.accumulate(count)
            with g.within(outer.loop):
                self.loop = self._new_loop()
                self.back_index = self._count_back(outer.recall(history, count))

    # ------------------------------------------------------------------ counting
    def _new_loop(self) -> Loop:
        forward, g = self.forward, self.g
        name = g.graph.name_authority.unique(g.scope + forward.name)
        loop = Loop(self.contexts, g.context, name, forward.parallel_iterations)
        loop.backward = self
        return loop

    def _count_forward(self) -> tuple[Tensor, Tensor]:
        """How often the forward loop runs: `n = 0; while ...: n += 1`."""
        g, loop = self.g, self.forward
        zero = g.constant(0, dtypes.int32, name="f_count")
        if self.outer is not None:
            # What this loop puts on stacks in one iteration of the outer loop comes before what it puts in the next.
            zero.op.control_inputs.append(self.outer.counting)
        with g.within(loop):
            merge, _ = loop.variable(zero, name="f_count")
            ways = g.Switch(merge, loop.condition)
            index = loop.close(merge, g.AddV2(ways[1], 1, name="Add"))
            return loop.leave(ways[0], name="f_count"), index

    def _count_back(self, count: Tensor) -> Tensor:
        """The loop itself: `while n >= 1: n -= 1`."""
        g, loop = self.g, self.loop
        one = g.constant(1, dtypes.int32, name="b_count")
        with g.within(loop):
            merge, _ = loop.variable(count, name="b_count")
            loop.at_condition = merge
            loop.condition = g.LoopCond(g.GreaterEqual(merge, one), name="b_count")
            ways = g.Switch(merge, loop.condition)
            loop.at_body = g.Sub(ways[1], one)
            index = loop.close(merge, loop.at_body)
            left = loop.leave(ways[0], name="b_count")
        if self.outer is not None:
            self.outer.sync.control_inputs.append(left.op)
        return index

    @property
    def counting(self) -> Operation:
        """The addition that counts the forward iterations."""
        return self.index.op.inputs[0].op

    @property
    def forward_sync(self) -> Operation:
        """What an iteration of the forward loop waits for, before the next begins."""
        if self._forward_sync is None:
            self._forward_sync = self._new_sync("f_sync", self.forward)
            self.index.op.control_inputs.append(self._forward_sync)
        return self._forward_sync

    @property
    def sync(self) -> Operation:
        """What an iteration of the backward loop waits for, before the next begins."""
        if self._sync is None:
            self._sync = self._new_sync("b_sync", self.loop)
            self.back_index.op.control_inputs.append(self._sync)
        return self._sync

    def _new_sync(self, name: str, context: Context) -> Operation:
        with self.g.detached():
            sync = self.g.op("ControlTrigger", name=name)
        self.contexts.put(sync, context)
        return sync

    # ------------------------------------------------------------------ the past
    def past(self, tensor: Tensor) -> Tensor:
        """What a tensor of the forward loop was in the iteration that is gone back over. Called in the backward loop."""
        found = self._pasts.get(tensor)
        if found is None:
            found = self._pasts[tensor] = self._find_past(tensor)
        return found

    def predicate(self, predicate: Tensor) -> Tensor:
        """The past of a cond's predicate. Called in the backward loop."""
        found = self._pasts.get(predicate)
        if found is None:
            with self.g.within(None):
                history = self.accumulate(predicate)
            found = self._pasts[predicate] = self.recall(history, predicate)
        return found

    def _find_past(self, tensor: Tensor) -> Tensor:
        g = self.g
        state: BackwardLoop = self
        while (enter := constant_enter(tensor)) is not None:
            tensor = enter.inputs[0]
            if state.outer is None:
                return self.loop.bring(tensor)
            state = state.outer
        if tensor.op.type == "Const":
            return g.constant_like(tensor.op)
        with g.within(None):
            history = state.accumulate(tensor)
        past = state.recall(history, tensor)
        return past if state is self else self.loop.bring(past)

    def accumulate(self, tensor: Tensor, is_dead_branch: bool = False) -> Tensor:
        """A stack that every iteration of the forward loop puts the tensor on."""
        g, contexts, forward = self.g, self.contexts, self.forward
        around = g.context
        with g.detached():
            with g.within(around), g.colocate_with(tensor.op):
                stack = g.StackV2(g.constant(-1, dtypes.int32), elem_type=tensor.dtype, name="f_acc")
            entered = forward.bring(stack)
            context = contexts.after(tensor.op)
            if context is forward:
                with g.within(forward):
                    push = g.StackPushV2(entered, tensor, swap_memory=forward.swaps_memory)
                self.index.op.control_inputs.append(push.op)
            else:
                assert isinstance(context, Branch)
                with g.within(context.outer if is_dead_branch else context):
                    push = g.StackPushV2(entered, tensor, swap_memory=forward.swaps_memory)
                if is_dead_branch:
                    contexts.put(push.op, context)
                self.forward_sync.control_inputs.append(push.op)
            push.op.control_inputs.append(self.counting)
        return stack

    def recall(self, stack: Tensor, tensor: Tensor, is_dead_branch: bool = False) -> Tensor:
        """Takes what an iteration of the forward loop put on a stack, in the one that goes back over it."""
        g, contexts = self.g, self.contexts
        branch = _branch_between(contexts.of(tensor.op), contexts.of(stack.op))
        with g.detached(), g.within(self.loop):
            if branch is not None:
                way = 1 - branch.branch if is_dead_branch else branch.branch
                stack = steering.switch_beside(g, stack, self._predicate_of(branch))[way]
            value = g.StackPopV2(stack, elem_type=tensor.dtype)
            value.has_shape(tensor.shape)
        if self.loop.parallel_iterations > 1:
            self.sync.control_inputs.append(value.op)
        return value

    def _predicate_of(self, branch: Branch) -> Tensor:
        state: BackwardLoop | None = self
        while state is not None:
            found = state._pasts.get(branch.predicate)
            if found is not None:
                return found
            state = state.outer
        return branch.predicate

    # ------------------------------------------------------------------ loop invariants
    def sum_up(self, enter: Operation, gradient: Any) -> Any:
        """The gradient of a loop invariant: what every iteration gives, summed up. Called in the backward loop."""
        if isinstance(gradient, IndexedSlices):
            return self._gather_slices(enter, gradient)
        g, loop = self.g, self.loop
        with g.within(None):
            total = self._zeros(enter.inputs[0], gradient.shape, gradient.dtype)
        merge, _ = loop.variable(total, name="b_acc", merge_name="b_acc")
        ways = g.Switch(merge, loop.condition)
        loop.close(merge, g.AddV2(ways[1], gradient, name="Add"))
        return loop.leave(ways[0], name="b_acc")

    def _zeros(self, invariant: Tensor, shape: Shape, dtype: dtypes.DType) -> Tensor:
        g = self.g
        if self.outer is None or dims.is_known(shape):
            with g.within(self.loop.outer):
                if dims.is_known(shape):
                    return g.constant(0, dtype, shape=shape, name="b_acc")
                return g.zeros(_shape_of(g, invariant), dtype)
        return self.outer.zeros_shaped_as(invariant, self.forward.outer, dtype)

    def zeros_shaped_as(self, tensor: Tensor, around: Context | None, dtype: dtypes.DType | None) -> Tensor:
        """Zeros in the backward loop, of the shape that a tensor had in the forward one."""
        g = self.g
        with g.within(around):
            shape = _shape_of(g, tensor)
        history = self.accumulate(shape)
        with g.within(self.loop):
            return g.zeros(self.recall(history, shape), dtype)

    def _gather_slices(self, invariant: Operation, slices: IndexedSlices) -> IndexedSlices:
        """The same for IndexedSlices: every iteration's stand behind each other."""
        g, loop = self.g, self.loop
        parts = [slices.indices, slices.values]
        with g.within(loop.outer):
            firsts = self._first_slices(invariant.inputs[0], slices)
        if slices.dense_shape is not None:
            parts.append(slices.dense_shape)
        loop.inside.update((first, first) for first in firsts)
        enters = [loop.enter(first, name="b_acc") for first in firsts]
        loop.enters.extend(e.op for e in enters)
        # They grow from iteration to iteration; of the third TensorFlow's Python knows nothing.
        row = firsts[1].shape
        for enter, shape in zip(enters, [(None,), None if row is None else (None, *row[1:]), None], strict=False):
            g.graph.inference.settle(enter.op, [shape])
        merges = [steering.merge(g, [e, e], name="b_acc") for e in enters]
        ways = [g.Switch(merge, loop.condition) for merge in merges]
        following = [g.concat([way[1], part], 0) for way, part in zip(ways[:2], parts, strict=False)]
        if len(parts) == 3:
            following.append(g.Maximum(slices.dense_shape, ways[2][1]))
        backs = [g.NextIteration(t) for t in following]
        for merge, back in zip(merges, backs, strict=True):
            merge.op.inputs[1] = back
        left = [loop.leave(way[0], name="b_acc") for way in ways]
        return IndexedSlices(left[1], left[0], left[2] if len(left) == 3 else None)

    def _first_slices(self, invariant: Tensor, slices: IndexedSlices) -> list[Tensor]:
        """One row of zeros, at index 0."""
        g = self.g
        values, shape = slices.values, slices.values.shape
        if shape is not None and dims.is_known(shape):
            row = g.constant(0, values.dtype, shape=(1, *shape[1:]), name="b_acc")
        else:
            whole: Any = _whole_shape(g, invariant)
            row = g.zeros(g.concat([[1], whole[1:]], 0), values.dtype)
        firsts = [g.constant([0], slices.indices.dtype), row]
        if slices.dense_shape is not None:
            if dims.is_known(slices.dense_shape.shape):
                zero = g.constant(0, slices.dense_shape.dtype, shape=slices.dense_shape.shape)
            else:
                zero = g.zeros_like(g.Shape(invariant, out_type=slices.dense_shape.dtype), optimize=False)
            firsts.append(zero)
        return firsts


def _branch_between(context: Context | None, end: Context | None) -> Branch | None:
    """The innermost branch on the way out of a context."""
    while context is not None and context is not end:
        if isinstance(context, Branch):
            return context
        context = context.outer
    return None


def _shape_of(g: Any, tensor: Tensor) -> Tensor:
    """The shape of a tensor, or of the variable behind one."""
    return g.VariableShape(tensor) if tensor.dtype is dtypes.resource else g.Shape(tensor)  # type: ignore[no-any-return]


def _whole_shape(g: Any, invariant: Tensor) -> Any:
    """The same of a loop invariant, a variable's as the numbers that its op says."""
    if invariant.dtype is not dtypes.resource:
        return g.Shape(invariant)
    op = invariant.op
    while op.inputs:
        op = op.inputs[0].op
    return list(op["shape"])
