"""Gradients of pooling, and of these gradients."""

from __future__ import annotations

from graphgrad import dtypes
from graphgrad.registry import gradient


def window(op, *more):
    """The attributes of the pooling window."""
    return {name: op[name] for name in ("ksize", "strides", "padding", "data_format", *more)}


def frame(op):
    """What attributes say of the window where its sizes are inputs."""
    return {name: op[name] for name in ("padding", "data_format")}


@gradient("MaxPool")
def max_pool(g, op, dz):
    return g.MaxPoolGrad(op.inputs[0], op.outputs[0], dz, **window(op, "explicit_paddings"))


@gradient("MaxPoolV2")
def max_pool_v2(g, op, dz):
    x, ksize, strides = op.inputs
    return g.MaxPoolGradV2(x, op.outputs[0], dz, ksize, strides, **frame(op)), None, None


@gradient("MaxPool3D")
def max_pool_3d(g, op, dz):
    return g.MaxPool3DGrad(op.inputs[0], op.outputs[0], dz, **window(op))


@gradient("MaxPoolWithArgmax")
def max_pool_with_argmax(g, op, dz, _):
    how = {name: op[name] for name in ("ksize", "strides", "padding", "include_batch_in_index")}
    return g.MaxPoolGradWithArgmax(op.inputs[0], dz, op.outputs[1], **how)


@gradient("MaxPoolGrad", "MaxPool3DGrad")
def max_pool_grad(g, op, dz):
    """Linear in its last input; where the maxima lie changes nothing."""
    x, y, _ = op.inputs
    grad_grad = getattr(g, op.type + "Grad")
    return g.zeros_like(x), g.zeros_like(y), grad_grad(x, y, dz, **window(op))


@gradient("MaxPoolGradV2")
def max_pool_grad_v2(g, op, dz):
    x, y, _, ksize, strides = op.inputs
    return g.zeros_like(x), g.zeros_like(y), g.MaxPoolGradGradV2(x, y, dz, ksize, strides, **frame(op)), None, None


@gradient("MaxPoolGradGrad", "MaxPool3DGradGrad")
def max_pool_grad_grad(g, op, dz):
    x, y, _ = op.inputs
    grad = getattr(g, op.type.removesuffix("Grad"))
    return g.zeros_like(x), g.zeros_like(y), grad(x, y, dz, **window(op))


@gradient("AvgPool", "AvgPool3D")
def avg_pool(g, op, dz):
    return getattr(g, op.type + "Grad")(g.shape(op.inputs[0]), dz, **window(op))


@gradient("AvgPoolGrad", "AvgPool3DGrad")
def avg_pool_grad(g, op, dz):
    return g.StopGradient(op.inputs[0]), getattr(g, op.type.removesuffix("Grad"))(dz, **window(op))


@gradient("FractionalMaxPool")
def fractional_max_pool(g, op, dz, *unused):
    y, rows, columns = op.outputs
    return g.FractionalMaxPoolGrad(op.inputs[0], y, dz, rows, columns, overlapping=op["overlapping"])


@gradient("FractionalAvgPool")
def fractional_avg_pool(g, op, dz, *unused):
    """TensorFlow writes the input's static shape down and so refuses an unknown one; here that is taken at run time."""
    x, (_, rows, columns) = op.inputs[0], op.outputs
    static = x.shape
    shape = g.shape(x, out_type=dtypes.int64) if static is None or None in static else list(static)
    return g.FractionalAvgPoolGrad(shape, dz, rows, columns, overlapping=op["overlapping"])
