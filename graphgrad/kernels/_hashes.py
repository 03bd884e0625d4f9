"""The hash functions whose values TensorFlow writes down: of strings to buckets, and fingerprints.

All are of 64 bits: FarmHash (its fingerprint), Murmur 2 with TensorFlow's seed, and SipHash with a key.
"""

from __future__ import annotations

import functools

MASK = (1 << 64) - 1
K0, K1, K2 = 0xC3A5C85C97CB3127, 0xB492B66FBE98F273, 0x9AE16A3B2F90404F


def _u64(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 8], "little")


def _u32(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 4], "little")


def _rotated(value: int, by: int) -> int:
    """To the right."""
    return (value >> by) | (value << (64 - by)) & MASK


def _mixed(value: int) -> int:
    return value ^ (value >> 47)


# ----------------------------------------------------------------------------------------------- FarmHash


def _hash16(u: int, v: int, mul: int) -> int:
    a = _mixed(((u ^ v) * mul) & MASK)
    b = _mixed(((v ^ a) * mul) & MASK)
    return (b * mul) & MASK


def _up_to_16(data: bytes) -> int:
    size = len(data)
    if size >= 8:
        mul = K2 + size * 2
        a, b = (_u64(data, 0) + K2) & MASK, _u64(data, size - 8)
        c = (_rotated(b, 37) * mul + a) & MASK
        d = ((_rotated(a, 25) + b) * mul) & MASK
        return _hash16(c, d, mul & MASK)
    if size >= 4:
        mul = K2 + size * 2
        return _hash16((size + (_u32(data, 0) << 3)) & MASK, _u32(data, size - 4), mul & MASK)
    if size:
        y = data[0] + (data[size >> 1] << 8)
        z = size + (data[size - 1] << 2)
        return (_mixed(((y * K2) ^ (z * K0)) & MASK) * K2) & MASK
    return K2


def _up_to_32(data: bytes) -> int:
    size = len(data)
    mul = K2 + size * 2
    a, b = (_u64(data, 0) * K1) & MASK, _u64(data, 8)
    c, d = (_u64(data, size - 8) * mul) & MASK, (_u64(data, size - 16) * K2) & MASK
    u = (_rotated((a + b) & MASK, 43) + _rotated(c, 30) + d) & MASK
    return _hash16(u, (a + _rotated((b + K2) & MASK, 18) + c) & MASK, mul & MASK)


def _up_to_64(data: bytes) -> int:
    size = len(data)
    mul = K2 + size * 2
    a, b = (_u64(data, 0) * K2) & MASK, _u64(data, 8)
    c, d = (_u64(data, size - 8) * mul) & MASK, (_u64(data, size - 16) * K2) & MASK
    y = (_rotated((a + b) & MASK, 43) + _rotated(c, 30) + d) & MASK
    z = _hash16(y, (a + _rotated((b + K2) & MASK, 18) + c) & MASK, mul & MASK)
    e, f = (_u64(data, 16) * mul) & MASK, _u64(data, 24)
    g, h = ((y + _u64(data, size - 32)) * mul) & MASK, ((z + _u64(data, size - 24)) * mul) & MASK
    u = (_rotated((e + f) & MASK, 43) + _rotated(g, 30) + h) & MASK
    return _hash16(u, (e + _rotated((f + a) & MASK, 18) + g) & MASK, mul & MASK)


def _weak_32(data: bytes, at: int, a: int, b: int) -> tuple[int, int]:
    w, x, y, z = (_u64(data, at + i) for i in (0, 8, 16, 24))
    a = (a + w) & MASK
    b = _rotated((b + a + z) & MASK, 21)
    c = a
    a = (a + x + y) & MASK
    b = (b + _rotated(a, 44)) & MASK
    return (a + z) & MASK, (b + c) & MASK


def farmhash64(data: bytes) -> int:
    """FarmHash's 64-bit fingerprint."""
    size = len(data)
    if size <= 16:
        return _up_to_16(data)
    if size <= 32:
        return _up_to_32(data)
    if size <= 64:
        return _up_to_64(data)
    seed = 81
    x = seed
    y = (seed * K1 + 113) & MASK
    z = (_mixed((y * K2 + 113) & MASK) * K2) & MASK
    v, w = (0, 0), (0, 0)
    x = (x * K2 + _u64(data, 0)) & MASK
    end = (size - 1) // 64 * 64
    last64 = end + ((size - 1) & 63) - 63
    for at in range(0, end, 64):
        x = (_rotated((x + y + v[0] + _u64(data, at + 8)) & MASK, 37) * K1) & MASK
        y = (_rotated((y + v[1] + _u64(data, at + 48)) & MASK, 42) * K1) & MASK
        x ^= w[1]
        y = (y + v[0] + _u64(data, at + 40)) & MASK
        z = (_rotated((z + w[0]) & MASK, 33) * K1) & MASK
        v = _weak_32(data, at, (v[1] * K1) & MASK, (x + w[0]) & MASK)
        w = _weak_32(data, at + 32, (z + w[1]) & MASK, (y + _u64(data, at + 16)) & MASK)
        z, x = x, z
    mul = (K1 + ((z & 0xFF) << 1)) & MASK
    at = last64
    w = ((w[0] + ((size - 1) & 63)) & MASK, w[1])
    v = ((v[0] + w[0]) & MASK, v[1])
    w = ((w[0] + v[0]) & MASK, w[1])
    x = (_rotated((x + y + v[0] + _u64(data, at + 8)) & MASK, 37) * mul) & MASK
    y = (_rotated((y + v[1] + _u64(data, at + 48)) & MASK, 42) * mul) & MASK
    x ^= (w[1] * 9) & MASK
    y = (y + v[0] * 9 + _u64(data, at + 40)) & MASK
    z = (_rotated((z + w[0]) & MASK, 33) * mul) & MASK
    v = _weak_32(data, at, (v[1] * mul) & MASK, (x + w[0]) & MASK)
    w = _weak_32(data, at + 32, (z + w[1]) & MASK, (y + _u64(data, at + 16)) & MASK)
    z, x = x, z
    first = (_hash16(v[0], w[0], mul) + _mixed(y) * K0 + z) & MASK
    return _hash16(first, (_hash16(v[1], w[1], mul) + x) & MASK, mul)


# ----------------------------------------------------------------------------------------------- others


def murmur64(data: bytes, seed: int = 0xDECAFCAFFE) -> int:
    """MurmurHash64A."""
    m = 0xC6A4A7935BD1E995
    h = seed ^ (len(data) * m) & MASK
    whole = len(data) // 8 * 8
    for at in range(0, whole, 8):
        k = (_u64(data, at) * m) & MASK
        k = ((k ^ (k >> 47)) * m) & MASK
        h = ((h ^ k) * m) & MASK
    if whole < len(data):
        h = ((h ^ int.from_bytes(data[whole:], "little")) * m) & MASK
    h = ((h ^ (h >> 47)) * m) & MASK
    return h ^ (h >> 47)


def siphash64(key: tuple[int, int], data: bytes) -> int:
    """SipHash-2-4."""
    k0, k1 = (k & MASK for k in key)
    state = (k0 ^ 0x736F6D6570736575, k1 ^ 0x646F72616E646F6D, k0 ^ 0x6C7967656E657261, k1 ^ 0x7465646279746573)
    tail = data[len(data) // 8 * 8 :]
    words = [_u64(data, at) for at in range(0, len(data) - 7, 8)]
    words.append((len(data) & 0xFF) << 56 | int.from_bytes(tail, "little"))
    for word in words:
        v0, v1, v2, v3 = _sip_rounds((*state[:3], state[3] ^ word), 2)
        state = v0 ^ word, v1, v2, v3
    return functools.reduce(int.__xor__, _sip_rounds((state[0], state[1], state[2] ^ 0xFF, state[3]), 4))


def _sip_rounds(state: tuple[int, ...], count: int) -> tuple[int, ...]:
    v0, v1, v2, v3 = state
    for _ in range(count):
        v0 = (v0 + v1) & MASK
        v1 = _rotated(v1, 64 - 13) ^ v0
        v0 = _rotated(v0, 32)
        v2 = (v2 + v3) & MASK
        v3 = _rotated(v3, 64 - 16) ^ v2
        v0 = (v0 + v3) & MASK
        v3 = _rotated(v3, 64 - 21) ^ v0
        v2 = (v2 + v1) & MASK
        v1 = _rotated(v1, 64 - 17) ^ v2
        v2 = _rotated(v2, 32)
    return v0, v1, v2, v3
