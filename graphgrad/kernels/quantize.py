"""Simulated quantization: values rounded to the numbers that few bits can tell apart, and what flows back through it.

A range is one number at either end, or one per slice along an axis; the arithmetic is done in the type of the input
(float32 for half precision), in TensorFlow's order, so that values on the edge between two steps fall the same way.
"""

from __future__ import annotations

from math import prod
from typing import NamedTuple

import numpy as np

from graphgrad.kernels._accumulate import wide
from graphgrad.kernels._checks import lone, same_shapes
from graphgrad.kernels._complex import REGISTER
from graphgrad.registry import kernel

F = np.float32
ROUNDING = {"HALF_TO_EVEN": np.rint, "HALF_UP": lambda x: np.floor(x + x.dtype.type(0.5))}


class _Grid(NamedTuple):
    """The ends of a range moved so that zero is one of its steps, the step, and how many steps make one."""

    low: np.ndarray
    high: np.ndarray
    step: np.ndarray
    inverse: np.ndarray


def _grid(low: np.ndarray, high: np.ndarray, num_bits: int, narrow_range: bool) -> _Grid:
    """The range of 2**num_bits steps (one fewer where narrow), as Jacob et al. (2018) nudge it."""
    first, last = F(narrow_range), F(2**num_bits - 1)
    low, high = np.asarray(low, F), np.asarray(high, F)
    step = (high - low) / (last - first)
    zero = first - low / step
    nudged = np.where(zero < first, first, np.where(zero > last, last, np.trunc(zero + F(0.5))))
    return _Grid((first - nudged) * step, (last - nudged) * step, step, (last - first) / (high - low))


def _fake_quant(x: np.ndarray, grid: _Grid, divides: bool = False) -> np.ndarray:
    """Halves between two steps fall as TensorFlow rounds: it divides by the step of a range that is one tensor's, and
    multiplies by the inverse elsewhere."""
    inside = np.maximum(np.minimum(x, grid.high), grid.low) - grid.low
    steps, zero = (
        (inside / grid.step, -grid.low / grid.step) if divides else (inside * grid.inverse, -grid.low * grid.inverse)
    )
    return np.floor(steps - np.floor(zero + F(0.5)) + F(0.5)) * grid.step


def _nothing(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Where a range is empty, at zero."""
    return (low == 0) & (high == 0)


def _check_bits(num_bits: int) -> None:
    if not 2 <= num_bits <= 16:
        raise ValueError(f"num_bits must be from 2 to 16, not {num_bits}")


def _check_args(low: float, high: float, num_bits: int) -> None:
    _check_bits(num_bits)
    if low >= high:
        raise ValueError(f"min {low} must lie below max {high}")


def _check_ends(low: np.ndarray, high: np.ndarray, shape: tuple[int, ...]) -> None:
    for name, end in (("min", low), ("max", high)):
        if end.shape != shape:
            raise ValueError(f"{name} must have the shape {shape}, not {end.shape}")


@kernel("FakeQuantWithMinMaxArgs")
def fake_quant_args(x, *, min, max, num_bits, narrow_range):
    _check_args(min, max, num_bits)
    return _fake_quant(x, _grid(min, max, num_bits, narrow_range))


@kernel("FakeQuantWithMinMaxArgsGradient")
@same_shapes
def fake_quant_args_gradient(dy, x, *, min, max, num_bits, narrow_range):
    _check_args(min, max, num_bits)
    grid = _grid(min, max, num_bits, narrow_range)
    return dy * ((x >= grid.low) & (x <= grid.high))


@kernel("FakeQuantWithMinMaxVars")
def fake_quant_vars(x, low, high, *, num_bits, narrow_range):
    _check_ends(low, high, ())
    return _fake_quant_between(x, low, high, num_bits, narrow_range)


@kernel("FakeQuantWithMinMaxVarsPerChannel")
def fake_quant_channels(x, low, high, *, num_bits, narrow_range):
    _check_ends(low, high, x.shape[-1:])
    return _fake_quant_between(x, low, high, num_bits, narrow_range)


def _fake_quant_between(x, low, high, num_bits, narrow_range):
    _check_bits(num_bits)
    return np.where(_nothing(low, high), F(0), _fake_quant(x, _grid(low, high, num_bits, narrow_range), low.ndim == 0))


@kernel("FakeQuantWithMinMaxVarsGradient")
def fake_quant_vars_gradient(dy, x, low, high, *, num_bits, narrow_range):
    _check_ends(low, high, ())
    return _shared(dy, x, low, high, num_bits, narrow_range, tuple(range(x.ndim)))


@kernel("FakeQuantWithMinMaxVarsPerChannelGradient")
def fake_quant_channels_gradient(dy, x, low, high, *, num_bits, narrow_range):
    _check_ends(low, high, x.shape[-1:])
    return _shared(dy, x, low, high, num_bits, narrow_range, tuple(range(x.ndim - 1)))


def _shared(dy, x, low, high, num_bits, narrow_range, axes):
    """dy to the values inside the range, the rest of it to the end they lie beyond."""
    if dy.shape != x.shape:
        raise ValueError(f"gradients have shape {list(dy.shape)}, the input has {list(x.shape)}")
    _check_bits(num_bits)
    grid = _grid(low, high, num_bits, narrow_range)
    nothing = _nothing(low, high)
    below, above = (x < grid.low) & ~nothing, (x > grid.high) & ~nothing
    inside = ((x >= grid.low) & (x <= grid.high)) | nothing
    dlow, dhigh = ((dy * part).sum(axes, dtype=F) for part in (below, above))
    return dy * inside, dlow, dhigh


def _slices(end: np.ndarray, x: np.ndarray, axis: int) -> np.ndarray:
    """An end of ranges, shaped to go with x."""
    if axis == -1:
        lone(end, "an end of the range where axis is -1")
        return end
    if not 0 <= axis < x.ndim or end.shape != (x.shape[axis],):
        raise ValueError(f"ends of shape {end.shape} do not go with axis {axis} of an input of shape {x.shape}")
    return end.reshape(-1, *(1,) * (x.ndim - 1 - axis))


def _extremes(x: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """The least and the largest value, of x or of each slice."""
    axes = tuple(i for i in range(x.ndim) if i != axis) if axis >= 0 else tuple(range(x.ndim))
    low, high = x.min(axes, keepdims=axis >= 0), x.max(axes, keepdims=axis >= 0)
    if np.isnan(low).any():
        return tuple(end.reshape(low.shape) for end in _extremes_beside_nan(x, axis))
    return low, high


def _extremes_beside_nan(x: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """What TensorFlow's comparisons find: as many numbers at once as fill a register, NaN passed over, then what is left one by
    one, where NaN takes the place of all before it and the next number that of NaN. Slices it takes one by one."""
    slices, whole = x.reshape(1, -1), x.size - x.size % (REGISTER // x.itemsize)
    if axis >= 0:
        slices, whole = (
            x.reshape(prod(x.shape[:axis]), x.shape[axis], -1).transpose(1, 2, 0).reshape(x.shape[axis], -1),
            0,
        )
    left = slices[:, whole:]
    behind_nan = np.logical_and.accumulate(~np.isnan(left)[:, ::-1], 1)[:, ::-1]
    counts = np.hstack([~np.isnan(slices[:, :whole]), behind_nan])
    ends_in_nan = np.isnan(left[:, -1:]).any(1)
    infinity = x.dtype.type(np.inf)
    low, high = np.where(counts, slices, infinity).min(1), np.where(counts, slices, -infinity).max(1)
    return tuple(np.where(ends_in_nan, x.dtype.type(np.nan), end) for end in (low, high))


def _scale(low, high, signed_input: bool, num_bits: int, narrow_range: bool):
    """How many steps make one, that inverted, and the range's ends widened so that zero is a step."""
    real = low.dtype.type
    first = real(-(2 ** (num_bits - 1)) + narrow_range) if signed_input else real(0)
    last = real(2 ** (num_bits - 1) - 1) if signed_input else real(2**num_bits - 1)
    largest = np.finfo(low.dtype).max
    by_low, by_high = (
        np.where(edge * end > 0, edge / end, largest).astype(low.dtype) for edge, end in ((first, low), (last, high))
    )
    lower = by_low < by_high
    scale = np.where(lower, by_low, by_high)
    inverse = np.where(lower, low / first, high / last)
    return scale, inverse, np.where(lower, low, first * inverse), np.where(lower, last * inverse, high)


def quantize_and_dequantize(
    x, low, high, signed_input, num_bits, range_given, narrow_range=False, round_mode="HALF_TO_EVEN", axis=-1
):
    if not 1 <= num_bits < (64 if signed_input else 63):
        raise ValueError(f"num_bits {num_bits} is out of range where signed_input is {signed_input}")
    dtype, x = x.dtype, wide(x)
    if range_given:
        low, high = (_slices(wide(np.asarray(end)), x, axis).astype(x.dtype, copy=False) for end in (low, high))
        if axis == -1 and not low <= high:
            raise ValueError("input_min must not lie above input_max")
    elif not x.size:
        return x.astype(dtype, copy=False)
    else:
        low, high = _extremes(x, axis)
    scale, inverse, low, high = _scale(low, high, signed_input, num_bits, narrow_range)
    if range_given:
        x = np.maximum(np.minimum(x, high), low)
    return (ROUNDING[round_mode](x * scale) * inverse).astype(dtype, copy=False)


@kernel("QuantizeAndDequantize")
def quantize_and_dequantize_v1(x, *, signed_input, num_bits, range_given, input_min, input_max):
    return quantize_and_dequantize(x, input_min, input_max, signed_input, num_bits, range_given)


@kernel("QuantizeAndDequantizeV2", "QuantizeAndDequantizeV4")
def quantize_and_dequantize_v2(x, low, high, *, signed_input, num_bits, range_given, round_mode, narrow_range, axis):
    how = (signed_input, num_bits, range_given, narrow_range, round_mode, axis)
    return quantize_and_dequantize(x, low, high, *how)


@kernel("QuantizeAndDequantizeV3")
def quantize_and_dequantize_v3(x, low, high, num_bits, *, signed_input, range_given, narrow_range, axis):
    bits = lone(num_bits, "num_bits")
    return quantize_and_dequantize(x, low, high, signed_input, bits, range_given, narrow_range, axis=axis)


@kernel("QuantizeAndDequantizeV4Grad")
def quantize_and_dequantize_v4_grad(dy, x, low, high, *, axis):
    """dy to the values inside the range; TensorFlow sends nothing to the ends."""
    if dy.shape != x.shape:
        raise ValueError(f"gradients have shape {dy.shape}, the input has {x.shape}")
    inside = (x >= _slices(low, x, axis)) & (x <= _slices(high, x, axis))
    return dy * inside.astype(dy.dtype), np.zeros_like(low), np.zeros_like(high)
