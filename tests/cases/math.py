"""Element-wise ops: plain, broadcast against a row and a scalar, complex, half."""

from graphgrad import dtypes
from tests.cases import b1, bf16, c64, case, f16, f32, f64, given, i32

_ANYWHERE = [
    "Abs",
    "Neg",
    "Sign",
    "Exp",
    "Expm1",
    "Square",
    "Sin",
    "Cos",
    "Tan",
    "Sinh",
    "Cosh",
    "Tanh",
    "Asinh",
    "Atan",
    "Erf",
    "Erfc",
    "Sigmoid",
]
_POSITIVE = ["Log", "Log1p", "Sqrt", "Rsqrt", "Reciprocal", "Inv"]
_INSIDE_ONE = ["Asin", "Acos", "Atanh"]
_COMPLEX = ["Neg", "Exp", "Log", "Sqrt", "Square", "Sin", "Cos", "Tanh", "Sigmoid", "Reciprocal", "Conj"]
_STEPS = ["Floor", "Ceil", "Round", "Rint"]
_BINARY = [
    "Add",
    "AddV2",
    "Sub",
    "Mul",
    "Div",
    "RealDiv",
    "SquaredDifference",
    "Maximum",
    "Minimum",
    "Atan2",
    "DivNoNan",
    "MulNoNan",
]
_LOGARITHMIC = ["Pow", "Xlogy", "Xlog1py", "Xdivy"]
_ROUNDED = [3.4864666, -14.767, 0.3, 2.3e-3, 1e-4, 465, 1e-6, 0.00195, -65.56]
_CASTS = [
    ("float32", "float8_e5m2"),
    ("float64", "float8_e4m3fn"),
    ("float16", "float8_e5m2"),
    ("bfloat16", "float8_e4m3fn"),
]
_CASTS += [("float8_e4m3fn", "float8_e5m2"), ("float8_e5m2", "float32")]
_GRADS = ["TanhGrad", "SigmoidGrad", "SqrtGrad", "RsqrtGrad", "ReciprocalGrad", "InvGrad"]

CASES = [
    *[case(op, f32(2, 3)) for op in _ANYWHERE],
    *[case(op, f32(2, 3, low=0.2, high=2.0)) for op in _POSITIVE],
    *[case(op, f32(2, 3, low=-0.8, high=0.8)) for op in _INSIDE_ONE],
    case("Acosh", f32(2, 3, low=1.2, high=3.0)),
    *[case(op, c64(2, 3)) for op in _COMPLEX],
    *[case(op, f32(2, 3, low=-2.5, high=2.5), smooth=False) for op in _STEPS],
    *[case(op, f16(5)) for op in ("Exp", "Tanh", "Sigmoid")],
    *[case(op, bf16(5)) for op in ("Exp", "Square")],
    case("Exp", f64()),
    case("Exp", f32(0, 3)),
    *[case(op, f32(2, 3), f32(2, 3, low=0.3, high=2.0)) for op in _BINARY],
    *[case(op, f32(2, 3), f32(3, low=0.3, high=2.0)) for op in _BINARY],
    *[case(op, f32(2, 1), f32(1, 3, low=0.3, high=2.0)) for op in _BINARY],
    *[case(op, f32(), f32(2, 3, low=0.3, high=2.0)) for op in ("Mul", "Sub", "RealDiv")],
    *[case(op, f64(2, 3), f64(2, 3, low=0.3, high=2.0)) for op in ("Mul", "AddV2")],
    *[case(op, c64(2, 3), c64(3)) for op in ("Mul", "AddV2", "Sub", "RealDiv")],
    *[case(op, f32(2, 3, low=0.2, high=2.0), f32(2, 3, low=0.2, high=2.0)) for op in _LOGARITHMIC],
    *[case(op, f32(2, 3, low=0.2, high=2.0), f32(3, low=0.2, high=2.0), order=1) for op in _LOGARITHMIC],
    case("Pow", given([[0.0, -1.0, 2.0]]), given([[2.0, 3.0, 0.5]]), label="at-and-below-zero", smooth=False),
    case("FloorMod", f32(2, 3, low=1, high=5), f32(3, low=1.5, high=2.5), smooth=False),
    *[case(op, f32(2, 3, low=0.3, high=2.0), f32(2, 3)) for op in _GRADS],
    case("AddN", [f32(2, 3), f32(2, 3), f32(2, 3)]),
    case("Select", b1(2, 3), f32(2, 3), f32(2, 3)),
    case("SelectV2", b1(2, 3), f32(2, 3), f32(2, 3)),
    case("SelectV2", b1(2, 1), f32(3), f32(2, 3)),
    case("ClipByValue", f32(2, 3), given(-0.5), given(0.5), smooth=False),
    case("Cast", f32(2, 3), DstT=dtypes.float64, label="to-double"),
    case("Cast", f32(2, 3), DstT=dtypes.int32, label="to-int", smooth=False),
    *[
        case(
            "Cast",
            given(_ROUNDED, old),
            DstT=dtypes.by_name(new),
            Truncate=truncates,
            label=f"{old}-{new}-{truncates}",
            smooth=False,
        )
        for truncates in (False, True)
        for old, new in _CASTS
    ],
    case("Cast", given(["a", "bc"], "object"), DstT=dtypes.string, label="string", smooth=False),
    case("Cast", given([7, -8, -1], "int4"), DstT=dtypes.by_name("uint4"), label="int4", smooth=False),
    case("Cast", given([15, 8, 1], "uint4"), DstT=dtypes.by_name("int4"), label="uint4", smooth=False),
    case("Complex", f32(2, 3), f32(3), smooth=False),
    case("Real", c64(2, 3)),
    case("Imag", c64(2, 3)),
    case("ComplexAbs", c64(2, 3)),
    case("Angle", c64(2, 3)),
    case("FloorDiv", i32(2, 3, low=1, high=9), i32(3, low=1, high=5), smooth=False),
    case("Less", f32(2, 3), f32(3), smooth=False),
    case("LogicalAnd", b1(2, 3), b1(3), smooth=False),
]
