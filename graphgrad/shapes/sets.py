"""Static shapes of sets: the last axis of a tensor, or the entries of a sparse tensor's row, taken as a set of values."""

from __future__ import annotations

from graphgrad.attributes import Shape
from graphgrad.graph import Operation
from graphgrad.registry import shape
from graphgrad.shapes import dims
from graphgrad.shapes._coordinates import coordinates, dim_of


@shape("SetSize")
def set_size(op: Operation) -> Shape:
    return None


@shape("DenseToDenseSetOperation")
def dense_sets(op: Operation) -> list[Shape]:
    ranks = [dims.rank_of(t.shape) for t in op.inputs]
    return coordinates(None, dims.merge_dim(*ranks))


@shape("DenseToSparseSetOperation")
def dense_and_sparse_sets(op: Operation) -> list[Shape]:
    return coordinates(None, dims.merge_dim(dims.rank_of(op.inputs[0].shape), dim_of(op.inputs[3], 0)))


@shape("SparseToSparseSetOperation")
def sparse_sets(op: Operation) -> list[Shape]:
    return coordinates(None, dims.merge_dim(dim_of(op.inputs[2], 0), dim_of(op.inputs[5], 0)))
