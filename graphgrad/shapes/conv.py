"""Static shapes of convolutions and their gradients."""

from __future__ import annotations

from graphgrad.attributes import Shape
from graphgrad.graph import Operation
from graphgrad.registry import shape, shapes
from graphgrad.shapes import dims, values
from graphgrad.shapes._windows import output_size, paddings, spatial_axes
from graphgrad.shapes.common import same_as_first


@shape("Conv2D", "Conv3D", "DepthwiseConv2dNative")
def convolution(op: Operation) -> Shape:
    rank = 5 if "Conv3D" in op.type else 4
    x, w = op.inputs[0].shape or (None,) * rank, op.inputs[1].shape or (None,) * rank
    axes = spatial_axes(op, rank)
    channel = 1 if axes[0] == 2 else rank - 1
    out = list(x)
    for i, axis in enumerate(axes):
        out[axis] = output_size(
            x[axis], w[i], op["strides"][axis], op["padding"], paddings(op, axis), op["dilations"][axis]
        )
    out[channel] = w[-1]
    if "DepthwiseConv2dNative" in op.type:
        out[channel] = dims.product(dims.merge_dim(x[channel], w[2]), w[3])
    return tuple(out)


@shape("Conv")
def general_convolution(op: Operation) -> Shape:
    """Of images or volumes behind any number of batch axes; nothing is known unless both ranks are."""
    x, w = op.inputs[0].shape, op.inputs[1].shape
    if x is None or w is None:
        return None
    batch, x = x[: op["batch_dims"] - 1], x[op["batch_dims"] - 1 :]
    if len(x) != len(w):
        return None
    first = 2 if op["data_format"] == "CHANNELS_FIRST" else 1
    out = list(x)
    for i, axis in enumerate(range(first, len(x) + first - 2)):
        dilation = op["dilations"][axis] if op["dilations"] else 1
        out[axis] = output_size(x[axis], w[i], op["strides"][axis], op["padding"], paddings(op, axis), dilation)
    out[1 if first == 2 else -1] = w[-1]
    return (*batch, *out)


@shape("Conv2DBackpropInput")
def backprop_input(op: Operation) -> Shape:
    """TensorFlow takes the batch from the gradient; the sizes may be those of height and width alone."""
    sizes, dy = values.as_shape(op.inputs[0]), op.inputs[2].shape
    batch = None if dy is None else dy[0]
    if sizes is not None and len(sizes) == 2:
        w = op.inputs[1].shape
        channels = None if w is None else w[2]
        return (batch, channels, *sizes) if op["data_format"] == "NCHW" else (batch, *sizes, channels)
    return (batch, *(dims.merge(sizes, (None,) * 4) or ())[1:])


@shape("DepthwiseConv2dNativeBackpropInput")
def depthwise_backprop_input(op: Operation) -> Shape:
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


@shape("Conv2DBackpropInputV2", "Conv3DBackpropInput")
def like_input(op: Operation) -> Shape:
    return dims.merge(op.inputs[0].shape, (None,) * (5 if "3D" in op.type else 4))


@shape("Conv2DBackpropFilterV2", "Conv3DBackpropFilter")
def like_filter(op: Operation) -> Shape:
    return dims.merge(op.inputs[1].shape, (None,) * (5 if "3D" in op.type else 4))


@shape("Dilation2D")
def dilation(op: Operation) -> Shape:
    """One unknown size makes TensorFlow forget both; the channels are the filter's."""
    x, w = (dims.merge(t.shape, (None,) * rank) or () for t, rank in zip(op.inputs, (4, 3), strict=True))
    sizes = [output_size(x[i], w[i - 1], op["strides"][i], op["padding"], (0, 0), op["rates"][i]) for i in (1, 2)]
    if None in (*x[1:3], *w[:2]):
        sizes = [None, None]
    return (x[0], *sizes, w[2])


shapes(same_as_first, "Dilation2DBackpropInput")


@shape("Dilation2DBackpropFilter")
def dilation_filter(op: Operation) -> Shape:
    return op.inputs[1].shape
