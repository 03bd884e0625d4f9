"""Complex numbers at the ends of their range, where it shows how TensorFlow's processor kernels compute.

They take as many numbers at once as fill a register of 32 bytes, by the plain formulas, and what is left at the end of
an array one by one, by the arithmetic of C (ISO/IEC 9899:2011, annex G), which finds infinities that the plain formulas
lose among NaN. A formula here is written once, over an `Arithmetic`, and `by_registers` makes a kernel of it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

Array = np.ndarray[Any, Any]
REGISTER = 32  # bytes


class Arithmetic(NamedTuple):
    """How two complex numbers are multiplied and divided."""

    product: Callable[[Array, Array], Array]
    quotient: Callable[[Array, Array], Array]


def by_registers(formula: Callable[..., Array]) -> Callable[..., Array]:
    """The kernel that a formula of an arithmetic and of arrays which broadcast makes."""

    def kernel(*arrays: Array, out: Array | None = None) -> Array:
        result = np.asarray(formula(PLAIN, *arrays))
        rest = result.size % (REGISTER // arrays[0].dtype.itemsize)
        if rest:
            start = result.size - rest
            left = [np.broadcast_to(array, result.shape).flat[start:] for array in arrays]
            result = np.ascontiguousarray(result).reshape(result.shape)
            result.reshape(-1)[start:] = formula(ONE_BY_ONE, *left)
        return _delivered(result, out)

    return kernel


def one_by_one(formula: Callable[..., Array]) -> Callable[..., Array]:
    """The kernel of a formula that TensorFlow has no registers for."""

    def kernel(*arrays: Array, out: Array | None = None) -> Array:
        return _delivered(np.asarray(formula(ONE_BY_ONE, *arrays)), out)

    return kernel


def _delivered(result: Array, out: Array | None) -> Array:
    if out is None:
        return result
    out[...] = result
    return out


def _complex(real: Array, imag: Array, like: Array) -> Array:
    result = np.empty(np.broadcast_shapes(real.shape, imag.shape), like.dtype)
    result.real, result.imag = real, imag
    return result


def _plain_quotient(x: Array, y: Array) -> Array:
    """Numbers are scaled by the larger part of y, so that nothing is left of a quotient by 0 or infinity."""
    nothing = (y == 0) | ~np.isfinite(y)
    return np.where(nothing, np.array(complex(math.nan, math.nan), y.dtype), np.divide(x, y))


def _unit(part: Array) -> Array:
    """1 for infinity and 0 for all else, with its sign."""
    return np.copysign(np.isinf(part).astype(part.dtype), part)


def _without_nan(part: Array) -> Array:
    return np.where(np.isnan(part), np.copysign(part.dtype.type(0), part), part)


def _product(x: Array, y: Array) -> Array:
    """x y, where both parts are NaN by the example in G.5.1."""
    z = np.multiply(x, y)
    lost = np.isnan(z.real) & np.isnan(z.imag)
    if not lost.any():
        return z
    a, b, c, d = x.real, x.imag, y.real, y.imag
    x_is_infinite, y_is_infinite = np.isinf(x), np.isinf(y)
    overflows = np.isinf(a * c) | np.isinf(b * d) | np.isinf(a * d) | np.isinf(b * c)
    found = lost & (x_is_infinite | y_is_infinite | overflows)
    a, b = (np.where(x_is_infinite, _unit(part), _without_nan(part)) for part in (a, b))
    c, d = (np.where(y_is_infinite, _unit(part), _without_nan(part)) for part in (c, d))
    infinity = z.real.dtype.type(math.inf)
    return np.where(found, _complex(infinity * (a * c - b * d), infinity * (a * d + b * c), z), z)


def _quotient(x: Array, y: Array) -> Array:
    """x / y, where something is not finite or y is 0 by the example in G.5.1."""
    z = np.divide(x, y)
    troubled = (y == 0) | ~np.isfinite(y) | ~np.isfinite(z)
    if not troubled.any():
        return z
    a, b, c, d = x.real, x.imag, y.real, y.imag
    largest = np.fmax(np.abs(c), np.abs(d))
    scale = np.where(np.isfinite(largest) & (largest > 0), largest, largest.dtype.type(1))
    denominator = (c / scale) * (c / scale) + (d / scale) * (d / scale)
    real = (a * (c / scale) + b * (d / scale)) / denominator / scale
    imag = (b * (c / scale) - a * (d / scale)) / denominator / scale
    lost = np.isnan(real) & np.isnan(imag)
    infinity, nought = real.dtype.type(math.inf), real.dtype.type(0)
    by_zero = lost & (denominator == 0) & ~(np.isnan(a) & np.isnan(b))
    infinite = lost & ~by_zero & np.isinf(x) & np.isfinite(y)
    vanishing = lost & ~by_zero & np.isinf(largest) & np.isfinite(x)
    ua, ub, uc, ud = (_unit(part) for part in (a, b, c, d))
    real, imag = (
        np.select(
            [by_zero, infinite, vanishing], [np.copysign(infinity, c) * top, infinity * grown, nought * shrunk], part
        )
        for part, top, grown, shrunk in (
            (real, a, ua * c + ub * d, a * uc + b * ud),
            (imag, b, ub * c - ua * d, b * uc - a * ud),
        )
    )
    return np.where(troubled, _complex(real, imag, z), z)


PLAIN = Arithmetic(np.multiply, _plain_quotient)
ONE_BY_ONE = Arithmetic(_product, _quotient)


# ------------------------------------------------------------------------------------------ functions of one number


def _one(x: Array) -> Array:
    return np.ones((), x.dtype)


@by_registers
def reciprocal(by: Arithmetic, x: Array) -> Array:
    return by.quotient(_one(x), x)


@by_registers
def square(by: Arithmetic, x: Array) -> Array:
    return by.product(x, x)


@by_registers
def exponential(by: Arithmetic, x: Array) -> Array:
    """The real part of exp(inf - inf j), whose sign C leaves open, is negative in registers of complex64."""
    y = np.exp(x)
    if by is PLAIN and x.dtype == np.complex64:
        y = np.where(np.isposinf(x.real) & np.isneginf(x.imag), _complex(-np.abs(y.real), y.imag, y), y)
    return y


@by_registers
def square_root(by: Arithmetic, x: Array) -> Array:
    """Registers lose the sign of the imaginary part beside -inf; one by one, -0 counts as 0 there."""
    y = np.sqrt(x)
    upwards = np.isneginf(x.real) & np.isfinite(x.imag) if by is PLAIN else (x.imag == 0) & (x.real < 0)
    return np.where(upwards, _complex(y.real, np.abs(y.imag), y), y)


@by_registers
def sign(by: Arithmetic, x: Array) -> Array:
    """x / |x|, part by part. In registers the size of a number is that of its parts which are not NaN, taken twice where one is."""
    larger, smaller = np.fmax(abs(x.real), abs(x.imag)), np.fmin(abs(x.real), abs(x.imag))
    if by is PLAIN:
        ratio = np.divide(smaller, larger, out=np.zeros_like(larger), where=larger != 0)
        size = larger * np.sqrt(1 + ratio * ratio)
    else:
        size = np.where(np.isnan(x.real) | np.isnan(x.imag), larger.dtype.type(math.nan), np.abs(x))
    real, imag = (np.where((size == 0) & ~np.isnan(part), part.dtype.type(0), part / size) for part in (x.real, x.imag))
    return _complex(real, imag, x)


@one_by_one
def rsqrt(by: Arithmetic, x: Array) -> Array:
    """1 / sqrt(x); of a negative number with the imaginary part -0 as of that with 0."""
    root = np.sqrt(np.where((x.imag == 0) & (x.real < 0), x.real + 0j, x))
    ends = [np.isinf(x), x == 0]
    return np.select(ends, [x.dtype.type(0), x.dtype.type(complex(math.inf, math.nan))], by.quotient(_one(x), root))


@one_by_one
def sigmoid(by: Arithmetic, x: Array) -> Array:
    return by.quotient(_one(x), 1 + np.exp(-x))


@one_by_one
def log1p(by: Arithmetic, x: Array) -> Array:
    """x log(u) / (u - 1) with u = 1 + x rounded (Kahan); x itself where that is 1, or infinite."""
    u = _complex(1 + x.real, x.imag, x)
    y = np.log(u)
    less = _complex(u.real - 1, u.imag, x)
    return np.where((u == 1) | (u == y), x, by.product(x, by.quotient(y, less)))


@one_by_one
def expm1(by: Arithmetic, x: Array) -> Array:
    """expm1(a) - 2 exp(a) sin(b / 2)^2 + i exp(a) sin(b) for x = a + i b."""
    less = np.expm1(x.real)
    half = np.sin(x.imag / 2)
    return _complex(less - 2 * (less + 1) * (half * half), (less + 1) * np.sin(x.imag), x)


# ----------------------------------------------------------------------------------------- functions of two numbers


@by_registers
def product(by: Arithmetic, x: Array, y: Array) -> Array:
    return by.product(x, y)


@by_registers
def quotient(by: Arithmetic, x: Array, y: Array) -> Array:
    return by.quotient(x, y)


def zero_where(condition: Array, value: Array) -> Array:
    """The value, and 0 where the condition holds, whatever the value is there."""
    return np.where(condition, value.dtype.type(0), value)


@by_registers
def product_or_zero(by: Arithmetic, x: Array, y: Array) -> Array:
    """0 where y is 0."""
    return zero_where(y == 0, by.product(x, y))


@by_registers
def quotient_or_zero(by: Arithmetic, x: Array, y: Array) -> Array:
    """0 where y is 0."""
    return zero_where(y == 0, by.quotient(x, y))


@by_registers
def xdivy(by: Arithmetic, x: Array, y: Array) -> Array:
    return zero_where(x == 0, by.quotient(x, y))


@by_registers
def xlogy(by: Arithmetic, x: Array, y: Array) -> Array:
    return zero_where(x == 0, by.product(x, np.log(y)))


@one_by_one
def xlog1py(by: Arithmetic, x: Array, y: Array) -> Array:
    return zero_where(x == 0, by.product(x, log1p(y)))


@by_registers
def squared_difference(by: Arithmetic, x: Array, y: Array) -> Array:
    """(x - y) times its conjugate."""
    return by.product(x - y, (x - y).conj())


@one_by_one
def power(by: Arithmetic, x: Array, y: Array) -> Array:
    """exp(y log(x)) where something is not finite, or x is 0."""
    z = np.power(x, y)
    edge = (x == 0) | ~np.isfinite(x) | ~np.isfinite(y) | ~np.isfinite(z)
    return np.where(edge, np.exp(by.product(y, np.log(x))), z)


# ----------------------------------------- gradients of functions of one number, in terms of their value y


@by_registers
def tanh_grad(by: Arithmetic, y: Array, dy: Array) -> Array:
    return by.product(dy, 1 - by.product(y, y))


@by_registers
def sigmoid_grad(by: Arithmetic, y: Array, dy: Array) -> Array:
    if by is PLAIN:
        return by.product(dy, by.product(y, 1 - y))
    return by.product(by.product(dy, y), 1 - y)


@by_registers
def sqrt_grad(by: Arithmetic, y: Array, dy: Array) -> Array:
    half, y = np.array(0.5, y.dtype), y.conj()
    gradient = by.product(dy, by.quotient(half, y)) if by is PLAIN else by.quotient(by.product(dy, half), y)
    return zero_where(dy == 0, gradient)


@by_registers
def rsqrt_grad(by: Arithmetic, y: Array, dy: Array) -> Array:
    y = y.conj()
    return zero_where(dy == 0, by.product(by.product(dy, y), by.product(by.product(y, y), np.array(-0.5, y.dtype))))


@by_registers
def reciprocal_grad(by: Arithmetic, y: Array, dy: Array) -> Array:
    y = y.conj()
    return zero_where(dy == 0, by.product(-dy, by.product(y, y)))
