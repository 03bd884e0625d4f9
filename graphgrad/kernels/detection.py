"""Kernels of object detection: boxes chosen by score and overlap, and boxes drawn.

A box is (y1, x1, y2, x2), any two opposite corners; float16 and bfloat16 are computed in float32, as TensorFlow does.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from math import exp
from typing import Any

import numpy as np

from graphgrad.kernels._checks import lone
from graphgrad.registry import kernel, kernels

Array = np.ndarray[Any, Any]
Chosen = list[tuple[int, Any]]
F = np.float32


def _least(x: Array, y: Array) -> Array:
    """The lesser number; x where one is NaN, which is how TensorFlow compares them."""
    return np.where(y < x, y, x)


def _largest(x: Array, y: Array) -> Array:
    return np.where(x < y, y, x)


def _overlaps(boxes: Array) -> Callable[[int, list[int]], Array]:
    """Intersection over union of one box with others; 0 with boxes that have no area."""
    low, high = _least(boxes[:, :2], boxes[:, 2:]), _largest(boxes[:, :2], boxes[:, 2:])
    areas = (high - low).prod(1)

    def of(box: int, others: list[int]) -> Array:
        sides = _least(high[box], high[others]) - _largest(low[box], low[others])
        shared = _largest(sides, F(0)).prod(1)
        union = areas[others] + areas[box] - shared
        empty = (areas[others] <= 0) | (areas[box] <= 0)
        return np.where(empty, F(0), shared / np.where(empty, F(1), union))

    return of


def _choose(
    scores: Array,
    similar: Callable[[int, list[int]], Array],
    most: int,
    threshold: float,
    least: float,
    sigma: float = 0,
) -> Chosen:
    """Up to `most` of the boxes scored above `least`, the best first; of equal scores the first box.

    A box goes that is too similar to a chosen one. With a sigma its score decays instead by exp(-similarity^2 / 2 sigma),
    and it stands in line again (soft non-maximum suppression, Bodla et al. 2017).
    """
    line = [(-s, i, 0) for i, s in enumerate(scores) if s > least]
    heapq.heapify(line)
    chosen: Chosen = []
    while line and len(chosen) < most:
        negative, box, seen = heapq.heappop(line)
        score = -negative
        news = [other for other, _ in chosen[seen:]][::-1]
        values = similar(box, news) if news else np.empty(0, F)
        if sigma > 0 or not np.isfinite(values).all():
            decayed = score
            for value in values:
                decayed = F(decayed * _weight(value, threshold, sigma))
                if decayed <= least:
                    break
            if sigma == 0 and (values > threshold).any():
                continue
            if decayed != score:
                if decayed > least:
                    heapq.heappush(line, (-decayed, box, len(chosen)))
                continue
        elif (values > threshold).any():
            continue
        chosen.append((box, score))
    return chosen


def _weight(similarity: Any, threshold: float, sigma: float) -> Any:
    """What a score is multiplied by. Without a sigma too, where the exponent is 0, and NaN of what is infinite."""
    if sigma == 0 and not similarity <= threshold:
        return F(0)
    return F(exp((F(-0.5 / sigma) if sigma > 0 else F(0)) * similarity * similarity))


def _boxes_and_scores(boxes: Array, scores: Array) -> tuple[Array, Array]:
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        raise ValueError(f"boxes must be a matrix with 4 columns, not of shape {list(boxes.shape)}")
    if scores.shape != boxes.shape[:1]:
        raise ValueError(f"scores must be a vector of {len(boxes)}, not of shape {list(scores.shape)}")
    return boxes.astype(F, copy=False), scores.astype(F, copy=False)


def _threshold(value: Array, name: str = "iou_threshold") -> float:
    found = float(lone(value, name))
    if not 0 <= found <= 1:
        raise ValueError(f"{name} must be in [0, 1], not {found}")
    return found


def _suppress(
    boxes: Array, scores: Array, most: Array, iou: Array, least: Array | float, sigma: Array | float = 0.0
) -> Chosen:
    threshold = _threshold(iou)
    boxes, scores = _boxes_and_scores(boxes, scores)
    limit = lone(most, "max_output_size")
    least = float(lone(least, "score_threshold") if isinstance(least, np.ndarray) else least)
    sigma = float(lone(sigma, "soft_nms_sigma") if isinstance(sigma, np.ndarray) else sigma)
    if sigma < 0:
        raise ValueError(f"soft_nms_sigma must not be negative, not {sigma}")
    return _choose(scores, _overlaps(boxes), limit, threshold, least, sigma)


def _indices(chosen: Chosen) -> Array:
    return np.array([box for box, _ in chosen], np.int32)


def _padded(values: Array, most: Array, pad: bool) -> Array:
    missing = int(most) - len(values) if pad else 0
    return np.concatenate([values, np.zeros(max(missing, 0), values.dtype)])


@kernel("NonMaxSuppression")
def suppress(boxes, scores, max_output_size, *, iou_threshold):
    return _indices(_suppress(boxes, scores, max_output_size, np.float32(iou_threshold), -np.inf))


@kernel("NonMaxSuppressionV2")
def suppress_v2(boxes, scores, max_output_size, iou_threshold):
    return _indices(_suppress(boxes, scores, max_output_size, iou_threshold, -np.inf))


@kernel("NonMaxSuppressionV3")
def suppress_v3(boxes, scores, max_output_size, iou_threshold, score_threshold):
    return _indices(_suppress(boxes, scores, max_output_size, iou_threshold, score_threshold))


@kernel("NonMaxSuppressionV4")
def suppress_v4(boxes, scores, max_output_size, iou_threshold, score_threshold, *, pad_to_max_output_size):
    found = _indices(_suppress(boxes, scores, max_output_size, iou_threshold, score_threshold))
    return _padded(found, max_output_size, pad_to_max_output_size), np.int32(len(found))


@kernel("NonMaxSuppressionV5")
def suppress_v5(
    boxes, scores, max_output_size, iou_threshold, score_threshold, soft_nms_sigma, *, pad_to_max_output_size
):
    chosen = _suppress(boxes, scores, max_output_size, iou_threshold, score_threshold, soft_nms_sigma)
    kept = np.array([score for _, score in chosen], F).astype(scores.dtype)
    pad = pad_to_max_output_size
    return _padded(_indices(chosen), max_output_size, pad), _padded(kept, max_output_size, pad), np.int32(len(chosen))


@kernel("NonMaxSuppressionWithOverlaps")
def suppress_with_overlaps(overlaps, scores, max_output_size, overlap_threshold, score_threshold):
    if overlaps.ndim != 2 or overlaps.shape[0] != overlaps.shape[1] or scores.shape != overlaps.shape[:1]:
        raise ValueError(
            f"overlaps must be square and scores a vector as long: {list(overlaps.shape)}, {list(scores.shape)}"
        )
    threshold = float(lone(overlap_threshold, "overlap_threshold"))
    limit, least = lone(max_output_size, "max_output_size"), float(lone(score_threshold, "score_threshold"))
    return _indices(_choose(scores, lambda box, others: overlaps[box, others], limit, threshold, least))


@kernel("CombinedNonMaxSuppression")
def suppress_combined(
    boxes,
    scores,
    max_output_size_per_class,
    max_total_size,
    iou_threshold,
    score_threshold,
    *,
    pad_per_class,
    clip_boxes,
):
    """Class by class, then the best over all classes; what is missing is zeros."""
    if boxes.ndim != 4 or boxes.shape[3] != 4 or scores.ndim != 3 or scores.shape[:2] != boxes.shape[:2]:
        raise ValueError(f"boxes {list(boxes.shape)} and scores {list(scores.shape)} do not fit each other")
    classes = scores.shape[2]
    if boxes.shape[2] not in (1, classes):
        raise ValueError(f"boxes must be shared by the classes or there for each of {classes}, not {boxes.shape[2]}")
    per_class = lone(max_output_size_per_class, "max_output_size_per_class")
    total = lone(max_total_size, "max_total_size")
    if per_class <= 0 or total <= 0:
        raise ValueError(f"max_output_size_per_class {per_class} and max_total_size {total} must be positive")
    threshold, least = _threshold(iou_threshold), float(lone(score_threshold, "score_threshold"))
    size = min(total, per_class * classes) if pad_per_class else total
    found = [_best(b, s, per_class, size, threshold, least) for b, s in zip(boxes, scores, strict=True)]
    rows = np.zeros((len(found), size, 4), F)
    kept, kinds = (np.zeros((len(found), size), F) for _ in range(2))
    for i, entries in enumerate(found):
        for j, (score, kind, box) in enumerate(entries):
            corners = boxes[i, box, kind if boxes.shape[2] > 1 else 0]
            rows[i, j] = np.clip(corners, F(0), F(1)) if clip_boxes else corners
            kept[i, j], kinds[i, j] = score, kind
    return rows, kept, kinds, np.array([len(entries) for entries in found], np.int32)


def _best(
    boxes: Array, scores: Array, per_class: int, size: int, threshold: float, least: float
) -> list[tuple[Any, int, int]]:
    """(score, class, box) of what is chosen in an image, the best first."""
    entries = []
    for kind in range(scores.shape[1]):
        overlaps = _overlaps(boxes[:, kind if boxes.shape[1] > 1 else 0])

        def similar(box: int, others: list[int], overlaps: Any = overlaps) -> Array:
            return np.nan_to_num(overlaps(box, others))  # NaN says nothing of the score here

        chosen = _choose(scores[:, kind], similar, per_class, threshold, least)
        entries += [(score, kind, box) for box, score in chosen]
    entries.sort(key=lambda entry: -entry[0])
    return entries[:size]


# ------------------------------------------------------------------------------------------ boxes drawn

# Red, green, blue and opacity of the boxes' outlines, one after the other and round again.
_COLOURS = np.array(
    [
        *[[1, 1, 0, 1], [0, 0, 1, 1], [1, 0, 0, 1], [0, 1, 0, 1], [0.5, 0, 0.5, 1], [0.5, 0.5, 0, 1]],
        *[[0.5, 0, 0, 1], [0, 0, 0.5, 1], [0, 1, 1, 1], [1, 0, 1, 1]],
    ],
    F,
)


def _draw(images: Array, boxes: Array, colours: Array | None = None) -> Array:
    """One pixel wide; sides that lie outside the image are left out."""
    if images.ndim != 4 or images.shape[3] not in (1, 3, 4):
        raise ValueError(f"images must have 1, 3 or 4 channels, not the shape {list(images.shape)}")
    if boxes.ndim != 3 or boxes.shape[0] != images.shape[0] or boxes.shape[2] != 4:
        raise ValueError(f"boxes {list(boxes.shape)} do not fit images {list(images.shape)}")
    height, width, depth = images.shape[1:]
    if colours is not None and colours.ndim != 2:
        raise ValueError(f"colors must be a matrix, not of shape {list(colours.shape)}")
    given = colours is not None and colours.size
    table = colours if given else _COLOURS
    if table.shape[1] < depth:
        raise ValueError(f"colors must have {depth} columns, not the shape {list(table.shape)}")
    if depth == 1 and not given:
        table = np.array(table)
        table[:, 0] = 1
    out = np.array(images)
    for image, its_boxes in zip(out, boxes, strict=True):
        for i, box in enumerate(its_boxes):
            _outline(image, box, table[i % len(table), :depth].astype(image.dtype), height, width)
    return out


def _pixel(place: Any) -> int:
    """Cut off to an integer; what none of 64 bits can hold becomes the least of them, as on x86 processors."""
    return int(place) if abs(place) < 2**63 else -(2**63)


def _outline(image: Array, box: Array, colour: Array, height: int, width: int) -> None:
    top, bottom = (_pixel(F(y) * F(height - 1)) for y in (box[0], box[2]))
    left, right = (_pixel(F(x) * F(width - 1)) for x in (box[1], box[3]))
    if top > bottom or left > right or top >= height or bottom < 0 or left >= width or right < 0:
        return
    rows = slice(max(top, 0), min(bottom, height - 1) + 1)
    columns = slice(max(left, 0), min(right, width - 1) + 1)
    if top >= 0:
        image[top, columns] = colour
    if bottom < height:
        image[bottom, columns] = colour
    if left >= 0:
        image[rows, left] = colour
    if right < width:
        image[rows, right] = colour


kernels({"DrawBoundingBoxes": _draw, "DrawBoundingBoxesV2": _draw})
