"""Special functions."""

from tests.cases import case, f32, f64, given

_BESSEL = [f"Bessel{kind}" for kind in ("I0", "I0e", "I1", "I1e", "J0", "J1", "K0", "K0e", "K1", "K1e", "Y0", "Y1")]

CASES = [
    *[
        case(op, f32(2, 3, low=0.3, high=3.0))
        for op in ("Lgamma", "Digamma", "Dawsn", "Expint", "FresnelCos", "FresnelSin")
    ],
    case("Spence", f32(2, 3, low=0.2, high=0.8)),
    *[case(op, f32(2, 3, low=0.5, high=3.0)) for op in _BESSEL],
    case("Betainc", f32(2, 3, low=0.5, high=2.0), f32(low=0.5, high=2.0), f32(2, 3, low=0.2, high=0.8), smooth=False),
    case("Betainc", f32(3, low=0.5, high=2.0), f32(3, low=0.5, high=2.0), f32(3, low=0.2, high=0.8), smooth=False),
    case("NextAfter", f32(2, 3), f32(2, 3), smooth=False),
    case("NextAfter", f64(2, 3), f64(3), smooth=False),
    case("Erfinv", f32(2, 3, low=-0.8, high=0.8)),
    case("Ndtri", f32(2, 3, low=0.2, high=0.8)),
    *[
        case(op, f32(2, 3, low=0.5, high=2.0), f32(3, low=0.5, high=2.0), order=1, smooth=False)
        for op in ("Igamma", "Igammac")
    ],
    case("Zeta", given([2.0, 3.0]), f32(2, low=0.5, high=2.0), order=1, smooth=False),
    case("Polygamma", given([1.0, 2.0]), f32(2, low=0.5, high=2.0), order=1, smooth=False),
]
