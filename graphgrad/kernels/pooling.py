"""Max, average and fractional pooling of any spatial rank, with their first and second gradients.

Where several elements of a window are largest, a gradient flows to the first in row-major order (in three
dimensions to all), as in TensorFlow; padding takes part in nothing.
"""

from __future__ import annotations

from functools import partial, reduce
from math import prod

import numpy as np

from graphgrad.kernels import _fractional, _threads  # noqa: F401  (_fractional registers the fractional pools)
from graphgrad.kernels._accumulate import lowest, wide
from graphgrad.kernels._precision import BFLOAT16
from graphgrad.kernels.windows import (
    Sizes,
    Windows,
    channels_back,
    channels_last,
    delivered,
    explicit_pairs,
    fold,
    hand_back,
    is_channels_first,
    place_for,
    spatial,
    spread,
    taps,
    windows,
    winners,
)
from graphgrad.registry import kernel

BLOCK_BYTES = 1 << 20
CLOSE = 1e-5  # how near its maximum an element must be to share a volume's gradient


def _geometry(
    x: np.ndarray, ksize: Sizes, strides: Sizes, padding: str, data_format: str, explicit_paddings: Sizes = ()
) -> Windows:
    """The windows over a channels-last array; sizes and paddings come in the data format's order."""
    return _windows_of(x.shape, ksize, strides, padding, data_format, explicit_paddings)


def _windows_of(
    shape: Sizes, ksize: Sizes, strides: Sizes, padding: str, data_format: str, explicit_paddings: Sizes = ()
) -> Windows:
    if data_format == "NCHW_VECT_C":
        raise ValueError("pooling in the data format NCHW_VECT_C is not supported")
    if len(ksize) != len(shape) or len(strides) != len(shape):
        raise ValueError(f"ksize and strides must have {len(shape)} entries each")
    channel = 1 if is_channels_first(data_format) else -1
    if {ksize[0], strides[0], ksize[channel], strides[channel]} != {1}:
        raise ValueError("pooling over the batch or channel axis is not supported here")
    explicit = explicit_pairs(explicit_paddings, data_format) if padding == "EXPLICIT" else ()
    sizes, steps = spatial(ksize, data_format), spatial(strides, data_format)
    if any(max(pair) >= size for pair, size in zip(explicit, sizes, strict=False)):
        raise ValueError(f"paddings {list(explicit)} must be smaller than the window {list(sizes)}")
    return windows(tuple(shape[1:-1]), sizes, steps, (1,) * len(sizes), padding, explicit)


def max_pool(x, ksize, strides, padding, data_format, explicit_paddings=(), out=None, by_onednn=True):
    x = channels_last(x, data_format)
    depth = ksize[1 if is_channels_first(data_format) else -1]
    if depth != 1:
        return delivered(_max_pool_channels(x, depth, ksize, strides), x.dtype, data_format, out)
    w = _geometry(x, ksize, strides, padding, data_format, explicit_paddings)
    start = _maximum_of_nothing(x, is_channels_first(data_format), by_onednn)
    place = place_for(out, x.dtype, data_format)
    y = np.empty(_output_shape(x, w), x.dtype) if place is None else place

    def pool(images: slice) -> None:
        best = fold(x[images], w, np.fmax, start)  # of windows of one element the elements themselves
        y[images] = np.fmax(best, start) if w.is_pointwise else best

    _threads.spread(partial(pool, images) for images in _image_blocks(x))
    return delivered(y, x.dtype, data_format, out)


def _maximum_of_nothing(x: np.ndarray, is_turned: bool, by_onednn: bool) -> np.generic:
    """What a window of NaN and -inf has: the lowest number, or -inf where oneDNN takes bfloat16 by registers."""
    in_registers = by_onednn and not (is_turned and x.shape[-1] in (2, 3))
    return x.dtype.type(-np.inf) if x.dtype == BFLOAT16 and in_registers else lowest(x.dtype)


def _image_blocks(x: np.ndarray) -> list[slice]:
    """Images of a block, large enough for calls that go well beside those of another thread."""
    return _threads.cut(len(x), max(1, x.nbytes // BLOCK_BYTES))


def _max_pool_channels(x: np.ndarray, depth: int, ksize: Sizes, strides: Sizes) -> np.ndarray:
    """Pooling over neighbouring channels, which TensorFlow allows alone and without overlap."""
    if prod(ksize) != depth or tuple(strides) != tuple(ksize) or x.shape[-1] % depth:
        raise ValueError(
            "pooling over channels needs equal windows and strides that divide the channels, and nothing else"
        )
    return x.reshape(*x.shape[:-1], -1, depth).max(-1)


@kernel("MaxPool")
def max_pool_v1(x, *, ksize, strides, padding, explicit_paddings, data_format, out=None):
    return max_pool(x, ksize, strides, padding, data_format, explicit_paddings, out, by_onednn=padding != "EXPLICIT")


def _numbers(sizes):
    """Sizes that are an input, which may come in any shape."""
    return tuple(sizes.reshape(-1).tolist())


@kernel("MaxPoolV2")
def max_pool_v2(x, ksize, strides, *, padding, data_format):
    return max_pool(x, _numbers(ksize), _numbers(strides), padding, data_format, by_onednn=False)


@kernel("MaxPool3D")
def max_pool_3d(x, *, ksize, strides, padding, data_format):
    return max_pool(x, ksize, strides, padding, data_format)


def _check_shape(name: str, array: np.ndarray, expected: Sizes) -> None:
    if array.shape != expected:
        raise ValueError(f"{name} has shape {array.shape} in channels-last order, expected {expected}")


def _output_shape(x: np.ndarray, w: Windows) -> Sizes:
    return (x.shape[0], *w.outputs, x.shape[-1])


def max_pool_grad(x, y, dy, ksize, strides, padding, data_format, explicit_paddings=(), out=None):
    x, y, dy = (channels_last(array, data_format) for array in (x, y, dy))
    w = _geometry(x, ksize, strides, padding, data_format, explicit_paddings)
    _check_shape("orig_output", y, _output_shape(x, w))
    _check_shape("grad", dy, _output_shape(x, w))
    dtype, dy = dy.dtype, wide(dy)
    place = place_for(out, dtype, data_format)
    dx = np.empty(x.shape, dy.dtype) if place is None else place

    def one_block(images: slice) -> None:
        dx[images] = 0
        hand_back(x[images], dy[images], w, dx[images])

    _threads.spread(partial(one_block, images) for images in _image_blocks(x))
    return delivered(dx, dtype, data_format, out)


def max_pool_grad_grad(x, y, ddx, ksize, strides, padding, data_format):
    """Reads ddx where x first equals y, its window's maximum; 0 where it never does."""
    x, y, ddx = (channels_last(array, data_format) for array in (x, y, ddx))
    w = _geometry(x, ksize, strides, padding, data_format)
    _check_shape("orig_output", y, _output_shape(x, w))
    _check_shape("grad", ddx, x.shape)
    ddy = np.zeros(y.shape, ddx.dtype)
    for _, outputs, inputs in reversed(taps(w)):
        np.copyto(ddy[outputs], ddx[inputs], where=x[inputs] == y[outputs])
    return channels_back(ddy, data_format)


@kernel("MaxPoolGrad")
def max_pool_grad_v1(x, y, dy, *, ksize, strides, padding, explicit_paddings, data_format, out=None):
    return max_pool_grad(x, y, dy, ksize, strides, padding, data_format, explicit_paddings, out)


@kernel("MaxPoolGradV2")
def max_pool_grad_v2(x, y, dy, ksize, strides, *, padding, data_format):
    return max_pool_grad(x, y, dy, _numbers(ksize), _numbers(strides), padding, data_format)


@kernel("MaxPoolGradGrad")
def max_pool_grad_grad_v1(x, y, ddx, *, ksize, strides, padding, data_format):
    return max_pool_grad_grad(x, y, ddx, ksize, strides, padding, data_format)


@kernel("MaxPoolGradGradV2")
def max_pool_grad_grad_v2(x, y, ddx, ksize, strides, *, padding, data_format):
    return max_pool_grad_grad(x, y, ddx, _numbers(ksize), _numbers(strides), padding, data_format)


@kernel("MaxPool3DGrad")
def max_pool_3d_grad(x, y, dy, *, ksize, strides, padding, data_format):
    """Of the largest elements of a window the first; where y is another's result, those near it: TensorFlow runs two kernels."""
    x, y, dy = (channels_last(array, data_format) for array in (x, y, dy))
    w = _geometry(x, ksize, strides, padding, data_format)
    _check_shape("orig_output", y, _output_shape(x, w))
    _check_shape("grad", dy, _output_shape(x, w))
    dx = np.zeros(x.shape, wide(dy).dtype)
    if np.array_equal(y, fold(x, w, np.maximum, x.dtype.type(-np.inf))):
        hand_back(x, wide(dy), w, dx)
        return channels_back(dx.astype(dy.dtype, copy=False), data_format)
    for _, outputs, inputs in taps(w):
        dx_tap = dx[inputs]
        np.add(dx_tap, dy[outputs], out=dx_tap, where=np.abs(x[inputs] - y[outputs]) < CLOSE)
    return channels_back(dx.astype(dy.dtype, copy=False), data_format)


@kernel("MaxPool3DGradGrad")
def max_pool_3d_grad_grad(x, y, ddx, *, ksize, strides, padding, data_format):
    return max_pool_grad_grad(x, y, ddx, ksize, strides, padding, data_format)


@kernel("MaxPoolWithArgmax")
def max_pool_with_argmax(x, *, ksize, strides, padding, include_batch_in_index, Targmax):
    w = _geometry(x, ksize, strides, padding, "NHWC")
    best, winner = winners(x, w)
    batch, _, width, channels = x.shape
    positions = [
        (np.arange(outputs) * stride - before).reshape(-1, *(1,) * (x.ndim - 2 - axis))
        for axis, (outputs, stride, before) in enumerate(zip(w.outputs, w.strides, w.before, strict=True))
    ]
    tap_row, tap_column = np.divmod(winner, w.kernel[1])
    index = ((positions[0] + tap_row) * width + positions[1] + tap_column) * channels + np.arange(channels)
    if include_batch_in_index:
        index += (np.arange(batch) * prod(x.shape[1:])).reshape(-1, 1, 1, 1)
    return best, index.astype(Targmax)


def _argmax_in_batch(x: np.ndarray, argmax: np.ndarray, include_batch_in_index: bool) -> np.ndarray:
    """Positions in the flattened input."""
    index = argmax.astype(np.int64, copy=False)
    if not include_batch_in_index:
        index = index + (np.arange(len(argmax)) * prod(x.shape[1:])).reshape(-1, *(1,) * (argmax.ndim - 1))
    if index.size and not 0 <= index.min() <= index.max() < x.size:
        raise ValueError(f"argmax points outside the input of {x.size} elements")
    return index


def _check_images(*batches: np.ndarray) -> None:
    for batch in batches:
        if batch.ndim != 4:
            raise ValueError(f"images must have 4 axes, not the shape {list(batch.shape)}")


@kernel("MaxPoolGradWithArgmax")
def max_pool_grad_with_argmax(x, dy, argmax, *, include_batch_in_index):
    _check_images(x, dy, argmax)
    index = _argmax_in_batch(x, argmax, include_batch_in_index)
    dx = np.zeros(x.size, wide(dy).dtype)
    np.add.at(dx, index.reshape(-1), wide(dy).reshape(-1))
    return dx.reshape(x.shape).astype(dy.dtype, copy=False)


@kernel("MaxPoolGradGradWithArgmax")
def max_pool_grad_grad_with_argmax(x, ddx, argmax, *, include_batch_in_index):
    _check_images(x, ddx, argmax)
    return ddx.reshape(-1)[_argmax_in_batch(x, argmax, include_batch_in_index)]


def _counts(w: Windows, dtype: np.dtype) -> np.ndarray:
    """How many input elements each window holds, (*outputs, 1)."""
    along = []
    for size, kernel_size, stride, before, outputs in zip(
        w.inputs, w.kernel, w.strides, w.before, w.outputs, strict=True
    ):
        first = np.arange(outputs) * stride - before
        along.append(np.minimum(first + kernel_size, size) - np.maximum(first, 0))
    return reduce(np.multiply.outer, along)[..., None].astype(dtype)


@kernel("AvgPool", "AvgPool3D")
def avg_pool(x, *, ksize, strides, padding, data_format):
    dtype, x = x.dtype, channels_last(x, data_format)
    w = _geometry(x, ksize, strides, padding, data_format)
    total = fold(wide(x), w, np.add, 0)
    return channels_back((total / _counts(w, total.dtype)).astype(dtype, copy=False), data_format)


@kernel("AvgPoolGrad", "AvgPool3DGrad")
def avg_pool_grad(shape, dy, *, ksize, strides, padding, data_format):
    dtype, dy, shape = dy.dtype, channels_last(dy, data_format), tuple(shape.tolist())
    if is_channels_first(data_format):
        shape = (shape[0], *shape[2:], shape[1])
    w = _windows_of(shape, ksize, strides, padding, data_format)
    _check_shape("grad", dy, (shape[0], *w.outputs, shape[-1]))
    dy = wide(dy)
    return channels_back(spread(dy / _counts(w, dy.dtype), w).astype(dtype, copy=False), data_format)
