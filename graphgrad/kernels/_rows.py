"""Rows of a tensor picked by index: the bounds TensorFlow checks on the CPU, and sums gathered row by row.

An index never wraps around: what lies outside is an error that names the first offender and its place.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

# From here on a sparse matrix product soon repays the import of scipy.sparse, a quarter of a second.
_MANY_CELLS = 1 << 20
_PRODUCT_TYPES = frozenset("fdFDil")


def refuse_outside(indices: Array, limit: int, label: str = "indices") -> None:
    """Raises ValueError unless every index lies in [0, limit)."""
    if indices.size == 0 or (indices.min() >= 0 and indices.max() < limit):
        return
    place, name = _first((indices < 0) | (indices >= limit), label)
    raise ValueError(f"{name} = {indices[place]} is not in [0, {limit})")


def _first(marked: Array, label: str) -> tuple[tuple[int, ...], str]:
    """Where the first mark stands, and how messages call that entry."""
    place = tuple(int(i) for i in np.unravel_index(int(marked.argmax()), marked.shape))
    return place, f"{label}[{','.join(map(str, place))}]" if place else label


def flat_rows(indices: Array, dims: tuple[int, ...], policy: str) -> tuple[Array, Array | None]:
    """Row numbers for index vectors (the last axis) into `dims`; also which are valid, None when all are.

    `policy` is the attribute bad_indices_policy: "IGNORE" marks the bad ones, anything else refuses them.
    """
    rows: Any = np.zeros(indices.shape[:-1], np.int64)
    outside: Any = np.zeros(indices.shape[:-1], np.bool_)
    # Column by column, the longest axis stays the inner one.
    for axis, length in enumerate(dims):
        column = indices[..., axis]
        outside |= (column < 0) | (column >= length)
        rows = rows * length + column
    if not outside.any():
        return rows, None
    if policy == "IGNORE":
        return rows, ~outside
    place, name = _first(outside, "indices")
    raise ValueError(f"{name} = {indices[place].tolist()} does not index into shape {list(dims)}")


def row_sums(ids: Array, rows: Array, count: int) -> Array:
    """`sums[k]` is the sum of the `rows[i]` with `ids[i] == k`, for k below count; rows is a matrix."""
    if rows.size >= _MANY_CELLS and rows.shape[1] > 1 and rows.dtype.char in _PRODUCT_TYPES:
        from scipy.sparse import csc_matrix  # type: ignore[import-untyped]

        chooser = (np.ones(len(ids), rows.dtype), ids, np.arange(len(ids) + 1))
        return np.asarray(csc_matrix(chooser, shape=(count, len(ids))) @ rows)
    sums = np.zeros((count, rows.shape[1]), rows.dtype)
    if rows.dtype.kind == "O":
        sums.fill(b"")
    _combine_cells(np.add, sums, ids, rows)
    return sums


def combine_rows(combine: np.ufunc, out: Array, ids: Array, rows: Array) -> None:
    """`out[ids[i]] = combine(out[ids[i]], rows[i])` for one i after the other; out and rows are matrices."""
    if combine in (np.add, np.subtract) and rows.size >= _MANY_CELLS:
        combine(out, row_sums(ids, rows, len(out)), out=out)
    else:
        _combine_cells(combine, out, ids, rows)


def _combine_cells(combine: np.ufunc, out: Array, ids: Array, rows: Array) -> None:
    # `ufunc.at` is fast for flat arrays only.
    width = out.shape[1]
    cells = ids if width == 1 else (ids.astype(np.int64)[:, None] * width + np.arange(width)).reshape(-1)
    combine.at(out.reshape(-1), cells, rows.reshape(-1))
