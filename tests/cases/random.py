"""Random numbers whose parameters have gradients, and those that have none."""

from tests.cases import case, const, f32, f64

_BOUNDS = f32(2, low=-2, high=-1), f32(2, low=1, high=2)

CASES = [
    case("RandomGamma", const([3]), f32(2, low=0.5, high=3), order=1, random=True, seed=7, seed2=9),
    case("RandomGamma", const([], "int32"), f64(2, 2, low=0.5, high=3), order=1, random=True, seed=7, seed2=9),
    case("StatelessRandomGammaV2", const([3, 2]), const([1, 2]), f32(2, low=0.5, high=3), order=1, smooth=False),
    case("StatelessRandomGammaV2", const([2]), const([1, 2]), f64(2, low=0.5, high=3), order=1, smooth=False),
    case(
        *["StatelessRandomGammaV3", const([3, 2]), const([5], "uint64"), const([1, 2], "uint64"), const(1)],
        *[f32(2, low=0.5, high=3)],
        order=1,
        smooth=False,
    ),
    case(
        *["StatelessParameterizedTruncatedNormal", const([3, 2]), const([1, 2])],
        *[f32(2), f32(2, low=1, high=2), *_BOUNDS],
        order=1,
        smooth=False,
    ),
    case(
        *["StatelessParameterizedTruncatedNormal", const([3, 2]), const([1, 2])],
        *[f32(1), f32(2, low=1, high=2), *_BOUNDS],
        order=1,
        smooth=False,
    ),
]
