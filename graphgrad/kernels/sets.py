"""Kernels of sets: the last axis of a tensor, or the entries of a sparse tensor's row, taken as a set of values."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphgrad.kernels._coordinates import check, keys, numbers, refuse_outside_shape, repeats
from graphgrad.registry import kernel

Array = np.ndarray[Any, Any]
Rows = tuple[tuple[int, ...], Array, Array]  # the shape of the rows, for each element its row, the elements

_OPERATIONS = {
    "a-b": lambda a, b: np.setdiff1d(a, b, assume_unique=True),
    "b-a": lambda a, b: np.setdiff1d(b, a, assume_unique=True),
    "intersection": lambda a, b: np.intersect1d(a, b, assume_unique=True),
    "union": np.union1d,
}


def _dense_rows(sets: Array, name: str) -> Rows:
    if sets.ndim < 2:
        raise ValueError(f"{name} must have rank 2 or more, not {sets.ndim}")
    shape = sets.shape[:-1]
    count = int(np.prod(shape))
    return shape, np.repeat(np.arange(count), sets.shape[-1]), sets.reshape(-1)


def _sparse_rows(indices: Array, values: Array, shape: Array, name: str, validate: bool) -> Rows:
    check(indices, values, shape, name)
    if len(shape) < 2:
        raise ValueError(f"{name} must have rank 2 or more, not {len(shape)}")
    refuse_outside_shape(indices, shape)
    if validate:
        (key,) = keys(shape, indices)
        if (np.diff(key) < 0).any():
            raise ValueError(f"the indices of {name} are not in order")
    (rows,) = keys(shape[:-1], indices[:, :-1])
    return numbers(shape[:-1]), rows, values


def _combined(a: Rows, b: Rows, operation: str) -> tuple[Array, Array, Array]:
    if a[0] != b[0]:
        raise ValueError(f"the sets stand in rows of shapes {list(a[0])} and {list(b[0])}")
    combine = _OPERATIONS.get(operation.lower())
    if combine is None:
        raise ValueError(f"set_operation must be one of {', '.join(_OPERATIONS)}, not {operation!r}")
    members, codes = np.unique(np.concatenate([a[2], b[2]]), return_inverse=True)
    width = max(len(members), 1)
    codes_a, codes_b = np.split(codes.reshape(-1), [len(a[2])])
    found = combine(np.unique(a[1] * width + codes_a), np.unique(b[1] * width + codes_b))
    rows, places = found // width, repeats(found // width)
    indices = np.stack([*np.unravel_index(rows, a[0]), places], axis=1) if len(found) else np.zeros((0, len(a[0]) + 1))
    shape = np.array([*a[0], places.max(initial=-1) + 1], np.int64)
    return indices.astype(np.int64), members[found % width], shape


@kernel("DenseToDenseSetOperation")
def dense_and_dense(set1, set2, *, set_operation):
    return _combined(_dense_rows(set1, "set1"), _dense_rows(set2, "set2"), set_operation)


@kernel("DenseToSparseSetOperation")
def dense_and_sparse(set1, indices, values, shape, *, set_operation, validate_indices):
    sparse = _sparse_rows(indices, values, shape, "set2", validate_indices)
    return _combined(_dense_rows(set1, "set1"), sparse, set_operation)


@kernel("SparseToSparseSetOperation")
def sparse_and_sparse(indices1, values1, shape1, indices2, values2, shape2, *, set_operation, validate_indices):
    a = _sparse_rows(indices1, values1, shape1, "set1", validate_indices)
    return _combined(a, _sparse_rows(indices2, values2, shape2, "set2", validate_indices), set_operation)


@kernel("SetSize")
def set_size(indices, values, shape, *, validate_indices):
    rows_shape, rows, elements = _sparse_rows(indices, values, shape, "set", validate_indices)
    _, codes = np.unique(elements, return_inverse=True)
    width = max(len(elements), 1)
    found = np.unique(rows * width + codes.reshape(-1))
    return np.bincount(found // width, minlength=int(np.prod(rows_shape))).astype(np.int32).reshape(rows_shape)
