"""Kernels of matrix decompositions and of functions of matrices.

They take stacks of matrices, those with no element or no matrix included.
"""

from __future__ import annotations

import math

import numpy as np

from graphgrad.kernels._checks import same_shapes
from graphgrad.kernels._elimination import cholesky_factor, factors_of, refuse_singular, unbounded_apart
from graphgrad.kernels._matrices import adjoint_of, each_matrix, refuse_not_square, solve_triangular
from graphgrad.kernels._precision import HALVES
from graphgrad.kernels._schur import schur_order
from graphgrad.registry import kernel

# --- factors ---------------------------------------------------------------------------------------------


@kernel("Cholesky", "BatchCholesky")
def cholesky(matrix):
    """Lower triangular; where there is no such factor it is not a number, of complex matrices 0."""
    refuse_not_square(matrix)
    try:
        if np.isfinite(matrix).all():
            return np.linalg.cholesky(matrix)
    except np.linalg.LinAlgError:
        pass
    return each_matrix(cholesky_or_nothing, matrix)


def cholesky_or_nothing(matrix):
    try:
        factor = np.linalg.cholesky(matrix) if np.isfinite(matrix).all() else cholesky_factor(matrix)
    except np.linalg.LinAlgError:
        factor = None
    if factor is None:
        return np.where(np.tri(len(matrix), dtype=bool), 0 if matrix.dtype.kind == "c" else np.nan, 0)
    return factor


@kernel("CholeskyGrad", "BatchCholeskyGrad")
@same_shapes
def cholesky_grad(factor, grad):
    """The symmetric gradient by the matrix."""
    refuse_not_square(factor)
    found = np.tril(grad)
    _undo_factorization(np.tril(factor), found)
    return (found + found.swapaxes(-1, -2)) / 2


def _undo_factorization(factor, grad):
    """Makes the lower triangle of a factor's gradient that of the matrix, in place and by halves.

    I. Murray, Differentiation of the Cholesky decomposition, arXiv:1602.07527, section 5.
    """
    size = factor.shape[-1]
    if size <= 1:
        grad /= 2 * factor
        return
    first, second = slice(None, size // 2), slice(size // 2, None)
    above, below = factor[..., first, first], factor[..., second, first]
    d_above, d_below, d_last = grad[..., first, first], grad[..., second, first], grad[..., second, second]
    _undo_factorization(factor[..., second, second], d_last)
    d_below -= (d_last + d_last.swapaxes(-1, -2)) @ below
    d_below[...] = solve_triangular(above.swapaxes(-1, -2), d_below.swapaxes(-1, -2), lower=False).swapaxes(-1, -2)
    d_above -= np.tril(d_below.swapaxes(-1, -2) @ below)
    _undo_factorization(above, d_above)


@kernel("Lu")
def lu(matrix, *, output_idx_type):
    """Both factors in one matrix, and the order its rows were put in: the largest of each column first."""
    refuse_not_square(matrix)
    factors, order = unbounded_apart(_finite_factors, _other_factors)(matrix)
    return factors, order.astype(output_idx_type)


def _other_factors(matrix):
    factors, order = factors_of(matrix)
    refuse_singular(factors)
    return factors, order


def _finite_factors(matrix):
    size = matrix.shape[-1]
    factors = matrix.reshape(math.prod(matrix.shape[:-2]), size, size).copy()
    batch = np.arange(len(factors))
    order = np.tile(np.arange(size), (len(factors), 1))
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
    """What is not finite has no singular values; those of a complex matrix are 0 then."""
    known = np.isfinite(matrix).all(axis=(-2, -1), keepdims=True)
    found = np.linalg.svd(np.where(known, matrix, 0), **options)
    if known.all():
        return found
    nothing = 0 if matrix.dtype.kind == "c" else np.nan
    if not options.get("compute_uv", True):
        return np.where(known[..., 0], found, nothing)
    return [np.where(k, f, nothing).astype(f.dtype) for k, f in zip((known, known[..., 0], known), found, strict=True)]


@kernel("SelfAdjointEigV2", "BatchSelfAdjointEigV2")
def self_adjoint_eig(matrix, *, compute_v):
    """Ascending eigenvalues and vectors of the lower triangles; a scalar stands for vectors not asked for."""
    refuse_not_square(matrix)
    values, vectors = unbounded_apart(np.linalg.eigh if compute_v else values_alone, unbounded_eig)(matrix)
    return values.astype(matrix.dtype), vectors if compute_v else np.zeros((), matrix.dtype)


def values_alone(matrix):
    return np.linalg.eigvalsh(matrix), matrix


def unbounded_eig(matrix):
    """One number is its own eigenvalue. Of more, all are NaN where TensorFlow's iteration ends: beside an infinity that comes first."""
    size, rest = len(matrix), np.tril(matrix)
    if np.isfinite(rest).all():
        return np.linalg.eigh(rest)
    if size == 1:
        return matrix[0].real, np.ones_like(matrix)
    for i in range(2 if size == 2 else 1):
        rest[i, i] = 0 if np.isinf(rest[i, i]) else rest[i, i]
    refuse_not_finite(rest)
    return np.full(size, np.nan), np.eye(size, dtype=matrix.dtype)


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


# --- functions --------------------------------------------------------------------------------------------


@kernel("MatrixSquareRoot")
def square_root(matrix):
    """Not a number where a real matrix has no real root, or the matrix is not finite."""
    from scipy.linalg import sqrtm

    def real_root(one):
        if not np.isfinite(one).all():
            return np.nan
        root = sqrtm(one)
        if matrix.dtype.kind == "c" or root.dtype.kind != "c":
            return root
        # SciPy before 1.16 gives a real root as a complex one where eigenvalues are.
        rounding = 100 * len(one) * np.finfo(root.dtype).eps * np.abs(root).max(initial=0)
        return root.real if np.abs(root.imag).max(initial=0) <= rounding else np.nan

    refuse_not_square(matrix)
    return each_matrix(real_root, matrix)


@kernel("MatrixExponential")
def exponential(matrix):
    from scipy.linalg import expm

    refuse_not_square(matrix)
    return each_matrix(expm, matrix)


@kernel("MatrixLogarithm")
def logarithm(matrix):
    from scipy.linalg import logm

    refuse_not_square(matrix)
    return each_matrix(logm, matrix)
