"""Recipes of operations that graph optimisers fused."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphgrad import dtypes
from tests.oracle.kernel_draws.drawing import Drawer, Recipe
from tests.oracle.kernel_draws.windows import Window

Parts = tuple[list[Any], dict[str, Any]]

ACTIVATIONS = [[], ["Relu"], ["Relu6"], ["Elu"], ["LeakyRelu"]]
BEHIND = {
    "_FusedConv2D": [*ACTIVATIONS, ["Add"], ["Add", "Relu"], ["_FusedHardSwish"]],
    "_FusedDepthwiseConv2dNative": [*ACTIVATIONS[:4], ["_FusedHardSwish"]],
    "_FusedConv3D": ACTIVATIONS,
    "_FusedMatMul": [*ACTIVATIONS, ["Tanh"], ["Sigmoid"], ["Add"], ["GeluExact"], ["GeluApproximate"]],
}


def behind(d: Drawer, result: tuple[int, ...]) -> tuple[list[Any], dict[str, Any]]:
    """What is fused behind a product: its operands, and the attributes that say so."""
    activation = d.pick(BEHIND[d.op_type])
    dtype, channels = d.dtype(), result[-1]
    attrs: dict[str, Any] = {"epsilon": d.pick([1e-4, 0.1]), "leakyrelu_alpha": d.pick([0.2, 1.5])}
    if d.op_type == "_FusedConv2D" and "Add" not in activation and "_FusedHardSwish" not in activation and d.flag():
        lows = (-2, -2, -2, 0.1)  # the variance is positive
        args = [d.array(dtype, (channels,), low, 2, corners=False) for low in lows]
        return args, attrs | {"fused_ops": ["FusedBatchNorm", *activation], "num_args": 4}
    args = [d.array(dtype, (channels,), corners=False)]
    args += [d.array(dtype, result, corners=False)] if "Add" in activation else []
    return args, attrs | {"fused_ops": ["BiasAdd", *activation], "num_args": len(args)}


def convolution(d: Drawer) -> Parts:
    d.types["T"] = "float32"
    depthwise, volume = "Depthwise" in d.op_type, "3D" in d.op_type
    flat = d.op_type == "_FusedConv2D"
    # Of volumes TensorFlow takes the strides in another order than they stand in.
    w = Window(d, 3 if volume else 2, formats=False, explicit=flat, dilated=flat, even=depthwise or volume)
    depth, out = d.integer(1, 3), d.integer(1, 3)
    args, attrs = behind(d, w.shape(w.out, depth * out if depthwise else out))
    attrs |= {"strides": w.full(w.strides), "padding": w.padding, "dilations": w.full(w.dilations)}
    attrs |= {"explicit_paddings": w.explicit(), "TArgs": [dtypes.float32] * len(args)} if flat else {}
    x, filters = w.shape(w.size, depth), (*w.window, depth, out)
    inputs = [d.array(d.dtype(), shape, corners=False) for shape in (x, filters)]
    return [*inputs, args, *([[]] if flat else [])], attrs


def product(d: Drawer) -> Parts:
    d.types["T"] = "float32"
    m, k, n = d.integer(1, 4), d.integer(1, 4), d.integer(1, 4)
    flags = {"transpose_a": d.flag(), "transpose_b": d.flag()}
    a = d.array(d.dtype(), (k, m) if flags["transpose_a"] else (m, k), corners=False)
    b = d.array(d.dtype(), (n, k) if flags["transpose_b"] else (k, n), corners=False)
    args, attrs = behind(d, (m, n))
    return [a, b, args], attrs | flags


def padded_convolution(d: Drawer) -> Parts:
    """One image: of more TensorFlow gives the first one over and over."""
    window = [d.integer(1, 3), d.integer(1, 3)]
    mode, padding = d.pick(["REFLECT", "SYMMETRIC"]), d.pick(["VALID", "SAME"])
    size = [d.integer(k + 1, 6) for k in window]
    most = [d.integer(0, 2) for _ in range(4)]
    paddings = np.array([[0, 0], most[:2], most[2:], [0, 0]], np.int32)
    if d.rarely():
        paddings[d.pick([0, 3]), 0] = 1
    depth, stride = d.integer(1, 3), d.integer(1, 2)
    resized = d.op_type == "FusedResizeAndPadConv2D"
    before = [d.integer(1, 5), d.integer(1, 5)] if resized else size
    x = d.array(d.dtype(), (1, *before, depth), corners=False)
    filters = d.array(d.dtype(), (*window, depth, d.integer(1, 3)), corners=False)
    attrs: dict[str, Any] = {"mode": mode, "strides": [1, stride, stride, 1], "padding": padding}
    attrs |= {"resize_align_corners": d.flag()} if resized else {}
    return [x, *([np.array(size, np.int32)] if resized else []), paddings, filters], attrs


def composition(d: Drawer) -> Parts:
    names = ["Abs", "Cos", "Exp", "Floor", "Log1p", "Neg", "Relu", "Rsqrt", "Sigmoid", "Sqrt", "Square", "Tanh"]
    return [d.array(d.dtype(), d.shape())], {"op_names": [d.pick(names) for _ in range(d.integer(1, 3))]}


RECIPES: dict[str, Recipe] = {
    **dict.fromkeys(["_FusedConv2D", "_FusedConv3D", "_FusedDepthwiseConv2dNative"], convolution),
    "_FusedMatMul": product,
    **dict.fromkeys(["FusedPadConv2D", "FusedResizeAndPadConv2D"], padded_convolution),
    "_UnaryOpsComposition": composition,
}
