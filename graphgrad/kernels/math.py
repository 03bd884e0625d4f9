"""Kernels of the element-wise operations: arithmetic, comparison, logic, bits, casts and complex numbers.

Where NumPy's function has TensorFlow's meaning for every dtype, the table names it; all broadcast alike.
"""

from __future__ import annotations

import functools

import numpy as np

from graphgrad.kernels import _casts, _complex
from graphgrad.kernels._checks import same_sizes
from graphgrad.kernels._erf import erf, erfc
from graphgrad.kernels._precision import (
    FOUR_BITS,
    complex_by,
    exp,
    halves_by,
    halves_in_float32,
)
from graphgrad.kernels._variants import sum_of
from graphgrad.registry import kernel, kernels, optimized, planned

multiply = complex_by(_complex.product)(np.multiply)
reciprocal = complex_by(_complex.reciprocal)(np.reciprocal)
sqrt = complex_by(_complex.square_root)(np.sqrt)
square = complex_by(_complex.square)(np.square)

kernels(
    {
        # one argument
        "Abs": np.absolute,
        "Acos": np.arccos,
        "Acosh": np.arccosh,
        "Asin": np.arcsin,
        "Asinh": np.arcsinh,
        "Atan": np.arctan,
        "Atanh": np.arctanh,
        "Ceil": np.ceil,
        "ComplexAbs": np.absolute,
        "Conj": np.conjugate,
        "Cos": np.cos,
        "Cosh": np.cosh,
        "Exp": complex_by(_complex.exponential)(np.exp),
        "Expm1": complex_by(_complex.expm1)(np.expm1),
        "Floor": np.floor,
        "Inv": reciprocal,
        "Invert": np.invert,
        "IsFinite": np.isfinite,
        "IsInf": np.isinf,
        "IsNan": np.isnan,
        "Log": np.log,
        "Log1p": complex_by(_complex.log1p)(np.log1p),
        "LogicalNot": np.logical_not,
        "Neg": np.negative,
        "Reciprocal": reciprocal,
        "Rint": np.rint,
        "Sign": complex_by(_complex.sign)(np.sign),
        "Sin": np.sin,
        "Sinh": np.sinh,
        "Sqrt": sqrt,
        "Square": square,
        "Tan": np.tan,
        "Tanh": np.tanh,
        # two arguments
        "AddV2": np.add,
        "Atan2": np.arctan2,
        "BitwiseAnd": np.bitwise_and,
        "BitwiseOr": np.bitwise_or,
        "BitwiseXor": np.bitwise_xor,
        "Greater": np.greater,
        "GreaterEqual": np.greater_equal,
        "Less": np.less,
        "LessEqual": np.less_equal,
        "LogicalAnd": np.logical_and,
        "LogicalOr": np.logical_or,
        "Maximum": np.maximum,
        "Minimum": np.minimum,
        "Mul": multiply,
        "NextAfter": np.nextafter,
        "Sub": np.subtract,
        # several steps
        "Erf": halves_in_float32(erf),
        "Erfc": halves_in_float32(erfc),
    },
    elementwise=True,
)

# ---------------------------------------------------------------------------------------------- one argument


@kernel("Round", elementwise=True)
def round_half_to_even(x):
    """Of integers of 32 and 64 bits TensorFlow's kernel makes 0; its Python function does not ask it to round them."""
    if x.dtype.kind in "iu":
        return np.zeros_like(x) if x.dtype.itemsize > 2 else x
    return np.rint(x)


@kernel("Rsqrt", elementwise=True)
@halves_in_float32
@complex_by(_complex.rsqrt)
def rsqrt(x, *, out=None):
    return np.reciprocal(np.sqrt(x), out)


def sigmoid_of_halves(x):
    e = exp(x)
    return np.where(np.isinf(e), x.dtype.type(1), e / (1 + e))


@kernel("Sigmoid", elementwise=True)
@halves_by(sigmoid_of_halves)
@complex_by(_complex.sigmoid)
def sigmoid(x):
    return 1 / (1 + np.exp(-x))


@planned("Sigmoid")
def plan_sigmoid(x):
    """The same in one array."""
    if x.dtype.char not in "fd" or not x.shape:
        return None
    one = np.ones((), x.dtype)

    def call(x, out=None):
        y = np.negative(x, out)
        np.exp(y, y)
        np.add(one, y, y)
        return np.divide(one, y, y)

    return call


@kernel("PopulationCount", elementwise=True)
def population_count(x):
    return np.bitwise_count(x.view(f"u{x.dtype.itemsize}"))


# ----------------------------------------- gradients of functions of one argument, in terms of their value y


@kernel("TanhGrad", elementwise=True)
@same_sizes
@complex_by(_complex.tanh_grad)
def tanh_grad(y, dy, *, out=None):
    slope = np.subtract(1, np.multiply(y, y, out), out)
    return np.multiply(dy, slope, out)


@planned("TanhGrad")
def plan_tanh_grad(y, dy):
    if y.dtype.char not in "fd" or y.shape != dy.shape:
        return None
    one = np.ones((), y.dtype)  # a number would be made an array in every call

    def call(y, dy, out=None):
        return np.multiply(dy, np.subtract(one, np.multiply(y, y, out), out), out)

    return call


@kernel("SigmoidGrad", elementwise=True)
@same_sizes
@complex_by(_complex.sigmoid_grad)
def sigmoid_grad(y, dy, *, out=None):
    return np.multiply(dy, y * (1 - y), out)


@planned("SigmoidGrad")
def plan_sigmoid_grad(y, dy):
    if y.dtype.char not in "fd" or not y.shape or y.shape != dy.shape:
        return None
    one = np.ones((), y.dtype)

    def call(y, dy, out=None):
        slope = np.subtract(one, y)
        return np.multiply(dy, np.multiply(y, slope, slope), slope if out is None else out)

    return call


def _unless_zero(dy, gradient):
    """No gradient flows from where none comes in, also where the slope is infinite."""
    return np.where(dy == 0, dy.dtype.type(0), gradient)


@kernel("SqrtGrad", elementwise=True)
@same_sizes
@complex_by(_complex.sqrt_grad)
def sqrt_grad(y, dy):
    return _unless_zero(dy, dy * (y.dtype.type(0.5) / y))


@kernel("RsqrtGrad", elementwise=True)
@same_sizes
@complex_by(_complex.rsqrt_grad)
def rsqrt_grad(y, dy):
    return _unless_zero(dy, dy * y * (y * y * dy.dtype.type(-0.5)))


@kernel("ReciprocalGrad", "InvGrad", elementwise=True)
@same_sizes
@complex_by(_complex.reciprocal_grad)
def reciprocal_grad(y, dy):
    """The square may leave the range of a half type, as it does in TensorFlow."""
    return _unless_zero(dy, -dy * (y * y))


# --------------------------------------------------------------------------------------------- two arguments


@kernel("Add", elementwise=True)
def add(x, y):
    """x + y; strings are joined."""
    total = np.add(x, y)
    return np.array(total, object) if x.dtype == object and np.ndim(total) == 0 else total


def _refuse_zero(x, y) -> None:
    if x.size and not np.all(y):
        raise ValueError("integer division by zero")


def _truncated_quotient(x, y):
    _refuse_zero(x, y)
    return np.floor_divide(x - np.fmod(x, y), y)


@kernel("Div", "RealDiv", elementwise=True)
@complex_by(_complex.quotient)
def divide(x, y, *, out=None):
    """Of integers, the quotient rounded towards zero."""
    return np.add(_truncated_quotient(x, y), 0, out) if x.dtype.kind in "iu" else np.divide(x, y, out)


@kernel("TruncateDiv", elementwise=True)
def truncate_div(x, y):
    return _truncated_quotient(x, y) if x.dtype.kind in "iu" else np.trunc(np.divide(x, y))


@kernel("FloorDiv", elementwise=True)
def floor_div(x, y):
    """floor(x / y). NumPy's floor division goes by the remainder: it differs for infinities and 1 / 0.1."""
    if x.dtype.kind in "iu":
        _refuse_zero(x, y)
        return np.floor_divide(x, y)
    return np.floor(np.divide(x, y))


@kernel("FloorMod", elementwise=True)
def floor_mod(x, y):
    """The remainder with the sign of y."""
    if x.dtype.kind in "iu":
        _refuse_zero(x, y)
    return np.remainder(x, y)


@kernel("Mod", "TruncateMod", elementwise=True)
def truncate_mod(x, y):
    """The remainder with the sign of x."""
    if x.dtype.kind in "iu":
        _refuse_zero(x, y)
    return np.fmod(x, y)


@kernel("DivNoNan", elementwise=True)
@complex_by(_complex.quotient_or_zero)
def div_no_nan(x, y):
    return _complex.zero_where(y == 0, np.divide(x, y))


@kernel("MulNoNan", elementwise=True)
@complex_by(_complex.product_or_zero)
def mul_no_nan(x, y):
    return _complex.zero_where(y == 0, np.multiply(x, y))


@kernel("Xdivy", elementwise=True)
@complex_by(_complex.xdivy)
def xdivy(x, y):
    return _complex.zero_where(x == 0, np.divide(x, y))


@kernel("Xlogy", elementwise=True)
@complex_by(_complex.xlogy)
def xlogy(x, y):
    return _complex.zero_where(x == 0, np.multiply(x, np.log(y)))


@kernel("Xlog1py", elementwise=True)
@complex_by(_complex.xlog1py)
def xlog1py(x, y):
    return _complex.zero_where(x == 0, np.multiply(x, np.log1p(y)))


@kernel("Pow", elementwise=True)
@complex_by(_complex.power)
def power(x, y):
    if x.dtype.kind == "i" and np.any(y < 0):
        raise ValueError("integers to negative integer powers are not allowed")
    power = np.power(x, y)
    if x.dtype.kind == "f" and y.size == 1 and y == 0.5:  # numpy takes the root, which is -0 of -0 and NaN of -inf
        power = np.where(np.isneginf(x), x.dtype.type(np.inf), power + x.dtype.type(0))
    return power


def _cube(x):
    return multiply(x, multiply(x, x))


# Exponents that have an operation of their own.
_POWERS = {0.5: sqrt, -0.5: rsqrt, -1: reciprocal, 2: square, 3: _cube}


@optimized("Pow")
def power_of_constant(x, y):
    first = y.flat[0].item() if y.size and x.dtype.kind not in "iu" else None
    of_one = _POWERS.get(first) if first is not None and (y == y.flat[0]).all() else None
    return power(x, y) if of_one is None else of_one(np.broadcast_to(x, np.broadcast_shapes(x.shape, y.shape)))


@kernel("SquaredDifference", elementwise=True)
@complex_by(_complex.squared_difference)
def squared_difference(x, y, *, out=None):
    difference = np.subtract(x, y)
    return np.multiply(difference, difference, out)


def _shift_by(y):
    """A shift by fewer than none or more than all bits is one by none, or by all but one."""
    return np.clip(y, 0, 8 * y.dtype.itemsize - 1)


@kernel("LeftShift", elementwise=True)
def left_shift(x, y):
    return np.left_shift(x, _shift_by(y))


@kernel("RightShift", elementwise=True)
def right_shift(x, y):
    return np.right_shift(x, _shift_by(y))


# ----------------------------------------------------------------------------------------------- comparisons


def _do_not_broadcast(x, y) -> bool:
    return any(m != n and m != 1 and n != 1 for m, n in zip(x.shape[::-1], y.shape[::-1], strict=False))


@kernel("Equal")
def equal(x, y, *, incompatible_shape_error):
    """Shapes that do not broadcast are an error or, on request, simply not equal."""
    if not incompatible_shape_error and _do_not_broadcast(x, y):
        return np.False_
    return np.equal(x, y)


@kernel("NotEqual")
def not_equal(x, y, *, incompatible_shape_error):
    if not incompatible_shape_error and _do_not_broadcast(x, y):
        return np.True_
    return np.not_equal(x, y)


@kernel("ApproximateEqual")
def approximate_equal(x, y, *, tolerance):
    if x.shape != y.shape:
        raise ValueError(f"x and y must be of the same shape: {list(x.shape)} and {list(y.shape)}")
    tolerance = tolerance if x.dtype.kind == "c" else x.dtype.type(tolerance)
    distance = np.where(x > y, x - y, y - x) if x.dtype.kind == "u" else np.absolute(x - y)
    return distance <= tolerance


# ----------------------------------------------------------------------------------- more than two arguments


@kernel("ClipByValue")
def clip_by_value(t, clip_value_min, clip_value_max):
    """The upper bound first, so the lower one wins where they cross; a bound that is NaN does not bound.

    Of complex numbers each part is clipped for itself.
    """
    for bound in (clip_value_min, clip_value_max):
        if bound.ndim and bound.shape != t.shape:
            raise ValueError(
                f"clip_value_min and clip_value_max must be scalars or of the shape {list(t.shape)} "
                f"of the input, not {list(bound.shape)}"
            )
    if t.dtype.kind == "c":
        return complex_of(
            *map(_clipped, *[(a.real, a.imag) for a in (t, clip_value_min, clip_value_max)]), Tout=t.dtype
        )
    return _clipped(t, clip_value_min, clip_value_max)


def _clipped(t, low, high):
    if t.dtype.kind in "fV":
        infinity = t.dtype.type(np.inf)
        low, high = np.where(np.isnan(low), -infinity, low), np.where(np.isnan(high), infinity, high)
    return np.maximum(np.minimum(t, high), low)


@kernel("Select")
def select(condition, t, e):
    """The condition is a scalar, of the same shape, or a vector that chooses whole rows."""
    if t.shape != e.shape:
        raise ValueError(f"t and e must be of the same shape: {list(t.shape)} and {list(e.shape)}")
    if condition.ndim == 1 and t.ndim > 0 and condition.shape[0] == t.shape[0]:
        condition = condition.reshape(-1, *[1] * (t.ndim - 1))
    elif condition.ndim and condition.shape != t.shape:
        raise ValueError(
            f"a condition of shape {list(condition.shape)} does not choose from tensors of {list(t.shape)}"
        )
    return np.where(condition, t, e)


@kernel("SelectV2", elementwise=True)
def select_v2(condition, t, e):
    return np.where(condition, t, e)


@kernel("AddN", "AccumulateNV2", elementwise=True)
def add_n(inputs):
    first, *others = inputs
    for other in others:
        if other.shape != first.shape:
            raise ValueError(f"the inputs must all be of the same shape: {list(first.shape)} and {list(other.shape)}")
    if not others:
        return first
    if first.dtype.kind == "O":
        return functools.reduce(sum_of, others, first)
    total = np.add(first, others[0])
    for other in others[1:]:
        total = np.add(total, other, total if total.ndim else None)
    return total


@planned("AddN", "AccumulateNV2")
def plan_add_n(first, *others):
    return _total if others else None


def _total(first, *others, out=None):
    total = np.add(first, others[0], out)
    for other in others[1:]:
        total = np.add(total, other, out)
    return total


# ----------------------------------------------------------------------------------------------------- casts


@kernel("Cast", elementwise=True)
def cast(x, *, DstT, Truncate):
    if x.dtype == DstT:
        return x
    if object in (x.dtype, DstT) or DstT.kind in "SU":
        raise TypeError("a cast from or to strings is not supported")
    if Truncate and _casts.truncates(x.dtype, DstT):
        x = _casts.truncated(x, DstT)
    if x.dtype.kind == "c" and DstT.kind != "c":
        x = x.real
    if x.dtype in FOUR_BITS and DstT in FOUR_BITS:  # which numpy casts to wider integers only
        x = x.astype(np.int8)
    if DstT.kind in "iu" and x.dtype in _casts.FLOATS:
        return _casts.to_integers(x, DstT)
    return x.astype(DstT, copy=False)


@kernel("Bitcast")
def bitcast(input, *, type):
    """A last dimension is added where the new elements are smaller, and used up where they are larger."""
    old, new = input.dtype.itemsize, type.itemsize
    if old == new:
        return input.view(type)
    if old > new:
        return np.ascontiguousarray(input).reshape(*input.shape, 1).view(type)
    if input.ndim == 0 or input.shape[-1] * old != new:
        raise ValueError(
            f"cannot bitcast {input.dtype} of shape {list(input.shape)} to {type}: "
            f"the last dimension must be {new // old}"
        )
    return np.ascontiguousarray(input).view(type).reshape(input.shape[:-1])


# ------------------------------------------------------------------------------------------- complex numbers


@kernel("Complex")
def complex_of(real, imag, *, Tout):
    out = np.empty(np.broadcast_shapes(real.shape, imag.shape), Tout)
    out.real, out.imag = real, imag
    return out


@kernel("Real")
def real_part(input):
    return input.real.copy()


@kernel("Imag")
def imaginary_part(input):
    return input.imag.copy()


@kernel("Angle")
def angle(input):
    return np.arctan2(input.imag, input.real)


# ------------------------------------------------------------------------------------- shapes that broadcast


def _aligned(s0, s1) -> tuple[list[int], list[int]]:
    """Both shapes, with ones in front of the shorter one."""
    for shape in (s0, s1):
        if shape.ndim != 1:
            raise ValueError(f"a shape must be a vector, not of shape {list(shape.shape)}")
    x = [1] * (s1.size - s0.size) + s0.tolist()
    y = [1] * (s0.size - s1.size) + s1.tolist()
    if any(m != n and m != 1 and n != 1 for m, n in zip(x, y, strict=True)):
        raise ValueError(f"incompatible shapes: {s0.tolist()} vs. {s1.tolist()}")
    return x, y


def _axes_of_size_one(shape: list[int], dtype: np.dtype):
    return np.array([axis for axis, size in enumerate(shape) if size == 1], dtype)


@kernel("BroadcastGradientArgs")
def broadcast_gradient_args(s0, s1):
    """The axes to sum over to come back to each shape: those where it is 1, but none where both are equal."""
    x, y = _aligned(s0, s1)
    if s0.size == s1.size and x == y:
        return np.empty(0, s0.dtype), np.empty(0, s0.dtype)
    return _axes_of_size_one(x, s0.dtype), _axes_of_size_one(y, s0.dtype)


@kernel("BroadcastArgs")
def broadcast_args(s0, s1):
    x, y = _aligned(s0, s1)
    return np.array([n if m == 1 else m for m, n in zip(x, y, strict=True)], s0.dtype)
