"""`graphgrad inspect --path`: where a gradient stops inside of loops and branches, and where all ways end."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import graphgrad
from graphgrad import dtypes, paths
from tests.commands import run
from tests.loops import function, looped

FLOAT = dtypes.float32
SAMPLES = Path(__file__).parents[2] / "samples"


def obstacles(way: paths.Path) -> dict[str, str | None]:
    assert way.stages and not way.ends
    return {stage.node: stage.obstacle for stage in way.obstacles}


def body(g: Any, i: Any, a: Any, b: Any, c: Any, d: Any) -> list[Any]:
    """b takes a's as an integer, c takes b's stopped, d is its own."""
    integer = g.Cast(g.Cast(a, DstT=dtypes.int32, name="to_int"), DstT=FLOAT)
    return [g.Neg(a), g.AddV2(b, integer), g.AddV2(c, g.StopGradient(b, name="stop")), g.Neg(d)]


def loop_of_four() -> tuple[graphgrad.Graph, list[graphgrad.Tensor]]:
    """a begins as x, b as y, c as z, d as w."""
    names = iter("yzw")
    named = [lambda g: g.Placeholder(dtype=FLOAT, shape=None, name=next(names))] * 3
    return looped(3, [None, *named], body)


def test_inside_the_body_of_a_loop() -> None:
    graph, (_, a, b, c, _) = loop_of_four()
    assert obstacles(paths.path(graph, "x", a.name)) == {}
    only = "and only floating and complex tensors have gradients"
    assert obstacles(paths.path(graph, "x", b.name)) == {
        "StatelessWhile": f"inside body, at to_int: to_int:0 is int32, {only}"
    }
    assert obstacles(paths.path(graph, "y", c.name)) == {
        "StatelessWhile": "inside body, at stop: StopGradient has no gradient on purpose"
    }
    assert obstacles(paths.path(graph, "z", c.name)) == {}


def test_over_several_rounds_the_first_obstacle_is_told() -> None:
    """x is an integer in the first round and stopped in the second."""
    graph, (_, _, _, c, _) = loop_of_four()
    (obstacle,) = obstacles(paths.path(graph, "x", c.name)).values()
    assert obstacle is not None and obstacle.startswith("inside body, at to_int: ")


def test_variables_of_a_loop_that_are_not_reached() -> None:
    graph, (_, a, _, _, d) = loop_of_four()
    way = paths.path(graph, "x", d.name)
    assert (way.stages, way.obstacles) == ([], [])
    (end,) = way.ends
    assert (end.node, end.tensor) == ("StatelessWhile", d.name)
    assert end.obstacle == "loop variable 1 reaches 1, 2, 3, never 4"
    (end,) = paths.path(graph, "w", a.name).ends
    assert end.obstacle == "loop variable 4 reaches 4, never 1"


def test_what_only_decides_how_long_a_loop_goes_on() -> None:
    graph = graphgrad.Graph()
    g = graph.build
    x, limit = (g.Placeholder(dtype=FLOAT, shape=None, name=name) for name in ("x", "limit"))
    functions = {
        "cond": function(graph, "cond", [FLOAT] * 2, lambda g, x, limit: [g.Less(x, limit)]),
        "body": function(graph, "body", [FLOAT] * 2, lambda g, x, limit: [g.Exp(x), limit]),
    }
    out, _ = g.op("While", [x, limit], **functions).outputs
    (end,) = paths.path(graph, "limit", out.name).ends
    assert end.obstacle == "loop variable 1 reaches 1, never 0; it decides how many iterations there are"


def test_a_variable_that_every_iteration_makes_anew() -> None:
    graph, (_, a) = looped(3, [None], lambda g, i, a: [g.Cast(i, DstT=FLOAT)])
    (obstacle,) = obstacles(paths.path(graph, "x", a.name)).values()
    assert obstacle == "body makes it anew in each iteration, so that only a loop of none hands x:0 on"


def test_a_loop_inside_of_a_call() -> None:
    graph, _ = looped(3, [None], lambda g, i, a: [g.StopGradient(a, name="stop")])
    (loop,) = [op for op in graph if op.type == "StatelessWhile"]
    functions = {role: loop[role] for role in ("cond", "body")}

    def outer(g: Any, x: Any) -> list[Any]:
        return [g.op("StatelessWhile", [g.constant(0), x], name="loop", **functions).outputs[1]]

    f = function(graph, "outer", [FLOAT], outer)
    (y,) = graph.build.op("PartitionedCall", [graph.tensor("x")], f=f, Tout=[FLOAT], name="call").outputs
    assert obstacles(paths.path(graph, "x", y.name)) == {
        "call": "inside outer, at loop: inside body, at stop: StopGradient has no gradient on purpose"
    }


def branched(op_type: str, **branches: Any) -> graphgrad.Graph:
    graph = graphgrad.Graph()
    g = graph.build
    x, y, p = (g.Placeholder(dtype=FLOAT, shape=(), name=name) for name in "xyp")
    made = {role: function(graph, role, [FLOAT, FLOAT], make) for role, make in branches.items()}
    if op_type == "Case":
        condition, functions = g.Cast(p, DstT=dtypes.int32), {"branches": list(made.values())}
    else:
        condition, functions = p, made
    g.op(op_type, condition, [x, y], Tout=[FLOAT], name="choice", **functions)
    return graph


def stopped(g: Any, x: Any, y: Any) -> list[Any]:
    return [g.AddV2(g.StopGradient(x, name="stop"), y)]


def rounded(g: Any, x: Any, y: Any) -> list[Any]:
    return [g.Round(x, name="rounded")]


BRANCHES = [
    ("If", {"then_branch": stopped, "else_branch": rounded}, "then_branch"),
    ("StatelessIf", {"then_branch": rounded, "else_branch": stopped}, "then_branch"),
    ("Case", {"first": stopped, "second": rounded}, "first"),
]


@pytest.mark.parametrize(("op_type", "branches", "first"), BRANCHES)
def test_inside_of_branches(op_type: str, branches: Any, first: str) -> None:
    graph = branched(op_type, **branches)
    node, op = ("stop", "StopGradient") if branches[first] is stopped else ("rounded", "Round")
    assert obstacles(paths.path(graph, "x", "choice")) == {
        "choice": f"inside {first}, at {node}: {op} has no gradient on purpose"
    }
    assert obstacles(paths.path(graph, "y", "choice")) == {}, "one branch lets it through"


def test_what_chooses_a_branch() -> None:
    graph = branched("If", then_branch=stopped, else_branch=rounded)
    assert obstacles(paths.path(graph, "p", "choice")) == {
        "choice": "p:0 decides which branch runs, and that has no gradient"
    }


def test_what_no_branch_hands_on() -> None:
    graph = branched("If", then_branch=rounded, else_branch=rounded)
    way = paths.path(graph, "y", "choice")
    (end,) = way.ends
    assert (end.node, end.obstacle) == ("choice", "choice:0 does not follow from y:0 in what it runs")
    assert way.reason == "not connected: the last node reached from y is 'choice', from choice 'y'"


def test_variables_of_an_older_loop_that_are_not_reached() -> None:
    graph = graphgrad.load(SAMPLES / "11_dynamic_rnn" / "model.meta")
    exits = [op for op in graph if op.type == "Exit"]
    counter = next(op for op in exits if op.outputs[0].dtype is dtypes.int32)
    way = paths.path(graph, "rnn/basic_rnn_cell/bias", counter.name)
    assert not way.stages
    (end,) = way.ends
    assert (end.node, end.op) == (counter.name, "Exit")
    assert end.obstacle is not None and end.obstacle.startswith("what enters the loop at rnn/")
    assert end.obstacle.endswith(" never reaches this variable")


def test_the_command_tells_where_ways_end(tmp_path: Path) -> None:
    graph, (_, a, _, _, d) = loop_of_four()
    graphgrad.save(graph, tmp_path / "loop.pb")
    shown = run("inspect", tmp_path / "loop.pb", "--path", "x", d.name).stdout.splitlines()
    assert shown[:2] == [f"{d.name} does not depend on x:0", ""]
    assert shown[-1].split("   ")[2].strip() == "ends: loop variable 1 reaches 1, 2, 3, never 4"
    shown = run("inspect", tmp_path / "loop.pb", "--path", a.name, "x").stdout
    assert (
        shown
        == f"x:0 does not depend on {a.name}: the last node reached from StatelessWhile:1 is 'StatelessWhile', from x 'x'\n"
    )
    document = json.loads(run("inspect", tmp_path / "loop.pb", "--path", "x", d.name, "--json").stdout)["path"]
    assert document["connected"] is False
    assert document["ends"][0]["obstacle"] == "loop variable 1 reaches 1, 2, 3, never 4"
