"""Gradients of inverses, determinants and systems of equations.

With x = A⁻¹ b, the gradient of b is db = A⁻ᴴ dx and that of A is -db xᴴ; the other rules follow from it. Sources:
M. Giles, An extended collection of matrix derivative results (2008).
"""

from __future__ import annotations

from graphgrad import dtypes
from graphgrad.errors import ArgumentError
from graphgrad.gradients._matrices import (
    band_part,
    cholesky_solve,
    diagonal_of,
    eye,
    matrix_transpose,
    sum_over_batch,
    triangular_solve,
)
from graphgrad.registry import gradient
from graphgrad.shapes import dims


@gradient("MatrixInverse")
def matrix_inverse(g, op, dz):
    """z = A⁻¹: dA = -z^H dz z^H; the roles change where z is the inverse of the adjoint."""
    inverse, adjoint = op.outputs[0], op["adjoint"]
    right = g.matmul(dz, inverse, adjoint_a=adjoint, adjoint_b=not adjoint)
    return -g.matmul(inverse, right, adjoint_a=not adjoint)


@gradient("MatrixDeterminant")
def matrix_determinant(g, op, dz):
    """d det(A) / dA = det(A) A⁻ᴴ."""
    (a,), (determinant,) = op.inputs, op.outputs
    inverse = g.MatrixInverse(a, adjoint=True)
    return _as_matrices(g, dz * determinant, determinant) * inverse


@gradient("LogMatrixDeterminant")
def log_matrix_determinant(g, op, d_sign, d_logarithm):
    """d log|det(A)| / dA = A⁻ᴴ; the sign is constant."""
    inverse = g.MatrixInverse(op.inputs[0], adjoint=True)
    return _as_matrices(g, d_logarithm, op.outputs[1]) * inverse


def _as_matrices(g, numbers, like):
    """A number for each matrix of a batch, as matrices of size 1 x 1."""
    return g.Reshape(numbers, g.concat([g.shape(like), [1, 1]], 0))


@gradient("MatrixSolve")
def matrix_solve(g, op, dz):
    a, _ = op.inputs
    d_rhs = g.MatrixSolve(a, dz, adjoint=not op["adjoint"])
    return _of_matrix(g, op, d_rhs), d_rhs


def _of_matrix(g, op, d_rhs):
    """-db xᴴ, or its adjoint where the system was that of Aᴴ."""
    x = op.outputs[0]
    left, right = (x, d_rhs) if op["adjoint"] else (d_rhs, x)
    return -g.matmul(left, right, adjoint_b=True)


@gradient("MatrixTriangularSolve")
def matrix_triangular_solve(g, op, dz):
    """As for any matrix; the triangle that is not looked at has no gradient."""
    a, b = op.inputs
    d_rhs = triangular_solve(g, a, dz, lower=op["lower"], adjoint=not op["adjoint"])
    triangle = (-1, 0) if op["lower"] else (0, -1)
    da = band_part(g, _of_matrix(g, op, d_rhs), *triangle)
    return _summed(g, a, b, da, d_rhs)


def _summed(g, a, b, da, db):
    """As they are where static shapes tell that no batch dimension was broadcast."""
    if dims.is_known(a.shape) and dims.is_known(b.shape) and a.shape[:-2] == b.shape[:-2]:
        return da, db
    return sum_over_batch(g, a, b, da, db)


@gradient("BandedTriangularSolve")
def banded_triangular_solve(g, op, dz):
    """As for any matrix, of which only the bands are kept."""
    a, b = op.inputs
    count = g.shape(a)[-2]
    d_rhs = g.BandedTriangularSolve(a, dz, lower=op["lower"], adjoint=not op["adjoint"])
    da = _of_matrix(g, op, d_rhs)
    bands = [-(count - 1), 0] if op["lower"] else [0, count - 1]
    da = diagonal_of(g, da, bands, align="LEFT_RIGHT")
    if a.shape is not None and a.shape[-2] == 1:  # a lone band comes without its axis, which TensorFlow forgets
        return sum_over_batch(g, a, b, da, d_rhs)
    return _summed(g, a, b, da, d_rhs)


# ------------------------------------------------------------------ least squares
@gradient("MatrixSolveLs")
def matrix_solve_ls(g, op, dz):
    """By the normal equations of the smaller side. Where only a run can tell which that is, both rules are there."""
    if not op["fast"]:
        raise ArgumentError(f"no gradient for {op.type} node {op.name!r} with fast=False: TensorFlow has none either")
    a, b, regularizer = op.inputs
    operands = a, b, op.outputs[0], g.cast(regularizer, a.dtype), dz
    matrix = None if a.shape is None else a.shape[-2:]
    if dims.is_known(matrix):
        rule = _overdetermined if matrix[0] >= matrix[1] else _underdetermined
        return *rule(g, *operands), None
    rows, columns = (g.shape(a)[axis] for axis in (-2, -1))
    switched = [g.Switch(t, rows >= columns) for t in operands]
    wide, tall = zip(*switched, strict=True)
    pairs = zip(_underdetermined(g, *wide), _overdetermined(g, *tall), strict=True)
    return *(g.Merge(pair)[0] for pair in pairs), None


def _overdetermined(g, a, b, x, regularizer, dz):
    """x = G⁻¹ Aᴴ b with G = Aᴴ A + λ: z = G⁻¹ dx, dA = b zᴴ - A (x zᴴ + (x zᴴ)ᵀ), db = A z."""
    z = cholesky_solve(g, _gramian_factor(g, a, regularizer, small_axis=-1), dz)
    outer = g.matmul(x, z, adjoint_b=True)
    symmetric = outer + matrix_transpose(g, outer)
    da = -g.matmul(a, symmetric) + g.matmul(b, z, adjoint_b=True)
    return da, g.matmul(a, z)


def _underdetermined(g, a, b, x, regularizer, dz):
    """x = Aᴴ G⁻¹ b with G = A Aᴴ + λ: db = G⁻¹ A dx, t = G⁻¹ b, dA = t (dx - Aᴴ db)ᴴ - db tᴴ A."""
    factor = _gramian_factor(g, a, regularizer, small_axis=-2)
    d_rhs = cholesky_solve(g, factor, g.matmul(a, dz))
    t = cholesky_solve(g, factor, b)
    first = -g.matmul(d_rhs, g.matmul(t, a, adjoint_a=True))
    rest = dz - g.matmul(a, d_rhs, adjoint_a=True)
    return first + g.matmul(t, rest, adjoint_b=True), d_rhs


def _gramian_factor(g, a, regularizer, small_axis):
    """The Cholesky factor of Aᴴ A + λ where columns are the small side, of A Aᴴ + λ where rows are."""
    first_kind = small_axis == -1
    gramian = g.matmul(a, a, adjoint_a=first_kind, adjoint_b=not first_kind)
    shape = g.shape(a)
    batch = shape[:-2]
    identity = eye(g, shape[small_axis], a.dtype, batch)
    if a.shape is not None:
        identity.has_shape((*a.shape[:-2], a.shape[small_axis], a.shape[small_axis]))
    return g.Cholesky(gramian + regularizer * identity)


# ------------------------------------------------------------------ tridiagonal matrices
@gradient("TridiagonalMatMul")
def tridiagonal_matmul(g, op, dz):
    """Row i is above[i] x[i + 1] + main[i] x[i] + below[i] x[i - 1]."""
    above, main, below = (matrix_transpose(g, d, conjugate=True) for d in op.inputs[:3])
    x = g.conj(op.inputs[3])
    d_above = g.reduce_sum(_next_row(g, x) * dz, -1)
    d_main = g.reduce_sum(x * dz, -1)
    d_below = g.reduce_sum(_last_row(g, x) * dz, -1)
    dx = _last_row(g, above * dz) + main * dz + _next_row(g, below * dz)
    return *(g.ExpandDims(d, -2) for d in (d_above, d_main, d_below)), dx


def _next_row(g, x):
    """Row i + 1 in the place of row i, zeros in the last."""
    padding = _padding(g, x, [[0, 1], [0, 0]])
    return g.Pad(x[..., 1:, :], padding)


def _last_row(g, x):
    """Row i - 1 in the place of row i, zeros in the first."""
    padding = _padding(g, x, [[1, 0], [0, 0]])
    return g.Pad(x[..., :-1, :], padding)


def _padding(g, x, innermost, batch=None):
    """Paddings of the innermost axes, none of those before."""
    batch = _no_padding(g, x) if batch is None else batch
    return g.concat([batch, g.constant(innermost)], 0)


def _no_padding(g, x):
    """No padding of the axes but the last two."""
    rank = g.rank(x)
    return g.zeros([rank - 2, 2], dtypes.int32)


@gradient("TridiagonalSolve")
def tridiagonal_solve(g, op, dz):
    """As for any matrix, of which only three diagonals are kept."""
    diagonals, x = op.inputs[0], op.outputs[0]
    options = {key: op[key] for key in ("partial_pivoting", "perturb_singular")}
    d_rhs = g.TridiagonalSolve(_transposed_diagonals(g, diagonals), dz, **options)
    return -_diagonals_of_product(g, d_rhs, x), d_rhs


def _transposed_diagonals(g, diagonals):
    """The rows (above, main, below) of the transposed matrix: what was below stands above, one place to the left."""
    main = diagonals[..., 1, :]
    if dims.is_known(diagonals.shape):
        zeros = g.zeros([*diagonals.shape[:-2], 1], diagonals.dtype)
        above = g.concat([diagonals[..., 2, 1:], zeros], -1)
        below = g.concat([zeros, diagonals[..., 0, :-1]], -1)
    else:
        batch = _no_padding(g, diagonals)
        padding = _padding(g, diagonals, [[0, 1]], batch)
        above = g.Pad(diagonals[..., 2, 1:], padding)
        padding = _padding(g, diagonals, [[1, 0]], batch)
        below = g.Pad(diagonals[..., 0, :-1], padding)
    return g.stack([above, main, below], axis=-2)


def _diagonals_of_product(g, x, y):
    """The rows (above, main, below) of x yᵀ, from row-wise products alone."""
    main = g.reduce_sum(x * y, -1)
    if dims.is_known(y.shape):
        zeros = g.zeros([*y.shape[:-2], 1, y.shape[-1]], x.dtype)
        above = g.reduce_sum(x * g.concat([y[..., 1:, :], zeros], -2), -1)
        below = g.reduce_sum(x * g.concat([zeros, y[..., :-1, :]], -2), -1)
    else:
        batch = _no_padding(g, y)
        padding = _padding(g, y, [[0, 1], [0, 0]], batch)
        above = g.reduce_sum(x * g.Pad(y[..., 1:, :], padding), -1)
        padding = _padding(g, y, [[1, 0], [0, 0]], batch)
        below = g.reduce_sum(x * g.Pad(y[..., :-1, :], padding), -1)
    return g.stack([above, main, below], axis=-2)
