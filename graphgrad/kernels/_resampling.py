"""Linear resampling along one axis: every resize of an image is a table of `Taps` per axis.

Reading the table one way is the resize, reading it the other way is its gradient.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

F = np.float32


class Taps(NamedTuple):
    """Along one axis: output o is the sum over k of weights[k, o] * input[indices[k, o]]."""

    indices: np.ndarray
    weights: np.ndarray


def with_weight(taps: Taps, size: int) -> Taps:
    """Without taps that no output gives a weight to, and within an axis of that size."""
    used = taps.weights.any(1)
    used[0] = True
    return Taps(np.minimum(taps.indices[used], size - 1), taps.weights[used])


def transposed(taps: Taps, size: int) -> Taps:
    """The table for the gradient of inputs, as many as `size`: neighbouring outputs, from the first one with a weight on, as
    many for each as the input with most of them has."""
    outputs = taps.indices.shape[1]
    table = np.zeros((size, outputs), taps.weights.dtype)
    taken, output = np.nonzero(taps.weights)
    np.add.at(table, (taps.indices[taken, output], output), taps.weights[taken, output])
    used = table != 0
    first, last = used.argmax(1), outputs - 1 - used[:, ::-1].argmax(1)
    indices = first + np.arange(int((last - first + 1)[used.any(1)].max(initial=0)))[:, None]
    weights = table[np.arange(size), np.minimum(indices, outputs - 1)]
    return Taps(indices, np.where(indices < outputs, weights, table.dtype.type(0)))


def _along(axis: int, ndim: int) -> list[int]:
    """The shape of a vector that lies along one axis of many."""
    shape = [1] * ndim
    shape[axis] = -1
    return shape


def blend(x: np.ndarray, axis: int, taps: Taps) -> np.ndarray:
    """`gather` of two taps as TensorFlow has it: the lower one and a fraction of how far the upper one is."""
    lower, between = (np.take(x, index, axis) for index in taps.indices)
    between -= lower
    between *= taps.weights[1].astype(x.dtype).reshape(_along(axis, x.ndim))
    between += lower
    return between


def gather(x: np.ndarray, axis: int, taps: Taps) -> np.ndarray:
    shape = _along(axis, x.ndim)
    weights = taps.weights.astype(x.dtype)
    total = np.take(x, taps.indices[0], axis)
    total *= weights[0].reshape(shape)
    for index, weight in zip(taps.indices[1:], weights[1:], strict=True):
        part = np.take(x, index, axis)
        part *= weight.reshape(shape)
        total += part
    return total


def gather_weighed(x: np.ndarray, axis: int, taps: Taps) -> np.ndarray:
    """`gather` which does not read what has no weight, where there may be NaN or infinity."""
    if np.isfinite(x).all():
        return gather(x, axis, taps)
    shape = _along(axis, x.ndim)
    parts = (
        np.where((weight == 0).reshape(shape), x.dtype.type(0), np.take(x, index, axis)) * weight.reshape(shape)
        for index, weight in zip(taps.indices, taps.weights.astype(x.dtype), strict=True)
    )
    return sum(parts)


def gather_all(x: np.ndarray, axis: int, taps: Taps) -> np.ndarray:
    """`gather` which reads what has no weight too, of which infinity makes NaN, but nothing beyond the axis."""
    size, (count, outputs) = x.shape[axis], taps.indices.shape
    beyond = np.zeros((*x.shape[:axis], 1, *x.shape[axis + 1 :]), x.dtype)
    indices = np.full((max(count, 1), outputs), size)
    weights = np.zeros(indices.shape, x.dtype)
    indices[:count], weights[:count] = np.minimum(taps.indices, size), taps.weights
    return gather(np.concatenate([x, beyond], axis), axis, Taps(indices, weights))


def scatter(dy: np.ndarray, axis: int, taps: Taps, size: int) -> np.ndarray:
    """The transpose of `gather`. What has no weight is left out, but for infinity, of which it makes NaN."""
    is_finite = np.isfinite(dy).all()
    dx = np.zeros((*dy.shape[:axis], size, *dy.shape[axis + 1 :]), dy.dtype)
    onto, along = np.moveaxis(dx, axis, 0), np.moveaxis(dy, axis, 0)
    for index, weight in zip(taps.indices.tolist(), taps.weights.astype(dy.dtype), strict=True):
        for output, target in enumerate(index):
            if weight[output] or not is_finite:
                onto[target] += along[output] * weight[output]
    return dx
