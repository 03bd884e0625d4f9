"""Functions with attributes of their own: what they compute, their gradients, what a call must bind, how they are shown."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphgrad
from graphgrad import Graph
from graphgrad.errors import ModelError
from graphgrad.runtime.plan import evaluate
from graphgrad.schema import graph_pb2
from tests import attributed
from tests.attributed import FED, FLOAT, FLOATS, PROGRAMS, SQUARED, Program, attr, call, function, named, node
from tests.commands import run

X = FED["x"]


def numeric(program: Program) -> Any:
    """The derivative of the sum of what the program computes."""
    x, step = np.float64(X), 1e-6
    around = [(np.sum(program.value(x + d)) - np.sum(program.value(x - d))) / (2 * step) for d in step * np.eye(3)]
    return np.array(around)


@pytest.mark.parametrize("name", PROGRAMS)
def test_values_and_gradients(name: str, tmp_path: Path) -> None:
    program = PROGRAMS[name]
    graph = Graph(program.graph_def())
    assert evaluate(graph, "y:0", FED) == pytest.approx(program.value(np.float64(X)), rel=1e-5)
    [dx] = graphgrad.gradients("y:0", "x:0", graph=graph)
    assert evaluate(graph, dx, FED) == pytest.approx(numeric(program), rel=1e-3)
    graphgrad.save(graph, tmp_path / "m.pb")
    again = graphgrad.load(tmp_path / "m.pb")
    assert evaluate(again, dx.name, FED).tolist() == evaluate(graph, dx, FED).tolist()  # type: ignore[union-attr]


def test_gradients_are_named_after_the_function() -> None:
    graph = Graph(PROGRAMS["two instances"].graph_def())
    graphgrad.gradients("y:0", "x:0", graph=graph)
    made = [f.signature.name for f in graph.added_functions()]
    assert made == ["Scaled_rewritten", "Scaled_rewritten_1", "Scaled_grad", "Scaled_grad_1"]


@pytest.mark.parametrize("work", ["eval", "shape", "gradients"])
@pytest.mark.parametrize(
    ("library", "y", "why"),
    [
        (
            SQUARED,
            call("PartitionedCall", "Squared"),
            "PartitionedCall node 'y' calls function 'Squared' without a value for its attribute 'T' (type), "
            "which has no default",
        ),
        (
            SQUARED,
            node("y", "Squared", "x"),
            "Squared node 'y' calls function 'Squared' without a value for its attribute 'T' (type), which has no default",
        ),
        (
            SQUARED,
            call("PartitionedCall", "Squared", attr("T", "i: 3")),
            "PartitionedCall node 'y' calls function 'Squared', whose attribute 'T' must be type, and holds int",
        ),
        (
            attributed.UNTOLD,
            call("PartitionedCall", "Untold", attr("U", "i: 3")),
            "PartitionedCall node 'y' calls function 'Untold' without a value for its attribute 'T', which has no default",
        ),
        (
            attributed.UNTOLD,
            call("PartitionedCall", "Untold"),
            "function 'Untold': attribute 'T' of node 'm' (Mul) stands for attribute 'T' of a function around it, which no "
            "call gives",
        ),
        (
            SQUARED,
            call("PartitionedCall", "Squared", attr("T", "type: DT_DOUBLE")),
            "PartitionedCall node 'y' hands float32 as value 0, and function 'Squared[T=float64]' takes float64",
        ),
        (
            attributed.SUMMED,
            node("y", "Summed", "x x", FLOAT, attr("N", "i: 3")),
            "Summed node 'y' hands 2 values, and function 'Summed[N=3, T=float32]' takes 3",
        ),
        (
            attributed.TWICE,
            node(
                "y",
                "Twice",
                "x",
                FLOAT,
                attr("Ts", FLOATS),
                attr("f", named("Twice", FLOAT, attr("Ts", FLOATS), attr("f", named("Twice")))),
            ),
            "calls a function that calls itself: Twice -> Twice",
        ),
    ],
)
def test_what_a_call_must_bind(library: str, y: str, why: str, work: str) -> None:
    with pytest.raises(ModelError) as raised:
        graph = Graph(Program(library, y, np.sin).graph_def())
        graph.validate()
        if work == "eval":
            evaluate(graph, "y:0", FED)
        elif work == "shape":
            _ = graph.tensor("y:0").shape
        else:
            graphgrad.gradients("y:0", "x:0", graph=graph)
    assert why in str(raised.value)


def test_the_gradient_that_a_library_names_has_the_same_attributes() -> None:
    library = SQUARED + attributed.SQUARED_GRADIENT + attributed.GRADIENT_OF_SQUARED
    graph = Graph(Program(library, call("PartitionedCall", "Squared", FLOAT), np.square).graph_def())
    [dx] = graphgrad.gradients("y:0", "x:0", graph=graph)
    assert evaluate(graph, dx, FED) == pytest.approx(X - 1)
    assert dx.op["f"].name == "SquaredGradient" and dx.op["f"].attr["T"].type == 1  # type: ignore[union-attr]
    graph = Graph(Program(library, attributed.symbolic(FLOAT), np.zeros_like).graph_def())
    assert evaluate(graph, "y:0", FED).tolist() == [0, 0, 0]


def test_a_frozen_graph_keeps_the_gradients_that_its_library_names() -> None:
    library = SQUARED + attributed.SQUARED_GRADIENT + attributed.GRADIENT_OF_SQUARED + attributed.SINE
    graph = Graph(Program(library, call("PartitionedCall", "Squared", FLOAT), np.square).graph_def())
    frozen = graphgrad.freeze(graph, {}, outputs=["y"])
    assert list(frozen.functions) == ["Squared", "SquaredGradient"]
    [dx] = graphgrad.gradients("y:0", "x:0", graph=frozen)
    assert evaluate(frozen, dx, {"x": X}) == pytest.approx(X - 1)


def test_a_reference_to_all_tensors_of_an_output() -> None:
    pair = attr("T", "list { type: DT_FLOAT type: DT_FLOAT }")
    nodes = [node("i", "IdentityN", "a a", pair), node("m", "AddN", "i:output", FLOAT, attr("N", "i: 2"))]
    library = function("Double", 'name: "a" type: DT_FLOAT', 'name: "z" type: DT_FLOAT', "", nodes, {"z": "m:sum"})
    graph = Graph(Program(library, node("y", "Double", "x"), np.sin).graph_def())
    assert evaluate(graph, "y:0", FED) == pytest.approx(2 * X)


READER = function(
    "Reader",
    'name: "h" type: DT_RESOURCE ; name: "a" type_attr: "T"',
    'name: "z" type_attr: "T"',
    'name: "T" type: "type"',
    [node("r", "ReadVariableOp", "h", attr("dtype", 'placeholder: "T"')), node("m", "Mul", "r:value a", attributed.T)],
    {"z": "m:z"},
)
_HANDLE = node("v", "VarHandleOp", "", attr("dtype", "type: DT_FLOAT"), attr("shape", "shape { dim { size: 3 } }"))
_KINDS = attr("Tin", "list { type: DT_RESOURCE type: DT_FLOAT }"), attr("Tout", FLOATS)


@pytest.mark.parametrize(
    "y",
    [
        node("y", "Reader", "v x", FLOAT),
        node("y", "PartitionedCall", "v x", attr("f", named("Reader", FLOAT)), *_KINDS),
    ],
)
def test_variables_that_are_handed_to_an_instance(y: str) -> None:
    graph = Graph(Program(READER, f"{y} node {_HANDLE}", np.sin).graph_def())
    variables = {"v": np.float32([2, 3, 4])}
    [dv] = graphgrad.gradients("y:0", "v:0", graph=graph)
    y_value, slope = evaluate(graph, ["y:0", dv], FED, variables)
    assert y_value == pytest.approx(variables["v"] * X) and slope == pytest.approx(X)
    before = Graph(Program(READER, f"{y} node {_HANDLE}", np.sin).graph_def())
    frozen = graphgrad.freeze(before, variables, outputs=["y"])
    assert evaluate(frozen, "y:0", {"x": X}) == pytest.approx(variables["v"] * X)
    assert list(frozen.functions) == ["Reader_frozen"]


def test_a_copy_of_a_call_by_name_keeps_what_it_binds() -> None:
    y = node("y", "Squared", "x", FLOAT, attr("_XlaMustCompile", "b: true"))
    graph = Graph(Program(SQUARED, y, np.square).graph_def())
    copy = graph.build.copy_of(graph.operation("y"), [graph.tensor("x:0")], [])
    assert copy.node_def().attr["T"].type == 1 and copy.node_def().attr["_XlaMustCompile"].b
    assert evaluate(graph, copy.outputs[0], FED) == pytest.approx(X * X)


@pytest.fixture
def nested(tmp_path: Path) -> Path:
    path = tmp_path / "nested.pb"
    path.write_bytes(PROGRAMS["nested"].graph_def().SerializeToString())
    return path


def test_functions_are_shown_as_they_stand_and_as_they_are_called(nested: Path) -> None:
    shown = run("show", nested, "--function", "Nested").stdout
    assert shown.splitlines()[0] == "Nested[U](a) -> n"
    assert "-> Squared[T=$U]  <- a" in shown and "n  Sine  ?<unknown rank>  <- m" in shown
    shown = run("show", nested, "--function", "Nested[U=float32]", "--attrs").stdout
    assert "-> Squared[T=float32]  <- a" in shown and "T = float32" in shown
    twice = nested.with_name("twice.pb")
    twice.write_bytes(PROGRAMS["function as attribute"].graph_def().SerializeToString())
    shown = run("show", twice, "--function", "Twice[T=float32, Ts=[float32], f=Sine[T=float32]],Twice").stdout
    assert "-> Sine[T=float32]  <- a" in shown and "-> $f  <- a" in shown


def test_what_holds_functions_with_attributes_is_inspected(nested: Path) -> None:
    document = json.loads(run("inspect", nested, "--json").stdout)
    assert [(f["name"], f["attributes"]) for f in document["functions"]] == [
        ("Squared", ["T"]),
        ("Sine", ["T"]),
        ("Nested", ["U"]),
    ]
    assert document["ops_in_functions"] == {"Mul": 1, "PartitionedCall": 1, "Sin": 1, "Sine": 1}
    assert "Nested[U]" in run("inspect", nested).stdout
    assert json.loads(run("coverage", nested, "--json").stdout)["complete"]


def test_bodies_with_attributes_are_compared(nested: Path) -> None:
    other = nested.with_name("other.pb")
    graph = graph_pb2.GraphDef.FromString(nested.read_bytes())
    graph.library.function[1].node_def[0].op = "Cos"
    graph.library.function[2].node_def[0].attr["f"].func.attr["T"].placeholder = "V"
    other.write_bytes(graph.SerializeToString())
    shown = run("diff", nested, other).stdout
    assert "~ m  op: Sin -> Cos" in shown and "~ m  f: Squared[T=$U] -> Squared[T=$V]" in shown


def test_gradients_of_instances_are_checked_in_double_precision(nested: Path) -> None:
    result = run("check", nested, "--ys", "y", "--xs", "x", "--json")
    assert result.exit_code == 0 and json.loads(result.stdout)["agree"]
