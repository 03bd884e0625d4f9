"""Kernels over integers of few bits that stand for numbers of a range: each tensor goes with its two ends.

Products and sums are held in 32 bits, in a range of their own; requantizing brings them back to 8. The arithmetic is that
of TensorFlow's portable kernels.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from graphgrad.kernels._checks import lone, one
from graphgrad.kernels._quantum import (
    Array,
    Ends,
    F,
    away,
    by_steps,
    limits,
    moved,
    product_ends,
    sum_ends,
    to_float,
    to_float_single,
    to_integer,
    to_integer_single,
    zero,
)
from graphgrad.registry import kernel, kernel_of

LARGEST = np.finfo(F).max
ROUNDING = {"HALF_AWAY_FROM_ZERO": away, "HALF_TO_EVEN": np.rint}


def ends_of(low: Array, high: Array, name: str = "the range", read: Any = lone) -> Ends:
    """Two scalars as the ends of a range; with `read` of `one` vectors of one element too."""
    return Ends(F(read(low, f"the lower end of {name}")), F(read(high, f"the upper end of {name}")))


def as_arrays(ends: Any) -> tuple[Array, Array]:
    return np.asarray(ends[0], F), np.asarray(ends[1], F)


# ------------------------------------------------------------------------------- from numbers and back


def _along(ends: Array, x: Array, axis: int, name: str) -> Array:
    """One end of ranges, one for each slice, shaped to go with x."""
    if axis == -1:
        return np.asarray(F(one(ends, name)))
    if not -1 <= axis < x.ndim or ends.shape != (x.shape[axis],):
        raise ValueError(f"{name} has shape {list(ends.shape)}, the input {list(x.shape)} and the axis is {axis}")
    return ends.reshape(-1, *(1,) * (x.ndim - 1 - axis))


@kernel("QuantizeV2")
def quantize(x, min_range, max_range, *, T, mode, round_mode, narrow_range, axis, ensure_minimum_range):
    """The range is widened so that it holds 0 and is not too narrow."""
    if round_mode == "HALF_TO_EVEN" and mode != "SCALED":
        raise ValueError(f"round_mode HALF_TO_EVEN goes with mode SCALED only, not with {mode}")
    low, high = _along(min_range, x, axis, "min_range"), _along(max_range, x, axis, "max_range")
    if (low > high).any():
        raise ValueError(f"min_range {min_range.tolist()} must not lie above max_range {max_range.tolist()}")
    least = np.maximum(F(1), np.maximum(np.abs(low), np.abs(high))) * F(ensure_minimum_range)
    low = np.minimum(F(0), low)
    high = np.maximum(F(0), np.maximum(high, low + least))
    how = {"MIN_COMBINED": _combined, "MIN_FIRST": _min_first, "SCALED": _scaled}[mode]
    q, low, high = how(x, low, high, T, ROUNDING[round_mode], narrow_range)
    if axis != -1:
        ends = () if low.size == 1 else (-1,)  # of one slice TensorFlow makes scalars
        low, high = low.reshape(ends), high.reshape(ends)
    q = q.astype(T)
    if np.isnan(x).any():
        _place_nan(q, x, mode, round_mode, narrow_range, axis)
    return q, low.astype(F), high.astype(F)


def _place_nan(q, x, mode, round_mode, narrow, axis):
    """Where NaN goes: to 0 one by one, to the first integer in registers of signed numbers, of which one of several slices has none."""
    first, last = limits(q.dtype)
    nan = np.isnan(x)
    if mode == "MIN_FIRST":
        q[nan] = last if q.dtype == np.uint8 and axis == -1 else first if q.dtype == np.int32 else 0
        return
    lanes = 8 if round_mode == "HALF_AWAY_FROM_ZERO" else 32
    if q.dtype == np.int8 and lanes == 32 and axis == -1 and not narrow:
        lanes = 1  # oneDNN's
    whole = x.size // lanes * lanes if q.dtype.itemsize < 4 and (axis == -1 or x.shape[axis] == 1) else 0
    places = np.where(np.arange(x.size) < whole, first, 0).astype(q.dtype)
    np.copyto(q, places.reshape(x.shape), where=nan)


def _combined(x, low, high, dtype, rounding, narrow):
    """All steps between the ends, from the first to the last integer."""
    first, last = limits(dtype)
    scale = F(last - first) / (high - low)
    half = F((last - first + 1) // 2) if first < 0 else F(0)
    return away((np.minimum(np.maximum(x, low), high) - low) * scale - half), low, high


def _min_first(x, low, high, dtype, rounding, narrow):
    """The first integer stands for the lower end. TensorFlow has a way of its own for uint8."""
    if dtype == np.uint8 and not narrow:
        scale = (255 / (high - low).astype(np.float64)).astype(F)
        return np.minimum(np.maximum(np.rint(x * scale - low * scale), F(0)), F(255)), low, high
    return to_integer_single(x, low, high, dtype), low, high


def _scaled(x, low, high, dtype, rounding, narrow):
    """0 stands for 0; the end that is further away, in steps, is the last integer."""
    first, last = limits(dtype)
    first, last = F(first + narrow), F(last)
    by_low = np.where(first * low > 0, first / low, LARGEST)
    by_high = np.where(last * high > 0, last / high, LARGEST)
    scale = np.minimum(by_low, by_high).astype(F)
    low, high = first / scale, last / scale
    return rounding(np.minimum(np.maximum(x, low), high) * scale), low, high


@kernel("Dequantize")
def dequantize(q, min_range, max_range, *, mode, narrow_range, axis, dtype):
    if dtype != F and mode == "MIN_FIRST":
        raise ValueError(f"mode {mode} gives float32, not {np.dtype(dtype).name}")
    low, high = _along(min_range, q, axis, "min_range"), _along(max_range, q, axis, "max_range")
    first, last = limits(q.dtype)
    wide = q.astype(F)
    if mode == "MIN_COMBINED":
        half = F((last - first + 1) // 2) if first < 0 else F(0)
        found = (wide + half) * ((high - low) / F(last - first)) + low
    elif mode == "MIN_FIRST":
        found = to_float_single(q, low, high)
    else:
        begin = F(first + narrow_range)
        found = wide * (high / F(last) if begin == 0 else np.maximum(low / begin, high / F(last)))
    return found.astype(dtype)


# ----------------------------------------------------------------------------------- to fewer bits


def used_ends(q: Array, ends: Ends) -> Ends:
    """The ends of what is there, 0 among it."""
    if not q.size:
        least, most = np.array([limits(q.dtype)[1]], q.dtype), np.array([limits(q.dtype)[0]], q.dtype)
    else:
        least, most = q.min().reshape(1), q.max().reshape(1)
    return Ends(min(F(0), to_float(least, ends)[0]), to_float(most, ends)[0])


@kernel("RequantizationRange")
def requantization_range(q, low, high):
    return as_arrays(used_ends(q, ends_of(low, high, read=one)))


@kernel("Requantize")
def requantize(q, low, high, new_low, new_high, *, out_type):
    old, new = ends_of(low, high), ends_of(new_low, new_high, "the range asked for")
    if new.low > 0 or new.high < new.low:
        raise ValueError(f"the range asked for, {new.low} to {new.high}, must hold 0 or end below it")
    return moved(q, old, new, np.dtype(out_type)), *as_arrays(new)


@kernel("QuantizeDownAndShrinkRange")
def shrink_range(q, low, high, *, out_type):
    ends = ends_of(low, high)
    new = used_ends(q, ends)
    return moved(q, ends, new, np.dtype(out_type)), *as_arrays(new)


# ------------------------------------------------------------------------------- products and sums


@kernel("QuantizedMatMul")
def matmul(a, b, min_a, max_a, min_b, max_b, *, Toutput, transpose_a, transpose_b):
    a_ends, b_ends = ends_of(min_a, max_a, "a"), ends_of(min_b, max_b, "b")
    if a.ndim != 2 or b.ndim != 2:
        raise ValueError(f"not matrices: the inputs have shapes {list(a.shape)} and {list(b.shape)}")
    x, y = (
        (m.T if turn else m).astype(np.int64) - zero(ends, m.dtype)
        for m, ends, turn in ((a, a_ends, transpose_a), (b, b_ends, transpose_b))
    )
    if x.shape[1] != y.shape[0]:
        raise ValueError(f"matrices of shapes {list(x.shape)} and {list(y.shape)} have no product")
    found = (x @ y).astype(Toutput)
    return found, *as_arrays(product_ends(a_ends, a.dtype, b_ends, b.dtype))


@kernel("QuantizedMul")
def mul(x, y, min_x, max_x, min_y, max_y, *, Toutput):
    x_ends, y_ends = ends_of(min_x, max_x, "x"), ends_of(min_y, max_y, "y")
    _refuse_empty(x, y)
    found = (x.astype(np.int64) - zero(x_ends, x.dtype)) * (y.astype(np.int64) - zero(y_ends, y.dtype))
    return found.astype(Toutput), *as_arrays(product_ends(x_ends, x.dtype, y_ends, y.dtype))


@kernel("QuantizedAdd")
def add(x, y, min_x, max_x, min_y, max_y, *, Toutput):
    """A lone number is put into the range of the sum by itself, others by whole steps."""
    x_ends, y_ends = ends_of(min_x, max_x, "x"), ends_of(min_y, max_y, "y")
    new, dtype = sum_ends(x_ends, y_ends, 14), np.dtype(Toutput)
    _refuse_empty(x, y)
    x_move = moved if x.size == 1 else by_steps
    y_move = moved if y.size == 1 and x.size != 1 else by_steps
    return x_move(x, x_ends, new, dtype) + y_move(y, y_ends, new, dtype), *as_arrays(new)


def _refuse_empty(x, y):
    if not x.size or not y.size:
        raise ValueError(f"arrays of shapes {list(x.shape)} and {list(y.shape)} must not be empty")


@kernel("QuantizedBiasAdd")
def bias_add(x, bias, min_input, max_input, min_bias, max_bias, *, out_type):
    if x.ndim < 2 or bias.ndim != 1 or x.shape[-1:] != bias.shape or not bias.size:
        raise ValueError(f"a bias of shape {list(bias.shape)} does not go with an input of shape {list(x.shape)}")
    ends = ends_of(min_input, max_input, "the input"), ends_of(min_bias, max_bias, "the bias")
    new, dtype = sum_ends(*ends, 17), np.dtype(out_type)
    parts = [to_integer_single(to_float_single(q, *e), *new, dtype) for q, e in zip((x, bias), ends, strict=True)]
    return parts[0] + parts[1] + dtype.type(zero(new, dtype)), *as_arrays(new)


@kernel("QuantizedConv2D")
def conv2d(x, filters, min_input, max_input, min_filter, max_filter, *, out_type, strides, padding, dilations):
    """Over numbers less those that stand for 0, in double precision, which holds such sums exactly."""
    x_ends, w_ends = ends_of(min_input, max_input, "the input"), ends_of(min_filter, max_filter, "the filter")
    call = kernel_of("Conv2D")
    assert call is not None
    centred = x.astype(np.float64) - zero(x_ends, x.dtype), filters.astype(np.float64) - zero(w_ends, filters.dtype)
    how = {"strides": strides, "padding": padding, "dilations": dilations}
    if padding == "SAME" and x.ndim == filters.ndim == 4:
        centred = _from_first_window(centred[0], filters.shape, strides), centred[1]
    found = call(*centred, explicit_paddings=(), data_format="NHWC", **how)
    return found.astype(out_type), *as_arrays(product_ends(x_ends, x.dtype, w_ends, filters.dtype))


def _from_first_window(x, window, strides):
    """Where windows are apart, TensorFlow leaves out as much before the first as behind the last."""
    for axis in (1, 2):
        n, k, stride = x.shape[axis], window[axis - 1], strides[axis]
        spare = n - k - (-(-n // stride) - 1) * stride
        x = x[(slice(None),) * axis + (slice(max(0, spare) // 2, None),)]
    return x


# ------------------------------------------------------------------------------------- the same range


@kernel("QuantizedRelu")
def relu(x, low, high, *, out_type):
    ends = ends_of(low, high)
    return np.maximum(x, to_integer(0.0, ends, x.dtype)), *as_arrays(ends)


@kernel("QuantizedRelu6")
def relu6(x, low, high, *, out_type):
    ends = ends_of(low, high)
    return np.clip(x, to_integer(0.0, ends, x.dtype), to_integer(6.0, ends, x.dtype)), *as_arrays(ends)


def _pooled(op_type: str, x: Array, ksize: Any, strides: Any, padding: str) -> Array:
    call = kernel_of(op_type)
    assert call is not None
    how = {"ksize": ksize, "strides": strides, "padding": padding, "data_format": "NHWC"}
    how |= {"explicit_paddings": ()} if op_type == "MaxPool" else {}
    return call(x, **how)  # type: ignore[no-any-return]


@kernel("QuantizedMaxPool")
def max_pool(x, low, high, *, ksize, strides, padding):
    return _pooled("MaxPool", x.astype(F), ksize, strides, padding).astype(x.dtype), *as_arrays(ends_of(low, high))


@kernel("QuantizedAvgPool")
def avg_pool(x, low, high, *, ksize, strides, padding):
    found = _pooled("AvgPool", x.astype(F), ksize, strides, padding)
    return np.rint(found).astype(x.dtype), *as_arrays(ends_of(low, high))


@kernel("QuantizedReshape")
def reshape(x, shape, low, high):
    call = kernel_of("Reshape")
    assert call is not None
    return call(x, shape), *as_arrays(ends_of(low, high))


@kernel("QuantizedConcatV2")
def concat_v2(values, axis, input_mins, input_maxes):
    return _concat(values, axis, input_mins, input_maxes)


@kernel("QuantizedConcat")
def concat(concat_dim, values, input_mins, input_maxes):
    return _concat(values, concat_dim, input_mins, input_maxes)


def _concat(values, axis, lows, highs):
    """In the range that holds them all."""
    axis = lone(axis, "the axis")
    ends = [ends_of(low, high) for low, high in zip(lows, highs, strict=True)]
    new = Ends(min(F(0), *(e.low for e in ends)), max(e.high for e in ends))
    if not -values[0].ndim <= axis < values[0].ndim:
        raise ValueError(f"the axis {axis} is none of tensors of rank {values[0].ndim}")
    parts = [x if e == new else to_integer(to_float(x, e), new, x.dtype) for x, e in zip(values, ends, strict=True)]
    return np.concatenate(parts, axis), *as_arrays(new)
