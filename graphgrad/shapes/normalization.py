"""Static shapes of batch and response normalization."""

from __future__ import annotations

from graphgrad.attributes import Shape
from graphgrad.graph import Operation
from graphgrad.registry import shape, shapes
from graphgrad.shapes.common import same_as_first

shapes(same_as_first, "LRN", "LRNGrad")


def _channels(op: Operation, shape_: Shape) -> Shape:
    if shape_ is None:
        return (None,)
    return (shape_[1] if op["data_format"].startswith("NC") else shape_[-1],)


@shape("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3")
def fused_batch_norm(op: Operation) -> list[Shape]:
    x = op.inputs[0].shape
    last: list[Shape] = [None] if op.type == "FusedBatchNormV3" else []
    return [x, *[_channels(op, x)] * 4, *last]


@shape("FusedBatchNormGrad", "FusedBatchNormGradV2", "FusedBatchNormGradV3")
def fused_batch_norm_grad(op: Operation) -> list[Shape]:
    x = op.inputs[1].shape
    return [x, _channels(op, x), _channels(op, x), (0,), (0,)]
