"""Every None has its reason: which kind, at which node, in words, from Python and in the document of the command."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from graphgrad_cli.main import cli

import graphgrad
from graphgrad import dtypes
from graphgrad.graph import Graph

Built = tuple[str, str, dict[str, Any]]  # ys, xs, options


def _not_connected(g: Any, x: Any) -> Built:
    g.Neg(g.Exp(x, name="up"), name="foo")
    g.Sum(g.Sqrt(g.Placeholder(dtype=dtypes.float32, shape=(2,), name="bar"), name="root"), [0], name="loss")
    return "loss", "x", {}


def _not_used(g: Any, x: Any) -> Built:
    g.Identity(g.constant(1.0, name="one"), name="loss")
    return "loss", "x", {}


def _another_output(g: Any, x: Any) -> Built:
    first, _ = g.Split(0, x, num_split=2, name="halves")
    g.Sum(first, [0], name="loss")
    return "loss", "halves:1", {}


def _behind_ys(g: Any, x: Any) -> Built:
    g.Exp(g.Sum(x, [0], name="loss"), name="later")
    return "loss", "later", {}


def _integer_x(g: Any, x: Any) -> Built:
    indices = g.Placeholder(dtype=dtypes.int32, shape=(2,), name="indices")
    g.Sum(g.GatherV2(x, indices, 0), [0], name="loss")
    return "loss", "indices", {}


def _integer_between(g: Any, x: Any) -> Built:
    steps = g.Cast(g.Mul(x, x, name="square"), DstT=dtypes.int32, name="steps")
    g.Sum(g.Cast(steps, DstT=dtypes.float32, name="back"), [0], name="loss")
    return "loss", "x", {}


def _bool_between(g: Any, x: Any) -> Built:
    g.Sum(g.Cast(g.Less(x, 0.5, name="small"), DstT=dtypes.float32), [0], name="loss")
    return "loss", "x", {}


def _integer_y(g: Any, x: Any) -> Built:
    g.Cast(x, DstT=dtypes.int32, name="loss")
    return "loss", "x", {}


def _stopped(g: Any, x: Any) -> Built:
    g.Sum(g.Sqrt(g.Exp(x, name="here")), [0], name="loss")
    return "loss", "x", {"stop_gradients": ["here"]}


def _stopped_by_node(g: Any, x: Any) -> Built:
    g.Sum(g.Sqrt(g.StopGradient(g.Exp(x), name="wall")), [0], name="loss")
    return "loss", "x", {}


def _no_gradient_on_purpose(g: Any, x: Any) -> Built:
    g.Sum(g.ZerosLike(g.Exp(x), name="nothing"), [0], name="loss")
    return "loss", "x", {}


def _no_gradient_to_this_input(g: Any, x: Any) -> Built:
    draws = g.RandomGamma([2], g.Exp(x), name="draws")
    g.Sum(g.TruncateDiv(draws, g.constant(2.0), name="cut"), [0], name="loss")
    return "loss", "x", {}


BREAKS: dict[Callable[..., Built], tuple[str, str, str]] = {
    _not_connected: ("not-connected", "foo", "the last node reached from x is 'foo', from loss 'bar'"),
    _not_used: ("not-connected", "x", "the last node reached from x is 'x', from loss 'loss'"),
    _another_output: ("not-connected", "halves", "the last node reached from halves:1 is 'halves', from loss 'x'"),
    _behind_ys: ("not-connected", "later", "the last node reached from later is 'later', from loss 'x'"),
    _integer_x: ("integer", "indices", "'indices:0' is int32, and only floating and complex tensors have gradients"),
    _integer_between: ("integer", "steps", "the path from 'x:0' passes 'steps:0', which is int32"),
    _bool_between: ("integer", "small", "the path from 'x:0' passes 'small:0', which is bool"),
    _integer_y: ("integer", "loss", "the path from 'x:0' ends in 'loss:0', which is int32"),
    _stopped: ("stopped", "here", "'here' is among stop_gradients"),
    _stopped_by_node: ("stopped", "wall", "StopGradient node 'wall' lies between 'x:0' and ys"),
    _no_gradient_on_purpose: ("not-differentiable", "nothing", "ZerosLike node 'nothing' has no gradient on purpose"),
}


def built(make: Callable[..., Built]) -> tuple[Graph, Built]:
    graph = Graph()
    graph.message.versions.producer = 1882
    g = graph.build
    return graph, make(g, g.Placeholder(dtype=dtypes.float32, shape=(2,), name="x"))


@pytest.mark.parametrize("make", BREAKS, ids=lambda make: make.__name__.strip("_"))
def test_reasons(make: Callable[..., Built], tmp_path: Path) -> None:
    why, node, text = BREAKS[make]
    graph, (ys, xs, options) = built(make)
    graphgrad.save(graph, tmp_path / "m.pb")
    found = graphgrad.differentiate(ys, xs, graph=graph, **options)
    assert found.gradients == [None]
    (reason,) = found.reasons
    assert reason is not None
    words = why.replace("-", " ")
    assert (reason.why, reason.node, reason.text) == (why, node, f"{words}: {text}")

    stops = ["--stop-gradients", ",".join(options["stop_gradients"])] if options else []
    command = ["add-gradients", tmp_path / "m.pb", "--ys", ys, "--xs", xs, "-o", tmp_path / "o.pb", *stops]
    result = CliRunner().invoke(cli, [*map(str, command), "--json"])
    (entry,) = json.loads(result.stdout)["gradients"]
    name = xs if ":" in xs else f"{xs}:0"
    assert entry == {"x": name, "kind": "none", **reason.as_json()}
    assert (entry["reason"], entry["why"], entry["node"]) == (reason.text, why, node)
    assert ("ys_node" in entry) == (why == "not-connected")
    said = CliRunner().invoke(cli, [*map(str, command)]).stderr
    assert f"none: {reason.text}\n" in said and f"\n{name} " in said


def test_zeros_in_place_of_none_keep_the_reason() -> None:
    graph, (ys, xs, _) = built(_not_used)
    found = graphgrad.differentiate(ys, xs, unconnected_gradients="zero", graph=graph)
    assert found.gradients[0] is not None
    assert found.reasons[0].why == "not-connected"


def test_each_x_has_its_own_reason() -> None:
    graph = Graph()
    g = graph.build
    x, w = (g.Placeholder(dtype=dtypes.float32, shape=(2,), name=n) for n in ("x", "w"))
    k = g.Placeholder(dtype=dtypes.int32, shape=(), name="k")
    g.Sum(g.Mul(x, g.StopGradient(w, name="wall")), g.ExpandDims(k, 0), name="loss")
    found = graphgrad.differentiate("loss", ["x", "w", "k"], graph=graph)
    assert found.gradients[0] is not None and found.reasons[0] is None
    assert [(r.why, r.node) for r in found.reasons[1:]] == [("stopped", "wall"), ("integer", "k")]


def test_a_variable_that_stands_in_another_s_place_is_offered() -> None:
    """Keras writes every variable of a model several times; ys depend on one of them."""
    graph = Graph()
    g = graph.build
    shapes = {"kernel": (3,), "kernel_1": (3,), "kernel_2": (4,), "bias_1": (3,)}
    read = {
        name: g.ReadVariableOp(g.VarHandleOp(dtype=dtypes.float32, shape=shape, name=name), dtype=dtypes.float32)
        for name, shape in shapes.items()
    }
    g.AddN([read["kernel_1"], g.Sum(read["kernel_2"], [0]), read["bias_1"]], name="loss")
    (entry,) = graphgrad.differentiate(["loss"], ["kernel:0"], graph=graph).as_json()
    assert entry["reason"].endswith(" (did you mean 'kernel_1'?)")
    (entry,) = graphgrad.differentiate([read["bias_1"].name], ["kernel:0"], graph=graph).as_json()
    assert "did you mean" not in entry["reason"]
