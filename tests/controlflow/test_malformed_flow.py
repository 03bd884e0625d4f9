"""Loops and branches that do not hold together: one line that names the node or the frame, from gradients and from eval."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from graphgrad import Graph, dtypes, gradients
from graphgrad.errors import ModelError
from graphgrad.runtime.plan import evaluate
from graphgrad.schema import graph_pb2
from tests import program_store

ARCHIVES = {name: program_store.read(name) for name in ("flow_programs", "function_programs")}
Change = Callable[[graph_pb2.GraphDef], Any]


def node(graph: graph_pb2.GraphDef, name: str) -> graph_pb2.NodeDef:
    return next(n for n in graph.node if n.name == name)


def as_identity(graph: graph_pb2.GraphDef, name: str, dtype: Any) -> None:
    made = node(graph, name)
    made.op = "Identity"
    made.attr.clear()
    made.attr["T"].type = dtype.enum


def in_another_frame(graph: graph_pb2.GraphDef, name: str) -> None:
    node(graph, name).attr["frame_name"].s = b"other"


def function_like(graph: graph_pb2.GraphDef, part: str) -> graph_pb2.FunctionDef:
    return next(f for f in graph.library.function if part in f.signature.name)


def with_one_more_result(graph: graph_pb2.GraphDef) -> None:
    function = function_like(graph, "cond_true")
    function.signature.output_arg.add(name="more", type=1)
    function.ret["more"] = function.ret[function.signature.output_arg[0].name]


def without_a_result(graph: graph_pb2.GraphDef) -> None:
    del function_like(graph, "body").signature.output_arg[-1]


def without_results_but_the_first(graph: graph_pb2.GraphDef) -> None:
    del function_like(graph, "body").signature.output_arg[1:]


def with_a_result_that_nothing_gives(graph: graph_pb2.GraphDef) -> None:
    function = function_like(graph, "cond_true")
    del function.ret[function.signature.output_arg[0].name]


def with_a_result_that_is_not_there(graph: graph_pb2.GraphDef) -> None:
    function = function_like(graph, "cond_true")
    function.ret[function.signature.output_arg[0].name] = "gone:y:0"


LOOP = ("flow_programs", "loop-static")
BRANCH, WHILE = ("function_programs", "cond_both_sides-static"), ("function_programs", "loop-static")
FRAME = "'while/while_context'"
MALFORMED: dict[str, tuple[tuple[str, str], Change, str]] = {
    "no LoopCond": (
        LOOP,
        lambda g: as_identity(g, "while/LoopCond", dtypes.bool_),
        rf"the loop of frame {FRAME} (does not have one|has no) LoopCond node",
    ),
    "a variable of another frame": (
        LOOP,
        lambda g: in_another_frame(g, "while/Enter_1"),
        rf"node 'while/Switch_1' \(Switch\) has inputs from two frames, 'other' and {FRAME}",
    ),
    "an invariant of another frame": (
        LOOP,
        lambda g: in_another_frame(g, "while/mul/Enter"),
        rf"node 'while/mul' \(Mul\) has inputs from two frames, {FRAME} and 'other'",
    ),
    "no NextIteration": (
        LOOP,
        lambda g: as_identity(g, "while/NextIteration_1", dtypes.float32),
        "nodes form a cycle without NextIteration: while/Merge_1 -> while/Switch_1 -> ",
    ),
    "a condition that waits for the next iteration": (
        LOOP,
        lambda g: node(g, "while/Less").input.__setitem__(0, "while/NextIteration"),
        "nodes form a cycle that goes from NextIteration to no Merge: ",
    ),
    "a result that is not there": (
        BRANCH,
        with_a_result_that_is_not_there,
        "function 'cond_true_.*': no node 'gone' in the graph",
    ),
    "a result that nothing gives": (
        BRANCH,
        with_a_result_that_nothing_gives,
        "function 'cond_true_.*': nothing is said to give its result '.*'",
    ),
    "a branch with one result more": (
        BRANCH,
        with_one_more_result,
        "StatelessIf node 'cond' wants 1 result, and function 'cond_true_.*' gives 2",
    ),
    "a branch with a result of another dtype": (
        BRANCH,
        lambda g: setattr(function_like(g, "cond_true").signature.output_arg[0], "type", dtypes.float64.enum),
        "StatelessIf node 'cond' wants float32 as result 0, and function 'cond_true_.*' gives float64",
    ),
    "a body with one result less": (
        WHILE,
        without_a_result,
        "StatelessWhile node 'while' wants 5 results, and function 'while_body_.*' gives 4",
    ),
    "a body with one result": (
        WHILE,
        without_results_but_the_first,
        "StatelessWhile node 'while' wants 5 results, and function 'while_body_.*' gives 1",
    ),
}


@pytest.mark.parametrize("work", ["gradients", "eval"])
@pytest.mark.parametrize("name", MALFORMED)
def test_what_does_not_hold_together_is_told(name: str, work: str) -> None:
    (archive, program_name), change, said = MALFORMED[name]
    program = ARCHIVES[archive][program_name]
    message = graph_pb2.GraphDef.FromString(program.graph_def)
    change(message)
    with pytest.raises(ModelError, match=said) as raised:
        graph = Graph(message)
        graph.validate()
        if work == "gradients":
            gradients(program.ys, program.xs, graph=graph)
        else:
            evaluate(graph, program.ys[0], program.feeds, program.variables)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda g: node(g, "while/Exit_1").input.__setitem__(0, "while/NextIteration_1"),
            "Exit node 'while/Exit_1' does not leave a loop by a Switch of it",
        ),
        (
            lambda g: node(g, "while/NextIteration_2").input.__setitem__(0, "while/Merge_2"),
            "Merge node 'while/Merge_2' is read past the Switch of its loop",
        ),
    ],
)
def test_a_loop_that_goes_past_its_switch_has_no_gradient(change: Change, said: str) -> None:
    program = ARCHIVES["flow_programs"]["loop_with_all_exits_used-static"]
    message = graph_pb2.GraphDef.FromString(program.graph_def)
    change(message)
    with pytest.raises(ModelError, match=said):
        gradients(program.ys, program.xs, graph=Graph(message))


def test_a_condition_of_no_loop_has_no_gradient() -> None:
    g = Graph().build
    x = g.Placeholder(dtype=dtypes.float32, shape=(), name="x")
    y = g.Switch(x, g.LoopCond(g.Less(x, 1.0)))[0]
    with pytest.raises(ModelError, match="Switch node 'Switch' asks for another iteration, and stands in no loop"):
        gradients(y, x)
