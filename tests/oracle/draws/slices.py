"""Slices, strided and plain, and updates of them."""

from __future__ import annotations

from typing import Any

from tests.oracle.draws import Drawer, sketch
from tests.oracle.draws.arraying import any_dtype


@sketch("Slice")
def slice_(d: Drawer, op: str) -> Any:
    shape = d.shape()
    begin = [d.integer(0, n) for n in shape]
    size = [-1 if d.chance(0.3) else d.integer(0, n - b) for n, b in zip(shape, begin, strict=True)]
    kind = d.pick("int32", "int64")
    return d.op(op, d.tensor(shape, any_dtype(d)), d.index(begin, kind), d.index(size, kind))


def spec(d: Drawer, shape: tuple[int, ...]) -> tuple[list[list[int]], dict[str, int]]:
    """Begin, end and strides of a slice of `shape`, and its masks."""
    begin, end, strides = [], [], []
    masks = dict.fromkeys(("begin_mask", "end_mask", "ellipsis_mask", "new_axis_mask", "shrink_axis_mask"), 0)
    axis, taken = 0, d.integer(0, len(shape))
    ellipsis = d.integer(0, taken) if d.chance(0.3) else -1
    skipped = len(shape) - taken
    place = 0
    while True:
        bit = 1 << place
        if axis == ellipsis:
            masks["ellipsis_mask"] |= bit
            ellipsis, axis = -1, axis + skipped
            triple = (d.integer(-1, 1), d.integer(-1, 1), 1)
        elif d.chance(0.15):
            masks["new_axis_mask"] |= bit
            triple = (0, 0, 1)
        elif axis < taken + (skipped if masks["ellipsis_mask"] else 0) and axis < len(shape):
            n = shape[axis]
            axis += 1
            if n and d.chance(0.2):
                masks["shrink_axis_mask"] |= bit
                at = d.integer(-n, n - 1)
                triple = (at, at + 1, 1)
            else:
                stride = d.pick(1, 1, 1, 2, -1, -2)
                triple = (d.integer(-n - 1, n + 1), d.integer(-n - 1, n + 1), stride)
                masks["begin_mask"] |= bit * d.chance(0.3)
                masks["end_mask"] |= bit * d.chance(0.3)
        else:
            break
        begin.append(triple[0]), end.append(triple[1]), strides.append(triple[2])
        place += 1
        if place > 6:
            break
    return [begin, end, strides], masks


def bounds(d: Drawer, triple: list[list[int]], kind: str) -> list[Any]:
    constant = d.chance(0.5)
    return [d.index(part, kind, 1.0 if constant else 0.5) for part in triple]


@sketch("StridedSlice")
def strided_slice(d: Drawer, op: str) -> Any:
    shape = d.shape()
    triple, masks = spec(d, shape)
    x = d.tensor(shape, any_dtype(d))
    return d.op(op, x, *bounds(d, triple, d.pick("int32", "int64", "int32", "int64", "int16")), **masks)


def sliced(shape: tuple[int, ...], triple: list[list[int]], masks: dict[str, int]) -> tuple[int, ...]:
    """The shape of the slice, as NumPy has it."""
    import numpy as np

    key: list[Any] = []
    for place, (begin, end, stride) in enumerate(zip(*triple, strict=True)):
        bit = 1 << place
        if masks["ellipsis_mask"] & bit:
            key.append(Ellipsis)
        elif masks["new_axis_mask"] & bit:
            key.append(None)
        elif masks["shrink_axis_mask"] & bit:
            key.append(begin)
        else:
            first = None if masks["begin_mask"] & bit else begin
            last = None if masks["end_mask"] & bit else end
            key.append(slice(first, last, stride))
    return np.empty(shape)[tuple(key)].shape


@sketch("StridedSliceGrad", "TensorStridedSliceUpdate")
def strided_update(d: Drawer, op: str) -> Any:
    shape = d.shape(1)
    triple, masks = spec(d, shape)
    part, kind, dtype = sliced(shape, triple, masks), d.pick("int32", "int64"), any_dtype(d)
    if op == "StridedSliceGrad":
        return d.op(op, d.index(list(shape), kind), *bounds(d, triple, kind), d.tensor(part, dtype), **masks)
    x = d.tensor(shape, dtype)
    return d.op(op, x, *bounds(d, triple, kind), d.operand(part, dtype), **masks)
