"""Softmax, losses, biases, normalization, quantization."""

from __future__ import annotations

from typing import Any

from tests.oracle.draws import Drawer, dtype_of, sketch


@sketch("Softmax", "LogSoftmax")
def softmax(d: Drawer, op: str) -> Any:
    return d.op(op, d.tensor(d.shape(1), d.dtype(op)))


@sketch("SoftmaxCrossEntropyWithLogits")
def cross_entropy(d: Drawer, op: str) -> Any:
    shape, dtype = d.dims(2), d.dtype(op)
    logits, labels = (d.pick(shape, shape, shape, (1, shape[1]), (shape[0], 1)) for _ in range(2))
    x = d.tensor(logits, dtype)
    return d.op(op, x, d.g.Softmax(d.tensor(labels, dtype)) if d.chance(0.3) else d.operand(labels, dtype, 0, 1))


@sketch("SparseSoftmaxCrossEntropyWithLogits")
def sparse_cross_entropy(d: Drawer, op: str) -> Any:
    batch, classes = d.integer(1, 4), d.integer(1, 4)
    x = d.tensor((batch, classes), d.dtype(op))
    return d.op(op, x, d.index(d.rng.integers(0, classes, batch), constant=0.2))


@sketch("BiasAdd", "BiasAddV1", "BiasAddGrad")
def bias(d: Drawer, op: str) -> Any:
    dtype = d.dtype(op)
    shape = d.dims(d.integer(2, 5))
    attrs, channels = {}, shape[-1]
    if op != "BiasAddV1" and d.chance(0.4) and len(shape) > 2:
        attrs, channels = {"data_format": "NCHW"}, shape[1]
    x = d.tensor(shape, dtype)
    return d.op(op, x, **attrs) if op == "BiasAddGrad" else d.op(op, x, d.operand((channels,), dtype), **attrs)


@sketch("LRN")
def lrn(d: Drawer, op: str) -> Any:
    shape = d.dims(4)
    attrs = {
        "depth_radius": d.integer(1, 3),
        "bias": d.pick(1.0, 2.0),
        "alpha": d.pick(1.0, 0.3),
        "beta": d.pick(0.5, 0.75),
    }
    return d.op(op, d.tensor(shape, d.dtype(op)), **attrs)


def layout(d: Drawer, op: str) -> tuple[str, int]:
    found = d.pick("NHWC", "NHWC", "NCHW", *(("NDHWC", "NCDHW") if op.endswith("V3") else ()))
    d.numbers = found[1] != "C"
    return found, 3 if "D" in found else 2


@sketch("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3")
def batch_norm(d: Drawer, op: str) -> Any:
    form, rank = layout(d, op)
    shape = [d.integer(1, 3), *(d.integer(1, 3) for _ in range(rank)), d.integer(1, 3)]
    depth = shape[-1]
    if form[1] == "C":
        shape = [shape[0], shape[-1], *shape[1:-1]]
    training = d.chance(0.6)
    x = d.tensor(shape, "float32" if op == "FusedBatchNorm" else d.dtype(op))
    scale, offset = d.tensor((depth,), low=0.5), d.tensor((depth,))
    factor = d.pick(1.0, 1.0, 0.3)
    given = (0,) if training and factor == 1.0 and d.chance(0.5) else (depth,)
    mean, variance = d.tensor(given), d.tensor(given, low=0.3)
    attrs = {"is_training": training, "data_format": form, "epsilon": d.pick(1e-4, 1e-3)}
    attrs["exponential_avg_factor"] = factor
    if op != "FusedBatchNorm":
        attrs["U"] = dtype_of("float32")
    d.undetermined = {5} if training else {1, 2, 3, 4, 5}
    return d.op(op, x, scale, offset, mean, variance, **attrs)


@sketch("FusedBatchNormGrad", "FusedBatchNormGradV2", "FusedBatchNormGradV3")
def batch_norm_grad(d: Drawer, op: str) -> Any:
    form, rank = layout(d, op)
    shape = [d.integer(1, 3), *(d.integer(1, 3) for _ in range(rank)), d.integer(1, 3)]
    depth = shape[-1]
    if form[1] == "C":
        shape = [shape[0], shape[-1], *shape[1:-1]]
    training = d.chance(0.6)
    dtype = "float32" if op == "FusedBatchNormGrad" else d.dtype(op)
    dy, x = d.tensor(shape, dtype), d.tensor(shape, dtype)
    # each of its own range: of one tensor in several places the nodes come in another order (docs/fidelity.md)
    parts = [d.tensor((depth,), low=0.5 + i / 8) for i in range(3)]
    if op.endswith("V3"):
        parts.append(d.tensor((0,)))
    attrs = {"is_training": training, "data_format": form, "epsilon": d.pick(1e-4, 1e-3)}
    if op != "FusedBatchNormGrad":
        attrs["U"] = dtype_of("float32")
    return d.op(op, dy, x, *parts, **attrs)[:3]  # TensorFlow gives the others another rank than it says


@sketch("BatchNormWithGlobalNormalization")
def old_batch_norm(d: Drawer, op: str) -> Any:
    d.graph.message.versions.producer = 8
    shape = (*d.dims(3), d.integer(1, 4))  # of no channels TensorFlow's kernel ends the process
    x = d.tensor(shape)
    parts = [d.tensor(shape[-1:], low=0.3) for _ in range(4)]
    return d.op(op, x, *parts, variance_epsilon=d.pick(1e-3, 0.1), scale_after_normalization=d.chance(0.5))


@sketch("FakeQuantWithMinMaxArgs", "FakeQuantWithMinMaxVars", "FakeQuantWithMinMaxVarsPerChannel")
def fake_quant(d: Drawer, op: str) -> Any:
    attrs: dict[str, Any] = {"num_bits": d.pick(8, 4), "narrow_range": d.chance(0.4)}
    x = d.tensor(d.shape(1 if op.endswith("Channel") else 0))
    if op.endswith("Args"):
        low, high = d.pick((-1.0, 1.0), (0.0, 1.0), (-6.0, 6.0))
        return d.op(op, x, min=low, max=high, **attrs)
    shape = d.value(x).shape[-1:] if op.endswith("Channel") else ()
    return d.op(op, x, d.tensor(shape, low=-1.5, high=-0.5), d.tensor(shape, low=0.5, high=1.5), **attrs)


@sketch(
    "QuantizeAndDequantize", "QuantizeAndDequantizeV2", "QuantizeAndDequantizeV3", "QuantizeAndDequantizeV4",
    "QuantizeAndDequantizeV4Grad",
)  # fmt: skip
def quantize(d: Drawer, op: str) -> Any:
    dtype, shape = d.dtype(op), d.shape(1)
    x = d.tensor(shape, dtype)
    attrs: dict[str, Any] = {}
    if op == "QuantizeAndDequantize":
        d.graph.message.versions.producer = 21
        attrs = {"range_given": d.chance(0.5), "input_min": d.pick(-1.0, -0.5), "input_max": d.pick(1.0, 0.3)}
        return d.op(op, x, num_bits=d.pick(8, 4), signed_input=d.chance(0.5), **attrs)
    axis = d.integer(0, len(shape) - 1) if d.chance(0.3) else -1
    given = (shape[axis],) if axis >= 0 else ()
    low, high = d.operand(given, dtype, -1.5, -0.5), d.operand(given, dtype, 0.5, 1.5)
    if op.endswith("Grad"):
        return d.op(op, d.tensor(shape, dtype), x, low, high, axis=axis)
    attrs = {"signed_input": d.chance(0.6), "narrow_range": d.chance(0.3), "range_given": d.chance(0.7), "axis": axis}
    if op.endswith("V3"):
        return d.op(op, x, low, high, d.index(d.pick(8, 5), "int32"), **attrs)
    return d.op(op, x, low, high, num_bits=d.pick(8, 5), round_mode=d.pick("HALF_TO_EVEN", "HALF_UP"), **attrs)


@sketch("IsotonicRegression")
def isotonic(d: Drawer, op: str) -> Any:
    d.know_more()
    dtype = d.dtype(op)
    x = d.tensor(d.dims(2), dtype)
    # of another output_dtype TensorFlow gives the gradient in that one
    return d.op(op, d.g.Round(x) if d.chance(0.3) else x, output_dtype=dtype_of(dtype))
