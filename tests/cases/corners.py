"""Values at the corners: zeros of either sign, infinities and NaN, ties, nothing at all; through the op and its gradients."""

from __future__ import annotations

import numpy as np

from graphgrad.dtypes import float32, int8, int16, int32, int64, uint8, uint16, uint32, uint64
from tests.cases import Case, Input, case, const, f32, given, i32

_NAN, _INF = np.nan, np.inf
_POINTS = [0.0, -0.0, 1.0, -1.0, 0.5, -2.5, 1e-30, 1e30, _INF, -_INF, _NAN]
# Every pair of these meets in the operands of a binary op.
_PAIRS = [0.0, -0.0, 1.0, -1.0, 2.0, -0.5, _INF, -_INF, _NAN]

# No integer type holds them all; more than are cast at once, with some left over.
BEYOND = 3 * [_NAN, _INF, -_INF, -2.7, 300.7, -300.7, 7e4, -7e4, 3e9, -3e9, 1e19, -1e19, 1e30]

_COLOURS = np.reshape(
    [[r, g, b] for r in (0.2, _NAN, _INF) for g in (0.5, _NAN, -_INF) for b in (0.9, _NAN, _INF)], (1, 9, 3, 3)
)
_STEPS = np.reshape(
    [[_NAN, 1.0, 2.0], [1.0, _NAN, 2.0], [3.0, 1.0, _NAN], [-_INF, -_INF, _NAN], [0.0, _INF, 1.0]], (5, 1, 3)
)
_IMAGE = np.where(np.arange(12) % 5 == 3, [_NAN, _INF, -_INF] * 4, np.arange(12.0)).reshape(1, 3, 4, 1)

UNARY = [
    "Abs",
    "Acos",
    "Acosh",
    "Asin",
    "Asinh",
    "Atan",
    "Atanh",
    "Ceil",
    "Cos",
    "Cosh",
    "Elu",
    "Erf",
    "Erfc",
    "Erfinv",
    "Exp",
    "Expm1",
    "Floor",
    "Inv",
    "LeakyRelu",
    "Lgamma",
    "Log",
    "Log1p",
    "Ndtri",
    "Neg",
    "Reciprocal",
    "Relu",
    "Relu6",
    "Rint",
    "Round",
    "Rsqrt",
    "Selu",
    "Sigmoid",
    "Sign",
    "Sin",
    "Sinh",
    "Softplus",
    "Softsign",
    "Sqrt",
    "Square",
    "Tan",
    "Tanh",
    "Digamma",
    "BesselI0e",
    "BesselI1e",
]
BINARY = [
    "Add",
    "AddV2",
    "Atan2",
    "Div",
    "DivNoNan",
    "Maximum",
    "Minimum",
    "Mul",
    "MulNoNan",
    "Pow",
    "RealDiv",
    "SquaredDifference",
    "Sub",
    "Xdivy",
    "Xlog1py",
    "Xlogy",
    "FloorDiv",
    "FloorMod",
]
GRADS = [
    "EluGrad",
    "InvGrad",
    "LeakyReluGrad",
    "ReciprocalGrad",
    "Relu6Grad",
    "ReluGrad",
    "RsqrtGrad",
    "SeluGrad",
    "SigmoidGrad",
    "SqrtGrad",
    "TanhGrad",
]
# What TensorFlow computes in registers and one by one: 147 numbers are whole registers and some behind them.
OF_COMPLEX = [
    *["Acos", "Asin", "Atan", "Exp", "Expm1", "Inv", "Log", "Log1p", "Reciprocal", "Rsqrt", "Sigmoid", "Sign", "Sqrt"],
    *["Square", "Tanh"],
]
OF_TWO_COMPLEX = [
    *[
        "AddV2",
        "Div",
        "DivNoNan",
        "Mul",
        "MulNoNan",
        "Pow",
        "RealDiv",
        "SquaredDifference",
        "Xdivy",
        "Xlog1py",
        "Xlogy",
    ],
    *["InvGrad", "ReciprocalGrad", "RsqrtGrad", "SigmoidGrad", "SqrtGrad", "TanhGrad"],
]
REDUCTIONS = ["Sum", "Mean", "Prod", "Max", "Min", "EuclideanNorm"]


# Of the derivative of I1e at 0 TensorFlow's formula leaves noise; the others' gradients have none of their own.
ORDERS = {"BesselI1e": 1, "Softsign": 1}


def pair(dtype: str) -> tuple[Input, Input]:
    x, y = np.meshgrid(_PAIRS, _PAIRS)
    return given(x, dtype), given(y, dtype)


def complex_points(turned: tuple[int, int, int], dtype: str, op: str = "") -> Input:
    """Three times every pair of parts, each time turned around by so many."""
    parts = [0.0, -0.0, 1.0, -2.5, _INF, -_INF, _NAN]
    points = np.array([complex(a, b) for a in parts for b in parts])
    if op == "Asin":  # C leaves the sign of the infinity open there, and versions of NumPy differ
        points[np.isneginf(points.real) & np.isnan(points.imag)] = 1.0
    return given(np.concatenate([np.roll(points, by) for by in turned]), dtype)


def corner(op: str, *inputs: object, label: str, **attrs: object) -> Case:
    return case(op, *inputs, label=label, levels=("static",), smooth=False, **attrs)  # type: ignore[arg-type]


CASES = [
    *[
        corner(op, given(_POINTS, dtype), label=dtype, order=ORDERS.get(op, 2))
        for op in UNARY
        for dtype in ("float32", "float64")
    ],
    *[corner(op, *pair(dtype), label=dtype) for op in BINARY for dtype in ("float32", "float64")],
    *[corner(op, *pair("float32"), label="float32") for op in GRADS],
    *[
        corner(op, complex_points((0, 1, 2), dtype, op), label=dtype, order=1)
        for op in OF_COMPLEX
        for dtype in ("complex64", "complex128")
    ],
    *[
        corner(op, complex_points((0, 0, 0), dtype), complex_points((1, 10, 24), dtype), label=dtype, order=1)
        for op in OF_TWO_COMPLEX
        for dtype in ("complex64", "complex128")
    ],
    *[
        corner(
            op, given([300.0, -1000.0, 6e4, 0.0], "float16"), given([1e-3, 2e-4, 0.0, 1.0], "float16"), label="float16"
        )
        for op in ("ReciprocalGrad", "RsqrtGrad")
    ],
    *[
        corner(op, given([[_NAN, 1.0, 2.0], [_INF, 0.0, -_INF], [3.0, 3.0, 3.0], [0.0, 0.0, -0.0]]), axes, label=label)
        for op in REDUCTIONS
        for label, axes in (("rows", const([-1])), ("columns", const([0])), ("both", const([0, 1])))
    ],
    *[
        corner(op, f32(*shape), axes, label=f"empty:{shape}{axes.value}")
        for op in REDUCTIONS
        for shape, axes in (
            ((0, 3), const([0])),
            ((0, 3), const([-1])),
            ((2, 0), const([-1, 0])),
            ((), const([], "int32")),
        )
    ],
    *[corner(op, given([[_NAN, _NAN], [-_INF, 0.0], [-_INF, -_INF]]), label="") for op in ("Softmax", "LogSoftmax")],
    *[
        corner(op, f32(0, 3), label="empty")
        for op in ("Softmax", "LogSoftmax", "L2Loss", "Relu", "Cumsum")
        if op != "Cumsum"
    ],
    *[
        corner(op, given([[0.0, 2.0, 0.0, 3.0], [-_INF, 1.0, 0.0, _INF]]), const(-1), label="corners")
        for op in ("Cumsum", "Cumprod", "CumulativeLogsumexp")
    ],
    *[corner(op, f32(2, 0), const(-1), label="empty") for op in ("Cumsum", "Cumprod", "CumulativeLogsumexp")],
    corner("MatMul", f32(0, 3), f32(3, 2), label="no-rows"),
    corner("MatMul", f32(2, 0), f32(0, 3), label="nothing-summed"),
    corner("MatMul", given([[_INF, 0.0], [_NAN, 1.0]]), given([[0.0, 1.0], [1.0, -_INF]]), label="corners"),
    corner("BatchMatMulV2", f32(0, 2, 3), f32(3, 2), label="no-matrices"),
    corner("SoftmaxCrossEntropyWithLogits", f32(0, 3), f32(0, 3), label="no-rows"),
    corner("SparseSoftmaxCrossEntropyWithLogits", f32(0, 3), i32(0), label="no-rows"),
    corner("BiasAdd", f32(0, 3), f32(3), label="no-rows"),
    corner("AddN", [f32(0, 2), f32(0, 2)], label="empty"),
    corner("AvgPool", f32(0, 4, 4, 2), ksize=(1, 2, 2, 1), strides=(1, 2, 2, 1), padding="SAME", label="no-images"),
    corner(
        "MaxPool",
        given(np.reshape([1.0, 1.0, 2.0, 0.0, 2.0, _INF, -_INF, 2.0, 0.0, 0.0, 3.0, 3.0], (1, 3, 4, 1))),
        ksize=(1, 2, 2, 1),
        strides=(1, 1, 1, 1),
        padding="VALID",
        label="corners",
    ),
    corner(
        "MaxPool",
        given(np.reshape([-_INF, 1.0, _NAN, _INF], (1, 4, 1, 1))),
        ksize=(1, 1, 1, 1),
        strides=(1, 1, 1, 1),
        padding="SAME",
        label="windows-of-one",
        order=1,
    ),
    corner(
        "MaxPool3D",
        given(np.reshape([_INF, _INF, 1.0, 1.0, -_INF, 2.0], (1, 1, 1, 6, 1))),
        ksize=(1, 1, 1, 2, 1),
        strides=(1, 1, 1, 2, 1),
        padding="SAME",
        label="corners",
        order=1,
    ),
    corner(
        "FractionalMaxPool",
        given(np.reshape([1.0, _NAN, 2.0, -_INF, -_INF, 3.0, _INF, _NAN, _INF], (1, 9, 1, 1))),
        pooling_ratio=(1.0, 3.0, 1.0, 1.0),
        deterministic=True,
        seed=1,
        seed2=2,
        label="corners",
        order=1,
    ),
    corner(
        "FractionalMaxPool",
        given(np.reshape([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, -_INF, -_INF], (2, 4, 1, 1))),
        pooling_ratio=(1.0, 2.0, 1.0, 1.0),
        deterministic=True,
        seed=1,
        seed2=2,
        label="nothing-finite",
        order=1,
    ),
    corner("ConcatV2", [f32(0, 2), f32(3, 2)], const(-2), label="empty-part"),
    corner("GatherV2", f32(3, 2), i32(0), const(0), label="no-rows-read"),
    corner("UnsortedSegmentSum", f32(0, 2), i32(0), const(3), label="no-rows"),
    corner(
        "UnsortedSegmentMax", given([_NAN, 1.0, _INF, _INF, -_INF]), const([0, 0, 1, 1, 2]), const(4), label="corners"
    ),
    corner("SegmentMax", given([2.0, 2.0, _INF, _INF, -_INF]), const([0, 0, 1, 1, 2]), label="corners"),
    *[
        corner(op, given(np.tile([[1.0], [_NAN], [2.0], [_NAN], [_NAN], [_NAN]], 11), dtype), ids, label=dtype, order=0)
        for op in ("SegmentMax", "SegmentMin")
        for dtype in ("float16", "bfloat16", "float32", "float64")
        for ids in [const([0, 0, 0, 2, 3, 3])]
    ],
    *[
        corner(
            op, given([[1.0, _NAN, 3.0, _NAN], [_NAN, _NAN, -_INF, _NAN]]), const(axis), label=f"nan:{axis}", order=0
        )
        for op in ("ArgMax", "ArgMin", "CumulativeLogsumexp")
        for axis in (0, 1)
    ],
    corner("CumulativeLogsumexp", given([1.0, _NAN, -2.0, 0.5, _NAN], "bfloat16"), const(0), label="bfloat16", order=0),
    corner("TopKV2", given([[1.0, _INF, _INF, -_INF]]), const(2), label="ties"),
    corner(
        "SelectV2",
        given([True, False, True], "bool"),
        given([_NAN, _NAN, 0.0]),
        given([1.0, _INF, _NAN]),
        label="corners",
    ),
    corner("ClipByValue", given([_NAN, _INF, -_INF, 0.0, 1.0]), given(0.0), given(1.0), label="corners"),
    corner(
        "ClipByValue",
        complex_points((0, 1, 2), "complex64"),
        given(1 - 2j, "complex64"),
        given(2 + 0j, "complex64"),
        label="complex",
        order=0,
    ),
    corner("Cast", given(_POINTS, "float64"), DstT=float32, label="corners"),
    *[
        corner("Cast", given(BEYOND, source), DstT=target, label=f"beyond:{source}:{target.name}", order=0)
        for source in ("float16", "bfloat16", "float32", "float64")
        for target in (int8, int16, int32, int64, uint8, uint16, uint32, uint64)
    ],
    *[
        corner(op, given(_IMAGE), const(size), label=f"infinite:{size}", order=0)
        for op in ("ResizeArea", "ResizeBicubic", "ResizeBilinear", "ResizeNearestNeighbor")
        for size in ([3, 4], [2, 6], [5, 3])
    ],
    corner("FakeQuantWithMinMaxArgsGradient", given([_INF, _NAN, 1.0]), given([9.0, 0.0, _NAN]), label="nan", order=0),
    corner(
        "FakeQuantWithMinMaxVarsGradient",
        *[given([_INF, 1.0, 2.0]), given([9.0, 0.0, -9.0]), given(-6.0), given(6.0)],
        label="nan",
        order=0,
    ),
    corner("MatrixInverse", given([[2.0, 1.0], [_NAN, 3.0]]), label="nan", order=0),
    *[
        corner("CholeskyGrad", given(np.array(rows) + np.eye(3)), given(np.array(columns)), label=label, order=0)
        for label, rows, columns in (
            (
                "nan",
                [[1.0, 0.0, 0.0], [_NAN, 2.0, 0.0], [0.5, 0.25, 1.0]],
                [[1.0, 0.0, 0.0], [2.0, 1.0, 0.0], [3.0, 1.0, 1.0]],
            ),
            (
                "infinite",
                [[1.0, 0.0, 0.0], [3.0, 2.0, 0.0], [0.5, 0.25, 1.0]],
                [[1.0, 0.0, 0.0], [2.0, _INF, 0.0], [3.0, 1.0, 1.0]],
            ),
        )
    ],
    corner(
        "LRN",
        given(np.reshape([1.0, 2.0, 3.0, _INF, 1.0, 2.0, 3.0, 4.0], (1, 1, 1, 8))),
        depth_radius=2,
        label="infinite",
        order=1,
    ),
    corner("LinSpace", given(-_INF), given(1.0), const(3, "int32"), label="infinite", order=0),
    corner("RGBToHSV", given(_COLOURS), label="corners", order=0),
    corner("AdjustHue", given(_COLOURS), const(0.3, "float32"), label="corners", order=0),
    corner("CTCGreedyDecoder", given(_STEPS), const([5], "int32"), label="corners", order=0),
    corner("Round", given([3, -2, 0], "int32"), label="integers", order=0),
    corner("BesselY1", given([0.0, -1.0, _INF]), label="pole", order=0),
    corner("BesselY1", given([0.0, -1.0, _INF], "float64"), label="pole:float64", order=0),
    corner("Complex", *pair("float32"), label="corners"),
    corner("Betainc", given([1.0, 2.0, 0.5]), given([1.0, 2.0, 0.5]), given([0.0, 1.0, 0.5]), label="ends"),
    corner("Igamma", given([1.0, 2.0, 0.5]), given([0.0, _INF, 1.0]), label="ends", order=1),
    corner("Igammac", given([1.0, 2.0, 0.5]), given([0.0, _INF, 1.0]), label="ends", order=1),
    corner("Zeta", given([_INF, _INF, _INF, _NAN, 3.0]), given([0.0, -1.0, 2.0, -1.0, -1.0]), label="poles", order=1),
    corner("Polygamma", given([_INF, _INF, 3.0, 2.0]), given([0.0, -1.0, 0.0, 0.0]), label="poles", order=1),
    corner("Zeta", given([1e20, 33.0, 3e38]), given([2.0, 20.0, 1.5]), label="far", order=1),
    corner("Polygamma", given([1e20, _INF, 100.0, 3e38]), given([0.5, 0.5, 2.5, 1.0]), label="far", order=1),
    corner("Pow", given(_POINTS), given(0.5), label="root", order=1),
    *[
        corner("Pow", given([*_POINTS, -4.0]), const(exponent, "float32"), label=f"constant:{exponent}")
        for exponent in (0.5, -0.5, -1.0, 0.0, 1.0, 2.0, 3.0)
    ],
    *[
        corner("Pow", complex_points((0, 1, 2), "complex64"), const(e, "complex64"), label=f"complex:{e}", order=1)
        for e in (0.5, -0.5, -1.0, 2.0, 3.0)
    ],
    corner("Pow", given([0, 0, 0, 0, 1, -2j], "complex64"), given([0, 1, -1, 1j, 0, 0], "complex64"), label="complex"),
    corner(
        "Dilation2D",
        given(np.reshape([1.0, _NAN, 2.0, -_INF, 3.0, 4.0] * 3, (1, 3, 6, 1))),
        given(np.reshape([-_INF, 1.0], (1, 2, 1))),
        strides=(1, 2, 1, 1),
        rates=(1, 1, 2, 1),
        padding="SAME",
        label="nothing-finite",
        order=1,
    ),
    corner("LRN", f32(0, 2, 2, 3), label="no-images", order=1),
    corner("ResizeBilinear", f32(0, 2, 2, 3), const([3, 3]), label="no-images"),
    corner("Einsum", [f32(0, 2, 3), f32(3, 4)], equation="abc,cd->abd", label="no-rows"),
    corner("Reshape", f32(0, 3), const([3, -1]), label="empty"),
    corner("Tile", f32(2, 3), const([0, 2]), label="empty"),
    corner("Slice", f32(2, 3), const([1, 0]), const([0, -1]), label="empty"),
    corner("Pad", f32(0, 2), const([[1, 1], [0, 0]]), label="empty"),
    corner("Cholesky", f32(0, 2, 2), label="no-matrices"),
    corner("MatrixInverse", f32(0, 2, 2), label="no-matrices"),
    corner("Sum", f32(), const([], "int32"), label="scalar"),
]
