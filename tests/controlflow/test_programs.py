"""Graphs of TensorFlow programs with branches and loops, of nodes alone and with functions: the gradients TensorFlow adds
when it builds the program (or, with functions, when it finds it in a file), node for node and number for number.
"""

from __future__ import annotations

from typing import Any

import pytest

from graphgrad.differentiate import differentiate, gradients
from graphgrad.freeze import freeze
from graphgrad.graph import Graph
from graphgrad.paths import path
from graphgrad.runtime.plan import evaluate
from graphgrad.schema.saved_model_pb2 import MetaGraphDef, WhileContextDef
from graphgrad.shapes import dims
from graphgrad.tensors import IndexedSlices, Tensor
from tests import program_store
from tests.closeness import why_not_close
from tests.program_store import Program
from tests.structure import difference, normal_form

PROGRAMS = {
    f"{store}:{name}": program
    for store in ("flow_programs", "function_programs")
    for name, program in program_store.read(store).items()
}


def differentiated(program: Program) -> tuple[Graph, list[list[Tensor | IndexedSlices | None]]]:
    graph = program.graph()
    ys: list[str] | list[Tensor | IndexedSlices] = program.ys
    found = []
    for _ in program.gradients:
        found.append(gradients(ys, program.xs, graph=graph))
        ys = [dx for dx in found[-1] if dx is not None]
    return graph, found


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


@pytest.mark.parametrize("name", PROGRAMS)
def test_static_shapes_hold(name: str) -> None:
    program = PROGRAMS[name]
    graph, found = differentiated(program)
    for i, order in enumerate(found):
        for j, dx in enumerate(order):
            if dx is not None:
                assert dims.compatible(program.values[f"{i}/{j}"].shape, dx.shape)
    assert dims.compatible(program.values["y"].shape, graph.tensor(program.ys[0]).shape)


def test_a_plan_runs_again_and_again() -> None:
    program = PROGRAMS["flow_programs:lstm-static"]
    from graphgrad import compile as compile_graph

    plan = compile_graph(program.graph(), program.ys, program.feeds, program.variables)
    for _ in range(4):
        assert why_not_close(program.values["y"], plan.run(program.feeds)[0]) == ""


def _with_context(program: Program, **options: Any) -> Graph:
    """The graph of a program with one loop, with what a MetaGraphDef tells of that."""
    graph, context = program.graph(), WhileContextDef(context_name="while/while_context", **options)
    graph.meta = MetaGraphDef()
    graph.meta.collection_def["while_context"].bytes_list.value.append(context.SerializeToString())
    return graph


def test_loops_that_swap_memory_record_what_may_leave_it() -> None:
    """Which only the context in a MetaGraphDef tells."""
    program = PROGRAMS["flow_programs:loop-static"]
    graph = _with_context(program, swap_memory=True, back_prop=True)
    gradients(program.ys, program.xs, graph=graph)
    pushes = [op for op in graph.added() if op.type == "StackPushV2"]
    assert pushes and all(op["swap_memory"] for op in pushes)


def test_loops_that_were_made_without_back_prop_have_no_gradient() -> None:
    program = PROGRAMS["flow_programs:loop-static"]
    graph = _with_context(program, back_prop=False)
    [y], [x, *_] = program.ys, program.xs
    found = differentiate(program.ys, program.xs, graph=graph)
    assert found.gradients == [None] * len(program.xs)
    assert found.reasons[0].node.startswith("while/Exit")  # type: ignore[union-attr]
    assert found.reasons[0].text.endswith(  # type: ignore[union-attr]
        "leaves loop 'while/while_context', which was made with back_prop=False"
    )
    (exits,) = path(graph, x, y).obstacles
    assert exits.obstacle == "loop 'while/while_context' was made with back_prop=False"
    # TensorFlow makes the loops that count all the same.
    assert [op.type for op in graph.added()].count("LoopCond") == 1
    assert not any(op.type.startswith("Stack") for op in graph.added())
    assert path(program.graph(), x, y).obstacles == []


def test_loop_variables_have_the_shapes_that_a_meta_graph_tells() -> None:
    """TensorFlow's `shape_invariants` may know less than what enters and comes round."""
    program = PROGRAMS["flow_programs:loop-static"]
    told = program.graph().message
    [name] = [op.name for op in program.graph() if op.type == "Merge" and op.inputs[0].dtype.is_floating]
    for node in told.node:
        if node.name == name:
            shapes = node.attr["_output_shapes"].list.shape
            shapes.add().dim.add(size=-1)
            shapes.add()
    merge = Graph(told).operation(name)
    assert [t.shape for t in merge.outputs] == [(None,), ()]
    assert [t.shape for t in program.graph().operation(name).outputs] == [(3,), ()]


def test_frozen_meta_graphs_keep_what_is_told_of_loops() -> None:
    program = PROGRAMS["flow_programs:loop-static"]
    for pivot, are_differentiated in (("while/LoopCond:0", False), ("gone:0", True)):
        graph = _with_context(program, back_prop=False, pivot_name=pivot)
        frozen = freeze(graph, {}, outputs=program.ys)
        found = gradients(program.ys, program.xs, graph=frozen)
        assert all((dx is not None) is are_differentiated for dx in found)
