"""Static shapes of element-wise ops. Each op either keeps the shape of an input or broadcasts its inputs."""

from __future__ import annotations

from graphgrad.attributes import Shape
from graphgrad.graph import Operation
from graphgrad.registry import shape, shapes
from graphgrad.shapes import dims
from graphgrad.shapes.common import broadcast_all, merge_all, same_as_first

shapes(
    same_as_first,
    *["Abs", "Acos", "Acosh", "Angle", "Asin", "Asinh", "Atan", "Atanh", "Cast", "Ceil", "ComplexAbs", "Conj"],
    *["Cos", "Cosh", "Erf", "Erfc", "Exp", "Expm1", "Floor", "Imag", "Inv", "Invert", "IsFinite", "IsInf", "IsNan"],
    *["Log", "Log1p", "LogicalNot", "Neg", "PopulationCount", "Real", "Reciprocal", "Rint", "Round", "Rsqrt"],
    *["Sigmoid", "Sign", "Sin", "Sinh", "Sqrt", "Square", "Tan", "Tanh"],
    *["InvGrad", "ReciprocalGrad", "RsqrtGrad", "SigmoidGrad", "SqrtGrad", "TanhGrad", "ApproximateEqual"],
)
shapes(merge_all, "AddN")
shapes(
    broadcast_all,
    *["Add", "AddV2", "Sub", "Mul", "MulNoNan", "Div", "DivNoNan", "RealDiv", "FloorDiv", "TruncateDiv"],
    *["FloorMod", "Mod", "TruncateMod", "Pow", "Maximum", "Minimum", "SquaredDifference", "Atan2", "NextAfter"],
    *["Xdivy", "Xlogy", "Xlog1py", "Complex", "Greater", "GreaterEqual", "Less", "LessEqual"],
    *["LogicalAnd", "LogicalOr", "BitwiseAnd", "BitwiseOr", "BitwiseXor", "LeftShift", "RightShift", "SelectV2"],
)


@shape("Equal", "NotEqual")
def equal(op: Operation) -> Shape:
    """Where shapes that do not fit are no error the answer is a scalar, and unknown while they still may not fit."""
    if op["incompatible_shape_error"]:
        return broadcast_all(op)
    x, y = (t.shape for t in op.inputs)
    if x is None or y is None:
        return None
    for a, b in dims.aligned(x, y):
        if a is not None and b is not None and a != b and 1 not in (a, b):
            return ()
        if (a is None) != (b is None) and 1 not in (a, b):
            return None
    return dims.broadcast(x, y)


@shape("AccumulateNV2")
def accumulate_n(op: Operation) -> Shape:
    return op["shape"]


@shape("Bitcast")
def bitcast(op: Operation) -> Shape:
    """Elements of another size become, or come from, a last dimension of their own."""
    x, before, after = op.inputs[0].shape, op["T"].size, op["type"].size
    if x is None or before == after:
        return x
    return (*x, before // after) if before > after else x[:-1]


@shape("ClipByValue")
def clip_by_value(op: Operation) -> Shape:
    return op.inputs[0].shape


@shape("Select")
def select(op: Operation) -> Shape:
    """That of what is chosen from; the condition is of the same shape, or one per row, or one for all. Of a vector,
    which could be one per row, TensorFlow learns nothing."""
    condition, x, y = (t.shape for t in op.inputs)
    chosen = dims.merge(x, y)
    if chosen is None or condition is None or len(condition) != len(chosen) or len(condition) == 1:
        return chosen
    return dims.merge(chosen, condition)


@shape("BroadcastGradientArgs")
def broadcast_gradient_args(op: Operation) -> list[Shape]:
    return [(None,), (None,)]


@shape("BroadcastArgs")
def broadcast_args(op: Operation) -> Shape:
    lengths = [t.shape[0] for t in op.inputs if t.shape]
    return (max(lengths),) if len(lengths) == 2 and None not in lengths else (None,)  # type: ignore[type-var]
