"""Resizing, cropping, warping and patches of images, colour spaces, and the gradients of these.

Every resize is separable and linear, a table of taps per axis; its gradient is the table read the other way.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import NamedTuple

import numpy as np

from graphgrad.kernels import _views, _warp  # noqa: F401  (they register warps, random crops and glimpses)
from graphgrad.kernels._accumulate import wide
from graphgrad.kernels._checks import lone
from graphgrad.kernels._resampling import F, Taps, blend, gather, gather_weighed, scatter
from graphgrad.kernels.windows import Sizes, pad, patches, windows
from graphgrad.registry import kernel


def _resize(
    x: np.ndarray, size: np.ndarray, taps_of: Callable[[int, int], Taps], read: Callable[..., np.ndarray] = gather
) -> np.ndarray:
    """(batch, height, width, channels) to the new height and width, in float32."""
    height, width = _target(x, size)
    x = x.astype(F, copy=False)
    return read(read(x, 2, taps_of(x.shape[2], width)), 1, taps_of(x.shape[1], height))


def _resize_grad(dy: np.ndarray, x: np.ndarray, taps_of: Callable[[int, int], Taps]) -> np.ndarray:
    """What `_resize` hands back to x, in x's dtype."""
    if dy.ndim != 4 or x.ndim != 4:
        raise ValueError(f"images {list(x.shape)} and their gradient {list(dy.shape)} must have rank 4")
    _, height, width, _ = x.shape
    wide_type = F if x.dtype.itemsize < 8 else x.dtype
    rows = scatter(dy.astype(wide_type, copy=False), 1, taps_of(height, dy.shape[1]), height)
    return scatter(rows, 2, taps_of(width, dy.shape[2]), width).astype(x.dtype, copy=False)


def _target(x: np.ndarray, size: np.ndarray) -> Sizes:
    if x.ndim != 4 or size.shape != (2,):
        raise ValueError(f"images {x.shape} must have rank 4 and size {size.shape} two elements")
    height, width = size.tolist()
    if min(height, width) <= 0 or 0 in x.shape[1:3]:
        raise ValueError(f"cannot resize images of {x.shape[1]} x {x.shape[2]} to {height} x {width}")
    return height, width


def _scale(inputs: int, outputs: int, align_corners: bool) -> np.float32:
    if align_corners and min(inputs, outputs) > 1:
        return F(inputs - 1) / F(outputs - 1)
    return F(inputs) / F(outputs)


def _check_centers(align_corners: bool, half_pixel_centers: bool) -> None:
    if align_corners and half_pixel_centers:
        raise ValueError("half_pixel_centers must be false where align_corners is true")


def _sources(inputs: int, outputs: int, align_corners: bool, half_pixel_centers: bool) -> np.ndarray:
    """Where each output lies among the inputs."""
    _check_centers(align_corners, half_pixel_centers)
    positions, scale = np.arange(outputs, dtype=F), _scale(inputs, outputs, align_corners)
    return (positions + F(0.5)) * scale - F(0.5) if half_pixel_centers else positions * scale


def _bilinear(inputs: int, outputs: int, align_corners: bool, half_pixel_centers: bool) -> Taps:
    source = _sources(inputs, outputs, align_corners, half_pixel_centers)
    floor = np.floor(source)
    lower, upper = np.maximum(floor, 0), np.minimum(np.ceil(source), inputs - 1)
    fraction = source - floor
    return Taps(np.stack([lower, upper]).astype(np.int64), np.stack([1 - fraction, fraction]))


def _cubic_table(a: float) -> np.ndarray:
    """The cubic convolution kernel at distances x and x + 1, for 1025 values of x from 0 to 1."""
    x = np.arange(1025, dtype=F) / F(1024)
    near = ((F(a + 2) * x - F(a + 3)) * x) * x + F(1)
    x = x + F(1)
    return np.stack([near, ((F(a) * x - F(5 * a)) * x + F(8 * a)) * x - F(4 * a)])


def _bicubic(inputs: int, outputs: int, align_corners: bool, half_pixel_centers: bool) -> Taps:
    source = _sources(inputs, outputs, align_corners, half_pixel_centers)
    floor = np.floor(source)
    step = np.rint((source - floor) * F(1024)).astype(np.int64)
    near, far = _cubic_table(-0.5 if half_pixel_centers else -0.75)
    weights = np.stack([far[step], near[step], near[1024 - step], far[1024 - step]])
    indices = floor.astype(np.int64) + np.arange(-1, 3)[:, None]
    inside = np.clip(indices, 0, inputs - 1)
    if half_pixel_centers:  # taps beyond the border have no weight, the others share it
        weights = np.where(indices == inside, weights, F(0))
        total = weights.sum(0)
        weights = np.where(np.abs(total) >= 1000 * np.finfo(F).tiny, weights / total, weights)
    return Taps(inside, weights)


def _area(inputs: int, outputs: int, align_corners: bool) -> Taps:
    scale = np.maximum(_scale(inputs, outputs, align_corners), F(1e-6))
    positions = np.arange(outputs, dtype=F)
    start, stop = positions * scale, (positions + F(1)) * scale
    first = np.floor(start).astype(np.int64)
    indices = first + np.arange(max(1, int((np.ceil(stop) - first).max())))[:, None]
    covered = np.minimum(indices + F(1), stop) - np.maximum(indices, start)
    weights = np.maximum(covered, 0).astype(F) / scale
    return Taps(np.clip(indices, 0, inputs - 1), weights)


def _interpolation(
    taps_of: Callable[..., Taps], align_corners: bool, half_pixel_centers: bool
) -> Callable[[int, int], Taps]:
    def along(inputs: int, outputs: int) -> Taps:
        return taps_of(inputs, outputs, align_corners, half_pixel_centers)

    return along


@kernel("ResizeBilinear")
def resize_bilinear(images, size, *, align_corners, half_pixel_centers):
    taps_of = _interpolation(_bilinear, align_corners, half_pixel_centers)
    if images.shape[1:3] == _target(images, size):
        return images.astype(F, copy=False)
    return _resize(images, size, taps_of, blend)


@kernel("ResizeBilinearGrad")
def resize_bilinear_grad(dy, images, *, align_corners, half_pixel_centers):
    return _resize_grad(dy, images, _interpolation(_bilinear, align_corners, half_pixel_centers))


@kernel("ResizeBicubic")
def resize_bicubic(images, size, *, align_corners, half_pixel_centers):
    return _resize(images, size, _interpolation(_bicubic, align_corners, half_pixel_centers))


@kernel("ResizeBicubicGrad")
def resize_bicubic_grad(dy, images, *, align_corners, half_pixel_centers):
    return _resize_grad(dy, images, _interpolation(_bicubic, align_corners, half_pixel_centers))


@kernel("ResizeArea")
def resize_area(images, size, *, align_corners):
    return _resize(images, size, lambda inputs, outputs: _area(inputs, outputs, align_corners), gather_weighed)


def _nearest(inputs: int, outputs: int, align_corners: bool, half_pixel_centers: bool) -> np.ndarray:
    positions, scale = np.arange(outputs, dtype=F), _scale(inputs, outputs, align_corners)
    source = (positions + F(0.5) if half_pixel_centers else positions) * scale
    nearest = np.floor(source + F(0.5) if align_corners else source)
    return np.clip(nearest.astype(np.int64), 0, inputs - 1)


@kernel("ResizeNearestNeighbor")
def resize_nearest_neighbor(images, size, *, align_corners, half_pixel_centers):
    height, width = _target(images, size)
    _check_centers(align_corners, half_pixel_centers)
    rows = _nearest(images.shape[1], height, align_corners, half_pixel_centers)
    columns = _nearest(images.shape[2], width, align_corners, half_pixel_centers)
    return np.take(np.take(images, rows, 1), columns, 2)


@kernel("ResizeNearestNeighborGrad")
def resize_nearest_neighbor_grad(dy, size, *, align_corners, half_pixel_centers):
    height, width = _target(dy, size)
    total = wide(dy)
    for axis, inputs in ((1, height), (2, width)):
        index = _nearest(inputs, dy.shape[axis], align_corners, half_pixel_centers)
        total = scatter(total, axis, Taps(index[None], np.ones((1, len(index)))), inputs)
    return total.astype(dy.dtype, copy=False)


@kernel("ExtractImagePatches")
def extract_image_patches(images, *, ksizes, strides, rates, padding):
    return _patches(images, ksizes, strides, rates, padding)


@kernel("ExtractVolumePatches")
def extract_volume_patches(volumes, *, ksizes, strides, padding):
    """With SAME padding the windows stand amid an axis that has more than they reach over, not at its start."""
    if padding == "SAME" and volumes.ndim == 5:
        for axis in (1, 2, 3):
            reach = (-(-volumes.shape[axis] // strides[axis]) - 1) * strides[axis] + ksizes[axis]
            start = max(volumes.shape[axis] - reach, 0) // 2
            volumes = volumes[(*(slice(None),) * axis, slice(start, start + max(reach, 0)))] if start else volumes
    return _patches(volumes, ksizes, strides, (1,) * volumes.ndim, padding)


def _patches(x: np.ndarray, ksizes: Sizes, strides: Sizes, rates: Sizes, padding: str) -> np.ndarray:
    """Every window as one run of channels, (batch, *outputs, taps * channels)."""
    for name, sizes in (("ksizes", ksizes), ("strides", strides), ("rates", rates)):
        if len(sizes) != x.ndim or sizes[0] != 1 or sizes[-1] != 1:
            raise ValueError(f"{name} must have {x.ndim} entries, 1 for the batch and the channels, not {sizes}")
    w = windows(x.shape[1:-1], tuple(ksizes[1:-1]), tuple(strides[1:-1]), tuple(rates[1:-1]), padding)
    taken = patches(pad(x, w), w)
    return taken.reshape(x.shape[0], *w.outputs, prod(w.kernel) * x.shape[-1])


class _Crops(NamedTuple):
    """Where the points of every box lie, (boxes, rows, columns), and which of them are inside the image."""

    image: np.ndarray
    rows: np.ndarray
    columns: np.ndarray
    inside: np.ndarray


def _crop_positions(low: np.ndarray, high: np.ndarray, size: int, points: int) -> np.ndarray:
    """Where the points of boxes from `low` to `high` (as parts of the axis) lie on an axis of that size."""
    last = F(size - 1)
    if points == 1:
        return (F(0.5) * (low + high) * last)[:, None]
    step = (high - low) * last / F(points - 1)
    return (low * last)[:, None] + np.arange(points, dtype=F) * step[:, None]


def _passes(place: np.ndarray, size: int) -> np.ndarray:
    """Where it lies beside an axis of that size; NaN does not."""
    return (place < 0) | (place > size - 1)


def _crops(image_shape: Sizes, boxes: np.ndarray, box_index: np.ndarray, points: Sizes) -> _Crops:
    batch, height, width = image_shape[:3]
    if boxes.ndim != 2 or boxes.shape[1] != 4 or box_index.shape != boxes.shape[:1]:
        raise ValueError(f"boxes {boxes.shape} and box_index {box_index.shape} do not describe boxes")
    if box_index.size and not 0 <= box_index.min() <= box_index.max() < batch:
        raise ValueError(f"box_index has values outside [0, {batch})")
    y1, x1, y2, x2 = boxes.T
    rows = _crop_positions(y1, y2, height, points[0])[:, :, None]
    columns = _crop_positions(x1, x2, width, points[1])[:, None, :]
    inside = (rows >= 0) & (rows <= height - 1) & (columns >= 0) & (columns <= width - 1)
    if (np.isnan(rows + columns) & ~_passes(rows, height) & ~_passes(columns, width)).any():
        raise ValueError("a point of the boxes is NaN")
    rows, columns = (np.where(inside, position, 0) for position in (rows, columns))
    return _Crops(box_index[:, None, None], rows, columns, inside)


def _check_crops(dy: np.ndarray, boxes: np.ndarray, image_shape: Sizes) -> None:
    if len(image_shape) != 4 or dy.shape[3] != image_shape[3] or len(dy) != len(boxes):
        raise ValueError(f"gradients {dy.shape} are not those of {len(boxes)} boxes in images of shape {image_shape}")


def _corners(crops: _Crops) -> tuple[tuple[np.ndarray, ...], np.ndarray, np.ndarray]:
    """Top, bottom, left and right of the pixels around every point, and its distance from top and left."""
    top, left = np.floor(crops.rows), np.floor(crops.columns)
    edges = (top, np.ceil(crops.rows), left, np.ceil(crops.columns))
    whole = tuple(edge.astype(np.int64) for edge in edges)
    return whole, (crops.rows - top)[..., None], (crops.columns - left)[..., None]


def _nearest_pixels(crops: _Crops) -> tuple[np.ndarray, np.ndarray]:
    return np.floor(crops.rows + F(0.5)).astype(np.int64), np.floor(crops.columns + F(0.5)).astype(np.int64)


def _crop_points(crop_size: np.ndarray) -> Sizes:
    height, width = crop_size.tolist()
    if min(height, width) <= 0:
        raise ValueError(f"crop_size must be positive, not {height} x {width}")
    return height, width


def _check_method(method: str) -> None:
    if method not in ("bilinear", "nearest"):
        raise ValueError(f"method must be bilinear or nearest, not {method!r}")


@kernel("CropAndResize")
def crop_and_resize(image, boxes, box_index, crop_size, *, method, extrapolation_value):
    _check_method(method)
    if not np.isfinite(boxes).all():
        raise ValueError("boxes contain an element that is not finite")
    crops = _crops(image.shape, boxes, box_index, _crop_points(crop_size))
    image = image.astype(F, copy=False)
    if method == "nearest":
        found = image[(crops.image, *_nearest_pixels(crops))]
    else:
        (top, bottom, left, right), down, across = _corners(crops)
        upper, lower = (
            image[crops.image, row, left] * (1 - across) + image[crops.image, row, right] * across
            for row in (top, bottom)
        )
        found = upper + (lower - upper) * down
    return np.where(crops.inside[..., None], found, F(extrapolation_value))


@kernel("CropAndResizeGradImage")
def crop_and_resize_grad_image(dy, boxes, box_index, image_size, *, method, T):
    _check_method(method)
    shape = tuple(image_size.tolist())
    _check_crops(dy, boxes, shape)
    crops = _crops(shape, boxes, box_index, dy.shape[1:3])
    dimage = np.zeros(shape, F if T.itemsize < 8 else T)
    dy = np.where(crops.inside[..., None], dy, F(0))
    if method == "nearest":
        shares = [(*_nearest_pixels(crops), dy)]
    else:
        (top, bottom, left, right), down, across = _corners(crops)
        shares = [
            (row, column, dy * (by_row * by_column))
            for row, by_row in ((top, 1 - down), (bottom, down))
            for column, by_column in ((left, 1 - across), (right, across))
        ]
    flat, channels = dimage.reshape(-1), np.arange(shape[3])
    for row, column, share in shares:
        pixel = (crops.image * shape[1] + row) * shape[2] + column
        np.add.at(flat, (pixel[..., None] * shape[3] + channels).reshape(-1), share.reshape(-1))
    return dimage.astype(T, copy=False)


@kernel("CropAndResizeGradBoxes")
def crop_and_resize_grad_boxes(dy, image, boxes, box_index, *, method):
    if method != "bilinear":
        raise ValueError(f"the gradient of boxes is known for the method bilinear, not {method!r}")
    _check_crops(dy, boxes, image.shape)
    _, rows, columns = dy.shape[:3]
    height, width = image.shape[1:3]
    crops = _crops(image.shape, boxes, box_index, (rows, columns))
    (top, bottom, left, right), down, across = _corners(crops)
    image = image.astype(F, copy=False)
    (a, b), (c, d) = ((image[crops.image, row, left], image[crops.image, row, right]) for row in (top, bottom))
    along_y = (1 - across) * (c - a) + across * (d - b)
    along_x = (1 - down) * (b - a) + down * (d - c)
    dy, along_y, along_x = (np.where(crops.inside[..., None], part, F(0)) for part in (dy, along_y, along_x))
    to_y, to_x = (dy * along_y).sum((2, 3)), (dy * along_x).sum((1, 3))
    low_y, high_y = _share_of_ends(rows, height)
    low_x, high_x = _share_of_ends(columns, width)
    return np.stack([to_y @ low_y, to_x @ low_x, to_y @ high_y, to_x @ high_x], 1)


def _share_of_ends(points: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """How the positions of a box's points follow its low and its high end."""
    part = np.full(1, 0.5, F) if points == 1 else np.arange(points, dtype=F) / F(points - 1)
    return (1 - part) * F(size - 1), part * F(size - 1)


@kernel("RGBToHSV")
def rgb_to_hsv(images):
    _check_colours(images)
    rgb = wide(images)
    red, green, blue = (rgb[..., channel] for channel in range(3))
    value, least = red, red  # what cannot be compared, the next channel takes the place of
    for channel in (green, blue):
        value, least = np.where(value > channel, value, channel), np.where(least < channel, least, channel)
    spread = value - least
    saturation = np.where(value > 0, spread / value, 0)
    sixth = 1 / (6 * spread)
    hue = np.where(
        red == value,
        sixth * (green - blue),
        np.where(green == value, sixth * (blue - red) + 2 / 6, sixth * (red - green) + 4 / 6),
    )
    hue = np.where(spread > 0, hue, 0)
    hue = np.where(hue < 0, hue + 1, hue)
    return np.stack([hue, saturation, value], -1).astype(images.dtype, copy=False)


@kernel("HSVToRGB")
def hsv_to_rgb(images):
    _check_colours(images)
    hsv = wide(images)
    hue, saturation, value = (hsv[..., channel] for channel in range(3))
    turn = hue * 6
    parts = (np.abs(turn - 3) - 1, 2 - np.abs(turn - 2), 2 - np.abs(turn - 4))
    colours = [((1 - saturation) + saturation * np.clip(part, 0, 1)) * value for part in parts]
    return np.stack(colours, -1).astype(images.dtype, copy=False)


def _check_colours(images: np.ndarray) -> None:
    if images.ndim < 1 or images.shape[-1] != 3:
        raise ValueError(f"images must have 3 channels, their shape is {images.shape}")


def _check_rank(images):
    if images.ndim < 3:
        raise ValueError(f"images must have rank 3 or more, not {images.ndim}")


@kernel("AdjustContrastv2")
def adjust_contrast(images, contrast_factor):
    """Moves every pixel away from its image's mean, channel by channel."""
    _check_rank(images)
    lone(contrast_factor, "contrast_factor")
    x = wide(images)
    if not x.size:
        return images
    mean = x.mean((-3, -2), keepdims=True)
    return ((x - mean) * contrast_factor + mean).astype(images.dtype, copy=False)


@kernel("AdjustSaturation")
def adjust_saturation(images, scale):
    _check_rank(images)
    lone(scale, "scale")
    hsv = rgb_to_hsv(images)
    saturation = hsv[..., 1] * scale
    if not np.isfinite(scale):
        saturation = np.where(np.isnan(saturation), 0, saturation)
    hsv[..., 1] = np.clip(saturation, 0, 1)
    found = hsv_to_rgb(hsv)
    odd = ~np.isfinite(images).all(-1)
    if odd.any():
        found[odd] = _grey(wide(images[odd]), scale)
    return found


def _grey(rgb: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """What `adjust_saturation` makes of pixels that are not finite: they have no hue, and extremes that are left over by comparisons."""
    red, green, blue = np.moveaxis(rgb, -1, 0)
    value, least = np.where(green < blue, blue, green), np.where(blue < green, blue, green)
    value, least = np.where(red < value, value, red), np.where(least < red, least, red)
    saturation = np.where(value > 0, (value - least) / value, 0) * scale
    chroma = np.where(saturation > 0, np.minimum(saturation, 1), 0) * value
    return np.broadcast_to((value - chroma)[..., None], rgb.shape)


# A hue lies in one of six sectors. Where each begins or ends to the sixth, which way it runs from there, and which of
# the largest, middle and least numbers red, green and blue are in it.
_TURNS = np.array([(0, 2, 2, 4, 4, 6), (1, -1, 1, -1, 1, -1)], F)
_CHANNELS = [(0, 1, 2, 2, 1, 0), (1, 0, 0, 1, 2, 2), (2, 2, 1, 0, 0, 1)]


@kernel("AdjustHue")
def adjust_hue(images, delta):
    """Turns the hue of each pixel and keeps the largest and the least of its channels.

    Of NaN these are what comparisons, red with green first, leave over.
    """
    _check_rank(images)
    _check_colours(images)
    lone(delta, "delta")
    red, green, blue = np.moveaxis(wide(images), -1, 0)
    rises = red < green
    low, high = np.where(rises, red, green), np.where(rises, green, red)
    below, above = blue < low, blue > high
    least, largest = np.where(below, blue, low), np.where(above, blue, high)
    middle = np.where(below, low, np.where(above, high, blue))
    sector = np.where(rises, np.where(below, 1, np.where(above, 3, 2)), np.where(below, 0, np.where(above, 4, 5)))
    start, way = _TURNS[:, sector]
    hue = np.where(largest == least, 0, start + way * ((middle - least) / (largest - least)))
    hue = np.mod(hue + delta * 6, 6)
    sector = np.where(np.isnan(hue), 5, hue).astype(np.int64).clip(0, 5)
    start, way = _TURNS[:, sector]
    parts = (largest, least + (hue - start) * way * (largest - least), least)
    turned = [np.choose(np.take(channels, sector), parts) for channels in _CHANNELS]
    return np.stack(turned, -1).astype(images.dtype, copy=False)
