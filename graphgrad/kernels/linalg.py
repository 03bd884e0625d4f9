"""Kernels of linear algebra: products, diagonals, decompositions and solvers.

Everything works on the last two axes, for all of a batch at once; transposes are views, so BLAS gets flags.
"""

from __future__ import annotations

import functools
import math

import numpy as np

from graphgrad.kernels import _einsum  # noqa: F401  (its ops belong to this family)
from graphgrad.kernels._decompositions import adjoint_of
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
        rows = x.reshape(math.prod(x.shape[:-1]), x.shape[-1]) @ y.reshape(y.shape[-2:])
        return rows.reshape(*x.shape[:-1], y.shape[-1])
    return np.matmul(x, y)


def refuse_unfit(x, y):
    if x.shape[-1] != y.shape[-2]:
        raise ValueError(f"matrices of shapes {list(x.shape)} and {list(y.shape)} cannot be multiplied")


@kernel("MatMul")
def matmul(a, b, *, transpose_a, transpose_b):
    if a.ndim != 2 or b.ndim != 2:
        raise ValueError(f"not matrices: the inputs have shapes {list(a.shape)} and {list(b.shape)}")
    x, y = a.T if transpose_a else a, b.T if transpose_b else b
    refuse_unfit(x, y)
    return product(x, y)


@planned("MatMul")
def plan_matmul(a, b, *, transpose_a, transpose_b):
    return _planned_product(a.dtype, transpose_a, transpose_b, np.transpose)


def _planned_product(dtype, adjoint_x, adjoint_y, adjoint):
    """np.matmul, which hands transposes to BLAS as flags."""
    if dtype.char not in "fdFD":
        return None
    if not adjoint_x and not adjoint_y:
        return np.matmul
    return lambda x, y, out=None: np.matmul(adjoint(x) if adjoint_x else x, adjoint(y) if adjoint_y else y, out)


@kernel("SparseMatMul")
def sparse_matmul(a, b, *, transpose_a, transpose_b, a_is_sparse, b_is_sparse):
    """A product in float32; the zeros of a factor marked as sparse annihilate even what is not finite."""
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
    return product(x, y)


@planned("BatchMatMul", "BatchMatMulV2")
def plan_batch_matmul(x, y, *, adj_x, adj_y):
    if math.prod(y.shape[:-2]) == 1 and len(x.shape) > 2:
        return None  # one product for all of the batch
    return _planned_product(x.dtype, adj_x, adj_y, adjoint_of)


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


# --- diagonals -------------------------------------------------------------------------------------------


@kernel("Diag")
def diag(diagonal):
    if not diagonal.ndim:
        raise ValueError("the diagonal is a scalar, it must have a rank of at least 1")
    output = np.zeros((diagonal.size, diagonal.size), diagonal.dtype)
    np.fill_diagonal(output, diagonal.reshape(-1))
    return output.reshape(diagonal.shape * 2)


@kernel("DiagPart")
def diag_part(tensor):
    half = tensor.ndim // 2
    shape = tensor.shape[:half]
    if shape != tensor.shape[half:]:
        raise ValueError(f"shape {list(tensor.shape)} is no shape twice over: it has no diagonal")
    size = math.prod(shape)
    return tensor.reshape(size, size).diagonal().reshape(shape)


def band_of(k):
    """The lowest and the highest diagonal of the band k, a number or a pair."""
    if k.size not in (1, 2) or k.ndim > 1:
        raise ValueError(f"k must be a number or a pair, it has shape {list(k.shape)}")
    low, high = int(k.reshape(-1)[0]), int(k.reshape(-1)[-1])
    if low > high:
        raise ValueError(f"the lower diagonal {low} must not be above the upper one {high}")
    return low, high


def band_within(k, rows, columns):
    """The band k of a matrix, all of whose diagonals are in it."""
    band = band_of(k)
    for diagonal in band:
        if diagonal and not -rows < diagonal < columns:
            raise ValueError(f"a {rows} x {columns} matrix has no diagonal {diagonal}")
    return band


def band_length(low, high, rows, columns):
    """The length of the longest diagonal in the band."""
    return min(rows + min(high, 0), columns - max(low, 0))


@functools.lru_cache(maxsize=256)
def band_places(low, high, rows, columns, align):
    """Where the band's elements are: flat places in the compact diagonals, highest first, and in the matrix.

    `align` says for the diagonals above the main one, then for those below, at which end of its row of the
    compact form a short one stands; the main diagonal counts as above.
    """
    length = band_length(low, high, rows, columns)
    above, below = align.split("_")
    compact, matrix = [np.zeros(0, np.intp)], [np.zeros(0, np.intp)]
    for diagonal in range(high, low - 1, -1):
        size = max(min(rows + min(diagonal, 0), columns - max(diagonal, 0)), 0)
        pad = length - size if (above if diagonal >= 0 else below) == "RIGHT" else 0
        start = max(diagonal, 0) - min(diagonal, 0) * columns
        compact.append((high - diagonal) * length + pad + np.arange(size))
        matrix.append(start + np.arange(size) * (columns + 1))
    return np.concatenate(compact), np.concatenate(matrix)


def band_shape(low, high, rows, columns):
    """The shape of the compact diagonals: a lone one has no axis of its own."""
    length = band_length(low, high, rows, columns)
    return (length,) if low == high else (high - low + 1, length)


@kernel("MatrixDiagPartV3")
def matrix_diag_part(matrix, k, padding_value, *, align):
    refuse_non_matrix(matrix)
    rows, columns = matrix.shape[-2:]
    low, high = band_within(k, rows, columns)
    shape = band_shape(low, high, rows, columns)
    output = np.full(matrix.shape[:-2] + shape, padding_value, matrix.dtype)
    compact, places = band_places(low, high, rows, columns, align)
    if output.size:
        flatten(output, len(shape))[:, compact] = flatten(matrix, 2)[:, places]
    return output


def flatten(tensor, axes):
    """The last axes as one, all before them as another."""
    return tensor.reshape(-1, math.prod(tensor.shape[-axes:]))


@kernel("MatrixDiagPartV2")
def matrix_diag_part_left(matrix, k, padding_value):
    return matrix_diag_part(matrix, k, padding_value, align="LEFT_LEFT")


@kernel("MatrixDiagPart", "BatchMatrixDiagPart")
def main_diagonals(matrix):
    refuse_non_matrix(matrix)
    return matrix.diagonal(axis1=-2, axis2=-1)


def refuse_non_matrix(tensor):
    if tensor.ndim < 2:
        raise ValueError(f"no matrix: the input has shape {list(tensor.shape)}")


@kernel("MatrixDiagV3")
def matrix_diag(diagonal, k, num_rows, num_cols, padding_value, *, align):
    low, high = band_of(k)
    axes = 1 if low == high else 2
    if diagonal.ndim < axes or (axes == 2 and diagonal.shape[-2] != high - low + 1):
        raise ValueError(f"shape {list(diagonal.shape)} does not hold the diagonals {low} to {high}")
    rows, columns = matrix_shape(diagonal.shape[-1], low, high, int(num_rows), int(num_cols))
    output = np.full((*diagonal.shape[:-axes], rows, columns), padding_value, diagonal.dtype)
    compact, places = band_places(low, high, rows, columns, align)
    if output.size and diagonal.size:
        flatten(output, 2)[:, places] = flatten(diagonal, axes)[:, compact]
    return output


def matrix_shape(length, low, high, rows, columns):
    """The shape of a matrix with such diagonals; -1 asks for a square one, or for the least."""
    least_rows, least_columns = length - min(high, 0), length + max(low, 0)
    if rows == columns == -1:
        rows = columns = max(least_rows, least_columns)
    rows = least_rows if rows == -1 else rows
    columns = least_columns if columns == -1 else columns
    if rows < least_rows or columns < least_columns or (rows != least_rows and columns != least_columns):
        raise ValueError(f"diagonals {low} to {high} of length {length} do not fit a {rows} x {columns} matrix")
    return rows, columns


@kernel("MatrixDiagV2")
def matrix_diag_left(diagonal, k, num_rows, num_cols, padding_value):
    return matrix_diag(diagonal, k, num_rows, num_cols, padding_value, align="LEFT_LEFT")


@kernel("MatrixDiag", "BatchMatrixDiag")
def diagonal_matrices(diagonal):
    if not diagonal.ndim:
        raise ValueError("the diagonal is a scalar, it must have a rank of at least 1")
    size = diagonal.shape[-1]
    output = np.zeros((*diagonal.shape, size), diagonal.dtype)
    output.reshape(*diagonal.shape[:-1], size * size)[..., :: size + 1] = diagonal
    return output


@kernel("MatrixSetDiagV3")
def matrix_set_diag(matrix, diagonal, k, *, align):
    refuse_non_matrix(matrix)
    rows, columns = matrix.shape[-2:]
    low, high = band_within(k, rows, columns)
    shape = band_shape(low, high, rows, columns)
    if diagonal.shape != matrix.shape[:-2] + shape:
        raise ValueError(
            f"diagonals {low} to {high} of shape {list(matrix.shape)} have shape "
            f"{[*matrix.shape[:-2], *shape]}, not {list(diagonal.shape)}"
        )
    output = matrix.copy()
    compact, places = band_places(low, high, rows, columns, align)
    if diagonal.size:
        flatten(output, 2)[:, places] = flatten(diagonal, len(shape))[:, compact]
    return output


@kernel("MatrixSetDiagV2")
def matrix_set_diag_left(matrix, diagonal, k):
    return matrix_set_diag(matrix, diagonal, k, align="LEFT_LEFT")


@kernel("MatrixSetDiag", "BatchMatrixSetDiag")
def matrix_set_main_diag(matrix, diagonal):
    return matrix_set_diag(matrix, diagonal, np.zeros((), np.int32), align="LEFT_LEFT")


@kernel("MatrixBandPart", "BatchMatrixBandPart")
def matrix_band_part(matrix, num_lower, num_upper):
    """Zeros but for so many diagonals below and above the main one; all where the number is negative."""
    refuse_non_matrix(matrix)
    rows, columns = matrix.shape[-2:]
    if num_lower > rows or num_upper > columns:
        raise ValueError(f"{num_lower} lower and {num_upper} upper diagonals are too many for {rows} x {columns}")
    below = np.arange(rows)[:, None] - np.arange(columns)
    inside = np.ones((rows, columns), bool)
    if num_lower >= 0:
        inside &= below <= num_lower
    if num_upper >= 0:
        inside &= -below <= num_upper
    return np.where(inside, matrix, matrix.dtype.type(0))
