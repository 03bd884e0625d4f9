"""Kernels of linear algebra: products, diagonals, decompositions and solvers.

Everything works on the last two axes, for all of a batch at once; transposes are views, so BLAS gets flags.
"""

from __future__ import annotations

import math

import numpy as np

from graphgrad.kernels import _einsum, _threads  # noqa: F401  (the ops of _einsum belong to this family)
from graphgrad.kernels._complex_matmul import unbounded_product
from graphgrad.kernels._matrices import adjoint_of
from graphgrad.kernels._precision import BFLOAT16, HALVES
from graphgrad.registry import kernel, planned

# --- products --------------------------------------------------------------------------------------------


def product(x, y):
    """x @ y. The half types are multiplied in float32; TensorFlow cuts bfloat16 off, it does not round."""
    if x.dtype not in HALVES:
        return multiply_integers(x, y) if x.dtype.kind in "iu" else multiply(x, y)
    result = multiply(x.astype(np.float32), y.astype(np.float32))
    if x.dtype == BFLOAT16:
        return (np.ascontiguousarray(result).view(np.uint32) >> 16).astype(np.uint16).view(BFLOAT16)
    return result.astype(x.dtype)


def multiply_integers(x, y):
    """x @ y, by BLAS in float64 where all the sums are exact in it."""
    if x.size * y.shape[-1] < 4096:
        return np.matmul(x, y)
    largest = np.abs(x.astype(np.float64)).max(initial=0) * np.abs(y.astype(np.float64)).max(initial=0)
    if largest * x.shape[-1] >= 2.0**53:
        return np.matmul(x, y)
    return multiply(x.astype(np.float64), y.astype(np.float64)).astype(np.int64).astype(x.dtype)


def multiply(x, y):
    """x @ y; as a single product of matrices where y is one matrix for all of x."""
    if x.ndim > 2 and math.prod(y.shape[:-2]) == 1 and x.ndim >= y.ndim and x.flags.c_contiguous:
        rows = _threads.matmul(x.reshape(math.prod(x.shape[:-1]), x.shape[-1]), y.reshape(y.shape[-2:]))
        return rows.reshape(*x.shape[:-1], y.shape[-1])
    return _threads.matmul(x, y)


def refuse_unfit(x, y):
    if x.shape[-1] != y.shape[-2]:
        raise ValueError(f"matrices of shapes {list(x.shape)} and {list(y.shape)} cannot be multiplied")


@kernel("MatMul")
def matmul(a, b, *, transpose_a, transpose_b):
    if a.ndim != 2 or b.ndim != 2:
        raise ValueError(f"not matrices: the inputs have shapes {list(a.shape)} and {list(b.shape)}")
    x, y = a.T if transpose_a else a, b.T if transpose_b else b
    refuse_unfit(x, y)
    return _product_of_views(x, y, transpose_a, transpose_b)


def _product_of_views(x, y, x_is_turned, y_is_turned):
    result = product(x, y)
    if result.dtype.kind == "c" and not np.isfinite(result).all():
        return np.where(np.isfinite(result), result, unbounded_product(x, y, x_is_turned, y_is_turned))
    return result


@planned("MatMul")
def plan_matmul(a, b, *, transpose_a, transpose_b):
    return _planned_product(a, b, transpose_a, transpose_b, np.transpose)


def _planned_product(x, y, adjoint_x, adjoint_y, adjoint):
    """A product that hands transposes to BLAS as flags."""
    if x.dtype.char not in "fd":
        return None
    multiply = _threads.product(_turned(x.shape, adjoint_x), _turned(y.shape, adjoint_y), x.dtype)
    if not adjoint_x and not adjoint_y:
        return multiply
    return lambda x, y, out=None: multiply(adjoint(x) if adjoint_x else x, adjoint(y) if adjoint_y else y, out)


def _turned(shape, is_turned):
    return (*shape[:-2], shape[-1], shape[-2]) if is_turned else shape


@kernel("SparseMatMul")
def sparse_matmul(a, b, *, transpose_a, transpose_b, a_is_sparse, b_is_sparse):
    """A product in float32; the zeros of a factor marked as sparse annihilate even what is not finite."""
    if a.ndim != 2 or b.ndim != 2:
        raise ValueError(f"both factors must be matrices, not of shapes {list(a.shape)} and {list(b.shape)}")
    a, b = a.astype(np.float32, copy=False), b.astype(np.float32, copy=False)
    x, y = a.T if transpose_a else a, b.T if transpose_b else b
    refuse_unfit(x, y)
    if a_is_sparse and not np.isfinite(y).all():
        return sparse_rows(x) @ y
    if b_is_sparse and not a_is_sparse and not np.isfinite(x).all():
        return (sparse_rows(y.T) @ x.T).T
    return x @ y


def sparse_rows(matrix):
    from scipy.sparse import csr_array

    return csr_array(matrix)


@kernel("BatchMatMulV2")
def batch_matmul(x, y, *, adj_x, adj_y):
    if x.ndim < 2 or y.ndim < 2:
        raise ValueError(f"not matrices: the inputs have shapes {list(x.shape)} and {list(y.shape)}")
    x, y = adjoint_of(x) if adj_x else x, adjoint_of(y) if adj_y else y
    refuse_unfit(x, y)
    return _product_of_views(x, y, adj_x, adj_y)


@planned("BatchMatMul", "BatchMatMulV2")
def plan_batch_matmul(x, y, *, adj_x, adj_y):
    if math.prod(y.shape[:-2]) == 1 and len(x.shape) > 2:
        return None  # one product for all of the batch
    return _planned_product(x, y, adj_x, adj_y, adjoint_of)


@kernel("BatchMatMul")
def equal_batch_matmul(x, y, *, adj_x, adj_y):
    if x.shape[:-2] != y.shape[:-2]:
        raise ValueError(f"the batches of shapes {list(x.shape)} and {list(y.shape)} differ")
    return batch_matmul(x, y, adj_x=adj_x, adj_y=adj_y)


@kernel("BatchMatMulV3")
def typed_batch_matmul(x, y, *, adj_x, adj_y, Tout):
    x, y = x.astype(Tout, copy=False), y.astype(Tout, copy=False)
    return batch_matmul(x, y, adj_x=adj_x, adj_y=adj_y)


@kernel("Cross")
def cross(a, b):
    if a.shape != b.shape or a.shape[-1:] != (3,):
        raise ValueError(f"no two tensors of vectors of length 3: shapes {list(a.shape)} and {list(b.shape)}")
    next_, last = [1, 2, 0], [2, 0, 1]
    return a[..., next_] * b[..., last] - a[..., last] * b[..., next_]
