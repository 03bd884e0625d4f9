"""Gradients of matrix decompositions and of what is built on them. The gradient is that of the factors as they are;
where they are not unique (equal eigenvalues or singular values) a broadened reciprocal keeps it finite.

Sources: M. Giles, An extended collection of matrix derivative results (2008), for Cholesky, eigenvalues and singular
values; C. Boeddeker et al., arXiv 1701.00392, for Eig; D.-O. Roberts and L. Roberts, arXiv 2009.10071, for Qr.
"""

from __future__ import annotations

from graphgrad.errors import ArgumentError
from graphgrad.gradients._matrices import (
    adjoint,
    band_part,
    diagonal_matrix,
    diagonal_of,
    eye,
    matrix_transpose,
    triangular_solve,
    with_diagonal,
)
from graphgrad.registry import gradient
from graphgrad.shapes import dims


def _safe_reciprocal(g, x):
    """1/x, which stays finite at 0."""
    return x * g.Reciprocal(x * x + 1e-20)


def _reciprocal_gaps(g, values, like):
    """The matrix of 1 / (v_j - v_i), zeros in the shape of `like` on its diagonal."""
    gaps = g.ExpandDims(values, -2) - g.ExpandDims(values, -1)
    return with_diagonal(g, _safe_reciprocal(g, gaps), g.zeros_like(like))


@gradient("Cholesky")
def cholesky(g, op, dz):
    """A = L Lᴴ: dA = ½ (S + Sᴴ) with S = L⁻ᴴ P L⁻¹, P the lower triangle of Lᴴ dL, its diagonal halved."""
    factor = op.outputs[0]
    size, batch = g.shape(factor)[-1], g.shape(factor)[:-2]
    identity = eye(g, size, factor.dtype, batch)
    inverse = triangular_solve(g, factor, identity)
    middle = g.matmul(factor, dz, adjoint_a=True)
    middle = with_diagonal(g, middle, 0.5 * diagonal_of(g, middle))
    middle = band_part(g, middle, -1, 0)
    da = g.matmul(g.matmul(inverse, middle, adjoint_a=True), inverse)
    return (da + adjoint(g, da)) * 0.5


# ------------------------------------------------------------------ eigenvalues
@gradient("SelfAdjointEigV2")
def self_adjoint_eig(g, op, d_values, d_vectors):
    """A = V diag(e) Vᴴ: dA = V (diag(de) + F ∘ Vᴴ dV) Vᴴ, F the reciprocal gaps of e; kept in the lower triangle."""
    (a,), (values, vectors) = op.inputs, op.outputs
    with g.control_dependencies([d_values, d_vectors]):
        if op["compute_v"]:
            gaps = _reciprocal_gaps(g, values, values)
            inner = diagonal_matrix(g, d_values) + gaps * g.matmul(vectors, d_vectors, adjoint_a=True)
        else:
            _, vectors = g.SelfAdjointEigV2(a)
            inner = diagonal_matrix(g, d_values)
        da = g.matmul(vectors, g.matmul(inner, vectors, adjoint_b=True))
        da = band_part(g, da + adjoint(g, da), -1, 0)
        return with_diagonal(g, da, 0.5 * diagonal_of(g, da))


@gradient("Eig")
def eig(g, op, d_values, d_vectors):
    """A = V diag(e) V⁻¹: dA = V⁻ᴴ (diag(de) + conj(F) ∘ (W - Vᴴ V diag(re(W)))) Vᴴ with W = Vᴴ dV."""
    (a,), (values, vectors) = op.inputs, op.outputs
    with g.control_dependencies([d_values, d_vectors]):
        if op["compute_v"]:
            v = adjoint(g, vectors)
            gaps = g.conj(_reciprocal_gaps(g, values, values))
            turned = g.matmul(v, d_vectors)
            middle = diagonal_matrix(g, d_values)
            length = diagonal_matrix(
                g, diagonal_of(g, g.cast(g.Real(turned, Tout=turned.dtype.real_dtype), turned.dtype))
            )
            middle = middle + gaps * (turned - g.matmul(g.matmul(v, vectors), length))
        else:
            _, vectors = g.Eig(a, Tout=values.dtype)
            v = adjoint(g, vectors)
            middle = diagonal_matrix(g, d_values)
        return g.cast(g.MatrixSolve(v, g.matmul(middle, v)), a.dtype)


# ------------------------------------------------------------------ singular values
@gradient("Svd")
def svd(g, op, ds, du, dv):
    """A = U diag(s) Vᴴ, see `_svd_of_wide`; of a tall matrix it is the adjoint that is decomposed."""
    a = op.inputs[0]
    middle = diagonal_matrix(g, ds)
    if not op["compute_uv"]:
        s, u, v = g.Svd(a)
        if a.dtype.is_complex:
            g.Real(s, Tout=s.dtype.real_dtype)  # TensorFlow leaves it unused
        da = g.matmul(u, g.matmul(middle, v, adjoint_b=True))
        da.has_shape(a.shape)
        return da
    *batch, rows, columns = _svd_shape(op, du, dv)
    s, u, v = op.outputs
    is_tall = rows > columns
    if is_tall:
        u, v, du, dv = v, u, dv, du
    with g.control_dependencies([ds, du, dv]):
        if op["full_matrices"] and abs(rows - columns) > 1:
            raise ArgumentError(
                f"no gradient for Svd node {op.name!r} with full_matrices=True: its matrices of {rows} x {columns} "
                "leave more than one column of the larger factor undetermined"
            )
        da = _svd_of_wide(g, op, s, u, v, middle, du, dv, min(rows, columns), max(rows, columns))
        da = matrix_transpose(g, da, conjugate=True) if is_tall else da
        da.has_shape((*batch, rows, columns))
        return da


def _svd_shape(op, du, dv):
    """The static shape of the decomposed matrices, for which the gradients of the factors may speak, too."""
    a, u, v = op.inputs[0].shape, du.shape, dv.shape
    sides = [None, None]
    if a is not None:
        batch, sides = a[:-2], list(a[-2:])
    for side, factor in enumerate((u, v)):
        if a is not None and factor is not None:
            batch = dims.merge(batch, factor[:-2])
            sides[side] = dims.merge_dim(sides[side], factor[-2])
    if None in sides:
        raise ArgumentError(
            f"the gradient of Svd node {op.name!r} needs the static number of rows and columns of its input, which has "
            f"shape {dims.show(a)}: give its graph static shapes"
        )
    return *batch, *sides


def _svd_of_wide(g, op, s, u, v, middle, du, dv, size, columns):
    """With u of `size` columns, v = (v1, v2) of `columns`, F the reciprocal gaps of s², K = Uᴴ dU, L = v1ᴴ dv1:

    dA = U (diag(ds) + (F∘K + (F∘K)ᴴ) S + S (F∘L + (F∘L)ᴴ)) v1ᴴ,
    and for a matrix that is not square + U S⁻¹ (dv1ᴴ (1 - v1 v1ᴴ) - v1ᴴ dv2 v2ᴴ),
    and for a complex one + ½ U S⁻¹ (D* - D) v1ᴴ, D the diagonal of L.
    """
    diagonal = diagonal_matrix(g, s)
    squares = g.Square(s)
    s_shape = g.shape(s)
    gaps = _reciprocal_gaps(g, squares, s)
    inverse = diagonal_matrix(g, _safe_reciprocal(g, s))
    dv = g.dense(dv)
    v1, dv1 = v[..., :, :size], dv[..., :, :size]
    of_u = g.matmul(u, du, adjoint_a=True)
    of_v = g.matmul(v1, dv1, adjoint_a=True)
    turned_u, turned_v = gaps * of_u, gaps * of_v
    inner = middle + g.matmul(turned_u + adjoint(g, turned_u), diagonal)
    inner = inner + g.matmul(diagonal, turned_v + adjoint(g, turned_v))
    da = g.matmul(u, g.matmul(inner, v1, adjoint_b=True))
    if size < columns:
        rows = matrix_transpose(g, dv1, conjugate=True)
        outside = rows - g.matmul(g.matmul(rows, v1), v1, adjoint_b=True)
        if op["full_matrices"]:
            v2, dv2 = v[..., :, size:columns], dv[..., :, size:columns]
            mixed = g.matmul(v1, dv2, adjoint_a=True)
            outside = outside - g.matmul(mixed, v2, adjoint_b=True)
        da = da + g.matmul(g.matmul(u, inverse), outside)
    if s.dtype.is_complex:
        phases = eye(g, s_shape[-1], s.dtype, s_shape[:-1]) * of_v
        inner = g.matmul(inverse, adjoint(g, phases) - phases)
        da = da + 0.5 * g.matmul(u, g.matmul(inner, v1, adjoint_b=True))
    return da


# ------------------------------------------------------------------ orthogonal and triangular factors
@gradient("Qr")
def qr(g, op, dq, dr):
    """A = Q R; of a wide A = (x, y), R = (u, v): dy = Q dv, and x = Q u has the gradients dQ + y dvᴴ and du."""
    (a,), (q, r) = op.inputs, op.outputs
    refuse_undetermined_qr(op)
    rows, columns = q.shape[-2], r.shape[-1]
    if rows >= columns:
        return _qr_of_tall(g, q, r, dq, dr)
    dr = g.dense(dr)
    y, u = a[..., :, rows:], r[..., :, :rows]
    dv, du = dr[..., :, rows:], dr[..., :, :rows]
    dy = g.matmul(q, dv)
    dx = _qr_of_tall(g, q, u, dq + g.matmul(y, dv, adjoint_b=True), du)
    return g.concat([dx, dy], -1)


def refuse_undetermined_qr(op):
    """TensorFlow's two refusals: shapes that are not static, and columns of Q that A does not determine."""
    q, r = (t.shape for t in op.outputs)
    if r is None or None in r[-2:]:
        raise ArgumentError(
            f"the gradient of Qr node {op.name!r} needs the static number of rows and columns of its input, and its R "
            f"has shape {dims.show(r)}: give its graph static shapes"
        )
    if r[-2] > r[-1] and q[-2] == q[-1]:
        raise ArgumentError(
            f"no gradient for Qr node {op.name!r} with full_matrices=True: of {r[-2]} columns of Q its matrices "
            f"determine {r[-1]}"
        )


def _qr_of_tall(g, q, r, dq, dr):
    """With K = Qᴴ dQ, M = R dRᴴ: dA = Q (dR + T R⁻ᴴ) + (dQ - Q K) R⁻ᴴ, T the lower triangle of K - Kᴴ + M - Mᴴ."""
    of_q = g.matmul(q, dq, adjoint_a=True)
    skew_q = of_q - adjoint(g, of_q)
    of_r = g.matmul(r, dr, adjoint_b=True)
    skew_r = of_r - adjoint(g, of_r)
    lower = band_part(g, skew_q + skew_r, -1, 0)
    inside = g.matmul(q, dr + _times_inverse_adjoint(g, lower, r))
    outside = _times_inverse_adjoint(g, dq - g.matmul(q, of_q), r)
    da = inside + outside
    if q.dtype.is_complex:
        phases = of_r - adjoint(g, of_q)
        phases = with_diagonal(g, g.zeros_like(phases), diagonal_of(g, phases))
        phases = phases - g.cast(g.Real(phases, Tout=q.dtype.real_dtype), q.dtype)
        da = da + _times_inverse_adjoint(g, g.matmul(q, adjoint(g, phases)), r)
    return da


def _times_inverse_adjoint(g, x, r):
    """x R⁻ᴴ for an upper triangular R."""
    return adjoint(g, triangular_solve(g, r, adjoint(g, x), lower=False))


# ------------------------------------------------------------------ functions of matrices
@gradient("MatrixSquareRoot")
def matrix_square_root(g, op, dz):
    """A = R R, so dA = R dR + dR R: one linear system for all elements of dR, by Kronecker products."""
    root = op.outputs[0]
    shape = g.shape(root)
    order = shape[-1]
    count = g.reduce_prod(shape[0:-2])
    identity = g.Reshape(eye(g, order, root.dtype), [-1])
    identity = g.Reshape(g.Tile(identity, [count]), shape)
    left = _kronecker_product(g, identity, matrix_transpose(g, root))
    right = _kronecker_product(g, root, identity)
    system = g.AddV2(left, right, name="Add")
    batch = _batch_of(g, shape)
    as_vectors = g.concat([batch, [order * order], [1]], 0)
    right_side = g.Reshape(matrix_transpose(g, dz), as_vectors)
    solution = g.MatrixSolve(system, right_side)
    return matrix_transpose(g, g.Reshape(solution, shape))


def _batch_of(g, shape):
    """The leading dimensions of a shape of matrices."""
    return g.Slice(shape, [0], [g.Sub(g.size(shape), 2)])


def _kronecker_product(g, a, b):
    """Square matrices whose blocks are b times the elements of a."""
    a_shape, b_shape = g.shape(a), g.shape(b)
    m, n = a_shape[-1], b_shape[-1]
    batch = _batch_of(g, a_shape)
    spread_a = g.concat([batch, [m], [1], [m], [1]], 0)
    spread_b = g.concat([batch, [1], [n], [1], [n]], 0)
    a, b = g.Reshape(a, spread_a), g.Reshape(b, spread_b)
    size = m * n
    whole = g.concat([batch, [size], [size]], 0)
    return g.Reshape(a * b, whole)
