"""The checksum of TensorFlow's record and checkpoint files: CRC-32C (Castagnoli), many stretches of the data at a time.

A checksum is linear: that of two stretches one behind the other is that of the first, moved past as many zero bytes as
the second is long, xor that of the second. So numpy works on thousands of stretches side by side and joins them.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

_POLYNOMIAL = 0x82F63B78  # reflected
_ONES = 0xFFFFFFFF
_LANES = 8192
_LONGEST = 256  # words of a stretch: what one block reads stays in the cache
_MASK_DELTA = 0xA282EAD8
_SMALL = 2048  # bytes; less is done byte by byte

Array = np.ndarray[Any, Any]


def checksum(data: bytes | memoryview, before: int = 0) -> int:
    """The checksum of data that continues what has the checksum `before`."""
    register = before ^ _ONES
    whole = np.frombuffer(data, np.uint8)
    at = 0
    while whole.size - at >= _SMALL:
        words = min((whole.size - at) // 4, _LANES * _LONGEST)
        lanes = _LANES
        while words < lanes * 16:
            lanes //= 2
        each = words // lanes
        block = whole[at : at + lanes * each * 4]
        register = _advance(np.array([register], np.uint32), 4 * each * lanes)[0] ^ _block(block, lanes)
        at += block.size
    table = _tables()[0]
    register = int(register)
    for byte in whole[at:].tolist():
        register = table[(register ^ byte) & 0xFF] ^ (register >> 8)
    return register ^ _ONES


def masked(value: int) -> int:
    """A checksum as files store it."""
    return ((value >> 15 | value << 17) + _MASK_DELTA) & _ONES


def _block(block: Array, lanes: int) -> int:
    """The register after a block of `lanes` stretches of whole words, started from zero."""
    stretches = block.reshape(lanes, -1)
    if stretches.ctypes.data % 4:
        stretches = stretches.copy()
    words = stretches.view("<u4")
    _, low, high = _tables()
    registers: Array = np.zeros(lanes, np.uint32)
    for column in range(words.shape[1]):
        registers ^= words[:, column]
        halves = registers.view(np.uint16).reshape(-1, 2)
        registers = low.take(halves[:, 0]) ^ high.take(halves[:, 1])
    length = 4 * words.shape[1]
    while registers.size > 1:
        registers = _advance(registers[::2], length) ^ registers[1::2]
        length *= 2
    return int(registers[0])


@functools.cache
def _tables() -> tuple[list[int], Array, Array]:
    """For a byte, and for the two halves of a word: what the register becomes once they are shifted out."""
    byte = []
    for value in range(256):
        for _ in range(8):
            value = (value >> 1) ^ (_POLYNOMIAL if value & 1 else 0)
        byte.append(value)
    table = np.array(byte, np.uint32)
    high = np.arange(1 << 16, dtype=np.uint32)
    for _ in range(2):
        high = table[high & 0xFF] ^ (high >> 8)
    low = high
    for _ in range(2):
        low = table[low & 0xFF] ^ (low >> 8)
    return byte, low, high


def _advance(registers: Array, length: int) -> Array:
    """Registers moved past `length` zero bytes."""
    step = 0
    while length:
        if length & 1:
            registers = _times(_operator(step), registers)
        length >>= 1
        step += 1
    return registers


@functools.cache
def _operator(step: int) -> Array:
    """What moving past 2^step zero bytes makes of each bit of a register."""
    if step:
        half = _operator(step - 1)
        return _times(half, half)
    table, bits = np.array(_tables()[0], np.uint32), np.uint32(1) << np.arange(32, dtype=np.uint32)
    return table[bits & 0xFF] ^ (bits >> np.uint32(8))


def _times(operator: Array, registers: Array) -> Array:
    found = np.zeros_like(registers)
    for bit in range(32):
        found ^= operator[bit] * ((registers >> np.uint32(bit)) & np.uint32(1))
    return found
