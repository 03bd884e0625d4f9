"""Static shapes of diagonals. Batch dimensions lead, matrices are innermost.

A band of diagonals is k, one number or the lowest and the highest; a lone diagonal has no axis of its own.
"""

from __future__ import annotations

from graphgrad.attributes import Shape
from graphgrad.graph import Operation
from graphgrad.registry import shape, shapes
from graphgrad.shapes import dims, values
from graphgrad.shapes.common import same_as_first, unknown
from graphgrad.tensors import Tensor

shapes(same_as_first, "MatrixBandPart")


@shape("Diag")
def diag(op: Operation) -> Shape:
    x = op.inputs[0].shape
    return None if x is None else x + x


@shape("DiagPart")
def diag_part(op: Operation) -> Shape:
    """Half of the dimensions; the other half says the same."""
    x = op.inputs[0].shape
    return None if x is None else dims.merge(x[: len(x) // 2], x[len(x) // 2 :])


def band(k: Tensor) -> tuple[int, int] | None:
    """The lowest and the highest diagonal where they are constant."""
    found = values.complete(k)
    return None if not found else (found[0], found[-1])


def shorter(a: dims.Dim, b: dims.Dim) -> dims.Dim:
    """The lesser of two dimensions; nothing is less than an unknown one."""
    if 0 in (a, b):
        return 0
    return None if a is None or b is None else min(a, b)


@shape("MatrixDiag")
def matrix_diag(op: Operation) -> Shape:
    x = op.inputs[0].shape
    return None if not x else (*x, x[-1])


@shape("MatrixDiagPart")
def matrix_diag_part(op: Operation) -> Shape:
    x = op.inputs[0].shape
    return None if x is None or len(x) < 2 else (*x[:-2], shorter(x[-2], x[-1]))


@shape("MatrixDiagV2", "MatrixDiagV3")
def matrix_diag_of_band(op: Operation) -> Shape:
    x, k = op.inputs[0].shape, band(op.inputs[1])
    if not x or k is None:
        return None
    low, high = k
    batch = x[:-1] if low == high else x[:-2]
    return (*batch, *fitting(x[-1], low, high, *map(values.scalar, op.inputs[2:4])))


def fitting(length: dims.Dim, low: int, high: int, rows: int | None, columns: int | None) -> tuple[dims.Dim, dims.Dim]:
    """The rows and columns of a matrix with such diagonals; -1 asks for a square one, or for the least."""
    rows, columns = (None if n == -1 else n for n in (rows, columns))
    if length is None:
        return rows, columns
    least_rows, least_columns = length - min(high, 0), length + max(low, 0)
    if rows is None and columns is None:
        return (max(least_rows, least_columns),) * 2
    return least_rows if rows is None else rows, least_columns if columns is None else columns


@shape("MatrixDiagPartV2", "MatrixDiagPartV3")
def matrix_diag_part_of_band(op: Operation) -> Shape:
    x, k = op.inputs[0].shape, band(op.inputs[1])
    if x is None or len(x) < 2 or k is None:
        return None
    low, high = k
    rows, columns = x[-2:]
    length = None if rows is None or columns is None else min(rows + min(high, 0), columns - max(low, 0))
    return (*x[:-2], *([] if low == high else [high - low + 1]), length)


@shape("MatrixSetDiag", "MatrixSetDiagV2", "MatrixSetDiagV3")
def matrix_set_diag(op: Operation) -> Shape:
    """The matrices' shape; the diagonals may know more of the batch."""
    x, diagonal = op.inputs[0].shape, op.inputs[1].shape
    if diagonal is None or dims.is_known(x):
        return x
    low, high = (len(op.inputs) > 2 and band(op.inputs[2])) or (0, 0)
    batch = diagonal[:-1] if low == high else diagonal[:-2]
    return dims.merge(x, (*batch, None, None))


shapes(unknown, "BatchMatrixBandPart", "BatchMatrixDiag", "BatchMatrixDiagPart", "BatchMatrixSetDiag")
