"""Batch normalization, local response normalization and their gradients.

Statistics are taken over all axes but the channels, in float32 for half-precision inputs; results have the
input's dtype.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache, partial

import numpy as np

from graphgrad.kernels import _threads
from graphgrad.kernels._accumulate import wide
from graphgrad.kernels._checks import vector
from graphgrad.kernels.windows import Windows, channels_last, delivered, fold, place_for, spread, windows
from graphgrad.registry import kernel

BLOCK_ELEMENTS = 1 << 18
ROW_ELEMENTS, MOST_RUN = 1 << 13, 256


class _Rows:
    """A channels-last array as a matrix with several pixels in a row, walked block by block.

    Short rows cost time between rows; a block stays in the cache from pass to pass.
    """

    def __init__(self, x: np.ndarray):
        self.channels = x.shape[-1]
        self.count = x.size // self.channels if self.channels else 0
        self.run = _run(self.count, self.channels)
        self.matrix = wide(x).reshape(-1, self.run * self.channels)
        self.is_wide = self.matrix.size >= 3 * BLOCK_ELEMENTS  # worth waking a thread for

    def blocks(self) -> list[slice]:
        return _threads.cut(len(self.matrix), -(-self.matrix.size // BLOCK_ELEMENTS))

    def spread(self, work: Callable[[slice], None]) -> None:
        """Works on every block, on several threads where they are wide."""
        calls = [partial(work, block) for block in self.blocks()]
        if self.is_wide:
            _threads.spread(calls)
        else:
            for call in calls:
                call()

    def along(self, vector: np.ndarray) -> np.ndarray:
        """A per-channel vector, repeated to go with a row of the matrix."""
        return np.tile(vector, self.run)

    def over_runs(self, row: np.ndarray) -> np.ndarray:
        """A value per column as one per channel."""
        return row.reshape(-1, self.run, self.channels).sum(1).reshape(*row.shape[:-1], self.channels)

    def sums(self, of_block: Callable[[slice], Iterable[np.ndarray]]) -> np.ndarray:
        """Per channel the sums of what is computed of every block: some rows of a value per column."""
        found = {}

        def add_up(block: slice) -> None:
            found[block.start] = of_block(block)

        self.spread(add_up)
        parts = np.array([found[start] for start in sorted(found)])
        return self.over_runs(parts.sum(0))


@cache
def _run(count: int, channels: int) -> int:
    """How many of so many pixels go in a row: as many as make it long."""
    most = min(MOST_RUN, ROW_ELEMENTS // max(1, channels), count)
    return next((run for run in range(most, 1, -1) if count % run == 0), 1)


def _over_rows(matrix: np.ndarray) -> np.ndarray:
    """The sum of the rows."""
    return np.ones(len(matrix), matrix.dtype) @ matrix


def _check_rank(x: np.ndarray, data_format: str) -> None:
    if x.ndim != len(data_format):
        raise ValueError(f"the input must have {len(data_format)} axes ({data_format}), not the shape {list(x.shape)}")


def _check_channels(channels: int, **vectors: np.ndarray) -> None:
    for name, numbers in vectors.items():
        if numbers.shape != (channels,):
            raise ValueError(f"{name} must have {channels} elements, its shape is {numbers.shape}")


def _normalized(
    x: np.ndarray, mean: np.ndarray, scale: np.ndarray, offset: np.ndarray | float, out: np.ndarray | None = None
) -> np.ndarray:
    """(x - mean) * scale + offset, each per channel, in x's dtype."""
    rows = _Rows(x)
    mean, scale, offset = (rows.along(np.broadcast_to(v, rows.channels)) for v in (mean, scale, offset))
    y = _like(rows.matrix, out)

    def normalize(block: slice) -> None:
        part = np.subtract(rows.matrix[block], mean, out=y[block])
        part *= scale
        part += offset

    rows.spread(normalize)
    return y.reshape(x.shape).astype(x.dtype, copy=False)


def _like(matrix: np.ndarray, out: np.ndarray | None) -> np.ndarray:
    """An array for a result like the matrix: what is given, where it is of its dtype."""
    return np.empty_like(matrix) if out is None or out.dtype != matrix.dtype else out.reshape(matrix.shape)


def _moments(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and (biased) variance per channel.

    Every block is read once: its squares are taken around its own means, and what these are away from the mean is added.
    """
    rows = _Rows(x)
    count = rows.matrix.dtype.type(rows.count)
    if len(rows.blocks()) == 1:
        mean = rows.over_runs(_over_rows(rows.matrix)) / count
        centered = rows.matrix - rows.along(mean)
        return mean, rows.over_runs(_over_rows(np.square(centered, centered))) / count
    found = {}

    def measure(block: slice) -> None:
        part = rows.matrix[block]
        mean = _over_rows(part) / part.dtype.type(len(part))
        centered = np.subtract(part, mean, out=_threads.scratch("block", part.shape, part.dtype))
        found[block.start] = len(part), mean, _over_rows(np.square(centered, centered))

    rows.spread(measure)
    counts, means, squares = (np.array(part) for part in zip(*(found[start] for start in sorted(found)), strict=True))
    counts = counts.astype(means.dtype).reshape(-1, 1)
    mean = rows.over_runs((means * counts).sum(0)) / count
    squares += counts * (means - rows.along(mean)) ** 2
    return mean, rows.over_runs(squares.sum(0)) / count


def fused_batch_norm(
    x, scale, offset, mean, variance, epsilon, exponential_avg_factor, data_format, is_training, out=None
):
    """y, the running mean and variance, and for the gradient the mean and biased variance as used."""
    _check_rank(x, data_format)
    dtype, x = x.dtype, channels_last(x, data_format)
    channels = x.shape[-1]
    _check_channels(channels, scale=scale, offset=offset)
    for name, moment in (("mean", mean), ("variance", variance)):
        vector(moment, name)
    if not is_training or exponential_avg_factor != 1:
        _check_channels(channels, mean=mean, variance=variance)
    real = scale.dtype.type
    if not x.size:
        nothing = np.full(channels, np.nan, scale.dtype)
        return delivered(x, dtype, data_format, out), nothing, nothing, nothing, nothing
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
    factor = scale / np.sqrt(used_variance + real(epsilon))
    y = _normalized(x, used_mean, factor, offset, place_for(out, dtype, data_format))
    return delivered(y, dtype, data_format, out), new_mean, new_variance, used_mean, used_variance


@kernel("FusedBatchNorm", "FusedBatchNormV2")
def fused_batch_norm_v2(
    x, scale, offset, mean, variance, *, epsilon, exponential_avg_factor, data_format, is_training, out=None
):
    options = (epsilon, exponential_avg_factor, data_format, is_training, out)
    return fused_batch_norm(x, scale, offset, mean, variance, *options)


@kernel("FusedBatchNormV3")
def fused_batch_norm_v3(
    x, scale, offset, mean, variance, *, epsilon, exponential_avg_factor, data_format, is_training, out=None
):
    options = (epsilon, exponential_avg_factor, data_format, is_training, out)
    return (*fused_batch_norm(x, scale, offset, mean, variance, *options), np.zeros((), scale.dtype))


def _sums_of_gradient(rows: _Rows, dy_rows: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """Per channel the sums of dy and of dy * (x - mean)."""

    def of_block(block: slice) -> list[np.ndarray]:
        x, dy = rows.matrix[block], dy_rows[block]
        centered = np.subtract(x, mean, out=_threads.scratch("block", x.shape, x.dtype))
        return [_over_rows(dy), _over_rows(np.multiply(dy, centered, centered))]

    return rows.sums(of_block)


def fused_batch_norm_grad(dy, x, scale, mean, variance, epsilon, data_format, is_training, out=None):
    dtype, place = x.dtype, place_for(out, x.dtype, data_format)
    _check_rank(x, data_format)
    dy, x = channels_last(dy, data_format), channels_last(x, data_format)
    if dy.shape != x.shape:
        raise ValueError(f"y_backprop has shape {dy.shape} and x {x.shape}")
    _check_channels(x.shape[-1], scale=scale, reserve_space_1=mean, reserve_space_2=variance)
    none = np.zeros(0, scale.dtype)
    if not x.size:
        zeros = np.zeros(x.shape[-1], scale.dtype)
        return delivered(x, dtype, data_format, out), zeros, zeros, none, none
    rows, dy_rows = _Rows(x), _Rows(dy).matrix
    along = rows.along(mean)
    inverse = 1 / np.sqrt(variance + scale.dtype.type(epsilon))
    doffset, along_x = _sums_of_gradient(rows, dy_rows, along)
    if not is_training:
        dx = _normalized(dy, np.zeros_like(scale), scale * inverse, 0.0, place)
    else:
        count = scale.dtype.type(rows.count)
        slope = rows.along(along_x / count * inverse * inverse)
        dy_mean, factor = rows.along(doffset / count), rows.along(scale * inverse)
        dx = _like(rows.matrix, place)

        def hand_back(block: slice) -> None:
            """dx = (dy - mean(dy) - (x - mean) * slope) * factor"""
            part = np.subtract(rows.matrix[block], along, out=dx[block])
            part *= slope
            np.subtract(dy_rows[block], part, out=part)
            part -= dy_mean
            part *= factor

        rows.spread(hand_back)
        dx = dx.reshape(x.shape)
    return delivered(dx, dtype, data_format, out), along_x * inverse, doffset, none, none


@kernel("FusedBatchNormGrad", "FusedBatchNormGradV2")
def fused_batch_norm_grad_v2(dy, x, scale, mean, variance, *, epsilon, data_format, is_training, out=None):
    return fused_batch_norm_grad(dy, x, scale, mean, variance, epsilon, data_format, is_training, out)


@kernel("FusedBatchNormGradV3")
def fused_batch_norm_grad_v3(dy, x, scale, mean, variance, reserved, *, epsilon, data_format, is_training, out=None):
    return fused_batch_norm_grad(dy, x, scale, mean, variance, epsilon, data_format, is_training, out)


@kernel("BatchNormWithGlobalNormalization")
def batch_norm_with_global_normalization(
    x, mean, variance, beta, gamma, *, variance_epsilon, scale_after_normalization
):
    _check_rank(x, "NHWC")
    _check_channels(x.shape[-1], mean=mean, variance=variance, beta=beta, gamma=gamma)
    if not x.size:
        return x
    scale = 1 / np.sqrt(wide(variance) + variance_epsilon)
    if scale_after_normalization:
        scale = scale * wide(gamma)
    return _normalized(x, wide(mean), scale, wide(beta))


@kernel("BatchNormWithGlobalNormalizationGrad")
def batch_norm_with_global_normalization_grad(
    x, mean, variance, gamma, dy, *, variance_epsilon, scale_after_normalization
):
    _check_rank(x, "NHWC")
    _check_channels(x.shape[-1], mean=mean, variance=variance, gamma=gamma)
    dtype, none = x.dtype, np.zeros_like(mean)
    if not x.size:
        return x, none, none, none, none
    rows, dy_rows = _Rows(x), _Rows(dy).matrix
    mean, variance, gamma = wide(mean), wide(variance), wide(gamma)
    along = rows.along(mean)
    inverse = 1 / np.sqrt(variance + variance_epsilon)
    scale = inverse * gamma if scale_after_normalization else inverse
    dbeta, along_x = _sums_of_gradient(rows, dy_rows, along)
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
    """A product with the band of neighbours sums the squares: an infinity meets the zeros beside the band, as in TensorFlow."""
    if not x.size:
        return x
    wide_x, channels = wide(x), np.arange(x.shape[-1])
    band = (np.abs(channels[:, None] - channels) <= depth_radius).astype(wide_x.dtype)
    norm = bias + alpha * (np.square(wide_x) @ band)
    return (wide_x * norm**-beta).astype(x.dtype, copy=False)


@kernel("LRNGrad")
def lrn_grad(dy, x, y, *, depth_radius, bias, alpha, beta):
    """dx = dy * norm**-beta - 2 * alpha * beta * x * (dy * y / norm summed over the windows x lies in)."""
    if not x.size:
        return x
    dtype, w = x.dtype, _neighbours(x.shape[-1], depth_radius)
    dy, x, y = wide(dy), wide(x), wide(y)
    norm = _response_norm(x, w, bias, alpha)
    shared = _over_channels(lambda parts: spread(parts, w), dy * y / norm)
    dx = dy * norm**-beta - (2 * alpha * beta) * x * shared
    if not np.isfinite(dx).all():
        dx = _unbounded_lrn_grad(dy, x, y, norm, depth_radius, alpha, beta)
    return dx.astype(dtype, copy=False)


def _unbounded_lrn_grad(dy, x, y, norm, depth_radius, alpha, beta):
    """What an element owes itself, directly and by its norm, is added up before it meets a gradient that is infinite."""
    channels = np.arange(x.shape[-1])
    factors = -2 * alpha * beta * x[..., :, None] * y[..., None, :] / norm[..., None, :]
    factors[..., channels, channels] += norm**-beta
    reached = np.abs(channels[:, None] - channels) <= depth_radius
    return np.where(reached, factors * dy[..., None, :], 0).sum(-1)
