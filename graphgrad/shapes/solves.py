"""Static shapes of inverses, determinants and the solutions of systems of equations."""

from __future__ import annotations

from graphgrad.attributes import Shape
from graphgrad.graph import Operation
from graphgrad.registry import shape, shapes
from graphgrad.shapes import dims
from graphgrad.shapes._matrices import matrix, square, square_matrices
from graphgrad.shapes.common import unknown

shapes(square_matrices, "MatrixInverse")


@shape("MatrixDeterminant")
def determinant(op: Operation) -> Shape:
    return square(op.inputs[0])[0]


@shape("LogMatrixDeterminant")
def log_determinant(op: Operation) -> list[Shape]:
    return [determinant(op)] * 2


@shape("MatrixSolve")
def solve(op: Operation) -> Shape:
    """The batch is the same on both sides, the matrices are square."""
    (batch, rows, columns), (other_batch, other_rows, count) = map(matrix, op.inputs)
    size = dims.merge_dim(dims.merge_dim(rows, other_rows), columns)
    return dims.join(dims.merge(batch, other_batch), (size, count))


@shape("MatrixSolveLs")
def solve_ls(op: Operation) -> Shape:
    """A row of the solution for each column of the matrix."""
    (batch, _, columns), (other_batch, _, count) = map(matrix, op.inputs[:2])
    return dims.join(dims.merge(batch, other_batch), (columns, count))


@shape("MatrixTriangularSolve")
def triangular_solve(op: Operation) -> Shape:
    """Batches are broadcast."""
    (batch, rows, columns), (other_batch, other_rows, count) = map(matrix, op.inputs)
    size = dims.merge_dim(dims.merge_dim(rows, columns), other_rows)
    return dims.join(dims.broadcast(batch, other_batch), (size, count))


@shape("BandedTriangularSolve")
def banded_triangular_solve(op: Operation) -> Shape:
    """The matrix is given by its bands, so that its columns alone tell its size."""
    (batch, _, columns), (other_batch, other_rows, count) = map(matrix, op.inputs)
    return dims.join(dims.broadcast(batch, other_batch), (dims.merge_dim(columns, other_rows), count))


@shape("TridiagonalSolve", "TridiagonalMatMul")
def right_hand_side(op: Operation) -> Shape:
    """That of the last input; TensorFlow takes nothing from the others."""
    return op.inputs[-1].shape


shapes(
    unknown,
    "BatchMatrixInverse",
    "BatchMatrixDeterminant",
    "BatchMatrixSolve",
    "BatchMatrixSolveLs",
    "BatchMatrixTriangularSolve",
)
