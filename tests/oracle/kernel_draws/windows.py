"""Recipes of what slides windows over images and volumes: convolutions, pools, patches, and normalization."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.oracle.kernel_draws.drawing import Drawer, Recipe, Shape

Parts = tuple[list[Any], dict[str, Any]]


class Window:
    """Sizes of an image (or volume), of what slides over it, and of what comes out, with their attributes."""

    def __init__(
        self,
        d: Drawer,
        rank: int,
        formats: bool = True,
        explicit: bool = False,
        dilated: bool = True,
        even: bool = False,
        padded: bool = True,
    ):
        self.batch, self.rank = d.integer(1, 3), rank
        self.channels_first = formats and d.rarely()
        self.window = [d.integer(1, 3) for _ in range(rank)]
        self.strides = [d.integer(1, 3)] * rank if even or d.flag() else [d.integer(1, 3) for _ in range(rank)]
        self.dilations = [d.integer(1, 2) for _ in range(rank)] if dilated and d.rarely() else [1] * rank
        self.padding = d.pick(["VALID", *(["SAME"] * padded), *(["EXPLICIT"] * (explicit and padded))])
        self.pads = [(d.integer(0, min(1, n - 1)), d.integer(0, min(1, n - 1))) for n in self.window]
        spans = [(w - 1) * r + 1 for w, r in zip(self.window, self.dilations, strict=True)]
        least = spans if self.padding != "SAME" else [1] * rank
        if min(self.strides) < max(
            self.strides
        ):  # TensorFlow's library goes wrong where a window fills an axis: docs/fidelity.md
            least = [s + k for s, k in zip(spans, self.strides, strict=True)]
        self.size = [d.integer(n, max(n, s + 4)) for n, s in zip(least, spans, strict=True)]
        self.out = []
        for n, s, k, p in zip(self.size, spans, self.strides, self.pads, strict=True):
            extra = sum(p) if self.padding == "EXPLICIT" else 0
            self.out.append(-(-n // k) if self.padding == "SAME" else (n + extra - s) // k + 1)

    def shape(self, sizes: list[int], channels: int) -> Shape:
        """A batch of images of these sizes."""
        return (self.batch, channels, *sizes) if self.channels_first else (self.batch, *sizes, channels)

    def full(self, values: list[int]) -> list[int]:
        """One number per dimension of a batch of images."""
        return [1, 1, *values] if self.channels_first else [1, *values, 1]

    def explicit(self) -> list[int]:
        if self.padding != "EXPLICIT":
            return []
        sides = [n for pair in self.pads for n in pair]
        return [0, 0, 0, 0, *sides] if self.channels_first else [0, 0, *sides, 0, 0]

    def data_format(self) -> dict[str, Any]:
        names = {2: ("NHWC", "NCHW"), 3: ("NDHWC", "NCDHW")}[self.rank]
        return {"data_format": names[self.channels_first]}


def conv(rank: int, depthwise: bool = False) -> Recipe:
    """A convolution or one of its gradients: image, filter and gradient in the places that the signature has. On a
    processor TensorFlow has channels last, no dilation in gradients, and depthwise only equal strides; padded images of
    bfloat16, and volumes of float16 too, it gets wrong."""

    def recipe(d: Drawer) -> Parts:
        takes = d.signature.attrs
        v2 = "data_format" in takes
        forward = not any(a.name == "out_backprop" for a in d.signature.inputs)
        explicit = "explicit_paddings" in takes
        padded = d.dtype() != "bfloat16" and (d.dtype() != "float16" or rank < 3)
        w = Window(d, rank, formats=False, explicit=explicit, dilated=forward, even=depthwise, padded=padded)
        groups = d.integer(1, 2) if d.op_type == "Conv2D" and d.rarely() else 1
        depth, out = d.integer(1, 3), groups * d.integer(1, 3)
        filters = (*w.window, depth, out)
        image, result = w.shape(w.size, depth * groups), w.shape(w.out, depth * out if depthwise else out)
        sizes = {"input": image, "filter": filters, "out_backprop": result}
        inputs = []
        for arg in d.signature.inputs:
            if arg.name.endswith("_sizes"):
                dtype = d.types.get("Tshape", "int32")
                inputs.append(d.given(dtype, sizes[arg.name.removesuffix("_sizes")]))
            else:
                inputs.append(d.array(d.dtype(), sizes[arg.name], corners=False))
        attrs = {"strides": w.full(w.strides), "padding": w.padding, "dilations": w.full(w.dilations)}
        attrs |= w.data_format() if v2 else {}
        attrs |= {"explicit_paddings": w.explicit()} if "explicit_paddings" in takes else {}
        return inputs, attrs

    return recipe


def general_conv(d: Drawer) -> Parts:
    rank = d.integer(2, 3)
    w = Window(d, rank, explicit=rank == 2)
    if rank == 3 and w.padding == "SAME":  # where TensorFlow's Conv and Conv3D differ: here one is the other
        w = Window(d, 2)
    depth, out = d.integer(1, 3), d.integer(1, 3)
    return [
        d.array(d.dtype(), w.shape(w.size, depth), corners=False),
        d.array(d.dtype(), (*w.window, depth, out), corners=False),
    ], {
        "strides": w.full(w.strides),
        "dilations": w.full(w.dilations),
        "padding": w.padding,
        "explicit_paddings": w.explicit(),
        "data_format": "CHANNELS_FIRST" if w.channels_first else "CHANNELS_LAST",
    }


def dilation(d: Drawer) -> Parts:
    w = Window(d, 2, formats=False)
    depth = d.integer(1, 3)
    shapes = {
        "input": w.shape(w.size, depth),
        "filter": (*w.window, depth),
        "out_backprop": w.shape(w.out, depth),
    }
    # From 1: where all is 0, the least unsigned number, TensorFlow takes none of them for the largest.
    return [d.array(d.dtype(), shapes[a.name], 1, 5, corners=False) for a in d.signature.inputs], {
        "strides": w.full(w.strides),
        "rates": w.full(w.dilations),
        "padding": w.padding,
    }


def _pool_attrs(w: Window, d: Drawer) -> dict[str, Any]:
    attrs = {"ksize": w.full(w.window), "strides": w.full(w.strides), "padding": w.padding, **w.data_format()}
    attrs |= {"explicit_paddings": w.explicit()} if "explicit_paddings" in d.signature.attrs else {}
    return {k: v for k, v in attrs.items() if k in d.signature.attrs}


def pool(rank: int) -> Recipe:
    """A pool, or a gradient of one; ksize and strides are inputs in the second versions."""

    def recipe(d: Drawer) -> Parts:
        takes = d.signature.attrs
        w = Window(d, rank, formats="data_format" in takes, explicit="explicit_paddings" in takes, dilated=False)
        depth = d.integer(1, 3)
        image, result = w.shape(w.size, depth), w.shape(w.out, depth)
        x = d.array(d.types.get("TInput", d.dtype()), image, corners=False)
        if d.op_type == "MaxPool3DGrad":
            x = _without_ties(x)
        inputs: list[Any] = []
        for arg in d.signature.inputs:
            if arg.name == "ksize":
                inputs.append(np.array(w.full(w.window), np.int32))
            elif arg.name == "strides":
                inputs.append(np.array(w.full(w.strides), np.int32))
            elif arg.name.startswith("orig_input_shape"):
                inputs.append(np.array(image, np.int32))
            elif arg.name == "orig_output":
                inputs.append(_pooled(x, w))
            elif arg.name == "grad":
                inputs.append(d.array(d.dtype(), image if "GradGrad" in d.op_type else result, corners=False))
            else:
                inputs.append(x)
        return inputs, _pool_attrs(w, d)

    return recipe


def _without_ties(x: Any) -> Any:
    """Numbers that differ within a window: of ties TensorFlow chooses by whether the pool itself is in the graph."""
    return (np.arange(x.size) * 97 % 251 - 125).reshape(x.shape).astype(x.dtype)


def _pooled(x: Any, w: Window) -> Any:
    """The largest of each window."""
    first = 2 if w.channels_first else 1
    out = np.moveaxis(x, 1, -1) if w.channels_first else x
    for axis, (n, k, s, total) in enumerate(zip(w.size, w.window, w.strides, w.out, strict=True), 1):
        pad = max((total - 1) * s + k - n, 0) // 2 if w.padding == "SAME" else 0
        pad = w.pads[axis - 1][0] if w.padding == "EXPLICIT" else pad
        rows = [np.max(out.take(range(max(i * s - pad, 0), min(i * s - pad + k, n)), axis), axis) for i in range(total)]
        out = np.stack(rows, axis)
    return np.moveaxis(out, -1, 1) if first == 2 else out


def pool_with_argmax(d: Drawer) -> Parts:
    w = Window(d, 2, formats=False, dilated=False)
    depth = d.integer(1, 3)
    image, result = w.shape(w.size, depth), w.shape(w.out, depth)
    attrs = {**_pool_attrs(w, d), "include_batch_in_index": d.flag()}
    x = d.array(d.dtype(), image, corners=False)
    if d.op_type == "MaxPoolWithArgmax":
        return [x], attrs
    size = int(np.prod(image) if attrs["include_batch_in_index"] else np.prod(image[1:]))
    places = d.indices(d.dtype("Targmax"), result, size, wrong=False)
    return [x, d.array(d.dtype(), image if "GradGrad" in d.op_type else result, corners=False), places], attrs


def fractional(d: Drawer) -> Parts:
    shape = (d.integer(1, 2), d.integer(4, 9), d.integer(4, 9), d.integer(1, 3))
    return [d.array(d.dtype(), shape, corners=False)], {
        "pooling_ratio": [1.0, d.number(1.0, 2.0), d.number(1.0, 2.0), 1.0],
        "pseudo_random": d.flag(),
        "overlapping": d.flag(),
        "deterministic": True,
        "seed": d.integer(1, 9),
        "seed2": d.integer(1, 9),
    }


def fractional_grad(d: Drawer) -> Parts:
    sizes = [[d.integer(1, 2) for _ in range(d.integer(2, 4))] for _ in range(2)]
    rows, columns = (np.cumsum([0, *s]) for s in sizes)
    # FractionalMaxPoolGrad refuses images with fewer numbers than borders cross: docs/fidelity.md.
    batch, depth = d.integer(1, 2), 3 if d.op_type == "FractionalMaxPoolGrad" else d.integer(1, 3)
    image = (batch, int(rows[-1]), int(columns[-1]), depth)
    result = (batch, len(rows) - 1, len(columns) - 1, depth)
    dz = d.array(d.dtype(), result, corners=False)
    attrs = {"overlapping": d.flag()}
    if d.op_type == "FractionalAvgPoolGrad":
        return [np.array(image, np.int64), dz, rows, columns], attrs
    x = d.array(d.dtype(), image, corners=False)
    y = np.empty(result, x.dtype)
    reach = 1 if attrs["overlapping"] else 0
    for i in range(result[1]):
        for j in range(result[2]):
            y[:, i, j] = x[:, rows[i] : rows[i + 1] + reach, columns[j] : columns[j + 1] + reach].max((1, 2))
    return [x, y, dz, rows, columns], attrs


def patches(d: Drawer) -> Parts:
    volume = d.op_type == "ExtractVolumePatches"
    w = Window(d, 3 if volume else 2, formats=False, dilated=not volume)
    attrs = {"ksizes": w.full(w.window), "strides": w.full(w.strides), "padding": w.padding}
    attrs |= {} if volume else {"rates": w.full(w.dilations)}
    return [d.array(d.dtype(), w.shape(w.size, d.integer(1, 3)), corners=False)], attrs


def batch_norm(d: Drawer) -> Parts:
    """Fused batch normalization, over images or volumes; in training the moving averages are there where they are used."""
    v3 = d.op_type.endswith("V3")
    rank = d.integer(2, 3) if v3 and d.rarely() else 2
    first = d.rarely()
    depth, sizes = d.integer(1, 3), [d.integer(1, 3) for _ in range(rank)]
    shape = (d.integer(1, 3), depth, *sizes) if first else (d.integer(1, 3), *sizes, depth)
    names = ("NHWC", "NCHW") if rank == 2 else ("NDHWC", "NCDHW")
    training = d.flag()
    attrs: dict[str, Any] = {"epsilon": d.pick([1e-3, 0.1]), "data_format": names[first], "is_training": training}
    narrow = d.types.get("U", d.dtype())
    x = d.array(d.dtype(), shape, corners=False)

    def vector(low: float = -2, dtype: str = narrow) -> Any:
        return d.array(dtype, (depth,), low, 3, corners=False)

    if "Grad" in d.op_type:
        scale = vector(dtype="float32")
        spare = [vector()] if v3 else []
        return [d.array(d.dtype(), shape, corners=False), x, scale, vector(), vector(0.1), *spare], attrs
    attrs["exponential_avg_factor"] = d.pick([1.0, 0.25]) if training else 1.0
    empty = training and attrs["exponential_avg_factor"] == 1.0 and d.flag()
    moving = [d.array(narrow, (0,)), d.array(narrow, (0,))] if empty else [vector(), vector(0.1)]
    return [x, vector(), vector(), *moving], attrs


def global_norm(d: Drawer) -> Parts:
    shape = (d.integer(1, 3), d.integer(1, 3), d.integer(1, 3), d.integer(1, 3))
    sizes = {"t": shape, "backprop": shape}
    return [
        d.array(d.dtype(), sizes.get(a.name, shape[-1:]), 0.1 if a.name == "v" else -2, 2, corners=False)
        for a in d.signature.inputs
    ], {"variance_epsilon": d.pick([1e-3, 0.1]), "scale_after_normalization": d.flag()}


def lrn(d: Drawer) -> Parts:
    shape = (d.integer(1, 2), d.integer(1, 3), d.integer(1, 3), d.integer(1, 7))
    return [d.array(d.dtype(), shape, 0.1, 2, corners=False) for _ in d.signature.inputs], {
        "depth_radius": d.integer(0, 4),
        "bias": d.pick([1.0, 2.0]),
        "alpha": d.pick([1.0, 0.1]),
        "beta": d.pick([0.5, 0.75, 1.0]),
    }


def _table(recipe: Recipe, ops: str) -> dict[str, Recipe]:
    return dict.fromkeys(ops.split(), recipe)


RECIPES: dict[str, Recipe] = {
    "Conv": general_conv,
    **_table(conv(2), "Conv2D Conv2DBackpropFilter Conv2DBackpropInput Conv2DBackpropFilterV2 Conv2DBackpropInputV2"),
    **_table(conv(3), "Conv3D Conv3DBackpropFilter Conv3DBackpropInput Conv3DBackpropFilterV2 Conv3DBackpropInputV2"),
    **_table(
        conv(2, depthwise=True),
        "DepthwiseConv2dNative DepthwiseConv2dNativeBackpropFilter DepthwiseConv2dNativeBackpropInput",
    ),
    **_table(dilation, "Dilation2D Dilation2DBackpropFilter Dilation2DBackpropInput"),
    **_table(
        pool(2),
        "AvgPool AvgPoolGrad MaxPool MaxPoolV2 MaxPoolGrad MaxPoolGradV2 MaxPoolGradGrad MaxPoolGradGradV2",
    ),
    **_table(pool(3), "AvgPool3D AvgPool3DGrad MaxPool3D MaxPool3DGrad MaxPool3DGradGrad"),
    **_table(pool_with_argmax, "MaxPoolWithArgmax MaxPoolGradWithArgmax MaxPoolGradGradWithArgmax"),
    **_table(fractional, "FractionalAvgPool FractionalMaxPool"),
    **_table(fractional_grad, "FractionalAvgPoolGrad FractionalMaxPoolGrad"),
    **_table(patches, "ExtractImagePatches ExtractVolumePatches"),
    **_table(
        batch_norm,
        "FusedBatchNorm FusedBatchNormV2 FusedBatchNormV3 FusedBatchNormGrad FusedBatchNormGradV2 FusedBatchNormGradV3",
    ),
    **_table(global_norm, "BatchNormWithGlobalNormalization BatchNormWithGlobalNormalizationGrad"),
    **_table(lrn, "LRN LRNGrad"),
}
