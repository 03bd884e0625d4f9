"""Random uses of every op, what TensorFlow and graphgrad make of them: the same nodes, static shapes and numbers.

GRAPHGRAD_DRAWS says how many of each op (hundreds where time allows), GRAPHGRAD_DRAWS_SEED draws others. A failure names
both; `python -m tests.oracle.draws '^Op$' --first N --count 1 --seed S` repeats it alone.
"""

from __future__ import annotations

import os

import pytest

from tests.oracle.draws import sketches
from tests.oracle.draws.check import check

COUNT = int(os.environ.get("GRAPHGRAD_DRAWS", "3"))
SEED = int(os.environ.get("GRAPHGRAD_DRAWS_SEED", "0"))


@pytest.mark.parametrize("op_type", sketches())
def test_draws(op_type: str) -> None:
    verdicts = [check(op_type, number, SEED) for number in range(COUNT)]
    problems = [str(verdict) for verdict in verdicts if verdict.problem]
    assert not problems, f"seed {SEED}\n" + "\n".join(problems[:5])
    compared = [verdict for verdict in verdicts if verdict.orders or verdict.numbers or verdict.notes]
    assert compared, f"{op_type}: nothing was compared"
