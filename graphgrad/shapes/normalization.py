"""Static shapes of batch and response normalization."""

from __future__ import annotations

import functools
from collections.abc import Iterable

from graphgrad.attributes import Shape
from graphgrad.graph import Operation
from graphgrad.registry import shape
from graphgrad.shapes import dims
from graphgrad.shapes.common import merge_all
from graphgrad.shapes.dims import Dim
from graphgrad.tensors import Tensor


@shape("LRN")
def lrn(op: Operation) -> Shape:
    return dims.merge(op.inputs[0].shape, (None,) * 4)


@shape("LRNGrad")
def lrn_grad(op: Operation) -> Shape:
    return dims.merge(merge_all(op), (None,) * 4)


def _with_channels(images: Tensor, rank: int, axis: int, channels: Dim) -> tuple[Shape, Shape]:
    """The shape of the images and that of a vector of their channels, with what is known of these elsewhere."""
    whole = dims.merge(images.shape, (None,) * rank) or ()
    channels = dims.merge_dim(whole[axis], channels)
    return dims.replace(whole, axis, channels), (channels,)


def _length(vectors: Iterable[Tensor]) -> Dim:
    """The length that vectors have in common."""
    return functools.reduce(dims.merge_dim, ((t.shape or (None,))[0] for t in vectors), None)


def _layout(op: Operation) -> tuple[int, int]:
    """The rank of the images and the axis of their channels."""
    data_format = op["data_format"]
    return len(data_format) if op.type.endswith("V3") else 4, data_format.index("C")


@shape("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3")
def fused_batch_norm(op: Operation) -> list[Shape]:
    is_fresh = op["is_training"] and op["exponential_avg_factor"] == 1  # then the old mean and variance are not read
    y, channels = _with_channels(op.inputs[0], *_layout(op), _length(op.inputs[1:3] if is_fresh else op.inputs[1:5]))
    last: list[Shape] = [None] if op.type == "FusedBatchNormV3" else []
    return [y, *[channels] * 4, *last]


@shape("FusedBatchNormGrad", "FusedBatchNormGradV2", "FusedBatchNormGradV3")
def fused_batch_norm_grad(op: Operation) -> list[Shape]:
    dy, x, *vectors = op.inputs
    _, (length,) = _with_channels(x, *_layout(op), _length(vectors[:3]))  # type: ignore[misc]
    dx, channels = _with_channels(dy, *_layout(op), length)
    return [dx, channels, channels, (0,), (0,)]


@shape("BatchNormWithGlobalNormalization")
def batch_norm_with_global_normalization(op: Operation) -> Shape:
    return _with_channels(op.inputs[0], 4, 3, _length(op.inputs[1:]))[0]


@shape("BatchNormWithGlobalNormalizationGrad")
def batch_norm_with_global_normalization_grad(op: Operation) -> list[Shape]:
    x, *vectors, dy = op.inputs
    _, (length,) = _with_channels(dy, 4, 3, _length(vectors))  # type: ignore[misc]
    whole, channels = _with_channels(x, 4, 3, length)
    return [dims.merge(whole, dy.shape), *[channels] * 4]
