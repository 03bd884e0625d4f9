"""What no golden row can hold: gradients of systems whose shapes TensorFlow cannot do without."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from graphgrad.differentiate import gradients
from graphgrad.errors import ArgumentError
from graphgrad.runtime.plan import evaluate
from tests.cases import Case, case, const, f64, regular
from tests.cases.decompositions import qr, svd


def first_and_second(row: Case, level: str) -> list[Any]:
    built = row.build(level)
    first = gradients(built.ys, built.xs)
    return evaluate(built.graph, [*first, *gradients(first[:1], built.xs, name="second")], built.feeds)


@pytest.mark.parametrize("level", ["ranks", "nothing"])
@pytest.mark.parametrize("shape", [(4, 3), (3, 4), (3, 3), (2, 3, 4)])
def test_least_squares_that_only_a_run_can_tell_the_kind_of(shape: tuple[int, ...], level: str) -> None:
    row = case("MatrixSolveLs", regular(*shape, dtype="float64"), f64(*shape[:-1], 2), const(0.5, "float64"))
    for found, expected in zip(first_and_second(row, level), first_and_second(row, "static"), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    ("row", "level", "message"),
    [
        (case("Svd", regular(3, 3), graph=svd), "ranks", r"static number of rows and columns .* shape \[\?,\?\]"),
        (case("Svd", regular(3, 3), graph=svd), "nothing", "static number of rows and columns .* shape unknown"),
        (case("Svd", regular(5, 3), graph=svd, full_matrices=True), "static", "5 x 3 leave more than one column"),
        (case("Qr", regular(3, 3), graph=qr), "ranks", "static number of rows and columns"),
        (case("Qr", regular(4, 3), graph=qr, full_matrices=True), "static", "of 4 columns of Q .* determine 3"),
        (
            case("MatrixSolveLs", regular(4, 3), regular(4, 2), const(0.0, "float64"), fast=False),
            "static",
            "fast=False",
        ),
    ],
)
def test_what_tensorflow_refuses_is_refused_with_its_node(row: Case, level: str, message: str) -> None:
    built = row.build(level)
    with pytest.raises(ArgumentError, match=message):
        gradients(built.ys, built.xs)
