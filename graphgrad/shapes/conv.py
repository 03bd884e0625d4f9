"""Static shapes of convolutions and their gradients."""

from __future__ import annotations

from graphgrad.attributes import Shape
from graphgrad.graph import Operation
from graphgrad.registry import shape
from graphgrad.shapes import dims, values
from graphgrad.shapes._windows import output_size, paddings, spatial_axes


@shape("Conv2D", "Conv3D", "DepthwiseConv2dNative")
def convolution(op: Operation) -> Shape:
    rank = 5 if op.type == "Conv3D" else 4
    x, w = op.inputs[0].shape or (None,) * rank, op.inputs[1].shape or (None,) * rank
    axes = spatial_axes(op, rank)
    channel = 1 if axes[0] == 2 else rank - 1
    out = list(x)
    for i, axis in enumerate(axes):
        out[axis] = output_size(
            x[axis], w[i], op["strides"][axis], op["padding"], paddings(op, axis), op["dilations"][axis]
        )
    out[channel] = w[-1]
    if op.type == "DepthwiseConv2dNative":
        out[channel] = None if w[2] is None or w[3] is None else w[2] * w[3]
    return tuple(out)


@shape("Conv2DBackpropInput", "DepthwiseConv2dNativeBackpropInput")
def backprop_input(op: Operation) -> Shape:
    """TensorFlow derives Conv2D's from the sizes only where it knows the other operands too."""
    if op.type == "Conv2DBackpropInput" and not all(dims.is_known(t.shape) for t in op.inputs[1:]):
        return (None,) * 4
    return dims.merge(values.as_shape(op.inputs[0]), (None,) * 4)


@shape("Conv2DBackpropFilter", "DepthwiseConv2dNativeBackpropFilter")
def backprop_filter(op: Operation) -> Shape:
    return dims.merge(values.as_shape(op.inputs[1]), (None,) * 4)


@shape("Conv3DBackpropInputV2")
def backprop_input_3d(op: Operation) -> Shape:
    return dims.merge(values.as_shape(op.inputs[0]), (None,) * 5)


@shape("Conv3DBackpropFilterV2")
def backprop_filter_3d(op: Operation) -> Shape:
    return dims.merge(values.as_shape(op.inputs[1]), (None,) * 5)
