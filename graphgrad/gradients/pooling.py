"""Gradients of pooling, and of these gradients."""

from __future__ import annotations

from graphgrad.registry import gradient


def window(op, *more):
    """The attributes of the pooling window."""
    return {name: op[name] for name in ("ksize", "strides", "padding", "data_format", *more)}


@gradient("MaxPool")
def max_pool(g, op, dz):
    return g.MaxPoolGrad(op.inputs[0], op.outputs[0], dz, **window(op, "explicit_paddings"))


@gradient("MaxPool3D")
def max_pool_3d(g, op, dz):
    return g.MaxPool3DGrad(op.inputs[0], op.outputs[0], dz, **window(op))


@gradient("MaxPoolGrad", "MaxPool3DGrad")
def max_pool_grad(g, op, dz):
    """Linear in its last input; where the maxima lie changes nothing."""
    x, y, _ = op.inputs
    grad_grad = getattr(g, op.type + "Grad")
    return g.zeros_like(x), g.zeros_like(y), grad_grad(x, y, dz, **window(op))


@gradient("MaxPoolGradGrad")
def max_pool_grad_grad(g, op, dz):
    x, y, _ = op.inputs
    return g.zeros_like(x), g.zeros_like(y), g.MaxPoolGrad(x, y, dz, **window(op))


@gradient("AvgPool", "AvgPool3D")
def avg_pool(g, op, dz):
    return getattr(g, op.type + "Grad")(g.shape(op.inputs[0]), dz, **window(op))


@gradient("AvgPoolGrad", "AvgPool3DGrad")
def avg_pool_grad(g, op, dz):
    return g.StopGradient(op.inputs[0]), getattr(g, op.type.removesuffix("Grad"))(dz, **window(op))
