"""Random calls of every op with a kernel, beside TensorFlow: GRAPHGRAD_DRAWS of each (a few in the default run), from GRAPHGRAD_SEED."""

from __future__ import annotations

import os

import pytest
from hypothesis import Phase
from hypothesis.errors import Unsatisfiable

from graphgrad import registry
from graphgrad.families import FAMILY_OF
from tests.oracle.kernel_draws import recipes
from tests.oracle.kernel_draws.beside import tensorflow
from tests.oracle.kernel_draws.comparing import compare
from tests.oracle.kernel_draws.drawing import dtypes_drawn
from tests.oracle.kernel_draws.exceptions import FINITE_ALONE, IN_FLOAT64, LOOSENED, NOT_DRAWN, SPARED

DRAWS = int(os.environ.get("GRAPHGRAD_DRAWS", "8"))
SEED = int(os.environ.get("GRAPHGRAD_SEED", "0"))


@pytest.mark.parametrize("op_type", recipes())
def test_the_kernel_agrees_with_tensorflow(op_type: str, record_property: pytest.RecordProperty) -> None:
    record_property("seed", SEED)
    try:
        ran = compare(op_type, DRAWS, SEED)
    except AssertionError as error:
        raise AssertionError(f"GRAPHGRAD_SEED={SEED} GRAPHGRAD_DRAWS={DRAWS}: {error}") from None
    assert ran, f"TensorFlow has run no draw of {op_type}"


@pytest.mark.parametrize("op_type", recipes())
def test_the_kernel_agrees_for_every_dtype(op_type: str) -> None:
    """A few draws for each dtype that a type attribute may have where TensorFlow has a kernel for it."""
    for attr, dtype in dtypes_drawn(op_type, tensorflow().kernels().get(op_type, [])):
        try:
            compare(op_type, max(2, DRAWS // 4), SEED, (Phase.generate,), {attr: dtype})
        except Unsatisfiable:  # TensorFlow ran none: what is registered refuses this dtype
            continue
        except AssertionError as error:
            raise AssertionError(f"GRAPHGRAD_SEED={SEED} GRAPHGRAD_DRAWS={DRAWS}, {attr} {dtype}: {error}") from None


@pytest.mark.parametrize("op_type", [op for op in recipes() if op not in FINITE_ALONE])
def test_the_kernel_agrees_where_numbers_are_not_finite(op_type: str) -> None:
    try:
        compare(op_type, DRAWS, SEED, fixed={"T": "float64"} if op_type in IN_FLOAT64 else None, unbounded=1 / 12)
    except Unsatisfiable:  # TensorFlow ran none
        pass
    except AssertionError as error:
        raise AssertionError(f"GRAPHGRAD_SEED={SEED} GRAPHGRAD_DRAWS={DRAWS}: {error}") from None


def test_every_kernel_is_drawn_or_has_a_reason_not_to_be() -> None:
    with_kernel = {op for op in FAMILY_OF if registry.kernel_of(op) is not None}
    drawn = set(recipes())
    assert with_kernel - drawn == set(NOT_DRAWN), "kernels that tests/oracle/kernel_draws does not draw"
    assert drawn <= with_kernel, "drawn without a kernel"
    excepted = set(SPARED) | set(LOOSENED) | set(IN_FLOAT64) | set(FINITE_ALONE)
    assert excepted <= drawn, f"exceptions for what is not drawn: {sorted(excepted - drawn)}"
