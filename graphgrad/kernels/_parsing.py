"""Strings one by one: arrays of them, and the numbers they spell."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
Parser = Callable[[bytes], Any]


def each(apply: Callable[[bytes], Any], strings: Array, dtype: Any = object) -> Array:
    """The results for all elements, as an array of the same shape."""
    out = np.empty(strings.shape, dtype)
    out.reshape(-1)[:] = [apply(value) for value in strings.reshape(-1).tolist()]
    return out


def row_of(values: list[Any]) -> Array:
    """A vector of strings."""
    out = np.empty(len(values), object)
    out[:] = values
    return out


_DECIMAL = re.compile(rb"[ \t\n\v\f\r]*([+-]?(?:\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?))[ \t\n\v\f\r]*")
_HEXADECIMAL = re.compile(rb"\s*([+-]?0[xX][0-9a-fA-F]+(?:\.[0-9a-fA-F]*)?(?:[pP][+-]?\d+)?)\s*")
_NAMED = re.compile(rb"(?i)\s*([+-]?)(inf|infinity|nan(?:\([0-9a-z_]*\))?)\s*")
_INTEGER = re.compile(rb"[ \t\n\v\f\r]*([+-]?\d+)[ \t\n\v\f\r]*")


def parser_of(dtype: np.dtype[Any]) -> Parser:
    """The function that gives the number of that dtype a string spells, or None where it spells none."""
    return _to_float if dtype.kind == "f" else _to_integer(dtype)


def _to_float(value: bytes) -> float | None:
    if found := _DECIMAL.fullmatch(value):
        return float(found[1])
    if found := _HEXADECIMAL.fullmatch(value):
        return float.fromhex(found[1].decode())
    if found := _NAMED.fullmatch(value):
        return float(found[1] + found[2][:3])
    return None


def _to_integer(dtype: np.dtype[Any]) -> Callable[[bytes], int | None]:
    limits = np.iinfo(dtype)

    def parse(value: bytes) -> int | None:
        found = _INTEGER.fullmatch(value)
        if found is None or (limits.min == 0 and found[1].startswith(b"-")):
            return None
        number = int(found[1])
        return number if limits.min <= number <= limits.max else None

    return parse
