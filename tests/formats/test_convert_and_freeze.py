"""Models as other kinds of files, and with constants in place of their variables."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphgrad
from graphgrad import dtypes, signatures
from graphgrad.errors import ArgumentError, ModelError
from graphgrad.formats import models, restored
from graphgrad.schema import graph_pb2, saved_model_pb2
from tests import file_store
from tests.closeness import why_not_close
from tests.commands import run
from tests.file_store import Model


def frozen(model: Model, out: Path, *more: object) -> Any:
    variables = [] if model.variables is None else ["--variables", model.variables]
    return run("freeze", model.path, *variables, "-o", out, *more)


@pytest.mark.parametrize("suffix", [".pb", ".meta", ""])
@pytest.mark.parametrize("name", file_store.NAMES)
def test_frozen_models_compute_the_same(name: str, suffix: str, tmp_path: Path) -> None:
    model = file_store.unpacked(name, tmp_path)
    original = graphgrad.load(model.path)
    out = tmp_path / f"frozen{suffix}"
    result = frozen(model, out, "--json")
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["frozen"]
    graph = graphgrad.load(out)
    assert not [op for op in graph if op.type in restored.VARIABLES]
    ys, xs = (
        [signatures.tensor_name(original, name, side) for name in names]
        for side, names in ((signatures.OUTPUTS, model.ys), (signatures.INPUTS, model.xs))
    )
    feeds = {signatures.tensor_name(original, key, signatures.INPUTS): value for key, value in model.feeds.items()}
    found = [graph.build.dense(dx) for dx in graphgrad.gradients(ys, xs, graph=graph)]
    # What fills tables is known from the meta graph; a GraphDef has the operation.
    filling = signatures.initialiser(original)
    first = [filling] if suffix == ".pb" and filling is not None and filling in graph else []
    values = graphgrad.evaluate(graph, [*ys, *found], feeds, run_first=first)
    for key, value in zip([*model.ys, *(f"d{x}" for x in model.xs)], values, strict=True):
        assert why_not_close(model.values[key], value) == "", key
    if suffix != ".pb" and original.meta.signature_def:
        assert graph.meta.signature_def["serving_default"] == original.meta.signature_def["serving_default"]


def test_the_names_of_a_signature_that_is_lost_are_told(tmp_path: Path) -> None:
    model = Path(__file__).parents[2] / "samples" / "08_saved_model" / "model"
    told = run("freeze", model, "-o", tmp_path / "frozen.pb").stderr
    assert "features is serving_default_features:0, score is StatefulPartitionedCall:0" in told
    assert "has no signature" not in run("freeze", model, "-o", tmp_path / "frozen.meta").stderr
    only = run("freeze", model, "--outputs", "hidden/kernel/Read/ReadVariableOp", "-o", tmp_path / "w.pb", "--json")
    assert json.loads(only.stdout)["names"] == {"inputs": {}, "outputs": {}}


def test_what_fills_the_tables_of_a_frozen_graph_is_told(tmp_path: Path) -> None:
    model = file_store.unpacked("vocabulary", tmp_path)
    result = frozen(model, tmp_path / "o.pb", "--json")
    assert json.loads(result.stdout)["run_first"] == "NoOp"
    assert "its tables are empty until NoOp has run: eval --run-first NoOp" in frozen(model, tmp_path / "o.pb").stderr
    assert json.loads(frozen(model, tmp_path / "o.meta", "--json").stdout)["run_first"] is None
    graph = graphgrad.load(tmp_path / "o.pb")
    constants = [n for f in graph.functions.values() for n in f.node_def if n.name.endswith("/keys")]
    assert [list(n.attr["value"].tensor.string_val) for n in constants] == [[b"a", b"b", b"c"]]
    assert str(tmp_path).encode() not in (tmp_path / "o.pb").read_bytes()


def test_a_file_that_does_not_fit_its_table_is_told(tmp_path: Path) -> None:
    model = file_store.unpacked("vocabulary", tmp_path)
    (model.path / "assets" / "words.txt").write_text("a\n\nc\n")
    result = frozen(model, tmp_path / "o.pb")
    assert result.exit_code == 3 and "line 2 of file" in result.stderr and "words.txt' is empty" in result.stderr
    assert "InitializeTableFromTextFileV2 node 'text_file_init/InitializeTableFromTextFileV2'" in result.stderr


def test_mutable_tables_without_an_initialiser_are_filled_when_the_model_is_loaded(tmp_path: Path) -> None:
    """Of a MetaGraph with its checkpoint, which has nothing that is run when it is loaded."""
    graph = graphgrad.Graph()
    g = graph.build
    table = g.MutableHashTableV2(key_dtype=dtypes.string, value_dtype=dtypes.int64, name="words")
    keys = g.Placeholder(dtype=dtypes.string, shape=(None,), name="keys")
    g.LookupTableFindV2(table, keys, g.constant(-1, dtypes.int64), name="found")
    given = {"words:keys": np.array([b"a", b"b"], object), "words:values": np.array([4, 5])}
    made = graphgrad.freeze(graph, given, ["found"])
    found = {"keys": np.array([b"b", b"c"], object)}
    assert graphgrad.evaluate(made, "found", found, run_first=["fill_tables"]).tolist() == [5, -1]
    assert graphgrad.evaluate(graph, "found", found, given).tolist() == [5, -1]
    made.meta = graph.meta = saved_model_pb2.MetaGraphDef()
    graphgrad.save(graphgrad.freeze(graph, given, ["found"]), tmp_path / "model.meta", kind=models.META)
    assert graphgrad.evaluate(graphgrad.load(tmp_path / "model.meta"), "found", found).tolist() == [5, -1]


def test_all_missing_variables_are_named(tmp_path: Path) -> None:
    model = file_store.unpacked("version_1", tmp_path)
    np.savez(tmp_path / "some.npz", **{"kernel/part_1": np.zeros((1, 3), np.float32)})
    result = run("freeze", model.path, "--variables", tmp_path / "some.npz", "-o", tmp_path / "out.pb")
    assert (result.exit_code, result.stderr) == (
        2,
        "error: no value for 3 of 4 variables: 'kernel/part_0', 'kernel/part_2', 'zeros'; "
        "give --variables an .npz or the prefix of a checkpoint that has them\n",
    )
    assert not (tmp_path / "out.pb").exists()


def test_all_variables_without_a_value_are_named_when_run(tmp_path: Path) -> None:
    model = file_store.unpacked("version_1", tmp_path)
    np.savez(tmp_path / "some.npz", **{"kernel/part_1": np.zeros((1, 3), np.float32)})
    np.savez(tmp_path / "fed.npz", **model.feeds)
    fed = ["--fetch", "loss", "--feeds", tmp_path / "fed.npz"]
    result = run("eval", model.path, *fed, "--variables", tmp_path / "some.npz")
    assert (result.exit_code, result.stderr) == (
        5,
        "error: 3 variables have no value: 'kernel/part_0', 'kernel/part_2', 'zeros': give them with --variables, "
        "or run what assigns them first with --run-first\n",
    )


def test_values_that_do_not_fit(tmp_path: Path) -> None:
    model = file_store.unpacked("version_1", tmp_path)
    graph = graphgrad.load(model.path)
    values = dict(graphgrad.variables_of(graph, model.variables))
    with pytest.raises(ArgumentError, match=r"variable 'zeros' has shape \[40, 50\], and the value given \[3\]"):
        graphgrad.freeze(graph, {**values, "zeros": np.zeros(3, np.float32)})
    with pytest.raises(ArgumentError, match="variable 'zeros' is float32, and the value given is int64"):
        graphgrad.freeze(graph, {**values, "zeros": np.zeros((40, 50), np.int64)})


def test_a_variable_handed_to_a_function_that_is_missing() -> None:
    graph = graphgrad.Graph()
    g = graph.build
    handle = g.VarHandleOp(dtype=dtypes.float32, shape=(2,), shared_name="v", name="v")
    f = graph_pb2.NameAttrList(name="gone")
    g.op("PartitionedCall", [handle], f=f, Tout=(dtypes.float32,), name="call")
    with pytest.raises(ModelError, match="function 'gone', which is not in the library"):
        graphgrad.freeze(graph, {"v": np.array([1, 2], np.float32)})


def test_what_changes_a_variable_is_left_out_or_refused() -> None:
    graph = graphgrad.Graph()
    g = graph.build
    handle = g.VarHandleOp(dtype=dtypes.float32, shape=(2,), shared_name="v", name="v")
    value = g.ReadVariableOp(handle, dtype=dtypes.float32, name="value")
    y = g.Mul(value, value, name="y")
    step = g.op("AssignSubVariableOp", handle, y, name="step")
    with g.control_dependencies([step]):
        g.Identity(y, name="after")
    values = {"v": np.array([1, 2], np.float32)}
    found = graphgrad.freeze(graph, values)
    assert [op.name for op in found] == ["v", "value", "y"]
    assert graphgrad.evaluate(found, "y").tolist() == [1, 4]
    with pytest.raises(
        ModelError, match="'after' cannot be frozen: AssignSubVariableOp node 'step' needs variable 'v'"
    ):
        graphgrad.freeze(graph, values, ["after"])
    assert [op.name for op in graphgrad.freeze(graph, values, ["value"])] == ["v", "value"]


def test_reads_of_every_kind() -> None:
    graph = graphgrad.Graph()
    g = graph.build
    table = np.arange(12, dtype=np.float32).reshape(2, 3, 2)
    handle = g.VarHandleOp(dtype=dtypes.float32, shape=table.shape, name="table")
    g.ResourceGather(handle, g.constant([1, 0, 1]), dtype=dtypes.float32, name="gather")
    g.op("ResourceGather", handle, g.constant([[0, 2], [1, 1]]), dtype=dtypes.float32, batch_dims=1, name="batched")
    g.ResourceGatherNd(handle, g.constant([[1, 2], [0, 0]]), dtype=dtypes.float32, name="gather_nd")
    g.VariableShape(handle, name="shape")
    g.VarIsInitializedOp(handle, name="is_there")
    reference = g.op("VariableV2", dtype=dtypes.float32, shape=table.shape, name="old").outputs[0]
    g.Identity(reference, name="read")
    g.op("IsVariableInitialized", reference, name="old_is_there")
    names = ["gather", "batched", "gather_nd", "shape", "is_there", "read", "old_is_there"]
    values = {"table": table, "old": -table}
    expected = graphgrad.evaluate(graph, names, {}, values)
    found = graphgrad.freeze(graph, values)
    assert {op.type for op in found} <= {"Const", "GatherV2", "GatherNd", "Shape", "Identity"}
    for name, wanted, value in zip(names, expected, graphgrad.evaluate(found, names), strict=True):
        assert np.array_equal(wanted, value), name


def test_variables_of_other_dtypes() -> None:
    import ml_dtypes

    graph = graphgrad.Graph()
    arrays = {
        "words": np.array([b"a", b"\xff\0"], object),
        "half": np.array([1.5, -2], ml_dtypes.bfloat16),
        "large": np.arange(1 << 15, dtype=np.int64),
        "no": np.array(False),
    }
    kinds = {"words": dtypes.string, "half": dtypes.bfloat16, "large": dtypes.int64, "no": dtypes.bool_}
    for name, array in arrays.items():
        handle = graph.build.VarHandleOp(dtype=kinds[name], shape=array.shape, name=name)
        graph.build.ReadVariableOp(handle, dtype=kinds[name], name=f"{name}/read")
    found = graphgrad.freeze(graph, arrays)
    assert list(found.payloads) == ["large"]
    values = graphgrad.evaluate(found, [f"{name}/read" for name in arrays])
    assert all(np.array_equal(a, b) for a, b in zip(arrays.values(), values, strict=True))


@pytest.mark.parametrize("name", ["simple_save", "nested_calls", "version_1"])
@pytest.mark.parametrize("suffix", [".pb", ".pbtxt", ".json.gz", ".meta", ""])
def test_converted_models_are_the_same_graph(name: str, suffix: str, tmp_path: Path) -> None:
    model = file_store.unpacked(name, tmp_path)
    out = tmp_path / f"out{suffix}"
    result = run("convert", model.path, "-o", out, "--json")
    assert result.exit_code == 0, result.stderr
    document = json.loads(result.stdout)
    kind = {".meta": "meta-graph", "": "saved-model"}.get(suffix, "graph-def")
    assert document["to"] == kind == graphgrad.load(out).source.kind
    assert run("diff", model.path, out).exit_code == 0
    again = tmp_path / "again.pb"
    assert run("convert", out, "-o", again).exit_code == 0
    assert run("diff", again, model.path).exit_code == 0


def test_what_is_lost_is_told_first(tmp_path: Path) -> None:
    model = file_store.unpacked("simple_save", tmp_path)
    result = run("convert", model.path, "-o", tmp_path / "out.pb")
    assert result.stderr.splitlines() == [
        "lost: the values of the variables, which stay in its folder (freeze makes constants of them)",
        "lost: the other meta graph",
        "lost: assets/ of its folder",
        "lost: the signatures serving_default",
        "lost: the collections asset_filepaths, saved_model_assets, trainable_variables, variables",
        "lost: which operations save and restore (the operations stay)",
        f"saved-model written as graph-def: {tmp_path / 'out.pb'}",
    ]
    assert json.loads(run("convert", tmp_path / "out.pb", "-o", tmp_path / "x.meta", "--json").stdout)["lost"] == []
    data = (tmp_path / "out.pb").read_bytes()
    (tmp_path / "unknown.pb").write_bytes(data + b"\xba\x3e\x03new")
    told = run("convert", tmp_path / "unknown.pb", "-o", tmp_path / "x.pbtxt").stderr
    assert told.startswith("lost: 6 bytes of fields that are not known, which only binary files hold\n")
    told = run("convert", tmp_path / "x.meta", "-o", tmp_path / "folder").stderr
    assert told.startswith("lost: the values of the variables, which lie in a checkpoint: the folder holds none\n")


def test_large_constants_are_written_from_where_they_lie(tmp_path: Path) -> None:
    graph = graphgrad.Graph()
    values = {name: np.random.default_rng(i).normal(size=(300, 100)) for i, name in enumerate("ab")}
    for name, array in values.items():
        handle = graph.build.VarHandleOp(dtype=dtypes.float64, shape=array.shape, name=name)
        graph.build.ReadVariableOp(handle, dtype=dtypes.float64, name=f"{name}/read")
    frozen_graph = graphgrad.freeze(graph, values)
    for suffix in (".pb", ".pb.gz", ".pbtxt", ".json", ".meta"):
        graphgrad.save(frozen_graph, tmp_path / f"m{suffix}")
        again = graphgrad.load(tmp_path / f"m{suffix}")
        assert np.array_equal(graphgrad.evaluate(again, "b/read"), values["b"]), suffix
    models.save(frozen_graph, tmp_path / "folder", "saved-model")
    assert np.array_equal(graphgrad.evaluate(graphgrad.load(tmp_path / "folder"), "a/read"), values["a"])
    assert graphgrad.load(tmp_path / "folder").meta.meta_info_def.tags == ["serve"]
