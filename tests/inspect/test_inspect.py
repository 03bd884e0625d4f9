"""`graphgrad inspect` and `show`: what a graph holds, what is likely wanted of it, where a gradient stops, its nodes as text."""

from __future__ import annotations

import fnmatch
import json
from pathlib import Path

import graphgrad
from graphgrad import dtypes, listing, paths
from graphgrad.inspect import Suggestion, abbreviated, suggest
from graphgrad.schema import saved_model_pb2
from tests.commands import run

MLP = Path(__file__).parents[2] / "samples" / "01_mlp" / "graph.pb"


def test_what_a_graph_holds() -> None:
    found = graphgrad.inspect(graphgrad.load(MLP))
    assert (found.nodes, found.constants, found.parameters) == (14, 5, 8 * 16 + 16 + 16 * 4 + 4)
    assert [(i.name, i.shape) for i in found.inputs] == [("x", [None, 8]), ("labels", [None])]
    assert [o.name for o in found.outputs] == ["loss"]
    assert found.largest_constants[0].name == "W1"
    assert found.largest_constants[0].bytes == 512
    assert found.ops["MatMul"] == 2


def test_variables_functions_devices_and_loops() -> None:
    graph = graphgrad.Graph()
    g = graph.build
    v = g.VarHandleOp(dtype=dtypes.float64, shape=(3, 2), name="v")
    with g.on_device("/cpu:0"):
        value = g.ReadVariableOp(v, dtype=dtypes.float64)
    enter = g.Enter(value, frame_name="f")
    g.Exit(enter)
    found = graphgrad.inspect(graph)
    assert [(i.name, i.dtype, i.shape, i.bytes) for i in found.variables] == [("v", "float64", [3, 2], 48)]
    assert found.parameters == 6
    assert found.control_flow == {"loops (Enter, Exit)": 1}
    assert found.devices == {"/cpu:0": 1}


def test_parameters_are_those_of_the_signatures() -> None:
    """A Keras export holds every variable several times; the signature needs each once."""
    graph = graphgrad.Graph()
    g = graph.build
    for name in ("kernel", "kernel_1"):
        g.ReadVariableOp(g.VarHandleOp(dtype=dtypes.float32, shape=(3, 2), name=name), dtype=dtypes.float32)
    assert graphgrad.inspect(graph).parameters == 12
    y = g.Neg(graph.operation("ReadVariableOp_1").outputs[0], name="y")
    graph.meta = saved_model_pb2.MetaGraphDef()
    graph.meta.signature_def["serve"].outputs["y"].name = y.name
    assert graphgrad.inspect(graph).parameters == 6


def test_suggestions_can_be_differentiated() -> None:
    graph = graphgrad.load(MLP)
    found = suggest(graph)
    assert found.ys == ["loss"]
    assert found.xs == ["W1", "b1", "W2", "b2", "x"]
    assert None not in graphgrad.gradients(found.ys, found.xs, graph=graph)


def test_a_loss_is_preferred_to_other_outputs() -> None:
    graph = graphgrad.Graph()
    g = graph.build
    x = g.Placeholder(dtype=dtypes.float32, shape=(2,), name="x")
    g.Tanh(x, name="prediction")
    g.L2Loss(x, name="total_loss")
    g.Cast(x, DstT=dtypes.int32, name="classes")
    assert suggest(graph) == Suggestion(["total_loss"], ["x"])


def test_a_graph_with_nothing_to_differentiate() -> None:
    graph = graphgrad.Graph()
    graph.build.Neg(graph.build.Placeholder(dtype=dtypes.int32, shape=(2,), name="x"))
    assert (suggest(graph).ys, suggest(graph).xs) == ([], [])


def test_where_a_gradient_stops() -> None:
    graph = graphgrad.Graph()
    g = graph.build
    x = g.Placeholder(dtype=dtypes.float32, shape=(2,), name="x")
    y = g.Cast(g.Cast(x, DstT=dtypes.int32, name="int"), DstT=dtypes.float32)
    y = g.StopGradient(y, name="stop")
    g.Tanh(y, name="y")
    g.Lu(g.Reshape(x, [1, 2]), name="lu")
    obstacles = {s.node: s.obstacle for s in paths.path(graph, "x", "y").obstacles}
    assert list(obstacles) == ["int", "stop"]
    assert obstacles["int"] == "int:0 is int32, and only floating and complex tensors have gradients"
    assert obstacles["stop"] == "StopGradient has no gradient on purpose"
    assert paths.path(graph, "x", "lu").obstacles[0].obstacle == "no gradient is registered for Lu"
    assert paths.path(graph, "y", "x").stages == []
    g.Add(g.Exp(x), y, name="both")
    assert paths.path(graph, "x", "both").obstacles == []


def test_inspect_command() -> None:
    shown = run("inspect", MLP).stdout
    assert "14 nodes of 7 op types" in shown
    assert "graphgrad add-gradients" in run("inspect", MLP, "--suggest").stdout
    shown = run("inspect", MLP, "--ys", "loss", "--xs", "W1,labels").stdout
    assert "gradients/MatMul_grad/MatMul_1:0" in shown
    assert "none: integer: 'labels:0' is int32" in shown
    assert "stops: labels:0 is int32" in " ".join(run("inspect", MLP, "--path", "labels", "loss").stdout.split())
    document = json.loads(run("inspect", MLP, "--json", "--suggest", "--path", "x", "loss").stdout)
    assert document["suggested"]["ys"] == ["loss"]
    assert document["path"]["connected"] is True
    assert document["ops"]["Relu"] == 1


def test_inspect_tells_what_blocks_a_gradient(tmp_path: Path) -> None:
    graph = graphgrad.Graph()
    g = graph.build
    g.Lu(g.Placeholder(dtype=dtypes.float32, shape=(2, 2), name="x"), name="lu")
    graphgrad.save(graph, tmp_path / "lu.pb")
    shown = run("inspect", tmp_path / "lu.pb", "--ys", "lu", "--xs", "x").stdout
    assert "no gradient for   way to the node" in shown and "Lu                x > lu" in shown
    assert run("inspect", MLP, "--ys", "loss").exit_code == 2


def test_show(with_grads: Path) -> None:
    lines = run("show", with_grads).stdout.splitlines()
    names = [line.split("  ")[0] for line in lines]
    assert len(lines) == len(graphgrad.load(with_grads))
    assert names.index("MatMul") < names.index("BiasAdd") < names.index("gradients/hidden_grad/ReluGrad")
    assert "MatMul  MatMul  float32[?,16]  <- x, W1" in lines
    assert "x  Placeholder  float32[?,8]" in lines
    (axis,) = [line for line in lines if line.startswith("gradients/loss_grad/Const  ")]
    assert axis == "gradients/loss_grad/Const  Const  int32[1]  = [0]"


def test_show_some(with_grads: Path) -> None:
    of_matmul = run("show", with_grads, "--gradient-of", "MatMul_1").stdout.splitlines()
    assert [line.split()[0].rpartition("_grad/")[2] for line in of_matmul] == ["MatMul", "MatMul_1"]
    assert run("show", with_grads, "gradients/MatMul_1_grad").stdout.splitlines() == of_matmul
    assert "    transpose_b = False" in run("show", with_grads, "MatMul", "--attrs").stdout
    (node,) = json.loads(run("show", with_grads, "MatMul", "--json").stdout)["nodes"]
    assert node["inputs"] == ["x:0", "W1:0"]
    assert node["attrs"]["T"] == "float32"
    wrong = run("show", with_grads, "gradients/MatMul_1_gra")
    assert wrong.exit_code == 2
    assert "did you mean 'gradients/MatMul_1_grad'" in wrong.stderr


def test_the_gradient_of_a_gradient_is_its_own(with_grads: Path) -> None:
    graph = graphgrad.load(with_grads)
    graphgrad.gradients("gradients/MatMul_grad/MatMul_1", "b1", graph=graph)
    first = {op.name for op in listing.chosen(graph, [], ["MatMul"])}
    second = {op.name for op in listing.chosen(graph, [], ["gradients/MatMul_grad/MatMul_1"])}
    assert first == {"gradients/MatMul_grad/MatMul_1"} | ({"gradients/MatMul_grad/MatMul"} & first)
    assert all(name.startswith("gradients_1/gradients/MatMul_grad/MatMul_1_grad/") for name in second)
    assert second


def test_many_names_are_abbreviated_by_globs_that_match_nothing_else() -> None:
    graph = graphgrad.Graph()
    g = graph.build
    names = [f"layer_{i}/{part}" for i in range(4) for part in ("kernel", "bias")] + [f"unknown_{i}" for i in range(3)]
    for name in [*names, "input", "layer_9/moments/bias"]:
        g.Placeholder(dtype=dtypes.float32, shape=(2,), name=name)
    short = abbreviated(graph, names)
    assert short[:2] == ["*/kernel", "unknown_*"]
    found = [op.name for op in graph if any(op.name == s or fnmatch.fnmatchcase(op.name, s) for s in short)]
    assert sorted(found) == sorted(names)
    assert abbreviated(graph, ["input"]) == ["input"]


def test_memory_is_that_of_the_signature_s_outputs() -> None:
    """What saves and restores is not evaluated, and its inputs are not asked for."""
    model = MLP.parents[1] / "08_saved_model" / "model"
    found = json.loads(run("inspect", model, "--memory", "--feed-shapes", "features=5,3", "--json").stdout)["memory"]
    assert (found["fetches"], found["unknown"]) == (["StatefulPartitionedCall:0"], [])
    assert found["feeds"] == {"serving_default_features:0": [5, 3]}
    # The variables, the features, the product and the sum in the innermost of three functions.
    assert found["bytes"] == 80 + 4 * (15 + 20 + 20)
    assert found["node"] == "StatefulPartitionedCall/StatefulPartitionedCall/StatefulPartitionedCall/add"
