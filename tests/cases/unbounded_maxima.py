"""NaN and infinity where numbers are compared: maxima of windows and of sparse rows, and what is fused behind a product."""

from __future__ import annotations

import numpy as np

from tests.cases import Case, const, f32, given
from tests.cases.corners import corner
from tests.cases.unbounded import spoiled

_ENDS = [np.nan, np.inf, -np.inf, 7.0, -2.0, -8.0, 0.0]
_CONV = {"strides": [1, 1, 1, 1], "padding": "VALID"}


def _images(*shape: int, dtype: str) -> list:
    """Many windows of NaN and -inf alone."""
    random = np.random.default_rng(len(shape))
    return [given(random.choice([np.nan, -np.inf, -1.0, np.inf], shape, p=[0.4, 0.4, 0.1, 0.1]), dtype)]


def _pools() -> list[Case]:
    found = []
    for dtype in ("float32", "bfloat16"):
        for size in (1, 2):
            window, row = {"padding": "SAME", "strides": (1, 1, 1, 1)}, (1, size, size, 1)
            label = f"{dtype}:{size}"
            plane, volume = _images(2, 4, 5, 3, dtype=dtype), _images(2, 3, 4, 3, 3, dtype=dtype)
            found += [
                corner("MaxPool", *plane, ksize=row, **window, label=label, order=0),
                corner("MaxPoolV2", *plane, const(row), const((1, 1, 1, 1)), padding="SAME", label=label, order=0),
                corner(
                    "MaxPool3D",
                    *volume,
                    ksize=(1, *row),
                    strides=(1,) * 5,
                    padding="VALID",
                    label=label,
                    order=0,
                ),
            ]
    return found


CASES: list[Case] = [
    *_pools(),
    *[
        corner(
            "_FusedMatMul",
            *(f32(3, 2), f32(3 if turned else 2, 7), [given(_ENDS)]),
            fused_ops=["BiasAdd", name],
            num_args=1,
            transpose_a=turned,
            label=f"{name}:{turned}",
            order=0,
        )
        for name, turned in [
            *[(name, False) for name in ("Relu", "Relu6", "Elu", "LeakyRelu", "GeluExact", "GeluApproximate")],
            *[("Relu", True), ("Relu6", True)],
        ]
    ],
    corner(
        "_FusedDepthwiseConv2dNative",
        *(f32(1, 3, 3, 7), f32(1, 1, 7, 1), [given(_ENDS)]),
        fused_ops=["BiasAdd", "Relu6"],
        num_args=1,
        **_CONV,
        label="Relu6",
        order=0,
    ),
    *[
        corner(
            "SparseReduceMax",
            const(np.argwhere(np.ones((3, length))), "int64"),
            spoiled(3 * length, dtype=dtype, seed=length),
            const((3, length), "int64"),
            const([1]),
            label=f"{dtype}:{length}",
            order=0,
        )
        for dtype in ("float32", "float64")
        for length in (3, 21)
    ],
]
