"""Crosses of features: every way to take one feature of each column, as a string or as a hash.

A column is, for each row of the batch, the list of its features.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphgrad.kernels._hashes import farmhash64
from graphgrad.kernels._parsing import row_of

Array = np.ndarray[Any, Any]
Column = list[list[Any]]

LOW64, LARGEST = (1 << 64) - 1, (1 << 63) - 1
MULTIPLIER = 0xC6A4A7935BD1E995


def together(first: int, second: int) -> int:
    """The fingerprint of two: Murmur's mixing, twice."""
    found = first ^ MULTIPLIER ^ (_shifted(second * MULTIPLIER & LOW64) * MULTIPLIER & LOW64)
    return _shifted(_shifted(found * MULTIPLIER & LOW64) * MULTIPLIER & LOW64)


def _shifted(value: int) -> int:
    return value ^ value >> 47


def hashed(
    buckets: int, first: Sequence[int] = (), of_string: Callable[[bytes], int] = farmhash64
) -> Callable[[tuple[Any, ...]], int]:
    """How features are crossed to a number below `buckets`, behind the numbers that come first; 0 means as many as there are."""

    def cross(features: tuple[Any, ...]) -> int:
        prints = [of_string(f) if isinstance(f, bytes) else f & LOW64 for f in (*first, *features)]
        return functools.reduce(together, prints) % (buckets if buckets > 0 else LARGEST)

    return cross


def joined(separator: bytes) -> Callable[[tuple[Any, ...]], bytes]:
    """How features are crossed to a string."""
    return lambda features: separator.join(f if isinstance(f, bytes) else str(f).encode() for f in features)


def crosses(columns: list[Column], cross: Callable[[tuple[Any, ...]], Any], rows: int) -> list[list[Any]]:
    """For each row all crosses, the last column running fastest."""
    if not columns:
        return [[] for _ in range(rows)]
    return [[cross(way) for way in itertools.product(*(column[row] for column in columns))] for row in range(rows)]


def of_dense(values: Array, rows: int) -> Column:
    """Raises ValueError for what is no matrix of so many rows."""
    if values.ndim != 2 or len(values) != rows:
        raise ValueError(f"dense features of shape {list(values.shape)} are no matrix of {rows} rows")
    return values.tolist()  # type: ignore[no-any-return]


def of_sparse(indices: Array, values: Array, shape: Array, rows: int) -> Column:
    """Raises ValueError for what is no sparse matrix of so many rows."""
    if indices.ndim != 2 or indices.shape[1] != 2 or values.shape != indices.shape[:1] or shape.shape != (2,):
        sizes = f"{list(indices.shape)}, {list(values.shape)}, {list(shape.shape)}"
        raise ValueError(f"indices, values and shape of sizes {sizes} are no sparse matrix")
    if shape[0] != rows or (len(indices) and not 0 <= indices[:, 0].min() <= indices[:, 0].max() < rows):
        raise ValueError(f"sparse features of {shape[0]} rows do not go with {rows}")
    column: Column = [[] for _ in range(rows)]
    for row, value in zip(indices[:, 0].tolist(), values.tolist(), strict=True):
        column[row].append(value)
    return column


def flat(found: list[list[Any]], dtype: Any) -> Array:
    """The crosses of all rows, one after the other."""
    values = list(itertools.chain.from_iterable(found))
    return row_of(values) if np.dtype(dtype).kind == "O" else np.array(values, dtype)
