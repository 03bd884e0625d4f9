"""Gradients of element-wise ops. Every rule of a broadcasting op ends in `unbroadcast`, which alone undoes it."""

from __future__ import annotations

import math

from graphgrad import dtypes
from graphgrad.functions import static_shape
from graphgrad.gradients.broadcasting import reduce_to, summing, unbroadcast
from graphgrad.registry import gradient, no_gradient
from graphgrad.tensors import Tensor

no_gradient(
    *["Equal", "NotEqual", "ApproximateEqual", "Less", "LessEqual", "Greater", "GreaterEqual"],
    *["LogicalAnd", "LogicalOr", "LogicalNot"],
    *["BitwiseAnd", "BitwiseOr", "BitwiseXor", "Invert", "LeftShift", "RightShift", "PopulationCount"],
    *["Floor", "Ceil", "Round", "Rint", "FloorDiv", "TruncateDiv", "BroadcastGradientArgs"],
)


def same_static_shape(*tensors):
    """Whether all are tensors of one shape that is fully known, so that nothing was broadcast."""
    if not all(isinstance(t, Tensor) for t in tensors):
        return False
    shapes = [static_shape(t) for t in tensors]
    return shapes[0] is not None and all(s == shapes[0] for s in shapes)


# ------------------------------------------------------------------ arithmetic
@gradient("Neg")
def neg(g, op, dz):
    return -dz


@gradient("Add", "AddV2")
def add(g, op, dz):
    if same_static_shape(*op.inputs, dz):
        return dz, dz
    return unbroadcast(g, op, dz, dz)


@gradient("Sub")
def sub(g, op, dz):
    if same_static_shape(*op.inputs, dz):
        return dz, -dz
    return unbroadcast(g, op, dz, -dz)


@gradient("Mul")
def mul(g, op, dz):
    x, y = op.inputs
    if same_static_shape(x, y, dz) and dz.dtype in (dtypes.int32, dtypes.float32):
        return g.Mul(dz, y), g.Mul(dz, x)
    dx = g.Mul(dz, g.conj(y))
    return unbroadcast(g, op, dx, g.Mul(g.conj(x), dz))


@gradient("MulNoNan")
def mul_no_nan(g, op, dz):
    x, y = op.inputs
    dx, dy = g.MulNoNan(dz, y), g.MulNoNan(x, dz)
    return (dx, dy) if same_static_shape(x, y, dz) else unbroadcast(g, op, dx, dy)


@gradient("Div")
def div(g, op, dz):
    x, y = map(g.conj, op.inputs)
    return unbroadcast(g, op, dz / y, dz * ((-x / y) / y))


@gradient("RealDiv")
def real_div(g, op, dz):
    """d(x / y) = dx / y - x / y² dy"""
    x, y = map(g.conj, op.inputs)
    return unbroadcast(g, op, g.RealDiv(dz, y), dz * g.RealDiv(g.RealDiv(-x, y), y))


@gradient("DivNoNan")
def div_no_nan(g, op, dz):
    x, y = map(g.conj, op.inputs)

    def divide(a, b):
        return g.DivNoNan(a, b, name="div_no_nan")

    return reduce_to(g, x, y, divide(dz, y), dz * divide(divide(-x, y), y))


@gradient("FloorMod")
def floor_mod(g, op, dz):
    """mod(x, y) = x - y floor(x / y)"""
    x, y = map(g.conj, op.inputs)
    return unbroadcast(g, op, dz, dz * -g.FloorDiv(x, y))


@gradient("SquaredDifference")
def squared_difference(g, op, dz):
    x, y = op.inputs
    with g.control_dependencies([dz]):
        dx = g.scalar_mul(2.0, dz) * (x - y)
    if same_static_shape(x, y, dz):
        return dx, -dx
    return unbroadcast(g, op, dx, -dx)


@gradient("Maximum")
def maximum(g, op, dz):
    return chosen(g, op, dz, g.GreaterEqual)


@gradient("Minimum")
def minimum(g, op, dz):
    return chosen(g, op, dz, g.LessEqual)


def chosen(g, op, dz, compare):
    """The gradient goes to the operand that was taken, on a tie to the first."""
    zeros = g.zeros_like(dz)
    first = compare(*op.inputs)
    return unbroadcast(g, op, g.SelectV2(first, dz, zeros), g.SelectV2(first, zeros, dz))


@gradient("NextAfter")
def next_after(g, op, dz):
    """As of a step too small to count: all of dz to x, and zeros to y."""
    shapes = [g.shape(t) for t in op.inputs]
    to_x, to_y = summing(g, *shapes)
    with g.control_dependencies([dz]):
        dx, dy = g.ones(shapes[0], dz.dtype), g.zeros(shapes[1], dz.dtype)
        return to_x(dx * dz), to_y(dy * dz)


@gradient("AddN", "AccumulateNV2")
def add_n(g, op, dz):
    return [dz] * len(op.inputs)


# ------------------------------------------------------------------ powers and logarithms
@gradient("Square")
def square(g, op, dz):
    (x,) = op.inputs
    with g.control_dependencies([dz]):
        return g.Mul(dz, g.Mul(g.conj(x), g.constant(2.0, x.dtype)))


@gradient("Sqrt")
def sqrt(g, op, dz):
    return g.SqrtGrad(op.outputs[0], dz)


@gradient("SqrtGrad")
def sqrt_grad(g, op, dz):
    a, y = op.inputs[0], op.outputs[0]
    with g.control_dependencies([dz]):
        da = dz / a
        return -g.conj(da) * y, 0.5 * da


@gradient("Rsqrt")
def rsqrt(g, op, dz):
    return g.RsqrtGrad(op.outputs[0], dz)


@gradient("RsqrtGrad")
def rsqrt_grad(g, op, dz):
    a, b = op.inputs
    with g.control_dependencies([dz]):
        a = g.conj(a)
        return -1.5 * g.conj(dz) * b * g.Square(a), g.RsqrtGrad(a, dz)


@gradient("Reciprocal", "Inv")
def reciprocal(g, op, dz):
    return g.ReciprocalGrad(op.outputs[0], dz)


@gradient("ReciprocalGrad", "InvGrad")
def reciprocal_grad(g, op, dz):
    a, b = op.inputs
    with g.control_dependencies([dz]):
        a = g.conj(a)
        return g.conj(dz) * -2.0 * b * a, g.ReciprocalGrad(a, dz)


@gradient("Exp")
def exp(g, op, dz):
    with g.control_dependencies([dz]):
        return dz * g.conj(op.outputs[0])


@gradient("Expm1")
def expm1(g, op, dz):
    with g.control_dependencies([dz]):
        return dz * g.Exp(g.conj(op.inputs[0]))


@gradient("Log")
def log(g, op, dz):
    with g.control_dependencies([dz]):
        return dz * g.Reciprocal(g.conj(op.inputs[0]))


@gradient("Log1p")
def log1p(g, op, dz):
    with g.control_dependencies([dz]):
        return dz * g.Reciprocal(1 + g.conj(op.inputs[0]))


@gradient("Pow")
def pow_(g, op, dz):
    """d(xʸ) = y xʸ⁻¹ dx + xʸ log x dy; the logarithm counts as 0 where x is not positive."""
    x, y = map(g.conj, op.inputs)
    z = g.conj(op.outputs[0])
    dx = dz * y * g.Pow(x, y - 1)
    mask = g.NotEqual(x, 0) if x.dtype.is_complex else x > 0
    safe = g.Select(mask, x, g.ones_like(op.inputs[0]))
    log_x = g.Select(mask, g.Log(safe), g.zeros_like(op.inputs[0]))
    return unbroadcast(g, op, dx, dz * z * log_x)


def not_zero(g, x):
    """1 where x is not 0, else 0."""
    return g.cast(g.NotEqual(x, g.cast(0.0, x.dtype)), x.dtype)


@gradient("Xlogy")
def xlogy(g, op, dz):
    x, y = op.inputs
    sums = summing(g, g.shape(x), g.shape(y))
    with g.control_dependencies([dz]):
        dx, dy = g.Xlogy(not_zero(g, x), y), g.Xdivy(x, y)
        return sums[0](dx * dz), sums[1](dy * dz)


@gradient("Xlog1py")
def xlog1py(g, op, dz):
    x, y = op.inputs
    sums = summing(g, g.shape(x), g.shape(y))
    with g.control_dependencies([dz]):
        dx, dy = g.Xlog1py(not_zero(g, x), y), g.Xdivy(x, y + 1.0)
        return sums[0](dx * dz), sums[1](dy * dz)


@gradient("Xdivy")
def xdivy(g, op, dz):
    x, y = op.inputs
    sums = summing(g, g.shape(x), g.shape(y))
    with g.control_dependencies([dz]):
        dx, dy = g.Xdivy(not_zero(g, x), y), g.Xdivy(-x, y**2)
        return sums[0](dx * dz), sums[1](dy * dz)


# ------------------------------------------------------------------ trigonometry
@gradient("Sin")
def sin(g, op, dz):
    with g.control_dependencies([dz]):
        return dz * g.Cos(g.conj(op.inputs[0]))


@gradient("Cos")
def cos(g, op, dz):
    with g.control_dependencies([dz]):
        x = g.conj(op.inputs[0])
        return -dz * g.Sin(x)


@gradient("Tan")
def tan(g, op, dz):
    with g.control_dependencies([dz]):
        return g.Square(g.Reciprocal(g.Cos(g.conj(op.inputs[0])))) * dz


@gradient("Asin")
def asin(g, op, dz):
    """d asin(x) = dx / sqrt(1 - x²)"""
    with g.control_dependencies([dz]):
        return dz * one_over_root(g, op, dz)


@gradient("Acos")
def acos(g, op, dz):
    with g.control_dependencies([dz]):
        inverse = one_over_root(g, op, dz)
        return -dz * inverse


def one_over_root(g, op, dz):
    """1 / sqrt(1 - x²)"""
    x2 = g.Square(g.conj(op.inputs[0]))
    one = g.constant(1.0, dz.dtype)
    return g.Reciprocal(g.Sqrt(g.Sub(one, x2)))


@gradient("Atan")
def atan(g, op, dz):
    with g.control_dependencies([dz]):
        x2 = g.Square(g.conj(op.inputs[0]))
        one = g.constant(1.0, dz.dtype)
        return dz * g.Reciprocal(g.AddV2(one, x2, name="Add"))


@gradient("Atanh")
def atanh(g, op, dz):
    with g.control_dependencies([dz]):
        x2 = g.Square(g.conj(op.inputs[0]))
        one = g.constant(1.0, dz.dtype)
        return dz * g.Reciprocal(g.Sub(one, x2))


@gradient("Atan2")
def atan2(g, op, dz):
    """d atan2(y, x) = (x dy - y dx) / (x² + y²)"""
    y, x = op.inputs
    with g.control_dependencies([dz]):
        scaled = dz / (g.Square(y) + g.Square(x))
        dy = x * scaled
        dx = -y * scaled
        return reduce_to(g, y, x, dy, dx)


@gradient("Sinh")
def sinh(g, op, dz):
    with g.control_dependencies([dz]):
        return dz * g.Cosh(g.conj(op.inputs[0]))


@gradient("Cosh")
def cosh(g, op, dz):
    with g.control_dependencies([dz]):
        return dz * g.Sinh(g.conj(op.inputs[0]))


@gradient("Asinh")
def asinh(g, op, dz):
    with g.control_dependencies([dz]):
        return dz / g.Cosh(g.conj(op.outputs[0]))


@gradient("Acosh")
def acosh(g, op, dz):
    with g.control_dependencies([dz]):
        return dz / g.Sinh(g.conj(op.outputs[0]))


@gradient("Tanh")
def tanh(g, op, dz):
    """d tanh(x) = (1 - y²) dx"""
    (y,) = op.outputs
    with g.control_dependencies([dz]):
        return g.TanhGrad(g.conj(y), dz)


@gradient("TanhGrad")
def tanh_grad(g, op, dz):
    dz = g.dense(dz)
    with g.control_dependencies([dz]):
        a, b = map(g.conj, op.inputs)
        return dz * -2.0 * b * a, g.TanhGrad(a, dz)


@gradient("Sigmoid")
def sigmoid(g, op, dz):
    with g.control_dependencies([dz]):
        return g.SigmoidGrad(g.conj(op.outputs[0]), dz)


@gradient("SigmoidGrad")
def sigmoid_grad(g, op, dz):
    with g.control_dependencies([dz]):
        a, b = map(g.conj, op.inputs)
        db = dz * b
        return db - 2.0 * db * a, g.SigmoidGrad(a, dz)


# ------------------------------------------------------------------ error functions
@gradient("Erf")
def erf(g, op, dz):
    """d erf(x) = 2/√π exp(-x²) dx"""
    return gaussian(g, op, dz, 2 / math.sqrt(math.pi))


@gradient("Erfc")
def erfc(g, op, dz):
    return gaussian(g, op, dz, -2 / math.sqrt(math.pi))


def gaussian(g, op, dz, factor):
    factor = g.constant(factor, dz.dtype)
    with g.control_dependencies([dz]):
        x = g.conj(op.inputs[0])
        return dz * factor * g.Exp(-g.Square(x))


# ------------------------------------------------------------------ signs, choices, types
@gradient("Abs")
def abs_(g, op, dz):
    return dz * g.Sign(op.inputs[0])


@gradient("Sign")
def sign(g, op, dz):
    return g.zeros_like(op.inputs[0])


@gradient("Select")
def select(g, op, dz):
    condition, x, _ = op.inputs
    zeros = g.zeros_like(x)
    return None, g.Select(condition, dz, zeros), g.Select(condition, zeros, dz)


@gradient("SelectV2")
def select_v2(g, op, dz):
    condition, x, y = op.inputs
    zeros = g.zeros([], dz.dtype)
    dx = summed_to(g, op, x, g.SelectV2(condition, dz, zeros))
    dy = summed_to(g, op, y, g.SelectV2(condition, zeros, dz))
    return None, dx, dy


def summed_to(g, op, x, dx):
    """dx, of the output's shape, summed to the shape of x."""
    return reduce_to(g, x, op.outputs[0], dx, None)[0]


@gradient("ClipByValue")
def clip_by_value(g, op, dz):
    x, low, high = op.inputs
    shapes = [g.shape(t) for t in op.inputs]
    zeros = g.zeros(g.shape(dz), dz.dtype)
    below, above = g.Less(x, low), g.Greater(x, high)
    _, low_axes = g.BroadcastGradientArgs(shapes[0], shapes[1])
    _, high_axes = g.BroadcastGradientArgs(shapes[0], shapes[2])
    dx = g.Select(g.LogicalOr(below, above), zeros, dz)
    d_low, d_high = g.Select(below, dz, zeros), g.Select(above, dz, zeros)
    d_low = g.Reshape(g.reduce_sum(d_low, low_axes), shapes[1])
    return dx, d_low, g.Reshape(g.reduce_sum(d_high, high_axes), shapes[2])


@gradient("Cast")
def cast(g, op, dz):
    """Between floating or complex types the gradient is cast back; others stop it."""
    source = op.inputs[0].dtype

    def flows(dtype):
        return dtype.is_complex or dtype in (dtypes.float16, dtypes.bfloat16, dtypes.float32, dtypes.float64)

    return g.cast(dz, source) if flows(source) and flows(dz.dtype) else None


# ------------------------------------------------------------------ complex numbers
@gradient("Complex")
def complex_(g, op, dz):
    return unbroadcast(g, op, g.Real(dz, Tout=dz.dtype.real_dtype), g.Imag(dz, Tout=dz.dtype.real_dtype))


@gradient("Real")
def real(g, op, dz):
    return as_complex(g, dz, g.constant(0.0, dz.dtype))


@gradient("Imag")
def imag(g, op, dz):
    return as_complex(g, g.constant(0.0, dz.dtype), dz)


def as_complex(g, re, im):
    re, im = g.dense(re, name="real"), g.dense(im, name="imag")
    return g.Complex(re, im, Tout=dtypes.complex128 if re.dtype is dtypes.float64 else dtypes.complex64)


@gradient("Conj")
def conj(g, op, dz):
    return g.conj(dz)


@gradient("ComplexAbs")
def complex_abs(g, op, dz):
    """d|z| = Re(z̄ dz) / |z|, 0 at 0"""
    (y,) = op.outputs
    up = as_complex(g, dz, g.zeros_like(dz))
    scaled = up * op.inputs[0]
    return g.DivNoNan(scaled, as_complex(g, y, g.zeros_like(y)), name="div_no_nan")


@gradient("Angle")
def angle(g, op, dz):
    (x,) = op.inputs
    with g.control_dependencies([dz]):
        re, im = g.Real(x, Tout=dz.dtype), g.Imag(x, Tout=dz.dtype)
        z = g.Reciprocal(as_complex(g, im, re))
        up = as_complex(g, dz, g.constant(0.0, dz.dtype))
        return -up * z
