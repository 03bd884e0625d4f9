"""Gradients of convolutions. Each of the three products x * w = z has the other two as its gradients."""

from __future__ import annotations

import functools

from graphgrad.registry import gradient

_ATTRS_2D = ("strides", "padding", "explicit_paddings", "data_format", "dilations")
# The ops of the three products (z, dx and dw), and the attributes they share.
_PRODUCTS = [
    (("Conv2D", "Conv2DBackpropInput", "Conv2DBackpropFilter"), (*_ATTRS_2D, "use_cudnn_on_gpu")),
    (
        ("DepthwiseConv2dNative", "DepthwiseConv2dNativeBackpropInput", "DepthwiseConv2dNativeBackpropFilter"),
        _ATTRS_2D,
    ),
    (("Conv3D", "Conv3DBackpropInputV2", "Conv3DBackpropFilterV2"), ("strides", "padding", "data_format", "dilations")),
]


def products(g, op):
    """The builders of z, dx and dw for the kind of convolution that `op` is, with its attributes."""
    ops, names = next(entry for entry in _PRODUCTS if op.type in entry[0])
    how = {name: op[name] for name in names}
    return [functools.partial(getattr(g, op_type), **how) for op_type in ops]


@gradient("Conv2D", "Conv3D")
def convolution(g, op, dz):
    x, w = op.inputs
    _, backprop_x, backprop_w = products(g, op)
    x_shape, w_shape = g.ShapeN([x, w])
    return backprop_x(x_shape, w, dz), backprop_w(x, w_shape, dz)


@gradient("DepthwiseConv2dNative")
def depthwise(g, op, dz):
    x, w = op.inputs
    _, backprop_x, backprop_w = products(g, op)
    return backprop_x(g.shape(x), w, dz), backprop_w(x, g.shape(w), dz)


@gradient("Conv2DBackpropInput", "DepthwiseConv2dNativeBackpropInput", "Conv3DBackpropInputV2")
def backprop_input(g, op, dz):
    _, w, dy = op.inputs
    convolve, _, backprop_w = products(g, op)
    return None, backprop_w(dz, g.shape(w), dy), convolve(dz, w)


@gradient("Conv2DBackpropFilter", "DepthwiseConv2dNativeBackpropFilter", "Conv3DBackpropFilterV2")
def backprop_filter(g, op, dz):
    x, _, dy = op.inputs
    convolve, backprop_x, _ = products(g, op)
    return backprop_x(g.shape(x), dz, dy), None, convolve(x, dz)


@gradient("Dilation2D")
def dilation(g, op, dz):
    x, w = op.inputs
    how = {name: op[name] for name in ("strides", "rates", "padding")}
    return g.Dilation2DBackpropInput(x, w, dz, **how), g.Dilation2DBackpropFilter(x, w, dz, **how)
