"""Binomial numbers: geometric ones added up where few successes are expected, Hormann's BTRS (1993) elsewhere."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from graphgrad.kernels import philox
from graphgrad.kernels.philox import Streams

Array = np.ndarray[Any, Any]

FEW = 10  # expected successes below which geometric numbers are added up
# How many blocks of the generator lie between the streams of two samples.
GEOMETRIC_DISTANCE, REJECTION_DISTANCE = 42, 256
# log(k!) less Stirling's approximation of it, for the first few k (Hormann 1993).
STIRLING_TAIL = np.array(
    [
        0.0810614667953272,
        0.0413406959554092,
        0.0276779256849983,
        0.02079067210376509,
        0.0166446911898211,
        0.0138761288230707,
        0.0118967099458917,
        0.0104112652619720,
        0.00925546218271273,
        0.00833056343336287,
    ]
)


def draw(generator: philox.Philox, shape: tuple[int, ...], counts: Array, probs: Array) -> Array:
    """How many trials succeed, float64 of that shape, which ends with that of counts and probs against each other.

    NaN where the probability is NaN or the trials are not finite. Raises ValueError where the shape ends otherwise.
    """
    counts, probs = np.broadcast_arrays(counts, probs)
    if shape[len(shape) - counts.ndim :] != counts.shape:
        raise ValueError(f"the shape {list(shape)} does not end with that of counts and probs, {list(counts.shape)}")
    samples = math.prod(shape[: len(shape) - counts.ndim])
    trials, chance = (np.repeat(p.reshape(-1).astype(np.float64), samples) for p in (counts, probs))
    return draw_each(generator, trials, chance).reshape(counts.size, samples).T.reshape(shape)


def draw_each(generator: philox.Philox, trials: Array, chance: Array) -> Array:
    """One number for each: a stream of the generator each, in their order."""
    likely = chance > 0.5
    unlikely = np.where(likely, 1 - chance, chance)
    defined = np.isfinite(trials) & ~np.isnan(chance)
    successes = np.where(defined, 0.0, np.nan)
    drawn = defined & (trials > 0) & (unlikely > 0)
    few = trials * unlikely < FEW
    add_geometric(Streams(generator, trials.size, GEOMETRIC_DISTANCE), trials, unlikely, drawn & few, successes)
    transform_and_reject(Streams(generator, trials.size, REJECTION_DISTANCE), trials, unlikely, drawn & ~few, successes)
    return np.where(likely & (trials > 0), trials - successes, successes)


def add_geometric(streams: Streams, trials: Array, chance: Array, drawn: Array, successes: Array) -> None:
    """Writes how many of the numbers of trials up to each next success fit into all trials."""
    waiting = np.flatnonzero(drawn)
    used = np.zeros(trials.size)
    while waiting.size:
        used[waiting] += np.ceil(np.log(streams.uniform(waiting)) / np.log1p(-chance[waiting]))
        waiting = waiting[used[waiting] <= trials[waiting]]
        successes[waiting] += 1


def transform_and_reject(streams: Streams, trials: Array, chance: Array, drawn: Array, successes: Array) -> None:
    """Writes numbers by transformed rejection with squeeze, in the names of Hormann (1993)."""
    waiting = np.flatnonzero(drawn)
    while waiting.size:
        n, p = trials[waiting], chance[waiting]
        deviation = np.sqrt(n * p * (1 - p))
        b = 1.15 + 2.53 * deviation
        a = -0.0873 + 0.0248 * b + 0.01 * p
        alpha = (2.83 + 5.1 / b) * deviation
        u = streams.uniform(waiting) - 0.5
        v = streams.uniform(waiting)
        us = 0.5 - np.abs(u)
        k = np.floor((2 * a / us + b) * u + n * p + 0.5)
        inside = (us >= 0.07) & (v <= 0.92 - 4.2 / b)
        possible = (k >= 0) & (k <= n)
        height = np.log(v * alpha / (a / (us * us) + b))
        accepted = inside | (possible & (height <= log_ratio(n, p, np.where(possible, k, 0))))
        successes[waiting[accepted]] = k[accepted]
        waiting = waiting[~accepted]


def log_ratio(n: Array, p: Array, k: Array) -> Array:
    """The logarithm of the probability of k successes over that of the likeliest number of them."""
    odds = p / (1 - p)
    m = np.floor((n + 1) * p)
    return (
        (m + 0.5) * np.log((m + 1) / (odds * (n - m + 1)))
        + (n + 1) * np.log((n - m + 1) / (n - k + 1))
        + (k + 0.5) * np.log(odds * (n - k + 1) / (k + 1))
        + stirling_tail(m)
        + stirling_tail(n - m)
        - stirling_tail(k)
        - stirling_tail(n - k)
    )


def stirling_tail(k: Array) -> Array:
    square = (k + 1) * (k + 1)
    series = (1 / 12 - (1 / 360 - 1 / 1260 / square) / square) / (k + 1)
    table = STIRLING_TAIL[np.clip(k, 0, len(STIRLING_TAIL) - 1).astype(np.intp)]
    return np.where(k < len(STIRLING_TAIL), table, series)
