"""Recipes of data formats and buckets."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.oracle.kernel_draws.drawing import Drawer, Recipe

Parts = tuple[list[Any], dict[str, Any]]

FORMATS = ["NHWC", "NCHW", "HWNC", "NDHWC", "NCDHW"]


def _formats(d: Drawer) -> tuple[str, str]:
    source = d.pick(FORMATS)
    return source, d.pick([f for f in FORMATS if len(f) == len(source)])


def map_dims(d: Drawer) -> Parts:
    source, target = _formats(d)
    rank = len(source)
    return [d.array(d.dtype(), d.shape(0, 2), -rank, rank - 1, corners=False)], {
        "src_format": source,
        "dst_format": target,
    }


def permute(d: Drawer) -> Parts:
    source, target = _formats(d)
    rows = len(source) - (2 if d.flag() else 0)
    return [d.array(d.dtype(), d.pick([(rows,), (rows, 2)]), corners=False)], {
        "src_format": source,
        "dst_format": target,
    }


def bucketize(d: Drawer) -> Parts:
    edges = np.sort(d.random().integers(-3, 4, d.integer(0, 5))).astype(float)
    return [d.array(d.dtype(), d.shape(), corners=False)], {"boundaries": edges.tolist()}


RECIPES: dict[str, Recipe] = {
    "DataFormatDimMap": map_dims,
    "DataFormatVecPermute": permute,
    "Bucketize": bucketize,
}
