"""Static shapes of simulated quantization."""

from __future__ import annotations

from graphgrad.attributes import Shape
from graphgrad.graph import Operation
from graphgrad.registry import shape, shapes
from graphgrad.shapes import dims
from graphgrad.shapes.common import same_as_first

shapes(
    same_as_first,
    *["FakeQuantWithMinMaxArgs", "FakeQuantWithMinMaxArgsGradient"],
    *["FakeQuantWithMinMaxVars", "FakeQuantWithMinMaxVarsPerChannel"],
    *["QuantizeAndDequantize", "QuantizeAndDequantizeV2", "QuantizeAndDequantizeV3", "QuantizeAndDequantizeV4"],
)


@shape("FakeQuantWithMinMaxVarsGradient")
def fake_quant_gradient(op: Operation) -> list[Shape]:
    dy, x, *_ = op.inputs
    return [dims.merge(dy.shape, x.shape), (), ()]


@shape("FakeQuantWithMinMaxVarsPerChannelGradient")
def fake_quant_channels_gradient(op: Operation) -> list[Shape]:
    dy, x, low, high = (t.shape for t in op.inputs)
    dx = dims.merge(dy, x)
    channels = dims.merge(_ends(low, high), None if dx is None else dx[-1:])
    return [dx, channels, channels]


@shape("QuantizeAndDequantizeV4Grad")
def quantize_and_dequantize_v4_grad(op: Operation) -> list[Shape]:
    dy, x, low, high = (t.shape for t in op.inputs)
    ends = () if op["axis"] == -1 else _ends(low, high)
    return [dims.merge(dy, x), ends, ends]


def _ends(low: Shape, high: Shape) -> Shape:
    """The shape of the ends of ranges, one range for each channel."""
    return dims.merge(dims.merge(low, high), (None,))
