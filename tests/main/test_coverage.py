"""What lacks a gradient or a kernel and where it lies, functions included; where each rule is written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from google.protobuf import text_format
from graphgrad_cli.main import cli

import graphgrad
from graphgrad import opdefs
from graphgrad.coverage import NO_GRADIENT, rules_of
from graphgrad.schema import graph_pb2

PACKAGE = Path(graphgrad.__file__).parent
MLP = Path(__file__).parents[2] / "samples" / "01_mlp" / "graph.pb"

# x goes through an op of its own kind and through a call of f, which has another inside and one that is not on the way.
GRAPH = """
node { name: "x" op: "Placeholder" attr { key: "dtype" value { type: DT_FLOAT } }
       attr { key: "shape" value { shape { dim { size: 3 } } } } }
node { name: "mine" op: "Mine" input: "x" }
node { name: "call" op: "StatefulPartitionedCall" input: "x"
       attr { key: "Tin" value { list { type: DT_FLOAT } } } attr { key: "Tout" value { list { type: DT_FLOAT } } }
       attr { key: "f" value { func { name: "f" } } } }
node { name: "sum" op: "AddV2" input: "mine" input: "call" attr { key: "T" value { type: DT_FLOAT } } }
node { name: "other" op: "Neg" input: "x" attr { key: "T" value { type: DT_FLOAT } } }
library { function {
  signature { name: "f" input_arg { name: "a" type: DT_FLOAT } output_arg { name: "r" type: DT_FLOAT } }
  node_def { name: "lost" op: "Lost" input: "a" }
  node_def { name: "exp" op: "Exp" input: "lost:output:0" attr { key: "T" value { type: DT_FLOAT } } }
  node_def { name: "aside" op: "Aside" input: "a" }
  ret { key: "r" value: "exp:y:0" } } }
versions { producer: 1882 }
"""


@pytest.fixture
def model(tmp_path: Path) -> Path:
    graph = text_format.Parse(GRAPH, graph_pb2.GraphDef())
    (tmp_path / "m.pb").write_bytes(graph.SerializeToString())
    return tmp_path / "m.pb"


def run(*arguments: object) -> Any:
    return CliRunner().invoke(cli, ["coverage", *map(str, arguments)])


def test_all_that_is_lacking(model: Path) -> None:
    result = run(model, "--json")
    document = json.loads(result.stdout)
    assert (result.exit_code, document["complete"]) == (1, False)
    lacking = {"Mine": "mine", "Lost": "f/lost", "Aside": "f/aside"}
    assert {m["op"]: m["node"] for m in document["without_gradient"]} == lacking
    assert document["without_kernel"] == {op: [node] for op, node in lacking.items()}
    assert document["ops"] == {
        "AddV2": 1, "Aside": 1, "Exp": 1, "Lost": 1, "Mine": 1, "Neg": 1, "Placeholder": 2, "StatefulPartitionedCall": 1
    }  # fmt: skip
    shown = run(model).stdout
    assert "Lost    gradient   f/lost\n" in shown and "Aside   kernel     f/aside" in shown


def test_between_ys_and_xs(model: Path) -> None:
    """Every op on the way, in the graph and in what it calls; none beside it."""
    document = json.loads(run(model, "--ys", "sum", "--xs", "x", "--json").stdout)
    found = {(m["op"], m.get("function"), *m["path"]) for m in document["without_gradient"]}
    assert found == {("Mine", None, "x", "mine", "sum"), ("Lost", "f", "a", "lost", "exp")}
    result = run(model, "--ys", "other", "--xs", "x", "--json")
    assert json.loads(result.stdout)["without_gradient"] == []


def test_kernels_are_those_that_ys_and_their_gradients_need(model: Path) -> None:
    document = json.loads(run(model, "--ys", "sum", "--xs", "x", "--json").stdout)
    assert set(document["without_kernel"]) == {"Mine", "Lost", "Aside"}
    beside = run(model, "--ys", "other", "--xs", "x", "--json")
    assert (beside.exit_code, json.loads(beside.stdout)["without_kernel"]) == (0, {})


@pytest.mark.parametrize("sample", ["08_saved_model/model", "09_checkpoint/model.meta"])
def test_what_only_saves_and_restores_variables_is_left_out(sample: str) -> None:
    path = MLP.parents[1] / sample
    document = json.loads(run(path, "--json").stdout)
    assert document["left_out"]["SaveV2"] == document["left_out"]["RestoreV2"] == 1
    assert not {"SaveV2", "RestoreV2"} & {*document["ops"], *document["without_kernel"]}
    assert "MatMul" in document["ops"]
    count = sum(document["left_out"].values())
    assert run(path).stderr == f"left out: {count} nodes that only save and restore variables\n"


def test_what_has_no_output_lacks_no_gradient(tmp_path: Path) -> None:
    g = graphgrad.Graph().build
    handle = g.VarHandleOp(dtype=graphgrad.dtypes.float32, shape=(2,), name="v")
    g.AssignVariableOp(handle, [1.0, 2.0])
    graphgrad.save(g.graph, tmp_path / "m.pb")
    assert run(tmp_path / "m.pb").exit_code == 0


def test_the_error_lists_the_same(model: Path) -> None:
    graph = graphgrad.load(model)
    with pytest.raises(LookupError) as raised:
        graphgrad.gradients("sum", "x", graph=graph)
    assert {m["op"] for m in raised.value.missing} == {"Mine", "Lost"}
    assert "no gradient for op type 'Mine' (node 'mine') on the way from 'x:0' to 'sum:0'" in str(raised.value)
    assert "function 'f', which StatefulPartitionedCall node 'call' calls: no gradient for op type 'Lost'" in (
        str(raised.value)
    )


def test_nothing_is_lacking(model: Path) -> None:
    result = run(MLP, "--ys", "loss", "--xs", "W1,W2", "--order", "3", "--json")
    document = json.loads(result.stdout)
    assert (result.exit_code, document["complete"]) == (0, True)
    assert document["ops"]["MatMul"] > 2
    assert run(MLP).stdout == "14 nodes of 7 op types: all can be differentiated and run\n"


def test_what_only_a_higher_order_lacks(tmp_path: Path) -> None:
    g = graphgrad.Graph().build
    x = g.Placeholder(dtype=graphgrad.dtypes.float32, shape=(1, 4, 4, 1), name="x")
    g.CropAndResize(x, [[0.0, 0.0, 1.0, 1.0]], [0], [2, 2], name="crop")
    graphgrad.save(g.graph, tmp_path / "m.pb")
    for order, code in ((1, 0), (2, 1)):
        result = run(tmp_path / "m.pb", "--ys", "crop", "--xs", "crop/boxes", "--order", order, "--json")
        assert result.exit_code == code
    assert [m["op"] for m in json.loads(result.stdout)["without_gradient"]] == ["CropAndResizeGradBoxes"]


def test_what_a_rule_refuses_is_lacking_too(tmp_path: Path) -> None:
    g = graphgrad.Graph().build
    matrix = g.Placeholder(dtype=graphgrad.dtypes.float32, shape=None, name="x")
    g.Qr(matrix, name="qr")
    graphgrad.save(g.graph, tmp_path / "m.pb")
    result = run(tmp_path / "m.pb", "--ys", "qr", "--xs", "x", "--json")
    [entry] = json.loads(result.stdout)["without_gradient"]
    assert (result.exit_code, entry["node"], entry["path"]) == (1, "qr", ["x", "qr"])
    assert entry["reason"] in run(tmp_path / "m.pb", "--ys", "qr", "--xs", "x").stdout.replace("\n", " ")


def test_ys_and_xs_go_together() -> None:
    result = run(MLP, "--ys", "loss")
    assert (result.exit_code, result.stderr) == (2, "error: --ys and --xs go together: give both or neither\n")


def test_every_rule_is_where_it_is_said_to_be() -> None:
    """Each place is a line that begins a function, or one that names the op in a table."""
    lines: dict[str, list[str]] = {}
    count = 0
    for op_type in opdefs.op_types():
        found = rules_of(op_type)
        for place in (found.shape, found.gradient, found.kernel):
            if place in (None, NO_GRADIENT, "built in"):
                continue
            path, _, number = place.partition(" ")[0].partition(":")
            text = lines.setdefault(path, (PACKAGE / path).read_text().splitlines())[int(number) - 1]
            assert any(mark in text for mark in ("def ", "@", "lambda", f'"{op_type}"', "class ", "return ")), (
                place,
                text,
            )
            count += 1
    assert count > 1500


def test_ops_shows_one_and_all() -> None:
    one = CliRunner().invoke(cli, ["ops", "MatMul", "--json"])
    (entry,) = json.loads(one.stdout)["ops"]
    assert entry["gradient"].startswith("gradients/linalg.py:") and entry["kernel"].startswith("kernels/linalg.py:")
    assert entry["signature"].startswith("MatMul(a: T, b: T) -> (product: T) [transpose_a: bool = False")
    assert len(json.loads(CliRunner().invoke(cli, ["ops", "--json"]).stdout)["ops"]) == len(opdefs.op_types())
    assert "(numpy.tanh)" in CliRunner().invoke(cli, ["ops", "Tanh"]).stdout
    wrong = CliRunner().invoke(cli, ["ops", "MatMull"])
    assert wrong.exit_code == 2 and "did you mean 'MatMul'" in wrong.stderr
