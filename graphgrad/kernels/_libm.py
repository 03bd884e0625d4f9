"""log, sin and cos as the C library on Linux computes them, bit for bit: TensorFlow makes its normal random numbers of them.

Those of float32 follow Szabolcs Nagy's logf and Wilco Dijkstra's sincosf (ARM Optimized Routines, which glibc has had since 2.28): all in
float64, rounded once. Those of float64 are Python's own, which are the C library's.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

# The logarithm of z in [0.7, 1.4) is that of c, the middle of one of 16 intervals, and a polynomial of r = z / c - 1.
_OFFSET = 0x3F330000
_LN2 = float.fromhex("0x1.62e42fefa39efp-1")
_LOG = [float.fromhex(h) for h in ("-0x1.00ea348b88334p-2", "0x1.5575b0be00b6ap-2", "-0x1.ffffef20a4123p-2")]
_INTERVALS = """
    0x1.661ec79f8f3bep+0 -0x1.57bf7808caadep-2  0x1.571ed4aaf883dp+0 -0x1.2bef0a7c06ddbp-2
    0x1.49539f0f010b0p+0 -0x1.01eae7f513a67p-2  0x1.3c995b0b80385p+0 -0x1.b31d8a68224e9p-3
    0x1.30d190c8864a5p+0 -0x1.6574f0ac07758p-3  0x1.25e227b0b8ea0p+0 -0x1.1aa2bc79c8100p-3
    0x1.1bb4a4a1a343fp+0 -0x1.a4e76ce8c0e5ep-4  0x1.12358f08ae5bap+0 -0x1.1973c5a611cccp-4
    0x1.0953f419900a7p+0 -0x1.252f438e10c1ep-5  0x1.0000000000000p+0  0x0.0p+0
    0x1.e608cfd9a47acp-1  0x1.aa5aa5df25984p-5  0x1.ca4b31f026aa0p-1  0x1.c5e53aa362eb4p-4
    0x1.b2036576afce6p-1  0x1.526e57720db08p-3  0x1.9c2d163a1aa2dp-1  0x1.bc2860d224770p-3
    0x1.886e6037841edp-1  0x1.1058bc8a07ee1p-2  0x1.767dcf5534862p-1  0x1.4043057b6ee09p-2
"""
_INVERSE, _LOG_OF = np.array([float.fromhex(h) for h in _INTERVALS.split()]).reshape(-1, 2).T

_HALF_PI = float.fromhex("0x1.921FB54442D18p0")
_QUADRANTS = float.fromhex("0x1.45F306DC9C883p+23")  # 2^24 * 2 / pi
_SIN = [float.fromhex(h) for h in ("-0x1.555545995a603p-3", "0x1.1107605230bc4p-7", "-0x1.994eb3774cf24p-13")]
_COS = [
    *(1.0, float.fromhex("-0x1.ffffffd0c621cp-2"), float.fromhex("0x1.55553e1068f19p-5")),
    *(float.fromhex("-0x1.6c087e89a359dp-10"), float.fromhex("0x1.99343027bf8c3p-16")),
]


def log(x: Array) -> Array:
    """The logarithm of positive finite numbers of float32 or float64."""
    if x.dtype == np.float64:
        return _each(math.log, x)
    bits = x.view(np.int32)
    shifted = bits - np.int32(_OFFSET)
    interval, exponent = (shifted >> 19) & 15, shifted >> 23
    z = (bits - (shifted & np.int32(-0x800000))).view(np.float32).astype(np.float64)
    r = z * _INVERSE[interval] - 1
    r2 = r * r
    high = _LOG[0] * r2 + (_LOG[1] * r + _LOG[2])
    return (high * r2 + (_LOG_OF[interval] + exponent * _LN2 + r)).astype(np.float32)


def sin_cos(x: Array) -> tuple[Array, Array]:
    """Sine and cosine of numbers of float32 or float64; those of float32 must be below 120 in size."""
    if x.dtype == np.float64:
        return _each(math.sin, x), _each(math.cos, x)
    wide = x.astype(np.float64)
    quadrant = ((wide * _QUADRANTS).astype(np.int64) + 0x800000) >> 24
    wide -= quadrant * _HALF_PI
    x2 = wide * wide
    x3, x4 = wide * x2, x2 * x2
    sin = wide + x3 * _SIN[0] + x3 * x2 * (_SIN[1] + x2 * _SIN[2])
    cos = _COS[0] + x2 * _COS[1] + x4 * _COS[2] + x4 * x2 * (_COS[3] + x2 * _COS[4])
    turned = quadrant & 1 == 1
    sin, cos = np.where(turned, cos, sin), np.where(turned, sin, cos)
    for part, is_negative in ((sin, quadrant & 2), (cos, (quadrant + 1) & 2)):
        np.negative(part, out=part, where=is_negative != 0)
    return sin.astype(np.float32), cos.astype(np.float32)


def log1p(x: Array) -> Array:
    """log(1 + x) of float64 above -1."""
    return _each(math.log1p, x)


def power(x: Array, y: Array) -> Array:
    """x ** y of float64, both of the same shape."""
    return _each(math.pow, x, y)


def _each(function: Callable[..., float], *arrays: Array) -> Array:
    first = arrays[0]
    return np.fromiter(map(function, *(a.ravel().tolist() for a in arrays)), np.float64, first.size).reshape(
        first.shape
    )
