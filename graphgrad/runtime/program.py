"""A plan made for feeds of certain shapes: a list of calls over arrays that stay in their places from run to run.

What depends on shapes alone was computed once; results are written into memory whose owner has died; chains of
element-wise steps run tile by tile. What a program computes is what its plan computes.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphgrad import registry
from graphgrad.errors import EvaluationError, GraphGradError
from graphgrad.kernels._threads import spread
from graphgrad.runtime import binding, scalars, tiles
from graphgrad.runtime.record import Form, Record
from graphgrad.runtime.steps import Step, failure, take

Array = np.ndarray[Any, Any]
SMALL_FEED = 1 << 16  # bytes; larger feeds are read where they lie
NUMBERS = "biufcV"
FOREVER = 1 << 60
LARGE = 1 << 15  # elements of what a step reads and makes, for it to run beside others
FEWEST = 4  # steps side by side that keep several threads busy to the end
# What runs beside others: of single products several threads make more than of several at once.
HEAVY = frozenset(
    [
        *["Conv2D", "Conv2DBackpropFilter", "Conv2DBackpropInput"],
        *["Conv3D", "Conv3DBackpropFilterV2", "Conv3DBackpropInputV2"],
        *["DepthwiseConv2dNative", "DepthwiseConv2dNativeBackpropFilter", "DepthwiseConv2dNativeBackpropInput"],
    ]
)


class Program:
    """Calls in order, over `slots` in which everything but fresh results stays."""

    def __init__(self, slots: list[Any], fed: list[int], fetched: list[int]):
        self.slots, self.fed, self.fetched = slots, fed, fetched
        self.calls: list[Callable[[], Any]] = []
        self.steps: list[Step] = []  # what each call stands for; the first one of a group
        self.copied: set[int] = set()  # fetched slots whose array the next run writes into
        self.loose: list[int] = []  # slots whose values do not outlive the run

    def run(self, feeds: Sequence[Array]) -> list[Any]:
        """The fetched values, which are the caller's. Raises EvaluationError naming the node that failed."""
        slots = self.slots
        for slot, value in zip(self.fed, feeds, strict=True):
            if slots[slot] is None:
                slots[slot] = value
            else:
                slots[slot][...] = value
        at = 0
        try:
            for at, call in enumerate(self.calls):  # noqa: B007  (the place is told where a call fails)
                call()
            return [np.array(slots[i]) if i in self.copied else slots[i] for i in self.fetched]
        except (GraphGradError, KeyboardInterrupt):
            raise
        except Exception as error:
            step = self.steps[at]
            raise EvaluationError(failure(step, [slots[i] for i in step.inputs], error)) from error
        finally:
            for slot in self.loose:
                slots[slot] = None


def build(
    steps: Sequence[Step], record: Record, fed: Sequence[int], fetched: Sequence[int], count: int, threads: int
) -> Program:
    """The program of steps that a record was made of; `count` slots."""
    return _Maker(steps, record, fed, fetched, count, threads).program()


class _Maker:
    def __init__(
        self,
        steps: Sequence[Step],
        record: Record,
        fed: Sequence[int],
        fetched: Sequence[int],
        count: int,
        threads: int,
    ):
        self.record, self.threads = record, threads
        self.fed, self.fetched = list(fed), list(fetched)
        self.steps = [_planned(step, record) for at, step in enumerate(steps) if at not in record.gone]
        self.slots: list[Any] = [None] * count
        self.read = {i for step in self.steps for i in step.inputs}
        self.owned = {i for i in fed if self._has_small_feed(i)}  # slots with memory of their own that stays
        self.owned.update(step.outputs[0] for step in self.steps if self._can_own(step))
        self.fixed = {*record.folded, *self.owned}
        self.views: list[Step] = []
        self.values = scalars.Values()

    def _has_small_feed(self, slot: int) -> bool:
        form = self.record.forms[slot]
        is_small = form.dtype.kind in NUMBERS and np.prod(form.shape, dtype=int) * form.dtype.itemsize <= SMALL_FEED
        return is_small and slot not in self.record.kept

    def _can_own(self, step: Step) -> bool:
        """Whether a step's result, the first of several, can be written into the same memory every run."""
        record = self.record
        slot = step.outputs[0] if len(step.outputs) == 1 or (step.takes_out and step.outputs) else -1
        if slot < 0 or not step.is_plain or not (step.takes_out or step.is_elementwise):
            return False
        if slot not in record.stable or slot in record.root or slot in record.kept:
            return False
        if slot in self.fetched and slot not in self.read:
            return False
        return slot in record.forms and record.forms[slot].dtype.kind in NUMBERS

    def program(self) -> Program:
        record = self.record
        work = self._without_views()
        groups = tiles.grouped(work, record, self.fixed, self.owned)
        groups = scalars.joined(groups, record, self.fixed, self.owned)
        self._part_scalars(groups)
        last = self._last_uses(groups)
        beside = self._side_by_side(groups)
        memory = _Memory()
        program = Program(self.slots, self.fed, self.fetched)
        for slot, array in record.folded.items():
            self.slots[slot] = array
        for slot in self.fed:
            if slot in self.owned:
                self.slots[slot] = np.empty(*record.forms[slot][:2])
        waiting = list(self.views)
        self._show(waiting)
        for first, after in beside:
            for at in range(first, after):
                self._bind(program, groups[at], at, last, memory)
                if waiting:
                    self._show(waiting)
            run = [step for group in groups[first:after] for step in group]
            if after - first > 1:
                self._bundle(program, run)
            for slot in {record.root_of(i) for step in run for i in (*step.inputs, *step.outputs) if i >= 0}:
                if last.get(slot, FOREVER) < after:
                    memory.release(slot)
        program.copied = {i for i in self.fetched if record.root_of(i) in self.fixed}
        program.loose = [i for i, value in enumerate(self.slots) if value is None]
        return program

    def _without_views(self) -> list[Step]:
        """The steps that have to run: what only shows fixed memory in another shape is shown once, when building."""
        record, work = self.record, []
        for step in self.steps:
            outputs = [o for o in step.outputs if o >= 0]
            is_view = step.is_plain and outputs and all(record.root_of(o) != o for o in outputs)
            if is_view and all(i in self.fixed for i in step.inputs) and self._is_settled_but_for_views(step):
                self.fixed.update(outputs)
                self.views.append(step)
            else:
                work.append(step)
        return work

    def _is_settled_but_for_views(self, step: Step) -> bool:
        roots = {self.record.root_of(o) for o in step.outputs if o >= 0}
        shown = [i for i in step.inputs if self.record.root_of(i) in roots]
        return all(i in shown or i in self.record.folded for i in step.inputs)

    def _part_scalars(self, groups: list[list[Step]]) -> None:
        """Which results of rows of scalar steps other rows read, and which need an array."""
        maker: dict[int, int] = {}
        self.handed_on: set[int] = set()
        self.as_arrays = {i for step in self.views for i in step.inputs} | set(self.fetched)
        for at, group in enumerate(groups):
            is_row = scalars.is_row(group, self.record)
            for step in group:
                if not is_row:
                    self.as_arrays.update(step.inputs)
                elif step.outputs[0] not in maker:
                    self.handed_on.update(i for i in step.inputs if maker.get(i, at) != at)
                    maker[step.outputs[0]] = at
        self.as_arrays.update([self.record.root_of(i) for i in self.as_arrays])

    def _show(self, waiting: list[Step]) -> None:
        """Makes the views whose memory has its place by now."""
        for step in list(waiting):
            if all(self.slots[i] is not None for i in step.inputs):
                take(step, self.slots)
                waiting.remove(step)

    def _last_uses(self, groups: list[list[Step]]) -> dict[int, int]:
        """For each piece of memory the number of the group that uses it last."""
        last: dict[int, int] = {}
        for at, group in enumerate(groups):
            for step in group:
                for i in (*step.inputs, *step.outputs):
                    last[self.record.root_of(i)] = at
        last.update((self.record.root_of(i), FOREVER) for i in self.fetched)
        return last

    def _side_by_side(self, groups: list[list[Step]]) -> list[tuple[int, int]]:
        """Which groups run at once, as ranges: large steps next to each other of which none reads what another makes."""
        ranges: list[tuple[int, int]] = []
        made: set[int] = set()  # by the run that is open
        for at, group in enumerate(groups):
            step = group[0]
            is_large = self.threads > 1 and len(group) == 1 and self._is_large(step)
            if is_large and made and not made.intersection(map(self.record.root_of, step.inputs)):
                ranges[-1] = ranges[-1][0], at + 1
            else:
                ranges.append((at, at + 1))
                made = set()
            if is_large:
                made.update(self.record.root_of(i) for i in step.outputs if i >= 0)
        return [part for first, after in ranges for part in _parts(first, after)]

    def _is_large(self, step: Step) -> bool:
        forms = [self.record.form(i) for i in (*step.inputs, *step.outputs) if i >= 0]
        if not step.is_plain or step.is_elementwise or None in forms or step.op.type not in HEAVY:
            return False
        return sum(math.prod(form.shape) for form in forms if form is not None) >= LARGE

    def _bundle(self, program: Program, run: list[Step]) -> None:
        """Makes the calls of a run, which were just bound, one."""
        calls = program.calls[-len(run) :]
        program.calls[-len(run) :] = [_Bundle(calls, run, self.slots)]
        program.steps[-len(run) :] = [run[0]]

    def _bind(self, program: Program, group: list[Step], at: int, last: dict[int, int], memory: _Memory) -> None:
        record, slots = self.record, self.slots
        if scalars.is_row(group, record):
            for step in group:
                if step.outputs[0] in self.as_arrays:
                    slots[step.outputs[0]] = memory.take(step.outputs[0], record.forms[step.outputs[0]])
            program.calls.append(scalars.function(group, slots, record, self.values, self.handed_on))
            program.steps.append(group[0])
            return
        if len(group) > 1 or tiles.has_passes(group[0], record, self.fixed, self.owned):
            inside = {step.outputs[0] for step in group if last[step.outputs[0]] == at}
            for step in group:
                if step.outputs[0] not in inside:
                    slots[step.outputs[0]] = memory.take(step.outputs[0], record.forms[step.outputs[0]])
            program.calls.append(tiles.Tiled(group, slots, record.forms, inside, self.threads))
            program.steps.append(group[0])
            return
        (step,) = group
        if step.outputs and step.outputs[0] in self.owned:
            slot = step.outputs[0]
            form = record.forms[slot]
            if step.is_elementwise and isinstance(step.run, np.ufunc):
                for i in step.inputs:
                    if i in self.owned and last[i] == at and record.forms[i] == form and form.is_contiguous:
                        memory.release(i)
                        break
            out = slots[slot] = memory.take(slot, form)
            if len(step.outputs) > 1:
                program.calls.append(functools.partial(_write_first, step, slots, out, self._dying(step, at, last)))
                program.steps.append(step)
                return
            call = step.run if step.takes_out else functools.partial(_copy_into, step.run)
            if all(i in self.fixed for i in step.inputs):
                given = [slots[i] for i in step.inputs]
                program.calls.append(tiles.bound(call, given, out))
            else:
                program.calls.append(functools.partial(_write, call, slots, step.inputs, out))
        else:
            program.calls.append(functools.partial(_run, step, slots, self._dying(step, at, last)))
        program.steps.append(step)

    def _dying(self, step: Step, at: int, last: dict[int, int]) -> list[int]:
        """The slots of a step whose values are let go of after it."""
        used = [i for i in dict.fromkeys((*step.inputs, *step.outputs)) if i >= 0 and i not in self.fixed]
        return [i for i in used if last[self.record.root_of(i)] == at]


def _parts(first: int, after: int) -> list[tuple[int, int]]:
    """The range, or its members where they are too few to run side by side."""
    return [(first, after)] if after - first >= FEWEST else [(at, at + 1) for at in range(first, after)]


def _planned(step: Step, record: Record) -> Step:
    """The step with a kernel made for its operands, where there is one."""
    planner = registry.planner_of(step.op.type)
    operands = [record.form(i) for i in step.inputs]
    if planner is None or not step.is_plain or None in operands:
        return step
    call = binding.bind(planner, step.op, None)(*operands)
    if call is None:
        return step
    is_elementwise = step.is_elementwise or (isinstance(call, np.ufunc) and call.signature is None)
    return Step(
        step.op, call, step.inputs, step.outputs, False, is_plain=True, is_elementwise=is_elementwise, takes_out=True
    )


def _copy_into(run: Callable[..., Any], *inputs: Array, out: Array) -> None:
    out[...] = run(*inputs)


def _write(run: Callable[..., Any], slots: list[Any], inputs: list[int], out: Array) -> None:
    run(*[slots[i] for i in inputs], out=out)


class _Bundle:
    """Calls that do not depend on each other, as one; what dies with any of them is let go of behind all."""

    def __init__(self, calls: list[Callable[[], Any]], steps: list[Step], slots: list[Any]):
        self.slots, self.frees = slots, []
        self.calls = []
        for call, step in zip(calls, steps, strict=True):
            if isinstance(call, functools.partial) and call.func in (_run, _write_first):
                *given, frees = call.args
                self.frees += frees
                call = functools.partial(call.func, *given, [])
            self.calls.append(functools.partial(self._make, call, step))

    def __call__(self) -> None:
        spread(self.calls)
        for slot in self.frees:
            self.slots[slot] = None

    def _make(self, call: Callable[[], Any], step: Step) -> None:
        try:
            call()
        except (GraphGradError, KeyboardInterrupt):
            raise
        except Exception as error:
            raise EvaluationError(failure(step, [self.slots[i] for i in step.inputs], error)) from error


def _write_first(step: Step, slots: list[Any], out: Array, frees: list[int]) -> None:
    """A step of several results, whose first has its place."""
    results = step.run(*[slots[i] for i in step.inputs], out=out)
    for slot, value in zip(step.outputs[1:], results[1:], strict=True):
        if slot >= 0:
            slots[slot] = binding.as_array(value)
    for slot in frees:
        slots[slot] = None


def _run(step: Step, slots: list[Any], frees: list[int]) -> None:
    take(step, slots)
    for slot in frees:
        slots[slot] = None


class _Memory:
    """Pieces of memory handed out, given back and handed out again, the closest in size first."""

    def __init__(self) -> None:
        self.free: list[Array] = []
        self.used: dict[int, Array] = {}

    def take(self, slot: int, form: Form) -> Array:
        """An array for a slot."""
        size = int(np.prod(form.shape, dtype=int)) * form.dtype.itemsize
        fitting = [piece for piece in self.free if size <= piece.size <= 2 * size + 256]
        if fitting:
            piece = min(fitting, key=len)
            self.free = [other for other in self.free if other is not piece]
        else:
            piece = np.empty(max(size, 1), np.uint8)
        self.used[slot] = piece
        return piece[:size].view(form.dtype).reshape(form.shape)

    def release(self, slot: int) -> None:
        """The slot's array has no more readers."""
        piece = self.used.pop(slot, None)
        if piece is not None:
            self.free.append(piece)
