"""Files that hold a model in a way that is not read say so in one line, with what to do; tables filled from a model's own files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import graphgrad
from graphgrad import Graph, dtypes
from graphgrad.errors import EvaluationError, ModelError
from graphgrad.formats import models
from graphgrad.schema import saved_model_pb2
from tests import file_store

OTHERS = {
    "m.h5": (b"\x89HDF\r\n\x1a\n", r"HDF5 file.*model\.export\(FOLDER\)"),
    "m.keras": (b"PK\x03\x04", r"zip archive.*model\.export\(FOLDER\)"),
    "m.tflite": (b"\x1c\0\0\0TFL3", "TensorFlow Lite"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_kinds_of_files(name: str, tmp_path: Path) -> None:
    start, said = OTHERS[name]
    (tmp_path / name).write_bytes(start + bytes(100))
    with pytest.raises(ModelError, match=said):
        graphgrad.load(tmp_path / name)


def test_a_message_in_pieces(tmp_path: Path) -> None:
    (tmp_path / "saved_model.cpb").write_bytes(b"")
    with pytest.raises(ModelError, match=r"in pieces.*experimental_image_format=False"):
        graphgrad.load(tmp_path)


def filled(*, key: int = -2, value: int = -1, size: int = -1) -> tuple[Graph, graphgrad.Tensor]:
    """A meta graph whose table is filled from a file of its folder."""
    graph = Graph()
    g = graph.build
    table = g.HashTableV2(key_dtype=dtypes.string, value_dtype=dtypes.int64, shared_name="t")
    path = g.Placeholder(dtype=dtypes.string, shape=(), name="path")
    attrs = {"key_index": key, "value_index": value, "vocab_size": size, "delimiter": ","}
    g.op("InitializeTableFromTextFileV2", table, path, name="init", **attrs)
    keys = g.Placeholder(dtype=dtypes.string, shape=(None,), name="keys")
    return graph, g.LookupTableFindV2(table, keys, g.constant(-9, dtypes.int64))


def look_up(text: str, folder: Path, **columns: int) -> list[int]:
    graph, found = filled(**columns)
    meta = saved_model_pb2.MetaGraphDef()
    meta.meta_info_def.tags.append("serve")
    asset = meta.asset_file_def.add(filename="words.txt")
    asset.tensor_info.name = "path:0"
    meta.signature_def["__saved_model_init_op"].outputs["__saved_model_init_op"].name = "init"
    graph.meta = meta
    graphgrad.save(graph, folder / "model", kind=models.SAVED)
    (folder / "model" / "assets").mkdir()
    (folder / "model" / "assets" / "words.txt").write_text(text)
    again = graphgrad.load(folder / "model")
    keys = np.array([b"a", b"b", b"c"], object)
    return graphgrad.evaluate(again, found.name, {"keys:0": keys}).tolist()


def test_lines_and_their_numbers(tmp_path: Path) -> None:
    assert look_up("a\nb\r\n", tmp_path) == [0, 1, -9]


def test_columns(tmp_path: Path) -> None:
    assert look_up("x,7,a\ny,8,c\n", tmp_path, key=2, value=1) == [7, -9, 8]


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"key": 3}, "line 1 of file .*words.txt' has 2 columns, and number 3 is asked for"),
        ({"size": 5}, "has 2 lines, and 5 entries are asked for"),
        ({"key": 0, "value": 1}, "words.txt': invalid literal"),
        ({"key": -1}, "numbers of lines are int64, and the table has object"),
    ],
)
def test_files_that_do_not_fit(columns: dict[str, int], said: str, tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match=said):
        look_up("a,b\nc,d\n", tmp_path, **columns)


def test_no_other_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("a\n")
    graph, found = filled()
    feeds = {"keys:0": np.array([b"a"], object), "path:0": np.array(str(tmp_path / "words.txt").encode(), object)}
    with pytest.raises(EvaluationError, match="is no asset of the model"):
        graphgrad.evaluate(graph, found, feeds, run_first=["init"])


def test_op_types_that_are_new_are_listed(tmp_path: Path) -> None:
    model = file_store.unpacked("dynamic_rnn", tmp_path)
    before = graphgrad.load(model.path)
    listed = {op.name for op in before.meta.meta_info_def.stripped_op_list.op}
    assert "StackPushV2" not in listed and "Enter" in listed
    graph = graphgrad.load(model.path)
    graphgrad.gradients(model.ys, model.xs, graph=graph)
    graphgrad.save(graph, tmp_path / "out.meta")
    again = saved_model_pb2.MetaGraphDef.FromString((tmp_path / "out.meta").read_bytes())
    names = [op.name for op in again.meta_info_def.stripped_op_list.op]
    assert len(names) == len(set(names)) and {op.type for op in graph} <= set(names)
