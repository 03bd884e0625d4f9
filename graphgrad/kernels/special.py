"""Kernels of the special functions: gamma, beta, zeta, Bessel, error function and their relatives.

They are SciPy's, taken to TensorFlow's values at the edges of their domains; the dtype of the input is kept.
"""

from __future__ import annotations

import numpy as np
from scipy import special

from graphgrad.kernels._gamma import gamma_cdf_gradient, gamma_sample_gradient
from graphgrad.kernels._precision import halves_in_float32
from graphgrad.registry import kernel, kernels

_UNARY = {
    "BesselI0": special.i0,
    "BesselI0e": special.i0e,
    "BesselI1": special.i1,
    "BesselI1e": special.i1e,
    "BesselJ0": special.j0,
    "BesselJ1": special.j1,
    "Dawsn": special.dawsn,
    "Erfinv": special.erfinv,
    "Ndtri": special.ndtri,
    "Spence": special.spence,
}
# Below zero, where SciPy has NaN, TensorFlow has the limit at zero.
_SECOND_KIND = {
    "BesselK0": (special.k0, np.inf),
    "BesselK0e": (special.k0e, np.inf),
    "BesselK1": (special.k1, np.inf),
    "BesselK1e": (special.k1e, np.inf),
    "BesselY0": (special.y0, -np.inf),
}


def _replaced(condition, replacement, value):
    """The value, and the replacement where the condition holds."""
    return np.where(condition, value.dtype.type(replacement), value)


def _bessel_of_second_kind(function, below_zero):
    def bessel(x):
        return _replaced(x < 0, below_zero, function(x))

    return bessel


kernels({op_type: halves_in_float32(function) for op_type, function in _UNARY.items()})
kernels({op_type: halves_in_float32(_bessel_of_second_kind(*row)) for op_type, row in _SECOND_KIND.items()})
kernels({"IgammaGradA": gamma_cdf_gradient, "RandomGammaGrad": gamma_sample_gradient})


@kernel("BesselY1")
@halves_in_float32
def bessel_y1(x):
    """At 0 TensorFlow has the limit in float64, and NaN in float32."""
    at_zero = -np.inf if x.dtype == np.float64 else np.nan
    return _replaced(x == 0, at_zero, _replaced(x < 0, -np.inf, special.y1(x)))


@kernel("Lgamma")
@halves_in_float32
def lgamma(x):
    return _replaced(np.isneginf(x), np.inf, special.gammaln(x))


@kernel("Expint")
@halves_in_float32
def expint(x):
    return _replaced((x < 0) | np.isinf(x), np.nan, special.expi(x))


@kernel("FresnelCos")
@halves_in_float32
def fresnel_cos(x):
    return special.fresnel(x)[1]


@kernel("FresnelSin")
@halves_in_float32
def fresnel_sin(x):
    return special.fresnel(x)[0]


@kernel("Digamma")
@halves_in_float32
def digamma(x):
    return _replaced(x == 0, np.nan, special.psi(x))


@kernel("Zeta")
def zeta(x, q):
    """The Hurwitz zeta function, 0 where it is no normal number; its poles at q = 0, -1, ... are infinities only where x is even."""
    value = special.zeta(x, q)
    is_tiny = np.abs(value) < np.finfo(value.dtype).tiny
    value = _replaced(is_tiny | np.isnan(value) & (x > 1) & (q > 1), 0, value)
    pole = (q <= 0) & (q == np.floor(q)) & ~np.isinf(x) & ~(x <= 1) & (np.fmod(x, 2) != 0)
    return _replaced(pole, np.nan, value)


@kernel("Polygamma")
def polygamma(a, x):
    """(-1)^(a+1) a! zeta(a + 1, x) for natural a, which is digamma for a = 0."""
    sign = np.where(np.fmod(a + 1, 2) == 1, a.dtype.type(-1), a.dtype.type(1))
    derivative = sign * special.gamma(a + 1) * zeta(a + 1, x)
    value = np.where(a == 0, digamma(x), derivative)
    return _replaced((a < 0) | (a != np.floor(a)), np.nan, value)


@kernel("Igamma")
@halves_in_float32
def igamma(a, x):
    value = _replaced((a == 0) | np.isinf(a) & np.isinf(x), np.nan, special.gammainc(a, x))
    return _replaced((x == 0) | np.isposinf(a) & np.isposinf(x), 0, value)


@kernel("Igammac")
@halves_in_float32
def igammac(a, x):
    value = _replaced(a == 0, np.nan, special.gammaincc(a, x))
    return _replaced(np.isposinf(a) & np.isposinf(x), 0, value)


@kernel("Betainc")
def betainc(a, b, x):
    """The arguments are of one shape, scalars aside."""
    shapes = {argument.shape for argument in (a, b, x) if argument.ndim}
    if len(shapes) > 1:
        raise ValueError(f"a, b and x must be scalars or of one shape, not of {sorted(shapes)}")
    value = special.betainc(a, b, x)
    value = _replaced((np.isinf(a) | np.isinf(b)) & (x > 0) & (x < 1), np.nan, value)
    value = _replaced(x == 0, 0, _replaced(x == 1, 1, value))
    return _replaced((a <= 0) | (b <= 0), np.nan, value)
