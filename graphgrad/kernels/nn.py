"""Activations and their gradients, softmax and cross entropies, biases, top-k.

Every kernel returns the dtype of its input; sums over float16 and bfloat16 are accumulated in float32.
"""

from __future__ import annotations

import math

import numpy as np

from graphgrad.kernels import _threads
from graphgrad.kernels._accumulate import wide
from graphgrad.kernels._checks import lone, same_shapes
from graphgrad.kernels._precision import BFLOAT16, FLOAT16, exp, halves_by, halves_in_float32, log, log1p
from graphgrad.registry import kernel, kernels, planned

SELU_SCALE = 1.0507009873554804934193349852946
SELU_SCALE_ALPHA = 1.7580993408473768599402175208123
SOFTPLUS_ENDS = {FLOAT16: 13 * math.log(2) - 2, BFLOAT16: 7 * math.log(2) - 2}  # of an epsilon of 2^-13 in float16


def relu(x, *, out=None):
    return np.maximum(x, x.dtype.type(0), out=out)


def relu6(x, *, out=None):
    return np.minimum(np.maximum(x, x.dtype.type(0), out=out), x.dtype.type(6), out=out)


@kernel("LeakyRelu", elementwise=True)
def leaky_relu(x, *, alpha):
    slope = x.dtype.type(alpha)
    return np.maximum(x, x * slope) if 0 < alpha < 1 else np.where(x > 0, x, x * slope)


def _expm1_below_zero(x: np.ndarray) -> np.ndarray:
    """exp(x) - 1 for x <= 0, as exact as np.expm1 and many times faster: numpy vectorises tanh."""
    half = np.tanh(x / 2)
    return 2 * half / (1 - half)


def elu_of_halves(x):
    return np.where(x < 0, exp(x) - x.dtype.type(1), x)


@halves_by(elu_of_halves)
def elu(x):
    return np.where(x < 0, _expm1_below_zero(np.minimum(x, 0)), x)


def selu_of_halves(x):
    half = x.dtype.type
    return np.where(x < 0, half(SELU_SCALE_ALPHA) * (exp(x) - half(1)), half(SELU_SCALE) * x)


@halves_by(selu_of_halves)
def selu(x):
    return np.where(x < 0, SELU_SCALE_ALPHA * _expm1_below_zero(np.minimum(x, 0)), SELU_SCALE * x)


def softplus_of_halves(x):
    """log1p(exp(x)) between thresholds, beyond them exp(x) or x, which it equals there."""
    e, end = exp(x), x.dtype.type(SOFTPLUS_ENDS[x.dtype])
    return np.where(x > end, x, np.where(x < -end, e, log1p(e)))


@halves_by(softplus_of_halves)
def softplus(x):
    """max(x, 0) + log1p(exp(-|x|)), where log1p(z) = log(u) * z / (u - 1) with u = 1 + z rounded (Kahan)."""
    z = np.exp(-np.abs(x))
    u = 1 + z
    return np.maximum(x, 0) + np.where(u == 1, z, np.log(u) * (z / (u - 1)))


def softsign(x):
    return x / (np.abs(x) + x.dtype.type(1))


@same_shapes
def relu_grad(dy, x, *, out=None):
    return _where(np.greater(x, 0, _threads.scratch("mask", x.shape, bool)), dy, out)


@same_shapes
def relu6_grad(dy, x, *, out=None):
    mask = np.greater(x, 0, _threads.scratch("mask", x.shape, bool))
    mask &= np.less(x, 6, _threads.scratch("other mask", x.shape, bool))
    return _where(mask, dy, out)


def _where(mask, dy, out):
    """dy where the mask is set, else 0 times dy."""
    return np.multiply(dy, mask if dy.dtype.char in "fd" else mask.astype(dy.dtype), out)


@kernel("LeakyReluGrad", elementwise=True)
@same_shapes
def leaky_relu_grad(dy, x, *, alpha):
    return np.where(x > 0, dy, dy * dy.dtype.type(alpha))


@same_shapes
def elu_grad(dy, y):
    return np.where(y < 0, (y + y.dtype.type(1)) * dy, dy)


@same_shapes
def selu_grad(dy, y):
    one = dy.dtype.type
    return np.where(y < 0, dy * (y + one(SELU_SCALE_ALPHA)), dy * one(SELU_SCALE))


@same_shapes
def softplus_grad(dy, x):
    return dy / (np.exp(-x) + x.dtype.type(1))


@same_shapes
def softsign_grad(dy, x):
    scale = np.abs(x) + x.dtype.type(1)
    return dy / (scale * scale)


kernels(
    {
        "Relu": relu,
        "Relu6": relu6,
        "Elu": elu,
        "Selu": selu,
        "Softplus": softplus,
        "Softsign": softsign,
        "ReluGrad": relu_grad,
        "Relu6Grad": relu6_grad,
        "EluGrad": elu_grad,
        "SeluGrad": selu_grad,
        "SoftplusGrad": softplus_grad,
        "SoftsignGrad": softsign_grad,
    },
    elementwise=True,
)


def _shifted(logits: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    """Logits minus the largest of their row, so that no exponential overflows."""
    if not logits.size:
        return logits.copy()
    return np.subtract(logits, np.maximum.reduce(logits, -1, None, None, True), out)


@kernel("Softmax")
@halves_in_float32
def softmax(logits):
    _at_least("softmax", logits, 1)
    return _softmax(logits)


def _softmax(logits, out=None):
    y = _shifted(logits, out)
    np.exp(y, out=y)
    y /= y.sum(-1, keepdims=True)
    return y


@planned("Softmax")
def plan_softmax(logits):
    return _softmax if logits.dtype.char in "fd" else None


@kernel("LogSoftmax")
def log_softmax(logits):
    _at_least("log_softmax", logits, 1)
    y = _shifted(logits)
    y -= log(np.exp(wide(y)).sum(-1, keepdims=True).astype(y.dtype))
    return y


def _at_least(name: str, x: np.ndarray, rank: int) -> None:
    if x.ndim < rank:
        raise ValueError(f"{name} needs an input of rank {rank} or more, not {x.ndim}")


@kernel("SoftmaxCrossEntropyWithLogits")
def softmax_cross_entropy(features, labels):
    shape = np.broadcast_shapes(features.shape, labels.shape)
    if len(shape) != 2:
        raise ValueError(f"logits and labels must be matrices together, not of shape {shape}")
    logits = _shifted(np.broadcast_to(wide(features), shape))
    exponentials = np.exp(logits)
    total = exponentials.sum(-1, keepdims=True)
    loss = (wide(labels) * (np.log(total) - logits)).sum(-1)
    exponentials /= total
    return loss.astype(features.dtype, copy=False), (exponentials - labels).astype(features.dtype, copy=False)


@kernel("SparseSoftmaxCrossEntropyWithLogits")
def sparse_softmax_cross_entropy(features, labels):
    if features.ndim != 2 or labels.shape != features.shape[:1]:
        raise ValueError(f"logits of shape {features.shape} do not go with labels of shape {labels.shape}")
    batch, classes = features.shape
    if batch and not classes:
        raise ValueError("logits must have at least one class")
    outside = labels.view(f"u{labels.itemsize}") >= classes  # a negative label is a large one
    if np.logical_or.reduce(outside):
        raise ValueError(f"label {labels[outside][0]} is outside the valid range [0, {classes})")
    logits = _shifted(wide(features))
    chosen = np.arange(0, batch * classes, classes) + labels if classes else labels
    backprop = np.exp(logits)
    total = np.add.reduce(backprop, -1, None, None, True)
    loss = np.log(total[:, 0]) - logits.take(chosen)
    np.divide(backprop, total, backprop)
    backprop.reshape(-1)[chosen] -= 1
    return loss.astype(features.dtype, copy=False), backprop.astype(features.dtype, copy=False)


@kernel("BiasAdd")
def bias_add(x, bias, *, data_format):
    _at_least("BiasAdd", x, 2)
    axis = 1 if data_format == "NCHW" else x.ndim - 1
    if bias.shape != (x.shape[axis],):
        raise ValueError(f"bias of shape {bias.shape} does not fit {x.shape[axis]} channels")
    return x + bias.reshape(-1, *(1,) * (x.ndim - 1 - axis))


@planned("BiasAdd")
def plan_bias_add(x, bias, *, data_format):
    return None if data_format == "NCHW" else np.add


@planned("BiasAddV1")
def plan_bias_add_v1(x, bias):
    return np.add


@kernel("BiasAddV1")
def bias_add_v1(x, bias):
    return bias_add(x, bias, data_format="NHWC")


@kernel("BiasAddGrad")
def bias_add_grad(dy, *, data_format):
    _at_least("BiasAddGrad", dy, 2)
    dtype, dy = dy.dtype, wide(dy)
    if data_format == "NCHW":
        total = dy.sum((0, *range(2, dy.ndim)), dtype=dy.dtype)
    else:
        rows = dy.reshape(math.prod(dy.shape[:-1]), dy.shape[-1])
        total = np.ones(len(rows), dy.dtype) @ rows
    return total.astype(dtype, copy=False)


@planned("BiasAddGrad")
def plan_bias_add_grad(dy, *, data_format):
    """The sum over rows, as a product with ones."""
    if data_format == "NCHW" or dy.dtype.char not in "fd" or not dy.is_contiguous:
        return None
    rows = math.prod(dy.shape[:-1]), dy.shape[-1]
    ones = np.ones(rows[0], dy.dtype)
    return lambda dy, out=None: np.matmul(ones, dy.reshape(rows), out)


@kernel("L2Loss")
def l2_loss(x):
    flat = wide(x).reshape(-1)
    return (np.dot(flat, flat) / 2).astype(x.dtype)


@kernel("IsotonicRegression")
def isotonic_regression(x, *, output_dtype):
    """The nearest rows that never rise, and for every element the number of the level stretch it lies in: neighbours that
    would rise are pooled to their mean until none are left (pool adjacent violators)."""
    rows = x.astype(np.float64).reshape(math.prod(x.shape[:-1]), x.shape[-1] if x.ndim else 1)
    levels, numbers = np.empty(rows.shape, output_dtype), np.empty(rows.shape, np.int32)
    for row, level, number in zip(rows, levels, numbers, strict=True):
        sums: list[float] = []
        sizes: list[int] = []
        for value in row:
            total, size = float(value), 1
            while sums and sums[-1] * size < total * sizes[-1]:
                total, size = total + sums.pop(), size + sizes.pop()
            sums.append(total)
            sizes.append(size)
        level[:] = np.repeat(np.divide(sums, sizes), sizes)
        number[:] = np.repeat(np.arange(len(sizes)), sizes)
    return levels.reshape(x.shape), numbers.reshape(x.shape)


@kernel("InTopKV2")
def in_top_k_v2(predictions, targets, k):
    if predictions.ndim != 2 or targets.shape != predictions.shape[:1]:
        raise ValueError(f"predictions {predictions.shape} do not go with targets {targets.shape}")
    lone(k, "k")
    classes = predictions.shape[1]
    inside = (targets >= 0) & (targets < classes)
    if not classes:
        return np.zeros(targets.shape, np.bool_)
    of_target = predictions[np.arange(len(targets)), np.where(inside, targets, 0)]
    ahead = (predictions > of_target[:, None]).sum(1)
    return inside & np.isfinite(predictions).all(1) & (ahead < k)


@kernel("InTopK")
def in_top_k(predictions, targets, *, k):
    return in_top_k_v2(predictions, targets, np.asarray(k))
