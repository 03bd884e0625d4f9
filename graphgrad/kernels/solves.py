"""Kernels of inverses, determinants and systems of equations.

They take stacks of matrices, those with no element or no matrix included.
"""

from __future__ import annotations

import math

import numpy as np

from graphgrad.kernels import _elimination
from graphgrad.kernels._checks import lone
from graphgrad.kernels._complex import ONE_BY_ONE
from graphgrad.kernels._elimination import (
    inverse_of,
    refuse_zero_pivot,
    singular_apart,
    solution_of,
    solve_triangle,
    unbounded_apart,
)
from graphgrad.kernels._matrices import (
    adjoint_of,
    identity_like,
    refuse_not_square,
    refuse_other_batch,
    solve_triangular,
)
from graphgrad.kernels._precision import halves_in_float32
from graphgrad.registry import kernel

# --- inverses and determinants --------------------------------------------------------------------------


@kernel("MatrixInverse", "BatchMatrixInverse")
@halves_in_float32
def inverse(matrix, *, adjoint):
    refuse_not_square(matrix)
    return _inverse(adjoint_of(matrix) if adjoint else matrix)


_inverse = unbounded_apart(singular_apart(np.linalg.inv, inverse_of), inverse_of)
_solution = unbounded_apart(singular_apart(np.linalg.solve, solution_of), solution_of)
_determinant = unbounded_apart(np.linalg.det, _elimination.determinant)
_log_determinant = unbounded_apart(np.linalg.slogdet, _elimination.log_determinant)


@kernel("MatrixDeterminant", "BatchMatrixDeterminant")
def determinant(matrix):
    refuse_not_square(matrix)
    return _determinant(matrix)


@kernel("LogMatrixDeterminant")
def log_determinant(matrix):
    refuse_not_square(matrix)
    sign, logarithm = _log_determinant(matrix)
    return sign.astype(matrix.dtype), logarithm.astype(matrix.dtype)


# --- systems of equations --------------------------------------------------------------------------------


@kernel("MatrixSolve", "BatchMatrixSolve")
def solve(matrix, rhs, *, adjoint):
    refuse_not_square(matrix)
    refuse_other_batch(matrix, rhs)
    return _solution(adjoint_of(matrix) if adjoint else matrix, rhs)


@kernel("MatrixTriangularSolve", "BatchMatrixTriangularSolve")
def triangular_solve(matrix, rhs, *, lower, adjoint):
    """The other triangle is not looked at; batches are broadcast."""
    refuse_not_square(matrix)
    if rhs.ndim < 2 or matrix.shape[-1] != rhs.shape[-2]:
        raise ValueError(f"matrices {list(matrix.shape)} do not fit right hand sides {list(rhs.shape)}")
    if adjoint:
        matrix, lower = adjoint_of(matrix), not lower
    solution = solve_triangular(matrix, rhs, lower)
    if matrix.dtype.kind != "c" or np.isfinite(solution).all():
        return solution
    matrices = np.broadcast_to(matrix, solution.shape[:-2] + matrix.shape[-2:])
    columns = np.broadcast_to(rhs, solution.shape)
    for index in np.ndindex(solution.shape[:-2]):
        solution[index] = solve_triangle(matrices[index], columns[index], lower)
    return solution


@kernel("BandedTriangularSolve")
def banded_triangular_solve(bands, rhs, *, lower, adjoint):
    """The bands are rows, the main diagonal the first if lower, else the last; columns are matrix rows."""
    size = bands.shape[-1]
    if bands.ndim < 2 or rhs.ndim < 2 or rhs.shape[-2] != size:
        raise ValueError(f"bands of shape {list(bands.shape)} do not fit right hand sides {list(rhs.shape)}")
    bands = (bands if lower else bands[..., ::-1, :])[..., : max(size, 1), :]  # now from the main diagonal outwards
    if not (np.abs(bands[..., 0, :]) > 0).all():
        for pivots in bands[..., 0, :].reshape(-1, size):
            refuse_zero_pivot(pivots)
    if adjoint:  # element (i, i - k) of a lower matrix is its adjoint's (i - k, i)
        shifts = range(bands.shape[-2])
        bands = np.stack([np.roll(bands[..., k, :], -k if lower else k, -1) for k in shifts], -2).conj()
        lower = not lower
    batch = np.broadcast_shapes(bands.shape[:-2], rhs.shape[:-2])
    solution = np.zeros(batch + rhs.shape[-2:], rhs.dtype)
    step = -1 if lower else 1
    for row in range(size) if lower else range(size - 1, -1, -1):
        reach = min(bands.shape[-2] - 1, row if lower else size - 1 - row)
        others = row + step * np.arange(1, reach + 1)
        known = bands[..., None, 1 : reach + 1, row] @ solution[..., others, :]
        solution[..., row, :] = (rhs[..., row, :] - known[..., 0, :]) / bands[..., 0, row, None]
    return solution


@kernel("MatrixSolveLs", "BatchMatrixSolveLs")
def least_squares(matrix, rhs, l2_regularizer, *, fast):
    """By the normal equations of the smaller side, or (not fast, not regularised) by the pseudo-inverse."""
    if matrix.ndim < 2 or matrix.ndim != rhs.ndim or matrix.shape[:-1] != rhs.shape[:-1]:
        raise ValueError(f"matrices {list(matrix.shape)} do not fit right hand sides {list(rhs.shape)}")
    lone(l2_regularizer, "l2_regularizer")
    rows, columns = matrix.shape[-2:]
    if not rows:
        return np.zeros((*matrix.shape[:-2], columns, rhs.shape[-1]), rhs.dtype)
    if not fast:
        return np.linalg.pinv(matrix, rcond=max(rows, columns) * np.finfo(matrix.dtype).eps) @ rhs
    adjoint = adjoint_of(matrix)
    gram = adjoint @ matrix if rows >= columns else matrix @ adjoint
    gram = gram + identity_like(gram) * matrix.dtype.type(l2_regularizer)
    try:
        factor = np.linalg.cholesky(gram)
    except np.linalg.LinAlgError:
        raise ValueError(
            "the matrix is rank deficient or ill-conditioned: set fast=False or a larger l2_regularizer"
        ) from None
    half = solve_triangular(factor, adjoint @ rhs if rows >= columns else rhs, lower=True)
    solution = solve_triangular(adjoint_of(factor), half, lower=False)
    return solution if rows >= columns else adjoint @ solution


@kernel("TridiagonalSolve")
def tridiagonal_solve(diagonals, rhs, *, partial_pivoting, perturb_singular):
    """Gaussian elimination of the rows (super, main, sub); not a number where the matrix is singular."""
    if perturb_singular and not partial_pivoting:
        raise ValueError("perturb_singular needs partial_pivoting")
    if diagonals.ndim != rhs.ndim or diagonals.shape[-2] != 3 or diagonals.shape[-1] != rhs.shape[-2]:
        raise ValueError(f"diagonals {list(diagonals.shape)} do not fit right hand sides {list(rhs.shape)}")
    size, count = rhs.shape[-2:]
    batch = math.prod(rhs.shape[:-2])
    above, main, below = np.moveaxis(diagonals.reshape(batch, 3, size), (1, 2), (0, 1))[..., None]
    # Row i holds the coefficients of unknowns i, i + 1, i + 2, then its right hand sides.
    rows = np.concatenate([main, above, np.zeros_like(main), rhs.reshape(batch, size, count).swapaxes(0, 1)], -1)
    if size:
        rows[-1, :, 1] = 0
    for i in range(size - 1):
        lower = np.concatenate([below[i + 1], rows[i + 1]], -1)
        lower = np.delete(lower, 3, -1)  # its third coefficient would be that of unknown i + 3
        if partial_pivoting:
            swap = np.abs(lower[:, :1]) > np.abs(rows[i, :, :1])
            rows[i], lower = np.where(swap, lower, rows[i]), np.where(swap, rows[i], lower)
        lower = lower - rows[i] * (lower[:, :1] / rows[i, :, :1])
        rows[i + 1, :, :2], rows[i + 1, :, 2], rows[i + 1, :, 3:] = lower[:, 1:3], 0, lower[:, 3:]
    singular = (rows[:, :, 0] == 0).any(0)
    if perturb_singular and singular.any():
        raise ValueError("perturb_singular is not supported for a matrix that is singular")
    solution = np.zeros((size + 2, batch, count), rhs.dtype)
    for i in range(size - 1, -1, -1):
        known = rows[i, :, 1:2] * solution[i + 1] + rows[i, :, 2:3] * solution[i + 2]
        solution[i] = (rows[i, :, 3:] - known) / rows[i, :, :1]
    solution[:, singular] = np.nan
    return solution[:size].swapaxes(0, 1).reshape(rhs.shape)


@kernel("TridiagonalMatMul")
def tridiagonal_matmul(superdiag, maindiag, subdiag, rhs):
    if not superdiag.ndim == maindiag.ndim == subdiag.ndim == rhs.ndim:
        raise ValueError("the diagonals and the right hand sides must have the same rank")
    diagonals = superdiag, maindiag, subdiag
    result = _sum_of_diagonals(np.multiply, *diagonals, rhs)
    if rhs.dtype.kind == "c" and not np.isfinite(result).all():
        return _sum_of_diagonals(ONE_BY_ONE.product, *diagonals, rhs)
    return result


def _sum_of_diagonals(product, superdiag, maindiag, subdiag, rhs):
    above, main, below = (d.swapaxes(-1, -2) for d in (superdiag, maindiag, subdiag))
    result = product(main, rhs)
    result[..., :-1, :] += product(above[..., :-1, :], rhs[..., 1:, :])
    result[..., 1:, :] += product(below[..., 1:, :], rhs[..., :-1, :])
    return result
