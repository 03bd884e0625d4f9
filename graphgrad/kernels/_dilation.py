"""Grey-scale dilation: convolution where sums become maxima and products sums."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from graphgrad.kernels._accumulate import lowest, wide
from graphgrad.kernels.windows import Index, Sizes, Windows, check_gradient, geometry, tap_number, taps, winners
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


def _dilation_shares(
    x: np.ndarray, filters: np.ndarray, dy: np.ndarray, w: Windows
) -> Iterator[tuple[Sizes, Index, np.ndarray]]:
    """Per tap: its position, the inputs it reads, and dy where its sum was its window's largest (else 0)."""
    check_gradient(dy, x.shape, x.shape[-1], w)
    winner, dy = winners(x, w, filters)[1], wide(dy)
    for tap, outputs, inputs in taps(w):
        yield tap, inputs, np.where(winner[outputs] == tap_number(tap, w), dy[outputs], dy.dtype.type(0))


@kernel("Dilation2DBackpropInput")
def dilation2d_backprop_input(x, filters, dy, *, strides, rates, padding):
    w = _dilation_windows(x, filters, strides, rates, padding)
    dx = np.zeros(x.shape, wide(dy).dtype)
    for _, inputs, share in _dilation_shares(x, filters, dy, w):
        dx_tap = dx[inputs]
        dx_tap += share
    return dx.astype(x.dtype, copy=False)


@kernel("Dilation2DBackpropFilter")
def dilation2d_backprop_filter(x, filters, dy, *, strides, rates, padding):
    w = _dilation_windows(x, filters, strides, rates, padding)
    dfilters = np.zeros(filters.shape, wide(dy).dtype)
    for tap, _, share in _dilation_shares(x, filters, dy, w):
        dfilters[tap] = share.reshape(-1, share.shape[-1]).sum(0, dtype=share.dtype)
    return dfilters.astype(x.dtype, copy=False)
