"""Branches and loops of frames inside of functions: TensorFlow's gradients of the same programs written without functions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from graphgrad.differentiate import gradients
from graphgrad.errors import DtypeError, EvaluationError
from graphgrad.graph import Graph
from graphgrad.runtime.plan import evaluate
from graphgrad.tensors import IndexedSlices, Tensor
from tests import framed, program_store
from tests.closeness import why_not_close
from tests.program_store import Program


def _is_of_arguments(program: Program) -> bool:
    """Whether all xs can be handed to a function: references to variables cannot."""
    graph = program.graph()
    return all(graph.tensor(x).op.type in framed.GIVEN for x in program.xs) and all(
        op.type != "VariableV2" for op in graph
    )


PROGRAMS = {name: program for name, program in program_store.read("flow_programs").items() if _is_of_arguments(program)}
BRANCHES = [n for n, p in PROGRAMS.items() if not any(op.type in ("LoopCond", "TensorArrayV3") for op in p.graph())]
ARRAYS = ["array_gathered", "array_split_and_joined"]
LOOPS = [
    "loop",
    "loop_in_loop",
    "loop_that_swaps",
    "loop_with_resource_variable",
    "loop_over_rows",
    "scan",
    "map_of_rows",
]


def _called(program: Program, by: str) -> tuple[Graph, list[Tensor], list[Tensor]]:
    graph, ys = framed.called(program.graph(), program.ys, by)
    return graph, ys, [graph.tensor(x) for x in program.xs]


@pytest.mark.parametrize("by", ["call", "if", "calls"])
@pytest.mark.parametrize("name", PROGRAMS)
def test_numbers_are_those_without_a_function(name: str, by: str) -> None:
    program = PROGRAMS[name]
    graph, ys, xs = _called(program, by)
    fetches: dict[str, Any] = {"y": ys[0]}
    sources: list[Tensor | IndexedSlices] = list(ys)
    for i, _ in enumerate(program.gradients):
        found = gradients(sources, xs, graph=graph)
        sources = [dx for dx in found if dx is not None]
        fetches.update({f"{i}/{j}": graph.build.dense(dx) for j, dx in enumerate(found) if dx is not None})
    values = dict(zip(fetches, evaluate(graph, list(fetches.values()), program.feeds, program.variables), strict=True))
    for key, value in values.items():
        assert why_not_close(program.values.get(key, np.zeros_like(value)), value) == "", key
    assert program.values.keys() <= values.keys()


@pytest.mark.parametrize("name", BRANCHES)
def test_branches_are_differentiated_twice(name: str) -> None:
    program = PROGRAMS[name]
    _agree(_twice(program, *_itself(program)), _twice(program, *_called(program, "call")))


@pytest.mark.parametrize("name", [f"{loop}-static" for loop in LOOPS])
def test_loops_are_differentiated_twice(name: str) -> None:
    """As the same loop as a While is."""
    program, other = PROGRAMS[name], program_store.read("function_programs")[name]
    _agree(_twice(other, *_itself(other)), _twice(program, *_called(program, "call")))


@pytest.mark.parametrize("name", [f"{array}-static" for array in ARRAYS])
def test_arrays_are_differentiated_twice(name: str) -> None:
    """As the same arrays as lists are."""
    program, other = PROGRAMS[name], program_store.read("function_programs")[name]
    _agree(_twice(other, *_of_sine(*_itself(other))), _twice(program, *_of_sine(*_called(program, "call"))))


def test_an_element_that_is_gathered_twice_has_a_second_derivative() -> None:
    """TensorFlow's gradient of the same list forgets one of the two."""
    program = PROGRAMS["array_scattered-static"]
    [second] = _twice(program, *_of_sine(*_called(program, "call"))).values()
    np.testing.assert_allclose(second, -np.array([[2], [1], [0]]) * np.sin(program.feeds["a:0"]), rtol=1e-6)


def test_outside_of_functions_arrays_have_no_second_derivatives() -> None:
    """TensorFlow writes them, and refuses to run them."""
    program = PROGRAMS["array_gathered-static"]
    with pytest.raises(EvaluationError, match="second derivatives through it do not run, as in TensorFlow"):
        _twice(program, *_of_sine(*_itself(program)))


def _itself(program: Program) -> tuple[Graph, list[Tensor], list[Tensor]]:
    graph = program.graph()
    return graph, [graph.tensor(y) for y in program.ys], [graph.tensor(x) for x in program.xs]


def _of_sine(graph: Graph, ys: list[Tensor], xs: list[Tensor]) -> tuple[Graph, list[Tensor], list[Tensor]]:
    return graph, [graph.build.Sin(y) for y in ys], xs


def test_loops_with_branches_are_not_differentiated_twice() -> None:
    program = PROGRAMS["cond_in_loop-static"]
    with pytest.raises(DtypeError, match="second-order gradients of while loops are not supported: Exit node"):
        _twice(program, *_called(program, "call"))


def _agree(expected: dict[str, Any], found: dict[str, Any]) -> None:
    for key, value in found.items():
        assert why_not_close(expected.get(key, np.zeros_like(value)), value) == "", key
    assert expected.keys() <= found.keys()


def _twice(program: Program, graph: Graph, ys: list[Tensor], xs: list[Tensor]) -> dict[str, Any]:
    first = [dx for dx in gradients(ys, xs, graph=graph) if dx is not None]
    second = gradients([graph.build.dense(dx) for dx in first], xs, graph=graph) if first else []
    found = {x.name: graph.build.dense(dx) for x, dx in zip(xs, second, strict=False) if dx is not None}
    return dict(zip(found, evaluate(graph, list(found.values()), program.feeds, program.variables), strict=True))
