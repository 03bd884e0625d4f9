"""Gradients of simulated quantization: rounding counts as the identity, values outside the range send nothing back."""

from __future__ import annotations

from graphgrad.registry import gradient, no_gradient

no_gradient(
    "FakeQuantWithMinMaxArgsGradient", "FakeQuantWithMinMaxVarsGradient", "FakeQuantWithMinMaxVarsPerChannelGradient"
)


@gradient("FakeQuantWithMinMaxArgs")
def fake_quant_args(g, op, dz):
    how = {name: op[name] for name in ("min", "max", "num_bits", "narrow_range")}
    return g.FakeQuantWithMinMaxArgsGradient(dz, op.inputs[0], **how)


@gradient("FakeQuantWithMinMaxVars", "FakeQuantWithMinMaxVarsPerChannel")
def fake_quant_vars(g, op, dz):
    how = {name: op[name] for name in ("num_bits", "narrow_range")}
    return getattr(g, op.type + "Gradient")(dz, *op.inputs, **how)


@gradient("QuantizeAndDequantize", "QuantizeAndDequantizeV2", "QuantizeAndDequantizeV3")
def quantize_and_dequantize(g, op, dz):
    return [dz, *[None] * (len(op.inputs) - 1)]


@gradient("QuantizeAndDequantizeV4")
def quantize_and_dequantize_v4(g, op, dz):
    return g.QuantizeAndDequantizeV4Grad(dz, *op.inputs, axis=op["axis"])


@gradient("QuantizeAndDequantizeV4Grad")
def quantize_and_dequantize_v4_grad(g, op, dz, *unused):
    """Linear in what it passes back; it sends zeros to the ends of the range. TensorFlow's own rule cannot be called."""
    _, *constants = op.inputs
    return [g.QuantizeAndDequantizeV4Grad(dz, *constants, axis=op["axis"])[0], None, None, None]
