"""The programs of `test_programs`, built by TensorFlow with branches and loops that call functions."""

from __future__ import annotations

import pytest

from graphgrad.runtime.plan import evaluate
from tests import program_store
from tests.closeness import why_not_close
from tests.controlflow.test_programs import differentiated
from tests.structure import difference, normal_form

PROGRAMS = program_store.read("function_programs")


@pytest.mark.parametrize("name", PROGRAMS)
def test_nodes_are_tensorflows(name: str) -> None:
    program = PROGRAMS[name]
    graph, found = differentiated(program)
    assert difference(program.nodes, normal_form(op.node_def() for op in graph.added())) == ""
    names = [["" if dx is None else dx.name for dx in order] for order in found]
    assert names == program.gradients


@pytest.mark.parametrize("name", PROGRAMS)
def test_numbers_are_tensorflows(name: str) -> None:
    program = PROGRAMS[name]
    graph, found = differentiated(program)
    fetches = {"y": graph.tensor(program.ys[0])}
    for i, order in enumerate(found):
        fetches.update({f"{i}/{j}": graph.build.dense(dx) for j, dx in enumerate(order) if dx is not None})
    values = evaluate(graph, list(fetches.values()), program.feeds, program.variables)
    for key, value in zip(fetches, values, strict=True):
        assert why_not_close(program.values[key], value) == "", key
