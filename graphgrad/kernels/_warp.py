"""Warps and scalings of images by given numbers; part of the image family, which imports it.

Coordinates are computed in float32, as in TensorFlow, so that points on a border fall on the same side.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from graphgrad.kernels._checks import lone
from graphgrad.kernels._resampling import F, Taps, gather, gather_all, scatter, transposed, with_weight
from graphgrad.registry import kernel


def _whole(x: np.ndarray) -> np.ndarray:
    """Cut off to an integer of 64 bits; what it cannot hold becomes the least of them, as on x86 processors."""
    limit = F(2**63)
    return np.where(np.abs(x) < limit, np.trunc(x), -limit)


def _reflected(position: np.ndarray, size: int) -> np.ndarray:
    """Mirrored at the outer edges of the first and last pixel."""
    period = F(2 * size)
    if size <= 1:
        return np.where(np.isnan(position), position, F(0))
    low = np.where(position < -period, period * _whole(-position / period) + position, position)
    low = np.where(low < -size, low + period, -low - 1)
    high = position - period * _whole(position / period)
    high = np.where(high >= size, period - high - 1, high)
    return np.where(position < 0, low, np.where(position > size - 1, high, position))


def _wrapped(position: np.ndarray, size: int) -> np.ndarray:
    """As if the image were repeated."""
    if size <= 1:
        return np.where(np.isnan(position), position, F(0))
    low = position + F(size) * (_whole(-position / F(size - 1)) + 1)
    high = position - F(size) * _whole(position / F(size - 1))
    return np.where(position < 0, low, np.where(position > size - 1, high, position))


def _kept(position: np.ndarray, size: int) -> np.ndarray:
    return position


FILL_MODES: dict[str, Callable[[np.ndarray, int], np.ndarray]] = {
    "REFLECT": _reflected,
    "WRAP": _wrapped,
    "NEAREST": _kept,
    "CONSTANT": _kept,
}


def _filled(position: np.ndarray, size: int, fill_mode: str) -> np.ndarray:
    mapped = FILL_MODES[fill_mode](position, size)
    return mapped if fill_mode == "CONSTANT" else np.clip(mapped, 0, size - 1)


def _projected(transforms: np.ndarray, height: int, width: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Input rows and columns of output pixels, (transforms, height, width), and where there are any."""
    a0, a1, a2, b0, b1, b2, c0, c1 = (part[:, None, None] for part in transforms.T)
    x, y = np.arange(width, dtype=F)[None, None, :], np.arange(height, dtype=F)[None, :, None]
    projection = c0 * x + c1 * y + F(1)
    columns, rows = (a0 * x + a1 * y + a2) / projection, (b0 * x + b1 * y + b2) / projection
    known = np.broadcast_to(projection != 0, rows.shape)
    return np.where(known, rows, 0), np.where(known, columns, 0), known


def _read(images: np.ndarray, rows: np.ndarray, columns: np.ndarray, fill: np.generic) -> np.ndarray:
    """The pixels at whole positions, (batch, rows, columns, channels); `fill` where they lie outside."""
    _, height, width, _ = images.shape
    inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    rows, columns = (np.where(inside, at, 0).astype(np.int64) for at in (rows, columns))
    found = images[np.arange(len(images))[:, None, None], rows, columns]
    return np.where(inside[..., None], found, fill)


def _transform(images, transforms, output_shape, fill, interpolation, fill_mode):
    if interpolation not in ("NEAREST", "BILINEAR") or fill_mode not in FILL_MODES:
        raise ValueError(f"interpolation {interpolation} with fill_mode {fill_mode} is not supported")
    batch, height, width, _ = images.shape
    if transforms.ndim != 2 or transforms.shape[1] != 8 or transforms.shape[0] not in (1, batch):
        raise ValueError(f"transforms must be 8 numbers for each image or for all, not of shape {transforms.shape}")
    rows, columns, known = _projected(transforms, *output_shape.tolist())
    rows, columns = _filled(rows, height, fill_mode), _filled(columns, width, fill_mode)
    dtype, fill = images.dtype, images.dtype.type(fill)
    if interpolation == "NEAREST":
        nearest = (np.trunc(at + np.copysign(F(0.5), at)) for at in (rows, columns))
        found = _read(images, *nearest, fill)
    else:
        images, fill = images.astype(F), F(fill)
        top, left = np.floor(rows), np.floor(columns)
        down, across = (rows - top)[..., None], (columns - left)[..., None]
        upper, lower = (
            _read(images, row, left, fill) * (1 - across) + _read(images, row, left + 1, fill) * across
            for row in (top, top + 1)
        )
        found = upper * (1 - down) + lower * down
    return np.where(known[..., None], found, fill).astype(dtype)


@kernel("ImageProjectiveTransformV3")
def image_projective_transform_v3(images, transforms, output_shape, fill_value, *, interpolation, fill_mode):
    lone(fill_value, "fill_value")
    return _transform(images, transforms, output_shape, fill_value, interpolation, fill_mode)


@kernel("ImageProjectiveTransformV2")
def image_projective_transform_v2(images, transforms, output_shape, *, interpolation, fill_mode):
    return _transform(images, transforms, output_shape, 0, interpolation, fill_mode)


def _lanczos(radius: int) -> Callable[[np.ndarray], np.ndarray]:
    def weight(x: np.ndarray) -> np.ndarray:
        return np.where(x > radius, 0, np.sinc(x) * np.sinc(x / radius))

    return weight


def _gaussian(x: np.ndarray) -> np.ndarray:
    return np.where(x >= 1.5, 0, np.exp(-2 * x * x))  # a deviation of 1/2, cut at three deviations


def _box(x: np.ndarray) -> np.ndarray:
    return np.where(x < 0.5, 1.0, np.where(x == 0.5, 0.5, 0.0))


def _triangle(x: np.ndarray) -> np.ndarray:
    return np.maximum(1 - x, 0)


def _keys_cubic(x: np.ndarray) -> np.ndarray:
    far = ((-0.5 * x + 2.5) * x - 4) * x + 2
    near = (1.5 * x - 2.5) * x * x + 1
    return np.where(x >= 2, 0, np.where(x >= 1, far, near))


def _mitchell_cubic(x: np.ndarray) -> np.ndarray:
    far = (((-7 / 18) * x + 2) * x - 10 / 3) * x + 16 / 9
    near = ((7 / 6) * x - 2) * x * x + 8 / 9
    return np.where(x >= 2, 0, np.where(x >= 1, far, near))


KERNELS: dict[str, tuple[float, Callable[[np.ndarray], np.ndarray]]] = {
    "lanczos1": (1, _lanczos(1)),
    "lanczos3": (3, _lanczos(3)),
    "lanczos5": (5, _lanczos(5)),
    "gaussian": (1.5, _gaussian),
    "box": (1, _box),
    "triangle": (1, _triangle),
    "keyscubic": (2, _keys_cubic),
    "mitchellcubic": (2, _mitchell_cubic),
}


def _scaled(
    inputs: int, outputs: int, scale: np.float32, translation: np.float32, kernel_type: str, antialias: bool
) -> Taps:
    """Along one axis: the kernel around the source of every output, its weights summing to one."""
    if kernel_type not in KERNELS:
        raise ValueError(f"kernel_type must be one of {', '.join(KERNELS)}, not {kernel_type!r}")
    if not scale > 0:
        raise ValueError(f"scale must be positive, not {scale}")
    radius, weight_at = KERNELS[kernel_type]
    inverse = F(1) / scale
    width = max(inverse, F(1)) if antialias else F(1)
    source = (np.arange(outputs, dtype=F) + F(0.5)) * inverse - inverse * translation
    reach = F(radius) * width
    beyond = (source < 0) | (source > inputs)
    first = np.clip(np.ceil(source - reach - F(0.5)), 0, inputs - 1).astype(np.int64)
    last = np.clip(np.floor(source + reach - F(0.5)), 0, inputs - 1).astype(np.int64)
    first[beyond] = 0
    indices = first + np.arange(min(2 * int(np.ceil(reach)) + 1, inputs))[:, None]
    weights = weight_at(np.abs(indices + F(0.5) - source) / width).astype(F)
    weights[(indices > last) | beyond] = 0
    total = weights.sum(0)
    weights = np.where(np.abs(total) >= 1000 * np.finfo(F).tiny, weights / total, weights)
    return Taps(indices, weights.astype(F))


def _both_axes(x_shape, y_shape, scale, translation, kernel_type, antialias) -> tuple[Taps, Taps]:
    if scale.shape != (2,) or translation.shape != (2,):
        raise ValueError("scale and translation must have two elements each")
    rows, columns = (
        _scaled(x_shape[axis], y_shape[axis], scale[axis - 1], translation[axis - 1], kernel_type, antialias)
        for axis in (1, 2)
    )
    return rows, columns


@kernel("ScaleAndTranslate")
def scale_and_translate(images, size, scale, translation, *, kernel_type, antialias):
    batch, _, _, channels = images.shape
    if size.shape != (2,):
        raise ValueError(f"size must have two elements, not the shape {list(size.shape)}")
    shape = (batch, *size.tolist(), channels)
    if min(shape[1:3]) <= 0 or not min(images.shape[1:3]):
        raise ValueError(f"cannot scale images of shape {images.shape} to {shape}")
    rows, columns = _both_axes(images.shape, shape, scale, translation, kernel_type, antialias)
    images = images.astype(F, copy=False)
    if not np.isfinite(images).all():
        return gather_all(gather_all(images, 1, rows), 2, columns)
    rows, columns = with_weight(rows, images.shape[1]), with_weight(columns, images.shape[2])
    return gather(gather(images, 1, rows), 2, columns)


@kernel("ScaleAndTranslateGrad")
def scale_and_translate_grad(dy, images, scale, translation, *, kernel_type, antialias):
    if dy.ndim != 4 or images.ndim != 4:
        raise ValueError(f"images {list(images.shape)} and their gradient {list(dy.shape)} must have rank 4")
    rows, columns = _both_axes(images.shape, dy.shape, scale, translation, kernel_type, antialias)
    if not np.isfinite(dy).all():
        rows, columns = transposed(rows, images.shape[1]), transposed(columns, images.shape[2])
        return gather_all(gather_all(dy, 1, rows), 2, columns)
    return scatter(scatter(dy, 2, columns, images.shape[2]), 1, rows, images.shape[1])
