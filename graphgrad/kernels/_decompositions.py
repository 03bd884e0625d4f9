"""Kernels of matrix decompositions, of the solvers and functions built on them; part of the family `linalg`.

They take stacks of matrices, those with no element or no matrix included.
"""

from __future__ import annotations

import math

import numpy as np

from graphgrad.kernels._precision import HALVES, halves_in_float32
from graphgrad.kernels._schur import schur_order
from graphgrad.registry import kernel


def adjoint_of(matrix):
    """The conjugate transpose."""
    matrix = matrix.swapaxes(-1, -2)
    return matrix.conj() if matrix.dtype.kind == "c" else matrix


def refuse_not_square(matrix):
    if matrix.ndim < 2 or matrix.shape[-1] != matrix.shape[-2]:
        raise ValueError(f"shape {list(matrix.shape)} is none of square matrices")


def refuse_other_batch(matrix, rhs):
    if matrix.ndim != rhs.ndim or matrix.shape[:-1] != rhs.shape[:-1]:
        raise ValueError(f"shapes {list(matrix.shape)} and {list(rhs.shape)} must be alike but for the last dimension")


def each_matrix(function, stack):
    """The function's results for the matrices of a stack one by one, which are matrices like them."""
    result = np.empty_like(stack)
    for index in np.ndindex(stack.shape[:-2] if stack.size else (0,)):
        result[index] = function(stack[index])
    return result


def identity_like(stack):
    return np.broadcast_to(np.eye(stack.shape[-1], dtype=stack.dtype), stack.shape)


# --- factors ---------------------------------------------------------------------------------------------


@kernel("Cholesky", "BatchCholesky")
def cholesky(matrix):
    """Lower triangular; where there is no such factor it is not a number."""
    refuse_not_square(matrix)
    try:
        return np.linalg.cholesky(matrix)
    except np.linalg.LinAlgError:
        return each_matrix(cholesky_or_nan, matrix)


def cholesky_or_nan(matrix):
    try:
        return np.linalg.cholesky(matrix)
    except np.linalg.LinAlgError:
        return np.where(np.tri(len(matrix), dtype=bool), np.nan, 0)


@kernel("CholeskyGrad", "BatchCholeskyGrad")
def cholesky_grad(factor, grad):
    """The symmetric gradient by the matrix, L^-T P L^-1 made symmetric: P the lower half of L^T dL."""
    refuse_not_square(factor)
    factor, grad = np.tril(factor), np.tril(grad)
    lower_half = np.tril(factor.swapaxes(-1, -2) @ grad)
    diagonal = np.arange(factor.shape[-1])
    lower_half[..., diagonal, diagonal] /= 2
    left = solve_triangular(factor.swapaxes(-1, -2), lower_half, lower=False)
    both = solve_triangular(factor.swapaxes(-1, -2), left.swapaxes(-1, -2), lower=False)
    return (both + both.swapaxes(-1, -2)) / 2


@kernel("Lu")
def lu(matrix, *, output_idx_type):
    """Both factors in one matrix, and the order its rows were put in: the largest of each column first."""
    refuse_not_square(matrix)
    size = matrix.shape[-1]
    factors = matrix.reshape(math.prod(matrix.shape[:-2]), size, size).copy()
    batch = np.arange(len(factors))
    order = np.tile(np.arange(size, dtype=output_idx_type), (len(factors), 1))
    for k in range(size):
        pivot = np.abs(factors[:, k:, k]).argmax(axis=1) + k
        factors[batch, k], factors[batch, pivot] = factors[batch, pivot], factors[batch, k]
        order[batch, k], order[batch, pivot] = order[batch, pivot], order[batch, k]
        if not factors[:, k, k].all():
            raise ValueError("the matrix is not invertible")
        factors[:, k + 1 :, k] /= factors[:, k, k, None]
        factors[:, k + 1 :, k + 1 :] -= factors[:, k + 1 :, k, None] * factors[:, k, None, k + 1 :]
    return factors.reshape(matrix.shape), order.reshape(matrix.shape[:-1])


@kernel("Qr")
def qr(matrix, *, full_matrices):
    wide = matrix.astype(np.float32) if matrix.dtype in HALVES else matrix
    q, r = np.linalg.qr(wide, mode="complete" if full_matrices else "reduced")
    return q.astype(matrix.dtype, copy=False), r.astype(matrix.dtype, copy=False)


@kernel("Svd", "BatchSvd")
def svd(matrix, *, compute_uv, full_matrices):
    """Singular values and vectors; scalars stand for vectors not asked for."""
    if not compute_uv:
        nothing = np.zeros((), matrix.dtype)
        return svd_or_nan(matrix, compute_uv=False).astype(matrix.dtype), nothing, nothing
    u, s, v = svd_or_nan(matrix, full_matrices=full_matrices)
    return s.astype(matrix.dtype), u, adjoint_of(v)


def svd_or_nan(matrix, **options):
    try:
        return np.linalg.svd(matrix, **options)
    except np.linalg.LinAlgError:  # what is not finite has no singular values
        known = np.isfinite(matrix).all(axis=(-2, -1), keepdims=True)
        found = np.linalg.svd(np.where(known, matrix, 0), **options)
        if not options.get("compute_uv", True):
            return np.where(known[..., 0], found, np.nan)
        return [np.where(k, f, np.nan) for k, f in zip((known, known[..., 0], known), found, strict=True)]


@kernel("SelfAdjointEigV2", "BatchSelfAdjointEigV2")
def self_adjoint_eig(matrix, *, compute_v):
    """Ascending eigenvalues and vectors of the lower triangles; a scalar stands for vectors not asked for."""
    refuse_not_square(matrix)
    refuse_not_finite(matrix)
    if not compute_v:
        return np.linalg.eigvalsh(matrix).astype(matrix.dtype), np.zeros((), matrix.dtype)
    values, vectors = np.linalg.eigh(matrix)
    return values.astype(matrix.dtype), vectors


def refuse_not_finite(matrix):
    if not np.isfinite(matrix).all():
        raise ValueError("the eigenvalues cannot be found: the matrix is not finite")


@kernel("Eig")
def eig(matrix, *, compute_v, Tout):
    refuse_not_square(matrix)
    refuse_not_finite(matrix)
    if not compute_v:
        values = np.linalg.eigvals(matrix)
        order = each_order(matrix, values)
        return np.take_along_axis(values, order, -1).astype(Tout), np.zeros((), Tout)
    values, vectors = np.linalg.eig(matrix)
    order = each_order(matrix, values)
    vectors = np.take_along_axis(vectors, order[..., None, :], -1)
    return np.take_along_axis(values, order, -1).astype(Tout), vectors.astype(Tout)


def each_order(stack, values):
    """TensorFlow's order: that of a Schur form for real matrices, by size for complex ones."""
    if stack.dtype.kind == "c":
        return np.abs(values).argsort(axis=-1, kind="stable")
    order = np.empty(values.shape, np.intp)
    for index in np.ndindex(values.shape[:-1]):
        order[index] = schur_order(stack[index], values[index])
    return order


# --- inverses, determinants, functions -------------------------------------------------------------------


@kernel("MatrixInverse", "BatchMatrixInverse")
@halves_in_float32
def inverse(matrix, *, adjoint):
    refuse_not_square(matrix)
    return np.linalg.inv(adjoint_of(matrix) if adjoint else matrix)


@kernel("MatrixDeterminant", "BatchMatrixDeterminant")
def determinant(matrix):
    refuse_not_square(matrix)
    return np.linalg.det(matrix)


@kernel("LogMatrixDeterminant")
def log_determinant(matrix):
    refuse_not_square(matrix)
    sign, logarithm = np.linalg.slogdet(matrix)
    return sign, logarithm.astype(matrix.dtype)


@kernel("MatrixSquareRoot")
def square_root(matrix):
    """Not a number where a real matrix has no real root."""
    from scipy.linalg import sqrtm

    def real_root(one):
        root = sqrtm(one)
        return root if matrix.dtype.kind == "c" or root.dtype.kind != "c" else np.nan

    refuse_not_square(matrix)
    return each_matrix(real_root, matrix)


@kernel("MatrixLogarithm")
def logarithm(matrix):
    from scipy.linalg import logm

    refuse_not_square(matrix)
    return each_matrix(logm, matrix)


# --- systems of equations --------------------------------------------------------------------------------


@kernel("MatrixSolve", "BatchMatrixSolve")
def solve(matrix, rhs, *, adjoint):
    refuse_not_square(matrix)
    refuse_other_batch(matrix, rhs)
    return np.linalg.solve(adjoint_of(matrix) if adjoint else matrix, rhs)


@kernel("MatrixTriangularSolve", "BatchMatrixTriangularSolve")
def triangular_solve(matrix, rhs, *, lower, adjoint):
    """The other triangle is not looked at; batches are broadcast."""
    refuse_not_square(matrix)
    if rhs.ndim < 2 or matrix.shape[-1] != rhs.shape[-2]:
        raise ValueError(f"matrices {list(matrix.shape)} do not fit right hand sides {list(rhs.shape)}")
    if adjoint:
        matrix, lower = adjoint_of(matrix), not lower
    return solve_triangular(matrix, rhs, lower)


def solve_triangular(matrix, rhs, lower):
    """By halves: first the unknowns that stand alone, then the others, less what the first contribute."""
    size = matrix.shape[-1]
    if size == 0:
        batch = np.broadcast_shapes(matrix.shape[:-2], rhs.shape[:-2])
        return np.broadcast_to(rhs, batch + rhs.shape[-2:])
    if size == 1:
        return rhs / matrix
    half = size // 2
    top, bottom = slice(None, half), slice(half, None)
    first, second = (top, bottom) if lower else (bottom, top)
    known = solve_triangular(matrix[..., first, first], rhs[..., first, :], lower)
    rest = rhs[..., second, :] - matrix[..., second, first] @ known
    other = solve_triangular(matrix[..., second, second], rest, lower)
    return np.concatenate([known, other] if lower else [other, known], axis=-2)


@kernel("BandedTriangularSolve")
def banded_triangular_solve(bands, rhs, *, lower, adjoint):
    """The bands are rows, the main diagonal the first if lower, else the last; columns are matrix rows."""
    size = bands.shape[-1]
    if bands.ndim < 2 or rhs.ndim < 2 or rhs.shape[-2] != size:
        raise ValueError(f"bands of shape {list(bands.shape)} do not fit right hand sides {list(rhs.shape)}")
    bands = (bands if lower else bands[..., ::-1, :])[..., : max(size, 1), :]  # now from the main diagonal outwards
    if not bands[..., 0, :].all():
        raise ValueError("the matrix is not invertible")
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
    above, main, below = (d.swapaxes(-1, -2) for d in (superdiag, maindiag, subdiag))
    result = main * rhs
    result[..., :-1, :] += above[..., :-1, :] * rhs[..., 1:, :]
    result[..., 1:, :] += below[..., 1:, :] * rhs[..., :-1, :]
    return result
