"""Gradients of convolutions where infinity or NaN meets zeros that are there for no other reason than the way they are computed.

Some of TensorFlow's kernels spread gradients over the strides with zeros between them, others pass over the padding that was
around the images; what is not finite tells the one from the other.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from graphgrad.kernels.windows import Sizes, Windows, taps

Array = np.ndarray[Any, Any]


def _unreached(w: Windows) -> Iterator[tuple[Sizes, Array]]:
    """Per tap of a kernel, the pixels that it reads in no window, (*inputs)."""
    reached = {tap: inputs[1:] for tap, _, inputs in taps(w)}
    for tap in np.ndindex(*w.kernel):
        mask = np.ones(w.inputs, bool)
        if tap in reached:
            mask[reached[tap]] = False
        yield tap, mask


def add_zeros_times_filters(dx: Array, filters: Array, w: Windows) -> None:
    """To the gradient (batch, *inputs, channels) of what filters (*kernel, channels, outputs) were laid over."""
    for tap, mask in _unreached(w):
        dx[:, mask] += (0 * filters[tap]).sum(-1)


def add_zeros_times_images(dfilters: Array, x: Array, w: Windows) -> None:
    """To the gradient (*kernel, channels, outputs) of filters that were laid over images (batch, *inputs, channels)."""
    for tap, mask in _unreached(w):
        dfilters[tap] += (0 * x[:, mask]).sum((0, 1))[:, None]


def filter_gradient_by_taps(x: Array, dy: Array, w: Windows, filter_shape: Sizes, groups: int) -> Array:
    """That of filters (*kernel, depth, outputs), without a look at the padding."""
    dfilters = np.zeros(filter_shape, x.dtype)
    for tap, outputs, inputs in taps(w):
        rows = x[inputs].reshape(-1, groups, x.shape[-1] // groups)
        columns = dy[outputs].reshape(-1, groups, dy.shape[-1] // groups)
        products = rows.transpose(1, 2, 0) @ columns.swapaxes(0, 1)
        dfilters[tap] = products.swapaxes(0, 1).reshape(filter_shape[-2:])
    return dfilters
