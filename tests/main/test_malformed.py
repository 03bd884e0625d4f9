"""Graphs that are none: each is told in one line that names the node at fault, whatever the command."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from google.protobuf import text_format

import graphgrad
from graphgrad import dtypes
from graphgrad.errors import ModelError
from graphgrad.schema import graph_pb2
from tests.commands import run

SAMPLES = Path(__file__).parents[2] / "samples"
MLP = (SAMPLES / "01_mlp" / "graph.pb").read_bytes()

Change = Callable[[dict[str, graph_pb2.NodeDef], graph_pb2.GraphDef], Any]


def written(folder: Path, change: Change) -> Path:
    """The MLP sample with something changed."""
    graph = graph_pb2.GraphDef.FromString(MLP)
    change({node.name: node for node in graph.node}, graph)
    (folder / "m.pb").write_bytes(graph.SerializeToString())
    return folder / "m.pb"


def add_node(graph: graph_pb2.GraphDef, text: str) -> None:
    text_format.Parse(text, graph.node.add())


MALFORMED: dict[str, tuple[Change, str]] = {
    "two nodes of one name": (lambda n, g: n["logits"].MergeFrom(graph_pb2.NodeDef(name="x")), "two nodes are named 'x'"),
    "no name": (lambda n, g: n["hidden"].ClearField("name"), "a node of type 'Relu' has no name"),
    "missing input": (
        lambda n, g: n["hidden"].input.__setitem__(0, "BiasAd"),
        "node 'hidden' (Relu) has input 'BiasAd', and no such node is in the graph (did you mean 'BiasAdd'",
    ),
    "missing control input": (lambda n, g: n["hidden"].input.append("^gone"), "node 'hidden' (Relu) has input '^gone'"),
    "empty input": (lambda n, g: n["hidden"].input.__setitem__(0, ""), "node 'hidden' (Relu) has input ''"),
    "output index": (
        lambda n, g: n["hidden"].input.__setitem__(0, "BiasAdd:1"),
        "'BiasAdd:1' does not exist: BiasAdd node 'BiasAdd' has 1 output",
    ),
    "data behind control": (
        lambda n, g: (n["MatMul"].input.__setitem__(slice(None), ["x", "^labels", "W1"])),
        "node 'MatMul' (MatMul) has input 'W1' behind a control input",
    ),
    "attribute of a function": (
        lambda n, g: setattr(n["MatMul"].attr["T"], "placeholder", "T"),
        "attribute 'T' of node 'MatMul' (MatMul) stands for attribute 'T' of a function around it",
    ),
    "too few inputs": (
        lambda n, g: n["MatMul"].input.__delitem__(1),
        "node 'MatMul' (MatMul) has 1 inputs and takes 2",
    ),
    "too many inputs": (lambda n, g: n["hidden"].input.append("x"), "node 'hidden' (Relu) has 2 inputs and takes 1"),
    "wrong dtype": (
        lambda n, g: n["MatMul"].input.__setitem__(0, "labels"),
        "input 0 of node 'MatMul' (MatMul) must be float32, and 'labels:0' is int32",
    ),
    "cycle": (
        lambda n, g: n["MatMul"].input.__setitem__(0, "hidden"),
        "nodes form a cycle without NextIteration: ",
    ),
    "control cycle": (lambda n, g: n["x"].input.append("^loss"), "nodes form a cycle without NextIteration: "),
    "own input": (lambda n, g: n["hidden"].input.__setitem__(0, "hidden"), "hidden -> hidden"),
    "attribute missing": (lambda n, g: n["MatMul"].attr.__delitem__("T"), "node 'MatMul' (MatMul) lacks attribute 'T'"),
    "attribute of another kind": (
        lambda n, g: n["MatMul"].attr["T"].MergeFrom(graph_pb2.AttrValue(i=3)),
        "attribute 'T' of node 'MatMul' (MatMul) must be type, and holds int",
    ),
    "no dtype": (
        lambda n, g: n["MatMul"].attr["T"].MergeFrom(graph_pb2.AttrValue(type=77)),
        "attribute 'T' of node 'MatMul' (MatMul) holds 77, the number of no dtype",
    ),
    "dtype of a constant": (
        lambda n, g: n["W1"].attr["value"].tensor.MergeFrom(graph_pb2.TensorProto(dtype=3)),
        "constant 'W1' is float32, and its value is of dtype number 3",
    ),
    "size of a constant": (
        lambda n, g: n["W1"].attr["value"].tensor.MergeFrom(graph_pb2.TensorProto(tensor_content=b"abc")),
        "constant 'W1' of shape [8, 16] holds 3 bytes instead of 512",
    ),
    "shape of a constant": (
        lambda n, g: n["W1"].attr["value"].tensor.tensor_shape.dim[0].MergeFrom(
            graph_pb2.TensorShapeProto.Dim(size=-1)
        ),
        "constant 'W1' has no full shape",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_graphs(name: str, tmp_path: Path) -> None:
    change, message = MALFORMED[name]
    model = written(tmp_path, change)
    with pytest.raises(ModelError) as raised:
        graphgrad.load(model)
    assert str(raised.value).startswith(f"{model}: ")
    assert message in str(raised.value)
    for command in (
        ("add-gradients", model, "--ys", "loss", "--xs", "W1", "-o", tmp_path / "o.pb"),
        ("eval", model, "--fetch", "loss"),
        ("diff", model, model),
        ("coverage", model),
    ):
        result = run(*command)
        assert (result.exit_code, result.stderr) == (3, f"error: {raised.value}\n")
    assert not (tmp_path / "o.pb").exists()


def test_what_cannot_have_a_shape_is_told_with_its_inputs(tmp_path: Path) -> None:
    graph = graph_pb2.GraphDef.FromString((SAMPLES / "04_convnet" / "graph.pb").read_bytes())
    next(node for node in graph.node if node.op == "MaxPool").attr["ksize"].list.i.pop()
    (tmp_path / "m.pb").write_bytes(graph.SerializeToString())
    result = run("add-gradients", tmp_path / "m.pb", "--ys", "loss", "--xs", "filter", "-o", tmp_path / "o.pb")
    assert result.exit_code == 3
    assert result.stderr.startswith(
        "error: MaxPool node 'MaxPool' cannot have inputs and attributes like these: (float32 [?,8,8,4]): "
    )


def test_a_list_without_end_is_refused(tmp_path: Path) -> None:
    text = (
        'name: "p" op: "Unpack" input: "x" attr { key: "T" value { type: DT_FLOAT } } '
        'attr { key: "num" value { i: 1099511627776 } }'
    )
    result = run("eval", written(tmp_path, lambda n, g: add_node(g, text)), "--fetch", "p")
    assert result.exit_code == 3
    assert result.stderr == "error: attribute 'num' of node 'p' (Unpack) is 1099511627776: no op has so many tensors\n"


def test_an_unknown_op_may_stand_in_the_graph(tmp_path: Path) -> None:
    """It is an error only where it must be differentiated or run; what reads it tells of which dtype it is."""

    def change(nodes: dict[str, graph_pb2.NodeDef], graph: graph_pb2.GraphDef) -> None:
        add_node(graph, 'name: "mine" op: "MyOwnOp" input: "labels" input: "x" attr { key: "k" value { i: 1 } }')
        nodes["MatMul"].input[0] = "mine:1"

    model, out = written(tmp_path, change), tmp_path / "o.pb"
    graph = graphgrad.load(model)
    assert (repr(graph.tensor("mine:1").dtype), graph.tensor("mine:1").shape) == ("float32", None)
    assert run("add-gradients", model, "--ys", "loss", "--xs", "W1", "-o", out).exit_code == 0
    differentiated = run("add-gradients", model, "--ys", "loss", "--xs", "x", "-o", out)
    assert differentiated.exit_code == 4
    assert "no gradient for op type 'MyOwnOp' (node 'mine')" in differentiated.stderr
    feeds = ("--feeds", SAMPLES / "01_mlp" / "feeds.npz")
    ran = run("eval", model, "--fetch", "loss", *feeds)
    assert (ran.exit_code, ran.stderr) == (5, "error: no kernel for: MyOwnOp (node 'mine')\n")
    assert run("eval", model, "--fetch", "W1").exit_code == 0


def test_stripped_defaults_are_filled_in(tmp_path: Path) -> None:
    """TensorFlow writes graphs without attributes that are at their default."""

    def strip(nodes: dict[str, graph_pb2.NodeDef], graph: graph_pb2.GraphDef) -> None:
        for node in graph.node:
            for name in ("transpose_a", "transpose_b", "grad_a", "grad_b", "data_format", "keep_dims", "Tidx"):
                node.attr.pop(name, None)

    whole, stripped, model = tmp_path / "whole.pb", tmp_path / "stripped.pb", written(tmp_path, strip)
    assert model.stat().st_size < len(MLP)
    assert run("diff", SAMPLES / "01_mlp" / "graph.pb", model).exit_code == 0
    for source, out in ((SAMPLES / "01_mlp" / "graph.pb", whole), (model, stripped)):
        assert run("add-gradients", source, "--ys", "loss", "--xs", "W1,b2", "-o", out).exit_code == 0
    feeds = dict(np.load(SAMPLES / "01_mlp" / "feeds.npz"))
    found = [graphgrad.evaluate(graphgrad.load(p), "gradients/MatMul_grad/MatMul_1", feeds) for p in (whole, stripped)]
    assert np.array_equal(*found)
    added = [graph_pb2.GraphDef.FromString(p.read_bytes()).node[15:] for p in (whole, stripped)]
    assert list(added[0]) == list(added[1])


@pytest.mark.parametrize("suffix", [".pb", ".pbtxt", ".json"])
@pytest.mark.parametrize("seed", range(8))
def test_damaged_files_are_never_a_traceback(tmp_path: Path, seed: int, suffix: str) -> None:
    """Truncated, or with bytes changed, dropped and put in: a graph all the same, or one line and exit code 3."""
    rng = random.Random(f"{seed}{suffix}")
    model, out = tmp_path / f"m{suffix}", tmp_path / f"o{suffix}"
    graphgrad.save(graphgrad.load(SAMPLES / "04_convnet" / "graph.pb"), model)
    whole = model.read_bytes()
    for _ in range(10):
        data = bytearray(whole)
        at = rng.randrange(len(data))
        match rng.randrange(4):
            case 0:
                del data[at:]
            case 1:
                data[at] = rng.randrange(256)
            case 2:
                del data[at : at + rng.randrange(1, 9)]
            case _:
                data[at:at] = rng.randbytes(rng.randrange(1, 6))
        model.write_bytes(data)
        result = run("add-gradients", model, "--ys", "loss", "--xs", "filter", "-o", out)
        assert result.exit_code in (0, 2, 3, 4), (data, result.stderr)
        if result.exit_code:
            assert result.stderr.count("\n") == 1 and result.stderr.startswith("error: "), result.stderr
            assert not out.exists()
        out.unlink(missing_ok=True)


def test_a_reduction_along_no_axis_of_its_input_is_told_where_it_is_differentiated() -> None:
    graph = graphgrad.Graph()
    x = graph.build.Placeholder(dtype=dtypes.float32, shape=(2, 3), name="x")
    graph.build.Sum(x, [5], name="y")
    with pytest.raises(ModelError, match="axis 5 is none of a tensor of rank 2") as error:
        graphgrad.gradients(["y"], ["x"], graph=graph)
    assert error.value.__notes__ == ["in the gradient of Sum node 'y'"]
