"""Derivatives of the gamma distribution by its shape a: that of its function P(a, x), and of its samples.

The first is the second times the density; both are computed in float64 and end in TensorFlow's values.
"""

from __future__ import annotations

import numpy as np
from scipy import special

_MOST_TERMS = 2000
_PRECISION = 1e-15


def _settled(value, change) -> bool:
    return bool(np.all(~(np.abs(change) > _PRECISION * np.abs(value))))


def _series(a, x):
    """S and dS/da of P(a, x) = x^a e^-x / gamma(a + 1) S, with S = 1 + x/(a+1) + x^2/((a+1)(a+2)) + ..."""
    term, term_by_a = np.ones_like(x), np.zeros_like(x)
    total, total_by_a = term, term_by_a
    for n in range(1, _MOST_TERMS):
        term_by_a = (term_by_a - term / (a + n)) * x / (a + n)
        term = term * x / (a + n)
        total, total_by_a = total + term, total_by_a + term_by_a
        if _settled(total, term) and _settled(total_by_a, term_by_a):
            break
    return total, total_by_a


def _continued_fraction(a, x):
    """C and dC/da of 1 - P(a, x) = x^a e^-x / gamma(a) C.

    C = 1/(x+1-a - 1(1-a)/(x+3-a - 2(2-a)/(x+5-a - ...))). The numerators p and denominators q of its
    convergents follow one recurrence; each step is scaled so that q is 1.
    """
    b, one, zero = x + 1 - a, np.ones_like(x), np.zeros_like(x)
    before = np.stack([zero, one, zero, zero]) / b  # p, q, dp/da, dq/da
    current = np.stack([one, b, zero, -one]) / b
    by_a = np.zeros_like(x)
    for n in range(1, _MOST_TERMS):
        factor, b = n * (n - a), b + 2
        following = current * b - before * factor
        following[2:] += n * before[:2] - current[:2]  # the derivatives of `factor` and b by a are -n and -1
        before, current = current / following[1], following / following[1]
        value = current[0]
        previous, by_a = by_a, current[2] - value * current[3]
        if _settled(value, value - before[0] / before[1]) and _settled(by_a, by_a - previous):
            break
    return current[0], by_a


def _sample_gradient_inside(a, x):
    """-dP/da / p(x), where p is the density x^(a-1) e^-x / gamma(a), for positive and finite a and x."""
    by_series = (x <= 1) | (x <= a)
    gradient = np.empty_like(x)
    for chosen, expansion in ((by_series, _series), (~by_series, _continued_fraction)):
        shape_parameter, sample = a[chosen], x[chosen]
        if not sample.size:
            continue
        value, value_by_a = expansion(shape_parameter, sample)
        if expansion is _series:
            logarithm = np.log(sample) - special.psi(shape_parameter + 1)
            gradient[chosen] = -(sample / shape_parameter) * (logarithm * value + value_by_a)
        else:
            logarithm = np.log(sample) - special.psi(shape_parameter)
            gradient[chosen] = sample * (logarithm * value + value_by_a)
    return gradient


def gamma_sample_gradient(a, x):
    """d sample / da = -(dP/da) / p(sample)."""
    dtype = a.dtype
    a, x = (np.asarray(array, np.float64) for array in np.broadcast_arrays(a, x))
    inside = (a > 0) & (x > 0) & np.isfinite(a) & np.isfinite(x)
    gradient = np.where((a > 0) & (x >= 0) | (x == 0), 0.0, np.nan)
    gradient[inside] = _sample_gradient_inside(a[inside], x[inside])
    return gradient.astype(dtype)


def gamma_cdf_gradient(a, x):
    """dP(a, x) / da."""
    dtype = a.dtype
    a, x = (np.asarray(array, np.float64) for array in np.broadcast_arrays(a, x))
    log_density = special.xlogy(a - 1, x) - x - special.gammaln(a)
    sample_gradient = gamma_sample_gradient(a, x)
    density = np.where(sample_gradient == 0, 1, np.exp(log_density))  # 0, also where there is no density
    return (-sample_gradient * density).astype(dtype)
