"""Convolutions in which every channel has filters of its own, and their gradients.

They are sums along runs: windows next to each other, all channels of each, lie in one piece and are multiplied by the
filters repeated to that length. Where strides are longer, only columns that a tap meets are laid side by side first.
"""

from __future__ import annotations

from functools import lru_cache, partial
from itertools import product
from math import gcd
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import as_strided

from graphgrad.kernels import _threads
from graphgrad.kernels.windows import Index, Windows, reach, span

RUN = 2048  # elements of a run: filters repeated to that length stay in the nearest cache
LONG = 256  # channels that are a run on their own
BLOCK_BYTES = 1 << 20


def convolve(x: np.ndarray, filters: np.ndarray, w: Windows, out: np.ndarray) -> np.ndarray:
    """(batch, *inputs, channels) with (*kernel, channels, multiplier): (batch, *outputs, channels * multiplier)."""
    if filters.shape[-1] > 1:
        x = np.repeat(x, filters.shape[-1], axis=-1)
    filters = filters.reshape(*w.kernel, -1)
    lanes = _lanes(w, x.shape[-1])
    shares = [(taps, np.tile(filters[..., taps, :], lanes.width)) for taps in lanes.taps]

    def add_up(images: slice, rows: slice) -> None:
        y = out[images, rows]
        total = y if y.flags.c_contiguous else _threads.scratch("total", y.shape, y.dtype)
        for at, (taps, run) in enumerate(shares):
            share = _threads.scratch("share", y.shape, y.dtype) if at else total
            _weigh(_runs(x[images], w, rows, taps, lanes), run, share)
            if at:
                total += share
        if total is not y:
            y[...] = total

    _threads.spread(partial(add_up, *block) for block in _blocks(out))
    return out


def input_gradient(dy: np.ndarray, filters: np.ndarray, w: Windows, out: np.ndarray) -> np.ndarray:
    """What `convolve` hands back to its input: convolutions of dy, one for each remainder of positions modulo the strides."""
    multiplier = filters.shape[-1]
    dx = out if multiplier == 1 else np.empty((*out.shape[:-1], dy.shape[-1]), dy.dtype)
    filters = filters.reshape(*w.kernel, -1, 1)
    for phase in _phases(w):
        if all(phase.taps):
            convolve(dy, filters[np.ix_(*phase.taps)], phase.windows, dx[phase.inputs])
        else:
            dx[phase.inputs] = 0
    if multiplier > 1:
        dx.reshape(*out.shape, multiplier).sum(-1, out=out)
    return out


def filter_gradient(x: np.ndarray, dy: np.ndarray, w: Windows) -> np.ndarray:
    """What `convolve` hands back to its filters."""
    multiplier = dy.shape[-1] // x.shape[-1]
    if multiplier > 1:
        x = np.repeat(x, multiplier, axis=-1)
    channels, lanes, blocks = x.shape[-1], _lanes(w, x.shape[-1], RUN // 4), _blocks(dy)
    totals = [
        np.empty((len(blocks), *w.kernel[:-1], len(taps), lanes.width * channels), x.dtype) for taps in lanes.taps
    ]

    def add_up(at: int, images: slice, rows: slice) -> None:
        for taps, total in zip(lanes.taps, totals, strict=True):
            _correlate(_runs(x[images], w, rows, taps, lanes), dy[images, rows], total[at])

    _threads.spread(partial(add_up, at, *block) for at, block in enumerate(blocks))
    dfilters = np.empty((*w.kernel, channels), x.dtype)
    for taps, total in zip(lanes.taps, totals, strict=True):
        dfilters[..., taps, :] = total.sum(0).reshape(*total.shape[1:-1], lanes.width, channels).sum(-2)
    return dfilters.reshape(*w.kernel, -1, multiplier)


def _weigh(source: np.ndarray, run: np.ndarray, out: np.ndarray) -> None:
    """The runs of windows weighed by filters: (images, *outputs, channels) of (images, *outputs, runs, *kernel, run)."""
    rank = run.ndim - 1
    outer, along, last = [*range(rank + 1)], [*range(rank + 1, 2 * rank + 1)], 2 * rank + 1
    place = out.reshape(*source.shape[: rank + 1], source.shape[-1])
    np.einsum(source, [*outer, *along, last], run, [*along, last], [*outer, last], out=place)


def _correlate(source: np.ndarray, dy: np.ndarray, out: np.ndarray) -> None:
    """The sums over all windows of what each tap meets, times dy: (*kernel, run)."""
    rank = out.ndim - 1
    outer, along, last = [*range(rank + 1)], [*range(rank + 1, 2 * rank + 1)], 2 * rank + 1
    runs = dy.reshape(*source.shape[: rank + 1], source.shape[-1])
    np.einsum(source, [*outer, *along, last], runs, [*outer, last], [*along, last], out=out)


class _Lanes(NamedTuple):
    """How columns are laid side by side: which taps of the last axis meet the same ones, each so far apart, and the pixels of a run."""

    apart: int
    taps: list[list[int]]
    width: int


def _lanes(w: Windows, channels: int, run: int = RUN) -> _Lanes:
    stride, (kernel, columns) = w.strides[-1], (w.kernel[-1], w.outputs[-1])
    if stride > 1 and channels >= LONG:
        return _Lanes(1, [[*range(kernel)]], 1)
    step, most = stride // gcd(stride, w.dilations[-1]), max(1, run // channels)
    width = next(width for width in range(min(most, columns), 0, -1) if columns % width == 0)
    return _Lanes(stride, [[*range(first, kernel, step)] for first in range(min(step, kernel))], width)


def _runs(x: np.ndarray, w: Windows, rows: slice, taps: list[int], lanes: _Lanes) -> np.ndarray:
    """What some taps of the last axis meet in the windows of some rows: (images, *outputs, runs, *kernel, run), a view of scratch.

    The last of the outputs is cut into runs.
    """
    rank, dilation = len(w.kernel), w.dilations[-1]
    stride, hop = w.strides[-1] // lanes.apart, (taps[1] - taps[0]) * dilation // lanes.apart if len(taps) > 1 else 1
    outputs = (rows.stop - rows.start, *w.outputs[1:])
    reached = [(n - 1) * s + span(k, d) for n, s, k, d in zip(outputs, w.strides, w.kernel, w.dilations, strict=True)]
    block = _cut_out(
        x,
        [rows.start * w.strides[0] - w.before[0], *(-b for b in w.before[1:-1]), taps[0] * dilation - w.before[-1]],
        [*(1,) * (rank - 1), lanes.apart],
        [*reached[:-1], (outputs[-1] - 1) * stride + span(len(taps), hop)],
    )
    image, *along, column, channel = block.strides
    steps = [a * s for a, s in zip(along, w.strides, strict=False)]
    hops = [a * d for a, d in zip(along, w.dilations, strict=False)]
    shape = (*outputs[:-1], outputs[-1] // lanes.width, *w.kernel[:-1], len(taps), lanes.width * x.shape[-1])
    strides = (image, *steps, lanes.width * stride * column, *hops, hop * column, channel)
    return as_strided(block, (len(x), *shape), strides, writeable=False)


def _cut_out(x: np.ndarray, first: list[int], steps: list[int], counts: list[int]) -> np.ndarray:
    """The elements at first + step * i along each spatial axis, zeros where x has none, in scratch."""
    block = _threads.scratch("block", (len(x), *counts, x.shape[-1]), x.dtype)
    places, found = zip(*map(reach, x.shape[1:-1], steps, first, counts), strict=True)
    if any(place != slice(0, count) for place, count in zip(places, counts, strict=True)):
        block[...] = 0
    block[(slice(None), *places)] = x[(slice(None), *found)]
    return block


def _blocks(y: np.ndarray) -> list[tuple[slice, slice]]:
    """Images, and rows of them, whose outputs stay in the cache; cut by shapes alone."""
    image = max(1, y[:1].nbytes)
    images = _threads.cut(len(y), -(-len(y) // max(1, BLOCK_BYTES // image)))
    rows = _threads.cut(y.shape[1], max(1, image // BLOCK_BYTES))
    return list(product(images, rows))


class _Phase(NamedTuple):
    """Some positions of the input, the taps that meet them in the order in which they do, and dy's windows around them."""

    inputs: Index
    taps: tuple[list[int], ...]
    windows: Windows


@lru_cache(maxsize=256)
def _phases(w: Windows) -> tuple[_Phase, ...]:
    offsets = map(range, map(min, w.strides, w.inputs))
    axes = [[_phase(w.axis(axis), offset) for offset in found] for axis, found in enumerate(offsets)]
    return tuple(
        _Phase(
            (slice(None), *(part.inputs[0] for part in parts)),
            tuple(part.taps[0] for part in parts),
            Windows(*(tuple(sizes) for sizes in zip(*((s[0] for s in part.windows) for part in parts), strict=True))),
        )
        for parts in product(*axes)
    )


def _phase(w: Windows, offset: int) -> _Phase:
    """Of one axis the positions offset + stride * i."""
    (size,), (kernel,), (stride,), (dilation,), (before,), _, (outputs,) = w
    taps = [tap for tap in reversed(range(kernel)) if (offset + before - tap * dilation) % stride == 0]
    ahead = [(offset + before - tap * dilation) // stride for tap in taps] or [0]  # of i: the outputs that read it
    count, hop = len(range(offset, size, stride)), dilation // gcd(stride, dilation)
    sizes = (outputs, max(1, len(taps)), 1, hop, -ahead[0], count + ahead[-1] - outputs, count)
    return _Phase((slice(offset, None, stride),), (taps,), Windows(*((n,) for n in sizes)))
