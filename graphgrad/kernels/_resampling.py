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


def gather(x: np.ndarray, axis: int, taps: Taps) -> np.ndarray:
    shape = [1] * x.ndim
    shape[axis] = -1
    weights = taps.weights.astype(x.dtype)
    total = np.take(x, taps.indices[0], axis)
    total *= weights[0].reshape(shape)
    for index, weight in zip(taps.indices[1:], weights[1:], strict=True):
        part = np.take(x, index, axis)
        part *= weight.reshape(shape)
        total += part
    return total


def scatter(dy: np.ndarray, axis: int, taps: Taps, size: int) -> np.ndarray:
    """The transpose of `gather`."""
    dx = np.zeros((*dy.shape[:axis], size, *dy.shape[axis + 1 :]), dy.dtype)
    onto, along = np.moveaxis(dx, axis, 0), np.moveaxis(dy, axis, 0)
    for index, weight in zip(taps.indices.tolist(), taps.weights.astype(dy.dtype), strict=True):
        for output, target in enumerate(index):
            if weight[output]:
                onto[target] += along[output] * weight[output]
    return dx
