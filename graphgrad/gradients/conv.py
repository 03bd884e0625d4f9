"""Gradients of convolutions. Each of the three products x * w = z has the other two as its gradients."""

from __future__ import annotations

from graphgrad.registry import gradient

_CONV2D = ("strides", "padding", "explicit_paddings", "data_format", "dilations", "use_cudnn_on_gpu")
_DEPTHWISE = ("strides", "padding", "explicit_paddings", "data_format", "dilations")
_CONV3D = ("strides", "padding", "data_format", "dilations")


def settings(op, names):
    """The attributes that the three products share."""
    return {name: op[name] for name in names}


@gradient("Conv2D")
def conv2d(g, op, dz):
    x, w = op.inputs
    how = settings(op, _CONV2D)
    x_shape, w_shape = g.ShapeN([x, w])
    return g.Conv2DBackpropInput(x_shape, w, dz, **how), g.Conv2DBackpropFilter(x, w_shape, dz, **how)


@gradient("Conv2DBackpropInput")
def conv2d_backprop_input(g, op, dz):
    _, w, dy = op.inputs
    how = settings(op, _CONV2D)
    return None, g.Conv2DBackpropFilter(dz, g.shape(w), dy, **how), g.Conv2D(dz, w, **how)


@gradient("Conv2DBackpropFilter")
def conv2d_backprop_filter(g, op, dz):
    x, _, dy = op.inputs
    how = settings(op, _CONV2D)
    return g.Conv2DBackpropInput(g.shape(x), dz, dy, **how), None, g.Conv2D(x, dz, **how)


@gradient("DepthwiseConv2dNative")
def depthwise(g, op, dz):
    x, w = op.inputs
    how = settings(op, _DEPTHWISE)
    dx = g.DepthwiseConv2dNativeBackpropInput(g.shape(x), w, dz, **how)
    return dx, g.DepthwiseConv2dNativeBackpropFilter(x, g.shape(w), dz, **how)


@gradient("DepthwiseConv2dNativeBackpropInput")
def depthwise_backprop_input(g, op, dz):
    _, w, dy = op.inputs
    how = settings(op, _DEPTHWISE)
    dw = g.DepthwiseConv2dNativeBackpropFilter(dz, g.shape(w), dy, **how)
    return None, dw, g.DepthwiseConv2dNative(dz, w, **how)


@gradient("DepthwiseConv2dNativeBackpropFilter")
def depthwise_backprop_filter(g, op, dz):
    x, _, dy = op.inputs
    how = settings(op, _DEPTHWISE)
    dx = g.DepthwiseConv2dNativeBackpropInput(g.shape(x), dz, dy, **how)
    return dx, None, g.DepthwiseConv2dNative(x, dz, **how)


@gradient("Conv3D")
def conv3d(g, op, dz):
    x, w = op.inputs
    how = settings(op, _CONV3D)
    x_shape, w_shape = g.ShapeN([x, w])
    return g.Conv3DBackpropInputV2(x_shape, w, dz, **how), g.Conv3DBackpropFilterV2(x, w_shape, dz, **how)


@gradient("Conv3DBackpropInputV2")
def conv3d_backprop_input(g, op, dz):
    _, w, dy = op.inputs
    how = settings(op, _CONV3D)
    return None, g.Conv3DBackpropFilterV2(dz, g.shape(w), dy, **how), g.Conv3D(dz, w, **how)


@gradient("Conv3DBackpropFilterV2")
def conv3d_backprop_filter(g, op, dz):
    x, _, dy = op.inputs
    how = settings(op, _CONV3D)
    return g.Conv3DBackpropInputV2(g.shape(x), dz, dy, **how), None, g.Conv3D(x, dz, **how)
