"""Recipes of what reads and writes at indices: gathers, scatters, stitches, segments."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.oracle.kernel_draws.drawing import Drawer, Recipe

Parts = tuple[list[Any], dict[str, Any]]


def gather(d: Drawer) -> Parts:
    shape = tuple(d.integer(1, 4) for _ in range(d.integer(1, 4)))
    if d.op_type == "Gather":
        return [
            d.array(d.dtype("Tparams"), shape),
            d.indices(d.dtype("Tindices"), d.shape(0, 3, 3), shape[0]),
        ], {}
    axis = d.axis(len(shape))
    batch_dims = d.integer(0, min(axis % len(shape), 2))
    tail = d.shape(0, 2, 3)
    indices = d.indices(d.dtype("Tindices"), (*shape[:batch_dims], *tail), shape[axis])
    if batch_dims and d.flag():
        return [d.array(d.dtype("Tparams"), shape), indices, d.given("Taxis", axis)], {
            "batch_dims": batch_dims - indices.ndim if indices.ndim > batch_dims else batch_dims
        }
    return [d.array(d.dtype("Tparams"), shape), indices, d.given("Taxis", axis)], {"batch_dims": batch_dims}


def _places(d: Drawer, shape: tuple[int, ...], attr: str, unique: bool = False) -> Any:
    """Indices of elements or slices of a tensor, one per place."""
    depth, lead = d.integer(0, len(shape)), d.shape(0, 2, 4)
    random = d.random()
    if unique and depth:
        total = int(np.prod(shape[:depth]))
        flat = random.permutation(total)[: int(np.prod(lead))]
        found = np.stack(np.unravel_index(flat, shape[:depth]), -1) if total else np.zeros((0, depth), int)
    else:
        found = (
            np.stack([random.integers(0, n, lead) for n in shape[:depth]], -1) if depth else np.zeros((*lead, 0), int)
        )
    found = np.asarray(found)
    if found.size and d.integer(0, 11) == 11:
        found.flat[-1] = d.pick([shape[depth - 1], -1])
    return found.astype(d.dtype(attr))


def gather_nd(d: Drawer) -> Parts:
    shape = tuple(d.integer(1, 4) for _ in range(d.integer(1, 4)))
    return [d.array(d.dtype("Tparams"), shape), _places(d, shape, "Tindices")], {}


def scatter_nd(d: Drawer) -> Parts:
    shape = tuple(d.integer(1, 4) for _ in range(d.integer(1, 3)))
    settles = "Update" in d.op_type  # the last of several writes to one place wins, and which is last is left to chance
    indices = _places(d, shape, "Tindices", unique=settles)
    while indices.ndim == 1 or indices.shape[-1] == 0:  # both of which TensorFlow refuses
        indices = _places(d, shape, "Tindices", unique=settles)
    updates = d.array(d.dtype(), (*indices.shape[:-1], *shape[indices.shape[-1] :]), corners=False)
    if d.op_type == "ScatterNd":
        return [indices, updates, d.given("Tindices", shape)], {}
    return [d.array(d.dtype(), shape, corners=False), indices, updates], {}


def inplace(d: Drawer) -> Parts:
    shape = tuple(d.integer(1, 4) for _ in range(d.integer(1, 3)))
    rows = d.random().permutation(shape[0])[: d.integer(1, shape[0])].astype(np.int32)
    return [d.array(d.dtype(), shape), rows, d.array(d.dtype(), (len(rows), *shape[1:]))], {}


def partition(d: Drawer) -> Parts:
    shape = d.shape(0, 2)
    count = d.integer(1, 4)
    partitions = d.indices("int32", shape, count)
    return [d.array(d.dtype(), (*shape, *d.shape(0, 2, 3))), partitions], {"num_partitions": count}


def stitch(d: Drawer) -> Parts:
    lists = d.integer(1, 3)
    shapes = [d.shape(0, 2, 3) for _ in range(lists)]
    total = sum(int(np.prod(s)) for s in shapes)
    order = d.random().permutation(total)
    if d.op_type == "DynamicStitch" and total and d.rarely():
        order[0] = order[-1]
    indices, at = [], 0
    for s in shapes:
        n = int(np.prod(s))
        indices.append(np.array(order[at : at + n], np.int32).reshape(s))
        at += n
    tail = d.shape(0, 2, 3)
    return [indices, [d.array(d.dtype(), (*s, *tail)) for s in shapes]], {}


def _ids(d: Drawer, attr: str, rows: int, gaps: bool) -> Any:
    """Sorted segment ids."""
    steps = d.random().integers(0, 3 if gaps else 2, rows)
    ids = np.cumsum(steps) - (steps[0] if rows else 0) + (1 if gaps and d.rarely() else 0)
    return ids.astype(d.dtype(attr))


def segment(d: Drawer) -> Parts:
    """Of sorted ids; of the second version the number of segments is an input."""
    rows = d.dim(6)
    ids = _ids(d, "Tindices", rows, gaps=True)
    inputs = [d.array(d.dtype(), (rows, *d.shape(0, 2, 3)), corners=False), ids]
    if d.op_type.endswith("V2"):
        inputs.append(d.given("Tnumsegments", int(ids.max(initial=-1)) + 1 + d.integer(0, 2)))
    return inputs, {}


def unsorted(d: Drawer) -> Parts:
    if d.dtype("Tindices") == "float32":  # which a kernel is registered for, and no graph may ask for
        d.types["Tindices"] = "int32"
    shape, count = d.shape(1 if d.op_type == "UnsortedSegmentJoin" else 0, 2, 4), d.integer(0, 5)
    ids = d.random().integers(-1, max(count, 1), shape) if count else np.full(shape, -1)
    tail = d.shape(0, 2, 3)
    ids = np.asarray(ids).astype(d.dtype("Tindices"))
    if d.op_type == "UnsortedSegmentJoin":
        return [d.array("string", shape), ids, d.given("Tnumsegments", count)], {"separator": d.pick(["", "-"])}
    return [d.array(d.dtype(), (*shape, *tail), corners=False), ids, d.given("Tnumsegments", count)], {}


def sparse_segment(d: Drawer) -> Parts:
    rows, picked = d.integer(1, 5), d.dim(6)
    indices = d.indices(d.dtype("Tidx"), (picked,), rows)
    ids = _ids(d, "Tsegmentids", picked, gaps=True)
    inputs = [d.array(d.dtype(), (rows, *d.shape(0, 2, 3)), corners=False), indices, ids]
    if d.op_type.endswith("WithNumSegments"):
        inputs.append(d.given("Tnumsegments", int(ids.max(initial=-1)) + 1 + d.integer(0, 2)))
    return inputs, {"sparse_gradient": d.flag()}


def sparse_segment_grad(d: Drawer) -> Parts:
    """Of one row or more: of none TensorFlow gives what was in memory."""
    rows, picked = d.integer(1, 5), d.integer(1, 6)
    indices = d.indices(d.dtype("Tidx"), (picked,), rows)
    ids = _ids(d, "Tsegmentids", picked, gaps=False)
    segments = int(ids.max(initial=0)) + 1
    grad = d.array(d.dtype(), (segments, *d.shape(0, 2, 3)), corners=False)
    return [grad, indices, ids, np.int32(rows)], {}


def _table(recipe: Recipe, ops: str) -> dict[str, Recipe]:
    return dict.fromkeys(ops.split(), recipe)


RECIPES: dict[str, Recipe] = {
    **_table(gather, "Gather GatherV2"),
    "GatherNd": gather_nd,
    **_table(
        scatter_nd,
        """ScatterNd ScatterNdNonAliasingAdd TensorScatterAdd TensorScatterMax TensorScatterMin TensorScatterSub
        TensorScatterUpdate""",
    ),
    **_table(inplace, "InplaceAdd InplaceSub InplaceUpdate"),
    "DynamicPartition": partition,
    **_table(stitch, "DynamicStitch ParallelDynamicStitch"),
    **_table(
        segment,
        """SegmentMax SegmentMaxV2 SegmentMean SegmentMin SegmentMinV2 SegmentProd SegmentProdV2 SegmentSum
        SegmentSumV2""",
    ),
    **_table(
        unsorted,
        "UnsortedSegmentMax UnsortedSegmentMin UnsortedSegmentProd UnsortedSegmentSum UnsortedSegmentJoin",
    ),
    **_table(
        sparse_segment,
        """SparseSegmentMean SparseSegmentMeanWithNumSegments SparseSegmentSqrtN SparseSegmentSqrtNWithNumSegments
        SparseSegmentSum SparseSegmentSumWithNumSegments""",
    ),
    **_table(
        sparse_segment_grad,
        """SparseSegmentMeanGrad SparseSegmentMeanGradV2 SparseSegmentSqrtNGrad SparseSegmentSqrtNGradV2
        SparseSegmentSumGrad SparseSegmentSumGradV2""",
    ),
}
