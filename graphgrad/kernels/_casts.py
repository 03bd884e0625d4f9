"""Casts between numeric dtypes: bits cut off instead of rounded, and what becomes of numbers that integers cannot hold."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphgrad.kernels._precision import BFLOAT16, FLOAT8_E4M3FN, FLOAT8_E5M2, FLOAT16

Array = np.ndarray[Any, Any]

# dtype -> the integers over which its bits, or those of its parts, lie, and how many bits its significand stores.
_SIGNIFICANDS: dict[np.dtype[Any], tuple[type, int]] = {
    np.dtype(np.float64): (np.uint64, 52),
    np.dtype(np.complex128): (np.uint64, 52),
    np.dtype(np.float32): (np.uint32, 23),
    np.dtype(np.complex64): (np.uint32, 23),
    FLOAT16: (np.uint16, 10),
    BFLOAT16: (np.uint16, 7),
    FLOAT8_E4M3FN: (np.uint8, 3),
    FLOAT8_E5M2: (np.uint8, 2),
}
# What a cast with truncation truncates from each; TensorFlow knows it for no other pair.
_TRUNCATED_TO = {
    np.dtype(np.float64): (np.dtype(np.float32), FLOAT16, FLOAT8_E4M3FN, FLOAT8_E5M2),
    np.dtype(np.float32): (FLOAT16, BFLOAT16, FLOAT8_E4M3FN, FLOAT8_E5M2),
    np.dtype(np.complex64): (FLOAT16,),
    np.dtype(np.complex128): (np.dtype(np.float32), np.dtype(np.complex64), FLOAT16),
    **dict.fromkeys((FLOAT16, BFLOAT16), (FLOAT8_E4M3FN, FLOAT8_E5M2)),
    FLOAT8_E4M3FN: (FLOAT8_E5M2,),
}
# Floats -> how many of them TensorFlow casts to integers of 8 and 16 bits at once.
FLOATS = {FLOAT16: 16, BFLOAT16: 8, np.dtype(np.float32): 32, np.dtype(np.float64): 16}


def truncates(source: np.dtype[Any], target: np.dtype[Any]) -> bool:
    """Whether a cast with truncation between these dtypes cuts bits off."""
    return target in _TRUNCATED_TO.get(source, ())


def truncated(x: Array, target: np.dtype[Any]) -> Array:
    """The floats, or parts of complex numbers, with the bits of their significands cleared that the target has no room for."""
    bits, stored = _SIGNIFICANDS[x.dtype]
    spare = stored - _SIGNIFICANDS[target][1]
    mask = bits(np.iinfo(bits).max >> spare << spare)
    cut = (np.array(x, ndmin=1, order="C").view(bits) & mask).view(x.dtype).reshape(x.shape)
    return np.where(np.isnan(x), x, cut)


def to_integers(x: Array, target: np.dtype[Any]) -> Array:
    """Floats rounded towards zero.

    Of numbers beyond the integers C says nothing; what x86 processors make of them depends on whether they are cast one by
    one or, from the start of an array, many at once, where 8 and 16 bits take the nearest number they can hold.
    """
    limits = np.iinfo(target)
    if not x.size or (float(x.min()) > float(limits.min) - 1 and float(x.max()) < float(limits.max) + 1):
        return x.astype(target)
    wide = x.astype(np.float64)
    if target.itemsize >= 4 and target.kind == "i":
        return _held(wide, target)
    flat = wide.reshape(-1)
    if target == np.uint64:
        return np.where(flat < 2.0**63, _held(flat, np.int64).view(np.uint64), _beyond_signed(flat)).reshape(x.shape)
    count = flat.size - flat.size % (8 if target == np.uint32 else FLOATS[x.dtype])
    cast = np.empty(flat.shape, target)
    cast[:count] = _many_at_once(flat[:count], x.dtype, target)
    cast[count:] = _held(flat[count:], np.int64 if target == np.uint32 else np.int32).astype(target)
    return cast.reshape(x.shape)


def _held(x: Array, target: Any) -> Array:
    """In a signed type, whose lowest number stands for all that it cannot hold."""
    lowest = np.iinfo(target).min
    fits = (x > float(lowest) - 1) & (x < -float(lowest))
    return np.where(fits, np.where(fits, x, 0).astype(target), lowest).astype(target)


def _beyond_signed(x: Array) -> Array:
    """Of 2^63 and more, and of NaN."""
    fits = (x >= 2.0**63) & (x < 2.0**64)
    return np.where(fits, np.where(fits, x, 0).astype(np.uint64), np.uint64(1 << 63))


def _many_at_once(x: Array, source: np.dtype[Any], target: np.dtype[Any]) -> Array:
    if target == np.uint32:
        low, high = _held(x, np.int32), _held((x.astype(source) - source.type(2.0**31)).astype(np.float64), np.int32)
        return (low | (high & (low >> 31))).view(np.uint32)
    whole = _held(x, np.int32)
    if source == np.float64 and target == np.uint8:  # on the way through 16 bits, taken for signed ones
        whole = whole.clip(0, 65535).astype(np.uint16).view(np.int16)
    limits = np.iinfo(target)
    return whole.clip(limits.min, limits.max).astype(target)
