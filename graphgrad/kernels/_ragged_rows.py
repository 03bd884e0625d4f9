"""Ragged tensors as values: what a variant holds, and how rows of differing lengths are laid into a dense tensor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphgrad.kernels._variants import unboxed

Array = np.ndarray[Any, Any]


class RaggedRows:
    """Flat values and the splits that cut them, the outermost first; no splits for a dense tensor."""

    __slots__ = ("splits", "values")

    def __init__(self, splits: list[Array], values: Array):
        self.splits, self.values = splits, values

    def rows(self) -> list[RaggedRows]:
        """The rows one by one, each with the splits that are left."""
        parts = []
        for start, stop in zip(self.splits[0][:-1], self.splits[0][1:], strict=True):
            inner = []
            for cut in self.splits[1:]:
                inner.append(cut[start : stop + 1] - cut[start])
                start, stop = cut[start], cut[stop]
            parts.append(RaggedRows(inner, self.values[start:stop]))
        return parts

    @staticmethod
    def joined(parts: Sequence[RaggedRows], rank: int, dtype: Any) -> RaggedRows:
        """Parts of so many splits as the rows of one ragged tensor."""
        counts = [len(p.splits[0]) - 1 if rank else len(p.values) for p in parts]
        splits = [np.append(0, np.cumsum(counts)).astype(np.int64)]
        for level in range(rank):
            lengths = [np.diff(p.splits[level]) for p in parts]
            splits.append(np.append(0, np.cumsum(np.concatenate([*lengths, np.zeros(0, np.int64)]))).astype(np.int64))
        return RaggedRows(splits, np.concatenate([p.values for p in parts]) if parts else np.zeros(0, dtype))

    def zeros_like(self) -> RaggedRows:
        return RaggedRows(self.splits, np.zeros_like(self.values))

    def __add__(self, other: Any) -> RaggedRows:
        other = unboxed(other, RaggedRows)
        same = len(self.splits) == len(other.splits) and all(
            np.array_equal(a, b) for a, b in zip(self.splits, other.splits, strict=True)
        )
        if not same:
            raise ValueError("ragged tensors of different rows cannot be added")
        return RaggedRows(self.splits, self.values + other.values)


def padded(shape: Array, values: Array, default: Array, partitions: list[Array], kinds: tuple[str, ...]) -> Array:
    """Rows laid into a dense tensor from the left, the rest filled with the default; what is too long is cut off."""
    if default.ndim >= values.ndim:
        raise ValueError(
            f"default_value of shape {list(default.shape)} does not fit values of shape {list(values.shape)}"
        )
    first_dim = None
    if kinds[0] == "FIRST_DIM_SIZE":
        first_dim, kinds, partitions = int(partitions[0]), kinds[1:], partitions[1:]
    lengths = _row_lengths(kinds, partitions, first_dim)
    inner = values.shape[1:]
    sizes = [len(lengths[0]), *(int(rows.max(initial=0)) for rows in lengths), *inner]
    wanted = _wanted(shape, sizes, len(lengths) + 1)
    dense = np.empty(wanted, values.dtype)
    dense[...] = default
    places: list[Array] = []
    parents = np.arange(len(lengths[0]))
    for rows in lengths:
        columns = np.arange(rows.sum()) - np.repeat(np.cumsum(rows) - rows, rows)
        members = np.repeat(np.arange(len(rows)), rows)
        places = [*(place[members] for place in (places or [parents])), columns]
    count = min(len(values), len(places[0]))
    places = [place[:count] for place in places]
    inside = np.ones(count, np.bool_)
    for place, size in zip(places, wanted, strict=False):
        inside &= place < size
    dense[tuple(place[inside] for place in places)] = values[:count][inside]
    return dense


def _row_lengths(kinds: tuple[str, ...], partitions: list[Array], first_dim: int | None) -> list[Array]:
    """Level by level the lengths of all rows."""
    lengths: list[Array] = []
    count = first_dim
    for kind, partition in zip(kinds, partitions, strict=True):
        if kind == "ROW_SPLITS":
            if not len(partition) or partition[0] != 0 or (np.diff(partition) < 0).any():
                raise ValueError(f"row splits must ascend from 0, got {partition.tolist()[:8]}")
            rows = np.diff(partition)
        elif kind == "VALUE_ROWIDS":
            if len(partition) and (partition.min() < 0 or (np.diff(partition) < 0).any()):
                raise ValueError(f"value row ids must ascend from 0, got {partition.tolist()[:8]}")
            rows = np.bincount(partition, minlength=count or 0)
            if count is not None and len(rows) > count:
                raise ValueError(f"value row id {len(rows) - 1} names a row behind the last of {count}")
        else:
            raise ValueError(f"row partition type {kind!r} is not supported")
        lengths.append(rows.astype(np.int64))
        count = int(rows.sum())
    return lengths


def _wanted(shape: Array, sizes: list[int], ragged: int) -> tuple[int, ...]:
    """The shape asked for, its unknown places (-1) filled by the sizes that are there."""
    if shape.ndim == 0:
        if shape != -1:
            raise ValueError(f"a scalar shape can only be -1, for nothing known, got {int(shape)}")
        return tuple(sizes)
    if len(shape) != len(sizes):
        raise ValueError(f"the shape {shape.tolist()} has {len(shape)} axes, the values lie in {len(sizes)}")
    wanted = tuple(size if n < 0 else int(n) for n, size in zip(shape.tolist(), sizes, strict=True))
    if list(wanted[ragged:]) != sizes[ragged:]:
        raise ValueError(f"values of inner shape {sizes[ragged:]} do not fit shape {shape.tolist()}")
    return wanted
