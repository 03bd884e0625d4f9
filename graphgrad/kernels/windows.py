"""The geometry of windows sliding over N spatial axes, shared by convolution, pooling, dilation and patches.

Every array here has its channels last, (batch, *spatial, channels); a `Windows` says which input elements
each output element reads, and nothing in this module knows what is computed from them.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import product
from math import prod
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import as_strided

from graphgrad.kernels._accumulate import lowest

Sizes = tuple[int, ...]
Index = tuple[slice, ...]


class Windows(NamedTuple):
    """One entry per spatial axis in every field; a kernel of k taps with dilation d spans (k - 1) * d + 1."""

    inputs: Sizes
    kernel: Sizes
    strides: Sizes
    dilations: Sizes
    before: Sizes
    after: Sizes
    outputs: Sizes

    @property
    def is_padded(self) -> bool:
        return any(self.before) or any(self.after)

    @property
    def is_pointwise(self) -> bool:
        """Whether every output element reads exactly one input element and none is padding."""
        return prod(self.kernel) == 1 and not self.is_padded

    def axis(self, number: int) -> Windows:
        """The windows along one spatial axis alone."""
        return Windows(*((sizes[number],) for sizes in self))


def spatial(values: Sizes, data_format: str) -> Sizes:
    """The spatial entries of a list with one entry per axis of the tensor."""
    return tuple(values[2:] if is_channels_first(data_format) else values[1:-1])


def is_channels_first(data_format: str) -> bool:
    return data_format in ("NCHW", "NCDHW", "CHANNELS_FIRST")


def channels_last(x: np.ndarray, data_format: str) -> np.ndarray:
    return np.ascontiguousarray(np.moveaxis(x, 1, -1)) if is_channels_first(data_format) else x


def channels_back(x: np.ndarray, data_format: str) -> np.ndarray:
    """The inverse of `channels_last`."""
    return np.ascontiguousarray(np.moveaxis(x, -1, 1)) if is_channels_first(data_format) else x


def place_for(out: np.ndarray | None, dtype: np.dtype, data_format: str) -> np.ndarray | None:
    """`out`, where a result can be written there as it is worked out: channels last, in the dtype of sums."""
    is_direct = out is not None and dtype in ("f", "d") and not is_channels_first(data_format)
    return out if is_direct and out.flags.c_contiguous else None  # type: ignore[union-attr]


def delivered(y: np.ndarray, dtype: np.dtype, data_format: str, out: np.ndarray | None) -> np.ndarray:
    """A channels-last result as its op gives it, in `out` where that is given."""
    if out is not None and np.may_share_memory(y, out):  # written there as it was worked out
        return out
    y = channels_back(y.astype(dtype, copy=False), data_format)
    if out is None:
        return y
    out[...] = y
    return out


def explicit_pairs(explicit_paddings: Sizes, data_format: str) -> tuple[tuple[int, int], ...]:
    """The (before, after) pairs of the spatial axes."""
    pairs = tuple(zip(explicit_paddings[::2], explicit_paddings[1::2], strict=True))
    outer = (pairs[0], pairs[1] if is_channels_first(data_format) else pairs[-1])
    if any(map(any, outer)):
        raise ValueError("explicit_paddings of the batch and channel axes must be zero")
    return pairs[2:] if is_channels_first(data_format) else pairs[1:-1]


def geometry(
    input_shape: Sizes,
    kernel_sizes: Sizes,
    strides: Sizes,
    padding: str,
    explicit_paddings: Sizes,
    data_format: str,
    dilations: Sizes,
) -> Windows:
    """The windows of a convolution over a channels-last shape; the attributes are in the data format's order."""
    rank = len(input_shape)
    for name, values in (("strides", strides), ("dilations", dilations)):
        if len(values) != rank:
            raise ValueError(f"{name} must have {rank} entries, not {len(values)}")
        if values[0] != 1 or values[1 if is_channels_first(data_format) else -1] != 1:
            raise ValueError(f"{name} over the batch or channel axis are not supported: {tuple(values)}")
    explicit = explicit_pairs(explicit_paddings, data_format) if padding == "EXPLICIT" else ()
    return windows(
        tuple(input_shape[1:-1]),
        tuple(kernel_sizes),
        spatial(strides, data_format),
        spatial(dilations, data_format),
        padding,
        explicit,
    )


def check_gradient(dy: np.ndarray, x_shape: Sizes, outputs: int, w: Windows) -> None:
    expected = (x_shape[0], *w.outputs, outputs)
    if dy.shape != expected:
        raise ValueError(f"out_backprop has shape {dy.shape} in channels-last order, expected {expected}")


@lru_cache(maxsize=1024)
def windows(
    inputs: Sizes,
    kernel: Sizes,
    strides: Sizes,
    dilations: Sizes,
    padding: str,
    explicit: tuple[tuple[int, int], ...] = (),
) -> Windows:
    """The windows of a kernel over spatial sizes; `explicit` is read where padding is EXPLICIT."""
    if min(strides) < 1 or min(dilations) < 1 or min(kernel) < 1:
        raise ValueError(f"strides {strides}, dilations {dilations} and window {kernel} must be positive")
    rank = len(inputs)
    if padding == "SAME":
        pairs = tuple(map(_same_padding, inputs, kernel, strides, dilations))
    elif padding == "VALID":
        pairs = ((0, 0),) * rank
    elif padding == "EXPLICIT":
        pairs = explicit
    else:
        raise ValueError(f"padding must be SAME, VALID or EXPLICIT, not {padding!r}")
    if len(pairs) != rank:
        raise ValueError(f"explicit_paddings must give a pair for each of {rank} spatial axes")
    before, after = zip(*pairs, strict=True)
    if min(before) < 0 or min(after) < 0:
        raise ValueError("explicit_paddings must not be negative")
    outputs = tuple(map(_output_size, inputs, kernel, strides, dilations, pairs))
    if min(outputs) < 0:
        raise ValueError(f"window {kernel} with dilations {dilations} is larger than the padded input {inputs}")
    return Windows(inputs, kernel, strides, dilations, before, after, outputs)


def span(kernel: int, dilation: int) -> int:
    return (kernel - 1) * dilation + 1


def _same_padding(size: int, kernel: int, stride: int, dilation: int) -> tuple[int, int]:
    total = max((-(-size // stride) - 1) * stride + span(kernel, dilation) - size, 0)
    return total // 2, total - total // 2


def _output_size(size: int, kernel: int, stride: int, dilation: int, pair: tuple[int, int]) -> int:
    reached = size + sum(pair) - span(kernel, dilation) + stride
    return reached // stride if reached >= 0 else -(-reached // stride)  # rounded towards zero, as in C


def reach(size: int, stride: int, offset: int, outputs: int) -> tuple[slice, slice]:
    """Which outputs find their tap at `output * stride + offset` inside the input, and where they find it."""
    first = max(0, -(offset // stride))
    stop = max(first, min(outputs, (size - 1 - offset) // stride + 1))
    start = first * stride + offset
    return slice(first, stop), slice(start, max(start, start + (stop - first - 1) * stride + 1), stride)


@lru_cache(maxsize=256)
def taps(w: Windows) -> tuple[tuple[Sizes, Index, Index], ...]:
    """Per kernel tap, in row-major order: its position, the outputs it touches and the inputs it reads.

    The two indices select arrays of equal spatial sizes; outputs whose tap falls on padding are left out, and
    so are taps that only ever fall on padding.
    """
    reaches = [
        [reach(size, stride, tap * dilation - before, outputs) for tap in range(kernel)]
        for size, kernel, stride, dilation, before, outputs in zip(
            w.inputs, w.kernel, w.strides, w.dilations, w.before, w.outputs, strict=True
        )
    ]
    whole = slice(None)
    found = []
    for tap in product(*map(range, w.kernel)):
        pairs = [reaches[axis][position] for axis, position in enumerate(tap)]
        if all(output.stop > output.start for output, _ in pairs):
            found.append((tap, (whole, *(o for o, _ in pairs)), (whole, *(i for _, i in pairs))))
    return tuple(found)


def padded_sizes(w: Windows) -> Sizes:
    return tuple(b + size + a for b, size, a in zip(w.before, w.inputs, w.after, strict=True))


def interior(w: Windows) -> Index:
    """Where the input lies inside its padded self."""
    return slice(None), *(slice(b, b + size) for b, size in zip(w.before, w.inputs, strict=True))


def pad(x: np.ndarray, w: Windows, value: object = 0) -> np.ndarray:
    """x with the windows' padding around it; x itself where there is none."""
    if not w.is_padded:
        return x
    padded = np.full((x.shape[0], *padded_sizes(w), x.shape[-1]), value, x.dtype)
    padded[interior(w)] = x
    return padded


def patches(padded: np.ndarray, w: Windows) -> np.ndarray:
    """The windows of a padded array as a view, (batch, *outputs, *kernel, channels)."""
    batch, *along, channel = padded.strides
    steps = [stride * step for stride, step in zip(along, w.strides, strict=True)]
    hops = [stride * hop for stride, hop in zip(along, w.dilations, strict=True)]
    shape = (padded.shape[0], *w.outputs, *w.kernel, padded.shape[-1])
    return as_strided(padded, shape, (batch, *steps, *hops, channel), writeable=False)


def fold(x: np.ndarray, w: Windows, combine: np.ufunc, start: object) -> np.ndarray:
    """Combines the elements of every window, axis after axis, beginning with `start`; padding is left out."""
    for number in range(len(w.inputs)):
        along = w.axis(number)
        if along.is_pointwise and along.strides == (1,):
            continue
        ahead = (slice(None),) * (number + 1)
        shape = (*x.shape[: number + 1], *along.outputs, *x.shape[number + 2 :])
        folded = np.full(shape, start, x.dtype)
        for _, (_, outputs), (_, inputs) in taps(along):
            part = folded[(*ahead, outputs)]
            combine(part, x[(*ahead, inputs)], out=part)
        x = folded
    return x


def spread(y: np.ndarray, w: Windows) -> np.ndarray:
    """Adds every output element to all inputs of its window: the transpose of `fold` with np.add."""
    for number in range(len(w.inputs)):
        along = w.axis(number)
        ahead = (slice(None),) * (number + 1)
        shape = (*y.shape[: number + 1], *along.inputs, *y.shape[number + 2 :])
        spreaded = np.zeros(shape, y.dtype)
        for _, (_, outputs), (_, inputs) in taps(along):
            part = spreaded[(*ahead, inputs)]
            part += y[(*ahead, outputs)]
        y = spreaded
    return y


def winners(x: np.ndarray, w: Windows) -> tuple[np.ndarray, np.ndarray]:
    """Per window the largest element, and the number of its tap.

    The first of equals wins; a NaN wins only where it comes first, as in TensorFlow. Taps are numbered in row-major order.
    """
    shape = (x.shape[0], *w.outputs, x.shape[-1])
    best = np.zeros(shape, x.dtype)
    winner = np.full(shape, -1, np.int32)
    for tap, outputs, inputs in taps(w):
        candidate, best_here, winner_here = x[inputs], best[outputs], winner[outputs]
        better = (candidate > best_here) | (winner_here < 0)
        np.copyto(best_here, candidate, where=better)
        np.copyto(winner_here, tap_number(tap, w), where=better)
    return best, winner


def hand_back(x: np.ndarray, dy: np.ndarray, w: Windows, dx: np.ndarray) -> None:
    """Adds dy of each window to dx where the window's first largest element is; dx begins as zeros."""
    floating = x.dtype.kind not in "iu"
    best = fold(x, w, np.maximum, -np.inf if floating else lowest(x.dtype))
    if floating and np.isnan(best).any():
        winner = winners(x, w)[1]
        for tap, outputs, inputs in taps(w):
            dx_tap = dx[inputs]
            dx_tap += np.where(winner[outputs] == tap_number(tap, w), dy[outputs], dy.dtype.type(0))
        return
    # A number is taken or left by its bits, which is far quicker than by a mask of booleans.
    bits, are_apart = f"i{dy.itemsize}", all(map(int.__ge__, w.strides, map(span, w.kernel, w.dilations)))
    numbers, places = dy.view(bits), dx.view(bits)
    is_open, found, share = np.ones(dy.shape, bool), np.empty(dy.shape, bool), np.empty(dy.shape, bits)
    for _, outputs, inputs in taps(w):
        here, taken = found[outputs], share[outputs]
        np.equal(x[inputs], best[outputs], here)
        here &= is_open[outputs]  # no largest element yet
        is_open[outputs] ^= here
        np.subtract(0, here, taken, dtype=bits)
        if are_apart:
            np.bitwise_and(taken, numbers[outputs], places[inputs])
        else:
            np.bitwise_and(taken, numbers[outputs], taken)
            dx[inputs] += taken.view(dy.dtype)


def tap_number(tap: Sizes, w: Windows) -> int:
    number = 0
    for position, size in zip(tap, w.kernel, strict=True):
        number = number * size + position
    return number
