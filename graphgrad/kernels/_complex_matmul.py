"""Products of complex matrices that are not finite, as Eigen's kernels take them on behalf of TensorFlow.

Large products are collected by the plain formulas in registers and multiplied by a factor of 1, which makes NaN of what stands
beside an infinity. Small ones have no such factor, and one by one, by the arithmetic of C, go what does not fill a register.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from graphgrad.kernels._complex import ONE_BY_ONE, PLAIN, REGISTER

Array = np.ndarray[Any, Any]
SMALL = 20  # where rows, columns and terms are fewer, no blocks are packed


def unbounded_product(x: Array, y: Array, x_is_turned: bool, y_is_turned: bool) -> Array:
    """x @ y of [..., m, k] and [..., k, n], of which either may be a transposed view."""
    sizes = (x.shape[-2], *y.shape[-2:])
    is_alone = math.prod(np.broadcast_shapes(x.shape[:-2], y.shape[:-2])) == 1
    if sum(sizes) >= SMALL or (is_alone and min(sizes) > 1):
        return _large(x, y, x_is_turned, y_is_turned)
    if x_is_turned:
        return _exact(x, y)
    return _along_terms(x, y) if y_is_turned else _plain(x, y)


def _large(x: Array, y: Array, x_is_turned: bool, y_is_turned: bool) -> Array:
    rows, columns = x.shape[-2], y.shape[-1]
    one = np.ones((), x.dtype)
    if rows == columns == 1:
        return _along_terms(x, y) if y_is_turned and not x_is_turned else ONE_BY_ONE.product(one, _exact(x, y))
    if (columns == 1 and not x_is_turned) or (rows == 1 and y_is_turned):
        return _plain(x, y)
    product = PLAIN.product(one, _plain(x, y))
    if x.dtype == np.complex64:  # one number fills no half of a register; four below each other do
        if columns == 1 and rows % 2:
            product[..., -1:, :] = _exact(x[..., -1:, :], y)
        elif columns % 2:
            rest = rows // 4 * 4
            product[..., rest:, -1:] = _exact(x[..., rest:, :], y[..., -1:])
    return product


def _plain(x: Array, y: Array) -> Array:
    real, imag = x.real @ y.real - x.imag @ y.imag, x.real @ y.imag + x.imag @ y.real
    product = np.empty(real.shape, x.dtype)
    product.real, product.imag = real, imag
    return product


def _exact(x: Array, y: Array) -> Array:
    shape = (*np.broadcast_shapes(x.shape[:-2], y.shape[:-2]), x.shape[-2], y.shape[-1])
    product = np.zeros(shape, x.dtype)
    for k in range(x.shape[-1]):
        product += ONE_BY_ONE.product(x[..., :, k : k + 1], y[..., k : k + 1, :])
    return product


def _along_terms(x: Array, y: Array) -> Array:
    """Of rows whose terms lie next to each other in both, registers take as many as they hold."""
    whole = x.shape[-1] // (REGISTER // x.itemsize) * (REGISTER // x.itemsize)
    return _plain(x[..., :whole], y[..., :whole, :]) + _exact(x[..., whole:], y[..., whole:, :])
