"""Convolutions, pooling and patches: everything that slides a window, and the gradients of these."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.oracle.draws import Drawer, dtype_of, sketch

LEAST_POOLED = -100.0  # what NaN and -inf become, and their gradients, is another thing with oneDNN than without


def out_size(n: int, k: int, stride: int, padding: str, pads: tuple[int, int] = (0, 0), dilation: int = 1) -> int:
    """How many windows fit."""
    k = (k - 1) * dilation + 1
    if padding == "SAME":
        return -(-n // stride)
    return (n + sum(pads) - k) // stride + 1


def laid_out(shape: list[int], layout: str) -> tuple[int, ...]:
    """A shape written channels last in another layout."""
    return (shape[0], shape[-1], *shape[1:-1]) if layout[1] == "C" else tuple(shape)


class Window:
    """A window over `rank` dimensions: input and output sizes, and the attributes that say it."""

    def __init__(self, d: Drawer, rank: int, *, explicit: bool, dilated: bool, last_only: bool = False):
        self.layout = ("NHWC", "NCHW") if rank == 2 else ("NDHWC", "NCDHW")
        self.layout = self.layout[0] if last_only or d.chance(0.75) else self.layout[1]
        self.kernel = [d.integer(1, 3) for _ in range(rank)]
        self.padding = d.pick("SAME", "VALID", "EXPLICIT") if explicit else d.pick("SAME", "VALID")
        stride = d.integer(1, 3)
        self.strides = [stride] * rank if d.chance(0.8) else [d.integer(1, 3) for _ in range(rank)]
        if rank == 3:  # TensorFlow's kernels for float64 shift windows that are smaller than their stride
            self.strides = [min(s, k) for s, k in zip(self.strides, self.kernel, strict=True)]
        self.dilations = [1] * rank
        if dilated and d.chance(0.3):
            self.dilations, self.strides = [d.integer(1, 2) for _ in range(rank)], [1] * rank
            if rank == 3:  # TensorFlow's static shapes of Conv3D take one dimension's dilation for another's
                self.dilations = [self.dilations[0]] * 3
        self.pads = [(0, 0)] * rank
        if self.padding == "EXPLICIT":
            self.pads = [(d.integer(0, 1), d.integer(0, 1)) for _ in range(rank)]
        reach = [(k - 1) * r + 1 for k, r in zip(self.kernel, self.dilations, strict=True)]
        self.size = [d.integer(k, k + 3) for k in reach]
        if rank == 3 and self.padding == "VALID":  # ... and those for float32 do where a row is left over
            self.size = [n - (n - k) % s for n, k, s in zip(self.size, reach, self.strides, strict=True)]
        if min(self.strides) < max(
            self.strides
        ):  # its library goes wrong where a window fills an axis: docs/fidelity.md
            self.size = [max(n, k + s) for n, k, s in zip(self.size, reach, self.strides, strict=True)]
        self.out = [
            out_size(n, k, s, self.padding, p, r)
            for n, k, s, p, r in zip(self.size, self.kernel, self.strides, self.pads, self.dilations, strict=True)
        ]

    def attrs(self, *, dilations: bool) -> dict[str, Any]:
        """Strides, padding and layout, and what else convolutions have."""
        found: dict[str, Any] = {"strides": laid_out([1, *self.strides, 1], self.layout), "padding": self.padding}
        if dilations:
            found["dilations"] = laid_out([1, *self.dilations, 1], self.layout)
        if self.padding == "EXPLICIT":
            pads = [(0, 0), *self.pads, (0, 0)]
            order = [0, len(pads) - 1, *range(1, len(pads) - 1)] if self.layout[1] == "C" else range(len(pads))
            found["explicit_paddings"] = tuple(n for i in order for n in pads[i])
        found["data_format"] = self.layout
        return found

    def image(self, batch: int, depth: int, inner: list[int]) -> tuple[int, ...]:
        return laid_out([batch, *inner, depth], self.layout)


@sketch(
    "Conv2D", "Conv2DBackpropInput", "Conv2DBackpropFilter", "Conv3D", "Conv3DBackpropInputV2", "Conv3DBackpropFilterV2"
)
def conv(d: Drawer, op: str) -> Any:
    rank = 3 if "3D" in op else 2
    w = Window(d, rank, explicit=rank == 2, dilated=True)
    d.numbers = w.layout[1] != "C"
    dtype = d.dtype(op)
    least = 0 if d.chance(0.05) and dtype == "float64" else 1  # oneDNN gives nothing another shape
    batch, depth, out_depth, groups = d.integer(least, 2), d.integer(1, 3), d.integer(1, 3), 1
    if rank == 2 and d.chance(0.1):
        groups, depth, out_depth = 2, 1, 4
    kernel = (*w.kernel, depth, out_depth)
    image, result = w.image(batch, depth * groups, w.size), w.image(batch, out_depth, w.out)
    attrs = w.attrs(dilations=True)
    if rank == 2 and d.chance(0.1):
        attrs["use_cudnn_on_gpu"] = False
    if "Input" in op:
        sizes = d.index(list(image), d.pick("int32", "int64") if rank == 3 else "int32")
        if rank == 2 and d.chance(0.1) and w.layout[1] != "C":
            sizes = d.index(list(w.size), "int32")
        return d.op(op, sizes, d.tensor(kernel, dtype), d.tensor(result, dtype), **attrs)
    if "Filter" in op:
        return d.op(op, d.tensor(image, dtype), d.index(list(kernel), "int32"), d.tensor(result, dtype), **attrs)
    return d.op(op, d.tensor(image, dtype), d.operand(kernel, dtype), **attrs)


@sketch("DepthwiseConv2dNative", "DepthwiseConv2dNativeBackpropInput", "DepthwiseConv2dNativeBackpropFilter")
def depthwise(d: Drawer, op: str) -> Any:
    w = Window(d, 2, explicit=True, dilated=True)
    w.strides = [w.strides[0]] * 2
    w.out = [
        out_size(n, k, s, w.padding, p, r)
        for n, k, s, p, r in zip(w.size, w.kernel, w.strides, w.pads, w.dilations, strict=True)
    ]
    d.numbers = w.layout[1] != "C" and w.dilations == [1, 1]
    batch, depth, multiplier = d.integer(1, 2), d.integer(1, 3), d.integer(1, 2)
    kernel = (*w.kernel, depth, multiplier)
    image, result = w.image(batch, depth, w.size), w.image(batch, depth * multiplier, w.out)
    dtype, attrs = d.dtype(op), w.attrs(dilations=True)
    if "Input" in op:
        return d.op(op, d.index(list(image), "int32"), d.tensor(kernel, dtype), d.tensor(result, dtype), **attrs)
    if "Filter" in op:
        return d.op(op, d.tensor(image, dtype), d.index(list(kernel), "int32"), d.tensor(result, dtype), **attrs)
    return d.op(op, d.tensor(image, dtype), d.operand(kernel, dtype), **attrs)


@sketch("AvgPool", "AvgPool3D", "MaxPool", "MaxPool3D", "MaxPoolV2", "MaxPoolWithArgmax", corners=True)
def pool(d: Drawer, op: str) -> Any:
    if op.startswith("Max"):
        d.least_corner = LEAST_POOLED
    rank = 3 if op.endswith("3D") else 2
    w = Window(d, rank, explicit=op == "MaxPool", dilated=False, last_only=op == "MaxPoolWithArgmax")
    d.numbers = w.layout[1] != "C" and not (op.startswith("Max") and w.size == w.out)
    x = d.tensor(w.image(d.integer(1, 2), d.integer(1, 3), w.size), d.dtype(op))
    attrs = w.attrs(dilations=False)
    kernel = laid_out([1, *w.kernel, 1], w.layout)
    if op == "MaxPoolV2":
        strides = attrs.pop("strides")
        constant = 1.0 if d.chance(0.7) else 0.4
        return d.op(op, x, d.index(list(kernel), "int32", constant), d.index(list(strides), "int32", constant), **attrs)
    if op == "MaxPoolWithArgmax":
        del attrs["data_format"]
        attrs |= {
            "include_batch_in_index": d.chance(0.4),
            "Targmax": dtype_of(d.pick("int32", "int64", "int64", "int64")),
        }
    return d.op(op, x, ksize=kernel, **attrs)


@sketch("AvgPoolGrad", "AvgPool3DGrad", corners=True)
def avg_pool_grad(d: Drawer, op: str) -> Any:
    w = Window(d, 3 if "3D" in op else 2, explicit=False, dilated=False)
    d.numbers = w.layout[1] != "C"
    batch, depth = d.integer(1, 2), d.integer(1, 3)
    sizes = d.index(list(w.image(batch, depth, w.size)), "int32")
    dy = d.tensor(w.image(batch, depth, w.out), d.dtype(op))
    return d.op(op, sizes, dy, ksize=laid_out([1, *w.kernel, 1], w.layout), **w.attrs(dilations=False))


@sketch("MaxPoolGrad", "MaxPoolGradV2", "MaxPoolGradGrad", "MaxPool3DGrad", "MaxPool3DGradGrad", corners=True)
def max_pool_grad(d: Drawer, op: str) -> Any:
    d.least_corner = LEAST_POOLED
    rank = 3 if "3D" in op else 2
    w = Window(d, rank, explicit=op == "MaxPoolGrad" and d.chance(0.1), dilated=False)
    # where input and result are of one shape, TensorFlow's kernel may zero its operand while it is read
    d.numbers = w.layout[1] != "C" and w.size != w.out
    batch, depth = d.integer(1, 2), d.integer(1, 3)
    dtype = d.dtype(op)
    attrs = w.attrs(dilations=False)
    kernel = laid_out([1, *w.kernel, 1], w.layout)
    x = d.tensor(w.image(batch, depth, w.size), dtype)
    y = d.op(f"MaxPool{'3D' if rank == 3 else ''}", x, ksize=kernel, **attrs)[0]
    dy = d.tensor(w.image(batch, depth, w.size if "GradGrad" in op else w.out), dtype)
    if op == "MaxPoolGradV2":
        strides = attrs.pop("strides")
        return d.op(op, x, y, dy, d.index(list(kernel), "int32"), d.index(list(strides), "int32"), **attrs)
    return d.op(op, x, y, dy, ksize=kernel, **attrs)


@sketch("FractionalMaxPool", "FractionalAvgPool", corners=True)
def fractional(d: Drawer, op: str) -> Any:
    d.least_corner = -np.inf  # TensorFlow ranks NaN by where it stands in an array
    d.know_more()
    x = d.tensor((d.integer(1, 2), d.integer(4, 6), d.integer(4, 6), d.integer(1, 2)), d.dtype(op))
    ratio = (1.0, d.pick(1.3, 1.44, 1.6), d.pick(1.2, 1.5), 1.0)
    attrs = {"pseudo_random": d.chance(0.5), "overlapping": d.chance(0.5), "deterministic": True}
    attrs |= {"seed": d.integer(1, 9), "seed2": d.integer(1, 9)}
    return d.op(op, x, pooling_ratio=ratio, **attrs)


@sketch("Dilation2D", corners=True)
def dilation(d: Drawer, op: str) -> Any:
    d.least_corner = -np.inf  # TensorFlow ranks NaN by where it stands in an array
    kernel, rates = [d.integer(1, 2), d.integer(1, 3)], [d.integer(1, 2), d.integer(1, 2)]
    size = [(k - 1) * r + 1 + d.integer(0, 3) for k, r in zip(kernel, rates, strict=True)]
    depth, dtype = d.integer(1, 2), d.dtype(op)
    x, w = d.tensor((d.integer(1, 2), *size, depth), dtype), d.tensor((*kernel, depth), dtype)
    strides = (1, d.integer(1, 2), d.integer(1, 2), 1)
    return d.op(op, x, w, strides=strides, rates=(1, *rates, 1), padding=d.pick("SAME", "VALID"))


@sketch("ExtractImagePatches", "ExtractVolumePatches")
def patches(d: Drawer, op: str) -> Any:
    rank = 2 if "Image" in op else 3
    kernel = [d.integer(1, 3 if rank == 2 else 2) for _ in range(rank)]
    rates = [d.integer(1, 2) if rank == 2 else 1 for _ in range(rank)]
    size = [(k - 1) * r + 1 + d.integer(0, 2) for k, r in zip(kernel, rates, strict=True)]
    if rank == 3:
        d.level = "static"  # TensorFlow takes the patches to have four dimensions where the input's are unknown
    x = d.tensor((d.integer(1, 2), *size, d.integer(1, 2)), d.dtype(op))
    attrs = {"ksizes": (1, *kernel, 1), "strides": (1, *(d.integer(1, 2) for _ in range(rank)), 1)}
    attrs["padding"] = d.pick("SAME", "VALID")
    return d.op(op, x, **attrs, **({"rates": (1, *rates, 1)} if rank == 2 else {}))
