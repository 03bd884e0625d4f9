"""`graphgrad inspect` and `show`: what a graph holds, what is likely wanted of it, where a gradient stops, its nodes as text."""

from __future__ import annotations

import fnmatch
import json
import shlex
from pathlib import Path
from typing import Any

import graphgrad
from graphgrad import dtypes, listing, paths
from graphgrad.inspect import Suggestion, abbreviated, suggest
from graphgrad.schema import saved_model_pb2
from tests.commands import run
from tests.loops import function

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


def test_what_the_gradients_of_a_training_graph_leave_over_is_not_meant() -> None:
    graph = graphgrad.Graph()
    g = graph.build
    x, w = (g.Placeholder(dtype=dtypes.float32, shape=(), name=name) for name in "xw")
    g.Mul(x, w, name="xent")
    g.Mul(x, x, name="gradients/mul_grad/Mul_1")
    assert suggest(graph) == Suggestion(["xent"], ["x", "w"])


def test_the_checkpoint_beside_a_meta_graph_is_suggested() -> None:
    folder = MLP.parents[1] / "09_checkpoint"
    shown = run("inspect", folder / "model.meta", "--suggest").stdout.splitlines()[-1]
    assert shown.endswith(f" --variables {folder / 'model'}")
    words = shlex.split(shown)
    assert run(*words[1:]).exit_code == 0
    assert "--variables" not in run("inspect", folder.parent / "12_cond" / "graph.meta", "--suggest").stdout


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


def test_where_a_gradient_stops_inside_a_function() -> None:
    graph = graphgrad.Graph()
    g = graph.build
    x, w = (g.Placeholder(dtype=dtypes.float32, shape=(2,), name=name) for name in "xw")
    two = [dtypes.float32, dtypes.float32]

    def inner(g: Any, a: Any, b: Any) -> list[Any]:
        return [g.Neg(a), g.Mul(g.StopGradient(a, name="stop"), b)]

    f = function(graph, "f", two, inner)
    outer = function(
        graph, "outer", two, lambda g, a, b: g.op("PartitionedCall", [a, b], f=f, Tout=two, name="call").outputs
    )
    y, z = g.op("PartitionedCall", [x, w], f=outer, Tout=two, name="top").outputs
    assert paths.path(graph, "x", y.name).obstacles == []
    assert paths.path(graph, "w", y.name).stages == [], "the first result does not follow from the second argument"
    assert paths.path(graph, "w", z.name).obstacles == []
    (stage,) = paths.path(graph, "x", z.name).obstacles
    assert stage.obstacle == "inside outer, at call: inside f, at stop: StopGradient has no gradient on purpose"


def test_inspect_counts_what_calls_run() -> None:
    """Of functions that save and restore nothing is counted."""
    model = MLP.parents[1] / "08_saved_model" / "model"
    found = graphgrad.inspect(graphgrad.load(model)).ops_in_functions
    assert found["MatMul"] == 2 and found["Tanh"] == 1 and "SaveV2" not in found
    assert "ops in functions: " in run("inspect", model).stdout
    assert "ops in functions" not in run("inspect", MLP).stdout


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


def test_the_gradient_of_an_x_is_where_it_is_read(with_grads: Path) -> None:
    wrong = run("show", with_grads, "--gradient-of", "W1")
    assert (wrong.exit_code, wrong.stderr) == (
        2,
        "error: no gradient goes on from node 'W1'; its own is made by those of what reads it: --gradient-of MatMul\n",
    )
    wrong = run("show", MLP, "--gradient-of", "W1")
    assert "no gradient of node 'W1' is in the graph: add-gradients adds it" in wrong.stderr


def test_show_looks_into_functions() -> None:
    model = MLP.parents[1] / "08_saved_model" / "model"
    (line,) = run("show", model, "StatefulPartitionedCall").stdout.splitlines()
    called = line.partition("  -> ")[2].partition("  <- ")[0]
    assert called.startswith("__inference_signature_wrapper_score_")
    lines = run("show", model, "--function", f"{called},*_hidden_*", "MatMul", "*Identity").stdout.splitlines()
    assert lines.count("MatMul  MatMul  float32[?,4]  <- x, MatMul/ReadVariableOp") == 2
    assert run("show", model, "--function", called).stdout.splitlines()[0] == (
        f"{called}(features, unknown, unknown_0, unknown_1) -> Identity"
    )
    document = json.loads(run("show", model, "--function", called, "--json").stdout)
    assert {node["function"] for node in document["nodes"]} == {called}
    assert document["functions"][0]["results"] == ["Identity:0"]


def test_of_many_arguments_the_first_are_named() -> None:
    graph = graphgrad.Graph()
    function(graph, "f", [dtypes.float32] * 12, lambda g, *a: [g.AddN(a)])
    assert listing.heading(graph.functions.body("f")) == "f(a0, a1, a2, a3, a4, a5, a6, a7, ... 4 more) -> AddN"


def test_show_says_where_a_node_is_that_the_graph_lacks() -> None:
    model = MLP.parents[1] / "08_saved_model" / "model"
    missing = run("show", model, "Tanh")
    assert missing.exit_code == 2 and "no node, scope or glob 'Tanh': --function __inference_hidden_" in missing.stderr
    assert run("show", model, "--function", "*_hidden_*", "Cosh").exit_code == 2
    assert "no function 'f' in the model: `inspect` lists" in run("show", model, "--function", "f").stderr
    assert "no function 'f' in the model, nor any other" in run("show", MLP, "--function", "f").stderr


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
