"""Chains of element-wise steps, tile by tile: what one step writes the next finds in the cache, and tiles go to threads."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphgrad.kernels._threads import WIDE, spread
from graphgrad.runtime.record import Form, Record
from graphgrad.runtime.steps import Step

Array = np.ndarray[Any, Any]
Shape = tuple[int, ...]
LARGE = 1 << 15  # elements; smaller arrays stay in the cache as they are
TILE = 1 << 14  # elements
WORTH_A_THREAD = 1 << 20  # elements times steps


def grouped(steps: Sequence[Step], record: Record, fixed: set[int], owned: set[int]) -> list[list[Step]]:
    """The steps in order, those next to each other that can share tiles together."""
    groups: list[list[Step]] = []
    shape: Shape | None = None  # that of the group which is open
    for step in steps:
        tiled = _tiled_shape(step, record, fixed, owned)
        if tiled is not None and tiled == shape and fits(step, groups[-1], record):
            groups[-1].append(step)
        else:
            groups.append([step])
            shape = tiled
    return groups


def _tiled_shape(step: Step, record: Record, fixed: set[int], owned: set[int]) -> Shape | None:
    """The shape whose tiles the step can be run on, or None."""
    if not step.is_elementwise or not step.outputs or step.outputs[0] not in owned:
        return None
    form = record.forms[step.outputs[0]]
    if form.dtype.kind == "c":  # where in an array a complex number stands may matter: kernels/_complex.py
        return None
    if math.prod(form.shape) < LARGE or not all(
        i in fixed and _spread(_form(record, i), form.shape) for i in step.inputs
    ):
        return None
    return form.shape


def has_passes(step: Step, record: Record, fixed: set[int], owned: set[int]) -> bool:
    """Whether a large element-wise step goes over its operands more than once, and so is better run on tiles even alone."""
    return not isinstance(step.run, np.ufunc) and _tiled_shape(step, record, fixed, owned) is not None


def fits(step: Step, group: list[Step], record: Record) -> bool:
    """Whether a step reads what the group makes as it is made, and not through a view of it."""
    made = {other.outputs[0] for other in group}
    return all(i in made or record.root_of(i) not in made for i in step.inputs)


def _form(record: Record, slot: int) -> Form:
    array = record.folded.get(slot)
    return record.forms[slot] if array is None else Form(array.shape, array.dtype, array.flags.c_contiguous)


def _spread(form: Form, shape: Shape) -> str:
    """How an operand lies over the result's rows: 'all' of them, one 'column', one 'row', one element; '' for no such way."""
    size, rows, inner = math.prod(form.shape), math.prod(shape[:-1]), shape[-1]
    if size == 1:
        return "one"
    if not form.is_contiguous:
        return ""
    if form.shape == shape:
        return "all"
    if size == inner and form.shape[-1:] == (inner,):
        return "row"
    if size == rows and form.shape == (*shape[:-1], 1):
        return "column"
    return ""


class Tiled:
    """A group as one call."""

    def __init__(
        self, group: list[Step], slots: list[Any], forms: dict[int, Form], inside: set[int], threads: int
    ) -> None:
        """`inside` are the results that nothing else reads: they exist as tiles only."""
        self.group, self.forms, self.inside, self.slots = group, forms, inside, slots
        self.shape = forms[group[0].outputs[0]].shape
        rows, inner = math.prod(self.shape[:-1]), self.shape[-1]
        if all(slots[i] is None or _spread(_form_of(slots[i]), self.shape) in ("all", "one") for i in self._read()):
            rows, inner = rows * inner, 1
        self.rows, self.inner = rows, inner
        size = rows * inner
        parts = min(threads, max(1, 2 * size // WIDE)) if size * len(group) >= WORTH_A_THREAD else 1
        step = max(1, (WIDE if parts > 1 else TILE) // inner)
        bounds = [rows * part // parts for part in range(parts + 1)]
        self.parts = [
            functools.partial(_make, self._calls(range(a, b, step), b, step)) for a, b in itertools.pairwise(bounds)
        ]

    def __call__(self) -> None:
        spread(self.parts)

    def _read(self) -> set[int]:
        return {i for step in self.group for i in step.inputs}

    def _calls(self, starts: range, end: int, step: int) -> list[Callable[[], Any]]:
        """The calls of one thread, over tiles of its own."""
        scratch: dict[int, Array] = {}
        free: list[Array] = []
        last = {i: at for at, member in enumerate(self.group) for i in member.inputs}
        for at, member in enumerate(self.group):
            slot = member.outputs[0]
            if slot in self.inside:
                dtype = self.forms[slot].dtype
                found = next((k for k, piece in enumerate(free) if piece.dtype == dtype), None)
                scratch[slot] = np.empty((step, self.inner), dtype) if found is None else free.pop(found)
            for i in set(member.inputs):
                if i in scratch and last[i] == at:
                    free.append(scratch[i])
        flat = {i: self._flat(i) for i in (*self._read(), *(m.outputs[0] for m in self.group)) if i not in scratch}
        calls = []
        for start in starts:
            stop = min(start + step, end)
            tile = {i: piece[: stop - start] for i, piece in scratch.items()}
            tile.update((i, array[start:stop] if array.ndim and len(array) > 1 else array) for i, array in flat.items())
            calls += [_call(member, tile) for member in self.group]
        return calls

    def _flat(self, slot: int) -> Array:
        """An operand as rows, as one row or as one element."""
        array: Array = self.slots[slot]
        if array.size == 1:
            return array.reshape(())
        spread = _spread(_form_of(array), self.shape)
        if self.inner == 1 or spread == "all":
            return array.reshape(self.rows, self.inner)
        return array.reshape(1, self.inner) if spread == "row" else array.reshape(self.rows, 1)


def _form_of(array: Array) -> Form:
    return Form(array.shape, array.dtype, array.flags.c_contiguous)


def _call(step: Step, tile: dict[int, Array]) -> Callable[[], Any]:
    given, out = [tile[i] for i in step.inputs], tile[step.outputs[0]]
    if step.takes_out:
        return bound(step.run, given, out)
    return functools.partial(_copy_into, step.run, out, *given)


def bound(run: Callable[..., Any], given: Sequence[Array], out: Array) -> Callable[[], Any]:
    """The call without arguments. A universal function takes `out` by position, which halves what a small call costs."""
    if isinstance(run, np.ufunc) and run not in (np.maximum, np.minimum):  # whose third argument numpy is to redefine
        return functools.partial(run, *given, out)
    return functools.partial(run, *given, out=out)


def _copy_into(run: Callable[..., Any], out: Array, *inputs: Array) -> None:
    out[...] = run(*inputs)


def _make(calls: list[Callable[[], Any]]) -> None:
    for call in calls:
        call()
