"""Static shapes of matrix ops whose inputs are known in part, as TensorFlow infers them."""

from __future__ import annotations

from typing import Any

import pytest

from graphgrad import dtypes
from graphgrad.graph import Graph


def inferred(op_type: str, *shapes: Any, **attributes: Any) -> list[Any]:
    g = Graph().build
    inputs = [g.Placeholder(dtype=dtypes.float64, shape=shape) for shape in shapes]
    return [t.shape for t in g.op(op_type, *inputs, **attributes).outputs]


@pytest.mark.parametrize(
    ("op_type", "inputs", "output"),
    [
        ("MatrixSolve", [None, (4, None)], (4, None)),
        ("MatrixSolve", [(1, 1), None], (1, None)),
        ("MatrixSolve", [None, (None, 1, 4, 3)], (None, 1, 4, 3)),
        ("MatrixSolve", [None, None], None),
        ("MatrixSolveLs", [None, (0, 2, 1), ()], (0, None, 1)),
        ("MatrixSolveLs", [(None, None, None), None, ()], (None, None, None)),
        ("MatrixTriangularSolve", [(2, 1, None, 3), (4, None, 2)], (2, 4, 3, 2)),
        ("MatrixTriangularSolve", [None, (4, 3, 2)], None),
        ("BandedTriangularSolve", [(2, 2, None), (None, 4, 1)], (2, 4, 1)),
        ("TridiagonalSolve", [None, (None, 2)], (None, 2)),
        ("TridiagonalSolve", [(2, 1, 3, 5), (2, None, 5, 3)], (2, None, 5, 3)),
        ("MatrixInverse", [(2, None, 3)], (2, 3, 3)),
        ("MatrixDeterminant", [(2, 3, None)], (2,)),
        ("MatrixDeterminant", [None], None),
    ],
)
def test_one_output(op_type: str, inputs: list[Any], output: Any) -> None:
    assert inferred(op_type, *inputs) == [output]


@pytest.mark.parametrize(
    ("op_type", "attributes", "matrix", "outputs"),
    [
        ("SelfAdjointEigV2", {}, (2, None, 3), [(2, 3), (2, 3, 3)]),
        ("SelfAdjointEigV2", {"compute_v": False}, None, [None, (0,)]),
        ("Svd", {}, (4, 3), [(3,), (4, 3), (3, 3)]),
        ("Svd", {"full_matrices": True}, (None, 3), [(None,), (None, None), (3, 3)]),
        ("Svd", {}, (0, None), [(0,), (0, 0), (None, 0)]),
        ("Svd", {"compute_uv": False}, (2, 3, 4), [(2, 3), (0,), (0,)]),
        ("Qr", {}, (3, 5), [(3, 3), (3, 5)]),
        ("Qr", {"full_matrices": True}, (5, 3), [(5, 5), (5, 3)]),
        ("Qr", {}, (None, 3), [(None, None), (None, 3)]),
        ("Lu", {}, (2, None, 3), [(2, 3, 3), (2, 3)]),
    ],
)
def test_several_outputs(op_type: str, attributes: dict[str, Any], matrix: Any, outputs: list[Any]) -> None:
    assert inferred(op_type, matrix, **attributes) == outputs
