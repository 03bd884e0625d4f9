"""The order of a real matrix's eigenvalues on the diagonal of its Schur form, as TensorFlow gives them.

The order depends on how the iteration goes: Francis' implicit double shift without balancing, where LAPACK
balances first. The eigenvalues themselves are not taken from here.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

LARGEST = 64  # larger matrices keep the order they have: the iteration would take longer than the eigenvalues
SWEEPS = 40  # as many per eigenvalue, then the iteration is given up


def schur_order(matrix: Array, values: Array) -> Array:
    """The places of the eigenvalues `values` in that order."""
    size = len(values)
    largest = np.abs(matrix).max(initial=0)
    if size > LARGEST or largest == 0:
        return np.arange(size)
    found = schur_eigenvalues(hessenberg(matrix / largest))
    if found is None:
        return np.arange(size)
    distance = np.abs(np.array(found)[:, None] * largest - values)
    order = []
    for row in distance:
        order.append(int(row.argmin()))
        distance[:, order[-1]] = np.inf
    return np.array(order, np.intp)


def reflector(x: Array) -> tuple[Any, Array]:
    """(beta, w): I - w w' takes x to beta in front and zeros behind; w is 0 where x is so already."""
    tail = (x[1:] ** 2).sum()
    if tail <= np.finfo(x.dtype).tiny:
        return x[0], np.zeros_like(x)
    beta = -np.copysign(np.sqrt(x[0] ** 2 + tail), x[0])
    w = x.copy()
    w[0] -= beta
    return beta, w / np.sqrt(beta * (beta - x[0]))


def reflect_rows(rows: Array, w: Array) -> None:
    rows -= np.outer(w, w @ rows)


def reflect_columns(columns: Array, w: Array) -> None:
    columns -= np.outer(columns @ w, w)


def hessenberg(matrix: Array) -> Array:
    """A similar matrix with zeros below the first subdiagonal."""
    h = matrix.copy()
    for k in range(len(h) - 2):
        beta, w = reflector(h[k + 1 :, k])
        h[k + 1 :, k] = 0
        h[k + 1, k] = beta
        reflect_rows(h[k + 1 :, k + 1 :], w)
        reflect_columns(h[:, k + 1 :], w)
    return h


def schur_eigenvalues(h: Array) -> list[complex] | None:
    """The eigenvalues of a Hessenberg matrix (overwritten), from the first to the last; None if not found."""
    size = len(h)
    eps = np.finfo(h.dtype).eps
    zero = max(np.abs(h).sum() * eps * eps, np.finfo(h.dtype).tiny)
    found: list[complex] = []
    last = size - 1
    sweeps = 0
    while last >= 0:
        first = block_start(h, last, eps, zero)
        if first == last:
            found.append(complex(h[last, last]))
        elif first == last - 1:
            found += split_pair(h, last)
        else:
            sweeps += 1
            if sweeps > SWEEPS * size:
                return None
            sweep(h, first, last, eps)
            continue
        last = first - 1
    return found[::-1]


def block_start(h: Array, last: int, eps: Any, zero: Any) -> int:
    """The first row of the last block that still hangs together."""
    row = last
    while row > 0:
        around = abs(h[row - 1, row - 1]) + abs(h[row, row])
        if abs(h[row, row - 1]) <= max(around * eps, zero):
            break
        row -= 1
    return row


def split_pair(h: Array, last: int) -> list[complex]:
    """The eigenvalues of the 2 x 2 block that ends at `last`, the second first; real ones are split apart."""
    pair = slice(last - 1, last + 1)
    p = (h[last - 1, last - 1] - h[last, last]) / 2
    q = p * p + h[last, last - 1] * h[last - 1, last]
    root = np.sqrt(abs(q))
    if q < 0:
        middle = h[last, last] + p
        return [complex(middle, -root), complex(middle, root)]
    x, y = (p + root if p >= 0 else p - root), h[last, last - 1]
    length = np.hypot(x, y)
    rotation = np.array([[x, y], [-y, x]], h.dtype) / length
    h[pair, last - 1 :] = rotation @ h[pair, last - 1 :]
    h[: last + 1, pair] = h[: last + 1, pair] @ rotation.T
    return [complex(h[last, last]), complex(h[last - 1, last - 1])]


def sweep(h: Array, first: int, last: int, eps: Any) -> None:
    """One implicit double shift step on the block of rows first to last."""
    start, x = shifted_column(h, first, last, eps)
    for k in range(start, last):
        if k > start:
            x = h[k : min(k + 3, last + 1), k - 1].copy()
        beta, w = reflector(x)
        rows = slice(k, k + len(w))
        if k > start:
            h[rows, k - 1] = 0
            h[k, k - 1] = beta
        elif k > first and w.any():
            h[k, k - 1] = -h[k, k - 1]
        reflect_rows(h[rows, k:], w)
        reflect_columns(h[: min(last, k + 3) + 1, rows], w)


def shifted_column(h: Array, first: int, last: int, eps: Any) -> tuple[int, Array]:
    """The row where the step may start, and the column its shifts give there."""
    a, b = h[last, last], h[last - 1, last - 1]
    product = h[last, last - 1] * h[last - 1, last]
    for row in range(last - 2, first - 1, -1):
        middle = h[row, row]
        r, s = a - middle, b - middle
        x = (r * s - product) / h[row + 1, row] + h[row, row + 1]
        y = h[row + 1, row + 1] - middle - r - s
        z = h[row + 2, row + 1]
        if row == first:
            break
        around = abs(h[row - 1, row - 1]) + abs(middle) + abs(h[row + 1, row + 1])
        if abs(h[row, row - 1]) * (abs(y) + abs(z)) < eps * abs(x) * around:
            break
    return row, np.array([x, y, z], h.dtype)
