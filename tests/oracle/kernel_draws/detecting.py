"""Recipes of object detection."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.oracle.kernel_draws.drawing import Array, Drawer, Recipe

Parts = tuple[list[Any], dict[str, Any]]


def _boxes(d: Drawer, dtype: str, shape: tuple[int, ...]) -> Array:
    """Boxes that overlap much, their corners in any order now and then."""
    centre, size = (
        d.array("float32", (*shape, 2), 0, 2, corners=False),
        d.array("float32", (*shape, 2), 0.2, 2, corners=False),
    )
    size = -size if d.rarely() else size
    return np.concatenate([centre, centre + size], -1).astype(d.array(dtype, (0,)).dtype)


def suppress(d: Drawer) -> Parts:
    count = d.integer(0, 7)
    dtype = d.types.get("T", "float32")
    scores = d.array(dtype, (count,), -1, 1, corners=False)
    first = [_boxes(d, dtype, (count,)), scores]
    if d.op_type.endswith("Overlaps"):
        overlaps = d.array("float32", (count, count), 0, 1, corners=False)
        return [overlaps, scores, np.int32(d.integer(0, 8)), np.float32(0.5), np.float32(-0.3)], {}
    numbers = {
        "max_output_size": np.int32(d.integer(0, 8)),
        "iou_threshold": d.number(0.0, 1.0),
        "score_threshold": d.number(-1, 0.5),
        "soft_nms_sigma": d.pick([0.0, 0.5, 1.5]),
    }
    attr = "T_threshold" if "T_threshold" in d.types else "T"
    rest = [numbers[a.name] for a in d.signature.inputs[2:]]
    inputs = [*first, rest[0], *[d.given(attr, n) for n in rest[1:]]]
    attrs: dict[str, Any] = {"iou_threshold": 0.5} if "iou_threshold" in d.signature.attrs else {}
    attrs |= {"pad_to_max_output_size": d.flag()} if "pad_to_max_output_size" in d.signature.attrs else {}
    return inputs, attrs


def combined(d: Drawer) -> Parts:
    batch, count, classes = d.integer(1, 2), d.integer(1, 5), d.integer(1, 3)
    return [
        _boxes(d, "float32", (batch, count, d.pick([1, classes]))) / np.float32(3),
        np.sort(d.random().permutation(batch * count * classes)).reshape(batch, count, classes).astype(np.float32) / 30,
        np.int32(d.integer(1, 4)),
        np.int32(d.integer(1, 8)),
        np.float32(d.number(0, 1)),
        np.float32(d.number(0, 0.3)),
    ], {"pad_per_class": d.flag(), "clip_boxes": d.flag()}


def draw(d: Drawer) -> Parts:
    depth = d.pick([3, 1, 4])
    shape = (d.integer(1, 2), d.integer(2, 7), d.integer(2, 7), depth)
    boxes = d.array("float32", (shape[0], d.integer(0, 3), 4), -0.2, 1.2, corners=False)
    colours = [d.array("float32", (d.integer(0, 3), 4), 0, 1, corners=False)] if d.op_type.endswith("V2") else []
    return [d.array(d.dtype(), shape, 0, 1, corners=False), boxes, *colours], {}


RECIPES: dict[str, Recipe] = {
    **dict.fromkeys(
        [
            *["NonMaxSuppression", "NonMaxSuppressionV2", "NonMaxSuppressionV3", "NonMaxSuppressionV4"],
            *["NonMaxSuppressionV5", "NonMaxSuppressionWithOverlaps"],
        ],
        suppress,
    ),
    "CombinedNonMaxSuppression": combined,
    "DrawBoundingBoxes": draw,
    "DrawBoundingBoxesV2": draw,
}
