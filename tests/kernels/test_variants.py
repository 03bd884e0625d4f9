"""What the values of variant tensors do beyond what TensorFlow's answers to the rows of `tests/cases` show."""

from __future__ import annotations

import numpy as np

from graphgrad import dtypes
from graphgrad.graph import Graph
from graphgrad.runtime.plan import evaluate


def test_zeros_of_an_optional_that_holds_a_string() -> None:
    graph = Graph()
    g = graph.build
    text = g.Placeholder(dtype=dtypes.string, shape=(2,), name="text")
    count = g.Placeholder(dtype=dtypes.int32, shape=(), name="count")
    zeros = g.ZerosLike(g.OptionalFromValue([text, count]))
    parts = g.OptionalGetValue(zeros, output_types=[dtypes.string, dtypes.int32], output_shapes=[(2,), ()])
    texts, number = evaluate(graph, parts, {"text": np.array([b"a", b"bc"], object), "count": 3})
    assert list(texts) == [b"", b""]
    assert number == 0


def test_a_tensor_array_takes_the_rows_of_a_vector_of_strings() -> None:
    g = Graph().build
    handle, flow = g.TensorArrayV3(2, dtype=dtypes.string)
    text = g.Placeholder(dtype=dtypes.string, shape=(2,), name="text")
    flow = g.TensorArrayScatterV3(handle, g.constant([0, 1]), text, flow)
    read = g.TensorArrayReadV3(handle, 1, flow, dtype=dtypes.string)
    (found,) = evaluate(g.graph, [read], {"text": np.array([b"a", b"bc"])})
    assert found == b"bc"
