"""Pooling: paddings, strides."""

from tests.cases import case, f32

_SAME = {"ksize": [1, 2, 3, 1], "strides": [1, 2, 2, 1], "padding": "SAME"}
_VALID = {"ksize": [1, 2, 2, 1], "strides": [1, 1, 2, 1], "padding": "VALID"}
_CUBE = {"ksize": [1, 2, 2, 2, 1], "strides": [1, 2, 2, 2, 1], "padding": "SAME"}

CASES = [
    *[case(op, f32(2, 5, 6, 3), label="same", **_SAME) for op in ("MaxPool", "AvgPool")],
    *[case(op, f32(2, 5, 6, 3), label="valid", **_VALID) for op in ("MaxPool", "AvgPool")],
    *[case(op, f32(1, 4, 4, 5, 2), label="cube", **_CUBE) for op in ("MaxPool3D", "AvgPool3D")],
]
