"""Sparse tensors as coordinate lists: a matrix of indices, one row per entry, beside the values and a dense shape.

Entries keep their order; where an order matters it is that of the index rows read from left to right.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def check(indices: Array, values: Array, shape: Array, name: str = "") -> None:
    """Raises ValueError unless the three describe one sparse tensor."""
    label = f"{name}_" if name else ""
    if indices.ndim != 2 or values.ndim != 1 or shape.ndim != 1:
        raise ValueError(
            f"{label}indices, {label}values and {label}shape must have ranks 2, 1 and 1, not "
            f"{indices.ndim}, {values.ndim} and {shape.ndim}"
        )
    if len(indices) != len(values) or indices.shape[1] != len(shape):
        raise ValueError(
            f"{label}indices of shape {list(indices.shape)} do not fit {len(values)} values of a tensor of rank {len(shape)}"
        )


def refuse_outside_shape(indices: Array, shape: Sequence[int]) -> None:
    """Raises ValueError unless every index row lies in the shape, naming the first that does not."""
    outside = ((indices < 0) | (indices >= np.asarray(shape, np.int64))).any(axis=1)
    if outside.any():
        at = int(outside.argmax())
        raise ValueError(f"indices[{at}] = {indices[at].tolist()} is out of bounds of shape {[int(n) for n in shape]}")


def keys(shape: Sequence[int], *matrices: Array) -> list[Array]:
    """For each index row a number; numbers are equal, or in order, where the rows are."""
    if math.prod(int(n) for n in shape) < 1 << 62:
        return [_counted(shape, matrix) for matrix in matrices]
    _, places = np.unique(np.concatenate(matrices), axis=0, return_inverse=True)
    return np.split(places.reshape(-1), np.cumsum([len(m) for m in matrices])[:-1])


def _counted(shape: Sequence[int], matrix: Array) -> Array:
    place = np.zeros(len(matrix), np.int64)
    for axis, length in enumerate(shape):
        place = place * int(length) + matrix[:, axis]
    return place


def spanned(*matrices: Array) -> list[int]:
    """The smallest shape all index rows lie in."""
    stacked = np.concatenate(matrices)
    return [int(n) + 1 for n in stacked.max(axis=0, initial=0)]


def ordered(indices: Array) -> Array:
    """The permutation that sorts index rows; equal ones keep their order."""
    return np.lexsort(indices.T[::-1]) if indices.shape[1] else np.arange(len(indices))


def repeats(sorted_keys: Array) -> Array:
    """For each of ascending keys how many equal ones stand before it."""
    starts = np.flatnonzero(np.diff(sorted_keys, prepend=sorted_keys[:1] - 1))
    return np.arange(len(sorted_keys)) - np.repeat(starts, np.diff(starts, append=len(sorted_keys)))


def matched(wanted: Array, given: Array) -> tuple[Array, Array]:
    """For each wanted key whether it is among the given ones, and where (0 where it is not)."""
    order = np.argsort(given, kind="stable")
    places = np.minimum(np.searchsorted(given, wanted, sorter=order), max(len(given) - 1, 0))
    if not len(given):
        return np.zeros(len(wanted), np.bool_), places * 0
    places = order[places]
    found = given[places] == wanted
    return found, np.where(found, places, 0)


def numbers(shape: Array) -> tuple[int, ...]:
    """A shape tensor as a tuple."""
    return tuple(int(n) for n in shape)


def filled_rows(rows: Array, count: int) -> tuple[Array, Array, Array, Array, Array]:
    """What filling takes: all rows in order, the empty ones, which are empty, the order of old entries with an entry
    for each empty row behind them, and where each old entry went."""
    if len(rows) and (rows.min() < 0 or rows.max() >= count):
        at = int(((rows < 0) | (rows >= count)).argmax())
        raise ValueError(f"indices({at}, 0) is invalid: {rows[at]} is not in [0, {count})")
    empty = np.bincount(rows, minlength=count) == 0
    added = np.flatnonzero(empty)
    every = np.concatenate([rows, added])
    order = np.argsort(every, kind="stable")
    back = np.empty(len(every), np.int64)
    back[order] = np.arange(len(every))
    return every[order], added, empty, order, back[: len(rows)]


def unfilled_gradients(reverse_index_map: Array, dz: Array) -> tuple[Array, Array]:
    """The gradients of the old entries, and of the default value that stands in all the others."""
    if reverse_index_map.ndim != 1 or dz.ndim != 1:
        raise ValueError("reverse_index_map and grad_values must be vectors")
    if len(reverse_index_map) and not 0 <= reverse_index_map.min() <= reverse_index_map.max() < len(dz):
        raise ValueError(f"elements of reverse_index_map must be in [0, {len(dz)})")
    added = np.ones(len(dz), np.bool_)
    added[reverse_index_map] = False
    return dz[reverse_index_map], np.asarray(dz[added].sum(dtype=dz.dtype), dz.dtype)
