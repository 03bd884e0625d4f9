"""What a strided slice means: begin, end, strides and TensorFlow's five bit masks become one numpy index.

The index never wraps a lone position around, and a spec TensorFlow refuses is a ValueError.
"""

from __future__ import annotations

from typing import Any, NamedTuple


class StrideMasks(NamedTuple):
    """One bit per entry of the spec, under TensorFlow's attribute names without `_mask`."""

    begin: int
    end: int
    ellipsis: int
    new_axis: int
    shrink_axis: int


class StridedSpec(NamedTuple):
    """The three vectors of a strided slice, as lists, and its masks."""

    begin: list[int]
    end: list[int]
    strides: list[int]
    masks: StrideMasks


def _ellipsis_width(spec: StridedSpec, place: int, rank: int) -> int:
    """How many axes the ellipsis stands for: those that no other entry consumes."""
    new_axes = spec.masks.new_axis & ~(1 << place) & ((1 << len(spec.begin)) - 1)
    return max(rank - (len(spec.begin) - 1 - new_axes.bit_count()), 0)


def _position(axis: int, start: int, stride: int, length: int) -> int:
    if stride < 0:
        raise ValueError("only stride 1 allowed on non-range indexing")
    place = start + length if start < 0 else start
    if not 0 <= place < length:
        raise ValueError(f"slice index {start} of dimension {axis} out of bounds")
    return place


def strided_index(shape: tuple[int, ...], spec: StridedSpec) -> tuple[Any, ...]:
    """The index that reads or writes the slice in an array of this shape; it always gives a view."""
    masks = spec.masks
    ellipsis = masks.ellipsis & ((1 << len(spec.begin)) - 1)
    if ellipsis.bit_count() > 1:
        raise ValueError("multiple ellipses in slice spec not allowed")
    index: list[Any] = []
    axis = 0
    for i, (start, stop, stride) in enumerate(zip(spec.begin, spec.end, spec.strides, strict=True)):
        bit = 1 << i
        if ellipsis & bit:
            width = _ellipsis_width(spec, i, len(shape))
            index.extend([slice(None)] * width)
            axis += width
            continue
        if masks.new_axis & bit:
            index.append(None)
            continue
        if axis >= len(shape):
            raise ValueError(f"index out of range using input dim {axis}; input has only {len(shape)} dims")
        if stride == 0:
            raise ValueError(f"strides[{i}] must be non-zero")
        if masks.shrink_axis & bit:
            index.append(_position(axis, start, stride, shape[axis]))
        else:
            first = None if masks.begin & bit else start
            last = None if masks.end & bit else stop
            index.append(slice(first, last, stride))
        axis += 1
    return (*index, ...)
