"""Gradients of pooling, and of these gradients."""

from __future__ import annotations

from graphgrad.registry import gradient

_WINDOW = ("ksize", "strides", "padding", "data_format")


def window(op, *more):
    """The attributes of the pooling window."""
    return {name: op[name] for name in (*_WINDOW, *more)}


@gradient("MaxPool")
def max_pool(g, op, dz):
    how = window(op, "explicit_paddings")
    return g.MaxPoolGrad(op.inputs[0], op.outputs[0], dz, **how)


@gradient("MaxPoolGrad")
def max_pool_grad(g, op, dz):
    x, y, _ = op.inputs
    return g.zeros_like(x), g.zeros_like(y), g.MaxPoolGradGrad(x, y, dz, **window(op))


@gradient("MaxPoolGradGrad")
def max_pool_grad_grad(g, op, dz):
    x, y, _ = op.inputs
    return g.zeros_like(x), g.zeros_like(y), g.MaxPoolGrad(x, y, dz, **window(op))


@gradient("AvgPool")
def avg_pool(g, op, dz):
    return g.AvgPoolGrad(g.shape(op.inputs[0]), dz, **window(op))


@gradient("AvgPoolGrad")
def avg_pool_grad(g, op, dz):
    return g.StopGradient(op.inputs[0]), g.AvgPool(dz, **window(op))


@gradient("MaxPool3D")
def max_pool_3d(g, op, dz):
    return g.MaxPool3DGrad(op.inputs[0], op.outputs[0], dz, **window(op))


@gradient("MaxPool3DGrad")
def max_pool_3d_grad(g, op, dz):
    x, y, _ = op.inputs
    return g.zeros_like(x), g.zeros_like(y), g.MaxPool3DGradGrad(x, y, dz, **window(op))


@gradient("AvgPool3D")
def avg_pool_3d(g, op, dz):
    return g.AvgPool3DGrad(g.shape(op.inputs[0]), dz, **window(op))


@gradient("AvgPool3DGrad")
def avg_pool_3d_grad(g, op, dz):
    return g.StopGradient(op.inputs[0]), g.AvgPool3D(dz, **window(op))
