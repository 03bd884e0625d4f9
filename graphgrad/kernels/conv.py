"""Convolutions of any spatial rank, grouped and depthwise ones, grey-scale dilation, and their gradients.

All are written once over N-D windows with channels last; the work is left to a few large matrix products,
whose columns are copied block by block into one buffer small enough for the cache.
"""

from __future__ import annotations

import threading
from functools import partial
from math import prod
from typing import Any, ClassVar

import numpy as np

from graphgrad.kernels import _depthwise, _dilation, _threads  # noqa: F401  (_dilation registers its ops)
from graphgrad.kernels._accumulate import wide
from graphgrad.kernels._precision import BFLOAT16
from graphgrad.kernels._unreached import add_zeros_times_filters, add_zeros_times_images, filter_gradient_by_taps
from graphgrad.kernels.windows import (
    Sizes,
    Windows,
    channels_last,
    check_gradient,
    delivered,
    geometry,
    interior,
    is_channels_first,
    padded_sizes,
    patches,
    place_for,
    span,
    taps,
)
from graphgrad.registry import kernel

COLUMN_BYTES = 1 << 20
COLUMN_ROWS = 256
FEW_CHANNELS = 16
FILTER_SHARES = 4  # parts of the sum over blocks that are added up side by side
SHORT_RUN = 8
BY_ONEDNN = (np.dtype(np.float32), BFLOAT16)  # whose convolutions TensorFlow leaves to that library


def _groups(channels: int, filter_shape: Sizes) -> int:
    """How many groups of channels a filter of images is meant for; the channels of volumes are one."""
    depth, outputs = filter_shape[-2:]
    groups = channels // depth if depth else 0
    fits = depth and groups * depth == channels and (not channels or outputs % groups == 0)
    if not fits or (groups > 1 and len(filter_shape) == 5):
        raise ValueError(f"{channels} input channels do not fit a filter of shape {tuple(filter_shape)}")
    return groups


class _Columns:
    """The windows of blocks of images, or of rows of one image, as matrices (groups, windows, taps * depth).

    Each thread copies them into scratch of its own, which it uses again for its next block and its next convolution.
    """

    _scratch: ClassVar[Any] = threading.local()  # the images that are padded, and whose they are

    def __init__(self, x: np.ndarray, w: Windows, groups: int):
        self.x, self.w, self.groups, self._key = x, w, groups, object()
        batch, channels = x.shape[0], x.shape[-1]
        self.row_windows, self.width = prod(w.outputs[1:]), prod(w.kernel) * channels
        rows = max(COLUMN_ROWS, COLUMN_BYTES // max(1, self.width * x.itemsize)) // max(1, self.row_windows)
        self.images = min(batch, max(1, rows // max(1, w.outputs[0])))
        self.rows = max(1, min(rows, w.outputs[0]))
        self.short_runs = w.kernel[-1] * channels // groups < SHORT_RUN
        # The images, and the rows of the first spatial axis, of each block.
        self.blocks = [
            (images, rows)
            for images in _threads.cut(batch, -(-batch // self.images))
            for rows in _threads.cut(w.outputs[0], -(-w.outputs[0] // self.rows))
        ]

    def of(self, images: slice, rows: slice) -> np.ndarray:
        """The matrices of a block."""
        rank = len(self.w.kernel)
        part = self._windows(images)[:, :, rows]
        if self.short_runs:  # a column, not a row, is what lies together
            part = np.moveaxis(part, range(1, rank + 2), range(-rank - 1, 0))
        columns = _threads.scratch("columns", part.shape, part.dtype)
        np.copyto(columns, part)
        if self.short_runs:
            return columns.reshape(self.groups, self.width // self.groups, -1).swapaxes(1, 2)
        return columns.reshape(self.groups, -1, self.width // self.groups)

    def _windows(self, images: slice) -> np.ndarray:
        """The windows over images as a view, (groups, images, *outputs, *kernel, depth)."""
        w, x, scratch = self.w, self.x[images], self._scratch
        if w.is_padded:
            if getattr(scratch, "holds", None) != (self._key, images):
                scratch.padded = _padded(x, w)
                scratch.holds = self._key, images
            x = scratch.padded
        source = patches(x, w)
        source = source.reshape(*source.shape[:-1], self.groups, x.shape[-1] // self.groups)
        return np.moveaxis(source, -2, 0)


def _padded(x: np.ndarray, w: Windows) -> np.ndarray:
    """x with zeros around it, in scratch; x itself where there are none."""
    if not w.is_padded:
        return x
    padded = _threads.scratch("padded", (len(x), *padded_sizes(w), x.shape[-1]), x.dtype)
    padded[...] = 0
    padded[interior(w)] = x
    return padded


def _by_group(y: np.ndarray, groups: int) -> np.ndarray:
    """(..., channels) as (groups, rows, channels of a group), a view of a contiguous array."""
    return y.reshape(-1, groups, y.shape[-1] // groups).swapaxes(0, 1)


def _filter_matrices(filters: np.ndarray, groups: int) -> np.ndarray:
    """(*kernel, depth, outputs) as (groups, taps * depth, outputs of a group)."""
    return _by_group(filters.reshape(-1, filters.shape[-1]), groups)


def correlate(x: np.ndarray, filters: np.ndarray, w: Windows, out: np.ndarray | None = None) -> np.ndarray:
    """(batch, *inputs, channels) convolved with (*kernel, depth, filters): (batch, *outputs, filters).

    This and its gradients write into `out`, which lies in one piece, where it is given.
    """
    groups = _groups(x.shape[-1], filters.shape)
    y = np.empty((x.shape[0], *w.outputs, filters.shape[-1]), x.dtype) if out is None else out
    if not y.size or not filters.size:
        y[...] = 0
        return y
    if groups == 1 and w.is_pointwise:
        pixels = x[_strided(w)].reshape(-1, x.shape[-1])
        _threads.matmul(pixels, filters.reshape(filters.shape[-2:]), y.reshape(-1, y.shape[-1]))
        return y
    if groups > 1 and filters.shape[-2] == 1:
        return _depthwise.convolve(x, filters.reshape(*w.kernel, groups, -1), w, y)
    matrices, columns = _filter_matrices(filters, groups), _Columns(x, w, groups)

    def multiply(images: slice, rows: slice) -> None:
        _multiply(columns.of(images, rows), matrices, _by_group(y[images, rows], groups))

    _threads.spread(partial(multiply, *block) for block in columns.blocks)
    return y


def _multiply(x: np.ndarray, y: np.ndarray, out: np.ndarray) -> np.ndarray:
    """Products of the matrices of each group."""
    if len(x) > 1:
        return np.matmul(x, y, out)
    _threads.matmul(x[0], y[0], out[0])
    return out


def _strided(w: Windows) -> tuple[slice, ...]:
    return (slice(None), *(slice(None, None, stride) for stride in w.strides))


def correlate_input_gradient(
    dy: np.ndarray, filters: np.ndarray, w: Windows, channels: int, out: np.ndarray | None = None
) -> np.ndarray:
    """What `correlate` hands back to its input."""
    groups = _groups(channels, filters.shape)
    dx = np.empty((dy.shape[0], *w.inputs, channels), dy.dtype) if out is None else out
    if not dy.size or not filters.size:
        dx[...] = 0
        return dx
    if groups > 1 and filters.shape[-2] == 1:
        return _depthwise.input_gradient(dy, filters.reshape(*w.kernel, groups, -1), w, dx)
    turned = _turned(w) if np.isfinite(filters).all() else None  # or NaN would come of the zeros around dy
    pixels, features = dy.size // dy.shape[-1], dy.shape[-1]
    copied = pixels * features + 2 * channels * features  # per tap: columns, and filters to transpose
    if turned is not None and copied < 3 * pixels * channels:
        return correlate(dy, _transposed(filters, groups), turned, dx)
    if groups == 1 and channels < FEW_CHANNELS:
        return _spread_planes(dy, filters, w, dx)
    images = max(1, COLUMN_BYTES // (prod(w.outputs) * channels * dy.itemsize))

    def add_up(block: slice) -> None:
        rows, dx_block = _by_group(dy[block], groups), dx[block]
        dx_block[...] = 0
        part = np.empty((len(dx_block), *w.outputs, channels), dy.dtype)
        for tap, outputs, inputs in taps(w):
            _multiply(rows, _by_group(filters[tap], groups).swapaxes(1, 2), _by_group(part, groups))
            dx_tap = dx_block[inputs]
            dx_tap += part[outputs]

    _threads.spread(partial(add_up, slice(image, image + images)) for image in range(0, len(dx), images))
    return dx


def _spread_planes(dy: np.ndarray, filters: np.ndarray, w: Windows, out: np.ndarray) -> np.ndarray:
    """The input gradient where channels are few: one product for all taps, added up plane by plane, image by image."""
    channels, by_tap = filters.shape[-2], filters.reshape(-1, filters.shape[-1])
    images = max(1, COLUMN_BYTES // (len(by_tap) * prod(w.outputs) * dy.itemsize))

    def add_up(block: slice) -> None:
        rows = dy[block]
        planes = _threads.scratch("columns", (len(by_tap), rows.size // rows.shape[-1]), dy.dtype)
        _threads.matmul(by_tap, rows.reshape(-1, rows.shape[-1]).T, planes)
        planes = planes.reshape(*w.kernel, channels, len(rows), *w.outputs)
        dx = _threads.scratch("planes", (channels, len(rows), *w.inputs), dy.dtype)
        dx[...] = 0
        for tap, outputs, inputs in taps(w):
            dx_tap = dx[(slice(None), *inputs)]
            dx_tap += planes[tap][(slice(None), *outputs)]
        out[block] = np.moveaxis(dx, 0, -1)

    _threads.spread(partial(add_up, block) for block in _threads.cut(len(dy), -(-len(dy) // images)))
    return out


def _turned(w: Windows) -> Windows | None:
    """The windows over dy of which dx is a plain convolution; None where strides leave gaps."""
    spans = tuple(map(span, w.kernel, w.dilations))
    before = tuple(s - 1 - b for s, b in zip(spans, w.before, strict=True))
    after = tuple(
        size + s - 1 - outputs - b for size, s, outputs, b in zip(w.inputs, spans, w.outputs, before, strict=True)
    )
    if set(w.strides) != {1} or min(before) < 0 or min(after) < 0:
        return None
    return Windows(w.outputs, w.kernel, w.strides, w.dilations, before, after, w.inputs)


def _transposed(filters: np.ndarray, groups: int) -> np.ndarray:
    """The filters turned around in space, with inputs and outputs exchanged inside each group."""
    kernel_sizes, (depth, outputs) = filters.shape[:-2], filters.shape[-2:]
    turned = np.flip(filters, tuple(range(len(kernel_sizes)))).reshape(-1, depth, groups, outputs // groups)
    return turned.transpose(0, 3, 2, 1).reshape(*kernel_sizes, outputs // groups, groups * depth)


def correlate_filter_gradient(
    x: np.ndarray, dy: np.ndarray, w: Windows, depth: int, out: np.ndarray | None = None
) -> np.ndarray:
    """What `correlate` hands back to its filters."""
    filter_shape = (*w.kernel, depth, dy.shape[-1])
    groups = _groups(x.shape[-1], filter_shape)
    dfilters = np.empty(filter_shape, x.dtype) if out is None else out
    if not x.size or not dy.size:
        dfilters[...] = 0
        return dfilters
    dy = np.ascontiguousarray(dy)
    if groups == 1 and w.is_pointwise:
        pixels = x[_strided(w)].reshape(-1, x.shape[-1])
        _threads.matmul(pixels.T, dy.reshape(-1, dy.shape[-1]), dfilters.reshape(-1, dy.shape[-1]))
        return dfilters
    if groups > 1 and depth == 1:
        dfilters[...] = _depthwise.filter_gradient(x, dy, w).reshape(filter_shape)
        return dfilters
    columns = _Columns(x, w, groups)
    shares = _threads.cut(len(columns.blocks), FILTER_SHARES)
    totals = np.empty((len(shares), groups, prod(w.kernel) * depth, dy.shape[-1] // groups), x.dtype)
    if groups == len(shares) == 1:
        totals = dfilters.reshape(totals.shape)

    def add_up(total: np.ndarray, blocks: list[tuple[slice, slice]]) -> None:
        part = total if len(blocks) == 1 else np.empty_like(total)
        for at, (images, rows) in enumerate(blocks):
            place = part if at else total
            _multiply(columns.of(images, rows).swapaxes(1, 2), _by_group(dy[images, rows], groups), place)
            if at:
                total += part

    _threads.spread(partial(add_up, total, columns.blocks[share]) for total, share in zip(totals, shares, strict=True))
    if not np.may_share_memory(totals, dfilters):
        dfilters[...] = totals.sum(0).swapaxes(0, 1).reshape(filter_shape)
    return dfilters


def convolve(
    x: np.ndarray,
    filters: np.ndarray,
    strides: Sizes,
    padding: str,
    data_format: str,
    dilations: Sizes,
    explicit_paddings: Sizes = (),
    out: np.ndarray | None = None,
) -> np.ndarray:
    dtype, x = x.dtype, channels_last(x, data_format)
    w = geometry(x.shape, filters.shape[:-2], strides, padding, explicit_paddings, data_format, dilations)
    y = correlate(wide(x), wide(filters), w, place_for(out, dtype, data_format))
    return delivered(y, dtype, data_format, out)


def input_gradient(
    x_shape: Sizes,
    filters: np.ndarray,
    dy: np.ndarray,
    strides: Sizes,
    padding: str,
    data_format: str,
    dilations: Sizes,
    explicit_paddings: Sizes = (),
    out: np.ndarray | None = None,
    spreads: bool = False,
) -> np.ndarray:
    """`x_shape` in the order of the data format, or its spatial sizes alone; `spreads` where TensorFlow's own kernel puts zeros
    between the gradients of distant windows."""
    dtype, dy = dy.dtype, channels_last(dy, data_format)
    if len(x_shape) == dy.ndim - 2:
        x_shape = (dy.shape[0], *x_shape, filters.shape[-2])
    elif is_channels_first(data_format):
        x_shape = (x_shape[0], *x_shape[2:], x_shape[1])
    w = geometry(x_shape, filters.shape[:-2], strides, padding, explicit_paddings, data_format, dilations)
    check_gradient(dy, x_shape, filters.shape[-1], w)
    dx = correlate_input_gradient(wide(dy), wide(filters), w, x_shape[-1], place_for(out, dtype, data_format))
    if spreads and not np.isfinite(filters).all():
        add_zeros_times_filters(dx, wide(filters).reshape(*w.kernel, x_shape[-1], -1), w)
    return delivered(dx, dtype, data_format, out)


def filter_gradient(
    x: np.ndarray,
    filter_shape: Sizes,
    dy: np.ndarray,
    strides: Sizes,
    padding: str,
    data_format: str,
    dilations: Sizes,
    explicit_paddings: Sizes = (),
    out: np.ndarray | None = None,
    spreads: bool = False,
) -> np.ndarray:
    """`spreads` as of `input_gradient`."""
    x, dy = channels_last(x, data_format), channels_last(dy, data_format)
    w = geometry(x.shape, filter_shape[:-2], strides, padding, explicit_paddings, data_format, dilations)
    check_gradient(dy, x.shape, filter_shape[-1], w)
    dfilters = correlate_filter_gradient(wide(x), wide(dy), w, filter_shape[-2], place_for(out, x.dtype, "NHWC"))
    if (spreads or x.dtype in BY_ONEDNN) and not np.isfinite(dfilters).all():
        dfilters[...] = filter_gradient_by_taps(wide(x), wide(dy), w, filter_shape, _groups(x.shape[-1], filter_shape))
    if spreads and not np.isfinite(x).all():
        add_zeros_times_images(dfilters, wide(x), w)
    return delivered(dfilters, x.dtype, "NHWC", out)


def _sizes(vector: np.ndarray) -> Sizes:
    return tuple(vector.tolist())


@kernel("Conv2D")
def conv2d(x, filters, *, strides, padding, explicit_paddings, data_format, dilations, out=None):
    return convolve(x, filters, strides, padding, data_format, dilations, explicit_paddings, out=out)


@kernel("Conv2DBackpropInput")
def conv2d_backprop_input(sizes, filters, dy, *, strides, padding, explicit_paddings, data_format, dilations, out=None):
    place = (strides, padding, data_format, dilations, explicit_paddings)
    return input_gradient(_sizes(sizes), filters, dy, *place, out=out)


@kernel("Conv2DBackpropInputV2")
def conv2d_backprop_input_v2(x, filters, dy, *, strides, padding, explicit_paddings, data_format, dilations, out=None):
    return input_gradient(x.shape, filters, dy, strides, padding, data_format, dilations, explicit_paddings, out=out)


@kernel("Conv2DBackpropFilter")
def conv2d_backprop_filter(x, sizes, dy, *, strides, padding, explicit_paddings, data_format, dilations, out=None):
    return filter_gradient(x, _sizes(sizes), dy, strides, padding, data_format, dilations, explicit_paddings, out=out)


@kernel("Conv2DBackpropFilterV2")
def conv2d_backprop_filter_v2(x, filters, dy, *, strides, padding, explicit_paddings, data_format, dilations, out=None):
    place = (strides, padding, data_format, dilations, explicit_paddings)
    return filter_gradient(x, filters.shape, dy, *place, out=out)


@kernel("Conv")
def conv(x, filters, *, strides, padding, explicit_paddings, data_format, dilations, batch_dims, groups):
    """A convolution over the axes behind `batch_dims` leading ones, which count as one."""
    if groups * filters.shape[-2] != x.shape[batch_dims if data_format == "CHANNELS_FIRST" else -1]:
        raise ValueError(f"filters of shape {filters.shape} do not divide the channels into {groups} groups")
    batch, rest = x.shape[:batch_dims], x.shape[batch_dims:]
    if filters.ndim not in (4, 5) or len(rest) != filters.ndim - 1:
        raise ValueError(f"filters of rank {filters.ndim} do not fit an input of rank {x.ndim}")
    dilations = dilations or (1,) * (len(rest) + 1)
    place = (strides, padding, data_format, dilations, explicit_paddings)
    y = convolve(x.reshape(prod(batch), *rest), filters, *place)
    return y.reshape(*batch, *y.shape[1:])


@kernel("Conv3D")
def conv3d(x, filters, *, strides, padding, data_format, dilations, out=None):
    return convolve(x, filters, strides, padding, data_format, dilations, out=out)


@kernel("Conv3DBackpropInputV2")
def conv3d_backprop_input(sizes, filters, dy, *, strides, padding, data_format, dilations, out=None):
    spreads = len(dy) > 1 and dy.dtype not in BY_ONEDNN
    return input_gradient(
        _sizes(sizes), filters, dy, strides, padding, data_format, dilations, out=out, spreads=spreads
    )


@kernel("Conv3DBackpropInput")
def conv3d_backprop_input_v1(x, filters, dy, *, strides, padding, dilations, out=None):
    spreads = len(dy) > 1
    return input_gradient(x.shape, filters, dy, strides, padding, "NDHWC", dilations, out=out, spreads=spreads)


@kernel("Conv3DBackpropFilterV2")
def conv3d_backprop_filter(x, sizes, dy, *, strides, padding, data_format, dilations, out=None):
    spreads = dy.dtype not in BY_ONEDNN
    return filter_gradient(x, _sizes(sizes), dy, strides, padding, data_format, dilations, out=out, spreads=spreads)


@kernel("Conv3DBackpropFilter")
def conv3d_backprop_filter_v1(x, filters, dy, *, strides, padding, dilations, out=None):
    return filter_gradient(x, filters.shape, dy, strides, padding, "NDHWC", dilations, out=out, spreads=True)


def _grouped(filter_shape: Sizes) -> Sizes:
    """A depthwise filter's shape, (*kernel, channels, multiplier), as that of one group per channel."""
    *kernel_sizes, channels, multiplier = filter_shape
    return (*kernel_sizes, 1, channels * multiplier)


@kernel("DepthwiseConv2dNative")
def depthwise_conv2d(x, filters, *, strides, padding, explicit_paddings, data_format, dilations, out=None):
    grouped = filters.reshape(_grouped(filters.shape))
    return convolve(x, grouped, strides, padding, data_format, dilations, explicit_paddings, out=out)


@kernel("DepthwiseConv2dNativeBackpropInput")
def depthwise_conv2d_backprop_input(
    sizes, filters, dy, *, strides, padding, explicit_paddings, data_format, dilations, out=None
):
    grouped = filters.reshape(_grouped(filters.shape))
    place = (strides, padding, data_format, dilations, explicit_paddings)
    return input_gradient(_sizes(sizes), grouped, dy, *place, out=out, spreads=dy.dtype not in BY_ONEDNN)


@kernel("DepthwiseConv2dNativeBackpropFilter")
def depthwise_conv2d_backprop_filter(
    x, sizes, dy, *, strides, padding, explicit_paddings, data_format, dilations, out=None
):
    place = (strides, padding, data_format, dilations, explicit_paddings)
    shape = _sizes(sizes)
    out = None if out is None else out.reshape(_grouped(shape))
    return filter_gradient(x, _grouped(shape), dy, *place, out=out).reshape(shape)
