"""Gradients of random numbers by their parameters, by implicit differentiation (Figurnov et al., 2018)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from graphgrad import dtypes
from graphgrad.functions import GraphBuilder
from graphgrad.registry import gradient, no_gradient
from graphgrad.tensors import Tensor

no_gradient(
    *["Multinomial", "ParameterizedTruncatedNormal", "RandomIndexShuffle", "RandomShuffle"],
    *["RandomStandardNormal", "RandomUniform", "StatelessMultinomial", "StatelessRandomBinomial"],
    *["StatelessRandomNormal", "StatelessRandomNormalV2", "StatelessRandomPoisson", "StatelessRandomUniform"],
    *["StatelessRandomUniformFullInt", "StatelessRandomUniformFullIntV2", "StatelessRandomUniformInt"],
    *["StatelessRandomUniformIntV2", "StatelessRandomUniformV2", "StatelessTruncatedNormal"],
    *["StatelessTruncatedNormalV2", "TruncatedNormal"],
)

# dtype -> the smallest normal number, the largest below one
_LIMITS = {
    dtypes.float16: (2.0**-14, 1 - 2.0**-10),
    dtypes.float32: (2.0**-126, 1 - 2.0**-23),
    dtypes.float64: (2.0**-1022, 1 - 2.0**-52),
}


# ---------------------------------------------------------------------- gamma
@gradient("RandomGamma")
def random_gamma(g, op, dz):
    """`shape` numbers for each alpha: the sample has the shape's dimensions in front of alpha's."""
    shape, alpha = op.inputs
    with g.control_dependencies([dz]):
        return None, _by_alpha(g, op.outputs[0], alpha, g.shape(shape)[0], dz)


@gradient("StatelessRandomGammaV2")
def stateless_random_gamma(g, op, dz):
    """The sample's shape ends in that of alpha."""
    return None, None, _stateless_gamma(g, op, dz)


@gradient("StatelessRandomGammaV3")
def stateless_random_gamma_v3(g, op, dz):
    return None, None, None, None, _stateless_gamma(g, op, dz)


def _stateless_gamma(g: GraphBuilder, op: Any, dz: Any) -> Tensor:
    shape, alpha = op.inputs[0], op.inputs[-1]
    with g.control_dependencies([dz]):
        return _by_alpha(g, op.outputs[0], alpha, g.shape(shape)[0] - g.rank(alpha), dz)


def _by_alpha(g: GraphBuilder, sample: Tensor, alpha: Tensor, leading: Tensor, dz: Any) -> Tensor:
    """The sum over the leading dimensions of dz times d sample / d alpha."""
    aligned = g.Reshape(alpha, g.concat([g.ones([leading], dtypes.int32), g.shape(alpha)], axis=0))
    slope = g.RandomGammaGrad(aligned, sample)
    return g.reduce_sum(dz * slope, axis=g.range(0, leading))


# ---------------------------------------------------------------------- normal between bounds
@gradient("StatelessParameterizedTruncatedNormal")
def stateless_parameterized_truncated_normal(g, op, dz):
    """With u = (x - mean) / stddev and F the distribution of u between the bounds a and b:
    dx/dmean = 1, dx/dstddev = u, dx/da = exp((u² - a²) / 2) (1 - F(u)), dx/db = exp((u² - b²) / 2) F(u).
    """
    shape, _, mean, stddev, *bounds = op.inputs
    with g.control_dependencies([dz]):
        low, high, u = ((x - mean) / stddev for x in (*bounds, op.outputs[0]))
        share = (_normal_distribution(g, u) - _normal_distribution(g, low)) / (
            _normal_distribution(g, high) - _normal_distribution(g, low)
        )
        tiny, almost_one = _LIMITS[mean.dtype]
        with g.name_scope("clip_by_value") as scope:
            share = g.Maximum(g.Minimum(share, almost_one), tiny, name=scope)
        d_high = g.Exp(0.5 * (u**2.0 - high**2.0) + g.Log(share))
        d_low = g.Exp(0.5 * (u**2.0 - low**2.0) + g.Log1p(-share))
        slopes = [g.ones_like(u), u, d_low, d_high]
        return None, None, *_summed_to(g, shape, op.inputs[2:], slopes, dz)


def _summed_to(
    g: GraphBuilder, shape: Tensor, parameters: Sequence[Tensor], slopes: Sequence[Tensor], dz: Any
) -> list[Tensor]:
    """dz times each slope, summed over the sample's extra dimensions, then to the shape of its parameter."""
    shapes = [g.shape(x) for x in parameters]
    together = g.BroadcastArgs(shapes[0], shapes[1])
    for other in shapes[2:]:
        together = g.BroadcastArgs(other, together)
    extra = g.range(0, g.size(shape) - g.size(together))
    sums = [g.reduce_sum(dz * slope, axis=extra) for slope in slopes]
    axes = [g.BroadcastGradientArgs(together, x)[1] for x in shapes]
    return [
        g.Reshape(g.reduce_sum(total, axis=over, keepdims=True), x)
        for total, over, x in zip(sums, axes, shapes, strict=True)
    ]


def _normal_distribution(g: GraphBuilder, x: Tensor) -> Tensor:
    """The cumulative distribution of the normal one, by erf near zero and by erfc in the tails."""
    half_sqrt_2 = g.constant(0.5 * math.sqrt(2.0), x.dtype, name="half_sqrt_2")
    w = x * half_sqrt_2
    z = g.Abs(w)
    near = g.Less(z, half_sqrt_2)
    middle = 1.0 + g.Erf(w)
    is_right = w > 0.0
    tails = g.Select(is_right, 2.0 - g.Erfc(z), g.Erfc(z))
    return 0.5 * g.Select(near, middle, tails)
