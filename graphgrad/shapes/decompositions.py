"""Static shapes of matrix decompositions and of functions of matrices. Batch dimensions lead, matrices are innermost."""

from __future__ import annotations

from graphgrad.attributes import Shape
from graphgrad.graph import Operation
from graphgrad.registry import shape, shapes
from graphgrad.shapes._matrices import least, matrix, square, square_matrices

shapes(
    square_matrices,
    *["BatchCholesky", "Cholesky", "MatrixExponential", "MatrixLogarithm", "MatrixSquareRoot"],
)


@shape("CholeskyGrad", "BatchCholeskyGrad")
def cholesky_grad(op: Operation) -> Shape:
    return square_matrices(op)


@shape("Lu")
def lu(op: Operation) -> list[Shape]:
    factors = square_matrices(op)
    return [factors, None if factors is None else factors[:-1]]


@shape("Eig", "SelfAdjointEigV2", "BatchSelfAdjointEigV2")
def eigenvalues(op: Operation) -> list[Shape]:
    """A vector of values and a matrix of vectors, which is empty where they are not asked for."""
    parts = square(op.inputs[0])
    vectors: Shape = (0,)
    if parts is None:
        return [None, None if op["compute_v"] else vectors]
    batch, size = parts
    return [(*batch, size), (*batch, size, size) if op["compute_v"] else vectors]


@shape("Svd", "BatchSvd")
def svd(op: Operation) -> list[Shape]:
    parts = matrix(op.inputs[0])
    nothing: Shape = (0,)
    if parts is None:
        return [None, None, None] if op["compute_uv"] else [None, nothing, nothing]
    batch, rows, columns = parts
    size = least(rows, columns)
    if not op["compute_uv"]:
        return [(*batch, size), nothing, nothing]
    u, v = (rows, columns) if op["full_matrices"] else (size, size)
    return [(*batch, size), (*batch, rows, u), (*batch, columns, v)]


@shape("Qr")
def qr(op: Operation) -> list[Shape]:
    parts = matrix(op.inputs[0])
    if parts is None:
        return [None, None]
    batch, rows, columns = parts
    inner = rows if op["full_matrices"] else least(rows, columns)
    return [(*batch, rows, inner), (*batch, inner, columns)]
