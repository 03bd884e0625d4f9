"""Static shapes of sums over segments."""

from __future__ import annotations

from graphgrad.attributes import Shape
from graphgrad.graph import Operation
from graphgrad.registry import shape
from graphgrad.shapes import values


@shape("UnsortedSegmentSum", "UnsortedSegmentProd", "UnsortedSegmentMax", "UnsortedSegmentMin")
def unsorted(op: Operation) -> Shape:
    data, ids = op.inputs[0].shape, op.inputs[1].shape
    if data is None or ids is None:
        return None
    return (values.scalar(op.inputs[2]), *data[len(ids) :])


@shape("SegmentSum", "SegmentMean", "SegmentProd", "SegmentMax", "SegmentMin")
def sorted_(op: Operation) -> Shape:
    data = op.inputs[0].shape
    return None if data is None else (None, *data[1:])


@shape("SparseSegmentSum", "SparseSegmentMean", "SparseSegmentSqrtN")
def sparse(op: Operation) -> Shape:
    data = op.inputs[0].shape
    return None if data is None else (None, *data[1:])


@shape("SparseSegmentSumGrad", "SparseSegmentMeanGrad", "SparseSegmentSqrtNGrad")
def sparse_grad(op: Operation) -> Shape:
    data = op.inputs[0].shape
    return None if data is None else (values.scalar(op.inputs[3]), *data[1:])
