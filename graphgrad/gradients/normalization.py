"""Gradients of batch and response normalization."""

from __future__ import annotations

from graphgrad.registry import gradient

_TO_LAST, _TO_FIRST = [0, 2, 3, 1], [0, 3, 1, 2]


@gradient("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3")
def fused_batch_norm(g, op, dy, *unused):
    """In inference mode the population's mean and variance stand where training keeps the batch's."""
    x, scale, _, mean, variance = op.inputs
    data_format, training = op["data_format"], op["is_training"]
    build = getattr(g, op.type.replace("FusedBatchNorm", "FusedBatchNormGrad"))
    reserved = [op.outputs[3], op.outputs[4]] if training else [mean, variance]
    reserved += [op.outputs[5]] if op.type == "FusedBatchNormV3" else []
    turned = not training and data_format == "NCHW"
    if turned:
        x, dy, data_format = g.transpose(x, _TO_LAST), g.transpose(dy, _TO_LAST), "NHWC"
    how = {"epsilon": op["epsilon"], "data_format": data_format, "is_training": training}
    dx, dscale, doffset, *_ = build(dy, x, scale, *reserved, **how)
    return g.transpose(dx, _TO_FIRST) if turned else dx, dscale, doffset, None, None


@gradient("LRN")
def lrn(g, op, dz):
    how = {name: op[name] for name in ("depth_radius", "bias", "alpha", "beta")}
    return g.LRNGrad(dz, op.inputs[0], op.outputs[0], **how)
