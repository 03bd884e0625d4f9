"""Static shapes of ragged tensors: flat values beside the splits that cut them into rows."""

from __future__ import annotations

from graphgrad.attributes import Shape
from graphgrad.graph import Operation
from graphgrad.registry import shape
from graphgrad.shapes import dims, values
from graphgrad.shapes.dims import Dim


@shape("RaggedRange")
def ragged_range(op: Operation) -> list[Shape]:
    """Scalars go with any number of rows, and make one where there are only scalars."""
    rows: Dim = 1 if all(t.shape == () for t in op.inputs) else None
    for t in op.inputs:
        if t.shape is not None and len(t.shape) == 1:
            rows = dims.merge_dim(rows, t.shape[0])
    return [(dims.total(rows, 1),), (None,)]


@shape("RaggedGather")
def gather(op: Operation) -> list[Shape]:
    inner = op.inputs[-2].shape
    splits: list[Shape] = [(None,)] * op["OUTPUT_RAGGED_RANK"]
    return [*splits, None if inner is None else (None, *inner[1:])]


@shape("RaggedTensorToSparse")
def to_sparse(op: Operation) -> list[Shape]:
    inner = op.inputs[-1].shape
    count, rank = dims.size(inner), None if inner is None else op["RAGGED_RANK"] + len(inner)
    return [(count, rank), (count,), (rank,)]


@shape("RaggedTensorToTensor")
def to_tensor(op: Operation) -> Shape:
    """The shape asked for, its unknown places filled by what the values and the rows know."""
    wanted, inner = values.as_shape(op.inputs[0]), op.inputs[1].shape
    kinds = [kind for kind in op["row_partition_types"] if kind != "FIRST_DIM_SIZE"]
    known = None if inner is None else (*(None,) * (len(kinds) + 1), *inner[1:])
    if op.inputs[0].shape == () or (wanted is None and op.inputs[0].shape is None):
        return known
    return dims.merge(wanted, known) if wanted is not None else known


@shape("RaggedTensorToVariant")
def to_variant(op: Operation) -> Shape:
    if not op["batched_input"]:
        return ()
    outer = op.inputs[0].shape
    return (None if not outer else dims.total(outer[0], -1 if op["RAGGED_RANK"] else 0),)


@shape("RaggedTensorFromVariant")
def from_variant(op: Operation) -> list[Shape]:
    return [*[(None,)] * op["output_ragged_rank"], None]


@shape("RaggedTensorToVariantGradient")
def to_variant_gradient(op: Operation) -> Shape:
    return values.as_shape(op.inputs[2])


@shape("RaggedFillEmptyRows")
def fill_empty_rows(op: Operation) -> list[Shape]:
    ids, found = (t.shape for t in op.inputs[:2])
    return [(None,), (None,), (None,), (dims.merge_dim(ids[0] if ids else None, found[0] if found else None),)]


@shape("RaggedFillEmptyRowsGrad")
def fill_empty_rows_grad(op: Operation) -> list[Shape]:
    ids = op.inputs[0].shape
    return [(ids[0] if ids else None,), ()]


@shape("RaggedCross")
def cross(op: Operation) -> list[Shape]:
    """As many rows as a ragged or a dense column has."""
    values, splits = len(op["ragged_values_types"]), len(op["ragged_splits_types"])
    ends = [t.shape[0] if t.shape else None for t in op.inputs[values : values + splits]]
    dense = op.inputs[len(op.inputs) - len(op["dense_types"]) :]
    ends += [dims.total(t.shape[0] if t.shape else None, 1) for t in dense]
    return [(None,), (next((end for end in ends if end is not None), None),)]
