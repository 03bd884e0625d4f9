"""Operations element by element, real and complex, with broadcasting."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.oracle.draws import ALL, COMPLEX, FLOATS, REAL, Drawer, dtype_of, sketch

# op type -> where its values are drawn from
UNARY = {
    "Abs": (-2, 2), "Acos": (-0.9, 0.9), "Acosh": (1.1, 4), "Angle": (-2, 2), "Asin": (-0.9, 0.9), "Asinh": (-2, 2),
    "Atan": (-2, 2), "Atanh": (-0.9, 0.9), "BesselI0": (-2, 2), "BesselI0e": (-2, 2), "BesselI1": (-2, 2),
    "BesselI1e": (-2, 2), "BesselJ0": (0.2, 4), "BesselJ1": (0.2, 4), "BesselK0": (0.2, 4), "BesselK0e": (0.2, 4),
    "BesselK1": (0.2, 4), "BesselK1e": (0.2, 4), "BesselY0": (0.2, 4), "BesselY1": (0.2, 4), "Ceil": (-2, 2),
    "CheckNumerics": (-2, 2), "CheckNumericsV2": (-2, 2), "ComplexAbs": (-2, 2), "Conj": (-2, 2), "Cos": (-2, 2),
    "Cosh": (-2, 2), "Dawsn": (-2, 2), "Digamma": (0.3, 4), "Elu": (-2, 2), "Erf": (-2, 2), "Erfc": (-2, 2),
    "Erfinv": (-0.9, 0.9), "Exp": (-2, 2), "Expint": (0.2, 3), "Expm1": (-2, 2), "Floor": (-2, 2),
    "FresnelCos": (-2, 2), "FresnelSin": (-2, 2), "Imag": (-2, 2), "Inv": (0.3, 2), "LeakyRelu": (-2, 2),
    "Lgamma": (0.3, 4), "Log": (0.2, 3), "Log1p": (-0.8, 3), "Ndtri": (0.05, 0.95), "Neg": (-2, 2), "Real": (-2, 2),
    "Reciprocal": (0.3, 2), "Relu": (-2, 2), "Relu6": (-3, 9), "Rint": (-2, 2), "Round": (-2, 2), "Rsqrt": (0.2, 3),
    "Selu": (-2, 2), "Sigmoid": (-3, 3), "Sign": (-2, 2), "Sin": (-2, 2), "Sinh": (-2, 2), "Softplus": (-3, 3),
    "Softsign": (-2, 2), "Spence": (0.2, 3), "Sqrt": (0.2, 3), "Square": (-2, 2), "Tan": (-1, 1), "Tanh": (-2, 2),
}  # fmt: skip

BINARY = {
    "Add": (-2, 2), "AddV2": (-2, 2), "Sub": (-2, 2), "Mul": (-2, 2), "Div": (0.3, 2), "RealDiv": (0.3, 2),
    "FloorDiv": (-2, 2), "FloorMod": (-2, 2), "TruncateDiv": (-2, 2), "Pow": (0.2, 2), "Maximum": (-2, 2),
    "Minimum": (-2, 2), "SquaredDifference": (-2, 2), "Atan2": (-2, 2), "DivNoNan": (0.3, 2), "MulNoNan": (-2, 2),
    "Xdivy": (0.3, 2), "Xlogy": (0.2, 2), "Xlog1py": (0.2, 2), "Igamma": (0.3, 3), "Igammac": (0.3, 3),
    "Polygamma": (1, 3), "Zeta": (1.5, 4), "NextAfter": (-2, 2),
}  # fmt: skip

AT_ZERO = ("DivNoNan", "MulNoNan", "Xdivy", "Xlogy", "Xlog1py")  # where zero decides

GRADS = (
    "EluGrad", "InvGrad", "LeakyReluGrad", "ReciprocalGrad", "Relu6Grad", "ReluGrad", "RsqrtGrad", "SeluGrad",
    "SigmoidGrad", "SoftplusGrad", "SqrtGrad", "TanhGrad",
)  # fmt: skip


@sketch(*UNARY, corners=True)
def unary(d: Drawer, op: str) -> Any:
    low, high = UNARY[op]
    attrs: dict[str, Any] = {}
    if op in ("ComplexAbs", "Angle", "Real", "Imag"):
        dtype = d.pick(*COMPLEX)
        attrs["Tout"] = dtype_of("float32" if dtype == "complex64" else "float64")
    else:
        dtype = d.dtype(op)
    if op.startswith("CheckNumerics"):
        attrs["message"] = d.pick("m", "in the middle")
    if op == "LeakyRelu":
        attrs["alpha"] = d.pick(0.2, 0.0, 1.5, -0.3)
    return d.op(op, d.tensor(d.shape(), dtype, low, high), **attrs)


@sketch(*BINARY, corners=True)
def binary(d: Drawer, op: str) -> Any:
    low, high = BINARY[op]
    first, second = d.broadcastable(2)
    dtype = d.dtype(op)
    if op == "NextAfter" or d.chance(0.3):
        second = first
    zeros = op in AT_ZERO and d.chance(0.3)
    if zeros:
        x = d.tensor(first, dtype, value=np.round(d.values(first, "float64", -1, 1)))
    else:
        x = d.tensor(first, dtype, low, high)
    if op == "Pow" and d.chance(0.3):
        x = d.tensor(first, dtype, -2, 2)
        return d.op(op, x, d.const(np.full(d.pick((), second), d.pick(0, 1, 2, 3, -1, 0.5)), dtype))
    if d.chance(0.1):
        return d.op(op, x, x)
    kind = d.chance(0.2)
    y = d.const(d.values((), dtype, low, high), dtype) if kind else d.operand(second, dtype, low, high)
    turned = d.chance(0.2) and not (zeros and dtype in COMPLEX)
    return d.op(op, *((y, x) if turned else (x, y)))


@sketch(*GRADS, corners=True)
def grads(d: Drawer, op: str) -> Any:
    shape, dtype = d.shape(), d.dtype(op)
    attrs = {"alpha": d.pick(0.2, 0.0)} if op == "LeakyReluGrad" else {}
    return d.op(op, d.tensor(shape, dtype, 0.3, 2), d.operand(shape, dtype, -2 if "Relu" in op else 0.3, 2), **attrs)


@sketch("Cast")
def cast(d: Drawer, op: str) -> Any:
    others = ("int32", "bool", "int8", "uint64")
    source, target = d.pick(*ALL, *ALL, *ALL, *others), d.pick(*ALL, *ALL, *ALL, *others)
    truncate = d.chance(0.1) and (source, target) != ("float64", "complex64")  # which TensorFlow casts to other numbers
    narrow = d.op(op, d.tensor(d.shape(), source, 0), DstT=dtype_of(target), Truncate=truncate)
    return d.op(op, narrow[0], DstT=dtype_of(d.pick(*ALL))) if d.chance(0.3) else narrow


@sketch("Complex")
def complex_(d: Drawer, op: str) -> Any:
    first, second = d.broadcastable(2)
    dtype = d.pick(*FLOATS)
    tout = dtype_of("complex64" if dtype == "float32" else "complex128")
    return d.op(op, d.tensor(first, dtype), d.operand(second, dtype), Tout=tout)


@sketch("ClipByValue", corners=True)
def clip(d: Drawer, op: str) -> Any:
    dtype, shape = d.dtype(op, among=REAL), d.shape()  # complex numbers have no order

    low, high = (shape if d.chance(0.3) else () for _ in range(2))
    x = d.tensor(shape, dtype)
    return d.op(op, x, d.operand(low, dtype, -1, 0), d.operand(high, dtype, 0, 1))


@sketch("Betainc", corners=True)
def betainc(d: Drawer, op: str) -> Any:
    shapes = [d.shape()] * 3
    if d.chance(0.4):
        shapes = [s if d.chance(0.5) else () for s in shapes]
        whole = max(shapes, key=len)
        shapes = [whole if s else () for s in shapes]
        shapes[0] = (
            shapes[0] or shapes[1]
        )  # a shape that b alone has is not looked at in TensorFlow, whose gradient fails
    dtype = d.pick(*FLOATS)
    a, b = (d.tensor(s, dtype, 0.3, 3) for s in shapes[:2])
    return d.op(op, a, b, d.tensor(shapes[2], dtype, 0.1, 0.9))


@sketch("Select", "SelectV2", corners=True)
def select(d: Drawer, op: str) -> Any:
    dtype = d.dtype(op)
    if op == "SelectV2":
        condition, x, y = d.broadcastable(3)
    else:
        x = y = d.shape(1)
        condition = d.pick(x, x, (), x[:1])
    c = d.const(d.values(condition, "bool", 0, 1), "bool") if d.chance(0.2) else d.tensor(condition, "bool", 0, 1)
    return d.op(op, c, d.tensor(x, dtype), d.operand(y, dtype))


@sketch("AddN", "AccumulateNV2", corners=True)
def add_n(d: Drawer, op: str) -> Any:
    shape, dtype = d.shape(), d.dtype(op)
    tensors = [d.tensor(shape, dtype) for _ in range(d.integer(1, 4))]
    if d.chance(0.2):
        tensors.append(tensors[0])
    return d.op(op, tensors, **({"shape": shape} if op == "AccumulateNV2" else {}))


@sketch("Identity", "PreventGradient", "DebugGradientIdentity", "DebugIdentityV2", "_EagerConst", "IdentityN", "Print")
def identity(d: Drawer, op: str) -> Any:
    x = d.tensor(d.shape(), "float32" if op in ("IdentityN", "Print") else d.dtype(op))
    if op == "IdentityN":
        others = [d.tensor(d.shape(), d.pick(*ALL, "int32", "bool")) for _ in range(d.integer(0, 3))]
        return d.op(op, [x, *others])
    if op == "Print":
        data = [d.tensor(d.shape(), d.pick("float32", "int32")) for _ in range(d.integer(0, 2))]
        return d.op(op, x, data, message=d.pick("", "m"), first_n=0, summarize=d.integer(1, 9))
    attrs: dict[str, Any] = {}
    if op == "PreventGradient":
        attrs["message"] = d.pick("", "not here")
    if op == "DebugIdentityV2":
        attrs = {"op_name": d.pick("", "x"), "output_slot": d.pick(-1, 0), "tensor_debug_mode": d.pick(-1, 2)}
    if op == "_EagerConst":
        attrs["name"] = "eager"
    return d.op(op, x, **attrs)


@sketch("L2Loss", corners=True)
def l2_loss(d: Drawer, op: str) -> Any:
    return d.op(op, d.tensor(d.shape(), d.dtype(op)))


@sketch("Cross", corners=True)
def cross(d: Drawer, op: str) -> Any:
    shape, dtype = (*d.shape(0, 2), 3), d.dtype(op)
    return d.op(op, d.tensor(shape, dtype), d.operand(shape, dtype))


@sketch("XlaSharding", "XlaSpmdFullToShardShape", "XlaSpmdShardToFullShape", "XlaClusterOutput")
def xla(d: Drawer, op: str) -> Any:
    d.numbers = False
    shape = d.shape()
    attrs: dict[str, Any] = {"unspecified_dims": (0,)} if d.chance(0.3) and op != "XlaClusterOutput" else {}
    if op == "XlaSharding":
        attrs["sharding"] = d.pick("", "s")
    elif op != "XlaClusterOutput":
        attrs |= {"manual_sharding": d.pick("s", "t"), "dim": d.pick(-1, 0)}
    if op == "XlaSpmdShardToFullShape":
        attrs["full_shape"] = d.pick(shape, (None,) * len(shape))
    return d.op(op, d.tensor(shape, d.pick(*ALL)), **attrs)
