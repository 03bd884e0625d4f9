"""What TensorFlow's CPU kernels do with matrices that cannot be solved, decomposed or inverted."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from graphgrad import registry

NAN = np.full((2, 2), np.nan)
INFINITE = np.full((2, 2), np.inf)


def kernel(op_type: str, *arrays: Any, **attributes: Any) -> Any:
    found = registry.kernel_of(op_type)
    assert found is not None
    with np.errstate(all="ignore"):
        return found(*arrays, **attributes)


@pytest.mark.parametrize("matrix", [np.ones((2, 2)), np.zeros((2, 2)), NAN, np.stack([np.eye(2), NAN])])
def test_what_is_not_invertible_is_refused(matrix: Any) -> None:
    with pytest.raises(ValueError, match="not invertible"):
        kernel("MatrixInverse", matrix, adjoint=False)
    with pytest.raises(ValueError, match="not invertible"):
        kernel("MatrixSolve", matrix, np.ones_like(matrix), adjoint=True)


@pytest.mark.parametrize("main", [(1.0, 0.0), (0.0, 1.0), (np.nan, 1.0)])
def test_bands_with_a_main_diagonal_that_cannot_divide_are_refused(main: Any) -> None:
    with pytest.raises(ValueError, match="not invertible"):
        kernel("BandedTriangularSolve", np.array([main]), np.ones((2, 1)), lower=True, adjoint=False)


def test_nan_behind_the_first_of_a_main_diagonal_divides() -> None:
    solution = kernel("BandedTriangularSolve", np.array([[1.0, np.nan]]), np.ones((2, 1)), lower=True, adjoint=False)
    np.testing.assert_array_equal(solution, [[1.0], [np.nan]])


@pytest.mark.parametrize("matrix", [NAN, INFINITE])
def test_the_sign_of_a_determinant_that_is_no_number_is_none(matrix: Any) -> None:
    assert np.isnan(kernel("LogMatrixDeterminant", matrix.astype(np.float32))).all()


@pytest.mark.parametrize("matrix", [NAN, INFINITE, NAN.astype(complex)])
def test_the_root_of_what_is_not_finite_is_no_number(matrix: Any) -> None:
    assert np.isnan(kernel("MatrixSquareRoot", matrix)).all()
