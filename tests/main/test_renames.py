"""Name scopes that were renamed: their nodes are compared with those under the new name, and not added and removed."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphgrad
from graphgrad import dtypes, picture
from graphgrad.formats import arrays
from graphgrad.schema import graph_pb2
from tests.commands import run
from tests.loops import function

SAMPLES = Path(__file__).parents[2] / "samples"


def scope_of(g: Any, name: str) -> Any:
    return g.name_scope(name) if name else contextlib.nullcontext()


def layer(g: Any, x: Any, scope: str, units: int = 4, also: Any = None) -> Any:
    """A dense layer in a scope of its own; `also` does something more inside."""
    with g.name_scope(scope):
        value = arrays.to_proto(np.full((4, units), 2, np.float32))
        kernel = g.op("Const", value=value, dtype=dtypes.float32, name="kernel").outputs[0]
        y = g.MatMul(x, kernel, name="MatMul")
        return g.Relu(also(g, y) if also else y, name="Relu")


def chain(outer: str, *scopes: str, units: Sequence[int] = (), also: dict[str, Any] | None = None) -> Any:
    """Layers behind each other in one scope, and a loss outside of it with its gradients."""
    graph = graphgrad.Graph()
    g = graph.build
    h = x = g.Placeholder(dtype=dtypes.float32, shape=(3, 4), name="x")
    with scope_of(g, outer):
        for i, scope in enumerate(scopes):
            h = layer(g, h, scope, units[i] if units else 4, (also or {}).get(scope))
    loss = g.Sum(h, g.constant([0, 1]), name="loss")
    graphgrad.gradients([loss], [x], graph=graph)
    return graph


@pytest.fixture
def compare(tmp_path: Path) -> Callable[..., Any]:
    """The document of a difference, checked against what people are told."""

    def compared(a: Any, b: Any, *options: str) -> Any:
        for name, graph in (("a.pb", a), ("b.pb", b)):
            graphgrad.save(graph, tmp_path / name)
        paths = tmp_path / "a.pb", tmp_path / "b.pb"
        found = json.loads(run("diff", *paths, "--json", *options).stdout)
        told = run("diff", *paths, *options)
        assert told.exit_code == (0 if found["same"] else 1)
        for scope in [] if found["same"] else found["renamed_scopes"]:
            names = " -> ".join(scope[side] or "(top level)" for side in "ab")
            assert f"renamed scope {names} ({scope['nodes']} node" in told.stdout
        return found

    return compared


def scopes(found: Any) -> dict[str, str]:
    return {scope["a"]: scope["b"] for scope in found["renamed_scopes"]}


def test_a_renamed_scope_is_neither_added_nor_removed(compare: Callable[..., Any]) -> None:
    a, b = chain("model", "first", "second"), chain("model_1", "first", "second")
    found = compare(a, b)
    assert found["added"] == found["removed"] == found["changed"] == []
    assert found["renamed_scopes"] == [
        {"a": "gradients/model/", "b": "gradients/model_1/", "nodes": 6},
        {"a": "model/", "b": "model_1/", "nodes": 6},
    ]
    assert found["same"] is False
    assert compare(a, b, "--ignore", "scope-names")["same"]


def test_numbers_of_layers_that_moved_on(compare: Callable[..., Any]) -> None:
    a, b = chain("model", "dense", "dense_1", "dense_2"), chain("model_1", "dense_2", "dense_3", "dense_4")
    found = compare(a, b, "--ignore", "scope-names")
    assert found["same"], found
    assert scopes(found)["model/dense_2/"] == "model_1/dense_4/"


def test_what_is_new_in_a_renamed_scope_is_added(compare: Callable[..., Any]) -> None:
    a = chain("encoder", "first", "second", also={"first": lambda g, y: g.Neg(y, name="old")})
    b = chain("backbone", "first", "second", units=(4, 8), also={"second": lambda g, y: g.Exp(y, name="new")})
    found = compare(a, b)
    assert scopes(found) == {"encoder/": "backbone/", "gradients/encoder/": "gradients/backbone/"}
    assert [op["name"] for op in found["removed"]] == ["encoder/first/old", "gradients/encoder/first/old_grad/Neg"]
    assert [op["name"] for op in found["added"]] == ["backbone/second/new", "gradients/backbone/second/new_grad/mul"]
    changed = {change["name"]: change for change in found["changed"]}
    assert changed["encoder/second/kernel"]["name_in_b"] == "backbone/second/kernel"
    assert changed["encoder/second/kernel"]["fields"] == {"value": {"a": "float32 [4, 4]", "b": "float32 [4, 8]"}}
    inputs = {"a": "encoder/first/old", "b": "backbone/first/MatMul"}
    assert changed["encoder/first/Relu"]["fields"] == {"inputs": inputs}
    assert "encoder/second/MatMul" not in changed, "its inputs are what they were"


def test_an_inserted_layer(compare: Callable[..., Any]) -> None:
    """It is told by its neighbours which of many alike is the new one."""
    a = chain("model", "dense", *[f"dense_{i}" for i in range(1, 7)])
    new = {"dense_6": lambda g, y: g.Neg(y, name="new")}
    b = chain("model_1", *[f"dense_{i}" for i in range(3, 11)], also=new)
    found = compare(a, b)
    assert {op["name"].removeprefix("gradients/").split("/")[1] for op in found["added"]} == {"dense_6"}
    assert not found["removed"]
    assert scopes(found)["model/dense_2/"] == "model_1/dense_5/"
    assert scopes(found)["model/dense_3/"] == "model_1/dense_7/"
    assert {change["name"] for change in found["changed"]} >= {"model/dense_3/MatMul"}


def test_scopes_alike_are_told_by_what_they_read(compare: Callable[..., Any]) -> None:
    def branches(*names: str) -> Any:
        graph = graphgrad.Graph()
        g = graph.build
        for i, name in enumerate(names):
            layer(g, g.Placeholder(dtype=dtypes.float32, shape=(3, 4), name=f"x{i}"), name)
        return graph

    found = compare(branches("left", "right"), branches("up", "down"))
    assert scopes(found) == {"left/": "up/", "right/": "down/"}
    assert found["added"] == found["changed"] == []


def test_a_prefix_of_all(compare: Callable[..., Any], tmp_path: Path) -> None:
    a, b = graphgrad.Graph(), graphgrad.Graph()
    for graph, prefix in ((a, ""), (b, "import")):
        g = graph.build
        with scope_of(g, prefix):
            h = g.Placeholder(dtype=dtypes.float32, shape=(3, 4), name="x")
            for i in range(3):
                h = layer(g, h, f"dense_{i}")
    found = compare(a, b)
    assert found["renamed_scopes"] == [{"a": "", "b": "import/", "nodes": 10}]
    assert found["added"] == found["removed"] == found["changed"] == []
    assert scopes(compare(b, a)) == {"import/": ""}
    assert compare(a, b, "--ignore", "scope-names")["same"]


def test_a_scope_moved_into_another(compare: Callable[..., Any]) -> None:
    found = compare(chain("", "first", "second"), chain("encoder", "first", "second"))
    assert found["added"] == found["removed"] == found["changed"] == []
    assert scopes(found)["first/"] == "encoder/first/"
    assert sum(scope["nodes"] for scope in found["renamed_scopes"]) == 12


def test_what_is_wired_otherwise_is_another_scope(compare: Callable[..., Any]) -> None:
    """The names and ops inside are the same, and nothing else."""

    def ends(name: str, order: str) -> Any:
        graph = graphgrad.Graph()
        g = graph.build
        a, b, c = (g.Placeholder(dtype=dtypes.float32, shape=(4, 4), name=n) for n in "abc")
        with g.name_scope(name):
            for leaf, (x, y) in {"p": (a, b), "q": (b, c), "r": (c, a)}.items():
                g.Mul(*((x, y) if order == "forward" else (y, x)), name=leaf)
        return graph

    found = compare(ends("old", "forward"), ends("new", "backward"))
    assert found["renamed_scopes"] == [] and len(found["added"]) == len(found["removed"]) == 3
    assert scopes(compare(ends("old", "forward"), ends("new", "forward"))) == {"old/": "new/"}


def test_a_scope_inside_one_of_the_same_name(compare: Callable[..., Any]) -> None:
    """Told by the outermost name that differs, also where nothing else is left over."""

    def nested(*path: str) -> Any:
        graph = graphgrad.Graph()
        layer(graph.build, graph.build.Placeholder(dtype=dtypes.float32, shape=(3, 4), name="x"), "/".join(path))
        return graph

    renamed = compare(nested("tower", "old", "cell", "dense"), nested("tower", "new", "cell", "dense"))[
        "renamed_scopes"
    ]
    assert renamed == [{"a": "tower/old/", "b": "tower/new/", "nodes": 3}]
    renamed = compare(nested("dense"), nested("tower", "dense"))["renamed_scopes"]
    assert renamed == [{"a": "dense/", "b": "tower/dense/", "nodes": 3}]


def test_scopes_that_have_little_in_common(compare: Callable[..., Any]) -> None:
    def much(g: Any, y: Any) -> Any:
        for _ in range(4):
            y = g.Exp(g.Neg(y))
        return y

    found = compare(chain("", "old"), chain("", "new", also={"new": much}))
    assert [s for s in scopes(found) if not s.startswith("gradients")] == []


def test_attributes_that_name_nodes_of_the_scope(compare: Callable[..., Any]) -> None:
    def classed(outer: str, place: str) -> Any:
        graph = graphgrad.Graph()
        x = layer(graph.build, graph.build.Placeholder(dtype=dtypes.float32, shape=(3, 4), name="x"), outer)
        v = graph.build.VarHandleOp(dtype=dtypes.float32, shape=(), shared_name=f"{outer}/v", name=f"{outer}/v")
        v.op.annotate("_class", (f"loc:@{outer}/{place}",))
        x.op.annotate("_class", (f"loc:@{outer}/kernel",))
        return graph

    assert compare(classed("a", "v"), classed("b", "v"), "--ignore", "scope-names")["same"]
    (change,) = compare(classed("a", "v"), classed("b", "kernel"))["changed"]
    assert change["fields"] == {"_class": {"a": "[loc:@a/v]", "b": "[loc:@b/kernel]"}}


def test_functions_that_calls_in_a_renamed_scope_run(compare: Callable[..., Any]) -> None:
    def calling(outer: str, number: int) -> Any:
        graph = graphgrad.Graph()
        g = graph.build
        x = g.Placeholder(dtype=dtypes.float32, shape=(3, 4), name="x")

        def body(g: Any, a: Any) -> list[Any]:
            return [layer(g, layer(g, a, f"{outer}/rnn/cell"), f"{outer}/rnn/out")]

        f = function(graph, f"{outer}_rnn_while_body_{number}", [dtypes.float32], body)
        with scope_of(g, outer):
            g.op("PartitionedCall", [layer(g, x, "dense")], f=f, Tout=[dtypes.float32], name="rnn/while")
        return graph

    a, b = calling("encoder", 12), calling("backbone", 40)
    found = compare(a, b)
    (change,) = found["function_changes"]
    assert (change["name"], change["name_in_b"]) == ("encoder_rnn_while_body_12", "backbone_rnn_while_body_40")
    assert change["added"] == change["removed"] == change["changed"] == []
    assert change["renamed_scopes"] == [{"a": "encoder/", "b": "backbone/", "nodes": 6}]
    assert compare(a, b, "--ignore", "function-names,scope-names")["same"]


def test_the_picture_shows_renamed_nodes_once(tmp_path: Path) -> None:
    a = chain("encoder", "first", "second")
    b = chain("backbone", "first", "second", also={"second": lambda g, y: g.Exp(y, name="new")})
    nodes = {node[0]: node for node in picture.document(b, a)["nodes"]}
    assert not [name for name in nodes if "encoder" in name]
    assert nodes["backbone/first/MatMul"][3] == "renamed"
    assert nodes["backbone/first/MatMul"][10] == ["name: encoder/first/MatMul -> backbone/first/MatMul"]
    assert nodes["backbone/second/new"][3] == "added"
    assert nodes["backbone/second/Relu"][3] == "changed"
    assert len(nodes) == len(b)


def test_the_picture_of_a_call_in_a_renamed_scope() -> None:
    def calling(outer: str) -> Any:
        graph = graphgrad.Graph()
        g = graph.build
        x = g.Placeholder(dtype=dtypes.float32, shape=(3, 4), name="x")
        f = function(graph, "f", [dtypes.float32], lambda g, a: [layer(g, a, f"{outer}/cell")])
        g.op("PartitionedCall", [layer(g, x, f"{outer}/dense")], f=f, Tout=[dtypes.float32], name=f"{outer}/call")
        return graph

    nodes = picture.document(calling("b"), calling("a"))["nodes"]
    assert {node[0].split("/")[0] for node in nodes} == {"b", "x"}
    assert {node[3] for node in nodes} == {"same", "renamed"}


def test_the_picture_pairs_arguments_by_their_places(tmp_path: Path) -> None:
    """Keras names what a function captures by the scopes of its layers, without slashes."""

    def calling(name: str) -> Any:
        graph = graphgrad.Graph()
        g = graph.build
        x = g.Placeholder(dtype=dtypes.float32, shape=(3,), name="x")
        f = function(graph, "f", [dtypes.float32, dtypes.float32], lambda g, *a: [g.Sub(*a, name=f"{name}/out")])
        for node in graph.functions["f"].node_def:
            node.input[:] = [text.replace("a1", f"{name}_resource") for text in node.input]
        graph.functions["f"].signature.input_arg[1].name = f"{name}_resource"
        g.op("PartitionedCall", [x, g.Neg(x, name="y")], f=f, Tout=[dtypes.float32], name="call")
        graphgrad.save(graph, tmp_path / "g.pb")
        return graphgrad.load(tmp_path / "g.pb")

    nodes = {node[0]: node[3] for node in picture.document(calling("dense_1"), calling("dense"))["nodes"]}
    assert nodes["call/dense_1_resource"] == "renamed" and nodes["call/dense_1/out"] == "renamed"
    assert set(nodes.values()) == {"same", "renamed"} and len(nodes) == 6


def renamed(graph: Any, before: str, after: str) -> Any:
    """The graph with a scope, and the node of its name, called otherwise wherever something names them."""

    def other(name: str) -> str:
        return after + name[len(before) :] if name == before or name.startswith(before + "/") else name

    definition = graph_pb2.GraphDef()
    definition.CopyFrom(graph.message)
    for node in definition.node:
        node.name = other(node.name)
        for i, text in enumerate(node.input):
            name, colon, index = text.lstrip("^").partition(":")
            node.input[i] = "^" * (text[0] == "^") + other(name) + colon + index
        for attr in node.attr.values():
            for i, text in enumerate(attr.list.s):
                place, at, name = text.decode().rpartition("@")
                attr.list.s[i] = (place + at + other(name)).encode()
            if attr.HasField("s"):
                attr.s = other(attr.s.decode()).encode()
    return graphgrad.Graph(definition)


@pytest.mark.parametrize("model", ["04_convnet/graph.pb", "09_checkpoint/model.meta", "11_dynamic_rnn/model.meta"])
def test_scopes_of_the_samples_called_otherwise(model: str) -> None:
    graph = graphgrad.load(SAMPLES / model)
    found = {op.name.rsplit("/", k)[0] for op in graph for k in range(1, op.name.count("/") + 1)}
    for scope in sorted(found)[:: max(1, len(found) // 12)]:
        outer, _, last = scope.rpartition("/")
        for new in (f"{scope}_77", f"{outer}/other".lstrip("/"), f"wrapped/{scope}", f"{outer}/in/{last}".lstrip("/")):
            told = graphgrad.diff(graph, renamed(graph, scope, new), ["scope-names"])
            assert not told, (scope, new, told.as_json())
            assert told.renames.scopes
