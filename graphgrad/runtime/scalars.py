"""Rows of scalar steps as one Python function over local variables: a number costs less than the least array.

The arithmetic is numpy's on its own scalars, which is that of arrays without dimensions, bit for bit.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

import numpy as np

from graphgrad.runtime import tiles
from graphgrad.runtime.record import Record
from graphgrad.runtime.steps import Step

FEWEST, MOST = 4, 500  # steps of one function
_OPERATORS = {
    np.add: "{} + {}",
    np.subtract: "{} - {}",
    np.multiply: "{} * {}",
    np.divide: "{} / {}",
    np.negative: "-{}",
}
_FORMULAS = {"TanhGrad": "{1} * (one - {0} * {0})", "SigmoidGrad": "{1} * ({0} * (one - {0}))"}
_SUMS = frozenset(["AddN", "AccumulateNV2"])


def joined(
    groups: list[list[Step]], record: Record, fixed: Collection[int], owned: Collection[int]
) -> list[list[Step]]:
    """The groups in order, scalar steps next to each other joined into rows."""
    found: list[list[Step]] = []
    row: list[Step] = []
    for group in [*groups, []]:
        is_scalar = len(group) == 1 and _is_scalar(group[0], record, fixed, owned)
        if not is_scalar or len(row) == MOST or not tiles.fits(group[0], row, record):
            found += [row] if len(row) >= FEWEST else [[step] for step in row]
            row = []
        if is_scalar:
            row.append(group[0])
        elif group:
            found.append(group)
    return found


def is_row(group: list[Step], record: Record) -> bool:
    """Whether a group is a row of scalar steps, not one that shares tiles."""
    return len(group) > 1 and record.forms[group[0].outputs[0]].shape == ()


def _is_scalar(step: Step, record: Record, fixed: Collection[int], owned: Collection[int]) -> bool:
    if len(step.outputs) != 1 or step.outputs[0] not in owned or not step.inputs:
        return False
    is_known = step.op.type in _FORMULAS or step.op.type in _SUMS or _is_function(step.run)
    form = record.forms[step.outputs[0]]
    if not is_known or form.shape != () or form.dtype.char not in "fd":
        return False
    operands = [record.form(i) for i in step.inputs if i in fixed]
    return len(operands) == len(step.inputs) and all(
        operand is not None and operand.shape == () and operand.dtype == form.dtype for operand in operands
    )


def _is_function(run: Any) -> bool:
    return isinstance(run, np.ufunc) and run.nout == 1 and run.signature is None


class Values:
    """The scalars that one row hands to another."""

    def __init__(self) -> None:
        self.held: list[Any] = []
        self._places: dict[int, int] = {}

    def place(self, slot: int) -> int:
        """Where in `held` the value of a slot is."""
        if slot not in self._places:
            self._places[slot] = len(self.held)
            self.held.append(None)
        return self._places[slot]

    def __contains__(self, slot: int) -> bool:
        return slot in self._places


def function(
    row: Sequence[Step], slots: Sequence[Any], record: Record, values: Values, handed_on: Collection[int]
) -> Callable[[], None]:
    """The row as a function. Results go to `values` where other rows read them (`handed_on`), and into arrays in `slots`."""
    dtype = record.forms[row[0].outputs[0]].dtype
    names: dict[str, Any] = {"one": dtype.type(1), "held": values.held}
    lines, known = [], set()
    for step in row:
        for i in step.inputs:
            if i not in known:
                known.add(i)
                lines.append(_read(i, slots, record, values, names))
        out = step.outputs[0]
        known.add(out)
        lines += _computed(step, out, names)
        if out in handed_on:
            lines.append(f"held[{values.place(out)}] = v{out}")
        if slots[out] is not None:
            names[f"a{out}"] = slots[out]
            lines.append(f"a{out}[()] = v{out}")
    exec("def row():\n " + "\n ".join(filter(None, lines)), names)  # made of numbers and the formulas above
    return names["row"]  # type: ignore[no-any-return]


def _read(slot: int, slots: Sequence[Any], record: Record, values: Values, names: dict[str, Any]) -> str:
    if slot in record.folded:
        names[f"v{slot}"] = record.folded[slot][()]
        return ""
    if slot in values:
        return f"v{slot} = held[{values.place(slot)}]"
    names[f"a{slot}"] = slots[slot]
    return f"v{slot} = a{slot}[()]"


def _computed(step: Step, out: int, names: dict[str, Any]) -> list[str]:
    given = [f"v{i}" for i in step.inputs]
    if step.op.type in _SUMS:  # one line a summand: an expression of thousands is too deep for Python
        return [f"v{out} = {given[0]}", *[f"v{out} = v{out} + {summand}" for summand in given[1:]]]
    formula = _FORMULAS.get(step.op.type) or _OPERATORS.get(step.run)  # type: ignore[call-overload]
    if formula is None:
        name = step.run.__name__
        names[name] = step.run
        formula = f"{name}({', '.join(['{}'] * len(given))})"
    return [f"v{out} = {formula.format(*given)}"]
