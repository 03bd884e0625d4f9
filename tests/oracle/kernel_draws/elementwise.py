"""Recipes of the ops that work element by element."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.oracle.kernel_draws.drawing import Drawer, Recipe

Parts = tuple[list[Any], dict[str, Any]]


def unary(d: Drawer) -> Parts:
    return [d.array(d.dtype(), d.shape())], {}


def within(low: float, high: float, corners: bool = True) -> Recipe:
    """One argument from an interval."""

    def recipe(d: Drawer) -> Parts:
        return [d.array(d.dtype(), d.shape(), low, high, corners)], {}

    return recipe


def fixed(dtype: str) -> Recipe:
    """All arguments of a dtype that no attribute names."""

    def recipe(d: Drawer) -> Parts:
        shapes = d.broadcasting(len(d.signature.inputs))
        return [d.array(dtype, shape) for shape in shapes], {}

    return recipe


def binary(d: Drawer) -> Parts:
    a, b = d.broadcasting()
    return [d.array(d.dtype(), a), d.array(d.dtype(), b)], {}


def beyond(low: float, high: float) -> Recipe:
    """Two arguments that broadcast, the second from an interval."""

    def recipe(d: Drawer) -> Parts:
        a, b = d.broadcasting()
        return [d.array(d.dtype(), a), d.array(d.dtype(), b, low, high, corners=False)], {}

    return recipe


def alike(d: Drawer) -> Parts:
    """Arguments of the same shape, as many as there are."""
    shape = d.shape()
    return [d.array(d.dtype(), shape) for _ in d.signature.inputs], {}


def power(d: Drawer) -> Parts:
    a, b = d.broadcasting()
    whole = np.dtype("bool" if d.dtype() == "bfloat16" else d.dtype()).kind in "iu"
    return [d.array(d.dtype(), a), d.array(d.dtype(), b, 0 if whole else -3, 3, corners=not whole)], {}


def shift(d: Drawer) -> Parts:
    a, b = d.broadcasting()
    return [d.array(d.dtype(), a), d.array(d.dtype(), b, -1, 40, corners=False)], {}


def comparison(d: Drawer) -> Parts:
    lenient = d.flag()
    a, b = (d.shape(), d.shape()) if lenient and d.flag() else d.broadcasting()
    return [d.array(d.dtype(), a), d.array(d.dtype(), b)], {"incompatible_shape_error": not lenient}


def approximate(d: Drawer) -> Parts:
    return alike(d)[0], {"tolerance": d.pick([1e-5, 0.5, 1.0, 2.0])}


def select(d: Drawer) -> Parts:
    shape = d.shape()
    condition = d.pick([shape, shape[:1], ()])
    return [d.array("bool", condition), d.array(d.dtype(), shape), d.array(d.dtype(), shape)], {}


def select_v2(d: Drawer) -> Parts:
    c, t, e = d.broadcasting(3)
    return [d.array("bool", c), d.array(d.dtype(), t), d.array(d.dtype(), e)], {}


def clip(d: Drawer) -> Parts:
    shape = d.shape()
    low, high = (d.pick([shape, ()]) for _ in range(2))
    return [d.array(d.dtype(), s) for s in (shape, low, high)], {}


def several(d: Drawer) -> Parts:
    shape = d.shape()
    return [[d.array(d.dtype(), shape) for _ in range(d.integer(1, 4))]], {}


def accumulate(d: Drawer) -> Parts:
    shape = d.shape()
    return [[d.array(d.dtype(), shape) for _ in range(d.integer(1, 4))]], {"shape": shape}


def cast(d: Drawer) -> Parts:
    """Of a double that becomes a single complex number TensorFlow truncates the exponent too."""
    source, target = d.dtype("SrcT"), d.dtype("DstT")
    truncates = d.flag() and (source, target) != ("float64", "complex64")
    return [d.array(source, d.shape(), -100, 100)], {"Truncate": truncates}


def bitcast(d: Drawer) -> Parts:
    source, target = (np.dtype("int16" if t == "bfloat16" else t).itemsize for t in (d.dtype("T"), d.dtype("type")))
    shape = d.shape()
    return [d.array(d.dtype("T"), (*shape, target // source) if target > source else shape)], {}


def complex_of(d: Drawer) -> Parts:
    a, b = d.broadcasting()
    d.types["Tout"] = "complex64" if d.dtype() == "float32" else "complex128"
    return [d.array(d.dtype(), a), d.array(d.dtype(), b)], {}


def part(d: Drawer) -> Parts:
    d.types["Tout"] = "float32" if d.dtype() == "complex64" else "float64"
    return [d.array(d.dtype(), d.shape())], {}


def shapes(d: Drawer) -> Parts:
    return [d.given("T", shape).reshape(-1) for shape in d.broadcasting()], {}


def with_alpha(d: Drawer) -> Parts:
    shape = d.shape()
    return [d.array(d.dtype(), shape) for _ in d.signature.inputs], {"alpha": d.pick([0.2, 0.0, 1.0, 1.5, -0.5])}


def betainc(d: Drawer) -> Parts:
    shapes = [d.pick([(), shape]) for shape in [d.shape()] * 3]
    return [d.array(d.dtype(), s, 0.1, high, corners=False) for s, high in zip(shapes, (5, 5, 0.9), strict=True)], {}


def special(low: float, high: float) -> Recipe:
    def recipe(d: Drawer) -> Parts:
        return [d.array(d.dtype(), s, low, high, corners=False) for s in d.broadcasting()], {}

    return recipe


def polygamma(d: Drawer) -> Parts:
    a, b = d.broadcasting()
    return [
        d.array(d.dtype(), a, values=[0, 1, 2, 3]),
        d.array(d.dtype(), b, 0.2, 6, corners=False),
    ], {}


def _table(recipe: Recipe, ops: str) -> dict[str, Recipe]:
    return dict.fromkeys(ops.split(), recipe)


RECIPES: dict[str, Recipe] = {
    **_table(
        unary,
        """Abs Acos Acosh Asin Asinh Atan Atanh Ceil Conj Cos Cosh Erfc Exp Expm1 Floor Inv Invert IsFinite IsInf
        IsNan Log Neg PopulationCount Reciprocal Rint Rsqrt Sigmoid Sign Sin Sinh Sqrt Square Tan Tanh
        Relu Relu6 Elu Selu Softplus Softsign Identity Snapshot StopGradient PreventGradient OnesLike ZerosLike
        DeepCopy L2Loss Copy CopyHost GuaranteeConst Erf Log1p Round""",
    ),
    **_table(fixed("bool"), "LogicalAnd LogicalNot LogicalOr"),
    **_table(
        binary,
        """Add AddV2 Atan2 BitwiseAnd BitwiseOr BitwiseXor DivNoNan Greater GreaterEqual Less LessEqual Maximum Minimum
        Mul MulNoNan NextAfter SquaredDifference Sub Xlog1py Xlogy TruncateDiv FloorDiv FloorMod Mod
        TruncateMod Div RealDiv Xdivy""",
    ),
    **_table(
        alike,
        """TanhGrad SigmoidGrad SqrtGrad RsqrtGrad ReciprocalGrad InvGrad ReluGrad Relu6Grad EluGrad SeluGrad
        SoftplusGrad SoftsignGrad""",
    ),
    **_table(with_alpha, "LeakyRelu LeakyReluGrad"),
    **_table(shift, "LeftShift RightShift"),
    **_table(comparison, "Equal NotEqual"),
    **_table(part, "Real Imag Angle ComplexAbs"),
    **_table(shapes, "BroadcastArgs BroadcastGradientArgs"),
    **_table(within(-8, 8), "BesselI0e BesselI1e BesselJ0 BesselJ1 Dawsn FresnelCos FresnelSin"),
    **_table(within(-8, 8, corners=False), "BesselI0 BesselI1 Digamma Lgamma"),
    **_table(within(0.1, 8, corners=False), "BesselK0 BesselK0e BesselK1 BesselK1e BesselY0 BesselY1 Expint Spence"),
    **_table(within(-0.99, 0.99), "Erfinv"),
    **_table(within(0.01, 0.99), "Ndtri"),
    **_table(special(0.1, 6), "Igamma Igammac IgammaGradA RandomGammaGrad"),
    **_table(special(1.1, 6), "Zeta"),
    "Polygamma": polygamma,
    "Betainc": betainc,
    "Pow": power,
    "ApproximateEqual": approximate,
    "Select": select,
    "SelectV2": select_v2,
    "ClipByValue": clip,
    "AddN": several,
    "AccumulateNV2": accumulate,
    "Cast": cast,
    "Bitcast": bitcast,
    "Complex": complex_of,
}
