"""NaN and infinity in matrices that are factored, inverted and solved with."""

from __future__ import annotations

import numpy as np

from graphgrad.dtypes import int32
from tests.cases import Case, Input, given
from tests.cases.corners import corner
from tests.cases.unbounded import spoiled

_DTYPES = ("float32", "float64", "complex64", "complex128")
_LOWER = [(lower, adjoint) for lower in (False, True) for adjoint in (False, True)]


def _stack(dtype: str, size: int, seed: int = 0, positive: bool = False) -> Input:
    """Twelve matrices with a few numbers that are not finite; their first is."""
    random = np.random.default_rng(seed)
    matrices = np.array(spoiled(12, size, size, dtype=dtype, seed=seed, share=1 / (size * size + 4)).value)
    whole = random.integers(-4, 5, (size, size)) / 4
    matrices[:, 0, 0] = 2.5
    if positive:
        matrices += 8 * np.eye(size)
        matrices[..., np.triu(np.ones((size, size), bool), 1)] = 0  # which no result says anything of
        whole = whole @ whole.T + np.eye(size)
    matrices[0] = np.tril(whole) + np.eye(size)
    return given(matrices, dtype)


# Whose pivots are NaN or positive: TensorFlow leaves the rest of a factor that it does not find as it is in memory.
_WITH_FACTORS = [
    [
        [7.25, 0, 0, 0],
        [1 - 1.25j, 4, 0, 0],
        [complex(np.nan, np.inf), -1.5 - 2j, 6, 0],
        [-0.5 + 0.25j, -0.75 + 0.75j, 2 + 2j, 8],
    ],
    [
        [7.25, 0, 0, 0],
        [0.5j, 4.25, 0, 0],
        [-1.25 - 1j, 0.25 + 1j, 6.5, 0],
        [complex(-np.inf, -1.25), 1 - 1.75j, 0.5 + 1j, 7.25],
    ],
]


def _singular(dtype: str, size: int, seed: int) -> Input:
    """A matrix of small integers, one row of which is made of two others: rounding decides whether its elimination ends in 0."""
    random = np.random.default_rng(seed)
    matrix = random.integers(-3, 4, (size, size)).astype(float)
    matrix[0] = matrix[1] * random.integers(-2, 3) + matrix[2] * random.integers(-2, 3)
    return given(matrix, dtype)


CASES: list[Case] = [
    *[
        corner(op, _stack(dtype, size, seed=size), label=f"{dtype}:{size}", order=0)
        for op in ("LogMatrixDeterminant", "MatrixDeterminant")
        for dtype in _DTYPES
        for size in (1, 2, 3, 5)
    ],
    *[
        corner("Lu", _stack(dtype, size, seed=size), output_idx_type=int32, label=f"{dtype}:{size}", order=0)
        for dtype in _DTYPES
        for size in (1, 2, 3, 5)
    ],
    *[
        corner("Cholesky", given(_WITH_FACTORS[:count], dtype), label=dtype, order=0)
        for dtype, count in (("complex64", 1), ("complex128", 2))
    ],
    *[
        corner(
            "MatrixInverse", _stack(dtype, size, seed=size), adjoint=adjoint, label=f"{dtype}:{size}:{adjoint}", order=0
        )
        for dtype in _DTYPES
        for size in (1, 2, 3, 4)
        for adjoint in (False, True)
    ],
    *[
        corner(
            "MatrixSolve",
            *[_stack(dtype, size, seed=size), spoiled(12, size, 2, dtype=dtype, seed=9, share=1 / 30)],
            adjoint=adjoint,
            label=f"{dtype}:{size}:{adjoint}",
            order=0,
        )
        for dtype in _DTYPES
        for size in (1, 2, 3, 4)
        for adjoint in (False, True)
    ],
    *[
        corner(
            "MatrixTriangularSolve",
            *[_stack(dtype, size, seed=size), spoiled(12, size, columns, dtype=dtype, seed=9, share=1 / 30)],
            lower=lower,
            adjoint=adjoint,
            label=f"{dtype}:{size}:{columns}:{lower}:{adjoint}",
            order=0,
        )
        for dtype in _DTYPES
        for size, columns in ((1, 3), (3, 1), (4, 5))
        for lower, adjoint in _LOWER
    ],
    *[
        corner(
            "TridiagonalMatMul",
            *[spoiled(2, 1, 4, dtype=dtype, seed=seed, share=1 / 3) for seed in (10, 11, 12)],
            spoiled(2, 4, columns, dtype=dtype, seed=13, share=1 / 3),
            label=f"{dtype}:{columns}",
            order=0,
        )
        for dtype in _DTYPES
        for columns in (1, 5)
    ],
    *[
        corner(
            "BandedTriangularSolve",
            *[given([[2.0, np.nan, np.inf, 4.0], [1.0, 2.0, np.nan, 1.0]], dtype), given(np.ones((4, 2)), dtype)],
            lower=lower,
            adjoint=adjoint,
            label=f"{dtype}:{lower}:{adjoint}",
            order=0,
        )
        for dtype in ("float32", "float64")
        for lower, adjoint in _LOWER
    ],
    *[
        corner(
            "Svd", given([[np.nan, 1.0], [2.0, 3.0]], dtype), compute_uv=True, full_matrices=False, label=dtype, order=0
        )
        for dtype in ("float32", "complex64")
    ],
    *[
        corner("SelfAdjointEigV2", given(matrix, dtype), compute_v=True, label=f"{dtype}:{label}", order=0)
        for dtype in ("float32", "complex64")
        for label, matrix in (
            ("number", [[-np.inf]]),
            ("first", [[np.inf, 2.0, 1.0], [2.0, 1.0, 3.0], [1.0, 3.0, 4.0]]),
            ("last", [[1.0, 2.0], [2.0, np.inf]]),
        )
    ],
    *[
        corner(
            "MatrixInverse",
            _singular(dtype, size, seed),
            adjoint=False,
            label=f"singular:{dtype}:{size}:{seed}",
            order=0,
        )
        for dtype in ("float32", "float64")
        for size in (3, 4, 5)
        for seed in range(8)
    ],
]
