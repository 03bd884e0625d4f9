"""Gradients of batch and response normalization."""

from __future__ import annotations

from graphgrad import dtypes
from graphgrad.gradients._tape import gradients_through
from graphgrad.registry import gradient

HALVES = (dtypes.float16, dtypes.bfloat16)


def is_channels_first(data_format):
    return data_format.startswith("NC")


@gradient("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3")
def fused_batch_norm(g, op, dy, *unused):
    """In inference mode the population's mean and variance stand where training keeps the batch's."""
    x, scale, _, mean, variance = op.inputs
    data_format, training = op["data_format"], op["is_training"]
    # In double precision, which graphs have that are checked, only the first version's gradient takes the scale.
    version = "" if x.dtype is dtypes.float64 else op.type.removeprefix("FusedBatchNorm")
    build = getattr(g, f"FusedBatchNormGrad{version}")
    reserved = [op.outputs[3], op.outputs[4]] if training else [mean, variance]
    reserved += [op.outputs[5]] if version == "V3" else []
    turned = not training and is_channels_first(data_format)
    if turned:
        spatial = list(range(2, len(data_format)))
        to_last, data_format = [0, *spatial, 1], {"NCHW": "NHWC", "NCDHW": "NDHWC"}[data_format]
        x, dy = g.transpose(x, to_last), g.transpose(dy, to_last)
    how = {"epsilon": op["epsilon"], "data_format": data_format, "is_training": training}
    dx, dscale, doffset, *_ = build(dy, x, scale, *reserved, **how)
    if turned:
        dx = g.transpose(dx, [0, len(data_format) - 1, *range(1, len(data_format) - 1)])
    return dx, dscale, doffset, None, None


@gradient("FusedBatchNormGrad", "FusedBatchNormGradV2", "FusedBatchNormGradV3")
def fused_batch_norm_grad(g, op, *dz):
    """The first gradient is written out as a formula of dy, x and scale, and that is differentiated."""
    dy, x, scale, mean, variance, *_ = op.inputs
    before = len(g.graph)
    if op["is_training"]:
        ys = training_gradient(g, op, dy, x, scale)
        order = (1, 0, 2) if x.dtype in HALVES and is_channels_first(op["data_format"]) else (0, 1, 2)
    else:
        ys, order = inference_gradient(g, op, dy, x, scale, mean, variance), (2, 1, 0)
    formula = g.graph.operations[before:]
    seeds = [g.dense(d) for d in dz[:3]]
    found = gradients_through(g, formula, [ys[i] for i in order], [dy, x, scale], [seeds[i] for i in order])
    return [*found, *[None] * (len(op.inputs) - 3)]


def training_gradient(g, op, dy, x, scale):
    """dx = scale / σ · (dy - mean(dy) - (x - μ) mean(dy (x - μ)) / σ²), dscale = Σ dy (x - μ) / σ, doffset = Σ dy"""
    dtype, epsilon = x.dtype, op["epsilon"]
    dy, x = in_float32(g, dy, x)
    axes, keep = reduced_axes(op), is_channels_first(op["data_format"])
    if keep:
        (scale,) = along_channels(g, op, scale)
    dy_mean = g.reduce_mean(dy, axes, keep)
    x_mean = g.reduce_mean(x, axes, keep)
    variance = g.reduce_mean(g.SquaredDifference(x, g.StopGradient(x_mean)), axes, keep)
    dy_offset, x_offset = dy - dy_mean, x - x_mean
    along_x = g.reduce_mean(dy * x_offset, axes, keep)
    inner = scale * g.Rsqrt(variance + epsilon)
    dx = inner * (dy_offset - g.Reciprocal(variance + epsilon) * along_x * x_offset)
    dscale = g.Rsqrt(variance + epsilon) * g.reduce_sum(dy * x_offset, axes, keep)
    if keep:
        dscale = g.Squeeze(dscale)
    doffset = g.reduce_sum(dy, axes)
    return g.cast(dx, dtype), dscale, doffset


def inference_gradient(g, op, dy, x, scale, mean, variance):
    """dx = dy scale / σ, dscale = Σ dy (x - μ) / σ, doffset = Σ dy, with the population's μ and σ."""
    dtype, axes = x.dtype, reduced_axes(op)
    dy, x = in_float32(g, dy, x)
    if is_channels_first(op["data_format"]):
        mean, variance, scale = along_channels(g, op, mean, variance, scale)
    doffset = g.reduce_sum(dy, axes)
    inverse = g.Rsqrt(variance + op["epsilon"])
    dscale = g.reduce_sum(dy * (x - mean) * inverse, axes)
    dx = dy * scale * inverse
    return g.cast(dx, dtype), dscale, doffset


def in_float32(g, dy, x):
    """Half precision is too coarse for these sums."""
    if x.dtype in HALVES:
        x = g.cast(x, dtypes.float32)
        dy = g.cast(dy, dtypes.float32)
    return dy, x


def reduced_axes(op):
    """All axes but the channels."""
    rank = len(op["data_format"])
    return [0, *range(2, rank)] if is_channels_first(op["data_format"]) else list(range(rank - 1))


def along_channels(g, op, first, *others):
    """Vectors as [1, channels, 1, ...]."""
    shape = [1, g.size(first), *[1] * (len(op["data_format"]) - 2)]
    return [g.Reshape(vector, shape) for vector in (first, *others)]


@gradient("BatchNormWithGlobalNormalization")
def batch_norm_with_global_normalization(g, op, dz):
    x, mean, variance, _, gamma = op.inputs
    how = {name: op[name] for name in ("variance_epsilon", "scale_after_normalization")}
    return g.BatchNormWithGlobalNormalizationGrad(x, mean, variance, gamma, dz, **how)


@gradient("LRN")
def lrn(g, op, dz):
    how = {name: op[name] for name in ("depth_radius", "bias", "alpha", "beta")}
    return g.LRNGrad(dz, op.inputs[0], op.outputs[0], **how)
