"""Normal numbers between bounds, by whichever rejection suits the bounds, from one generator for all in turn.

A batch begins with a new block, whatever the batch before has left of its last one.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from graphgrad.kernels import philox
from graphgrad.kernels.philox import Philox, rounded

Array = np.ndarray[Any, Any]

WIDE_BOUND = 1.3  # this many deviations beyond the mean, normal numbers themselves are tried
TRIES = 1000


class Bounds(NamedTuple):
    """Bounds in deviations from the mean, turned round where that makes the lower one the nearer."""

    low: Any
    high: Any
    mean: Any
    deviation: Any


def bounds_of(mean: Any, deviation: Any, low: Any, high: Any) -> Bounds:
    if not (deviation > 0 and low < high and (np.isfinite(low) or np.isfinite(high))):
        raise ValueError("a standard deviation must be positive, and a lower bound below its upper one")
    if low == -np.inf or high < mean:
        low, high, deviation = high, low, -deviation
    return Bounds((low - mean) / deviation, (high - mean) / deviation, mean, deviation)


def draw_between(generator: Philox, bounds: Bounds, count: int, dtype: np.dtype[Any]) -> tuple[Array, Philox]:
    """So many numbers, and the generator for those who come after."""
    attempt, blocks = method(bounds, dtype)
    out = np.empty(count, dtype)
    filled = 0
    while filled < count:
        turns = max((count - filled) // 2, TRIES)
        tries, accepted = attempt(generator.blocks(turns * blocks).reshape(turns, 4 * blocks))
        refuse_long_run(accepted)
        good = np.flatnonzero(accepted)[: count - filled]
        out[filled : filled + len(good)] = tries[good] * bounds.deviation + bounds.mean
        filled += len(good)
        used = turns if filled < count else int(good[-1]) * turns // len(tries) + 1
        generator = generator.skip(used * blocks)
    return out, generator


def refuse_long_run(accepted: Array) -> None:
    if len(accepted) >= TRIES and not accepted.any():
        raise ValueError(f"no truncated normal number lay between its bounds in {TRIES} tries")


def method(bounds: Bounds, dtype: np.dtype[Any]) -> tuple[Any, int]:
    """How to make candidates of words, and tell which are good; and how many blocks it takes at a time."""
    number = dtype.type
    low, high = bounds.low, bounds.high
    root = np.sqrt(low * low + number(4))
    cutoff = number(2) * rounded(np.exp, number(0.5) + (low * (low - root)) / number(4)) / (low + root)
    wide = number(WIDE_BOUND)

    def normal(words: Array) -> tuple[Array, Array]:
        tries = philox.normal(words, dtype).reshape(-1)
        return tries, (tries >= low) & (tries <= high)

    def uniform(words: Array) -> tuple[Array, Array]:
        """Even candidates, of one block; the next block decides."""
        peak = number(0) if low < 0 else low * low
        tries = philox.uniform(words[:, :4], dtype) * (high - low) + low
        height = rounded(np.exp, (peak - tries * tries) / number(2))
        return tries.reshape(-1), (philox.uniform(words[:, 4:], dtype) <= height).reshape(-1)

    def exponential(words: Array) -> tuple[Array, Array]:
        """Candidates of every other number; the others decide."""
        alpha = (low + np.sqrt(low * low + number(4))) / number(2)
        numbers = philox.uniform(words, dtype)
        tries = -rounded(np.log, numbers[:, 0::2]) / alpha + low
        x = alpha - tries if low < alpha else np.broadcast_to(low - alpha, tries.shape)
        height = rounded(np.exp, -x * x / number(2))
        return tries.reshape(-1), ((numbers[:, 1::2] <= height) & (tries < high)).reshape(-1)

    if (low < -wide and high >= 0) or (high > wide and low <= 0):
        return normal, 1
    return (uniform, 2) if high - low < cutoff else (exponential, 1)
