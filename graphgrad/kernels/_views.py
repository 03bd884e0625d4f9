"""Parts of images chosen at random or by an offset; part of the image family.

A crop is (top, left, height, width) in pixels. Single precision is TensorFlow's, so that the same sizes come out.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from graphgrad.kernels import philox
from graphgrad.kernels._checks import lone
from graphgrad.kernels.philox import Words
from graphgrad.registry import kernel

Array = np.ndarray[Any, Any]
Crop = tuple[int, int, int, int]
F = np.float32


def _rounded(number: Any) -> int:
    return int(np.rint(F(number)))


def _sides(height: int, width: int, areas: tuple[float, float], ratio: Any, words: Words) -> tuple[int, int] | None:
    """Height and width of a crop of that ratio whose area lies between these shares of the image; None where there is none."""
    least, most = (F(F(F(share) * F(width)) * F(height)) for share in areas)
    if most <= 0 or ratio <= 0 or least > most:
        return None
    low, high = (_rounded(np.sqrt(F(area / ratio))) for area in (least, most))
    if _rounded(F(high) * ratio) > width:
        high = int((width + 0.5 - float(F(1e-7))) / float(ratio))
        high -= _rounded(F(high) * ratio) > width
    high = min(high, height)
    tall = min(low, high)
    if tall < high:
        tall += words.below(high - tall + 1)
    wide = _rounded(F(tall) * ratio)
    for misses, step in ((lambda area: area < least, 1), (lambda area: area > most, -1)):
        if misses(F(tall * wide)):  # because sides are whole
            tall += step
            wide = _rounded(F(tall) * ratio)
    fits = least <= F(tall * wide) <= most and 0 < wide <= width and 0 < tall <= height
    return (tall, wide) if fits else None


def _covers(crop: Crop, boxes: list[Crop], share: float) -> bool:
    """Whether so much of one of the boxes lies in the crop."""
    top, left, height, width = crop
    for box_top, box_left, box_height, box_width in boxes:
        down = min(top + height, box_top + box_height) - max(top, box_top)
        across = min(left + width, box_left + box_width) - max(left, box_left)
        area = F(box_height * box_width)
        if area >= 1 and F(max(down, 0) * max(across, 0)) / area >= share:
            return True
    return False


def distorted(
    image_size: Array,
    bounding_boxes: Array,
    min_object_covered: Any,
    generator: philox.Philox,
    aspect_ratio_range: tuple[float, ...],
    area_range: tuple[float, ...],
    max_attempts: int,
    use_image_if_no_bounding_boxes: bool,
) -> tuple[Array, Array, Array]:
    """The first random crop that covers enough of a box, else the image: where it begins, its size, and it as a box."""
    if image_size.shape != (3,):
        raise ValueError(f"image_size must have shape [3], not {list(image_size.shape)}")
    for name, ends in (("aspect_ratio_range", aspect_ratio_range), ("area_range", area_range)):
        if len(ends) != 2 or min(ends) <= 0:
            raise ValueError(f"{name} must be two positive numbers, not {list(ends)}")
    height, width = (int(n) for n in image_size[:2])
    boxes = _boxes(bounding_boxes, height, width)
    if not boxes and not use_image_if_no_bounding_boxes:
        raise ValueError("there are no bounding boxes, and the image is not to be taken for one")
    boxes = boxes or [(0, 0, height, width)]
    words = Words(generator)
    lowest, highest = map(F, aspect_ratio_range)
    chosen = 0, 0, height, width
    for _ in range(max_attempts):
        ratio = words.uniform() * (highest - lowest) + lowest
        sides = _sides(height, width, (area_range[0], area_range[1]), ratio, words)
        if sides is None:
            continue
        top, left = (words.below(most - n) if n < most else 0 for n, most in zip(sides, (height, width), strict=True))
        if _covers((top, left, *sides), boxes, min_object_covered):
            chosen = top, left, *sides
            break
    top, left, tall, wide = chosen
    corners = [F(top) / F(height), F(left) / F(width), F(top + tall) / F(height), F(left + wide) / F(width)]
    dtype = image_size.dtype
    return np.array([top, left, 0], dtype), np.array([tall, wide, -1]).astype(dtype), np.array([[corners]], F)


def _boxes(bounding_boxes: Array, height: int, width: int) -> list[Crop]:
    if bounding_boxes.ndim != 3 or bounding_boxes.shape[2] != 4:
        raise ValueError(f"bounding_boxes must be batch by boxes by 4, not {list(bounding_boxes.shape)}")
    if ((bounding_boxes < 0) | (bounding_boxes > 1)).any():
        raise ValueError("bounding_boxes must lie in [0, 1]")
    found = []
    for box in bounding_boxes.reshape(-1, 4):
        top, left, bottom, right = (int(n * F(m)) for n, m in zip(box, (height, width) * 2, strict=True))
        found.append((top, left, bottom - top, right - left))
    return found


def _covered(share: Array) -> Any:
    share = lone(share, "min_object_covered")
    if not 0 <= share <= 1:
        raise ValueError(f"min_object_covered must lie in [0, 1], not {share}")
    return F(share)


@kernel("SampleDistortedBoundingBox")
def sample_distorted_bounding_box(
    image_size,
    bounding_boxes,
    *,
    seed,
    seed2,
    min_object_covered,
    aspect_ratio_range,
    area_range,
    max_attempts,
    use_image_if_no_bounding_boxes,
    state,
    node_name,
):
    generator = state.generator(node_name, seed, seed2).reserve(max_attempts)
    how = (aspect_ratio_range, area_range, max_attempts, use_image_if_no_bounding_boxes)
    return distorted(image_size, bounding_boxes, F(min_object_covered), generator, *how)


@kernel("SampleDistortedBoundingBoxV2")
def sample_distorted_bounding_box_v2(
    image_size,
    bounding_boxes,
    min_object_covered,
    *,
    seed,
    seed2,
    aspect_ratio_range,
    area_range,
    max_attempts,
    use_image_if_no_bounding_boxes,
    state,
    node_name,
):
    generator = state.generator(node_name, seed, seed2).reserve(max_attempts)
    how = (aspect_ratio_range, area_range, max_attempts, use_image_if_no_bounding_boxes)
    return distorted(image_size, bounding_boxes, _covered(min_object_covered), generator, *how)


@kernel("StatelessSampleDistortedBoundingBox")
def stateless_sample_distorted_bounding_box(
    image_size,
    bounding_boxes,
    min_object_covered,
    seed,
    *,
    aspect_ratio_range,
    area_range,
    max_attempts,
    use_image_if_no_bounding_boxes,
):
    if seed.shape != (2,):
        raise ValueError(f"seed must have shape [2], not {list(seed.shape)}")
    how = (aspect_ratio_range, area_range, max_attempts, use_image_if_no_bounding_boxes)
    return distorted(image_size, bounding_boxes, _covered(min_object_covered), philox.from_seed(seed), *how)


# --- glimpses --------------------------------------------------------------------------------------------


def _glimpses(input: Array, starts: Array, size: Array, noise: str) -> Array:
    """Of each image a window that starts there; what of it lies beyond the image is zero."""
    glimpses = np.zeros((len(input), *size.tolist(), input.shape[3]), input.dtype)
    for glimpse, whole, start in zip(glimpses, input, np.trunc(starts).astype(np.int64), strict=True):
        low, high = np.maximum(start, 0), np.minimum(start + size, whole.shape[:2])
        if noise != "zero" and ((low != start) | (high != start + size)).any():
            raise ValueError(f"what a glimpse sees beyond its image is other {noise} noise in every run")
        if (low < high).all():
            inside = tuple(slice(a, b) for a, b in zip(low - start, high - start, strict=True))
            glimpse[inside] = whole[low[0] : high[0], low[1] : high[1]]
    return glimpses


def _measures(input: Array, size: Array, offsets: Array, normalized: bool) -> tuple[Array, Array, Array]:
    """Sizes of images and windows, and offsets in pixels."""
    if input.ndim != 4 or size.shape != (2,) or offsets.shape != (len(input), 2):
        raise ValueError(
            f"images {list(input.shape)}, size {list(size.shape)} and offsets {list(offsets.shape)} must have shapes "
            "[batch, height, width, channels], [2] and [batch, 2]"
        )
    if (size <= 0).any():
        raise ValueError(f"the size must be positive, not {size.tolist()}")
    image = np.array(input.shape[1:3], F)
    return image, size.astype(F), offsets * image if normalized else offsets


@kernel("ExtractGlimpse")
def extract_glimpse(input, size, offsets, *, centered, normalized, noise):
    """Offsets are those of the middle of the window, half of them where they are counted from the middle of the image."""
    image, extent, middles = _measures(input, size, offsets, normalized)
    middles = middles / F(2) + image / F(2) if centered else middles
    return _glimpses(input, middles - extent / F(2), size, noise)


@kernel("ExtractGlimpseV2")
def extract_glimpse_v2(input, size, offsets, *, centered, normalized, noise):
    """Offsets are those of the corner of the window, unless they are normalized and counted from the middle of the image."""
    if centered and normalized:
        return extract_glimpse(input, size, offsets, centered=True, normalized=True, noise=noise)
    image, _, corners = _measures(input, size, offsets, normalized)
    return _glimpses(input, corners + image / F(2) if centered else corners, size, noise)
