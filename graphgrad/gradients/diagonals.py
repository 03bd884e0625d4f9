"""Gradients of diagonals: what was put on a diagonal is taken from it again, and the other way round.

The rules of all versions emit the third, as TensorFlow's do: the alignment of the older ones is its default, which is
not where they put short diagonals of a band.
"""

from __future__ import annotations

from typing import Any

from graphgrad.controlflow.cond import cond
from graphgrad.functions import GraphBuilder
from graphgrad.gradients._matrices import diagonal_matrix, diagonal_of, with_diagonal
from graphgrad.graph import Operation
from graphgrad.registry import gradient
from graphgrad.shapes import dims
from graphgrad.tensors import Tensor


@gradient("Diag")
def diag(g, op, dz):
    return g.DiagPart(dz)


@gradient("DiagPart")
def diag_part(g, op, dz):
    return g.Diag(dz)


@gradient("MatrixBandPart")
def matrix_band_part(g, op, dz):
    _, lower, upper = op.inputs
    return g.MatrixBandPart(dz, lower, upper), None, None


def given_align(op: Operation) -> str:
    """Where short diagonals stand in the compact form, the default for versions that do not say."""
    return op.get("align", "RIGHT_LEFT")


# ---------------------------------------------------------------------- matrices from diagonals
@gradient("MatrixDiag")
def matrix_diag(g, op, dz):
    return diagonal_of(g, dz)


@gradient("MatrixDiagV2", "MatrixDiagV3")
def matrix_diag_of_band(g, op, dz):
    return diagonal_of(g, dz, op.inputs[1], given_align(op)), None, None, None, None


# ---------------------------------------------------------------------- diagonals of matrices
@gradient("MatrixDiagPart")
def matrix_diag_part(g, op, dz):
    sizes = matrix_sizes(op.inputs[0])
    if dims.is_known(sizes) and sizes[0] == sizes[1]:
        return diagonal_matrix(g, dz)
    return with_diagonal(g, g.zeros_like(op.inputs[0]), dz)


@gradient("MatrixDiagPartV2", "MatrixDiagPartV3")
def matrix_diag_part_of_band(g, op, dz):
    matrix, k, _ = op.inputs
    sizes, align = matrix_sizes(matrix), given_align(op)
    if dims.is_known(sizes):
        return diagonal_matrix(g, dz, k, *sizes, align=align), None, None
    return with_diagonal(g, g.zeros_like(matrix), dz, k, align), None, None


def matrix_sizes(tensor: Tensor) -> Any:
    """The static numbers of rows and columns."""
    return None if tensor.shape is None else tensor.shape[-2:]


# ---------------------------------------------------------------------- matrices with diagonals replaced
@gradient("MatrixSetDiag")
def matrix_set_diag(g, op, dz):
    """The gradient without what was replaced, and that alone."""
    matrix = dims.merge(op.inputs[0].shape, dz.shape)
    diagonal = op.inputs[1].shape
    batch = None if matrix is None else dims.merge(matrix[:-2], None if diagonal is None else diagonal[:-1])
    if dims.is_known(batch) and dims.is_known(matrix):
        shape: Any = [*batch, min(matrix[-2:])]
    else:
        with g.colocate_with(dz.op):
            shape, rank = g.shape(dz), g.rank(dz)
            batch = g.Slice(shape, [0], [rank - 2])
            sizes = g.Slice(shape, [rank - 2], [2])
            shape = g.concat([batch, [g.reduce_min(sizes)]], 0)
    return with_diagonal(g, dz, g.zeros(shape, dz.dtype)), diagonal_of(g, dz)


@gradient("MatrixSetDiagV2", "MatrixSetDiagV3")
def matrix_set_diag_of_band(g, op, dz):
    _, diagonal, k = op.inputs
    align = given_align(op)
    shape: Any = diagonal.shape if dims.is_known(diagonal.shape) else compact_shape(g, dz, k)
    return with_diagonal(g, dz, g.zeros(shape, dz.dtype), k, align), diagonal_of(g, dz, k, align), None


def compact_shape(g: GraphBuilder, matrix: Tensor, k: Tensor) -> Tensor:
    """The shape of the diagonals k of matrices, worked out when the graph runs: a lone one has no axis of its own."""
    shape = g.shape(matrix)
    batch, sizes = shape[:-2], shape[-2:]
    band = g.Reshape(k, [-1])
    low, high = band[0], band[-1]
    above = cond(g, g.Less(high, 0), lambda: high, lambda: g.constant(0))
    below = cond(g, g.Greater(low, 0), lambda: -low, lambda: g.constant(0))
    length = g.Minimum(sizes[0] + above, sizes[1] + below)
    inner = cond(
        g,
        g.Equal(low, high),
        lambda: g.packed([length], "packed"),
        lambda: g.packed([high - low + 1, length], "packed"),
    )
    return g.concat([batch, inner], 0)
