"""Recipes of images, their colours and sizes, and of fake quantization."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.oracle.kernel_draws.drawing import Drawer, Recipe, Shape

Parts = tuple[list[Any], dict[str, Any]]


def _image(d: Drawer, least: int = 1, most: int = 5) -> Shape:
    return (d.integer(1, 2), d.integer(least, most), d.integer(least, most), d.integer(1, 3))


def _sizes(d: Drawer) -> Any:
    return np.array([d.integer(1, 6), d.integer(1, 6)], np.int32)


def _alignment(d: Drawer) -> dict[str, bool]:
    """At most one of them may be set."""
    which = d.pick(["", "align_corners", "half_pixel_centers"])
    return {name: name == which for name in ("align_corners", "half_pixel_centers") if name in d.signature.attrs}


def resize(d: Drawer) -> Parts:
    return [d.array(d.dtype(), _image(d), 0, 100, corners=False), _sizes(d)], _alignment(d)


def resize_grad(d: Drawer) -> Parts:
    shape = _image(d)
    dtype = "float32" if d.op_type != "ResizeNearestNeighborGrad" else d.dtype()
    grads = d.array(dtype, (shape[0], d.integer(1, 6), d.integer(1, 6), shape[3]), corners=False)
    second = _sizes(d) if d.op_type == "ResizeNearestNeighborGrad" else d.array(d.dtype(), shape, corners=False)
    return [grads, second], _alignment(d)


def scale_and_translate(d: Drawer) -> Parts:
    shape = _image(d)
    size = _sizes(d)
    scale = np.array([d.number(0.5, 2.5), d.number(0.5, 2.5)], np.float32)
    shift = np.array([d.number(-2, 2), d.number(-2, 2)], np.float32)
    attrs = {
        "kernel_type": d.pick(
            ["lanczos1", "lanczos3", "lanczos5", "gaussian", "box", "triangle", "keyscubic", "mitchellcubic"]
        ),
        "antialias": d.flag(),
    }
    if d.op_type == "ScaleAndTranslateGrad":
        grads = d.array(d.dtype(), (shape[0], *size, shape[3]), corners=False)
        return [grads, d.array(d.dtype(), shape, corners=False), scale, shift], attrs
    return [d.array(d.dtype(), shape, 0, 50, corners=False), size, scale, shift], attrs


def colour(d: Drawer) -> Parts:
    return [d.array(d.dtype(), (*d.shape(1, 3), 3), 0, 1, corners=False)], {}


def adjust(d: Drawer) -> Parts:
    shape = (*d.shape(0, 1), d.integer(1, 3), d.integer(1, 3), 3)
    return [d.array(d.dtype(), shape, 0, 1, corners=False), np.float32(d.number(-1, 2))], {}


def crop_and_resize(d: Drawer) -> Parts:
    shape, boxes = _image(d, 2), d.dim(3)
    corners = d.array("float32", (boxes, 4), -0.3, 1.3, corners=False)
    which = d.indices("int32", (boxes,), shape[0])
    method = d.pick(["bilinear", "nearest"])
    if d.op_type == "CropAndResize":
        attrs = {"method": method, "extrapolation_value": d.pick([0.0, 1.5])}
        return [d.array(d.dtype(), shape, 0, 50, corners=False), corners, which, _sizes(d)], attrs
    grads = d.array("float32", (boxes, d.integer(1, 4), d.integer(1, 4), shape[3]), corners=False)
    if d.op_type == "CropAndResizeGradImage":
        return [grads, corners, which, np.array(shape, np.int32)], {"method": method}
    return [grads, d.array(d.dtype(), shape, 0, 50, corners=False), corners, which], {"method": "bilinear"}


def projective(d: Drawer) -> Parts:
    shape = _image(d)
    count = d.pick([1, shape[0]])
    transforms = np.tile(np.array([1, 0, 0, 0, 1, 0, 0, 0], np.float32), (count, 1))
    transforms += d.array("float32", (count, 8), -0.2, 0.2, corners=False)
    inputs: list[Any] = [d.array(d.dtype("dtype"), shape, 0, 50, corners=False), transforms, _sizes(d)]
    inputs += [np.float32(d.pick([0.0, 2.0]))] if d.op_type.endswith("V3") else []
    return inputs, {
        "interpolation": d.pick(["NEAREST", "BILINEAR"]),
        "fill_mode": d.pick(["CONSTANT", "REFLECT", "WRAP", "NEAREST"]),
    }


def _range(d: Drawer) -> tuple[float, float]:
    return d.pick([(-6.0, 6.0), (0.0, 1.0), (-1.0, 0.5), (0.1, 2.0), (-2.0, -0.3)])  # type: ignore[no-any-return]


def _bits(d: Drawer) -> dict[str, Any]:
    return {"num_bits": d.integer(2, 10), "narrow_range": d.flag()}


def fake_quant_args(d: Drawer) -> Parts:
    low, high = _range(d)
    shape = d.shape()
    return [d.array("float32", shape, -7, 7, corners=False) for _ in d.signature.inputs], {
        "min": low,
        "max": high,
        **_bits(d),
    }


def fake_quant_vars(d: Drawer) -> Parts:
    channels = "PerChannel" in d.op_type
    shape = d.shape(1 if channels else 0)
    edges = [_range(d) for _ in range(shape[-1])] if channels else _range(d)
    low, high = np.moveaxis(np.array(edges, np.float32).reshape(-1, 2), -1, 0)
    low, high = (low, high) if channels else (low[0], high[0])
    count = len(d.signature.inputs) - 2
    return [*[d.array("float32", shape, -7, 7, corners=False) for _ in range(count)], low, high], _bits(d)


def quantize_and_dequantize(d: Drawer) -> Parts:
    shape = d.shape(1)
    takes = d.signature.attrs
    axis = d.integer(0, len(shape) - 1) if "axis" in takes and len(shape) > 1 and d.flag() else -1
    edges: tuple[int, ...] = () if axis < 0 else (shape[axis],)
    low = d.array(d.dtype(), edges, -3, -0.5, corners=False)
    high = d.array(d.dtype(), edges, 0.5, 3, corners=False)
    x = d.array(d.dtype(), shape, -4, 4, corners=False)
    attrs: dict[str, Any] = {"axis": axis}
    bits = d.integer(2, 10)
    if d.op_type.endswith("Grad"):
        return [d.array(d.dtype(), shape, corners=False), x, low, high], attrs
    attrs |= {
        "signed_input": d.flag(),
        "range_given": d.flag(),
        "narrow_range": d.flag(),
        "num_bits": bits,
        "round_mode": d.pick(["HALF_TO_EVEN", "HALF_UP"]),
    }
    if d.op_type == "QuantizeAndDequantize":
        return [x], {**{k: v for k, v in attrs.items() if k in takes}, "input_min": -2.0, "input_max": 2.5}
    inputs = [x, low, high, np.int32(bits)] if d.op_type.endswith("V3") else [x, low, high]
    return inputs, {k: v for k, v in attrs.items() if k in takes}


def _table(recipe: Recipe, ops: str) -> dict[str, Recipe]:
    return dict.fromkeys(ops.split(), recipe)


def distorted(d: Drawer) -> Parts:
    height, width = d.integer(1, 60), d.integer(1, 60)
    boxes = np.sort(d.array("float32", (1, d.integer(0, 3), 2, 2), 0, 1, corners=False), 2).reshape(1, -1, 4)
    least, low = d.number(0.1, 1.2), d.number(0.05, 0.9)
    attrs: dict[str, Any] = {
        "aspect_ratio_range": [least, least + d.number(0, 1)],
        "area_range": [low, min(low + d.number(0.1, 1), 1.0)],
        "max_attempts": d.pick([1, 5, 30]),
        "use_image_if_no_bounding_boxes": not d.rarely(),
    }
    if d.op_type == "StatelessSampleDistortedBoundingBox":
        seed = d.given("Tseed", [d.integer(0, 1 << 30) for _ in range(2)])
    else:
        attrs |= {"seed": d.integer(1, 1 << 30), "seed2": d.integer(0, 1 << 30)}
    covered = d.number(0, 1)
    inputs: list[Any] = [d.given("T", [min(height, 127), min(width, 127), 3]), boxes]
    if d.op_type == "SampleDistortedBoundingBox":
        return inputs, attrs | {"min_object_covered": covered}
    return [*inputs, np.float32(covered), *([seed] if d.op_type.startswith("Stateless") else [])], attrs


def glimpse(d: Drawer) -> Parts:
    images = d.array("float32", (d.integer(1, 2), d.integer(1, 6), d.integer(1, 6), d.integer(1, 2)), corners=False)
    normalized = d.flag()
    reach = 1 if normalized else 4
    offsets = d.array("float32", (len(images), 2), -reach, reach, corners=False)
    attrs = {"centered": d.flag(), "normalized": normalized, "uniform_noise": False, "noise": "zero"}
    return [images, np.array([d.integer(1, 5), d.integer(1, 5)], np.int32), offsets], attrs


RECIPES: dict[str, Recipe] = {
    **_table(resize, "ResizeArea ResizeBicubic ResizeBilinear ResizeNearestNeighbor"),
    **_table(resize_grad, "ResizeBicubicGrad ResizeBilinearGrad ResizeNearestNeighborGrad"),
    **_table(scale_and_translate, "ScaleAndTranslate ScaleAndTranslateGrad"),
    **_table(colour, "HSVToRGB RGBToHSV"),
    **_table(adjust, "AdjustContrastv2 AdjustHue AdjustSaturation"),
    **_table(crop_and_resize, "CropAndResize CropAndResizeGradBoxes CropAndResizeGradImage"),
    **_table(projective, "ImageProjectiveTransformV2 ImageProjectiveTransformV3"),
    **_table(distorted, "SampleDistortedBoundingBox SampleDistortedBoundingBoxV2 StatelessSampleDistortedBoundingBox"),
    **_table(glimpse, "ExtractGlimpse ExtractGlimpseV2"),
    **_table(fake_quant_args, "FakeQuantWithMinMaxArgs FakeQuantWithMinMaxArgsGradient"),
    **_table(
        fake_quant_vars,
        """FakeQuantWithMinMaxVars FakeQuantWithMinMaxVarsGradient FakeQuantWithMinMaxVarsPerChannel
        FakeQuantWithMinMaxVarsPerChannelGradient""",
    ),
    **_table(
        quantize_and_dequantize,
        "QuantizeAndDequantize QuantizeAndDequantizeV2 QuantizeAndDequantizeV3 QuantizeAndDequantizeV4 QuantizeAndDequantizeV4Grad",
    ),
}
