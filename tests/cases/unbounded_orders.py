"""NaN and infinity among what is ordered, compared or drawn by rejection: they end no loop and have no place of their own."""

from __future__ import annotations

import numpy as np

from graphgrad.dtypes import float32, int32, int64
from tests.cases import Case, const, given
from tests.cases.corners import corner
from tests.cases.unbounded import spoiled

_NAN, _INF = np.nan, np.inf
_HALVES = ("float16", "bfloat16")

# Registers of nothing but NaN hold -inf, which may be none of the elements, or one of them.
_NOTHING = np.full((3, 16), _NAN)
_NOTHING[1, 11] = -_INF

_PIXELS = np.reshape([-_INF, -_INF, 1.0, _INF, 2.0, -_INF, -_INF, -_INF, 3.0, 3.0, -_INF, -1.0], (1, 4, 3, 1))
_POOLED = np.reshape([_INF, 1.0, 3.0, 3.0], (1, 2, 2, 1))
_BLANK = np.reshape([-_INF, -_INF, 1.0, 5.0], (1, 2, 2, 1))
_RISE = np.reshape([2.0, 3.0, 4.0, 5.0], (1, 2, 2, 1))


def _of_channels(*images: np.ndarray, dtype: str):
    """Three channels each, as fewer numbers than crossings of borders are refused."""
    return [given(np.repeat(image, 3, axis=-1), dtype) for image in images]


CASES: list[Case] = [
    *[
        corner(
            "StatelessRandomGammaV2",
            const([4, 7]),
            const([3, 5]),
            given([_NAN, _INF, -_INF, 0.0, -1.0, -0.5, 0.5], dtype),
            label=dtype,
            order=0,
        )
        for dtype in ("float32", "float64", "float16")
    ],
    *[
        corner(
            "StatelessRandomPoisson",
            const([3, 5]),
            const([3, 5]),
            given([_INF, -_INF, -1.0, 3.0, 20.0], "float64"),
            dtype=dtype,
            label=dtype.name,
            order=0,
        )
        for dtype in (float32, int32, int64)
    ],
    *[
        corner("TopKV2", given(_NOTHING, dtype), const(1), sorted=True, label=f"{dtype}:nothing", order=0)
        for dtype in ("float32", "float64", *_HALVES)
    ],
    *[
        corner(
            "TopKV2",
            spoiled(6, length, dtype=dtype, seed=length),
            const(k),
            sorted=is_sorted,
            label=f"{dtype}:{length}:{k}:{is_sorted}",
            order=0,
        )
        for dtype in _HALVES
        for length in (9, 40)
        for k in (1, 4, length)
        for is_sorted in (False, True)
    ],
    *[
        corner(
            "ApproxTopK",
            spoiled(9, 20, dtype=dtype, seed=2),
            k=k,
            reduction_dimension=-1,
            is_max_k=True,
            label=f"{dtype}:{k}",
            order=0,
        )
        for dtype in ("float32", *_HALVES)
        for k in (1, 3)
    ],
    *[
        corner("NthElement", spoiled(9, 24, dtype=dtype, seed=6), const(7), reverse=True, label=dtype, order=0)
        for dtype in ("float64", *_HALVES)
    ],
    *[
        corner(
            "FractionalMaxPoolGrad",
            *_of_channels(x, y, dy, dtype=dtype),
            *(const(rows, "int64"), const(columns, "int64")),
            overlapping=False,
            label=f"{dtype}:{x.size}",
            order=0,
        )
        for dtype in ("float32", "float64")
        for x, y, dy, rows, columns in (
            (_PIXELS, _POOLED, _RISE, [0, 2, 4], [0, 2, 3]),
            (_BLANK, _BLANK.max(2, keepdims=True), _RISE[:, :, :1], [0, 1, 2], [0, 2]),
        )
    ],
    *[
        corner("HistogramFixedWidth", given(values), given(ends), const(bins), label=label, order=0)
        for label, values, ends, bins in (
            ("one", [_NAN, 0.5, _INF, -_INF], [0.0, 1.0], 1),
            ("beyond", [0.5, _INF, -_INF, 0.7, -3.0], [0.0, 1.0], 4),
            ("endless", [0.5, -_INF, 1e30, -3.0], [0.0, _INF], 3),
        )
    ],
]
