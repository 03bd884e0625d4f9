"""The promises of add-gradients, option by option: what is spelled how, and where documents go."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphgrad
from graphgrad import dtypes
from graphgrad.schema import graph_pb2
from tests.commands import run

SAMPLES = Path(__file__).parents[2] / "samples"
MLP = SAMPLES / "01_mlp" / "graph.pb"


def nodes(path: Path) -> dict[str, graph_pb2.NodeDef]:
    return {node.name: node for node in graph_pb2.GraphDef.FromString(path.read_bytes()).node}


def add(model: object, out: object, *options: object, ys: str = "loss", xs: str = "W1") -> Any:
    return run("add-gradients", model, "--ys", ys, "--xs", xs, "-o", out, *options)


def gradients(result: Any) -> list[dict[str, Any]]:
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)["gradients"]


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "o.pb"


def test_lists_globs_and_repeated_options(out: Path) -> None:
    """In the order given; a glob in the order of the graph."""
    found = gradients(add(MLP, out, "--xs", "b?,W1:0", "--json", xs="W2 , x"))
    assert [g["x"] for g in found] == ["W2:0", "x:0", "b1:0", "b2:0", "W1:0"]
    assert [g["x"] for g in gradients(add(MLP, out, "--json", xs="[Wb]1:0"))] == ["W1:0", "b1:0"]
    assert gradients(add(MLP, out, "--json", ys="l*s"))[0]["kind"] == "tensor"
    nothing = add(MLP, out, xs="conv*/kernel")
    assert (nothing.exit_code, nothing.stderr) == (
        2,
        f"error: --xs: no node matches 'conv*/kernel'; graphgrad show {MLP} lists the nodes\n",
    )


def test_a_control_dependency_is_no_tensor(out: Path) -> None:
    result = add(MLP, out, xs="^W1")
    message = "error: --xs: '^W1' is a control dependency; a tensor is meant here: use 'W1'\n"
    assert (result.exit_code, result.stderr) == (2, message)
    values = run("eval", MLP, "--fetch", "b2", "--run-first", "^W1", "--json")
    assert values.exit_code == 0 and len(json.loads(values.stdout)["fetches"][0]["value"]) == 4


def test_the_scope(out: Path) -> None:
    assert gradients(add(MLP, out, "--name", "train/g", "--json"))[0]["tensor"] == "train/g/MatMul_grad/MatMul_1:0"
    assert gradients(add(MLP, out, "--name", "", "--json"))[0]["tensor"] == "MatMul_grad/MatMul_1:0"
    assert gradients(add(MLP, out, "--name", "MatMul", "--json"))[0]["tensor"] == "MatMul_2/MatMul_grad/MatMul_1:0"
    assert add(MLP, out, "--name", "_g").exit_code == 2


def test_unconnected_gradients(out: Path) -> None:
    (none,) = gradients(add(MLP, out, "--json", ys="hidden", xs="W2"))
    assert (none["kind"], none["why"], none["node"], none["ys_node"]) == ("none", "not-connected", "loss", "x")
    (zero,) = gradients(add(MLP, out, "--json", "--unconnected-gradients", "zero", ys="hidden", xs="W2"))
    assert (zero["kind"], zero["tensor"], zero["shape"]) == ("tensor", "zeros_like:0", [16, 4])


def test_stop_gradients(out: Path) -> None:
    first, second = gradients(add(MLP, out, "--json", "--stop-gradients", "hidden", xs="W1,W2"))
    assert (first["why"], first["node"], second["kind"]) == ("stopped", "hidden", "tensor")


@pytest.mark.parametrize(
    ("method", "op", "scope"),
    [
        ("default", "AddN", "gradients/AddN"),
        ("add-n", "AddN", "gradients/AddN"),
        ("experimental-tree", "AddN", "gradients/x_gradient_sum/AddN"),
        ("experimental-accumulate-n", "AddN", "gradients/x_gradient_sum/AddN"),
    ],
)
def test_aggregation_methods(tmp_path: Path, out: Path, method: str, op: str, scope: str) -> None:
    g = graphgrad.Graph().build
    x = g.Placeholder(dtype=dtypes.float32, shape=(2,), name="x")
    g.AddV2(g.AddV2(g.Exp(x), g.Sin(x)), g.Cos(x), name="y")
    graphgrad.save(g.graph, tmp_path / "m.pb")
    (found,) = gradients(add(tmp_path / "m.pb", out, "--aggregation-method", method, "--json", ys="y", xs="x"))
    sums = [name for name, node in nodes(out).items() if node.op == op]
    assert sums[0] == scope
    assert len(sums) == (1 if "experimental" not in method else 2)
    assert found["tensor"] == f"{sums[-1]}:0"
    values = graphgrad.evaluate(graphgrad.load(out), found["tensor"], {"x": [0.0, 1.0]})
    assert np.allclose(values, [2, np.e + np.cos(1) - np.sin(1)])


@pytest.fixture
def swish(tmp_path: Path) -> Path:
    """x * sigmoid(x) as a frozen model has it: marked with a gradient that was Python code; and a registered override."""
    graph = graphgrad.Graph()
    g = graph.build
    x = g.Placeholder(dtype=dtypes.float32, shape=(3,), name="x")
    product = g.Mul(x, g.Sigmoid(x))
    marked = g.op("IdentityN", [product, x], name="swish")
    marked.annotate("_gradient_op_type", "CustomGradient-42")
    overridden = g.op("Relu", x, name="override")
    overridden.annotate("_gradient_op_type", "Identity")
    g.Sum(marked.outputs[0], [0], name="loss")
    graphgrad.save(graph, tmp_path / "swish.pb")
    return tmp_path / "swish.pb"


def test_custom_gradients(swish: Path, out: Path) -> None:
    refused = add(swish, out, "--json", xs="x")
    document = json.loads(refused.stdout)
    assert (refused.exit_code, document["exit_code"]) == (4, 4)
    (entry,) = document["missing"]
    assert (entry["custom_gradient"], entry["node"]) == ("CustomGradient-42", "swish")
    assert "--custom-gradients through" in refused.stderr and not out.exists()
    (found,) = gradients(add(swish, out, "--custom-gradients", "through", "--json", xs="x"))
    x = np.array([-1.0, 0.0, 2.0], np.float32)
    s = 1 / (1 + np.exp(-x))
    values = graphgrad.evaluate(graphgrad.load(out), found["tensor"], {"x": x})
    np.testing.assert_allclose(values, s + x * s * (1 - s), rtol=1e-6)


def test_a_registered_gradient_is_honoured(swish: Path, out: Path) -> None:
    """Relu marked with the gradient of Identity lets everything through."""
    (found,) = gradients(add(swish, out, "--json", ys="override", xs="x"))
    assert graphgrad.evaluate(graphgrad.load(out), found["tensor"], {"x": [-1.0, 0.0, 2.0]}).tolist() == [1, 1, 1]


def test_colocation(out: Path) -> None:
    add(MLP, out, "--colocate-gradients-with-ops")
    written = nodes(out)
    assert list(written["gradients/MatMul_grad/MatMul_1"].attr["_class"].list.s) == [b"loc:@MatMul"]
    assert list(written["gradients/grad_ys_0"].attr["_class"].list.s) == [b"loc:@loss"]
    add(MLP, out)
    assert not [n for n in nodes(out).values() if "_class" in n.attr]


def test_gates_can_be_switched_off(out: Path) -> None:
    def gated(*options: str) -> bool:
        add(MLP, out, *options)
        return any(name.endswith("tuple/group_deps") for name in nodes(out))

    assert gated("--gate-gradients") and not gated() and not gated("--gate-gradients", "--no-gate-gradients")


def test_aliases_of_sparse_gradients_and_of_other_outputs(tmp_path: Path, out: Path) -> None:
    (found,) = gradients(add(SAMPLES / "05_embeddings" / "graph.pb", out, "--alias", "g/{x}", "--json", xs="table"))
    assert [found[part] for part in ("values", "indices", "dense_shape")] == [
        "g/table/values:0",
        "g/table/indices:0",
        "g/table/dense_shape:0",
    ]
    taken = add(MLP, out, "--alias", "{x}")
    assert (taken.exit_code, taken.stderr) == (2, "error: --alias: a node 'W1' is in the graph already\n")
    g = graphgrad.Graph().build
    x = g.Placeholder(dtype=dtypes.float32, shape=(2,), name="x")
    g.Sum(g.Mul(*g.Split(0, x, num_split=2, name="s")), [0], name="y")
    graphgrad.save(g.graph, tmp_path / "m.pb")
    second = gradients(add(tmp_path / "m.pb", out, "--alias", "g/{x}", "--json", ys="y", xs="s,s:1"))
    assert [g["tensor"] for g in second] == ["g/s:0", "g/s_1:0"]


def test_where_documents_go(out: Path) -> None:
    """To standard output; to standard error where the graph takes that; of failures too."""
    to_file = add(MLP, out, "--json")
    assert json.loads(to_file.stdout)["schema"] == 1 and to_file.stderr == ""
    streamed = add(MLP, "-", "--json")
    assert streamed.stdout_bytes == out.read_bytes()
    assert json.loads(streamed.stderr)["nodes_added"] == json.loads(to_file.stdout)["nodes_added"]
    failed = add(MLP, out, "--json", xs="W9")
    document = json.loads(failed.stdout)
    assert failed.stderr == f"error: {document['error']}; {document['next']}\n"
    assert document == {"schema": 1, "error": document["error"], "exit_code": 2, "next": document["next"]}
    failed_stream = add(MLP, "-", "--json", xs="W9")
    document, line = failed_stream.stderr.splitlines()
    assert failed_stream.stdout == "" and line.startswith("error: ") and json.loads(document)["exit_code"] == 2


@pytest.mark.parametrize("command", ["eval", "diff", "coverage"])
def test_failures_of_every_command_are_documents(tmp_path: Path, command: str) -> None:
    arguments = {"eval": ("--fetch", "x"), "diff": (MLP,), "coverage": ()}[command]
    result = run(command, tmp_path / "no.pb", *arguments, "--json")
    document = json.loads(result.stdout)
    assert (result.exit_code, document["exit_code"], document["schema"]) == (3, 3, 1)
    assert result.stderr == f"error: {document['error']}\n"


def test_standard_input_of_every_encoding(tmp_path: Path, out: Path) -> None:
    add(MLP, out)
    for suffix in (".pbtxt", ".json", ".pb.gz"):
        graphgrad.save(graphgrad.load(MLP), tmp_path / f"m{suffix}")
        data = (tmp_path / f"m{suffix}").read_bytes()
        streamed = run("add-gradients", "-", "--ys", "loss", "--xs", "W1", "-o", "-", stdin=data)
        assert streamed.exit_code == 0
        written = tmp_path / f"s{suffix}"
        written.write_bytes(streamed.stdout_bytes)
        assert run("diff", written, out).exit_code == 0
        if suffix == ".pbtxt":
            assert streamed.stdout_bytes.startswith(data)
        if suffix == ".pb.gz":
            assert gzip.decompress(streamed.stdout_bytes) == out.read_bytes()


@pytest.mark.parametrize("name", ["m.pb", "m.pbtxt", "m.json", "m.pb.gz", "m.v2.pbtxt.gz", "m"])
def test_default_names_of_outputs(tmp_path: Path, name: str) -> None:
    graph = graphgrad.load(MLP)
    graphgrad.save(graph, tmp_path / name)
    result = run("add-gradients", tmp_path / name, "--ys", "loss", "--xs", "W1", "--json")
    expected = {
        "m.pb": "m.gradients.pb",
        "m.pbtxt": "m.gradients.pbtxt",
        "m.json": "m.gradients.json",
        "m.pb.gz": "m.gradients.pb.gz",
        "m.v2.pbtxt.gz": "m.v2.gradients.pbtxt.gz",
        "m": "m.gradients",
    }[name]
    assert json.loads(result.stdout)["output"] == str(tmp_path / expected)
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([name, expected])


def test_content_decides_before_the_name(tmp_path: Path, out: Path) -> None:
    graphgrad.save(graphgrad.load(MLP), tmp_path / "text.pbtxt")
    (tmp_path / "text.pbtxt").rename(tmp_path / "looks_binary.pb")
    assert add(tmp_path / "looks_binary.pb", out).exit_code == 0
    assert run("diff", MLP, tmp_path / "looks_binary.pb").exit_code == 0


def test_the_same_input_gives_the_same_bytes(tmp_path: Path) -> None:
    for suffix in (".pb", ".pbtxt", ".json", ".pb.gz"):
        a, b = tmp_path / f"a{suffix}", tmp_path / f"b{suffix}"
        for path in (a, b):
            assert add(MLP, path, "--gate-gradients", xs="W1,b1,W2").exit_code == 0
        assert a.read_bytes() == b.read_bytes()


def test_documents_hold_no_number_that_json_lacks(tmp_path: Path) -> None:
    """NaN and infinities are strings, as in the values of `eval`: other parsers than Python's refuse them."""

    def strict(text: str) -> Any:
        return json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))

    graph = graphgrad.Graph()
    g = graph.build
    g.Sum(g.Log(g.Placeholder(dtype=dtypes.float32, shape=(2,), name="x")), g.constant([0]), name="y")
    graphgrad.save(graph, tmp_path / "log.pb")
    checked = run("check", tmp_path / "log.pb", "--ys", "y", "--xs", "x", "--feed", "x=[0,1]", "--json")
    (found,) = strict(checked.stdout)["results"]
    assert (checked.exit_code, found["largest_absolute"], found["worst"]["symbolic"]) == (1, "nan", "nan")
    for name, value in (("a.pb", 1.0), ("b.pb", float("nan"))):
        graph = graphgrad.Graph()
        graph.build.constant(value, name="c")
        graphgrad.save(graph, tmp_path / name)
    (changed,) = strict(run("diff", tmp_path / "a.pb", tmp_path / "b.pb", "--json").stdout)["changed"]
    assert changed["largest_difference"] == "inf"
