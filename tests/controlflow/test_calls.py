"""Function calls: TensorFlow's numbers, recursion, what cannot be called."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from graphgrad.differentiate import gradients
from graphgrad.errors import ModelError
from graphgrad.formats import models
from graphgrad.graph import Graph
from graphgrad.runtime.plan import evaluate
from graphgrad.schema import graph_pb2
from tests import program_store
from tests.closeness import why_not_close
from tests.controlflow.test_programs import differentiated

PROGRAMS = program_store.read("call_programs")


@pytest.mark.parametrize("name", PROGRAMS)
def test_numbers_are_tensorflows(name: str) -> None:
    program = PROGRAMS[name]
    graph, found = differentiated(program)
    fetches = {"y": graph.tensor(program.ys[0])}
    for i, order in enumerate(found):
        fetches.update({f"{i}/{j}": graph.build.dense(dx) for j, dx in enumerate(order) if dx is not None})
    assert fetches.keys() == program.values.keys()
    values = evaluate(graph, list(fetches.values()), program.feeds, program.variables)
    for key, value in zip(fetches, values, strict=True):
        assert why_not_close(program.values[key], value) == "", key


def test_what_is_written_is_the_same_graph(tmp_path) -> None:  # type: ignore[no-untyped-def]
    program = PROGRAMS["loop_of_calls-static"]
    path = tmp_path / "m.pb"
    path.write_bytes(program.graph_def)
    graph = models.load(path)
    [a, b] = gradients(program.ys, program.xs, graph=graph)
    models.save(graph, path)
    again = models.load(path)
    for key, dx in (("0/0", a), ("0/1", b)):
        value = evaluate(again, dx.name, program.feeds, program.variables)
        assert why_not_close(program.values[key], value) == ""


def _calling(name: str, bodies: dict[str, str]) -> Graph:
    """A graph whose node 'y' calls a function; each function calls another by its name."""
    message = graph_pb2.GraphDef()
    message.node.add(name="x", op="Placeholder").attr["dtype"].type = 1
    node = message.node.add(name="y", op="PartitionedCall", input=["x"])
    node.attr["f"].func.name = name
    node.attr["Tin"].list.type.append(1)
    node.attr["Tout"].list.type.append(1)
    for function, called in bodies.items():
        definition = message.library.function.add()
        definition.signature.name = function
        definition.signature.input_arg.add(name="a", type=1)
        definition.signature.output_arg.add(name="b", type=1)
        definition.node_def.add(name="inner", op=called, input=["a"])
        definition.ret["b"] = f"inner:{'y' if called == 'Sin' else 'b'}:0"
        if called == "Sin":
            definition.node_def[0].attr["T"].type = 1
    return Graph(message)


def test_calls_by_name_are_differentiated() -> None:
    graph = _calling("f", {"f": "g", "g": "Sin"})
    [dx] = gradients("y:0", "x:0", graph=graph)
    value = evaluate(graph, dx, {"x:0": np.float32(0.5)})
    assert value == pytest.approx(np.cos(0.5))


@pytest.mark.parametrize("work", ["gradients", "eval"])
def test_recursion_names_the_cycle(work: str) -> None:
    graph = _calling("f", {"f": "g", "g": "f"})
    with pytest.raises(ModelError, match=r"f -> g -> f|g -> f -> g"):
        if work == "gradients":
            gradients("y:0", "x:0", graph=graph)
        else:
            evaluate(graph, "y:0", {"x:0": np.float32(0.5)})


def test_a_missing_function_is_named() -> None:
    graph = _calling("nowhere", {})
    with pytest.raises(ModelError, match="'y' calls function 'nowhere', which is not in the library"):
        gradients("y:0", "x:0", graph=graph)


def test_a_symbolic_gradient_runs_and_is_differentiated() -> None:
    graph = _calling("f", {"f": "Sin"})
    seed = graph.build.constant(2.0, graph.tensor("x:0").dtype)
    f = graph_pb2.NameAttrList(name="f")
    dx = graph.build.SymbolicGradient([graph.tensor("x:0"), seed], f=f, Tout=[seed.dtype])[0]
    [ddx] = gradients(dx, "x:0", graph=graph)
    first, second = evaluate(graph, [dx, ddx], {"x:0": np.float32(0.5)})
    assert first == pytest.approx(2 * np.cos(0.5)) and second == pytest.approx(-2 * np.sin(0.5))


def test_calls_may_be_nested_deeper_than_pythons_stack() -> None:
    depth = 150
    graph = _calling("f0", {f"f{i}": f"f{i + 1}" if i < depth else "Sin" for i in range(depth + 1)})
    [dx] = gradients("y:0", "x:0", graph=graph)
    y, slope = evaluate(graph, ["y:0", dx], {"x:0": np.float32(0.5)})
    assert y == pytest.approx(np.sin(0.5)) and slope == pytest.approx(np.cos(0.5))


@pytest.mark.parametrize("work", ["gradients", "eval"])
@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda f: f.signature.input_arg.add(name="more", type=1), "hands 1 value, and function 'f' takes 2"),
        (lambda f: f.signature.output_arg.pop(), "wants 1 result, and function 'f' gives 0"),
        (
            lambda f: setattr(f.signature.input_arg[0], "type", 2),
            "hands float32 as value 0, and function 'f' takes float64",
        ),
    ],
)
def test_what_a_call_and_its_function_do_not_agree_on_is_told(work: str, change: Any, said: str) -> None:
    message = _calling("f", {"f": "Sin"}).message
    change(message.library.function[0])
    graph = Graph(message)
    with pytest.raises(ModelError, match=f"PartitionedCall node 'y' {said}"):
        if work == "gradients":
            gradients("y:0", "x:0", graph=graph)
        else:
            evaluate(graph, "y:0", {"x:0": np.float32(0.5)})
