"""Inverses, determinants and systems of equations."""

import numpy as np

from tests.cases import Input, c64, c128, case, const, f32, f64, regular


def banded(*shape, dtype="float32", lower=True):
    """Bands whose main diagonal dominates: the first row of a lower triangle, the last of an upper one."""
    value = np.random.default_rng(8).uniform(-1, 1, shape)
    value[..., 0 if lower else -1, :] += 3
    return Input(dtype, shape, value=value)


def tridiagonal(*shape, dtype="float32"):
    """The rows (above, main, below), the second of which dominates."""
    value = np.random.default_rng(9).uniform(-1, 1, shape)
    value[..., 1, :] += 3
    return Input(dtype, shape, value=value)


CASES = [
    case("MatrixInverse", regular(3, 3)),
    case("MatrixInverse", regular(2, 3, 3), adjoint=True),
    case("MatrixInverse", regular(2, 3, 3, dtype="complex64")),
    case("MatrixInverse", regular(3, 3, dtype="complex128"), adjoint=True),
    case("MatrixDeterminant", regular(3, 3)),
    case("MatrixDeterminant", regular(2, 3, 3, dtype="float64")),
    case("MatrixDeterminant", regular(2, 2, dtype="complex64")),
    case("LogMatrixDeterminant", regular(3, 3)),
    case("LogMatrixDeterminant", regular(2, 3, 3, dtype="float64")),
    case("LogMatrixDeterminant", regular(2, 2, dtype="complex128")),
    case("MatrixSolve", regular(3, 3), f32(3, 2)),
    case("MatrixSolve", regular(2, 3, 3), f32(2, 3, 1), adjoint=True),
    case("MatrixSolve", regular(3, 3, dtype="complex64"), c64(3, 2)),
    case("MatrixSolve", regular(3, 3, dtype="complex128"), c128(3, 2), adjoint=True),
    case("MatrixTriangularSolve", regular(3, 3), f32(3, 2)),
    case("MatrixTriangularSolve", regular(3, 3), f32(3, 2), lower=False, adjoint=True),
    case("MatrixTriangularSolve", regular(2, 3, 3), f32(2, 3, 2), lower=False),
    case("MatrixTriangularSolve", regular(2, 1, 3, 3, dtype="float64"), f64(4, 3, 2), adjoint=True),
    case("MatrixTriangularSolve", regular(3, 3, dtype="complex64"), c64(2, 3, 2), adjoint=True),
    case("BandedTriangularSolve", banded(2, 4), f32(4, 2)),
    case("BandedTriangularSolve", banded(3, 4, lower=False), f32(4, 2), lower=False),
    case("BandedTriangularSolve", banded(2, 2, 4), f32(2, 4, 1), adjoint=True),
    case("BandedTriangularSolve", banded(2, 4, lower=False), f32(3, 4, 1), lower=False, adjoint=True),
    case("BandedTriangularSolve", banded(2, 4, dtype="complex64"), c64(4, 2), adjoint=True),
    case("BandedTriangularSolve", banded(1, 4), f32(4, 2)),
    case("BandedTriangularSolve", banded(2, 1, 4, lower=False), f32(2, 4, 1), lower=False),
    case("MatrixSolveLs", regular(4, 3), f32(4, 2), const(0.5, "float64"), tolerance=10),
    case("MatrixSolveLs", regular(2, 2, 3), f32(2, 2, 1), const(0.0, "float64"), tolerance=10),
    case("MatrixSolveLs", regular(3, 3, dtype="float64"), f64(3, 2), const(0.1, "float64")),
    case("MatrixSolveLs", regular(4, 3, dtype="complex128"), c128(4, 2), const(0.5, "float64")),
    case("MatrixSolveLs", regular(3, 4, dtype="complex64"), c64(3, 1), const(0.5, "float64"), tolerance=10),
    case("TridiagonalSolve", tridiagonal(3, 4), f32(4, 2)),
    case("TridiagonalSolve", tridiagonal(2, 3, 4, dtype="float64"), f64(2, 4, 1), partial_pivoting=False),
    case("TridiagonalSolve", tridiagonal(3, 4, dtype="complex64"), c64(4, 2)),
    case("TridiagonalMatMul", f32(1, 4), f32(1, 4), f32(1, 4), f32(4, 2)),
    case("TridiagonalMatMul", f64(2, 1, 3), f64(2, 1, 3), f64(2, 1, 3), f64(2, 3, 1)),
    case("TridiagonalMatMul", c64(1, 4), c64(1, 4), c64(1, 4), c64(4, 2)),
]
