"""NaN and infinity among the numbers that one result is made of: where they go follows from the order in which TensorFlow takes these."""

from __future__ import annotations

import numpy as np

from tests.cases import Case, Input, const, given
from tests.cases.corners import corner


def spoiled(*shape: int, dtype: str = "float32", seed: int = 0, share: float = 1 / 8) -> Input:
    """Random numbers, this share of their parts NaN or infinite."""
    random = np.random.default_rng(seed)
    parts = []
    for _ in range(2 if dtype.startswith("complex") else 1):
        part = random.integers(-12, 13, shape) / 4
        unbounded = random.choice([np.nan, np.inf, -np.inf], shape)
        parts.append(np.where(random.random(shape) < share, unbounded, part))
    numbers = parts[0].astype(dtype)
    if len(parts) == 2:
        numbers.imag = parts[1]
    return given(numbers, dtype)


# Of (3, 5, 7) the numbers of a result lie in one row, in columns, in columns of columns, or in the first and the last place.
_AXES = ([], [0], [1], [2], [0, 1], [0, 2], [1, 2], [0, 1, 2])

_TURNS = [(False, False), (True, False), (False, True), (True, True)]


def _factors(m: int, k: int, n: int, turns: tuple[bool, bool], dtype: str, *batch: int) -> list[Input]:
    x, y = (k, m) if turns[0] else (m, k), (n, k) if turns[1] else (k, n)
    return [
        spoiled(*batch, *x, dtype=dtype, seed=4, share=1 / 24),
        spoiled(*batch, *y, dtype=dtype, seed=5, share=1 / 24),
    ]


CASES: list[Case] = [
    *[
        corner(op, spoiled(3, 5, 7, dtype=dtype, seed=3), const(axes, "int32"), label=f"{dtype}:{axes}", order=0)
        for op in ("EuclideanNorm", "Mean", "Prod")
        for dtype in ("complex64", "complex128")
        for axes in _AXES
    ],
    *[
        corner("Cumprod", spoiled(3, 5, 7, dtype=dtype, seed=3), const(axis, "int32"), label=f"{dtype}:{axis}", order=0)
        for dtype in ("complex64", "complex128")
        for axis in range(3)
    ],
    *[
        corner(op, spoiled(6, 7, dtype=dtype), const([0, 1, 1, 3, 3, 3]), *rest, label=dtype, order=0)
        for op, rest in (("SegmentMean", ()), ("SegmentProd", ()), ("UnsortedSegmentProd", (const(4),)))
        for dtype in ("complex64", "complex128")
    ],
    *[
        corner(
            "MatMul",
            *_factors(*sizes, turns, dtype),
            transpose_a=turns[0],
            transpose_b=turns[1],
            label=f"{dtype}:{sizes}:{turns}",
            order=0,
        )
        for dtype in ("complex64", "complex128")
        for sizes in ((1, 5, 3), (3, 5, 1), (5, 3, 7), (1, 8, 13), (13, 8, 1), (1, 1, 1))
        for turns in _TURNS
    ],
    *[
        corner(
            "BatchMatMulV2",
            *_factors(*sizes, turns, dtype, 2),
            adj_x=turns[0],
            adj_y=turns[1],
            label=f"{dtype}:{sizes}:{turns}",
            order=0,
        )
        for dtype in ("complex64", "complex128")
        for sizes in ((3, 5, 4), (9, 6, 7))
        for turns in _TURNS
    ],
    *[
        corner(
            "TopKV2",
            spoiled(9, length, dtype=dtype, seed=length),
            const(k),
            sorted=is_sorted,
            label=f"{dtype}:{length}:{k}:{is_sorted}",
            order=0,
        )
        for dtype in ("float32", "float64")
        for length in (6, 40)
        for k in (1, 5, length)
        for is_sorted in (False, True)
    ],
    *[
        corner("NthElement", spoiled(9, length, seed=length), const(n), reverse=False, label=f"{length}:{n}", order=0)
        for length in (3, 12, 60)
        for n in (0, length // 2)
    ],
    *[
        corner(
            "Einsum",
            [spoiled(*x, dtype=dtype, seed=6, share=1 / 24), spoiled(*y, dtype=dtype, seed=7, share=1 / 24)],
            equation=equation,
            label=f"{dtype}:{equation}",
            order=0,
        )
        for dtype in ("complex64", "complex128")
        for equation, x, y in (
            ("bij,bjk->bik", (2, 4, 3), (2, 3, 5)),
            ("bij,bkj->bki", (2, 4, 3), (2, 5, 3)),
            ("ji,jk->ik", (3, 4), (3, 5)),
            ("i,j->ij", (4,), (5,)),
        )
    ],
]
