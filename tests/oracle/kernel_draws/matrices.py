"""Recipes of matrices: products, diagonals, solves, and what is unique of decompositions."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.oracle.kernel_draws.drawing import Array, Drawer, Recipe, numpy_dtype

Parts = tuple[list[Any], dict[str, Any]]


def _batch(d: Drawer) -> tuple[int, ...]:
    return d.shape(0, 2, 3)


def matmul(d: Drawer) -> Parts:
    rows, inner, columns = d.dim(), d.dim(), d.dim()
    names = [n for n in ("transpose_a", "transpose_b", "adj_x", "adj_y") if n in d.signature.attrs]
    flips = {name: d.flag() for name in names}
    one, other = flips.values()
    shapes = [(inner, rows) if one else (rows, inner), (columns, inner) if other else (inner, columns)]
    a, b = (d.types.get(k) or d.types["T"] for k in (("Ta", "Tb") if "Ta" in d.types else ("T", "T")))
    batches: list[tuple[int, ...]] = [(), ()]
    if d.op_type == "BatchMatMul":
        batches = [_batch(d)] * 2
    elif d.op_type.startswith("Batch"):
        full = _batch(d)
        # Rows of bfloat16 are multiplied with the wrong matrix where one is for all, on processors made for them.
        batches = [full, full if "bfloat16" in (a, b) else d.broadcast_to(full)]
    return [
        d.array(a, (*batches[0], *shapes[0]), corners=False),
        d.array(b, (*batches[1], *shapes[1]), corners=False),
    ], flips


EQUATIONS = [
    "ij,jk->ik",
    "bij,bjk->bik",
    "ij->ji",
    "ii->i",
    "ij->",
    "i,j->ij",
    "...ij,...jk->...ik",
    "abc,cd->abd",
    "ij,ij->i",
    "ijk,ilk->jl",
    "ij,kj->ik",
    "ii->",
]


def einsum(d: Drawer) -> Parts:
    equation = d.pick([e for e in EQUATIONS if d.op_type == "Einsum" or ("," in e and "." not in e)])
    sizes = {letter: d.dim(4) for letter in "abcdijkl"}
    lead = d.shape(0, 2, 3)
    terms = equation.split("->")[0].split(",")
    inputs = []
    for term in terms:
        shape = [size for part in term.replace("...", ".") for size in (lead if part == "." else [sizes[part]])]
        inputs.append(d.array(d.dtype(), shape, corners=False))
    return (inputs if d.op_type == "XlaEinsum" else [inputs]), {"equation": equation}


def cross(d: Drawer) -> Parts:
    shape = (*d.shape(0, 3), 3)
    return [d.array(d.dtype(), shape, corners=False) for _ in range(2)], {}


def diag(d: Drawer) -> Parts:
    shape = d.shape(1, 3, 3)
    return [d.array(d.dtype(), shape * 2 if d.op_type == "DiagPart" else shape)], {}


def band(d: Drawer) -> Parts:
    shape = (*_batch(d), d.dim(), d.dim())
    edges = [d.given("Tindex" if "Tindex" in d.types else "int64", d.integer(-1, min(n, 3))) for n in shape[-2:]]
    return [d.array(d.dtype(), shape), *edges], {}


def matrix_diag(d: Drawer) -> Parts:
    """Diagonals of matrices, the first version: the main one."""
    batch, rows, columns = _batch(d), d.integer(1, 4), d.integer(1, 4)
    diagonal = d.array(d.dtype(), (*batch, min(rows, columns)))
    if d.op_type.endswith("SetDiag"):
        return [d.array(d.dtype(), (*batch, rows, columns)), diagonal], {}
    return [diagonal if d.op_type.endswith("Diag") else d.array(d.dtype(), (*batch, rows, columns))], {}


ALIGNMENTS = ["RIGHT_LEFT", "LEFT_RIGHT", "LEFT_LEFT", "RIGHT_RIGHT"]


def matrix_diags(d: Drawer) -> Parts:
    """Diagonals low to high of matrices, as a band of their own."""
    batch, rows, columns = _batch(d), d.integer(1, 5), d.integer(1, 5)
    low = d.integer(1 - rows, columns - 1)
    high = d.integer(low, columns - 1) if d.flag() else low
    width = min(rows + min(high, 0), columns - max(low, 0))
    many = high > low
    k = np.array([low, high] if many else d.pick([low, [low]]), np.int32)
    diagonals = d.array(d.dtype(), (*batch, *([high - low + 1] if many else []), width))
    attrs = {"align": d.pick(ALIGNMENTS)} if d.op_type.endswith("V3") else {}
    matrix = d.array(d.dtype(), (*batch, rows, columns))
    if "DiagPart" in d.op_type:
        return [matrix, k, d.array(d.dtype(), ())], attrs
    if "SetDiag" in d.op_type:
        return [matrix, diagonals, k], attrs
    return [diagonals, k, np.int32(rows), np.int32(columns), d.array(d.dtype(), ())], attrs


def _regular(d: Drawer, batch: tuple[int, ...], n: int, positive: bool = False) -> Array:
    """Matrices far from singular ones; symmetric and positive definite on request."""
    dtype = d.dtype()
    a = d.array(dtype, (*batch, n, n), -1, 1, corners=False).astype("complex128" if "complex" in dtype else "float64")
    if positive:
        a = a @ np.conj(np.swapaxes(a, -1, -2))
    return np.asarray(a + (n + 1) * np.eye(n)).astype(numpy_dtype(dtype))


def square(positive: bool) -> Recipe:
    def recipe(d: Drawer) -> Parts:
        attrs = {"adjoint": d.flag()} if "adjoint" in d.signature.attrs else {}
        return [_regular(d, _batch(d), d.integer(1, 4), positive)], attrs

    return recipe


def solve(d: Drawer) -> Parts:
    n, columns, batch = d.integer(1, 4), d.integer(1, 3), _batch(d)
    attrs = {name: d.flag() for name in ("adjoint", "lower") if name in d.signature.attrs}
    other = d.broadcast_to(batch) if d.op_type == "MatrixTriangularSolve" else batch
    return [_regular(d, batch, n), d.array(d.dtype(), (*other, n, columns), corners=False)], attrs


def least_squares(d: Drawer) -> Parts:
    n, columns, batch = d.integer(1, 3), d.integer(1, 3), _batch(d)
    a = np.concatenate([_regular(d, batch, n), d.array(d.dtype(), (*batch, d.integer(0, 2), n), corners=False)], -2)
    right = d.array(d.dtype(), (*batch, a.shape[-2], columns), corners=False)
    return [a, right, np.float64(d.pick([0.0, 0.1]))], {"fast": True}


def banded(d: Drawer) -> Parts:
    n, bands, batch = d.integer(2, 4), d.integer(1, 2), tuple(d.integer(1, 3) for _ in range(d.integer(0, 2)))
    attrs = {"lower": d.flag(), "adjoint": d.flag()}
    matrix = d.array(d.dtype(), (*batch, bands, n), 1, 2, corners=False)
    return [matrix, d.array(d.dtype(), (*batch, n, d.integer(1, 3)), corners=False)], attrs


def cholesky_grad(d: Drawer) -> Parts:
    n, batch = d.integer(1, 4), _batch(d)
    lower = np.tril(_regular(d, batch, n))
    return [lower, d.array(d.dtype(), (*batch, n, n), corners=False)], {}


def tridiagonal(d: Drawer) -> Parts:
    n, columns, batch = d.integer(1, 4), d.integer(1, 3), _batch(d)
    right = d.array(d.dtype(), (*batch, n, columns), corners=False)
    if d.op_type == "TridiagonalMatMul":
        return [*[d.array(d.dtype(), (*batch, 1, n), corners=False) for _ in range(3)], right], {}
    rows = [d.array(d.dtype(), (*batch, n), low, high, corners=False) for low, high in ((-1, 1), (3, 4), (-1, 1))]
    return [np.stack(rows, -2), right], {"partial_pivoting": d.flag()}


def values_only(d: Drawer) -> Parts:
    """Singular values and eigenvalues; vectors are unique up to a sign only."""
    name = "compute_uv" if "compute_uv" in d.signature.attrs else "compute_v"
    n, batch = d.integer(1, 4), _batch(d)
    if "Svd" in d.op_type:
        return [d.array(d.dtype(), (*batch, n, d.integer(1, 4)), corners=False)], {name: False}
    return [_regular(d, batch, n, positive=True)], {name: False}


def _table(recipe: Recipe, ops: str) -> dict[str, Recipe]:
    return dict.fromkeys(ops.split(), recipe)


def fourier(d: Drawer) -> Parts:
    """Transforms over the last axes; those of real numbers are told the lengths, which pad or cut."""
    rank = int(d.op_type[-2]) if d.op_type.endswith("D") else 1
    shape = (*d.shape(0, 2, 3), *[d.integer(1, 5) for _ in range(rank)])
    dtype = d.types.get("Tcomplex", "complex64")
    if "RFFT" not in d.op_type:
        return [d.array(dtype, shape, corners=False)], {}
    real = "float64" if dtype == "complex128" else "float32"
    d.types["Treal"] = real
    given = dtype if d.op_type.startswith("I") else real
    lengths = [d.integer(1, 6) for _ in range(rank)]
    return [d.array(given, shape, corners=False), np.array(lengths, np.int32)], {}


def isotonic(d: Drawer) -> Parts:
    return [d.array(d.dtype(), (d.integer(1, 3), d.integer(1, 6)), corners=False)], {}


RECIPES: dict[str, Recipe] = {
    **_table(fourier, "FFT FFT2D FFT3D IFFT IFFT2D IFFT3D IRFFT IRFFT2D IRFFT3D RFFT RFFT2D RFFT3D"),
    "IsotonicRegression": isotonic,
    **_table(matmul, "MatMul BatchMatMul BatchMatMulV2 BatchMatMulV3 SparseMatMul"),
    **_table(einsum, "Einsum"),
    "Cross": cross,
    **_table(diag, "Diag DiagPart"),
    **_table(band, "MatrixBandPart BatchMatrixBandPart"),
    **_table(
        matrix_diag,
        "MatrixDiag MatrixDiagPart MatrixSetDiag BatchMatrixDiag BatchMatrixDiagPart BatchMatrixSetDiag",
    ),
    **_table(
        matrix_diags,
        "MatrixDiagV2 MatrixDiagV3 MatrixDiagPartV2 MatrixDiagPartV3 MatrixSetDiagV2 MatrixSetDiagV3",
    ),
    **_table(square(positive=True), "Cholesky BatchCholesky MatrixSquareRoot MatrixExponential MatrixLogarithm"),
    **_table(
        square(positive=False),
        "MatrixDeterminant MatrixInverse BatchMatrixDeterminant BatchMatrixInverse LogMatrixDeterminant Lu",
    ),
    **_table(solve, "MatrixSolve MatrixTriangularSolve BatchMatrixSolve BatchMatrixTriangularSolve"),
    **_table(least_squares, "MatrixSolveLs BatchMatrixSolveLs"),
    "BandedTriangularSolve": banded,
    **_table(cholesky_grad, "CholeskyGrad BatchCholeskyGrad"),
    **_table(tridiagonal, "TridiagonalMatMul TridiagonalSolve"),
    **_table(values_only, "Svd SelfAdjointEigV2 BatchSvd BatchSelfAdjointEigV2"),
}
