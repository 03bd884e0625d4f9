"""Kernels of the segment family: rows of a tensor reduced by the segment each belongs to.

Sorted segment ids must not decrease; unsorted ones may be negative, which drops the row.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np

from graphgrad.kernels._complex import product, quotient
from graphgrad.kernels._rows import combine_rows, refuse_outside, row_sums
from graphgrad.registry import kernels

Array = np.ndarray[Any, Any]
Kernel = Callable[..., Any]
Scale = Callable[[Array], Array] | None  # of the number of rows in a segment; None for a plain sum

_HALVES = (np.dtype(np.float16), np.dtype(ml_dtypes.bfloat16))


def _limits(dtype: np.dtype[Any]) -> Any:
    return np.iinfo(dtype) if dtype.kind in "iu" else ml_dtypes.finfo(dtype)  # type: ignore[no-untyped-call]


def _start_of(combine: np.ufunc, dtype: np.dtype[Any]) -> Any:
    """The value that changes nothing; the largest numbers are finite, as in TensorFlow."""
    if combine is np.maximum:
        return _limits(dtype).min
    if combine is np.minimum:
        return _limits(dtype).max
    return 1 if combine is np.multiply else 0


def _has_nan(rows: Array) -> bool:
    return rows.dtype.kind not in "iu" and bool(np.isnan(rows).any())


def _is_troubled(result: Array) -> bool:
    """Whether it shows in these complex numbers how they were multiplied or divided."""
    return result.dtype.kind == "c" and not np.isfinite(result).all()


def _fold_with_nan(combine: np.ufunc, out: Array, ids: Array, rows: Array) -> None:
    # TensorFlow keeps the old extreme only where it is the better one, so a NaN is taken and then forgotten.
    better = np.greater if combine is np.maximum else np.less
    for segment, row in zip(ids.tolist(), rows, strict=True):
        out[segment] = np.where(better(out[segment], row), out[segment], row)


def _reduce_rows(combine: np.ufunc, rows: Array, ids: Array, count: int) -> Array:
    if combine is np.add:
        return row_sums(ids, rows, count)
    out = np.full((count, rows.shape[1]), _start_of(combine, rows.dtype), rows.dtype)
    if combine in (np.maximum, np.minimum) and _has_nan(rows):
        _fold_with_nan(combine, out, ids, rows)
    else:
        combine_rows(combine, out, ids, rows)
        if combine is np.multiply and _is_troubled(out):
            out[...] = 1
            for segment, row in zip(ids.tolist(), rows, strict=True):
                out[segment] = product(out[segment], row)
    return out


def _checked_count(num_segments: Array) -> int:
    count = int(num_segments)
    if count < 0:
        raise ValueError(f"num_segments must not be negative, got {count}")
    return count


def _unsorted(combine: np.ufunc) -> Kernel:
    def unsorted_segment(data: Array, segment_ids: Array, num_segments: Array) -> Array:
        count = _checked_count(num_segments)
        if data.shape[: segment_ids.ndim] != segment_ids.shape:
            raise ValueError(f"data of shape {data.shape} does not start with {segment_ids.shape} of segment_ids")
        if data.size:
            _refuse_beyond(segment_ids, count)
        row_shape = data.shape[segment_ids.ndim :]
        ids = segment_ids.reshape(-1)
        rows = data.reshape(len(ids), int(np.prod(row_shape)))
        if ids.size and ids.min() < 0:
            kept = ids >= 0
            ids, rows = ids[kept], rows[kept]
        return _reduce_rows(combine, rows, ids, count).reshape(count, *row_shape)

    return unsorted_segment


def _refuse_beyond(segment_ids: Array, count: int) -> None:
    if segment_ids.max() >= count:
        refuse_outside(np.maximum(segment_ids, 0), count, "segment_ids")


def _check_sorted(segment_ids: Array, length: int) -> None:
    if segment_ids.ndim != 1:
        raise ValueError(f"segment_ids must be a vector, got shape {segment_ids.shape}")
    if len(segment_ids) != length:
        raise ValueError(f"segment_ids has {len(segment_ids)} entries for {length} rows")
    if length and segment_ids[0] < 0:
        raise ValueError(f"segment_ids[0] = {segment_ids[0]} is negative")
    if (segment_ids[1:] < segment_ids[:-1]).any():
        raise ValueError("segment ids are not increasing")


def _segment_count(segment_ids: Array, num_segments: Array | None) -> int:
    needed = int(segment_ids[-1]) + 1 if len(segment_ids) else 0
    if num_segments is None:
        return needed
    count = _checked_count(num_segments)
    if needed > count:
        raise ValueError(f"segment ids must be less than num_segments = {count}, got {needed - 1}")
    return count


def _sorted_segment(reduce: Callable[[Array, Array, int], Array]) -> Kernel:
    def segment(data: Array, segment_ids: Array, num_segments: Array | None = None) -> Array:
        if data.ndim == 0:
            raise ValueError("data of a segment reduction must have at least one axis")
        _check_sorted(segment_ids, len(data))
        count = _segment_count(segment_ids, num_segments)
        rows = data.reshape(len(data), int(np.prod(data.shape[1:])))
        return reduce(rows, segment_ids, count).reshape(count, *data.shape[1:])

    return segment


def _sums(rows: Array, ids: Array, count: int) -> Array:
    return row_sums(ids, rows, count)


def _products(rows: Array, ids: Array, count: int) -> Array:
    out = _reduce_rows(np.multiply, rows, ids, count)
    alone = np.bincount(ids, minlength=count)[ids] == 1  # rows that nothing was multiplied with
    out[ids[alone]] = rows[alone]
    return out


def _means(rows: Array, ids: Array, count: int) -> Array:
    members = np.maximum(np.bincount(ids, minlength=count), 1)[:, None]
    if rows.dtype in _HALVES:
        return (row_sums(ids, rows.astype(np.float32), count) / members).astype(rows.dtype)
    sums = row_sums(ids, rows, count)
    if rows.dtype.kind in "iu":
        # Integer division in TensorFlow cuts towards zero.
        quotients: Array = np.sign(sums) * (np.abs(sums) // members.astype(rows.dtype))
        return quotients
    if _is_troubled(sums):
        for segment in np.flatnonzero(members > 1):
            sums[segment] = quotient(sums[segment], members[segment].astype(rows.dtype))
        return sums
    means: Array = sums / members.astype(rows.real.dtype)
    return means


def _extremes(combine: np.ufunc, empty: Any = None) -> Callable[[Array, Array, int], Array]:
    def extremes(rows: Array, ids: Array, count: int) -> Array:
        unseen = _start_of(combine, rows.dtype) if empty is None else empty
        out = np.full((count, rows.shape[1]), unseen, rows.dtype)
        starts = np.flatnonzero(np.diff(ids, prepend=-1))
        if _has_nan(rows):
            out[ids[starts]] = rows[starts]
            _fold_with_nan(combine, out, ids, rows)
            whole = rows.shape[1] - rows.shape[1] % (4 if rows.dtype == np.float64 else 8)
            out[ids[starts], :whole] = _without_nan(combine, rows[:, :whole], starts)
        elif len(starts):
            out[ids[starts]] = combine.reduceat(rows, starts, axis=0)
        return out

    return extremes


def _without_nan(combine: np.ufunc, rows: Array, starts: Array) -> Array:
    """Of columns that fill vector registers, in which TensorFlow passes over NaN, unless it is a segment's only row."""
    is_maximum = combine is np.maximum
    best = (np.fmax if is_maximum else np.fmin).reduceat(rows, starts, axis=0)
    is_alone = np.diff(starts, append=len(rows)) == 1
    return np.where(is_alone[:, None] | ~np.isnan(best), best, rows.dtype.type(-np.inf if is_maximum else np.inf))


def _mean_scale(members: Array) -> Array:
    return np.reciprocal(members)


def _sqrt_scale(members: Array) -> Array:
    return np.reciprocal(np.sqrt(members))


def _scales(scale: Scale, ids: Array, count: int, dtype: np.dtype[Any]) -> Array | None:
    """One factor per segment, as a column."""
    if scale is None:
        return None
    members = np.maximum(np.bincount(ids, minlength=count), 1)
    return scale(members.astype(np.float64)).astype(dtype)[:, None]


def _working_rows(data: Array) -> Array:
    """As a matrix, halves widened: the sparse reductions add up in float32."""
    rows = data.reshape(len(data), int(np.prod(data.shape[1:])))
    return rows.astype(np.float32) if data.dtype in _HALVES else rows


def _sparse(scale: Scale) -> Kernel:
    def sparse_segment(data: Array, indices: Array, segment_ids: Array, num_segments: Array | None = None) -> Array:
        if data.ndim == 0:
            raise ValueError("data of a segment reduction must have at least one axis")
        if indices.ndim != 1:
            raise ValueError(f"indices must be a vector, not of shape {list(indices.shape)}")
        _check_sorted(segment_ids, indices.size)
        refuse_outside(indices, len(data))
        count = _segment_count(segment_ids, num_segments)
        rows = _working_rows(data)
        sums = row_sums(segment_ids, np.take(rows, indices, axis=0), count)
        factors = _scales(scale, segment_ids, count, sums.dtype)
        out = sums if factors is None else sums * factors
        return out.astype(data.dtype, copy=False).reshape(count, *data.shape[1:])

    return sparse_segment


def _scattered_back(scale: Scale, grad: Array, targets: Array, segment_ids: Array, count: int) -> Array:
    """`out[targets[i]] += grad[segment_ids[i]] * factor(segment)`, the transpose of a sparse reduction."""
    if targets.shape != segment_ids.shape:
        raise ValueError(f"indices {targets.shape} and segment_ids {segment_ids.shape} differ in shape")
    refuse_outside(segment_ids, len(grad), "segment_ids")
    rows = _working_rows(grad)
    factors = _scales(scale, segment_ids, len(grad), rows.dtype)
    scaled = rows if factors is None else rows * factors
    out = row_sums(targets, np.take(scaled, segment_ids, axis=0), count)
    return out.astype(grad.dtype, copy=False).reshape(count, *grad.shape[1:])


def _sparse_gradient(scale: Scale) -> Kernel:
    def sparse_segment_gradient(grad: Array, indices: Array, segment_ids: Array, output_dim0: Array) -> Array:
        refuse_outside(indices, int(output_dim0))
        return _scattered_back(scale, grad, indices, segment_ids, int(output_dim0))

    return sparse_segment_gradient


def _sparse_gradient_v2(scale: Scale) -> Kernel:
    def sparse_segment_gradient(
        grad: Array, indices: Array, segment_ids: Array, dense_output_dim0: Array
    ) -> tuple[Array, Array]:
        refuse_outside(indices, int(dense_output_dim0))
        touched, targets = np.unique(indices, return_inverse=True)
        return _scattered_back(scale, grad, targets, segment_ids, len(touched)), touched

    return sparse_segment_gradient


_SCALES = {"Sum": None, "Mean": _mean_scale, "SqrtN": _sqrt_scale}

kernels({f"SparseSegment{name}": _sparse(scale) for name, scale in _SCALES.items()})
kernels({f"SparseSegment{name}WithNumSegments": _sparse(scale) for name, scale in _SCALES.items()})
kernels({f"SparseSegment{name}Grad": _sparse_gradient(scale) for name, scale in _SCALES.items()})
kernels({f"SparseSegment{name}GradV2": _sparse_gradient_v2(scale) for name, scale in _SCALES.items()})
kernels(
    {
        "UnsortedSegmentSum": _unsorted(np.add),
        "UnsortedSegmentProd": _unsorted(np.multiply),
        "UnsortedSegmentMax": _unsorted(np.maximum),
        "UnsortedSegmentMin": _unsorted(np.minimum),
        "SegmentSum": _sorted_segment(_sums),
        "SegmentMean": _sorted_segment(_means),
        "SegmentProd": _sorted_segment(_products),
        "SegmentMax": _sorted_segment(_extremes(np.maximum, empty=0)),
        "SegmentMin": _sorted_segment(_extremes(np.minimum, empty=0)),
        "SegmentSumV2": _sorted_segment(_sums),
        "SegmentProdV2": _sorted_segment(_products),
        "SegmentMaxV2": _sorted_segment(_extremes(np.maximum)),
        "SegmentMinV2": _sorted_segment(_extremes(np.minimum)),
    }
)
