"""Products and norms of complex numbers that are not finite over axes, as TensorFlow's processor kernels fold them.

Which arithmetic of `_complex` a number meets follows from where it lies: as many numbers as fill a register are folded
at once by the plain formulas, what is left over one by one by the arithmetic of C.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np

from graphgrad.kernels._complex import ONE_BY_ONE, PLAIN, REGISTER, Arithmetic

Array = np.ndarray[Any, Any]


class Fold(NamedTuple):
    """What is begun with, how a number is added to what there is, and how two results become one."""

    start: complex
    step: Callable[[Arithmetic, Array, Array], Array]
    merge: Callable[[Arithmetic, Array, Array], Array]

    def along(self, by: Arithmetic, array: Array) -> Array:
        """Over the first axis, in order."""
        start = np.full(array.shape[1:], self.start, array.dtype)
        return functools.reduce(functools.partial(self.step, by), array, start)


PRODUCT = Fold(1, lambda by, x, y: by.product(x, y), lambda by, x, y: by.product(x, y))
SQUARES = Fold(0, lambda by, x, y: x + by.product(y, y.conj()), lambda _, x, y: x + y)


def fold(how: Fold, array: Array, axes: Sequence[int], keep_dims: bool) -> Array:
    """The fold of an array over axes; axes of one element count as none, and neighbours that are both gone or both kept as one."""
    gone = {axis % array.ndim for axis in axes} if array.ndim else set()
    shape = [1 if axis in gone else n for axis, n in enumerate(array.shape) if keep_dims or axis not in gone]
    wide = [(axis in gone, n) for axis, n in enumerate(array.shape) if n != 1]
    merged = [(is_gone, math.prod(n for _, n in group)) for is_gone, group in groupby(wide, lambda axis: axis[0])]
    blocks = array.reshape([n for _, n in merged])
    return _folded(how, blocks, [is_gone for is_gone, _ in merged]).reshape(shape)


def running_products(array: Array, axis: int, dtype: np.dtype[Any], out: Array | None = None) -> Array:
    """What `np.multiply.accumulate` gives. Registers hold neighbours on the axes behind."""
    lanes, inner = REGISTER // dtype.itemsize, math.prod(array.shape[axis + 1 :])
    in_register = (np.arange(inner) < inner // lanes * lanes).reshape(array.shape[axis + 1 :])
    found = np.empty_like(array) if out is None else out
    factors, products = np.moveaxis(array, axis, 0), np.moveaxis(found, axis, 0)
    so_far = np.ones(factors.shape[1:], dtype)
    for i, factor in enumerate(factors):
        so_far = np.where(in_register, PLAIN.product(so_far, factor), ONE_BY_ONE.product(so_far, factor))
        products[i] = so_far
    return found


def _folded(how: Fold, blocks: Array, gone: list[bool]) -> Array:
    if not any(gone):
        return blocks.copy() if how is PRODUCT else _over_outer(how, blocks[None], 0)
    if gone in ([True, False], [False, True, False]):
        return _over_outer(how, blocks, gone.index(True))
    if gone == [True, False, True]:
        return how.along(ONE_BY_ONE, blocks.transpose(2, 0, 1).reshape(-1, blocks.shape[1]))
    order = sorted(range(blocks.ndim), key=gone.__getitem__)
    kept = [n for n, is_gone in zip(blocks.shape, gone, strict=True) if not is_gone]
    rows = blocks.transpose(order).reshape(math.prod(kept), -1)
    return _over_rows(how, rows)


def _over_outer(how: Fold, blocks: Array, axis: int) -> Array:
    """Registers hold neighbours among the results, as long as these lie next to each other among the operands too."""
    in_front = np.moveaxis(blocks, axis, 0)
    plain, exact = how.along(PLAIN, in_front), how.along(ONE_BY_ONE, in_front)
    lanes, inner = REGISTER // blocks.itemsize, math.prod(blocks.shape[axis + 1 :])
    first = np.arange(plain.size) // lanes * lanes
    in_register = (first + lanes <= plain.size) & (first // inner == (first + lanes - 1) // inner)
    return np.where(in_register.reshape(plain.shape), plain, exact)


def _over_rows(how: Fold, rows: Array) -> Array:
    """Each row is folded into the lanes of one register, these by halves; what does not fill a register comes last."""
    lanes = REGISTER // rows.itemsize
    whole = rows.shape[1] // lanes * lanes
    register = how.along(PLAIN, rows[:, :whole].reshape(len(rows), -1, lanes).swapaxes(0, 1))
    while (half := register.shape[1] // 2) > 0:
        register = how.merge(PLAIN, register[:, :half], register[:, half:])
    return how.merge(ONE_BY_ONE, register[:, 0], how.along(ONE_BY_ONE, rows[:, whole:].T))
