"""Fractional pooling: cells of uneven sizes whose borders are drawn at random; part of the pooling family.

A sequence of borders rises from 0 to the size of its axis; overlapping cells share the element on a border.
"""

from __future__ import annotations

import math

import numpy as np

from graphgrad.kernels import philox
from graphgrad.kernels._accumulate import lowest
from graphgrad.kernels.windows import Sizes
from graphgrad.registry import kernel

Index = tuple[slice | np.ndarray, ...]


def _shuffled_borders(size: int, cells: int, generator: philox.NodeGenerator) -> np.ndarray:
    """Cells of two sizes, one apart, in random order."""
    length, longer = divmod(size, cells)
    lengths = [length + 1] * longer + [length] * (cells - longer)
    blocks = -(-cells // 4)
    words = generator.reserve(blocks).blocks(blocks).reshape(-1).tolist()
    for cell in range(cells - 1):
        other = cell + words[cell] % (cells - cell)
        lengths[cell], lengths[other] = lengths[other], lengths[cell]
    return np.cumsum([0, *lengths])


def _drifting_borders(size: int, cells: int, generator: philox.NodeGenerator) -> np.ndarray:
    """Borders at ceil(alpha * (i + u)) for one random u (Graham, Fractional Max-Pooling, 2014)."""
    alpha = size / cells
    length = int(alpha)
    largest = min((length + 2) / alpha - 1, (size + 1 - length) / alpha - (cells - 1))
    u = float(philox.uniform(generator.reserve(1).blocks(1), np.dtype(np.float64))[0, 0]) * largest
    return np.array([0, *(math.ceil(alpha * (i + u)) - 1 for i in range(1, cells)), size])


def _borders(x_shape: Sizes, ratios, pseudo_random, generator) -> list[np.ndarray]:
    if len(x_shape) != 4 or len(ratios) != 4 or ratios[0] != 1 or ratios[3] != 1:
        raise ValueError("fractional pooling needs 4-d input and 4 ratios, 1 for the batch and the channels")
    draw = _drifting_borders if pseudo_random else _shuffled_borders
    borders = []
    for size, ratio in zip(x_shape[1:3], ratios[1:3], strict=True):
        cells = math.floor(size / ratio)
        if ratio < 1 or cells < 1:
            raise ValueError(f"pooling_ratio {ratio} does not fit an axis of size {size}")
        borders.append(draw(size, cells, generator))
    return borders


def _generator(deterministic, seed, seed2, state, node_name) -> philox.NodeGenerator:
    if not deterministic and (seed or seed2):
        raise ValueError("seed and seed2 must be 0 where deterministic is false")
    if seed or seed2:  # the borders are drawn once and stay
        return philox.NodeGenerator(seed, seed2)
    return state.generator(node_name, 0, 0)


def _combined(x: np.ndarray, axis: int, borders: np.ndarray, overlapping: bool, combine: np.ufunc) -> np.ndarray:
    """What a reduction makes of every cell along one axis."""
    cells = combine.reduceat(x, borders[:-1], axis, dtype=x.dtype)
    if overlapping:
        shared = (slice(None),) * axis
        inner = cells[(*shared, slice(-1))]
        combine(inner, np.take(x, borders[1:-1], axis), out=inner)
    return cells


def _pooled(x: np.ndarray, rows: np.ndarray, columns: np.ndarray, overlapping: bool, combine: np.ufunc) -> np.ndarray:
    return _combined(_combined(x, 1, rows, overlapping, combine), 2, columns, overlapping, combine)


def _largest(x: np.ndarray, rows: np.ndarray, columns: np.ndarray, overlapping: bool) -> np.ndarray:
    """As in TensorFlow at least the least finite number, and NaN where there is nothing else is none."""
    return np.fmax(_pooled(x, rows, columns, overlapping, np.fmax), lowest(x.dtype))


def _lengths(borders: np.ndarray, overlapping: bool) -> np.ndarray:
    lengths = np.diff(borders)
    lengths[:-1] += overlapping
    return lengths


@kernel("FractionalMaxPool")
def fractional_max_pool(x, *, pooling_ratio, pseudo_random, overlapping, deterministic, seed, seed2, state, node_name):
    generator = _generator(deterministic, seed, seed2, state, node_name)
    rows, columns = _borders(x.shape, pooling_ratio, pseudo_random, generator)
    return _largest(x, rows, columns, overlapping), rows, columns


@kernel("FractionalAvgPool")
def fractional_avg_pool(x, *, pooling_ratio, pseudo_random, overlapping, deterministic, seed, seed2, state, node_name):
    generator = _generator(deterministic, seed, seed2, state, node_name)
    rows, columns = _borders(x.shape, pooling_ratio, pseudo_random, generator)
    total = _pooled(x, rows, columns, overlapping, np.add)
    return _divided(total, _cell_sizes(rows, columns, overlapping)), rows, columns


def _cell_sizes(rows: np.ndarray, columns: np.ndarray, overlapping: bool) -> np.ndarray:
    return np.multiply.outer(_lengths(rows, overlapping), _lengths(columns, overlapping))[..., None]


def _divided(total: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """total / counts in total's dtype; integers are rounded towards zero."""
    if total.dtype.kind == "f":
        return total / counts.astype(total.dtype)
    return (np.sign(total) * (np.abs(total) // counts)).astype(total.dtype)


def _checked(shape: Sizes, dy: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> None:
    for size, cells, borders in zip(shape[1:3], dy.shape[1:3], (rows, columns), strict=True):
        if borders.shape != (cells + 1,) or borders[0] < 0 or borders[-1] > size or np.diff(borders).min(initial=1) < 1:
            raise ValueError(f"a pooling sequence must rise to at most {size} in {cells} steps")


def _taps(rows: np.ndarray, columns: np.ndarray, overlapping: bool) -> list[tuple[Index, Index]]:
    """Per position in a cell, in row-major order: the cells that large, and the elements they have there."""
    heights, widths = _lengths(rows, overlapping), _lengths(columns, overlapping)
    found: list[tuple[Index, Index]] = []
    for down in range(heights.max()):
        high = np.flatnonzero(heights > down)[:, None]
        for across in range(widths.max()):
            broad = np.flatnonzero(widths > across)
            cells, elements = (high, broad), (rows[high] + down, columns[broad] + across)
            found.append(((slice(None), *cells), (slice(None), *elements)))
    return found


@kernel("FractionalAvgPoolGrad")
def fractional_avg_pool_grad(shape, dy, rows, columns, *, overlapping):
    """An element's shares are added in float64, whatever the type, in the order of their cells."""
    shape = tuple(shape.tolist())
    _checked(shape, dy, rows, columns)
    shares, dx = dy / _cell_sizes(rows, columns, overlapping).astype(np.float64), np.zeros(shape)
    for cells, elements in reversed(_taps(rows, columns, overlapping)):
        dx[elements] += shares[cells]
    return dx.astype(dy.dtype)


@kernel("FractionalMaxPoolGrad")
def fractional_max_pool_grad(x, y, dy, rows, columns, *, overlapping):
    """dy goes to the first element of its cell, in row-major order, that equals the largest."""
    _checked(x.shape, dy, rows, columns)
    best = _largest(x, rows, columns, overlapping)
    if dy.shape != best.shape:
        raise ValueError(f"gradients have shape {list(dy.shape)}, the pooled input has {list(best.shape)}")
    if not np.array_equal(np.maximum(y, lowest(y.dtype)), best):  # -inf has been let through, its pool has not
        raise ValueError("orig_output is not what these pooling sequences make of orig_input")
    dx, pending, in_order = np.zeros_like(x), np.ones(dy.shape, np.bool_), _taps(rows, columns, overlapping)
    for cells, elements in in_order:
        hit = pending[cells] & (x[elements] == best[cells])
        pending[cells] &= ~hit
        dx[elements] += np.where(hit, dy[cells], dy.dtype.type(0))
    if pending.any():  # cells of nothing but NaN and -inf: to their first element
        cells, elements = in_order[0]
        dx[elements] += np.where(pending[cells], dy[cells], dy.dtype.type(0))
    return dx
