"""Gradients of special functions.

A function of one argument is known by its slope; of two arguments each gradient is summed to its operand's shape.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from graphgrad import dtypes
from graphgrad.functions import GraphBuilder
from graphgrad.gradients.broadcasting import summing
from graphgrad.registry import gradient, gradients
from graphgrad.tensors import Tensor


# ------------------------------------------------------------------ of one argument
def bessel(g: GraphBuilder, kind: str, x: Tensor) -> Tensor:
    """The Bessel function of that kind and order, in the scope of TensorFlow's Python function."""
    with g.name_scope(f"bessel_{kind.lower()}"):
        return g.op(f"Bessel{kind}", x).outputs[0]


def where_zero(g: GraphBuilder, x: Tensor, limit: float) -> tuple[Tensor, Tensor]:
    """Where x is 0, and what the slope tends to there, for slopes whose formula divides by x."""
    return g.Equal(x, 0.0), g.cast(limit, x.dtype)


def divided(g: GraphBuilder, y: Tensor, x: Tensor) -> Tensor:
    return g.RealDiv(y, x, name="div")


def trigamma(g: GraphBuilder, x: Tensor) -> Tensor:
    """ψ′(x); there is no Polygamma of halves, so theirs goes by float32."""
    wide = dtypes.float64 if x.dtype is dtypes.float64 else dtypes.float32
    return g.cast(g.Polygamma(g.constant(1.0, wide), g.cast(x, wide)), x.dtype)


# The slope of each function at x, where its value is y.
SLOPES: dict[str, Callable[[GraphBuilder, Tensor, Tensor], Tensor]] = {
    "Lgamma": lambda g, x, y: g.Digamma(x),
    "Digamma": lambda g, x, y: trigamma(g, x),
    "Dawsn": lambda g, x, y: 1.0 - 2 * x * y,
    "FresnelCos": lambda g, x, y: g.Cos(math.pi / 2 * g.Square(x)),
    "FresnelSin": lambda g, x, y: g.Sin(math.pi / 2 * g.Square(x)),
    "BesselI0": lambda g, x, y: bessel(g, "I1", x),
    "BesselI0e": lambda g, x, y: bessel(g, "I1e", x) - g.Sign(x) * y,
    "BesselI1": lambda g, x, y: g.SelectV2(*where_zero(g, x, 1.0), bessel(g, "I0", x) - divided(g, y, x)),
    "BesselI1e": lambda g, x, y: g.SelectV2(
        *where_zero(g, x, 0.5), bessel(g, "I0e", x) - y * (g.Sign(x) + g.Reciprocal(x))
    ),
    "BesselK0": lambda g, x, y: -bessel(g, "K1", x),
    "BesselK0e": lambda g, x, y: y - bessel(g, "K1e", x),
    "BesselK1": lambda g, x, y: -bessel(g, "K0", x) - divided(g, y, x),
    "BesselK1e": lambda g, x, y: y * (1.0 - g.Reciprocal(x)) - bessel(g, "K0e", x),
    "BesselJ0": lambda g, x, y: -bessel(g, "J1", x),
    "BesselJ1": lambda g, x, y: g.SelectV2(*where_zero(g, x, 0.5), bessel(g, "J0", x) - divided(g, y, x)),
    "BesselY0": lambda g, x, y: -bessel(g, "Y1", x),
    "BesselY1": lambda g, x, y: bessel(g, "Y0", x) - divided(g, y, x),
}


def times_slope(slope: Callable[[GraphBuilder, Tensor, Tensor], Tensor]) -> Callable[..., Tensor]:
    """The rule dx = dz slope(x, y); nothing of the slope is computed before dz is there."""

    def rule(g, op, dz):
        with g.control_dependencies([dz]):
            return dz * slope(g, op.inputs[0], op.outputs[0])

    return rule


gradients({op_type: times_slope(slope) for op_type, slope in SLOPES.items()})


@gradient("Expint")
def expint(g, op, dz):
    (x,) = op.inputs
    with g.control_dependencies([dz]):
        return dz * g.Exp(x) / x


@gradient("Spence")
def spence(g, op, dz):
    """log(x) / (1 - x), -1 at 1"""
    (x,) = op.inputs
    with g.control_dependencies([dz]):
        slope = g.Log(x) / (1 - x)
        return dz * g.Select(g.Equal(x, 1.0), -g.ones_like(x), slope)


@gradient("Erfinv")
def erfinv(g, op, dz):
    """d erfinv(x) = √π/2 exp(y²) dx"""
    half_root_pi = g.constant(math.sqrt(math.pi) / 2, dz.dtype)
    with g.control_dependencies([dz]):
        return dz * half_root_pi * g.Exp(g.Square(op.outputs[0]))


@gradient("Ndtri")
def ndtri(g, op, dz):
    """d ndtri(x) = √2π exp(y²/2) dx"""
    root_two_pi = g.constant(math.sqrt(2 * math.pi), dz.dtype)
    with g.control_dependencies([dz]):
        return dz * root_two_pi * g.Exp(g.Square(op.outputs[0]) / 2.0)


# ------------------------------------------------------------------ of two arguments
@gradient("Igamma")
def igamma(g, op, dz):
    """∂x: exp(-x + (a - 1) log x - lgamma a)"""
    a, x = op.inputs
    to_a, to_x = summing(g, g.shape(a), g.shape(x))
    with g.control_dependencies([dz]):
        da = g.IgammaGradA(a, x)
        dx = g.Exp(-x + (a - 1) * g.Log(x) - g.Lgamma(a))
        return to_a(da * dz), to_x(dx * dz)


@gradient("Igammac")
def igammac(g, op, dz):
    da, dx = igamma(g, op, dz)
    return -da, -dx


@gradient("Zeta")
def zeta(g, op, dz):
    """∂q: -x ζ(x + 1, q)"""
    x, q = op.inputs
    _, to_q = summing(g, g.shape(x), g.shape(q))
    with g.control_dependencies([dz]):
        x, q = g.conj(x), g.conj(q)
        dq = -x * g.Zeta(x + 1, q)
        return None, to_q(dq * dz)


@gradient("Polygamma")
def polygamma(g, op, dz):
    """∂x: ψ⁽ⁿ⁺¹⁾(x)"""
    n, x = op.inputs
    _, to_x = summing(g, g.shape(n), g.shape(x))
    with g.control_dependencies([dz]):
        n, x = g.conj(n), g.conj(x)
        dx = g.Polygamma(n + 1, x)
        return None, to_x(dx * dz)


@gradient("Betainc")
def betainc(g, op, dz):
    """∂x: xᵃ⁻¹ (1 - x)ᵇ⁻¹ / B(a, b), in logarithms; there is no gradient of a and b."""
    a, b, x = op.inputs
    # One of a and b may be a scalar; TensorFlow looks at a alone, and fails where all of the shape is in b.
    operand = b if a.shape == x.shape == () and b.shape else a
    _, to_x = summing(g, g.shape(operand), g.shape(x))
    log_beta = g.Lgamma(a) + g.Lgamma(b) - g.Lgamma(a + b)
    b_minus_1 = b - 1
    minus_x = -x
    with g.name_scope("xlog1py"):
        log_power = g.Xlog1py(b_minus_1, minus_x)
    dx = g.Exp(log_power + g.Xlogy(a - 1, x) - log_beta)
    return None, None, to_x(dx * dz)
