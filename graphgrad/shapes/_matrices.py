"""Reading the static shapes of stacks of matrices: batch, rows and columns."""

from __future__ import annotations

from graphgrad.attributes import Shape
from graphgrad.graph import Operation, Tensor
from graphgrad.shapes import dims
from graphgrad.shapes.dims import Dim

Batch = tuple[Dim, ...]


def matrix(tensor: Tensor) -> tuple[Batch, Dim, Dim] | None:
    """Batch, rows and columns; None for an unknown rank."""
    static = tensor.shape
    if static is None or len(static) < 2:
        return None
    return static[:-2], static[-2], static[-1]


def square(tensor: Tensor) -> tuple[Batch, Dim] | None:
    """Batch and size of square matrices, which either dimension may tell."""
    parts = matrix(tensor)
    if parts is None:
        return None
    batch, rows, columns = parts
    return batch, dims.merge_dim(rows, columns)


def square_matrices(op: Operation) -> Shape:
    """The shape of the first input, whose last two dimensions are one."""
    parts = square(op.inputs[0])
    return None if parts is None else (*parts[0], parts[1], parts[1])


def least(a: Dim, b: Dim) -> Dim:
    """The smaller of two dimensions; nothing is smaller than 0."""
    if a == 0 or b == 0:
        return 0
    return None if a is None or b is None else min(a, b)
