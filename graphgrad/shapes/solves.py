"""Static shapes of inverses, determinants and the solutions of systems of equations."""

from __future__ import annotations

from graphgrad.attributes import Shape
from graphgrad.graph import Operation
from graphgrad.registry import shape, shapes
from graphgrad.shapes import dims
from graphgrad.shapes._matrices import matrix, square, square_matrices

shapes(square_matrices, "MatrixInverse", "BatchMatrixInverse")


@shape("MatrixDeterminant", "BatchMatrixDeterminant")
def determinant(op: Operation) -> Shape:
    parts = square(op.inputs[0])
    return None if parts is None else parts[0]


@shape("LogMatrixDeterminant")
def log_determinant(op: Operation) -> list[Shape]:
    return [determinant(op)] * 2


@shape("MatrixSolve", "BatchMatrixSolve")
def solve(op: Operation) -> Shape:
    """The batch is the same on both sides, the matrices are square."""
    left, right = (matrix(t) for t in op.inputs[:2])
    if left is None or right is None:
        return None
    size = dims.merge_dim(dims.merge_dim(left[1], right[1]), left[2])
    return (*(dims.merge(left[0], right[0]) or ()), size, right[2])


@shape("MatrixSolveLs", "BatchMatrixSolveLs")
def solve_ls(op: Operation) -> Shape:
    """A row of the solution for each column of the matrix."""
    left, right = (matrix(t) for t in op.inputs[:2])
    if left is None or right is None:
        return None
    return (*(dims.merge(left[0], right[0]) or ()), left[2], right[2])


@shape("MatrixTriangularSolve", "BatchMatrixTriangularSolve")
def triangular_solve(op: Operation) -> Shape:
    """Batches are broadcast."""
    left, right = (matrix(t) for t in op.inputs)
    if left is None or right is None:
        return None
    size = dims.merge_dim(dims.merge_dim(left[1], left[2]), right[1])
    return (*(dims.broadcast(left[0], right[0]) or ()), size, right[2])


@shape("BandedTriangularSolve")
def banded_triangular_solve(op: Operation) -> Shape:
    """The matrix is given by its bands, so that its columns alone tell its size."""
    left, right = (matrix(t) for t in op.inputs)
    if left is None or right is None:
        return None
    return (*(dims.broadcast(left[0], right[0]) or ()), dims.merge_dim(left[2], right[1]), right[2])


@shape("TridiagonalSolve")
def tridiagonal_solve(op: Operation) -> Shape:
    left, right = (matrix(t) for t in op.inputs)
    if left is None or right is None:
        return None
    return (*(dims.merge(left[0], right[0]) or ()), dims.merge_dim(left[2], right[1]), right[2])


@shape("TridiagonalMatMul")
def tridiagonal_matmul(op: Operation) -> Shape:
    return op.inputs[3].shape
