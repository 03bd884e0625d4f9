"""Kernels of sparse matrices in compressed rows: one matrix, or a batch of them, held by a variant.

Entries stand row by row in the order they were given; what a product adds up to zero stays an entry, as in TensorFlow.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from graphgrad.kernels._coordinates import check, keys, matched, numbers, refuse_outside_shape
from graphgrad.kernels._rows import row_sums
from graphgrad.kernels._softmax import row_softmax
from graphgrad.kernels._variants import boxed, unboxed
from graphgrad.registry import kernel

Array = np.ndarray[Any, Any]


class SparseMatrix:
    """A matrix, or a batch of matrices, by coordinates: index rows of (batch,) row and column, and values."""

    __slots__ = ("indices", "shape", "values")

    def __init__(self, indices: Array, values: Array, shape: tuple[int, ...]):
        if len(shape) not in (2, 3):
            raise ValueError(f"a sparse matrix has rank 2, or 3 with a batch, not {len(shape)}")
        refuse_outside_shape(indices, shape)
        self.indices, self.values, self.shape = indices, values, shape

    @property
    def rows(self) -> Array:
        """For each entry its row, counted through the batch."""
        return keys(self.shape[:-1], self.indices[:, :-1])[0]

    @property
    def columns(self) -> Array:
        return self.indices[:, -1]

    @property
    def row_count(self) -> int:
        return int(np.prod(self.shape[:-1]))

    def with_values(self, values: Array) -> SparseMatrix:
        """The same entries with other values."""
        return SparseMatrix(self.indices, values, self.shape)

    def flipped(self, to: str) -> SparseMatrix:
        """Transposed ("transpose"), transposed and conjugated ("adjoint"), or as it is ("")."""
        if not to:
            return self
        order = [*range(len(self.shape) - 2), len(self.shape) - 1, len(self.shape) - 2]
        indices = self.indices[:, order]
        sorting = np.lexsort(indices.T[::-1])
        values = self.values[sorting]
        shape = tuple(self.shape[i] for i in order)
        return SparseMatrix(indices[sorting], values.conj() if to == "adjoint" else values, shape)

    def zeros_like(self) -> SparseMatrix:
        return SparseMatrix(self.indices[:0], self.values[:0], self.shape)

    def conjugate(self) -> SparseMatrix:
        return self.with_values(self.values.conj())

    def __add__(self, other: Any) -> SparseMatrix:
        return added(self, unboxed(other, SparseMatrix))


def matrix_of(variant: Any, dtype: np.dtype[Any] | None = None) -> SparseMatrix:
    """The matrix a variant holds. Raises TypeError where it is of another dtype."""
    matrix = unboxed(variant, SparseMatrix)
    if dtype is not None and matrix.values.dtype != dtype:
        raise TypeError(f"the sparse matrix is {matrix.values.dtype.name}, not {dtype.name}")
    return matrix


def added(a: SparseMatrix, b: SparseMatrix) -> SparseMatrix:
    """The sum, with an entry wherever either has one."""
    if a.shape != b.shape:
        raise ValueError(f"shapes of the matrices differ: {list(a.shape)} and {list(b.shape)}")
    return _summed(np.concatenate([a.indices, b.indices]), np.concatenate([a.values, b.values]), a.shape)


def _summed(indices: Array, values: Array, shape: tuple[int, ...]) -> SparseMatrix:
    """Entries in order, those of one index added up."""
    (key,) = keys(shape, indices)
    unique, first, places = np.unique(key, return_index=True, return_inverse=True)
    sums = np.zeros(len(unique), values.dtype)
    np.add.at(sums, places.reshape(-1), values)
    return SparseMatrix(indices[first], sums, shape)


# ----------------------------------------------------------------------------------------------- conversions


@kernel("SparseTensorToCSRSparseMatrix")
def from_sparse_tensor(indices, values, dense_shape):
    check(indices, values, dense_shape)
    order = np.lexsort(indices[:, :-1].T[::-1]) if indices.shape[1] > 1 else np.arange(len(indices))
    return boxed(SparseMatrix(indices[order], values[order], numbers(dense_shape)))


@kernel("DenseToCSRSparseMatrix")
def from_dense(dense, indices):
    if indices.ndim != 2 or indices.shape[1] != dense.ndim:
        raise ValueError(f"indices must be a matrix of {dense.ndim} columns, not of shape {list(indices.shape)}")
    refuse_outside_shape(indices, dense.shape)
    return boxed(SparseMatrix(indices, dense[tuple(indices.T)], dense.shape))


@kernel("CSRSparseMatrixToSparseTensor")
def to_sparse_tensor(sparse, *, type):
    matrix = matrix_of(sparse, type)
    return matrix.indices, matrix.values, np.array(matrix.shape, np.int64)


@kernel("CSRSparseMatrixToDense")
def to_dense(sparse, *, type):
    matrix = matrix_of(sparse, type)
    dense = np.zeros(matrix.shape, type)
    np.add.at(dense, tuple(matrix.indices.T), matrix.values)
    return dense


@kernel("CSRSparseMatrixComponents")
def components(sparse, index, *, type):
    """Row pointers, columns and values of one matrix of the batch."""
    matrix = matrix_of(sparse, type)
    batch = matrix.shape[0] if len(matrix.shape) == 3 else 1
    if index.ndim or not 0 <= index < batch:
        raise ValueError(f"index must be a scalar in [0, {batch}), got {index.tolist()}")
    rows = matrix.rows - int(index) * matrix.shape[-2]
    chosen = (rows >= 0) & (rows < matrix.shape[-2])
    counts = np.bincount(rows[chosen], minlength=matrix.shape[-2])
    return (
        np.append(0, np.cumsum(counts)).astype(np.int32),
        matrix.columns[chosen].astype(np.int32),
        matrix.values[chosen],
    )


@kernel("SparseMatrixZeros")
def zeros(dense_shape, *, type):
    return boxed(SparseMatrix(np.zeros((0, len(dense_shape)), np.int64), np.zeros(0, type), numbers(dense_shape)))


@kernel("SparseMatrixNNZ")
def count(sparse):
    matrix = matrix_of(sparse)
    if len(matrix.shape) == 2:
        return np.int32(len(matrix.values))
    return np.bincount(matrix.indices[:, 0], minlength=matrix.shape[0]).astype(np.int32)


# ----------------------------------------------------------------------------------------------- entry by entry


@kernel("SparseMatrixTranspose")
def transpose(sparse, *, conjugate, type):
    return boxed(matrix_of(sparse, type).flipped("adjoint" if conjugate else "transpose"))


@kernel("SparseMatrixAdd")
def add(a, b, alpha, beta):
    a, b = matrix_of(a, alpha.dtype), matrix_of(b, beta.dtype)
    return boxed(added(a.with_values(alpha * a.values), b.with_values(beta * b.values)))


@kernel("SparseMatrixMul")
def mul(a, b):
    """By one number, or by one for each matrix of the batch."""
    a = matrix_of(a, b.dtype)
    if b.ndim == 0:
        return boxed(a.with_values(a.values * b))
    if len(a.shape) != 3 or b.shape != (a.shape[0], 1, 1):
        raise ValueError(f"a sparse matrix of shape {list(a.shape)} is not multiplied by one of shape {list(b.shape)}")
    return boxed(a.with_values(a.values * b[a.indices[:, 0], 0, 0]))


@kernel("SparseMatrixSoftmax")
def softmax(logits, *, type):
    matrix = matrix_of(logits, type)
    if not len(matrix.values):
        return boxed(matrix)
    _, rows = np.unique(matrix.rows, return_inverse=True)
    return boxed(matrix.with_values(row_softmax(matrix.values, rows.reshape(-1))))


@kernel("SparseMatrixSoftmaxGrad")
def softmax_grad(softmax, dz, *, type):
    """(dz - sum(dz y)) y along rows; where dz has no entry it is zero."""
    y, dz = matrix_of(softmax, type), matrix_of(dz, type)
    found, places = matched(*keys(y.shape, y.indices, dz.indices))
    arrived = np.where(found, dz.values[places], type.type(0)) if len(dz.values) else np.zeros_like(y.values)
    sums = np.zeros(y.row_count, type)
    np.add.at(sums, y.rows, arrived * y.values)
    return boxed(y.with_values((arrived - sums[y.rows]) * y.values))


# ----------------------------------------------------------------------------------------------- products


def _done(transpose: bool, adjoint: bool, name: str) -> str:
    if transpose and adjoint:
        raise ValueError(f"only one of transpose_{name} and adjoint_{name} may be true")
    return "transpose" if transpose else "adjoint" if adjoint else ""


@kernel("SparseMatrixMatMul")
def matmul(a, b, *, transpose_a, transpose_b, adjoint_a, adjoint_b, transpose_output, conjugate_output):
    a = matrix_of(a, b.dtype).flipped(_done(transpose_a, adjoint_a, "a"))
    if _done(transpose_b, adjoint_b, "b"):
        b = b.conj().swapaxes(-1, -2) if adjoint_b else b.swapaxes(-1, -2)
    if b.ndim != len(a.shape) or a.shape[:-2] != b.shape[:-2] or a.shape[-1] != b.shape[-2]:
        raise ValueError(f"cannot multiply matrices of shapes {list(a.shape)} and {list(b.shape)}")
    picked = b[(*a.indices[:, :-2].T, a.columns)]
    product = row_sums(a.rows, a.values[:, None] * picked, a.row_count).reshape(*a.shape[:-1], b.shape[-1])
    product = product.swapaxes(-1, -2) if transpose_output else product
    return product.conj() if conjugate_output else product


@kernel("SparseMatrixSparseMatMul")
def sparse_matmul(a, b, *, type, transpose_a, transpose_b, adjoint_a, adjoint_b):
    a = matrix_of(a, type).flipped(_done(transpose_a, adjoint_a, "a"))
    b = matrix_of(b, type).flipped(_done(transpose_b, adjoint_b, "b"))
    if len(a.shape) != len(b.shape) or a.shape[:-2] != b.shape[:-2] or a.shape[-1] != b.shape[-2]:
        raise ValueError(f"cannot multiply matrices of shapes {list(a.shape)} and {list(b.shape)}")
    # Each entry of a meets the whole row of b that its column names.
    starts = np.searchsorted(b.rows, np.arange(b.row_count + 1))
    batch = a.indices[:, 0] if len(a.shape) == 3 else 0
    met = batch * b.shape[-2] + a.columns
    lengths = starts[met + 1] - starts[met]
    left = np.repeat(np.arange(len(met)), lengths)
    right = np.arange(len(left)) - np.repeat(np.cumsum(lengths) - lengths, lengths) + starts[met][left]
    indices = np.concatenate([a.indices[left, :-1], b.indices[right, -1:]], axis=1)
    return boxed(_summed(indices, a.values[left] * b.values[right], (*a.shape[:-1], b.shape[-1])))
