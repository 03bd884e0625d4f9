"""Special functions."""

from tests.cases import case, f32, given

CASES = [
    *[
        case(op, f32(2, 3, low=0.3, high=3.0))
        for op in ("Lgamma", "Digamma", "Dawsn", "Expint", "FresnelCos", "FresnelSin")
    ],
    case("Spence", f32(2, 3, low=0.2, high=0.8)),
    case("Erfinv", f32(2, 3, low=-0.8, high=0.8)),
    case("Ndtri", f32(2, 3, low=0.2, high=0.8)),
    *[
        case(op, f32(2, 3, low=0.5, high=2.0), f32(3, low=0.5, high=2.0), order=1, smooth=False)
        for op in ("Igamma", "Igammac")
    ],
    case("Zeta", given([2.0, 3.0]), f32(2, low=0.5, high=2.0), order=1, smooth=False),
    case("Polygamma", given([1.0, 2.0]), f32(2, low=0.5, high=2.0), order=1, smooth=False),
]
