"""Laws of the rules: the index is current, every gradient has a test row."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import graphgrad.families
from graphgrad import opdefs, registry
from tests import cases, program_store


def test_the_index_of_families_is_current() -> None:
    written = Path(graphgrad.families.__file__).read_text()
    # In a process of its own: rules register once, when their module is first imported.
    script = "from tests.laws.write_families import source; print(source(), end='')"
    current = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert written == current, "run python -m tests.laws.write_families"


def test_the_page_of_ops_is_current() -> None:
    script = "from tests.laws.write_ops import source; print(source(), end='')"
    current = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    written = Path(__file__).parents[2] / "docs" / "ops.md"
    assert written.read_text() == current, "run python -m tests.laws.write_ops"


def test_every_rule_is_of_an_op_that_exists() -> None:
    for op_type in graphgrad.families.FAMILY_OF:
        assert opdefs.signature(op_type) is not None, f"{op_type} has rules, and TensorFlow has no such op"


def test_every_gradient_has_a_row() -> None:
    rows = {"SymbolicGradient"}  # no row can hold a function: tests/controlflow/test_calls.py has it
    rows |= {row.op for family in cases.families() for row in cases.cases_of(family)}
    for archive in ("flow_programs", "function_programs", "call_programs"):
        for program in program_store.read(archive).values():
            rows.update(op.type for op in program.graph())
    with_rule = {
        op for op in graphgrad.families.FAMILY_OF if registry.gradient_rule(op) not in (None, registry.UNKNOWN)
    }
    assert with_rule - rows == set(), "gradient rules without a row in tests/cases"
