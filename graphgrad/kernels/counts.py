"""Kernels that count values row by row, of sparse, ragged and dense tensors, and the distances of sequences."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphgrad.kernels._coordinates import check, keys, numbers, refuse_outside_shape
from graphgrad.registry import kernel

Array = np.ndarray[Any, Any]


def checked_size(size: Array) -> int:
    """The number of bins."""
    if size.ndim or size < 0:
        raise ValueError(f"size must be a scalar that is not negative, got {size.tolist()}")
    return int(size)


def binned(rows: Array, count: int, values: Array, size: int, weights: Array, is_binary: bool) -> Array:
    """For each row how often (or with what weights, or whether at all) each value below `size` is in it."""
    if len(values) and values.min() < 0:
        raise ValueError("values to count must not be negative")
    if 0 < weights.size < values.size:
        raise ValueError(f"{values.size} values have {weights.size} weights")
    weights = weights.reshape(-1)[: values.size]
    bins = np.zeros((count, size), weights.dtype)
    kept = values < size
    if is_binary:
        bins[rows[kept], values[kept]] = 1
    else:
        np.add.at(bins, (rows[kept], values[kept]), weights[kept] if weights.size else weights.dtype.type(1))
    return bins


@kernel("SparseBincount")
def sparse_bincount(indices, values, dense_shape, size, weights, *, binary_output):
    if len(dense_shape) > 2:
        raise ValueError(f"only vectors and matrices are counted, not tensors of rank {len(dense_shape)}")
    check(indices, values, dense_shape)
    refuse_outside_shape(indices, dense_shape)
    is_matrix = len(dense_shape) == 2
    rows = indices[:, 0] if is_matrix else np.zeros(len(values), np.int64)
    count = int(dense_shape[0]) if is_matrix else 1
    bins = binned(rows, count, values, checked_size(size), weights, binary_output)
    return bins if is_matrix else bins[0]


def counted(rows: Array, count: int, values: Array, weights: Array, limits: tuple[int, int], is_binary: bool) -> Any:
    """(row, value) pairs in order with their counts; the values of the shape's last axis end at the largest limit."""
    minlength, maxlength = limits
    if weights.size and weights.shape != values.shape:
        raise ValueError(f"weights must be empty or of shape {list(values.shape)}, not {list(weights.shape)}")
    if len(values) and values.min() < 0:
        raise ValueError("values to count must not be negative")
    kept = values < maxlength if maxlength >= 0 else np.ones(len(values), np.bool_)
    width = max(int(values[kept].max(initial=0)) + 1, minlength)
    if maxlength >= 0:
        width = maxlength
    pairs, places = np.unique(rows[kept] * max(width, 1) + values[kept], return_inverse=True)
    sums = np.zeros(len(pairs), weights.dtype)
    if is_binary:
        sums[:] = 1
    else:
        np.add.at(sums, places.reshape(-1), weights[kept] if weights.size else weights.dtype.type(1))
    pairs = np.stack([pairs // max(width, 1), pairs % max(width, 1)], axis=1).astype(np.int64)
    return pairs, sums, np.array([count, width], np.int64)


def _without_rows(counts: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
    pairs, sums, shape = counts
    return pairs[:, 1:], sums, shape[1:]


@kernel("SparseCountSparseOutput")
def count_sparse(indices, values, dense_shape, weights, *, minlength, maxlength, binary_output):
    check(indices, values, dense_shape)
    refuse_outside_shape(indices, dense_shape)
    if len(dense_shape) not in (1, 2):
        raise ValueError(f"only vectors and matrices are counted, not tensors of rank {len(dense_shape)}")
    limits = minlength, maxlength
    if len(dense_shape) == 1:
        rows = np.zeros(len(values), np.int64)
        return _without_rows(counted(rows, 1, values, weights, limits, binary_output))
    return counted(indices[:, 0], int(dense_shape[0]), values, weights, limits, binary_output)


@kernel("DenseCountSparseOutput")
def count_dense(values, weights, *, minlength, maxlength, binary_output):
    if values.ndim not in (1, 2):
        raise ValueError(f"only vectors and matrices are counted, not tensors of rank {values.ndim}")
    if weights.size and weights.shape != values.shape:
        raise ValueError(f"weights must be empty or of shape {list(values.shape)}, not {list(weights.shape)}")
    count = len(values) if values.ndim == 2 else 1
    rows = np.repeat(np.arange(count), values.shape[-1])
    counts = counted(rows, count, values.reshape(-1), weights.reshape(-1), (minlength, maxlength), binary_output)
    return counts if values.ndim == 2 else _without_rows(counts)


# ----------------------------------------------------------------------------------------------- ragged


def _rows_of(splits: Array, values: Array) -> tuple[Array, int]:
    """For each value its row, and how many rows there are."""
    splits = splits.reshape(-1)  # TensorFlow takes them in any shape
    if not len(splits):
        raise ValueError("splits must have at least one entry")
    if splits[0] != 0 or splits[-1] != len(values) or (np.diff(splits) < 0).any():
        raise ValueError(f"splits must ascend from 0 to {len(values)}, the number of values")
    return np.repeat(np.arange(len(splits) - 1), np.diff(splits)), len(splits) - 1


@kernel("RaggedBincount")
def ragged_bincount(splits, values, size, weights, *, binary_output):
    values = values.reshape(-1)
    rows, count = _rows_of(splits, values)
    return binned(rows, count, values, checked_size(size), weights, binary_output)


@kernel("RaggedCountSparseOutput")
def count_ragged(splits, values, weights, *, minlength, maxlength, binary_output):
    if weights.size and weights.shape != values.shape:
        raise ValueError(f"weights must be empty or of shape {list(values.shape)}, not {list(weights.shape)}")
    values, weights = values.reshape(-1), weights.reshape(-1)
    rows, count = _rows_of(splits, values)
    return counted(rows, count, values, weights, (minlength, maxlength), binary_output)


# ----------------------------------------------------------------------------------------------- distances


@kernel("EditDistance")
def edit_distance(h_indices, h_values, h_shape, t_indices, t_values, t_shape, *, normalize):
    """The fewest insertions, deletions and exchanges that turn one row into the other."""
    check(h_indices, h_values, h_shape, "hypothesis")
    check(t_indices, t_values, t_shape, "truth")
    if len(h_shape) != len(t_shape) or len(h_shape) < 1:
        raise ValueError(f"hypothesis and truth must be of one rank, not {len(h_shape)} and {len(t_shape)}")
    shape = numbers(np.maximum(h_shape[:-1], t_shape[:-1]))
    refuse_outside_shape(h_indices, h_shape)
    refuse_outside_shape(t_indices, t_shape)
    distances = np.zeros(int(np.prod(shape)), np.float32)
    rows = [_by_row(shape, indices, values) for indices, values in ((h_indices, h_values), (t_indices, t_values))]
    for row in {**rows[0], **rows[1]}:
        hypothesis, truth = (found.get(row, []) for found in rows)
        distance = float(_distance(hypothesis, truth))
        if normalize:
            distance = distance / len(truth) if truth else np.inf
        distances[row] = distance
    return distances.reshape(shape)


def _by_row(shape: tuple[int, ...], indices: Array, values: Array) -> dict[int, list[Any]]:
    (rows,) = keys(shape, indices[:, :-1])
    found: dict[int, list[Any]] = {}
    for row, value in zip(rows.tolist(), values.tolist(), strict=True):
        found.setdefault(row, []).append(value)
    return found


def _distance(a: list[Any], b: list[Any]) -> int:
    line = list(range(len(b) + 1))
    for i, left in enumerate(a, 1):
        before, line[0] = line[0], i
        for j, right in enumerate(b, 1):
            before, line[j] = line[j], min(before + (left != right), line[j] + 1, line[j - 1] + 1)
    return line[-1]
