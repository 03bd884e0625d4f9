"""Static shapes of pooling and its gradients."""

from __future__ import annotations

import math
from collections.abc import Sequence

from graphgrad.attributes import Shape
from graphgrad.graph import Operation
from graphgrad.registry import shape
from graphgrad.shapes import dims, values
from graphgrad.shapes._windows import output_size, paddings


def _pooled(op: Operation, ksize: Sequence[int], strides: Sequence[int]) -> Shape:
    x = dims.merge(op.inputs[0].shape, (None,) * len(ksize)) or ()
    return tuple(
        output_size(d, k, s, op["padding"], paddings(op, axis))
        for axis, (d, k, s) in enumerate(zip(x, ksize, strides, strict=True))
    )


@shape(
    *["MaxPool", "AvgPool", "MaxPool3D", "AvgPool3D"],
    *["MaxPoolGradGrad", "MaxPool3DGradGrad", "MaxPoolGradGradWithArgmax"],
)
def pool(op: Operation) -> Shape:
    return _pooled(op, op["ksize"], op["strides"])


@shape("MaxPoolWithArgmax")
def max_pool_with_argmax(op: Operation) -> list[Shape]:
    return [_pooled(op, op["ksize"], op["strides"])] * 2


@shape("MaxPoolV2", "MaxPoolGradGradV2")
def max_pool_v2(op: Operation) -> Shape:
    ksize, strides = (values.complete(t) for t in op.inputs[-2:])
    return None if ksize is None or strides is None else _pooled(op, ksize, strides)


@shape("MaxPoolGrad", "MaxPoolGradV2", "MaxPoolGradWithArgmax", "FractionalMaxPoolGrad")
def same_image(op: Operation) -> Shape:
    return dims.merge(op.inputs[0].shape, (None,) * 4)


@shape("MaxPool3DGrad")
def same_volume(op: Operation) -> Shape:
    return dims.merge(op.inputs[0].shape, (None,) * 5)


@shape("AvgPoolGrad", "FractionalAvgPoolGrad")
def avg_pool_grad(op: Operation) -> Shape:
    return dims.merge(values.as_shape(op.inputs[0]), (None,) * 4)


@shape("AvgPool3DGrad")
def avg_pool_3d_grad(op: Operation) -> Shape:
    return dims.merge(values.as_shape(op.inputs[0]), (None,) * 5)


@shape("FractionalMaxPool", "FractionalAvgPool")
def fractional_pool(op: Operation) -> list[Shape]:
    """TensorFlow says the sequences of borders are as long as there are cells; they are one longer."""
    x = dims.merge(op.inputs[0].shape, (None,) * 4) or ()
    cells = tuple(None if d is None else math.floor(d / r) for d, r in zip(x, op["pooling_ratio"], strict=True))
    return [cells, (None,), (None,)]
