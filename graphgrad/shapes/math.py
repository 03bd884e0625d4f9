"""Static shapes of element-wise ops. Each op either keeps the shape of an input or broadcasts its inputs."""

from __future__ import annotations

from graphgrad.attributes import Shape
from graphgrad.graph import Operation
from graphgrad.registry import shape, shapes
from graphgrad.shapes import dims
from graphgrad.shapes.common import broadcast_all, merge_all, same_as_first

shapes(
    same_as_first,
    *[
        "Abs",
        "Acos",
        "Acosh",
        "Angle",
        "Asin",
        "Asinh",
        "Atan",
        "Atanh",
        "Bitcast",
        "Cast",
        "Ceil",
        "ComplexAbs",
        "Conj",
        "Cos",
        "Cosh",
        "Erf",
        "Erfc",
        "Exp",
        "Expm1",
        "Floor",
    ],
    *[
        "Imag",
        "Inv",
        "Invert",
        "IsFinite",
        "IsInf",
        "IsNan",
        "Log",
        "Log1p",
        "LogicalNot",
        "Neg",
        "PopulationCount",
        "Real",
        "Reciprocal",
        "Rint",
        "Round",
        "Rsqrt",
    ],
    *["Sigmoid", "Sign", "Sin", "Sinh", "Sqrt", "Square", "Tan", "Tanh"],
)
shapes(
    merge_all,
    *["InvGrad", "ReciprocalGrad", "RsqrtGrad", "SigmoidGrad", "SqrtGrad", "TanhGrad", "AddN", "AccumulateNV2"],
)
shapes(
    broadcast_all,
    *[
        "Add",
        "AddV2",
        "ApproximateEqual",
        "Atan2",
        "BitwiseAnd",
        "BitwiseOr",
        "BitwiseXor",
        "Complex",
        "Div",
        "DivNoNan",
        "Equal",
        "FloorDiv",
        "FloorMod",
    ],
    *[
        "Greater",
        "GreaterEqual",
        "LeftShift",
        "Less",
        "LessEqual",
        "LogicalAnd",
        "LogicalOr",
        "Maximum",
        "Minimum",
        "Mod",
        "Mul",
        "MulNoNan",
        "NextAfter",
    ],
    *[
        "NotEqual",
        "Pow",
        "RealDiv",
        "RightShift",
        "SelectV2",
        "SquaredDifference",
        "Sub",
        "TruncateDiv",
        "TruncateMod",
        "Xdivy",
        "Xlog1py",
        "Xlogy",
    ],
)


@shape("ClipByValue")
def clip_by_value(op: Operation) -> Shape:
    return op.inputs[0].shape


@shape("Select")
def select(op: Operation) -> Shape:
    return dims.merge(op.inputs[1].shape, op.inputs[2].shape)


@shape("BroadcastGradientArgs")
def broadcast_gradient_args(op: Operation) -> list[Shape]:
    return [(None,), (None,)]


@shape("BroadcastArgs")
def broadcast_args(op: Operation) -> Shape:
    lengths = [t.shape[0] for t in op.inputs if t.shape]
    return (max(lengths),) if len(lengths) == 2 and None not in lengths else (None,)  # type: ignore[type-var]
