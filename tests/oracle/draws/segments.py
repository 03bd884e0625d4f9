"""Reductions over segments of rows."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.oracle.draws import Drawer, sketch


def sorted_ids(d: Drawer, count: int, most: int = 4) -> np.ndarray:
    """Sorted segment numbers, with gaps now and then."""
    return np.sort(d.rng.integers(0, most, count))


@sketch("SegmentSum", "SegmentMean", "SegmentProd", "SegmentMax", "SegmentMin", corners=True)
def segment(d: Drawer, op: str) -> Any:
    if op in ("SegmentMax", "SegmentMin"):
        d.least_corner = -np.inf  # TensorFlow ranks NaN by where it stands in an array
    shape = d.dims(d.integer(1, 3))
    dtype = d.dtype(op)
    x = d.tensor(shape, dtype)
    x = d.g.Round(x) if op in ("SegmentMax", "SegmentMin") and d.chance(0.3) else x
    return d.op(op, x, d.index(sorted_ids(d, shape[0]), constant=0.3))


@sketch("UnsortedSegmentSum", "UnsortedSegmentProd", "UnsortedSegmentMax", "UnsortedSegmentMin", corners=True)
def unsorted(d: Drawer, op: str) -> Any:
    shape, count = d.dims(d.integer(1, 3)), d.integer(1, 4)
    dtype = d.dtype(op)
    ids = d.rng.integers(-1 if d.chance(0.3) else 0, count, shape[: d.integer(1, len(shape))])
    x = d.tensor(shape, dtype)
    x = d.g.Round(x) if op in ("UnsortedSegmentMax", "UnsortedSegmentMin") and d.chance(0.3) else x
    return d.op(op, x, d.index(ids, constant=0.3), d.index(count))


SPARSE = tuple(f"SparseSegment{kind}{tail}" for kind in ("Sum", "Mean", "SqrtN") for tail in ("", "WithNumSegments"))


@sketch(*SPARSE, corners=True)
def sparse_segment(d: Drawer, op: str) -> Any:
    shape = tuple(max(1, n) for n in d.dims(d.integer(1, 3)))
    count = d.integer(1, 5)
    rows, ids = d.rng.integers(0, shape[0], count), sorted_ids(d, count)
    x = d.tensor(shape, d.dtype(op))
    more = [d.index(4)] if op.endswith("Segments") else []
    rows_tensor = d.index(rows, constant=0.3)
    return d.op(op, x, rows_tensor, d.index(ids, constant=0.3), *more, sparse_gradient=d.chance(0.3))
