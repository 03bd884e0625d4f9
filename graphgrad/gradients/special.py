"""Gradients of special functions."""

from __future__ import annotations

import math

from graphgrad.gradients.broadcasting import summing
from graphgrad.registry import gradient


@gradient("Lgamma")
def lgamma(g, op, dz):
    with g.control_dependencies([dz]):
        return dz * g.Digamma(g.conj(op.inputs[0]))


@gradient("Digamma")
def digamma(g, op, dz):
    with g.control_dependencies([dz]):
        x = g.conj(op.inputs[0])
        return dz * g.Polygamma(g.constant(1.0, x.dtype), x)


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


@gradient("Dawsn")
def dawsn(g, op, dz):
    """F' = 1 - 2 x F"""
    x, y = op.inputs[0], op.outputs[0]
    with g.control_dependencies([dz]):
        return dz * (1.0 - 2 * x * y)


@gradient("Expint")
def expint(g, op, dz):
    (x,) = op.inputs
    with g.control_dependencies([dz]):
        return dz * g.Exp(x) / x


@gradient("FresnelCos")
def fresnel_cos(g, op, dz):
    with g.control_dependencies([dz]):
        return dz * g.Cos(math.pi / 2 * g.Square(op.inputs[0]))


@gradient("FresnelSin")
def fresnel_sin(g, op, dz):
    with g.control_dependencies([dz]):
        return dz * g.Sin(math.pi / 2 * g.Square(op.inputs[0]))


@gradient("Spence")
def spence(g, op, dz):
    """log(x) / (1 - x), -1 at 1"""
    (x,) = op.inputs
    with g.control_dependencies([dz]):
        slope = g.Log(x) / (1 - x)
        return dz * g.Select(g.Equal(x, 1.0), -g.ones_like(x), slope)


# ------------------------------------------------------------------ of two arguments
@gradient("Igamma")
def igamma(g, op, dz):
    """∂x: exp(-x + (a - 1) log x - lgamma a)"""
    a, x = op.inputs
    to_a, to_x = summing(g, a, x)
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
    _, to_q = summing(g, x, q)
    with g.control_dependencies([dz]):
        x, q = g.conj(x), g.conj(q)
        dq = -x * g.Zeta(x + 1, q)
        return None, to_q(dq * dz)


@gradient("Polygamma")
def polygamma(g, op, dz):
    """∂x: ψ⁽ⁿ⁺¹⁾(x)"""
    n, x = op.inputs
    _, to_x = summing(g, n, x)
    with g.control_dependencies([dz]):
        n, x = g.conj(n), g.conj(x)
        dx = g.Polygamma(n + 1, x)
        return None, to_x(dx * dz)
