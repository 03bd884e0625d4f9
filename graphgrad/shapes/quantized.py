"""Static shapes of quantized operations: the plain op's, and two scalars, the ends of the range."""

from __future__ import annotations

from graphgrad.attributes import Shape
from graphgrad.graph import Operation
from graphgrad.registry import shape, shape_rule
from graphgrad.shapes import dims, values
from graphgrad.shapes._windows import output_size
from graphgrad.tensors import Tensor

ENDS: list[Shape] = [(), ()]


def plain(op_type: str, op: Operation) -> Shape:
    """What the rule of another op says."""
    rule = shape_rule(op_type)
    assert rule is not None, op_type
    return rule(op)  # type: ignore[no-any-return]


@shape("QuantizeV2")
def quantize(op: Operation) -> list[Shape]:
    x, _, high = (t.shape for t in op.inputs)
    if op["axis"] == -1:
        return [x, *ENDS]
    return [x, high or (None,), high or (None,)]


@shape("Dequantize")
def dequantize(op: Operation) -> Shape:
    return op.inputs[0].shape


@shape("RequantizationRange")
def requantization_range(op: Operation) -> list[Shape]:
    return ENDS


@shape("Requantize", "QuantizeDownAndShrinkRange", "QuantizedRelu", "QuantizedRelu6")
def same(op: Operation) -> list[Shape]:
    return [op.inputs[0].shape, *ENDS]


@shape("QuantizedBiasAdd")
def bias_add(op: Operation) -> list[Shape]:
    x, bias = op.inputs[0].shape, op.inputs[1].shape
    return [dims.replace(x, -1, dims.merge_dim(x[-1], (bias or (None,))[0])) if x else x, *ENDS]


@shape("QuantizedMatMul")
def matmul(op: Operation) -> list[Shape]:
    return [plain("MatMul", op), *ENDS]


@shape("QuantizedAdd", "QuantizedMul")
def broadcast(op: Operation) -> list[Shape]:
    return [dims.broadcast(op.inputs[0].shape, op.inputs[1].shape), *ENDS]


@shape("QuantizedConv2D")
def conv2d(op: Operation) -> list[Shape]:
    x, w = (dims.merge(t.shape, (None,) * 4) or () for t in op.inputs[:2])
    sizes = [
        output_size(x[axis], w[axis - 1], op["strides"][axis], op["padding"], (0, 0), op["dilations"][axis])
        for axis in (1, 2)
    ]
    return [(x[0], *sizes, w[3]), *ENDS]


@shape("QuantizedMaxPool", "QuantizedAvgPool")
def pool(op: Operation) -> list[Shape]:
    x = dims.merge(op.inputs[0].shape, (None,) * 4) or ()
    windows = zip(x, op["ksize"], op["strides"], strict=True)
    return [tuple(output_size(n, k, s, op["padding"]) for n, k, s in windows), *ENDS]


@shape("QuantizedReshape")
def reshape(op: Operation) -> list[Shape]:
    return [plain("Reshape", op), *ENDS]


@shape("QuantizedConcat")
def concat(op: Operation) -> list[Shape]:
    return [_joined(op.inputs[1 : 1 + op["N"]], op.inputs[0]), *ENDS]


@shape("QuantizedConcatV2")
def concat_v2(op: Operation) -> list[Shape]:
    return [_joined(op.inputs[: op["N"]], op.inputs[op["N"]]), *ENDS]


def _joined(parts: list[Tensor], axis: Tensor) -> Shape:
    known, shapes = values.scalar(axis), [t.shape for t in parts]
    rank = next((len(s) for s in shapes if s is not None), None)
    if rank is None or known is None:
        return dims.unknown(rank)
    along: dims.Dim = 0
    merged: Shape = (None,) * rank
    for part in shapes:
        full = part if part is not None else (None,) * rank
        place = dims.axis_of(known, rank)
        along = None if place is None else dims.total(along, full[place])
        merged = dims.merge(merged, dims.replace(full, known, None))
    return dims.replace(merged, known, along)
