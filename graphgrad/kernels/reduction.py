"""Kernels that reduce along axes, run along an axis, count, or pick the largest.

Results have the dtype of the input: integers wrap around, sums of float16 and bfloat16 are taken in float32.
"""

from __future__ import annotations

import math
from heapq import heapify, heappop, heappush

import numpy as np

from graphgrad.kernels._complex import quotient
from graphgrad.kernels._complex_folds import PRODUCT, SQUARES, fold, running_products
from graphgrad.kernels._nan_order import nth_smallest, places_of_largest
from graphgrad.kernels._precision import HALVES, exp, log1p
from graphgrad.registry import kernel, planned

# ------------------------------------------------------------------------------------------------- over axes


_FLOAT32 = np.dtype(np.float32)
_WIDEST = {"i": np.dtype(np.int64), "u": np.dtype(np.uint64)}


def _is_troubled(result: np.ndarray) -> bool:
    """Whether it shows in these complex numbers how they were multiplied."""
    return result.dtype.kind == "c" and not np.isfinite(result).all()


def _axes(reduction_indices) -> tuple[int, ...]:
    return tuple(np.asarray(reduction_indices).ravel().tolist())


def _wide(dtype: np.dtype) -> np.dtype:
    """The dtype sums and products are taken in."""
    return _FLOAT32 if dtype in HALVES else dtype


def _by_blas(shape: tuple[int, ...], axes: tuple[int, ...], dtype: np.dtype):
    """The sum over neighbouring axes of a contiguous array as a product with ones; None where that is no gain.

    It is a function of the array and of where to write the sum, which has the axes left out or not.
    """
    rank, size = len(shape), math.prod(shape)
    if size <= 2048 or not 0 < len(axes) < rank or dtype.char not in "fd":
        return None
    ahead = sorted(axis % rank for axis in axes)
    in_one_piece = ahead[-1] - ahead[0] == len(set(ahead)) - 1 == len(ahead) - 1
    if not in_one_piece or not all(-rank <= axis < rank for axis in axes):
        return None
    outer, inner = math.prod(shape[: ahead[0]]), math.prod(shape[ahead[-1] + 1 :])
    length = size // (outer * inner)
    ones = np.ones(length, dtype)
    if inner == 1:
        return lambda array, out: np.matmul(array.reshape(outer, length), ones, out.reshape(outer))
    if outer == 1:
        return lambda array, out: np.matmul(ones, array.reshape(length, inner), out.reshape(inner))
    if length * inner < 4096:
        return None
    return lambda array, out: np.matmul(ones, array.reshape(outer, length, inner), out.reshape(outer, inner))


def _reduced(shape: tuple[int, ...], axes: tuple[int, ...], keep_dims: bool) -> tuple[int, ...]:
    gone = {axis % len(shape) for axis in axes}
    return tuple(1 if i in gone else n for i, n in enumerate(shape) if keep_dims or i not in gone)


def _sum(array, axes, dtype, keep_dims):
    by_blas = _by_blas(array.shape, axes, array.dtype) if array.dtype == dtype and array.flags.c_contiguous else None
    if by_blas is None:
        return np.add.reduce(array, axes, dtype, None, keep_dims)
    total = np.empty(_reduced(array.shape, axes, keep_dims), dtype)
    by_blas(array, total)
    return total


def _planned_sum(input, reduction_indices, keep_dims):
    """For floats, a function of the array and of where to write its sum; else None."""
    if reduction_indices.value is None or input.dtype.char not in "fdFD":
        return None
    axes = _axes(reduction_indices.value)
    by_blas = _by_blas(input.shape, axes, input.dtype) if input.is_contiguous else None
    return by_blas or (lambda array, out: np.add.reduce(array, axes, None, out, keep_dims))


@planned("Sum")
def plan_sum(input, reduction_indices, *, keep_dims):
    total = _planned_sum(input, reduction_indices, keep_dims)
    if total is None:
        return None
    shape = _reduced(input.shape, _axes(reduction_indices.value), keep_dims)

    def call(array, _, out=None):
        out = np.empty(shape, array.dtype) if out is None else out
        total(array, out)
        return out

    return call


@planned("Mean")
def plan_mean(input, reduction_indices, *, keep_dims):
    sum_of = plan_sum(input, reduction_indices, keep_dims=keep_dims)
    size = math.prod(input.shape)
    if sum_of is None or not size or input.dtype.kind == "c":
        return None
    count = input.dtype.type(size // math.prod(_reduced(input.shape, _axes(reduction_indices.value), keep_dims)))

    def call(array, _, out=None):
        out = sum_of(array, _, out)
        return np.divide(out, count, out)

    return call


@kernel("Sum")
def sum_over(input, reduction_indices, *, keep_dims):
    total = _sum(input, _axes(reduction_indices), _wide(input.dtype), keep_dims)
    return total.astype(input.dtype, copy=False)


@kernel("Prod")
def product_over(input, reduction_indices, *, keep_dims):
    axes = _axes(reduction_indices)
    product = np.multiply.reduce(input, axes, _wide(input.dtype), None, keep_dims)
    if _is_troubled(product):
        return fold(PRODUCT, input, axes, keep_dims)
    return product.astype(input.dtype, copy=False)


@kernel("Mean")
def mean_over(input, reduction_indices, *, keep_dims):
    """Of integers, the quotient rounded towards zero. The mean of nothing is zero, or NaN for floats."""
    kind = input.dtype.kind
    wide = _WIDEST.get(kind) or _wide(input.dtype)
    total = _sum(input, _axes(reduction_indices), wide, keep_dims)
    count = wide.type(input.size // max(total.size, 1))
    if count == 0 and kind in "iuc":
        return total.astype(input.dtype)
    if kind in "iu":
        return ((total - np.fmod(total, count)) // count).astype(input.dtype)
    if _is_troubled(total):
        return total if count == 1 else quotient(total, count)
    return (total / count).astype(input.dtype, copy=False)


@kernel("EuclideanNorm")
def euclidean_norm(input, reduction_indices, *, keep_dims):
    """sqrt(sum(|x|^2)); the squares and sums of integers wrap around in their own dtype."""
    dtype = input.dtype
    wide = input.astype(_wide(dtype), copy=False)
    squares = (wide * wide.conj()).real if dtype.kind == "c" else np.square(wide)
    axes = _axes(reduction_indices)
    total = _sum(squares, axes, squares.dtype, keep_dims)
    if dtype.kind == "c" and not np.isfinite(total).all():
        total = np.where(np.isfinite(total), total, fold(SQUARES, input, axes, keep_dims))
    if dtype.kind in "iu":
        total = total.astype(np.float64)
    return np.sqrt(total).astype(dtype, copy=False)


def _extremes(dtype: np.dtype):
    """The least and the greatest value of a dtype, infinities included."""
    if dtype.kind in "iu":
        return np.iinfo(dtype).min, np.iinfo(dtype).max
    return dtype.type(-np.inf), dtype.type(np.inf)


@kernel("Max")
def max_over(input, reduction_indices, *, keep_dims):
    initial = None if input.size else _extremes(input.dtype)[0]
    return np.maximum.reduce(input, _axes(reduction_indices), None, None, keep_dims, initial)


@kernel("Min")
def min_over(input, reduction_indices, *, keep_dims):
    initial = None if input.size else _extremes(input.dtype)[1]
    return np.minimum.reduce(input, _axes(reduction_indices), None, None, keep_dims, initial)


@kernel("All")
def all_over(input, reduction_indices, *, keep_dims):
    return np.logical_and.reduce(input, _axes(reduction_indices), None, None, keep_dims)


@kernel("Any")
def any_over(input, reduction_indices, *, keep_dims):
    return np.logical_or.reduce(input, _axes(reduction_indices), None, None, keep_dims)


# --------------------------------------------------------------------------------------------- along an axis


def _axis(axis, rank: int) -> int:
    """The axis as an index from the front."""
    axis = np.asarray(axis)
    if axis.ndim:
        raise ValueError(f"the axis must be a scalar, not of shape {list(axis.shape)}")
    if not -rank <= axis < rank:
        raise ValueError(f"axis {axis} is not in the range [{-rank}, {rank})")
    return int(axis) % rank


def _place_of_extreme(search, input, dimension, ignored, output_type):
    """The first place of an extreme; a NaN never is one, unless there is nothing else."""
    axis = _axis(dimension, input.ndim)
    if input.shape[axis] == 0:
        raise ValueError(f"reduction axis {axis} is empty in shape {list(input.shape)}")
    places = search(input, axis)
    if input.dtype.kind in "fV":
        found = np.take_along_axis(input, np.expand_dims(places, axis), axis)
        if np.isnan(found).any():
            places = search(np.where(np.isnan(input), input.dtype.type(ignored), input), axis)
    return places.astype(output_type)


@kernel("ArgMax")
def arg_max(input, dimension, *, output_type):
    return _place_of_extreme(np.argmax, input, dimension, -np.inf, output_type)


@kernel("ArgMin")
def arg_min(input, dimension, *, output_type):
    return _place_of_extreme(np.argmin, input, dimension, np.inf, output_type)


def _scan(accumulate, x, axis, start, exclusive, reverse):
    """The running result of `accumulate`: from the end if reverse, up to the element itself if exclusive."""
    axis = _axis(axis, x.ndim)
    if reverse:
        return np.flip(_scan(accumulate, np.flip(x, axis), axis, start, exclusive, False), axis)
    if not exclusive:
        return accumulate(x, axis, x.dtype)
    out = np.full_like(x, start)
    but_last, but_first = (slice(None),) * axis + (slice(-1),), (slice(None),) * axis + (slice(1, None),)
    if x.size:
        accumulate(x[but_last], axis, x.dtype, out[but_first])
    return out


@kernel("Cumsum")
def cumulative_sum(x, axis, *, exclusive, reverse):
    return _scan(np.add.accumulate, x, axis, 0, exclusive, reverse)


@kernel("Cumprod")
def cumulative_product(x, axis, *, exclusive, reverse):
    products = _scan(np.multiply.accumulate, x, axis, 1, exclusive, reverse)
    return _scan(running_products, x, axis, 1, exclusive, reverse) if _is_troubled(products) else products


@kernel("CumulativeLogsumexp")
def cumulative_log_sum_exp(x, axis, *, exclusive, reverse):
    return _scan(_log_sums, x, axis, -np.inf, exclusive, reverse)


def _log_sums(x, axis, dtype, out=None):
    """Running sums, rounded step by step. NaN counts for as much as the sum before it, and where it comes first for nothing."""
    if dtype not in HALVES and np.isfinite(x).all():
        return np.logaddexp.accumulate(x, axis, dtype, out)
    sums = np.empty_like(x) if out is None else out
    rows, places = np.moveaxis(x, axis, 0), np.moveaxis(sums, axis, 0)
    total = np.full_like(rows[:1], -np.inf)
    for i in range(len(rows)):
        row = rows[i : i + 1]
        less, more = np.where(row < total, row, total), np.where(total < row, row, total)
        total = np.where(np.isneginf(more), more, log1p(exp(less - more)) + more)
        places[i : i + 1] = total
    return sums


# -------------------------------------------------------------------------------------------------- counting


def _number_of_bins(size) -> int:
    if np.ndim(size):
        raise ValueError(f"the size must be a scalar, not of shape {list(np.shape(size))}")
    if size < 0:
        raise ValueError(f"the size must not be negative, but is {int(size)}")
    return int(size)


def _counts(values, size, weights, binary_output):
    """Counts per row of a matrix of values; those beyond the last bin are not counted."""
    if values.size and values.min() < 0:
        raise ValueError(f"the values must not be negative, but one is {int(values.min())}")
    rows, columns = np.nonzero(values < size)
    counted = values[rows, columns]
    bins = np.zeros((len(values), size), weights.dtype)
    if binary_output:
        bins[rows, counted] = 1
    else:
        np.add.at(bins, (rows, counted), weights.reshape(values.shape)[rows, columns] if weights.size else 1)
    return bins


@kernel("Bincount")
def bincount(arr, size, weights):
    size = _number_of_bins(size)
    if weights.size not in (0, arr.size):
        raise ValueError(f"arr and weights must have the same size: {arr.size} and {weights.size}")
    return _counts(arr.reshape(1, -1), size, weights, False)[0]


@kernel("DenseBincount")
def dense_bincount(input, size, weights, *, binary_output):
    """A matrix is counted row by row."""
    size = _number_of_bins(size)
    if input.ndim > 2:
        raise ValueError(f"the input must be a vector or a matrix, not of shape {list(input.shape)}")
    if weights.size and weights.shape != input.shape:
        raise ValueError(
            f"weights must be empty or of the input's shape {list(input.shape)}, not {list(weights.shape)}"
        )
    bins = _counts(np.atleast_2d(input), size, weights, binary_output)
    return bins if input.ndim == 2 else bins[0]


@kernel("HistogramFixedWidth")
def histogram_fixed_width(values, value_range, nbins, *, dtype):
    """Values outside the range count in the first or last bin."""
    if value_range.shape != (2,):
        raise ValueError(f"value_range must be a vector of 2, not of shape {list(value_range.shape)}")
    if nbins <= 0:
        raise ValueError(f"nbins must be positive, but is {int(nbins)}")
    low, high = value_range
    if not low < high:
        raise ValueError(f"value_range must be increasing, but is {value_range.tolist()}")
    if nbins == 1:  # which NaN is counted in too
        return np.array([values.size], dtype)
    if values.dtype.kind == "f" and np.isnan(values).any():
        raise ValueError("the values must not contain nan")
    step = (np.float64(high) - np.float64(low)) / nbins
    places = (np.clip(values, low, high).astype(np.float64) - low) / step
    if np.isnan(places).any():
        raise ValueError(f"value_range {value_range.tolist()} has no bins for what lies at its infinite end")
    places = np.minimum(places, nbins - 1).astype(np.int64)
    return np.bincount(places.ravel(), minlength=int(nbins)).astype(dtype)


# ----------------------------------------------------------------------------------------------- the largest


@kernel("NthElement")
def nth_element(input, n, *, reverse):
    """The n-th smallest of each row, or the n-th largest."""
    if input.ndim == 0:
        raise ValueError("the input must have at least one axis")
    length = input.shape[-1]
    if not 0 <= n < length:
        raise ValueError(f"n must be in the range [0, {length}), but is {int(n)}")
    n = length - 1 - int(n) if reverse else int(n)
    found = np.partition(input, n, axis=-1)[..., n]
    for index in _rows_with_nan(input):
        found[index] = nth_smallest(input[index].tolist(), n)
    return found


def _rows_with_nan(input):
    """The indices of these rows."""
    return map(tuple, np.argwhere(np.isnan(input).any(axis=-1))) if input.dtype.kind in "fV" else ()


def _descending_keys(input):
    """Unsigned integers that order as the elements do, equal ones by their place: the first is the largest.

    The element fills the upper half of a 64-bit key, what comes behind its place in the row the lower.
    """
    size = input.dtype.itemsize
    bits = np.ascontiguousarray(input).reshape(input.shape).view(f"u{size}").astype(np.uint64)
    sign = np.uint64(1 << 8 * size - 1)
    if input.dtype.kind in "fV":
        every = np.uint64((1 << 8 * size) - 1)
        bits = np.where(input == 0, 0, bits)  # -0 equals 0
        bits = np.where(bits & sign, bits ^ every, bits ^ sign)
    elif input.dtype.kind == "i":
        bits ^= sign
    behind = np.arange(input.shape[-1] - 1, -1, -1, dtype=np.uint64)
    return bits << np.uint64(32) | behind


def _places_of_largest(input, k):
    """The places of the k largest of each row, in descending order, the first of equals first."""
    length = input.shape[-1]
    if k == 0 or input.size == 0:
        return np.zeros((*input.shape[:-1], k), np.int64)
    if input.dtype.itemsize == 8:
        backwards = np.argsort(input[..., ::-1], axis=-1, kind="stable")[..., ::-1]
        return length - 1 - backwards[..., :k]
    keys = _descending_keys(input)
    if k < length:
        keys = np.partition(keys, length - k, axis=-1)[..., length - k :]
    keys = np.sort(keys, axis=-1)[..., ::-1]
    return length - 1 - (keys & np.uint64(0xFFFFFFFF)).astype(np.int64)


def _heap_of_largest(row: list[float], k: int) -> list[int]:
    """The places of the k largest of a row longer than k, in the order of the heap that gathers them.

    TensorFlow promises no order where none is asked for; this is the one it gives, and gradients follow it.
    """
    heap = [(value, -place) for place, value in enumerate(row[: k + 1])]
    heapify(heap)
    heappop(heap)
    least = heap[0][0]
    for place, value in enumerate(row[k + 1 :], k + 1):
        if value > least:
            heappop(heap)
            heappush(heap, (value, -place))
            least = heap[0][0]
    return [-place for _, place in heap]


def _places_in_heap_order(input, k):
    rows = input.reshape(-1, input.shape[-1]).tolist()
    return np.array([_heap_of_largest(row, k) for row in rows], np.int64).reshape(*input.shape[:-1], k)


def _largest(input, k, index_type, sorted):
    if input.ndim == 0:
        raise ValueError("the input must have at least one axis")
    if not 0 <= k <= input.shape[-1]:
        raise ValueError(f"k must be in the range [0, {input.shape[-1]}], but is {k}")
    in_heap_order = not sorted and 0 < k < input.shape[-1]
    places = _places_in_heap_order(input, k) if in_heap_order else _places_of_largest(input, k)
    for index in _rows_with_nan(input) if k else ():
        lanes = 4 if input.dtype == np.float64 else 8
        places[index] = places_of_largest(input[index].tolist(), k, sorted, lanes)
    return np.take_along_axis(input, places, axis=-1), places.astype(index_type)


@kernel("TopKV2")
def top_k_v2(input, k, *, sorted, index_type):
    return _largest(input, int(k), index_type, sorted)


@kernel("TopK")
def top_k(input, *, k, sorted):
    return _largest(input, k, np.int32, sorted)


@kernel("ApproxTopK")
def approx_top_k(input, *, k, reduction_dimension, is_max_k):
    """Exact, as on any CPU."""
    axis = _axis(reduction_dimension, input.ndim)
    rows = np.moveaxis(input, axis, -1)
    if is_max_k:
        values, places = _largest(rows, k, np.int32, True)
    else:
        values, places = _largest(-rows, k, np.int32, True)
        values = -values
    return np.moveaxis(values, -1, axis), np.moveaxis(places, -1, axis)
