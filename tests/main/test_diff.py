"""What differs between two graphs, for programs and for people, and what does not count."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from graphgrad_cli.main import cli

import graphgrad
from graphgrad import dtypes, listing
from graphgrad.formats import arrays
from graphgrad.schema import graph_pb2

MLP = Path(__file__).parents[2] / "samples" / "01_mlp" / "graph.pb"
Change = Callable[[dict[str, graph_pb2.NodeDef], graph_pb2.GraphDef], Any]


def run(*arguments: object) -> Any:
    return CliRunner().invoke(cli, ["diff", *map(str, arguments)])


@pytest.fixture
def changed(tmp_path: Path) -> Callable[[Change], Path]:
    def write(change: Change) -> Path:
        graph = graph_pb2.GraphDef.FromString(MLP.read_bytes())
        change({node.name: node for node in graph.node}, graph)
        (tmp_path / "b.pb").write_bytes(graph.SerializeToString())
        return tmp_path / "b.pb"

    return write


def document(a: object, b: object, *options: str) -> Any:
    result = run(a, b, "--json", *options)
    found = json.loads(result.stdout)
    assert result.exit_code == (0 if found["same"] else 1)
    return found


# A change, and what is said of the one node it is made to: field -> (before, after).
CHANGES: dict[str, tuple[Change, str, dict[str, tuple[str, str]]]] = {
    "op": (lambda n, g: setattr(n["hidden"], "op", "Elu"), "hidden", {"op": ("Relu", "Elu")}),
    "inputs": (
        lambda n, g: n["hidden"].input.__setitem__(0, "MatMul"),
        "hidden",
        {"inputs": ("BiasAdd", "MatMul")},
    ),
    "control": (lambda n, g: n["hidden"].input.append("^labels"), "hidden", {"control": ("", "^labels")}),
    "device": (lambda n, g: setattr(n["hidden"], "device", "/gpu:0"), "hidden", {"device": ("", "/gpu:0")}),
    "attr": (
        lambda n, g: setattr(n["x"].attr["shape"].shape.dim[0], "size", 5),
        "x",
        {"shape": ("[?,8]", "[5,8]")},
    ),
    "internal": (
        lambda n, g: n["x"].attr["_class"].list.s.append(b"loc:@W1"),
        "x",
        {"_class": ("(none)", "[loc:@W1]")},
    ),
}


@pytest.mark.parametrize("aspect", CHANGES)
def test_changed_nodes(changed: Callable[[Change], Path], aspect: str) -> None:
    change, name, fields = CHANGES[aspect]
    other = changed(change)
    found = document(MLP, other)
    assert found["added"] == found["removed"] == []
    (entry,) = found["changed"]
    assert entry["name"] == name
    assert entry["fields"] == {field: {"a": a, "b": b} for field, (a, b) in fields.items()}
    assert document(MLP, other, "--ignore", aspect)["same"]
    assert document(MLP, other, "--ignore", "functions,versions")["same"] is False
    (before, after), field = next(iter(fields.values())), next(iter(fields))
    assert f"~ {name}  {field}: {before} -> {after}\n" in run(MLP, other).stdout


def test_a_number_of_no_dtype() -> None:
    """Of an attribute that nothing asked for before it was shown."""
    assert listing.shown(graph_pb2.AttrValue(type=96)) == "dtype 96"
    types = graph_pb2.AttrValue.ListValue(type=[1, 96])
    assert listing.shown(graph_pb2.AttrValue(list=types)) == "[float32, dtype 96]"


def test_added_and_removed_nodes(tmp_path: Path) -> None:
    out = tmp_path / "o.pb"
    graph = graphgrad.load(MLP)
    graphgrad.gradients("loss", "W2", graph=graph)
    graphgrad.save(graph, out)
    found = document(MLP, out)
    assert found["added"][0] == {"name": "gradients/Shape", "op": "Const"}
    assert len(found["added"]) == len(graph.added()) and not found["removed"]
    assert list(found["scopes"]) == ["gradients/"]
    assert found["scopes"]["gradients/"]["added"]["MatMul"] == 2
    assert sum(found["scopes"]["gradients/"]["added"].values()) == len(graph.added())
    back = document(out, MLP)
    assert (back["removed"], back["added"]) == (found["added"], [])

    table, *lines = run(MLP, out, "--stat").stdout.splitlines()
    assert table.split() == ["scope", "added", "removed", "changed", "ops"]
    row = " ".join(lines[1:])
    assert row.split()[:2] == ["gradients/", str(len(graph.added()))] and "MatMul 2" in row
    assert "+ gradients/Shape  Const\n" in run(MLP, out).stdout
    assert "- gradients/Shape  Const\n" in run(out, MLP).stdout


def test_the_same_is_said_by_silence() -> None:
    result = run(MLP, MLP)
    assert (result.exit_code, result.output) == (0, "")


def test_spellings_of_the_same(changed: Callable[[Change], Path]) -> None:
    """`x` and `x:0`, defaults that are left out, the order of control inputs, the encoding of a constant, unknown fields."""

    def respell(nodes: dict[str, graph_pb2.NodeDef], graph: graph_pb2.GraphDef) -> None:
        nodes["hidden"].input[0] = "BiasAdd:0"
        del nodes["MatMul"].attr["transpose_a"]
        tensor = nodes["b1"].attr["value"].tensor
        values = np.frombuffer(tensor.tensor_content, np.float32)
        tensor.ClearField("tensor_content")
        tensor.float_val.extend(values.tolist())

    assert run(MLP, changed(respell)).exit_code == 0


VALUES = [
    (np.float32, [1.0, 2.0], [1.0, 2.5], 0.5),
    (np.float32, [np.nan, 1.0], [np.nan, 1.0], None),
    (np.float32, [np.inf, 1.0], [np.inf, 1.0], None),
    (np.float32, [np.nan, 1.0], [0.0, 1.0], np.inf),
    (np.float32, [0.0, 1.0], [-0.0, 1.0], None),
    (np.float64, [1.0, 2.0], [1.0, 2.0 + 1e-15], 1e-15),
    (np.int64, [2**62, 0], [2**62 + 1, 0], 1),
    (np.int64, [-(2**63), 0], [2**63 - 1, 0], 2.0**64),
    (np.uint8, [0, 255], [255, 0], 255),
    (np.bool_, [True, False], [True, True], 1),
    (np.complex64, [1 + 1j, 0], [1 + 4j, 4], 4),
    (object, [b"a", b"b"], [b"a", b"c"], 1),
]


@pytest.mark.parametrize(("dtype", "a", "b", "largest"), VALUES)
def test_constants_are_compared_by_value(tmp_path: Path, dtype: Any, a: Any, b: Any, largest: float | None) -> None:
    for name, values in (("a.pb", a), ("b.pb", b)):
        array = np.array(values, dtype)
        graph = graphgrad.Graph()
        graph.build.op("Const", value=arrays.to_proto(array), dtype=arrays.dtype_of(array), name="c")
        graphgrad.save(graph, tmp_path / name)
    found = document(tmp_path / "a.pb", tmp_path / "b.pb")
    assert found["same"] == (largest is None)
    if largest is not None:
        (entry,) = found["changed"]
        assert list(entry["fields"]) == ["value"]
        assert entry["largest_difference"] == pytest.approx(largest, rel=0.2)
        assert "~ c  largest difference " in run(tmp_path / "a.pb", tmp_path / "b.pb").stdout
        assert document(tmp_path / "a.pb", tmp_path / "b.pb", "--ignore", "constants")["same"]


def test_shapes_of_constants(changed: Callable[[Change], Path]) -> None:
    def reshape(nodes: dict[str, graph_pb2.NodeDef], graph: graph_pb2.GraphDef) -> None:
        nodes["b1"].attr["value"].tensor.tensor_shape.dim.add(size=1)

    (entry,) = document(MLP, changed(reshape))["changed"]
    assert entry == {"name": "b1", "op": "Const", "fields": {"value": {"a": "float32 [16]", "b": "float32 [16, 1]"}}}


def test_large_constants_that_stay_in_the_file(tmp_path: Path) -> None:
    """Contents of more than 64 KiB are not parsed; they differ all the same."""
    weights = np.random.default_rng(1).normal(size=(300, 500)).astype(np.float32)
    other = weights.copy()
    other[7, 9] += 0.25
    for name, value in (("a.pb", weights), ("b.pb", other)):
        graph = graphgrad.Graph()
        graph.build.op("Const", value=arrays.to_proto(value), dtype=dtypes.float32, name="c")
        graphgrad.save(graph, tmp_path / name)
    assert graphgrad.load(tmp_path / "a.pb").payloads
    (entry,) = document(tmp_path / "a.pb", tmp_path / "b.pb")["changed"]
    assert entry["largest_difference"] == pytest.approx(0.25, rel=1e-3)
    graphgrad.save(graphgrad.load(tmp_path / "a.pb"), tmp_path / "a.json")
    assert document(tmp_path / "a.pb", tmp_path / "a.json")["same"]
    assert document(tmp_path / "b.pb", tmp_path / "a.json")["same"] is False


def test_functions_and_versions(changed: Callable[[Change], Path], tmp_path: Path) -> None:
    def functions(nodes: dict[str, graph_pb2.NodeDef], graph: graph_pb2.GraphDef) -> None:
        graph.library.function.add().signature.name = "f"
        graph.versions.producer = 7

    other = changed(functions)
    found = document(MLP, other)
    assert found["functions"] == {"added": ["f"], "removed": [], "changed": []}
    assert found["versions"] == {"a": "producer: 1882", "b": "producer: 7"}
    shown = run(MLP, other).stdout
    assert "+ function f\n" in shown and "~ versions: producer: 1882 -> producer: 7\n" in shown
    assert document(other, MLP)["functions"]["removed"] == ["f"]
    assert document(MLP, other, "--ignore", "functions", "--ignore", "versions")["same"]
    third = tmp_path / "c.pb"
    graph = graph_pb2.GraphDef.FromString(other.read_bytes())
    graph.library.function[0].signature.description = "another"
    third.write_bytes(graph.SerializeToString())
    assert document(other, third)["functions"]["changed"] == ["f"]


def test_wrong_aspects_are_usage_errors() -> None:
    result = run(MLP, MLP, "--ignore", "devices")
    assert result.exit_code == 2
    assert result.stderr == (
        "error: --ignore 'devices': it must be one of op, inputs, control, device, attr, internal, constants, "
        "functions, versions (did you mean 'device'?)\n"
    )


def test_long_lists_are_cut_for_people_only(tmp_path: Path) -> None:
    graph = graphgrad.Graph()
    for _ in range(300):
        graph.build.NoOp()
    graphgrad.save(graph, tmp_path / "b.pb")
    graphgrad.save(graphgrad.Graph(), tmp_path / "a.pbtxt")
    (tmp_path / "a.pbtxt").write_text("versions { producer: 1 }")
    assert run(tmp_path / "a.pbtxt", tmp_path / "b.pb").stdout.endswith("more lines: --json lists all\n")
    assert len(document(tmp_path / "a.pbtxt", tmp_path / "b.pb")["added"]) == 300
