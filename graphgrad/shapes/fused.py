"""Static shapes of operations that graph optimisers fused: those of the products they are made of."""

from __future__ import annotations

from graphgrad.attributes import Shape
from graphgrad.graph import Operation
from graphgrad.registry import shape, shape_rule, shapes
from graphgrad.shapes import dims, values
from graphgrad.shapes._windows import output_size
from graphgrad.shapes.common import same_as_first

BASES = {
    "_FusedConv2D": "Conv2D",
    "_FusedConv3D": "Conv3D",
    "_FusedDepthwiseConv2dNative": "DepthwiseConv2dNative",
    "_FusedMatMul": "MatMul",
}

shapes(same_as_first, "_UnaryOpsComposition")


@shape(*BASES)
def product(op: Operation) -> Shape:
    """That of the product alone: what is fused behind it changes no shape."""
    rule = shape_rule(BASES[op.type])
    assert rule is not None
    return rule(op)  # type: ignore[no-any-return]


@shape("FusedPadConv2D", "FusedResizeAndPadConv2D")
def padded_convolution(op: Operation) -> Shape:
    """The batch is forgotten where the paddings are not known."""
    *before, paddings, filters = op.inputs
    x = dims.merge(before[0].shape, (None,) * 4) or ()
    size = x[1:3] if len(before) == 1 else values.complete(before[1]) or (None, None)
    amounts = values.complete(paddings)
    w = filters.shape or (None,) * 4
    if amounts is None:
        return (None, None, None, w[3])
    out = [
        output_size(n + sum(around), k, stride, op["padding"]) if n is not None else None
        for n, k, stride, around in zip(size, w, op["strides"][1:3], (amounts[2:4], amounts[4:6]), strict=False)
    ]
    return (x[0], *out, w[3])
