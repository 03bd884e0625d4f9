"""The gradient that each output of a test row receives: numbers that depend on its place, shape and dtype alone."""

from __future__ import annotations

from typing import Any

import numpy as np


def seed_value(i: int, y: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """For output i of value `y`."""
    ramp = (np.arange(y.size) * 0.37 + 0.5 + i) % 2 - 0.8
    return np.reshape(ramp, y.shape).astype(y.dtype)
