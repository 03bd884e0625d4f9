"""Kernels of operations that graph optimisers fused: the ones they were made of, called one after the other.

What follows a product or a convolution is a row of `FOLLOWERS`; each takes its operands from the front of `args`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from graphgrad.kernels._checks import vector
from graphgrad.registry import kernel, kernel_of

Array = np.ndarray[Any, Any]
F = np.float32


def apply(op_type: str, *inputs: Array, **attributes: Any) -> Array:
    """What the kernel of another op gives."""
    call = kernel_of(op_type)
    assert call is not None, op_type
    return np.asarray(call(*inputs, **attributes))


# ------------------------------------------------------------------------------------ products and what follows


def bias_add(y: Array, args: Iterator[Array], options: dict[str, Any]) -> Array:
    return apply("BiasAdd", y, next(args), data_format=options["data_format"])


def add(y: Array, args: Iterator[Array], options: dict[str, Any]) -> Array:
    other = next(args)
    if other.shape != y.shape:
        raise ValueError(f"what is added has shape {list(other.shape)}, the result {list(y.shape)}")
    return y + other


def normalize(y: Array, args: Iterator[Array], options: dict[str, Any]) -> Array:
    """Batch normalization by moments of before."""
    scale, offset, mean, variance = (next(args) for _ in range(4))
    how = {"exponential_avg_factor": 1.0, "is_training": False}
    how |= {name: options[name] for name in ("epsilon", "data_format")}
    call = kernel_of("FusedBatchNormV3")
    assert call is not None
    return call(y, scale, offset, mean, variance, **how)[0]


def relu(y: Array, args: Iterator[Array], options: dict[str, Any]) -> Array:
    """Of NaN and 0 oneDNN takes the number."""
    larger = np.maximum if options.get("keeps_nan") else np.fmax
    return np.asarray(larger(y, y.dtype.type(0)))


def relu6(y: Array, args: Iterator[Array], options: dict[str, Any]) -> Array:
    return np.minimum(relu(y, args, options), y.dtype.type(6))


def gelu(y: Array) -> Array:
    """x Phi(x), Phi being the normal distribution, whose ends are 0 and 1 here but not those of Erf; infinity has none."""
    real = y.dtype.type
    z = y * real(np.sqrt(0.5))
    erf, far = apply("Erf", z), np.abs(z) > 4
    if not far.any():
        return real(0.5) * y * (1 + erf)
    return np.where(np.isinf(y), real(np.nan), real(0.5) * y * (1 + np.where(far, np.sign(z), erf)))


def approximate_gelu(y: Array) -> Array:
    """Hendrycks and Gimpel (2016), by tanh."""
    real = y.dtype.type
    return real(0.5) * y * (1 + np.tanh(real(np.sqrt(2 / np.pi)) * (y + real(0.044715) * y * y * y)))


def hard_swish(y: Array) -> Array:
    return y * apply("Relu6", y + y.dtype.type(3)) / y.dtype.type(6)


Follower = Callable[[Array, Iterator[Array], dict[str, Any]], Array]


def lone(function: Callable[[Array], Array]) -> Follower:
    """A function of the result alone."""
    return lambda y, args, options: function(y)


FOLLOWERS: dict[str, Follower] = {
    "BiasAdd": bias_add,
    "Add": add,
    "FusedBatchNorm": normalize,
    "LeakyRelu": lambda y, args, options: apply("LeakyRelu", y, alpha=options["leakyrelu_alpha"]),
    "GeluExact": lone(gelu),
    "GeluApproximate": lone(approximate_gelu),
    "_FusedHardSwish": lone(hard_swish),
    "Relu": relu,
    "Relu6": relu6,
    **{name: lone(lambda y, name=name: apply(name, y)) for name in ("Elu", "Tanh", "Sigmoid")},
}


def followed(y: Array, args: list[Array], fused_ops: tuple[str, ...], **options: Any) -> Array:
    """The result of a product, with all that was fused behind it."""
    left = iter(args)
    if not fused_ops:
        raise ValueError("fused_ops is empty: at least one operation must be fused")
    for name in fused_ops:
        if name not in FOLLOWERS:
            raise ValueError(f"{name} is fused into it, which is not known: {', '.join(FOLLOWERS)}")
        try:
            y = FOLLOWERS[name](y, left, options)
        except StopIteration:
            raise ValueError(f"{len(args)} arguments are too few for {', '.join(fused_ops)}") from None
    return y


@kernel("_FusedConv2D")
def fused_conv2d(
    x,
    filters,
    args,
    host_args,
    *,
    strides,
    padding,
    explicit_paddings,
    data_format,
    filter_format,
    dilations,
    fused_ops,
    epsilon,
    leakyrelu_alpha,
):
    if filter_format != "HWIO":
        raise ValueError(f"filter_format {filter_format} is one of graphics processors: HWIO is needed")
    if x.ndim != 4 or filters.ndim != 4:
        raise ValueError(f"images {list(x.shape)} and filters {list(filters.shape)} must have four dimensions")
    how = {"strides": strides, "padding": padding, "data_format": data_format, "dilations": dilations}
    y = apply("Conv2D", x, filters, explicit_paddings=explicit_paddings, **how)
    options = {"data_format": data_format, "epsilon": epsilon, "leakyrelu_alpha": leakyrelu_alpha}
    return followed(y, args, fused_ops, **options)


@kernel("_FusedDepthwiseConv2dNative")
def fused_depthwise(x, filters, args, *, strides, padding, data_format, dilations, fused_ops, epsilon, leakyrelu_alpha):
    how = {"strides": strides, "padding": padding, "data_format": data_format, "dilations": dilations}
    y = apply("DepthwiseConv2dNative", x, filters, explicit_paddings=(), **how)
    options = {"data_format": data_format, "epsilon": epsilon, "leakyrelu_alpha": leakyrelu_alpha}
    return followed(y, args, fused_ops, **options)


@kernel("_FusedConv3D")
def fused_conv3d(
    x, filters, args, *, strides, padding, data_format, dilations, padding_list, fused_ops, epsilon, leakyrelu_alpha
):
    if any(padding_list):
        raise ValueError(f"padding_list {list(padding_list)} is not known: padding is SAME or VALID")
    y = apply("Conv3D", x, filters, strides=strides, padding=padding, data_format=data_format, dilations=dilations)
    plain = "NHWC" if data_format == "NDHWC" else "NCHW"
    return followed(y, args, fused_ops, data_format=plain, epsilon=epsilon, leakyrelu_alpha=leakyrelu_alpha)


@kernel("_FusedMatMul")
def fused_matmul(a, b, args, *, transpose_a, transpose_b, fused_ops, epsilon, leakyrelu_alpha):
    y = apply("MatMul", a, b, transpose_a=transpose_a, transpose_b=transpose_b)
    options = {"data_format": "NHWC", "epsilon": epsilon, "leakyrelu_alpha": leakyrelu_alpha}
    return followed(y, args, fused_ops, keeps_nan=transpose_a, **options)  # transposed ones are not left to oneDNN


# --------------------------------------------------------------------------------------------- what goes before


def padded(x: Array, paddings: Array, mode: str) -> Array:
    """An image mirrored at its edges."""
    if paddings.shape != (4, 2):
        raise ValueError(f"paddings must have the shape [4, 2], not {list(paddings.shape)}")
    if paddings[[0, 3]].any():
        raise ValueError(f"only height and width can be padded: {paddings.tolist()}")
    return apply("MirrorPad", x, paddings, mode=mode)


def convolved(x: Array, filters: Array, strides: tuple[int, ...], padding: str) -> Array:
    how = {"strides": strides, "padding": padding, "data_format": "NHWC", "dilations": (1, 1, 1, 1)}
    return apply("Conv2D", x, filters, explicit_paddings=(), **how)


@kernel("FusedPadConv2D")
def fused_pad_conv2d(x, paddings, filters, *, mode, strides, padding):
    return convolved(padded(x, paddings, mode), filters, strides, padding)


@kernel("FusedResizeAndPadConv2D")
def fused_resize_and_pad_conv2d(x, size, paddings, filters, *, resize_align_corners, mode, strides, padding):
    height, width = vector(size, "size")
    for axis, count in ((2, width), (1, height)):
        x = stretched(x, axis, count, resize_align_corners)
    return convolved(padded(x, paddings, mode), filters, strides, padding)


def stretched(x: Array, axis: int, count: int, align_corners: bool) -> Array:
    """An axis resized linearly: places in single precision, values in the image's own."""
    n = x.shape[axis]
    scale = F(n - 1) / F(count - 1) if align_corners and count > 1 else F(n) / F(count)
    places = np.arange(count, dtype=F) * scale
    lower = np.minimum(places.astype(np.int64), n - 1)
    share = (places - lower.astype(F)).astype(x.dtype).reshape(-1, *(1,) * (x.ndim - 1 - axis))
    low, high = x.take(lower, axis), x.take(np.minimum(lower + 1, n - 1), axis)
    return low + (high - low) * share


# --------------------------------------------------------------------------------------------- element by element

UNARY = [
    "Abs",
    "Acos",
    "Acosh",
    "Asin",
    "Asinh",
    "Atan",
    "Atanh",
    "Ceil",
    "Cos",
    "Cosh",
    "Elu",
    "Exp",
    "Expm1",
    "Floor",
    "Inv",
    "Log",
    "Log1p",
    "Neg",
    "Reciprocal",
    "Relu",
    "Relu6",
    "Rint",
    "Round",
    "Rsqrt",
    "Selu",
    "Sigmoid",
    "Sin",
    "Sinh",
    "Sqrt",
    "Square",
    "Tan",
    "Tanh",
]


@kernel("_UnaryOpsComposition", elementwise=True)
def compose(x, *, op_names):
    for name in op_names:
        if name not in UNARY:
            raise ValueError(f"{name} cannot be composed: only {', '.join(UNARY)}")
        x = apply(name, x)
    return x
