"""Static shapes of pooling and its gradients."""

from __future__ import annotations

from graphgrad.attributes import Shape
from graphgrad.graph import Operation
from graphgrad.registry import shape, shapes
from graphgrad.shapes import dims, values
from graphgrad.shapes._windows import output_size, paddings
from graphgrad.shapes.common import same_as_first


@shape("MaxPool", "AvgPool", "MaxPool3D", "AvgPool3D")
def pool(op: Operation) -> Shape:
    x = op.inputs[0].shape or (None,) * len(op["ksize"])
    sizes = zip(x, op["ksize"], op["strides"], strict=True)
    return tuple(
        d if k == 1 and s == 1 else output_size(d, k, s, op["padding"], paddings(op, axis))
        for axis, (d, k, s) in enumerate(sizes)
    )


shapes(same_as_first, "MaxPoolGrad", "MaxPool3DGrad")


@shape("MaxPoolGradGrad", "MaxPool3DGradGrad")
def pool_grad_grad(op: Operation) -> Shape:
    return op.inputs[1].shape


@shape("AvgPoolGrad")
def avg_pool_grad(op: Operation) -> Shape:
    return dims.merge(values.as_shape(op.inputs[0]), (None,) * 4)


@shape("AvgPool3DGrad")
def avg_pool_3d_grad(op: Operation) -> Shape:
    return dims.merge(values.as_shape(op.inputs[0]), (None,) * 5)
