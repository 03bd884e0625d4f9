"""Resizing, crops, warps and colours."""

from __future__ import annotations

from typing import Any

from tests.oracle.draws import ALL, Drawer, sketch


def picture(d: Drawer, channels: int | None = None) -> tuple[int, ...]:
    return (d.integer(1, 2), d.integer(1, 4), d.integer(1, 4), channels or d.integer(1, 3))


@sketch("ResizeBilinear", "ResizeBicubic", "ResizeNearestNeighbor")
def resize(d: Drawer, op: str) -> Any:
    x = d.tensor(picture(d), d.dtype(op, among=(*ALL, "uint8", "int32")), 0)
    size = d.index([d.integer(1, 6), d.integer(1, 6)], "int32")
    attrs = d.pick({}, {"align_corners": True}, {"half_pixel_centers": True})
    return d.op(op, x, size, **attrs)


@sketch("CropAndResize")
def crop(d: Drawer, op: str) -> Any:
    image, boxes = picture(d), d.integer(1, 3)
    x = d.tensor(image, d.dtype(op, among=(*ALL, "uint8", "int32")), 0)
    corners = d.tensor((boxes, 4), low=0.05, high=0.95)
    which = d.tensor((boxes,), "int32", 0, image[0] - 1)
    size = d.index([d.integer(2, 4), d.integer(2, 4)], "int32")
    return d.op(op, x, corners, which, size, method=d.pick("bilinear", "nearest"), extrapolation_value=d.pick(0.0, 0.5))


@sketch("RGBToHSV")
def hsv(d: Drawer, op: str) -> Any:
    return d.op(op, d.tensor((*d.shape(0, 3), 3), d.dtype(op), 0.05, 0.95))


@sketch("ImageProjectiveTransformV2", "ImageProjectiveTransformV3")
def warp(d: Drawer, op: str) -> Any:
    shape = picture(d)
    x = d.tensor(shape, d.dtype(op, "dtype"))
    one = [1.0, 0.1, 0.2, -0.1, 0.9, 0.3, 0.01, 0.0]
    matrices = [one] * (shape[0] if d.chance(0.5) else 1)
    t = d.const(matrices, "float32") if d.chance(0.5) else d.tensor((len(matrices), 8), value=matrices)
    size = d.index([d.integer(1, 4), d.integer(1, 4)], "int32")
    attrs = {
        "interpolation": d.pick("BILINEAR", "NEAREST"),
        "fill_mode": d.pick("CONSTANT", "REFLECT", "WRAP", "NEAREST"),
    }
    return d.op(op, x, t, size, *([d.const(0.5, "float32")] if op.endswith("V3") else []), **attrs)


@sketch("ScaleAndTranslate")
def scale_and_translate(d: Drawer, op: str) -> Any:
    x = d.tensor(picture(d), d.dtype(op))
    size = d.index([d.integer(1, 5), d.integer(1, 5)], "int32")
    scale, shift = d.tensor((2,), low=0.6, high=1.6), d.tensor((2,), low=-0.3, high=0.3)
    kernels = ("lanczos3", "triangle", "gaussian", "box", "keyscubic", "mitchellcubic", "lanczos1", "lanczos5")
    return d.op(op, x, size, scale, shift, kernel_type=d.pick(*kernels), antialias=d.chance(0.6))
