"""Gradients of segment reductions: each row of the data gets the gradient of its segment.

A negative segment id means the row went nowhere, and its gradient is zero.
"""

from __future__ import annotations

from typing import Any

from graphgrad import dtypes
from graphgrad.functions import GraphBuilder
from graphgrad.registry import gradient
from graphgrad.tensors import IndexedSlices, Tensor


# ---------------------------------------------------------------------- sorted segments
@gradient("SegmentSum")
def segment_sum(g, op, dz):
    return g.gather(dz, op.inputs[1]), None


@gradient("SegmentMean")
def segment_mean(g, op, dz):
    """dz over the size of its segment, which is a segment sum of ones."""
    data, ids = op.inputs
    rank, ids_shape = g.rank(data), g.shape(ids)
    column = g.ones(g.ExpandDims(rank - 1, 0), ids_shape.dtype)
    ones = g.ones(g.concat([ids_shape, column], 0), dz.dtype)
    return g.gather(dz / g.SegmentSum(ones, ids), ids), None


@gradient("SegmentMin", "SegmentMax")
def segment_extremum(g, op, dz):
    """The elements equal to the extremum of their segment share its gradient evenly."""
    data, ids = op.inputs
    zeros = g.zeros_like(data)
    chosen = g.Equal(data, g.gather(op.outputs[0], ids))
    count = g.SegmentSum(g.cast(chosen, dz.dtype), ids)
    return g.SelectV2(chosen, g.gather(dz / count, ids), zeros), None


@gradient("SegmentProd")
def segment_prod(g, op, dz):
    """The product over the element; with one zero in the segment, the product of the others at its place alone."""
    data, ids = op.inputs
    is_zero = g.Equal(data, 0)
    zeros = g.SegmentSum(g.cast(is_zero, dtypes.int32), ids)
    dz = without_double_zeros(g, zeros, dz)
    nonzero = g.SelectV2(is_zero, g.ones_like(data), data)
    nonzero_product = g.SegmentProd(nonzero, ids)
    product, others = g.gather(op.outputs[0], ids), g.gather(nonzero_product, ids)
    factor = g.SelectV2(is_zero, others, product / nonzero)
    return g.gather(dz, ids) * factor, None


def without_double_zeros(g: GraphBuilder, zeros: Tensor, dz: Any) -> Tensor:
    """`dz`, zero for segments with more than one zero: there every product of the others is zero too."""
    many = g.Greater(zeros, 1)
    return g.SelectV2(many, g.zeros_like(dz), dz)


# ---------------------------------------------------------------------- unsorted segments
def clipped(g: GraphBuilder, ids: Tensor) -> Tensor:
    """The ids with 0 for negative ones, fit to gather with."""
    return g.Maximum(ids, g.zeros_like(ids))


def is_kept(g: GraphBuilder, ids: Tensor, gathered: Tensor) -> Tensor:
    """Which elements of `gathered` belong to rows whose segment id is not negative."""
    kept = g.GreaterEqual(ids, 0)
    shape = g.shape(kept)
    column = g.ones([g.rank(gathered) - g.rank(kept)], shape.dtype)
    kept = g.Reshape(kept, g.concat([shape, column], 0))
    return g.LogicalAnd(kept, g.ones_like(gathered, dtypes.bool_), name="and")


def kept_rows(g: GraphBuilder, params: Any, ids: Tensor, places: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Rows of `params` by segment id, zeros for negative ids; and which elements are not such zeros."""
    gathered = g.gather(params, clipped(g, ids) if places is None else places)
    kept = is_kept(g, ids, gathered)
    return g.SelectV2(kept, gathered, g.zeros_like(gathered)), kept


@gradient("UnsortedSegmentSum")
def unsorted_segment_sum(g, op, dz):
    return kept_rows(g, dz, op.inputs[1])[0], None, None


@gradient("UnsortedSegmentMin", "UnsortedSegmentMax")
def unsorted_segment_extremum(g, op, dz):
    """The elements equal to the extremum of their segment share its gradient evenly."""
    data, ids, count = op.inputs
    places = clipped(g, ids)
    extrema, kept = kept_rows(g, op.outputs[0], ids, places)
    chosen = g.LogicalAnd(g.Equal(data, extrema), kept)
    shares = g.UnsortedSegmentSum(g.cast(chosen, dz.dtype), ids, count)
    gathered = g.gather(dz / shares, places)
    gathered = g.SelectV2(kept, gathered, g.zeros_like(gathered))
    return g.SelectV2(chosen, gathered, g.zeros_like(gathered)), None, None


@gradient("UnsortedSegmentProd")
def unsorted_segment_prod(g, op, dz):
    """As SegmentProd; a negative id needs no care before the last step, which makes the gradient of its row zero."""
    data, ids, count = op.inputs
    is_zero = g.Equal(data, 0)
    zeros = g.UnsortedSegmentSum(g.cast(is_zero, dtypes.int32), ids, count)
    dz = without_double_zeros(g, zeros, dz)
    nonzero = g.SelectV2(is_zero, g.ones_like(data), data)
    nonzero_product = g.UnsortedSegmentProd(nonzero, ids, count)
    places = clipped(g, ids)
    product, others = g.gather(op.outputs[0], places), g.gather(nonzero_product, places)
    factor = g.SelectV2(is_zero, others, product / data)
    return kept_rows(g, dz, ids, places)[0] * factor, None, None


# ---------------------------------------------------------------------- sparse segments
@gradient("SparseSegmentSumGrad", "SparseSegmentMeanGrad", "SparseSegmentSqrtNGrad")
def sparse_segment_grad(g, op, dz):
    """The reduction that the op is the gradient of is its own gradient: both are linear. TensorFlow has none here."""
    rows, indices, ids, _ = op.inputs
    reduce = op.type.removesuffix("Grad") + "WithNumSegments"
    return g.op(reduce, dz, indices, ids, g.shape(rows)[0]).outputs[0], None, None, None


@gradient(
    "SparseSegmentSum",
    "SparseSegmentSumWithNumSegments",
    "SparseSegmentMean",
    "SparseSegmentMeanWithNumSegments",
    "SparseSegmentSqrtN",
    "SparseSegmentSqrtNWithNumSegments",
)
def sparse_segment(g, op, dz):
    """The op of the same name behind Grad; its second form gives rows, where the op asks for a sparse gradient."""
    data, indices, ids, *_ = op.inputs
    grad = op.type.removesuffix("WithNumSegments") + "Grad"
    shape = g.shape(data)
    rows = shape[0]
    if op["sparse_gradient"]:
        values, places = g.op(grad + "V2", dz, indices, ids, rows).outputs
        return [IndexedSlices(values, places, shape), *[None] * (len(op.inputs) - 1)]
    return [g.op(grad, dz, indices, ids, rows).outputs[0], *[None] * (len(op.inputs) - 1)]
