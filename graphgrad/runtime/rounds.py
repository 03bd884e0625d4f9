"""A loop as flat lists of calls over slots, be it of frames or a While: one list until the condition is known, one that
makes the next round, one for what leaves.

Slots hold the values of one round; what the next one needs is moved at its end, and nothing else outlives it.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any, NamedTuple

import numpy as np

from graphgrad import registry
from graphgrad.errors import EvaluationError, GraphGradError
from graphgrad.kernels._liveness import DEAD
from graphgrad.kernels._state import State
from graphgrad.progress import Stage
from graphgrad.runtime import binding
from graphgrad.runtime.products import LongProduct, Turned, accumulated, turned
from graphgrad.runtime.record import Form
from graphgrad.runtime.stacks import stacks
from graphgrad.runtime.steps import Step, failure, store
from graphgrad.runtime.uses import uses

Array = np.ndarray[Any, Any]
NUMBERS = "biufcV"
LARGE = 1 << 15  # bytes: results that are worth a place of their own
ASKING = frozenset(["TensorListElementShape", "TensorListLength"])  # say the same of a list as long as it stays


class Slots(NamedTuple):
    """Where a loop keeps what: values that enter, those that leave, its variables now and in the next round."""

    initial: list[Any]
    entered: list[int]
    first: list[int]
    now: list[int]
    following: list[int]
    condition: int
    exits: list[int]
    rounds: list[int]  # that tell a Merge's readers whether this is the first round


class Rounds:
    """The loop compiled. Each call runs it to its end, in slots of its own."""

    def __init__(
        self, what: str, state: State, slots: Slots, head: list[Step], body: list[Step], tail: Sequence[Step] = ()
    ):
        self.what, self.state, self.slots = what, state, slots
        self.steps = [*head, *body, *tail]
        changing = [(a, b) for a, b in zip(slots.now, slots.following, strict=True) if a != b]
        invariant = set(slots.entered) - {now for now, _ in changing}
        used = [slots.condition, *(i for i in slots.exits if i not in slots.now)]
        found = uses(body, [*head, *tail], changing, used)
        self._sums = accumulated(found, changing)
        body = [step for step in body if not any(step in (v.product, v.sum) for v in self._sums)]
        self._stacks = stacks(body, found, changing)
        apart = {variable.total for variable in self._sums} | {stack.slot for stack in self._stacks}
        changing = [(now, following) for now, following in changing if now not in apart]
        self.head, self.tail = _calls(head), _calls(tail)
        self.before, self.body = _hoisted(body, invariant, slots.initial)
        self._changing = [now for now, _ in changing], [following for _, following in changing]
        self._is_running = threading.Lock()  # what calls and long products keep serves one run at a time
        self._kept = self._long_products()

    def __call__(self, *entering: Any) -> list[Any]:
        for value in entering:
            if value is DEAD:
                return [DEAD] * len(self.slots.exits)
        is_first = self._is_running.acquire(blocking=False)
        try:
            with Stage(f"rounds of {self.what}") as stage:
                if not is_first:
                    return self._run(entering, _take_plainly, self._long_products(), stage)
                for call in self.body:
                    call.forget()
                return self._run(entering, _take, self._kept, stage)
        finally:
            if is_first:
                self._is_running.release()

    def _long_products(self) -> list[LongProduct]:
        return [LongProduct(variable) for variable in self._sums]

    def _run(
        self,
        entering: Sequence[Any],
        take: Callable[[list[_Call], list[Any]], None],
        sums: list[LongProduct],
        stage: Stage,
    ) -> list[Any]:
        places = self.slots
        slots = places.initial.copy()
        for slot, value in zip(places.entered, entering, strict=True):
            slots[slot] = value
        _move(slots, places.first, places.now)
        for stack in self._stacks:
            stack.take(slots)
        self._tell(slots, 0)
        take(self.head, slots)
        if is_true(slots[places.condition]):
            take(self.before, slots)
        iterations, most = 0, self.state.max_iterations
        now, following = self._changing
        while is_true(slots[places.condition]):
            if iterations == most:
                raise EvaluationError(f"{self.what} was stopped after {most} iterations (--max-iterations)")
            take(self.body, slots)
            for variable in sums:
                variable.take(slots)
            _move(slots, following, now)
            if not iterations:
                self._tell(slots, 1)
            take(self.head, slots)
            stage.done = iterations = iterations + 1
        for variable in sums:
            variable.finish(slots)
        for stack in self._stacks:
            stack.release(slots)
        take(self.tail, slots)
        return [slots[slot] for slot in places.exits]

    def _tell(self, slots: list[Any], index: int) -> None:
        for slot in self.slots.rounds:
            slots[slot] = np.array(index, np.int32)


def is_true(value: Any) -> bool:
    """As TensorFlow reads a condition: a number that is not zero, a string or tensor that is not empty."""
    if isinstance(value, np.ndarray) and value.ndim:
        return value.size > 0
    return bool(value.item() if isinstance(value, np.ndarray) else value)


def _move(slots: list[Any], source: list[int], target: list[int]) -> None:
    values = [slots[slot] for slot in source]
    for slot, value in zip(target, values, strict=True):
        slots[slot] = value


def _nothing(_: list[Any]) -> tuple[()]:
    return ()


class _Call:
    """A step bound to how it reads its slots. After its first run `fast` stands for it, where there is something faster."""

    __slots__ = ("fast", "is_settled", "lone", "out", "read", "run", "step")

    def __init__(self, step: Step):
        self.step, self.run = step, step.run
        self.lone = step.inputs[0] if len(step.inputs) == 1 else -1
        self.read: Any = itemgetter(*step.inputs) if len(step.inputs) > 1 else _nothing
        self.out = step.outputs[0] if len(step.outputs) == 1 else -1
        self.fast: _Fast | None = None
        self.is_settled = not step.is_plain or self.out < 0

    def inputs(self, slots: list[Any]) -> Any:
        return (slots[self.lone],) if self.lone >= 0 else self.read(slots)

    def forget(self) -> None:
        """Lets go of what was kept of the operands of an earlier run of the loop."""
        if self.fast is not None:
            self.fast.forget()

    def settle(self, inputs: Sequence[Any], result: Any) -> None:
        """Looks for something faster, once it is known what the step is given and gives."""
        self.is_settled = True
        if all(x.__class__ is np.ndarray for x in (*inputs, result)) and result.ndim and result.dtype.kind in NUMBERS:
            self.fast = _fast(self.step, inputs, result)


class _Fast:
    """A kernel made for operands of certain forms, which may write into memory that nobody reads any more."""

    __slots__ = ("_fits", "_like", "_places", "_run")

    def __init__(self, run: Callable[..., Any], inputs: Sequence[Array], result: Array | None):
        self._run, self._fits = run, _fits(inputs)
        self._like = result  # what a place of its own is made like; None where results are not kept
        self._places: list[Array] = []

    def forget(self) -> None:
        if isinstance(self._run, Turned):
            self._run.forget()

    def __call__(self, *inputs: Array) -> Any:
        if not self._fits(*inputs):
            return None
        if self._like is None:
            return self._run(*inputs)
        for place in self._places:
            if sys.getrefcount(place) == _ALONE:
                break
        else:
            place = np.empty_like(self._like)
            if len(self._places) < 3:
                self._places.append(place)
        self._run(*inputs, out=place)
        return place


def _fits(operands: Sequence[Array]) -> Callable[..., bool]:
    """Whether others have the forms of these; most are one or two, and are asked for in every round."""
    shapes, strides = [x.shape for x in operands], [x.strides for x in operands]
    if len(operands) == 1:
        (shape,), (stride,) = shapes, strides
        return lambda x: x.shape == shape and x.strides == stride
    if len(operands) == 2:
        (shape, other), (stride, other_stride) = shapes, strides
        return lambda x, y: x.shape == shape and y.shape == other and x.strides == stride and y.strides == other_stride
    return lambda *given: [x.shape for x in given] == shapes and [x.strides for x in given] == strides


def _references(places: list[Array]) -> int:
    """What Python counts for an array as `_Fast` comes by it."""
    for place in places:
        return sys.getrefcount(place)
    raise AssertionError


_ALONE = _references([np.empty(0)])  # nothing but the list it waits in knows it


def _fast(step: Step, inputs: Sequence[Array], result: Array) -> _Fast | None:
    product = turned(step, inputs)
    if product is not None:
        return _Fast(product, inputs, _place(inputs, result))
    planner = registry.planner_of(step.op.type)
    if planner is not None:
        forms = [Form(x.shape, x.dtype, x.flags.c_contiguous) for x in inputs]
        planned = binding.bind(planner, step.op, None)(*forms)
        if planned is not None:
            return _Fast(planned, inputs, _place(inputs, result))
    if step.takes_out and result.nbytes >= LARGE:
        place = _place(inputs, result)
        return None if place is None else _Fast(step.run, inputs, place)
    return None


def _place(inputs: Sequence[Array], result: Array) -> Array | None:
    """What a large result is written into is made like this; not where the step only shows its input otherwise."""
    if result.nbytes < LARGE or any(np.may_share_memory(result, x) for x in inputs):
        return None
    return np.empty(result.shape, result.dtype)


def _calls(steps: Sequence[Step]) -> list[_Call]:
    return [_Call(step) for step in steps]


def _hoisted(steps: list[Step], invariant: set[int], initial: list[Any]) -> tuple[list[_Call], list[_Call]]:
    """The steps whose results are the same in each round, and the others."""
    known = invariant | {slot for slot, value in enumerate(initial) if value is not None}
    before, body = [], []
    for each in steps:
        if (each.is_plain or each.op.type in ASKING) and known.issuperset(each.inputs):
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
            fast, lone, out = call.fast, call.lone, call.out
            if fast is not None:
                slots[out] = None  # of the round before
                result = fast(slots[lone]) if lone >= 0 else fast(*call.read(slots))
                if result is not None:
                    slots[out] = result
                    continue
            result = call.run(slots[lone]) if lone >= 0 else call.run(*call.read(slots))
            if out >= 0 and result.__class__ is np.ndarray:
                slots[out] = result
            elif result is not None:
                store(call.step, result, slots)
            if not call.is_settled:
                call.settle(call.inputs(slots), slots[call.out])
    except (GraphGradError, KeyboardInterrupt):
        raise
    except Exception as error:
        assert call is not None
        raise EvaluationError(failure(call.step, [slots[i] for i in call.step.inputs], error)) from error


def _take_plainly(calls: list[_Call], slots: list[Any]) -> None:
    """The same while another thread is in this loop: what calls keep is left alone."""
    call = None
    try:
        for call in calls:
            store(call.step, call.run(*call.inputs(slots)), slots)
    except (GraphGradError, KeyboardInterrupt):
        raise
    except Exception as error:
        assert call is not None
        raise EvaluationError(failure(call.step, [slots[i] for i in call.step.inputs], error)) from error
