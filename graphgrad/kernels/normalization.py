"""Batch normalization, local response normalization and their gradients.

Statistics are taken over all axes but the channels, in float32 for half-precision inputs; results have the
input's dtype.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from math import gcd
from typing import Any

import numpy as np

from graphgrad.kernels import _threads
from graphgrad.kernels._accumulate import wide
from graphgrad.kernels.windows import Windows, channels_back, channels_last, fold, spread, windows
from graphgrad.registry import kernel

BLOCK_ELEMENTS = 1 << 15
RUN_ROWS = 16
MANY = 8  # blocks that are worth waking another thread


class _Rows:
    """A channels-last array as a matrix with several pixels in a row, walked block by block.

    Short rows cost time between rows; a block stays in the cache from pass to pass.
    """

    def __init__(self, x: np.ndarray):
        self.channels = x.shape[-1]
        self.count = x.size // self.channels if self.channels else 0
        self.run = gcd(self.count, RUN_ROWS) if self.count else 1
        self.matrix = wide(x).reshape(-1, self.run * self.channels)

    def blocks(self) -> Iterator[slice]:
        step = max(1, BLOCK_ELEMENTS // max(1, self.matrix.shape[1]))
        for start in range(0, len(self.matrix), step):
            yield slice(start, start + step)

    def along(self, vector: np.ndarray) -> np.ndarray:
        """A per-channel vector, repeated to go with a row of the matrix."""
        return np.tile(vector, self.run)

    def sums(self, of_block: Callable[[slice], np.ndarray]) -> np.ndarray:
        """Per channel the sum of what is computed of every block, which has a value per column."""
        blocks = list(self.blocks())
        parts = np.empty((len(blocks), self.run * self.channels), self.matrix.dtype)

        def add_up(at: int) -> None:
            parts[at] = of_block(blocks[at])

        _spread(add_up, range(len(blocks)))
        return parts.sum(0).reshape(self.run, self.channels).sum(0)


def _spread(work: Callable[[Any], None], blocks: Iterable[Any]) -> None:
    """Works on every block, on several threads where they are many."""
    calls = [partial(work, block) for block in blocks]
    if len(calls) >= MANY:
        _threads.spread(calls)
    else:
        for call in calls:
            call()


def _products(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    return np.einsum("rc,rc->c", left, right)


def _check_channels(channels: int, **vectors: np.ndarray) -> None:
    for name, vector in vectors.items():
        if vector.shape != (channels,):
            raise ValueError(f"{name} must have {channels} elements, its shape is {vector.shape}")


def _normalized(x: np.ndarray, mean: np.ndarray, scale: np.ndarray, offset: np.ndarray | float) -> np.ndarray:
    """(x - mean) * scale + offset, each per channel, in x's dtype."""
    rows = _Rows(x)
    mean, scale, offset = (rows.along(np.broadcast_to(v, rows.channels)) for v in (mean, scale, offset))
    y = np.empty_like(rows.matrix)

    def normalize(block: slice) -> None:
        part = np.subtract(rows.matrix[block], mean, out=y[block])
        part *= scale
        part += offset

    _spread(normalize, rows.blocks())
    return y.reshape(x.shape).astype(x.dtype, copy=False)


def _moments(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and (biased) variance per channel."""
    rows = _Rows(x)
    mean = rows.sums(lambda block: rows.matrix[block].sum(0)) / rows.matrix.dtype.type(rows.count)
    along = rows.along(mean)

    def squares(block: slice) -> np.ndarray:
        centered = rows.matrix[block] - along
        return _products(centered, centered)

    return mean, rows.sums(squares) / rows.matrix.dtype.type(rows.count)


def fused_batch_norm(x, scale, offset, mean, variance, epsilon, exponential_avg_factor, data_format, is_training):
    """y, the running mean and variance, and for the gradient the mean and biased variance as used."""
    x = channels_last(x, data_format)
    channels = x.shape[-1]
    _check_channels(channels, scale=scale, offset=offset)
    if not is_training or exponential_avg_factor != 1:
        _check_channels(channels, mean=mean, variance=variance)
    real = scale.dtype.type
    if not x.size:
        nothing = np.full(channels, np.nan, scale.dtype)
        return channels_back(x, data_format), nothing, nothing, nothing, nothing
    if not is_training:
        used_mean, used_variance = new_mean, new_variance = mean, variance
    else:
        used_mean, used_variance = _moments(x)
        count = x.size // channels
        unbiased = used_variance * real(count / max(1, count - 1))
        if exponential_avg_factor == 1:
            new_mean, new_variance = used_mean, unbiased
        else:
            new, old = real(exponential_avg_factor), real(1 - exponential_avg_factor)
            new_mean, new_variance = old * mean + new * used_mean, old * variance + new * unbiased
    y = _normalized(x, used_mean, scale / np.sqrt(used_variance + real(epsilon)), offset)
    return channels_back(y, data_format), new_mean, new_variance, used_mean, used_variance


@kernel("FusedBatchNorm", "FusedBatchNormV2")
def fused_batch_norm_v2(x, scale, offset, mean, variance, *, epsilon, exponential_avg_factor, data_format, is_training):
    options = (epsilon, exponential_avg_factor, data_format, is_training)
    return fused_batch_norm(x, scale, offset, mean, variance, *options)


@kernel("FusedBatchNormV3")
def fused_batch_norm_v3(x, scale, offset, mean, variance, *, epsilon, exponential_avg_factor, data_format, is_training):
    options = (epsilon, exponential_avg_factor, data_format, is_training)
    return (*fused_batch_norm(x, scale, offset, mean, variance, *options), np.zeros((), scale.dtype))


def fused_batch_norm_grad(dy, x, scale, mean, variance, epsilon, data_format, is_training):
    dy, x = channels_last(dy, data_format), channels_last(x, data_format)
    if dy.shape != x.shape:
        raise ValueError(f"y_backprop has shape {dy.shape} and x {x.shape}")
    _check_channels(x.shape[-1], scale=scale, reserve_space_1=mean, reserve_space_2=variance)
    none = np.zeros(0, scale.dtype)
    if not x.size:
        zeros = np.zeros(x.shape[-1], scale.dtype)
        return channels_back(x, data_format), zeros, zeros, none, none
    rows, dy_rows = _Rows(x), _Rows(dy).matrix
    along = rows.along(mean)
    inverse = 1 / np.sqrt(variance + scale.dtype.type(epsilon))
    doffset = rows.sums(lambda block: dy_rows[block].sum(0))
    along_x = rows.sums(lambda block: _products(dy_rows[block], rows.matrix[block] - along))
    if not is_training:
        dx = _normalized(dy, np.zeros_like(scale), scale * inverse, 0.0)
    else:
        count = scale.dtype.type(rows.count)
        slope = rows.along(along_x / count * inverse * inverse)
        dy_mean, factor = rows.along(doffset / count), rows.along(scale * inverse)
        dx = np.empty_like(rows.matrix)

        def hand_back(block: slice) -> None:
            """dx = (dy - mean(dy) - (x - mean) * slope) * factor"""
            part = np.subtract(rows.matrix[block], along, out=dx[block])
            part *= slope
            np.subtract(dy_rows[block], part, out=part)
            part -= dy_mean
            part *= factor

        _spread(hand_back, rows.blocks())
        dx = dx.reshape(x.shape).astype(x.dtype, copy=False)
    return channels_back(dx, data_format), along_x * inverse, doffset, none, none


@kernel("FusedBatchNormGrad", "FusedBatchNormGradV2")
def fused_batch_norm_grad_v2(dy, x, scale, mean, variance, *, epsilon, data_format, is_training):
    return fused_batch_norm_grad(dy, x, scale, mean, variance, epsilon, data_format, is_training)


@kernel("FusedBatchNormGradV3")
def fused_batch_norm_grad_v3(dy, x, scale, mean, variance, reserved, *, epsilon, data_format, is_training):
    return fused_batch_norm_grad(dy, x, scale, mean, variance, epsilon, data_format, is_training)


@kernel("BatchNormWithGlobalNormalization")
def batch_norm_with_global_normalization(
    x, mean, variance, beta, gamma, *, variance_epsilon, scale_after_normalization
):
    _check_channels(x.shape[-1], mean=mean, variance=variance, beta=beta, gamma=gamma)
    scale = 1 / np.sqrt(wide(variance) + variance_epsilon)
    if scale_after_normalization:
        scale = scale * wide(gamma)
    return _normalized(x, wide(mean), scale, wide(beta))


@kernel("BatchNormWithGlobalNormalizationGrad")
def batch_norm_with_global_normalization_grad(
    x, mean, variance, gamma, dy, *, variance_epsilon, scale_after_normalization
):
    _check_channels(x.shape[-1], mean=mean, variance=variance, gamma=gamma)
    dtype = x.dtype
    rows, dy_rows = _Rows(x), _Rows(dy).matrix
    mean, variance, gamma = wide(mean), wide(variance), wide(gamma)
    along = rows.along(mean)
    inverse = 1 / np.sqrt(variance + variance_epsilon)
    scale = inverse * gamma if scale_after_normalization else inverse
    dbeta = rows.sums(lambda block: dy_rows[block].sum(0))
    along_x = rows.sums(lambda block: _products(dy_rows[block], rows.matrix[block] - along))
    dx = _normalized(dy, np.zeros_like(scale), scale, 0.0)
    dgamma = along_x * inverse if scale_after_normalization else np.zeros_like(gamma)
    dvariance = along_x * scale * inverse * inverse / -2
    return tuple(part.astype(dtype, copy=False) for part in (dx, -dbeta * scale, dvariance, dbeta, dgamma))


def _neighbours(channels: int, radius: int) -> Windows:
    """Every channel with the `radius` channels on either side of it."""
    return windows((channels,), (2 * radius + 1,), (1,), (1,), "EXPLICIT", ((radius, radius),))


def _over_channels(combined: Callable[[np.ndarray], np.ndarray], x: np.ndarray) -> np.ndarray:
    """Applies a function of windows to the channels, as if they were the spatial axis."""
    return combined(x.reshape(-1, x.shape[-1], 1)).reshape(x.shape)


def _response_norm(x: np.ndarray, w: Windows, bias: float, alpha: float) -> np.ndarray:
    return bias + alpha * _over_channels(lambda squares: fold(squares, w, np.add, 0), x * x)


@kernel("LRN")
def lrn(x, *, depth_radius, bias, alpha, beta):
    if not x.size:
        return x
    wide_x, w = wide(x), _neighbours(x.shape[-1], depth_radius)
    return (wide_x * _response_norm(wide_x, w, bias, alpha) ** -beta).astype(x.dtype, copy=False)


@kernel("LRNGrad")
def lrn_grad(dy, x, y, *, depth_radius, bias, alpha, beta):
    """dx = dy * norm**-beta - 2 * alpha * beta * x * (dy * y / norm summed over the windows x lies in)."""
    if not x.size:
        return x
    dtype, w = x.dtype, _neighbours(x.shape[-1], depth_radius)
    dy, x, y = wide(dy), wide(x), wide(y)
    norm = _response_norm(x, w, bias, alpha)
    shared = _over_channels(lambda parts: spread(parts, w), dy * y / norm)
    return (dy * norm**-beta - (2 * alpha * beta) * x * shared).astype(dtype, copy=False)
