"""Static shapes of counts of values, row by row, and of distances of sequences."""

from __future__ import annotations

from graphgrad.attributes import Shape
from graphgrad.graph import Operation
from graphgrad.registry import shape
from graphgrad.shapes import dims, values
from graphgrad.shapes._coordinates import coordinates, dim_of


@shape("SparseBincount")
def bincount(op: Operation) -> Shape:
    dense, size = values.complete(op.inputs[2]), values.scalar(op.inputs[3])
    if dense is None or size is None:
        return None
    return (size,) if len(dense) == 1 else (dense[0], size)


@shape("RaggedBincount")
def ragged_bincount(op: Operation) -> Shape:
    return None


@shape("SparseCountSparseOutput")
def count_sparse(op: Operation) -> list[Shape]:
    return coordinates(None, dim_of(op.inputs[0], 1))


@shape("DenseCountSparseOutput")
def count_dense(op: Operation) -> list[Shape]:
    """Of the rank of the values, which weights have too unless there are none."""
    found, weights = (t.shape for t in op.inputs)
    return coordinates(None, dims.rank_of(weights if found is None and dims.size(weights) != 0 else found))


@shape("RaggedCountSparseOutput")
def count_ragged(op: Operation) -> list[Shape]:
    return coordinates(None, dims.total(dims.rank_of(op.inputs[1].shape), 1))


@shape("EditDistance")
def edit_distance(op: Operation) -> Shape:
    hypothesis, truth = values.complete(op.inputs[2]), values.complete(op.inputs[5])
    if hypothesis is None or truth is None:
        return None
    return tuple(max(a, b) for a, b in zip(hypothesis[:-1], truth[:-1], strict=False))
