"""What the rules of matrices are written in: transposes, diagonals and identities over the last two axes, named as
TensorFlow names them. Batch dimensions lead and stay as they are.
"""

from __future__ import annotations

from typing import Any

from graphgrad import dtypes
from graphgrad.dtypes import DType
from graphgrad.functions import GraphBuilder
from graphgrad.tensors import Tensor


def matrix_transpose(g: GraphBuilder, x: Tensor, conjugate: bool = False) -> Tensor:
    """The last two axes exchanged."""
    with g.name_scope("matrix_transpose"):
        x = g.dense(x, "a")
        static = x.shape
        if static is not None:
            *batch, rows, columns = range(len(static))
            return g.transpose(x, [*batch, columns, rows], conjugate)
        rank = g.rank(x)
        batch_axes = g.Range(0, rank - 2, 1)
        return g.transpose(x, g.concat([batch_axes, [rank - 1, rank - 2]], 0), conjugate)


def adjoint(g: GraphBuilder, x: Tensor) -> Tensor:
    """The conjugate transpose."""
    with g.name_scope("adjoint"):
        return matrix_transpose(g, g.dense(x, "matrix"), conjugate=True)


def diagonal_matrix(
    g: GraphBuilder, diagonal: Tensor, k: Any = 0, rows: int = -1, columns: int = -1, align: str = "RIGHT_LEFT"
) -> Tensor:
    """Matrices, square ones by default, that are zero but for the diagonals k."""
    return g.MatrixDiagV3(diagonal, k, rows, columns, 0, align=align, name="diag")


def diagonal_of(g: GraphBuilder, matrix: Tensor, k: Any = 0, align: str = "RIGHT_LEFT") -> Tensor:
    """The diagonals k of matrices."""
    return g.MatrixDiagPartV3(matrix, k, 0, align=align, name="diag_part")


def with_diagonal(g: GraphBuilder, matrix: Tensor, diagonal: Tensor, k: Any = 0, align: str = "RIGHT_LEFT") -> Tensor:
    """Matrices with other diagonals k."""
    return g.MatrixSetDiagV3(matrix, diagonal, k, align=align, name="set_diag")


def band_part(g: GraphBuilder, matrix: Tensor, lower: int, upper: int) -> Tensor:
    """Zeros but for so many diagonals below and above the main one; all of them where the number is -1."""
    return g.MatrixBandPart(matrix, lower, upper, Tindex=dtypes.int32)


def eye(g: GraphBuilder, size: Tensor, dtype: DType, batch: Tensor | None = None) -> Tensor:
    """Identity matrices, one for each element of a shape `batch`."""
    with g.name_scope("eye"):
        length = g.Minimum(size, size)
        batch = g.constant([], dtypes.int32, name="shape") if batch is None else batch
        return diagonal_matrix(g, g.ones(g.concat([batch, [length]], 0), dtype))


def triangular_solve(g: GraphBuilder, matrix: Tensor, rhs: Tensor, lower: bool = True, adjoint: bool = False) -> Tensor:
    """The solution x of matrix x = rhs, or of its adjoint, for a triangular matrix."""
    with g.name_scope("triangular_solve"):
        return g.MatrixTriangularSolve(matrix, rhs, lower=lower, adjoint=adjoint)


def cholesky_solve(g: GraphBuilder, factor: Tensor, rhs: Tensor) -> Tensor:
    """The solution x of L Lᴴ x = rhs."""
    with g.name_scope("cholesky_solve"):
        half = g.MatrixTriangularSolve(factor, rhs)
        return g.MatrixTriangularSolve(factor, half, adjoint=True)


def sum_over_batch(g: GraphBuilder, a: Tensor, b: Tensor, da: Tensor, db: Tensor) -> tuple[Tensor, Tensor]:
    """Gradients of two operands whose batch dimensions were broadcast against each other, in the operands' shapes."""
    shapes = g.shape(a), g.shape(b)
    axes = g.BroadcastGradientArgs(*[s[:-2] for s in shapes])
    da, db = (g.Reshape(g.reduce_sum(d, over), s) for d, over, s in zip((da, db), axes, shapes, strict=True))
    return da, db
