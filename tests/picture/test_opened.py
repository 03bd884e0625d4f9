"""Calls in a picture: the nodes of the functions they run, and the way that tensors take through them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import graphgrad
from graphgrad import dtypes, picture
from graphgrad.graph import Graph
from tests.commands import run
from tests.loops import function, looped
from tests.picture.test_picture import by_name, rectangles

MODEL = Path(__file__).parents[2] / "samples" / "08_saved_model" / "model"
CALL = "StatefulPartitionedCall"
INNER = f"{CALL}/{CALL}"


def sources(document: dict[str, Any], name: str) -> list[str]:
    return [document["nodes"][i][0] for i in by_name(document)[name][4]]


def test_calls_inside_of_calls_are_opened() -> None:
    document = picture.document(graphgrad.load(MODEL))
    nodes = by_name(document)
    assert len(nodes) == len(document["nodes"]) and document["closed"] == {}
    hidden = f"{INNER}/{CALL}"
    assert sources(document, f"{INNER}/MatMul") == [hidden, f"{INNER}/MatMul/ReadVariableOp"]
    assert [document["texts"][t] for t in nodes[f"{hidden}/Tanh"][6]] == ["float32[?,4]"]
    # What a call is handed comes to the arguments, and the results to the call.
    assert sources(document, f"{CALL}/features") == ["serving_default_features"]
    assert sources(document, CALL) == [f"{CALL}/Identity"]
    assert document["nodes"][nodes[CALL][11][0]][0] == "serving_default_features"
    order = [node[0] for node in document["nodes"]]
    for i, node in enumerate(document["nodes"]):
        assert all(source < i for source in node[4]), order[i]


def test_branches_and_loops_are_opened() -> None:
    graph, outputs = looped(7, [None], lambda g, i, x: [g.Sin(x)])
    document = picture.document(graph)
    loop = outputs[1].op.name
    assert {f"{loop}/cond/Less", f"{loop}/body/Sin"} <= set(by_name(document))
    assert f"{loop}/body/Sin" in sources(document, loop)


def calling(times: int, scope: bool = False) -> Graph:
    """A graph that calls one function of three nodes so many times, beside other nodes in its name scope, if asked for."""
    graph = Graph()
    g = graph.build
    x = g.Placeholder(dtype=dtypes.float32, shape=(), name="x")
    f = function(graph, "f", [dtypes.float32], lambda g, a: [g.Sin(g.Mul(a, a))])
    for i in range(times):
        (x,) = g.op("PartitionedCall", [x], f=f, Tout=[dtypes.float32], name=f"call_{i}").outputs
    if scope:
        g.Neg(x, name="call_0/Sin")
    return graph


def test_names_stay_apart() -> None:
    nodes = by_name(picture.document(calling(2, scope=True)))
    assert {"call_0/Sin", "call_0@f/Sin", "call_1/Sin"} <= set(nodes)


def test_calls_stay_closed_where_there_are_many_nodes() -> None:
    document = picture.document(calling(4), most=9)
    assert set(document["closed"]) == {"call_1", "call_2", "call_3"}
    assert "there are 9 nodes already" in document["closed"]["call_3"]
    # Of what the other picture does not show nobody knows that it was added or removed.
    for pair in ((calling(4), calling(2)), (calling(2), calling(4))):
        merged = by_name(picture.document(*pair, most=7))
        assert {node[3] for name, node in merged.items() if name.startswith("call_0/")} == {"same"}


def test_a_function_that_calls_itself_is_refused(tmp_path: Path) -> None:
    graph = calling(1)
    graph.functions["f"].node_def.add(name="again", op="f", input=["a0"])
    graphgrad.save(graph, tmp_path / "a.pb")
    result = run("view", tmp_path / "a.pb", "-o", tmp_path / "a.html")
    assert result.exit_code == 3 and "calls itself: f -> f" in result.stderr


def test_what_gradients_add_to_functions_is_marked() -> None:
    before, after = graphgrad.load(MODEL), graphgrad.load(MODEL)
    graphgrad.gradients(CALL, "serving_default_features", graph=after)
    nodes = by_name(picture.document(after, before))
    call = next(name for name, node in nodes.items() if name.startswith("gradients/") and node[11])
    inside = [node for name, node in nodes.items() if name.startswith(f"{call}/")]
    assert inside and all(node[2] == 1 and node[3] == "added" for node in inside)
    forward = {node[3] for name, node in nodes.items() if name.startswith(f"{CALL}/") and not node[2]}
    assert forward <= {"same", "added", "changed"} and "same" in forward
    assert nodes[f"{CALL}/unknown"][3] == "same", "of an argument only more is known"


def test_all_kinds_of_picture_show_them(tmp_path: Path) -> None:
    for suffix in ("svg", "dot", "html"):
        assert run("view", MODEL, "-o", tmp_path / f"a.{suffix}").exit_code == 0
    assert f"{CALL}/features" in rectangles((tmp_path / "a.svg").read_text())
    assert "Tanh" in (tmp_path / "a.dot").read_text()
