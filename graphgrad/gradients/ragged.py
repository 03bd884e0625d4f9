"""Gradients of ragged tensors, rows of differing lengths: flat values beside the splits that cut them into rows.

Only flat values (and default values) have gradients; splits, row ids and indices get None.
"""

from __future__ import annotations

from graphgrad import dtypes
from graphgrad.errors import ArgumentError
from graphgrad.functions import GraphBuilder
from graphgrad.registry import gradient, no_gradient
from graphgrad.shapes import dims
from graphgrad.tensors import IndexedSlices, Tensor

no_gradient("RaggedRange")


@gradient("RaggedGather")
def ragged_gather(g, op, *dz):
    """The values of a gathered row go back to the places the row covers in the flat values."""
    *splits, values, indices = op.inputs
    starts = splits[0]
    for inner in splits[1:]:
        starts = g.gather(inner, starts)
    rows = g.Reshape(indices, [-1])
    places = ragged_range(g, g.gather(starts, rows), g.gather(starts[1:], rows))
    return [*[None] * len(splits), IndexedSlices(dz[-1], places, g.shape(values)), None]


def ragged_range(g: GraphBuilder, starts: Tensor, limits: Tensor) -> Tensor:
    """The flat values of rows that count from each start up to its limit."""
    with g.name_scope("RaggedRange") as scope:
        step = g.cast(g.constant(1, dtypes.int32, name="deltas"), starts.dtype)
        return g.RaggedRange(starts, limits, step, Tsplits=dtypes.int64, name=scope)[1]


@gradient("RaggedFillEmptyRows")
def ragged_fill_empty_rows(g, op, _, dz, *__):
    values, default = g.RaggedFillEmptyRowsGrad(op.outputs[3], dz)
    return None, values, None, default


@gradient("RaggedTensorToSparse")
def ragged_to_sparse(g, op, _, dz, __):
    *splits, values = op.inputs
    return [*[None] * len(splits), g.Reshape(dz, g.shape(values))]


# ---------------------------------------------------------------------- to dense tensors
@gradient("RaggedTensorToTensor")
def ragged_to_tensor(g, op, dz):
    """The same op tells, given the places of the values instead of these, where each element came from."""
    _, values, default, *partitions = op.inputs
    values_shape = g.shape(values)
    rank = sum(kind != "FIRST_DIM_SIZE" for kind in op["row_partition_types"])
    shape = g.shape(dz)[: 1 + rank]
    places = g.range(0, values_shape[0])
    places = g.RaggedTensorToTensor(shape, places, -1, partitions, row_partition_types=op["row_partition_types"])
    is_value = g.NotEqual(places, -1)
    dvalues = boolean_mask(g, dz, is_value)
    dvalues = IndexedSlices(dvalues, boolean_mask(g, places, is_value), values_shape)
    ddefault = boolean_mask(g, dz, g.LogicalNot(is_value))
    ddefault = g.reduce_sum(ddefault, g.range(0, g.rank(ddefault) - rank_without_leading_ones(g, default)))
    return [None, dvalues, g.Reshape(ddefault, g.shape(default)), *[None] * len(partitions)]


def boolean_mask(g: GraphBuilder, x: Tensor | IndexedSlices, mask: Tensor) -> Tensor:
    """The slices of `x` for which the mask, over its first axes, is true."""
    rank = dims.rank_of(mask.shape)
    if rank is None:
        raise ArgumentError(f"the rank of the mask {mask.name!r} is unknown: give its graph static ranks")
    with g.name_scope("boolean_mask"):
        x = g.dense(x, "tensor")
        shape = x.shape
        count = g.Prod(g.shape(x)[0:rank], [0])
        before, behind = g.shape(x)[:0], g.shape(x)[rank:]
        rows = g.Reshape(x, g.concat([before, [count], behind], 0))
        if shape is not None:
            rows.has_shape((dims.size(shape[:rank]), *shape[rank:]))
        places = g.Squeeze(g.Where(g.Reshape(mask, [-1])), squeeze_dims=[1])
        return g.gather(rows, places)


def rank_without_leading_ones(g: GraphBuilder, x: Tensor) -> int | Tensor:
    """The rank that is left when leading axes of length 1 are dropped."""
    shape = x.shape
    if shape is not None:
        long = next((i for i, dim in enumerate(shape) if dim != 1), len(shape))
        if long == len(shape) or shape[long] is not None:
            return len(shape) - long
    is_one = g.cast(g.Equal(g.shape(x), 1), dtypes.int32)
    return g.rank(x) - g.reduce_sum(g.Cumprod(is_one, 0))


# ---------------------------------------------------------------------- encoded as variants
@gradient("RaggedTensorFromVariant")
def ragged_from_variant(g, op, *dz):
    rank = dims.rank_of(op.inputs[0].shape)
    if rank is not None and rank > 1:
        raise ArgumentError(
            f"no gradient of RaggedTensorFromVariant node {op.name!r}: its input has rank {rank}, and only scalars and "
            "vectors can be encoded"
        )
    batched = op["output_ragged_rank"] > 0 if rank is None else rank == 1
    return g.RaggedTensorToVariant(op.outputs[:-1], dz[-1], batched_input=batched)


@gradient("RaggedTensorToVariant")
def ragged_to_variant(g, op, dz):
    *splits, values = op.inputs
    if isinstance(dz, IndexedSlices):
        raise ArgumentError(
            f"the gradient of RaggedTensorToVariant node {op.name!r} arrives as slices, which variants cannot be "
            "added up from: gather the rows of the ragged tensor before it is encoded"
        )
    dvalues = g.RaggedTensorToVariantGradient(dz, splits[0] if splits else 0, g.shape(values), Tvalues=values.dtype)
    return [*[None] * len(splits), dvalues]
