"""The generator Philox4x32-10 (Salmon et al. 2011), vectorised, with TensorFlow's seeds and distributions.

A generator is a key and the counter of its next block of four 32-bit words; no block depends on another.
"""

from __future__ import annotations

import math
import os
from typing import Any, NamedTuple

import ml_dtypes
import numpy as np

from graphgrad.kernels import _libm

Array = np.ndarray[Any, Any]

MULTIPLIERS = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
KEY_STEPS = 0x9E3779B9, 0xBB67AE85
LOW32, LOW64, LOW128 = (1 << 32) - 1, (1 << 64) - 1, (1 << 128) - 1
CHUNK = 1 << 13  # so many blocks at a time stay in the cache
ROWS = 1 << 11  # of blocks that become normal numbers: their arrays are small enough for memory that was in use before

float16, float32, float64 = np.dtype(np.float16), np.dtype(np.float32), np.dtype(np.float64)
bfloat16 = np.dtype(ml_dtypes.bfloat16)
SMALLEST = 1e-7  # below, TensorFlow's Box-Muller raises its first number
TRUNCATE_AT = 2.0


class Philox(NamedTuple):
    """A key of 64 bits and a counter of 128."""

    key: int
    counter: int

    def skip(self, blocks: int) -> Philox:
        """The generator so many blocks further on."""
        return Philox(self.key, (self.counter + blocks) & LOW128)

    def blocks(self, count: int) -> Array:
        """The next blocks, uint32 [count, 4]."""
        return self.blocks_at(np.arange(count, dtype=np.uint64))

    def blocks_at(self, offsets: Array) -> Array:
        """The blocks that many (uint64) behind the next one, uint32 [count, 4]."""
        out = np.empty((len(offsets), 4), np.uint32)
        for start in range(0, len(offsets), CHUNK):
            self._write(offsets[start : start + CHUNK], out[start : start + CHUNK])
        return out

    def _write(self, offsets: Array, out: Array) -> None:
        low = np.uint64(self.counter & LOW64) + offsets
        high = np.uint64(self.counter >> 64) + (low < offsets)
        mask, half = np.uint64(LOW32), np.uint64(32)
        words = [low & mask, low >> half, high & mask, high >> half]
        keys = [self.key & LOW32, self.key >> 32]
        for _ in range(10):
            first, second = words[0] * MULTIPLIERS[0], words[2] * MULTIPLIERS[1]
            words[1] ^= second >> half
            words[1] ^= np.uint64(keys[0])
            words[3] ^= first >> half
            words[3] ^= np.uint64(keys[1])
            words = [words[1], second & mask, words[3], first & mask]
            keys = [(key + step) & LOW32 for key, step in zip(keys, KEY_STEPS, strict=True)]
        for column, word in enumerate(words):
            out[:, column] = word


class NodeGenerator:
    """The generator of a stateful node; every run starts where the last one's reservation ended."""

    def __init__(self, seed: int, seed2: int):
        if seed == 0 and seed2 == 0:
            seed, seed2 = (int.from_bytes(os.urandom(8), "little") for _ in range(2))
        self._next = Philox(seed & LOW64, (seed2 & LOW64) << 64)

    def reserve(self, blocks: int) -> Philox:
        """A generator for one run, which uses no more than that many blocks."""
        reserved = self._next
        self._next = reserved.skip(blocks)
        return reserved


def from_seed(seed: Array) -> Philox:
    """The generator of a stateless op's pair of seeds: they are scrambled by a block of a fixed key."""
    first, second = (int(s) & LOW64 for s in seed)
    words = Philox(0x02461E293EC8F720, second << 64 | first).blocks(1)[0]
    key, counter = words.view("<u8")
    return Philox(int(key), int(counter) << 64)


def from_key(key: Array, counter: Array) -> Philox:
    """The generator of a key and a counter given as uint64 [1] and [2] or more, the low half first."""
    return Philox(int(key[0]), int(counter[1]) << 64 | int(counter[0]))


# --- words to numbers: [blocks, 4] words give [blocks, 4] numbers, or [blocks, 2] of 64 bits ---


def words64(words: Array) -> Array:
    """Pairs of words as uint64, the low word first."""
    return np.ascontiguousarray(words).view("<u8")


def uniform(words: Array, dtype: np.dtype[Any]) -> Array:
    """Numbers in [0, 1): the words' low bits fill the fraction of a number in [1, 2)."""
    if dtype == float64:
        fraction = (words[..., 0::2] & np.uint32(0xFFFFF)).astype(np.uint64) << np.uint64(32) | words[..., 1::2]
        return (fraction | np.uint64(0x3FF0000000000000)).view(float64) - 1
    if dtype == float32:
        return (words & np.uint32(0x7FFFFF) | np.uint32(0x3F800000)).view(float32) - np.float32(1)
    fraction, one = (0x3FF, 0x3C00) if dtype == float16 else (0x7F, 0x3F80)
    numbers = (words & np.uint32(fraction) | np.uint32(one)).astype(np.uint16).view(dtype)
    return numbers - dtype.type(1)


def normal(words: Array, dtype: np.dtype[Any]) -> Array:
    """Standard normal numbers, by Box and Muller from pairs of uniform ones; the half types from float32."""
    return box_muller(uniform(words, float64 if dtype == float64 else float32)).astype(dtype, copy=False)


def box_muller(numbers: Array) -> Array:
    result = np.empty_like(numbers)
    for start in range(0, len(numbers), ROWS):
        _write_normal(numbers[start : start + ROWS], result[start : start + ROWS])
    return result


def _write_normal(numbers: Array, result: Array) -> None:
    wide = numbers.dtype
    radius = np.maximum(numbers[..., 0::2], wide.type(SMALLEST))
    angle = (2 * math.pi * numbers[..., 1::2].astype(float64)).astype(wide)
    radius = np.sqrt(wide.type(-2) * _libm.log(radius))
    sine, cosine = _libm.sin_cos(angle)
    np.multiply(sine, radius, out=result[..., 0::2])
    np.multiply(cosine, radius, out=result[..., 1::2])


def rounded(function: np.ufunc, x: Array) -> Array:
    """function(x), rounded once: float32 by way of float64, within the last bit of what glibc gives."""
    return function(x.astype(float64, copy=False)).astype(x.dtype, copy=False)


def group_size(dtype: np.dtype[Any]) -> int:
    """How many numbers a block gives."""
    return 2 if dtype.itemsize == 8 else 4


def truncated_normal(generator: Philox, size: int, dtype: np.dtype[Any]) -> Array:
    """Normal numbers below 2 in size; each group of them has 256 words a number to itself."""
    group = group_size(dtype)
    count = -(-size // group)
    base = np.arange(count, dtype=np.uint64) * np.uint64(group * 64)
    wide = float64 if dtype == float64 else float32
    numbers = np.empty((count, group), wide)
    filled = np.zeros(count, np.intp)
    open_groups = np.arange(count)
    block = 0
    while open_groups.size:
        drawn = normal(generator.blocks_at(base[open_groups] + np.uint64(block)), wide)
        accepted = np.abs(drawn) < TRUNCATE_AT
        place = filled[open_groups, None] + accepted.cumsum(1) - 1
        accepted &= place < group
        rows = np.broadcast_to(open_groups[:, None], place.shape)
        numbers[rows[accepted], place[accepted]] = drawn[accepted]
        filled[open_groups] += accepted.sum(1)
        open_groups = open_groups[filled[open_groups] < group]
        block += 1
    return numbers.reshape(-1)[:size].astype(dtype, copy=False)


class Streams:
    """Many streams of float64 from one generator, so many blocks apart, each drawn from when needed."""

    def __init__(self, generator: Philox, count: int, distance: int):
        self._generator = generator
        self._next = np.arange(count, dtype=np.uint64) * np.uint64(distance)
        self._stored = {kind: np.empty((count, 2)) for kind in (uniform, normal)}
        self._left = {kind: np.zeros(count, np.intp) for kind in (uniform, normal)}

    def uniform(self, streams: Array) -> Array:
        """The next uniform number of each of these streams."""
        return self._take(uniform, streams)

    def normal(self, streams: Array) -> Array:
        """The next normal number of each of these streams."""
        return self._take(normal, streams)

    def _take(self, kind: Any, streams: Array) -> Array:
        """A block gives two numbers, the second of which is used first."""
        stored, left = self._stored[kind], self._left[kind]
        empty = streams[left[streams] == 0]
        if empty.size:
            stored[empty] = kind(self._generator.blocks_at(self._next[empty]), float64)
            left[empty] = 2
            self._next[empty] += np.uint64(1)
        left[streams] -= 1
        return stored[streams, left[streams]]


def uneven(limit: int) -> int:
    """Words below this are left out, so that the rest of a division by the limit is as likely to be any number."""
    return 0 if limit & (limit - 1) == 0 else LOW32 % limit + 1


class Words:
    """The words of a generator, one after the other, as the numbers that are asked for."""

    def __init__(self, generator: Philox):
        self._generator, self._words = generator, iter(())

    def _next(self) -> int:
        word = next(self._words, None)
        if word is None:
            self._words = iter(self._generator.blocks(16).reshape(-1).tolist())
            self._generator = self._generator.skip(16)
            return next(self._words)
        return word

    def uniform(self) -> np.float32:
        """A number in [0, 1)."""
        return uniform(np.array([self._next()], np.uint32), float32)[0]

    def below(self, limit: int) -> int:
        """A whole number below the limit, all as likely."""
        while (word := self._next()) < uneven(limit):
            pass
        return word % limit
