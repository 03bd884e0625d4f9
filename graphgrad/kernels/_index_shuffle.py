"""A permutation of the numbers up to a limit that never stands in memory; part of the random family.

The cipher Simon (Beaulieu et al. 2013), on blocks just wide enough for the limit, is gone through until a number below
it comes out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphgrad.registry import kernel

Array = np.ndarray[Any, Any]
NARROWEST = 16  # bits of a block
CONSTANTS = 0x7369F885192C0EF5  # one bit a round, the lowest first


class Simon:
    """The cipher for a key of three words, on blocks of two words so wide."""

    def __init__(self, key: Sequence[int], width: int, rounds: int):
        self.width, self.mask = width, (1 << width) - 1
        self._keys = [word & self.mask for word in key]
        for i in range(3, rounds):
            last = self._keys[-1]
            mixed = self._keys[-3] ^ self._turned(last, -3) ^ self._turned(last, -4)
            self._keys.append(mixed ^ (0xFFFFFFFC & self.mask) ^ (CONSTANTS >> i - 3 & 1))

    def _turned(self, word: int, by: int) -> int:
        by %= self.width
        return (word << by | word >> self.width - by) & self.mask

    def _mixed(self, word: int) -> int:
        return self._turned(word, 1) & self._turned(word, 8) ^ self._turned(word, 2)

    def encrypted(self, block: int) -> int:
        left, right = block >> self.width & self.mask, block & self.mask
        for first, second in zip(self._keys[::2], self._keys[1::2], strict=True):
            left ^= self._mixed(right) ^ first
            right ^= self._mixed(left) ^ second
        return left << self.width | right


def shuffled(index: int, key: Sequence[int], limit: int, rounds: int) -> int:
    """Where the index stands among the shuffled numbers from 0 to the limit, which is one of them."""
    if not 0 <= index <= limit:
        raise ValueError(f"index {index} does not lie between 0 and max_index, {limit}")
    bits = max(NARROWEST, (limit - 1).bit_length())
    cipher = Simon([int(word) & 0xFFFFFFFF for word in key], (bits + 1) // 2, rounds)
    while (index := cipher.encrypted(index)) > limit:
        pass
    return index


@kernel("RandomIndexShuffle")
def random_index_shuffle(index, seed, max_index, *, rounds):
    """One seed and one limit for all indices, or one for each."""
    if index.ndim > 1 or max_index.ndim > 1 or seed.ndim not in (1, 2) or seed.shape[-1] != 3:
        raise ValueError(
            f"index {list(index.shape)}, seed {list(seed.shape)} and max_index {list(max_index.shape)} must have shapes "
            "[] or [n], [3] or [n, 3], and [] or [n]"
        )
    if rounds < 4 or rounds % 2:
        raise ValueError(f"rounds must be even and at least 4, not {rounds}")
    counts = {len(part) for part, least in ((index, 0), (seed, 1), (max_index, 0)) if part.ndim > least}
    if len(counts) > 1:
        raise ValueError(f"index, seed and max_index are of different lengths: {sorted(counts)}")
    count = counts.pop() if counts else 1
    parts = np.broadcast_to(index, count), np.broadcast_to(seed, (count, 3)), np.broadcast_to(max_index, count)
    found = [shuffled(i, key, limit, rounds) for i, key, limit in zip(*(p.tolist() for p in parts), strict=True)]
    is_lone = not (index.ndim or max_index.ndim or seed.ndim > 1)
    return np.array(found, index.dtype).reshape(() if is_lone else (count,))
