"""Reading the static shapes of stacks of matrices: batch, rows and columns. The batch is None where the rank is unknown,
and what is joined to it is unknown, too.
"""

from __future__ import annotations

from graphgrad.attributes import Shape
from graphgrad.graph import Operation
from graphgrad.shapes import dims
from graphgrad.shapes.dims import Dim
from graphgrad.tensors import Tensor


def matrix(tensor: Tensor) -> tuple[Shape, Dim, Dim]:
    """Batch, rows and columns."""
    static = tensor.shape
    if static is None or len(static) < 2:
        return None, None, None
    return static[:-2], static[-2], static[-1]


def square(tensor: Tensor) -> tuple[Shape, Dim]:
    """Batch and size of square matrices, which either dimension may tell."""
    batch, rows, columns = matrix(tensor)
    return batch, dims.merge_dim(rows, columns)


def square_matrices(op: Operation) -> Shape:
    """The shape of the first input, whose last two dimensions are one."""
    batch, size = square(op.inputs[0])
    return dims.join(batch, (size, size))


def least(a: Dim, b: Dim) -> Dim:
    """The smaller of two dimensions; nothing is smaller than 0."""
    if a == 0 or b == 0:
        return 0
    return None if a is None or b is None else min(a, b)
