"""Numbers between two ends as integers of few bits: how they are turned into one another, to the last bit.

A type of n bits cuts a range into 2**n steps, of which the first and the last are the range's ends. Scalars are
computed in double precision, as TensorFlow's kernels do.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

Array = np.ndarray[Any, Any]
F = np.float32


class Ends(NamedTuple):
    """The ends of a range, which are float32."""

    low: Any
    high: Any


def limits(dtype: Any) -> tuple[int, int]:
    info = np.iinfo(dtype)
    return int(info.min), int(info.max)


def away(x: Any) -> Any:
    """Rounded, halves away from zero."""
    whole = np.trunc(x)
    return whole + np.where(np.abs(x - whole) >= 0.5, np.copysign(1, x), 0).astype(np.asarray(x).dtype)


def steps(dtype: Any) -> float:
    return float(1 << 8 * np.dtype(dtype).itemsize)


def step(ends: Ends, dtype: Any) -> float:
    """How far two integers next to each other are apart."""
    count = steps(dtype)
    return float(ends.high - ends.low) * (count / (count - 1)) / count


def to_float(q: Array, ends: Ends) -> Array:
    """What integers stand for."""
    if ends.low == ends.high:
        return np.full(q.shape, ends.low, F)
    size = step(ends, q.dtype)
    low = float(away(F(ends.low) / F(size)) * F(size))
    return (low + (q.astype(np.float64) - limits(q.dtype)[0]) * size).astype(F)


def nearest(x: Any, ends: Ends, dtype: Any) -> Any:
    """The whole numbers closest to x, not yet kept within the type."""
    if ends.low == ends.high:
        return np.zeros(np.shape(x), np.int64)
    count = steps(dtype)
    scale = count / (float(ends.high - ends.low) * (count / (count - 1)))
    found = away(np.asarray(x, np.float64) * scale) - away(float(ends.low) * scale)
    return found.astype(np.int64) + limits(dtype)[0]


def to_integer(x: Any, ends: Ends, dtype: Any) -> Array:
    """The integers closest to x."""
    return np.clip(nearest(x, ends, dtype), *limits(dtype)).astype(dtype)


def zero(ends: Ends, dtype: Any) -> int:
    """The whole number that stands for 0, which may lie outside the type."""
    return int(nearest(0.0, ends, dtype))


def moved(q: Array, old: Ends, new: Ends, dtype: Any) -> Array:
    """Integers of one range as those of another."""
    if q.dtype == np.int32 and dtype == np.uint8:
        return _shrunk(q, old, new)
    return to_integer(to_float(q, old), new, dtype)


def _shrunk(q: Array, old: Ends, new: Ends) -> Array:
    """int32 to uint8 in fixed point with 16 bits behind the point."""
    width = F(new.high - new.low)
    if width == 0:
        return np.clip(np.full(q.shape, 1 << 15, np.int64) >> 16, 0, 255).astype(np.uint8)
    one = 1 << 16
    scale = int(255.0 * one * float(F(old.high - old.low)) / float(width))
    middle = F((old.low + old.high) / 2.0)
    shift = int(F(middle * F(255.0 / float(width))) * F(one))
    begin = int(one * (float(new.low) * 255.0) / float(width))
    value = (q.astype(np.int64) * scale >> 32) + shift - begin + (one >> 1)
    return np.clip(value >> 16, 0, 255).astype(np.uint8)


def to_float_single(q: Array, low: Array, high: Array) -> Array:
    """As `to_float`, in single precision; the ends may be arrays."""
    count = steps(q.dtype)
    size = ((high - low).astype(np.float64) * (count / (count - 1)) / count).astype(F)
    with np.errstate(all="ignore"):
        begin = np.where(low == high, low, away(low / size) * size)
    return (begin - F(limits(q.dtype)[0]) * size) + q.astype(F) * size


def to_integer_single(x: Array, low: Array, high: Array, dtype: Any) -> Array:
    """As `to_integer`, in single precision; the ends may be arrays."""
    first, last = limits(dtype)
    count = steps(dtype)
    scale = (count / ((high - low).astype(np.float64) * (count / (count - 1)))).astype(F)
    begin = away(low * scale) - F(first)
    top = np.nextafter(F(last), F(0)) if int(F(last)) > last else F(last)
    return np.minimum(np.maximum(away(x * scale) - begin, F(first)), top).astype(dtype)


def by_steps(q: Array, old: Ends, new: Ends, dtype: Any) -> Array:
    """As `moved`, counted in whole numbers of steps of the new range from where 0 goes."""
    first, second = (int(nearest(x, new, dtype)) for x in to_float(np.array([0, 1], q.dtype), old))
    return np.clip(first + q.astype(np.int64) * (second - first), *limits(dtype)).astype(dtype)


def product_ends(a: Ends, a_dtype: Any, b: Ends, b_dtype: Any) -> tuple[Array, Array]:
    """The ends of int32 whose step is the product of the steps of two ranges."""
    low, high = limits(np.int32)
    one = _level(a, a_dtype) * _level(b, b_dtype)
    return F(one * F(low)), F(one * F(high))


def _level(ends: Ends, dtype: Any) -> Any:
    low, high = limits(dtype)
    return F(F(ends.high - ends.low) / F(high - low))


def sum_ends(a: Ends, b: Ends, wider: int) -> Ends:
    """The ends of int32 in which numbers of both ranges are added: so many bits wider than either."""
    largest = max(float(a.high), float(b.high), -float(min(a.low, b.low)))
    high = F(largest * (1 << wider))
    return Ends(-high, high)
