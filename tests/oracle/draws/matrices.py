"""Inverses, determinants, systems of equations and decompositions of matrices that are far from singular.

What is known but for signs is drawn with Abs behind it. Without float16: TensorFlow's CPU kernels mostly lack it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from graphgrad import dtypes
from graphgrad.graph import Tensor
from tests.oracle.draws import COMPLEX, FLOATS, Drawer, sketch

Batch = tuple[int, ...]


def wide(d: Drawer, op: str) -> str:
    return d.dtype(op, among=FLOATS + COMPLEX)


def precise(d: Drawer, op: str) -> str:
    """In single precision third derivatives of eigenvalues are noise."""
    return d.dtype(op, among=("float64", "complex128"))


def batch_of(d: Drawer) -> Batch:
    return d.pick((), (), (2,), (2, 1), (1, 3))  # type: ignore[no-any-return]


def other_batch(d: Drawer, batch: Batch) -> Batch:
    """One that broadcasts against `batch`, often the same."""
    return batch if d.chance(0.6) else d.narrowed(batch) if d.chance(0.5) else (2, *(1 for _ in batch))


def regular(d: Drawer, shape: tuple[int, ...], dtype: str) -> Tensor:
    """Matrices whose main diagonal is made larger."""
    value = d.values(shape, dtype, -1.0, 1.0) + 3 * np.eye(*shape[-2:])
    return d.tensor(shape, dtype, value=value)


def with_large(d: Drawer, shape: tuple[int, ...], dtype: str, row: int) -> Tensor:
    """Diagonals as rows, of which one is made larger."""
    value = d.values(shape, dtype, -1.0, 1.0)
    value[..., row, :] += 3
    return d.tensor(shape, dtype, value=value)


def absolute(d: Drawer, x: Tensor) -> Tensor:
    assert x.dtype is not None
    return d.g.ComplexAbs(x, Tout=x.dtype.real_dtype) if x.dtype.is_complex else d.g.Abs(x)


@sketch("MatrixInverse", "MatrixDeterminant", "LogMatrixDeterminant", "MatrixSquareRoot")
def of_one_matrix(d: Drawer, op: str) -> Any:
    size = d.integer(1, 4)
    attrs = {"adjoint": d.chance(0.5)} if op == "MatrixInverse" else {}
    return d.op(op, regular(d, (*batch_of(d), size, size), wide(d, op)), **attrs)


@sketch("MatrixSolve", "MatrixTriangularSolve")
def solve(d: Drawer, op: str) -> Any:
    batch, size, dtype = batch_of(d), d.integer(1, 4), wide(d, op)
    attrs, rhs_batch = {"adjoint": d.chance(0.5)}, batch
    if op == "MatrixTriangularSolve":
        attrs["lower"], rhs_batch = d.chance(0.5), other_batch(d, batch)
    matrix = regular(d, (*batch, size, size), dtype)
    return d.op(op, matrix, d.tensor((*rhs_batch, size, d.integer(1, 3)), dtype), **attrs)


@sketch("BandedTriangularSolve")
def banded(d: Drawer, op: str) -> Any:
    batch, size, dtype, lower = batch_of(d), d.integer(1, 5), wide(d, op), d.chance(0.5)
    bands = with_large(d, (*batch, d.integer(1, min(size, 3)), size), dtype, 0 if lower else -1)
    rhs = d.tensor((*other_batch(d, batch), size, d.integer(1, 3)), dtype)
    return d.op(op, bands, rhs, lower=lower, adjoint=d.chance(0.5))


@sketch("MatrixSolveLs")
def least_squares(d: Drawer, op: str) -> Any:
    batch, rows, dtype = batch_of(d), d.integer(1, 4), wide(d, op)
    matrix = regular(d, (*batch, rows, d.integer(1, 4)), dtype)
    regularizer = d.const(d.pick(0.0, 0.5), "float64")
    return d.op(op, matrix, d.tensor((*batch, rows, d.integer(1, 3)), dtype), regularizer, fast=d.chance(0.9))


@sketch("TridiagonalSolve")
def tridiagonal_solve(d: Drawer, op: str) -> Any:
    batch, size, dtype = batch_of(d), d.integer(1, 5), wide(d, op)
    diagonals = with_large(d, (*batch, 3, size), dtype, 1)
    return d.op(op, diagonals, d.tensor((*batch, size, d.integer(1, 3)), dtype), partial_pivoting=d.chance(0.5))


@sketch("TridiagonalMatMul")
def tridiagonal_product(d: Drawer, op: str) -> Any:
    batch, size, dtype = batch_of(d), d.integer(1, 5), wide(d, op)
    diagonals = [d.tensor((*batch, 1, size), dtype) for _ in range(3)]
    return d.op(op, *diagonals, d.tensor((*batch, size, d.integer(1, 3)), dtype))


# ------------------------------------------------------------------ decompositions
@sketch("Cholesky")
def cholesky(d: Drawer, op: str) -> Any:
    size = d.integer(1, 4)
    a = regular(d, (*batch_of(d), size, size), wide(d, op))
    return d.op(op, d.g.matmul(a, a, adjoint_b=True))


@sketch("SelfAdjointEigV2", "Eig")
def eigenvalues(d: Drawer, op: str) -> Any:
    size, with_vectors = d.integer(1, 4), d.chance(0.6)
    attrs: dict[str, Any] = {"compute_v": with_vectors}
    if op == "Eig":
        attrs["Tout"] = dtypes.complex128
    values, vectors = d.op(op, regular(d, (*batch_of(d), size, size), precise(d, op)), **attrs)
    return [values, absolute(d, vectors)] if with_vectors else [values]


@sketch("Svd")
def singular_values(d: Drawer, op: str) -> Any:
    shape = (*batch_of(d), d.integer(1, 4), d.integer(1, 4))
    with_vectors, full = d.chance(0.7), d.chance(0.3)
    s, u, v = d.op(op, regular(d, shape, precise(d, op)), compute_uv=with_vectors, full_matrices=full)
    if full and abs(shape[-1] - shape[-2]) > 1:
        d.numbers = False  # columns that nothing determines
    return [s, absolute(d, u), absolute(d, v)] if with_vectors else [s]


@sketch("Qr")
def orthogonal(d: Drawer, op: str) -> Any:
    shape, full = (*batch_of(d), d.integer(1, 4), d.integer(1, 4)), d.chance(0.3)
    if full and shape[-2] > shape[-1] + 1:
        d.numbers = False  # columns that nothing determines
    return [absolute(d, x) for x in d.op(op, regular(d, shape, precise(d, op)), full_matrices=full)]
