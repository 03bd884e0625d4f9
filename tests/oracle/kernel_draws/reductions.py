"""Recipes of reductions, scans, sorting and counting, and of ops over the last axis."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.oracle.kernel_draws.drawing import Drawer, Recipe

Parts = tuple[list[Any], dict[str, Any]]


def reduction(d: Drawer) -> Parts:
    shape = d.shape()
    axes: Any = d.axes(len(shape))
    axes = axes[0] if len(axes) == 1 and d.flag() else axes
    dtype = d.types.get("T", "bool")
    return [d.array(dtype, shape), d.given("Tidx", axes)], {"keep_dims": d.flag()}


def argument(d: Drawer) -> Parts:
    """The place of the largest of numbers with ties."""
    shape = d.shape(1)
    if d.dtype("Tidx") == "int16":  # which TensorFlow reads as if it were int32
        d.types["Tidx"] = "int32"
    return [d.array(d.dtype(), shape), d.given("Tidx", d.axis(len(shape)))], {}


def scan(d: Drawer) -> Parts:
    shape = d.shape(1)
    return [d.array(d.dtype(), shape), d.given("Tidx", d.axis(len(shape)))], {
        "exclusive": d.flag(),
        "reverse": d.flag(),
    }


def top_k(d: Drawer) -> Parts:
    shape = (*d.shape(0, 3), d.integer(1, 8))
    x, k = d.array(d.dtype(), shape, corners=False), d.integer(0, shape[-1])
    return [x, d.given("Tk", k)], {}


def approx_top_k(d: Drawer) -> Parts:
    shape = d.shape(1, 3)
    axis = d.axis(len(shape))
    k = d.integer(1, max(shape[axis], 1))
    return [d.array(d.dtype(), shape, corners=False)], {"k": k, "reduction_dimension": axis, "is_max_k": d.flag()}


def nth(d: Drawer) -> Parts:
    shape = (*d.shape(0, 3), d.integer(1, 8))
    n = d.integer(0, shape[-1] - 1)
    return [d.array(d.dtype(), shape, corners=False), np.int32(n)], {"reverse": d.flag()}


def bincount(d: Drawer) -> Parts:
    shape, size = d.shape(0, 2), d.integer(0, 6)
    weights = d.pick([shape, (0,)])
    return [d.array("int32", shape, 0, 7, corners=False), np.int32(size), d.array(d.dtype(), weights)], {}


def dense_bincount(d: Drawer) -> Parts:
    shape, size = d.shape(1, 2), d.integer(0, 6)
    weights = d.pick([shape, (0,)])
    return [
        d.array(d.dtype("Tidx"), shape, 0, 7, corners=False),
        d.given("Tidx", size),
        d.array(d.dtype(), weights),
    ], {"binary_output": d.flag()}


def histogram(d: Drawer) -> Parts:
    edges = d.given("T", [d.integer(-3, 0), d.integer(1, 4)])
    return [d.array(d.dtype(), d.shape(), corners=False), edges, np.int32(d.integer(1, 6))], {}


def logits(d: Drawer) -> Parts:
    """Finite: beside NaN and infinity TensorFlow gives 0 or NaN, as its library for float32 and bfloat16 would have it."""
    return [d.array(d.dtype(), d.shape(1), corners=False)], {}


def cross_entropy(d: Drawer) -> Parts:
    rows, classes = d.dim(), d.dim()
    shapes = [d.pick([(rows, classes), (1, classes), (rows, 1)]) if i else (rows, classes) for i in range(2)]
    logits, labels = (d.array(d.dtype(), s, low, corners=False) for s, low in zip(shapes, (-3, 0), strict=True))
    return [logits, labels], {}  # with labels below zero what is summed cancels


def sparse_cross_entropy(d: Drawer) -> Parts:
    rows, classes = d.dim(), d.integer(1, 5)
    return [d.array(d.dtype(), (rows, classes), corners=False), d.indices(d.dtype("Tlabels"), (rows,), classes)], {}


def in_top_k(d: Drawer) -> Parts:
    rows, classes, k = d.dim(), d.integer(1, 5), d.integer(1, 3)
    inputs = [d.array("float32", (rows, classes)), d.indices(d.dtype(), (rows,), classes)]
    return (inputs, {"k": k}) if d.op_type == "InTopK" else ([*inputs, d.given("T", k)], {})


def bias(d: Drawer) -> Parts:
    data_format = "NHWC" if d.op_type == "BiasAddV1" else d.pick(["NHWC", "NCHW"])
    shape = d.shape(2, 5, 3)
    channels = shape[1 if data_format == "NCHW" else -1]
    attrs = {} if d.op_type == "BiasAddV1" else {"data_format": data_format}
    x = d.array(d.dtype(), shape)
    return ([x] if d.op_type == "BiasAddGrad" else [x, d.array(d.dtype(), (channels,))]), attrs


def _table(recipe: Recipe, ops: str) -> dict[str, Recipe]:
    return dict.fromkeys(ops.split(), recipe)


RECIPES: dict[str, Recipe] = {
    **_table(reduction, "All Any EuclideanNorm Max Mean Min Prod Sum"),
    **_table(argument, "ArgMax ArgMin"),
    **_table(scan, "Cumprod Cumsum CumulativeLogsumexp"),
    "TopKV2": top_k,
    "ApproxTopK": approx_top_k,
    "NthElement": nth,
    "Bincount": bincount,
    "DenseBincount": dense_bincount,
    "HistogramFixedWidth": histogram,
    **_table(logits, "Softmax LogSoftmax"),
    "SoftmaxCrossEntropyWithLogits": cross_entropy,
    "SparseSoftmaxCrossEntropyWithLogits": sparse_cross_entropy,
    **_table(in_top_k, "InTopK InTopKV2"),
    **_table(bias, "BiasAdd BiasAddGrad BiasAddV1"),
}
