"""Lookup tables through whole graphs: filled, changed, asked, kept from run to run."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from graphgrad import compile as compile_graph
from graphgrad import dtypes
from graphgrad.errors import EvaluationError
from graphgrad.formats import arrays
from graphgrad.graph import Graph
from graphgrad.kernels._state import State
from graphgrad.tensors import Tensor


def constant(graph: Graph, value: Any, dtype: Any = None) -> Tensor:
    array = np.array(value) if dtype is None else np.array(value, dtype)
    array = arrays.strings(array) if array.dtype.kind == "S" else array
    return graph.build.op("Const", value=arrays.to_proto(array), dtype=arrays.dtype_of(array)).outputs[0]


@pytest.fixture
def graph() -> Graph:
    return Graph()


def hash_table(graph: Graph) -> tuple[Tensor, Any]:
    g = graph.build
    table = g.HashTableV2(key_dtype=dtypes.string, value_dtype=dtypes.int64, shared_name="t")
    return table, g.op("InitializeTableV2", table, constant(graph, [b"a", b"bb"]), constant(graph, [1, 2]))


def found(graph: Graph, table: Tensor, keys: Any, default: Any) -> Tensor:
    return graph.build.LookupTableFindV2(table, constant(graph, keys), constant(graph, default))


def test_a_table_is_filled_once_and_asked_often(graph: Graph) -> None:
    table, initializer = hash_table(graph)
    values = found(graph, table, [[b"bb", b"x"], [b"a", b"a"]], -1)
    size = graph.build.LookupTableSizeV2(table)
    state = State()
    for _ in range(2):
        compile_graph(graph, [initializer], state=state).run()
    results = compile_graph(graph, [values, size], state=state).run()
    assert results[0].tolist() == [[2, -1], [1, 1]]
    assert results[0].dtype == np.int64
    assert results[1] == 2


def test_a_table_without_its_initializer_is_an_error(graph: Graph) -> None:
    table, _ = hash_table(graph)
    with pytest.raises(EvaluationError, match="not initialized"):
        compile_graph(graph, found(graph, table, [b"a"], -1)).run()


def test_other_content_for_a_filled_table_is_an_error(graph: Graph) -> None:
    table, initializer = hash_table(graph)
    other = graph.build.op("InitializeTableV2", table, constant(graph, [b"a"]), constant(graph, [7]))
    state = State()
    compile_graph(graph, [initializer], state=state).run()
    with pytest.raises(EvaluationError, match="different data"):
        compile_graph(graph, [other], state=state).run()


def test_a_mutable_table_is_changed(graph: Graph) -> None:
    g = graph.build
    table = g.MutableHashTableV2(key_dtype=dtypes.int64, value_dtype=dtypes.float32)
    insert = g.op("LookupTableInsertV2", table, constant(graph, [2, 7]), constant(graph, [0.5, 1.5], np.float32))
    remove = g.op("LookupTableRemoveV2", table, constant(graph, [2]))
    keys, values = g.LookupTableExportV2(table, Tkeys=dtypes.int64, Tvalues=dtypes.float32)
    state = State()
    compile_graph(graph, [insert], state=state).run()
    exported = compile_graph(graph, [keys, values], state=state).run()
    assert [x.tolist() for x in exported] == [[2, 7], [0.5, 1.5]]
    compile_graph(graph, [remove], state=state).run()
    assert compile_graph(graph, keys, state=state).run()[0].tolist() == [7]


def test_tensors_as_values_and_as_keys(graph: Graph) -> None:
    g = graph.build
    dense = g.MutableDenseHashTableV2(
        constant(graph, [0, 0]), constant(graph, [9, 9]), value_dtype=dtypes.float32, value_shape=(3,)
    )
    values = constant(graph, [[1.0, 2.0, 3.0]], np.float32)
    insert = g.op("LookupTableInsertV2", dense, constant(graph, [[1, 2]]), values)
    asked = g.LookupTableFindV2(dense, constant(graph, [[1, 2], [3, 4]]), constant(graph, [0.0, 0.0, 0.0], np.float32))
    state = State()
    compile_graph(graph, [insert], state=state).run()
    assert compile_graph(graph, asked, state=state).run()[0].tolist() == [[1, 2, 3], [0, 0, 0]]
    wrong = g.op("LookupTableInsertV2", dense, constant(graph, [[0, 0]]), values)
    with pytest.raises(EvaluationError, match="empty or the deleted key"):
        compile_graph(graph, [wrong], state=state).run()


def test_what_is_said(graph: Graph, capsys: pytest.CaptureFixture[str]) -> None:
    g = graph.build
    said = g.Print(constant(graph, 1.0, np.float32), [constant(graph, [[1, 2], [3, 4]])], message="m: ", first_n=2)
    plan = compile_graph(graph, said)
    for _ in range(3):
        assert plan.run()[0] == 1
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", "m: [[1 2][3...]...]\n" * 2)
    assertion = g.op("Assert", constant(graph, False), [constant(graph, b"x is"), constant(graph, [1, 2, 3, 4])])
    with pytest.raises(EvaluationError, match=r"assertion failed: \[x is\] \[1 2 3...\]"):
        compile_graph(graph, [assertion]).run()
