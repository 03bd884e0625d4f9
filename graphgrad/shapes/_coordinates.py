"""What static shapes of sparse tensors have in common: so many entries, of index rows as long as the rank."""

from __future__ import annotations

from graphgrad.attributes import Shape
from graphgrad.shapes.dims import Dim
from graphgrad.tensors import Tensor


def dim_of(tensor: Tensor, axis: int) -> Dim:
    """One dimension of a tensor, or None."""
    known = tensor.shape
    return None if known is None or axis >= len(known) else known[axis]


def coordinates(count: Dim, rank: Dim) -> list[Shape]:
    """So many entries of a sparse tensor of that rank."""
    return [(count, rank), (count,), (rank,)]
