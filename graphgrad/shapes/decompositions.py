"""Static shapes of matrix decompositions and of functions of matrices. Batch dimensions lead, matrices are innermost."""

from __future__ import annotations

from graphgrad.attributes import Shape
from graphgrad.graph import Operation
from graphgrad.registry import shape, shapes
from graphgrad.shapes import dims
from graphgrad.shapes._matrices import least, matrix, square, square_matrices
from graphgrad.shapes.common import unknown

shapes(
    square_matrices,
    *["Cholesky", "CholeskyGrad"],
    *["MatrixExponential", "MatrixLogarithm", "MatrixSquareRoot"],
)


@shape("Lu")
def lu(op: Operation) -> list[Shape]:
    factors = square_matrices(op)
    return [factors, None if factors is None else factors[:-1]]


@shape("Eig", "SelfAdjointEigV2")
def eigenvalues(op: Operation) -> list[Shape]:
    """A vector of values and a matrix of vectors, which is empty where they are not asked for."""
    batch, size = square(op.inputs[0])
    return [dims.join(batch, (size,)), dims.join(batch, (size, size)) if op["compute_v"] else (0,)]


@shape("Svd")
def svd(op: Operation) -> list[Shape]:
    batch, rows, columns = matrix(op.inputs[0])
    size = least(rows, columns)
    values = dims.join(batch, (size,))
    if not op["compute_uv"]:
        return [values, (0,), (0,)]
    u, v = (rows, columns) if op["full_matrices"] else (size, size)
    return [values, dims.join(batch, (rows, u)), dims.join(batch, (columns, v))]


@shape("Qr")
def qr(op: Operation) -> list[Shape]:
    batch, rows, columns = matrix(op.inputs[0])
    inner = rows if op["full_matrices"] else least(rows, columns)
    return [dims.join(batch, (rows, inner)), dims.join(batch, (inner, columns))]


shapes(unknown, "BatchCholesky", "BatchCholeskyGrad", "BatchSelfAdjointEigV2", "BatchSvd")
