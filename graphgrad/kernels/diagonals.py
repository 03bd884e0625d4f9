"""Kernels of diagonals: taken out of matrices, made into matrices, set in them; bands cut out.

Everything works on the last two axes, for all of a batch at once.
"""

from __future__ import annotations

import functools
import math

import numpy as np

from graphgrad.kernels._checks import lone
from graphgrad.registry import kernel


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
    lone(padding_value, "padding_value")
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
    lone(padding_value, "padding_value")
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
    num_lower, num_upper = lone(num_lower, "num_lower"), lone(num_upper, "num_upper")
    if num_lower > rows or num_upper > columns:
        raise ValueError(f"{num_lower} lower and {num_upper} upper diagonals are too many for {rows} x {columns}")
    below = np.arange(rows)[:, None] - np.arange(columns)
    inside = np.ones((rows, columns), bool)
    if num_lower >= 0:
        inside &= below <= num_lower
    if num_upper >= 0:
        inside &= -below <= num_upper
    return np.where(inside, matrix, matrix.dtype.type(0))
