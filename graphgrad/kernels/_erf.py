"""The error function, which every gelu asks for: in float32 without SciPy, whose import and loop are slow.

The rational function is within 4e-7 of erf, relatively, for every float32.
"""

from __future__ import annotations

import numpy as np

# erf(x) = x P(x^2) / Q(x^2), fitted for the least relative error up to _FLAT, beyond which float32 sees 1.
_FLAT = 3.925
_P = (2.04600846e-06, 2.84822225e-04, 3.77197706e-03, 5.27674842e-02, 1.90581599e-01, 1.12837915)
_Q = (3.80464680e-05, 1.16370346e-03, 1.49820503e-02, 1.14177512e-01, 5.02231278e-01, 1.0)
_TILE = 16384  # elements; a few float32 arrays of this length stay in the cache


def _polynomial(coefficients, x):
    """By Horner's rule, highest power first."""
    value = coefficients[0] * x
    for coefficient in coefficients[1:-1]:
        value += coefficient
        value *= x
    value += coefficients[-1]
    return value


def _erf_of_tile(x, out):
    x = np.maximum(x, -_FLAT)
    np.minimum(x, _FLAT, out=x)
    square = x * x
    x *= _polynomial(_P, square)
    x /= _polynomial(_Q, square)
    np.maximum(x, -1, out=x)
    np.minimum(x, 1, out=out)


def erf(x):
    if x.dtype != np.float32:
        from scipy import special

        return np.where(np.isinf(x * x), x.dtype.type(np.nan), special.erf(x))  # as TensorFlow's in float64
    flat = np.ascontiguousarray(x).reshape(-1)
    out = np.empty_like(flat)
    for start in range(0, flat.size, _TILE):
        _erf_of_tile(flat[start : start + _TILE], out[start : start + _TILE])
    return out.reshape(np.shape(x))


def erfc(x):
    from scipy import special

    return special.erfc(x)
