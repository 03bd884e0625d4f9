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
from graphgrad import attributes, dtypes
from graphgrad.formats import arrays
from graphgrad.schema import graph_pb2
from tests.loops import function

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
    assert attributes.shown(graph_pb2.AttrValue(type=96)) == "dtype 96"
    types = graph_pb2.AttrValue.ListValue(type=[1, 96])
    assert attributes.shown(graph_pb2.AttrValue(list=types)) == "[float32, dtype 96]"


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
        assert float(entry["largest_difference"]) == pytest.approx(largest, rel=0.2)
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


def calls(*names: str, also: Any = None) -> graphgrad.Graph:
    """A node for each function, which squares and adds what it is given; `also` does something more in the first one."""
    graph = graphgrad.Graph()
    graph.message.versions.producer = 1882
    x = graph.build.Placeholder(dtype=dtypes.float32, shape=(2,), name="x")

    def body(g: Any, a: Any) -> list[Any]:
        squared = g.Mul(a, a, name="squared")
        return [g.AddV2(also(g, squared) if name == names[0] and also else squared, a, name="sum")]

    for i, name in enumerate(names):
        f = function(graph, name, [dtypes.float32], body)
        inside = function(graph, f"outer_{name}", [dtypes.float32], lambda g, a, f=f: one_call(g, a, f, "inner"))
        one_call(graph.build, x, inside, f"call_{i}")
    return graph


def one_call(g: Any, x: Any, f: Any, name: str) -> list[Any]:
    return list(g.op("PartitionedCall", [x], f=f, Tout=[dtypes.float32], name=name).outputs)


def saved(path: Path, graph: graphgrad.Graph) -> Path:
    graphgrad.save(graph, path)
    return path


def test_bodies_of_functions(tmp_path: Path) -> None:
    a = saved(tmp_path / "a.pb", calls("f", "g"))
    b = saved(tmp_path / "b.pb", calls("f", "g", also=lambda g, x: g.Tanh(x, name="more")))
    found = document(a, b)
    assert found["functions"] == {"added": [], "removed": [], "changed": ["f"]}
    inputs = {"a": "squared, a0", "b": "more, a0"}
    assert found["function_changes"] == [
        {
            "name": "f",
            "name_in_b": "f",
            "fields": {},
            "added": [{"name": "more", "op": "Tanh"}],
            "removed": [],
            "changed": [{"name": "sum", "op": "AddV2", "fields": {"inputs": inputs}}],
            "renamed_scopes": [],
        }
    ]
    shown = run(a, b).stdout.splitlines()
    assert shown[2].split() == ["function", "f", "1", "1", "AddV2", "1,", "Tanh", "1"]
    assert shown[3:] == ["", "~ function f", "    + more  Tanh", "    ~ sum  inputs: squared, a0 -> more, a0"]
    assert run(a, b, "--stat").stdout.splitlines()[2:] == [shown[2], "functions: 1 changed"]
    assert document(a, b, "--ignore", "functions")["same"]


def test_functions_are_told_by_their_arguments_and_attributes(tmp_path: Path) -> None:
    graph = calls("f")
    definition = graph.functions["f"]
    definition.attr["_noinline"].b = True
    definition.signature.is_stateful = True
    definition.arg_attr[0].attr["_user_specified_name"].s = b"image"
    a, b = saved(tmp_path / "a.pb", calls("f")), saved(tmp_path / "b.pb", graph)
    (change,) = document(a, b)["function_changes"]
    assert change["fields"] == {
        "_noinline": {"a": "(none)", "b": "True"},
        "a0 _user_specified_name": {"a": "(none)", "b": "'image'"},
        "signature": {"a": "", "b": "is_stateful: true"},
    }
    assert "~ function f\n    _noinline: (none) -> True\n" in run(a, b).stdout
    (change,) = document(a, b, "--ignore", "internal")["function_changes"]
    assert list(change["fields"]) == ["signature"]


def test_a_function_may_be_spelled_otherwise(tmp_path: Path) -> None:
    a = saved(tmp_path / "a.pb", calls("f"))
    graph = calls("f")
    (inner,) = graph.functions["outer_f"].node_def
    del inner.attr["executor_type"]
    assert graph.functions["outer_f"] != graphgrad.load(a).functions["outer_f"]
    assert run(a, saved(tmp_path / "b.pb", graph)).exit_code == 0
    inner.attr["executor_type"].s = b"SINGLE_THREADED_EXECUTOR"
    assert "    ~ inner  executor_type: '' -> 'SINGLE_" in run(a, saved(tmp_path / "b.pb", graph)).stdout


def test_names_that_count_on(tmp_path: Path) -> None:
    """Those of generated functions end in numbers that say nothing: each is compared with what the same node calls."""
    a = saved(tmp_path / "a.pb", calls("__inference_f_12", "__inference_f_29"))
    b = saved(tmp_path / "b.pb", calls("__inference_f_471", "__inference_f_500"))
    found = document(a, b)
    assert found["functions"]["removed"][:2] == ["__inference_f_12", "outer___inference_f_12"]
    assert found["functions"]["added"][:2] == ["__inference_f_471", "outer___inference_f_471"]
    names = {change["name"]: change["name_in_b"] for change in found["function_changes"]}
    assert names == {
        f"{outer}__inference_f_{x}": f"{outer}__inference_f_{y}"
        for outer in ("", "outer_")
        for x, y in ((12, 471), (29, 500))
    }
    result = run(a, b)
    assert "~ function __inference_f_12 -> __inference_f_471\n" in result.stdout
    assert "+ function" not in result.stdout and "- function" not in result.stdout
    assert result.stderr == (
        "names of 4 functions differ in their numbers alone: --ignore function-names passes over that\n"
    )
    assert run(a, b, "--ignore", "function-names").exit_code == 0
    other = saved(tmp_path / "c.pb", calls("__inference_f_471", "__inference_f_500", also=lambda g, x: g.Tanh(x)))
    found = document(a, other, "--ignore", "function-names")
    assert found["functions"] == {"added": [], "removed": [], "changed": ["__inference_f_12"]}
    assert found["changed"] == []


def test_numbers_that_have_moved_on_by_one(tmp_path: Path) -> None:
    """The names are there on both sides, but of other functions."""
    a = saved(tmp_path / "a.pb", calls("f_grad", "f_grad_1"))
    b = saved(tmp_path / "b.pb", calls("f_grad_1", "f_grad_2", "f_grad", also=lambda g, x: g.Tanh(x, name="more")))
    found = document(a, b, "--ignore", "function-names")
    assert found["functions"] == {"added": ["f_grad", "outer_f_grad"], "removed": [], "changed": ["f_grad"]}
    (change,) = found["function_changes"]
    assert (change["name_in_b"], change["added"]) == ("f_grad_1", [{"name": "more", "op": "Tanh"}])
    assert [op["name"] for op in found["added"]] == ["call_2"] and not found["changed"]
    assert document(a, b)["functions"]["added"] == ["f_grad_2", "outer_f_grad_2"]


def test_what_nothing_calls_is_paired_by_its_order(tmp_path: Path) -> None:
    def uncalled(*names: str) -> graphgrad.Graph:
        graph = calls("main")
        for i, name in enumerate(names):
            function(graph, name, [dtypes.float32], lambda g, x, i=i: [g.Tanh(x, name=f"t{i}")])
        return graph

    a = saved(tmp_path / "a.pb", uncalled("dense_1_fn_9", "dense_1_fn_10", "dense_2_fn_11"))
    b = saved(tmp_path / "b.pb", uncalled("dense_1_fn_98", "dense_1_fn_103", "dense_3_fn_104"))
    found = document(a, b, "--ignore", "function-names")
    assert found["functions"] == {"added": ["dense_3_fn_104"], "removed": ["dense_2_fn_11"], "changed": []}


def test_functions_that_cannot_be_read(tmp_path: Path) -> None:
    def broken(other: str) -> graphgrad.Graph:
        graph = calls("f")
        graph.functions["f"].node_def[0].input[0] = other
        return graph

    a, b = saved(tmp_path / "a.pb", broken("nowhere")), saved(tmp_path / "b.pb", calls("f"))
    (change,) = document(a, b)["function_changes"]
    assert change["fields"]["nodes"]["b"].startswith("2, not compared: function 'f': node 'squared' (Mul) has input ")
    assert document(a, a)["same"]


def test_long_values_are_cut_where_they_differ(tmp_path: Path) -> None:
    def wide(last: str) -> graphgrad.Graph:
        graph = graphgrad.Graph()
        xs = [graph.build.Placeholder(dtype=dtypes.float32, shape=(), name=f"x_{i}") for i in range(100)]
        graph.build.AddN([*xs[:-1], graph.build.Neg(xs[0], name=last)], name="sum")
        return graph

    a, b = saved(tmp_path / "a.pb", wide("left")), saved(tmp_path / "b.pb", wide("right"))
    (line,) = [line for line in run(a, b).stdout.splitlines() if line.startswith("~ sum")]
    assert line.endswith("x_97, x_98, left -> ..." + line.partition(" -> ...")[2]) and line.endswith("x_98, right")
    assert len(line) < 300
    assert len(document(a, b)["changed"][0]["fields"]["inputs"]["a"]) > 500


def test_wrong_aspects_are_usage_errors() -> None:
    result = run(MLP, MLP, "--ignore", "devices")
    assert result.exit_code == 2
    assert result.stderr == (
        "error: --ignore 'devices': it must be one of op, inputs, control, device, attr, internal, constants, "
        "functions, function-names, scope-names, versions (did you mean 'device'?)\n"
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
