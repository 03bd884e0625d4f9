"""Softmax over values that are grouped by row and stand in no dense tensor."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphgrad.kernels._precision import HALVES

Array = np.ndarray[Any, Any]


def row_softmax(values: Array, rows: Array) -> Array:
    """Softmax over the values of each row, numbered from 0 without gaps."""
    work = values.astype(np.float32) if values.dtype in HALVES else values
    count = int(rows.max()) + 1
    largest = np.full(count, -np.inf, work.dtype)
    np.maximum.at(largest, rows, work)
    powers = np.exp(work - largest[rows])
    sums = np.zeros(count, work.dtype)
    np.add.at(sums, rows, powers)
    return (powers / sums[rows]).astype(values.dtype, copy=False)
