"""Grey-scale dilation: convolution where sums become maxima and products sums."""

from __future__ import annotations

import numpy as np

from graphgrad.kernels._accumulate import lowest, wide
from graphgrad.kernels.windows import Sizes, Windows, check_gradient, geometry, tap_number, taps
from graphgrad.registry import kernel


def _dilation_windows(x: np.ndarray, filters: np.ndarray, strides: Sizes, rates: Sizes, padding: str) -> Windows:
    if filters.ndim != x.ndim - 1 or filters.shape[-1] != x.shape[-1]:
        raise ValueError(f"a filter of shape {filters.shape} does not fit an input of shape {x.shape}")
    return geometry(x.shape, filters.shape[:-1], strides, padding, (), "NHWC", rates)


@kernel("Dilation2D")
def dilation2d(x, filters, *, strides, rates, padding):
    """Per window the largest sum of an element and the filter's there."""
    w = _dilation_windows(x, filters, strides, rates, padding)
    y = np.full((x.shape[0], *w.outputs, x.shape[-1]), lowest(x.dtype), x.dtype)
    for tap, outputs, inputs in taps(w):
        np.fmax(y[outputs], x[inputs] + filters[tap], out=y[outputs])
    return y


def _dilation_winners(x: np.ndarray, filters: np.ndarray, dy: np.ndarray, w: Windows) -> np.ndarray:
    """Per window the number of the first tap whose sum is the largest; -1 where no sum is above the lowest number."""
    check_gradient(dy, x.shape, x.shape[-1], w)
    best, winner = np.full(dy.shape, lowest(x.dtype), x.dtype), np.full(dy.shape, -1, np.int32)
    for tap, outputs, inputs in taps(w):
        candidate = x[inputs] + filters[tap]
        better = candidate > best[outputs]
        np.copyto(best[outputs], candidate, where=better)
        np.copyto(winner[outputs], tap_number(tap, w), where=better)
    return winner


def _where(mask: np.ndarray, dy: np.ndarray) -> np.ndarray:
    return np.where(mask, dy, dy.dtype.type(0))


@kernel("Dilation2DBackpropInput")
def dilation2d_backprop_input(x, filters, dy, *, strides, rates, padding):
    """Each dy goes to where its window's largest sum is; of a window without, to where it begins within the image."""
    w = _dilation_windows(x, filters, strides, rates, padding)
    winner, dy = _dilation_winners(x, filters, dy, w), wide(dy)
    dx = np.zeros(x.shape, dy.dtype)
    for tap, outputs, inputs in taps(w):
        dx_tap = dx[inputs]
        dx_tap += _where(winner[outputs] == tap_number(tap, w), dy[outputs])
    if (winner < 0).any():
        rows, columns = (
            np.maximum(np.arange(n) * stride - before, 0)
            for n, stride, before in zip(w.outputs, w.strides, w.before, strict=True)
        )
        np.add.at(dx, (slice(None), rows[:, None], columns), _where(winner < 0, dy))
    return dx.astype(x.dtype, copy=False)


@kernel("Dilation2DBackpropFilter")
def dilation2d_backprop_filter(x, filters, dy, *, strides, rates, padding):
    """Each dy goes to the tap of its window's largest sum; of a window without, to the first."""
    w = _dilation_windows(x, filters, strides, rates, padding)
    winner, dy = _dilation_winners(x, filters, dy, w), wide(dy)
    dfilters = np.zeros(filters.shape, dy.dtype)
    dfilters[0, 0] = _where(winner < 0, dy).sum((0, 1, 2))
    for tap, outputs, _ in taps(w):
        dfilters[tap] += _where(winner[outputs] == tap_number(tap, w), dy[outputs]).sum((0, 1, 2))
    return dfilters.astype(x.dtype, copy=False)
