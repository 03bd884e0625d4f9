"""`graphgrad.gradients` as Python programs call it: the signature of tf.gradients, tensors or names, the documented errors."""

from __future__ import annotations

import enum
import inspect
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphgrad
from graphgrad import AggregationMethod, UnconnectedGradients, dtypes
from graphgrad.graph import Graph
from graphgrad.tensors import IndexedSlices

MLP = Path(__file__).parents[2] / "samples" / "01_mlp" / "graph.pb"

# inspect.signature(tf.gradients) of TensorFlow 2.21; tests/oracle asks it again.
TENSORFLOWS = [
    ("ys", inspect.Parameter.empty),
    ("xs", inspect.Parameter.empty),
    ("grad_ys", None),
    ("name", "gradients"),
    ("gate_gradients", False),
    ("aggregation_method", None),
    ("stop_gradients", None),
    ("unconnected_gradients", "none"),
]


@pytest.fixture
def graph() -> Graph:
    return graphgrad.load(MLP)


def names(found: Any) -> list[str]:
    return [d.name for d in found]


def test_signature() -> None:
    parameters = inspect.signature(graphgrad.gradients).parameters.values()
    positional = [p for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
    assert [(p.name, p.default) for p in positional] == TENSORFLOWS
    assert {p.name for p in parameters if p.kind is p.KEYWORD_ONLY} == {
        "graph",
        "checkpoints",
        "colocate_gradients_with_ops",
    }


def test_tensors_and_names_are_the_same(graph: Graph) -> None:
    by_name = graphgrad.gradients("loss", ["W1:0", "b2"], graph=graph)
    other = graphgrad.load(MLP)
    by_tensor = graphgrad.gradients(other.tensor("loss"), [other.tensor("W1"), other.tensor("b2")])
    assert (
        names(by_name)
        == names(by_tensor)
        == ["gradients/MatMul_grad/MatMul_1:0", "gradients/logits_grad/BiasAddGrad:0"]
    )
    assert names(graphgrad.gradients("loss", "W1", graph=graph)) == ["gradients_1/MatMul_grad/MatMul_1:0"]


def test_names_of_scopes(graph: Graph) -> None:
    assert names(graphgrad.gradients("loss", "loss", name="mine", graph=graph)) == ["mine/grad_ys_0:0"]
    assert names(graphgrad.gradients("loss", "loss", name="", graph=graph)) == ["grad_ys_0:0"]
    assert names(graphgrad.gradients("loss", "loss", name=None, graph=graph)) == ["gradients/grad_ys_0:0"]
    with pytest.raises(ValueError, match="'a b' is not a valid scope name"):
        graphgrad.gradients("loss", "loss", name="a b", graph=graph)


class TheirUnconnectedGradients(enum.Enum):
    ZERO = "zero"


@pytest.mark.parametrize("zero", ["zero", UnconnectedGradients.ZERO, TheirUnconnectedGradients.ZERO])
def test_unconnected_gradients(graph: Graph, zero: Any) -> None:
    loss = graph.tensor("loss")
    assert graphgrad.gradients(graph.tensor("hidden"), loss) == [None]
    assert graphgrad.gradients(graph.tensor("hidden"), loss, unconnected_gradients=UnconnectedGradients.NONE) == [None]
    (zeros,) = graphgrad.gradients(graph.tensor("hidden"), loss, unconnected_gradients=zero)
    assert (zeros.name, zeros.shape) == ("zeros_like:0", ())
    assert graphgrad.evaluate(graph, zeros) == 0


def test_an_output_that_nobody_read_is_given_the_zeros_its_operation_was_differentiated_with() -> None:
    graph = Graph()
    x = graph.build.Placeholder(dtype=dtypes.float32, shape=(2, 3), name="x")
    read, unread = graph.build.Unpack(x, num=2, name="rows")
    assert names(graphgrad.gradients(read, [x, unread])) == ["gradients/rows_grad/stack:0", "gradients/zeros_like:0"]
    assert graphgrad.gradients(read, [unread]) == [None]


def test_aggregation_methods(graph: Graph) -> None:
    assert (AggregationMethod.DEFAULT, AggregationMethod.EXPERIMENTAL_ACCUMULATE_N) == (0, 2)
    for method, spelled, sums in (
        (0, "add-n", "AddN"),
        (1, "experimental-tree", "gradient_sum"),
        (2, "experimental-accumulate-n", "gradient_sum"),
    ):
        both = [
            graphgrad.gradients(["loss", "hidden"], "x", aggregation_method=m, graph=graphgrad.load(MLP))
            for m in (method, spelled)
        ]
        assert names(both[0]) == names(both[1])
        added = [op.name for op in both[0][0].graph.added()]
        assert any(sums in name for name in added), added
    for wrong in (3, -1, True, "tree"):
        with pytest.raises(ValueError, match="aggregation_method is"):
            graphgrad.gradients("loss", "x", aggregation_method=wrong, graph=graph)


ARRAY = np.ones((2, 3), np.float32)


@pytest.mark.parametrize(
    "arguments",
    [
        {"ys": ARRAY, "xs": ARRAY},
        {"ys": [ARRAY], "xs": ["x"]},
        {"ys": "loss", "xs": [1.0]},
        {"ys": "loss", "xs": "x", "grad_ys": ARRAY},
        {"ys": "loss", "xs": "x", "stop_gradients": [ARRAY]},
        {"ys": "loss", "xs": None},
    ],
    ids=["both", "ys", "xs", "grad_ys", "stop_gradients", "none"],
)
def test_arrays_are_no_tensors_of_a_graph(graph: Graph, arguments: dict[str, Any]) -> None:
    with pytest.raises(RuntimeError, match="tensors of a graph"):
        graphgrad.gradients(**arguments, graph=graph)
    assert not graph.added()


def test_arrays_without_a_graph() -> None:
    with pytest.raises(RuntimeError, match="ndarray is none: take them from"):
        graphgrad.gradients(ARRAY, ARRAY)


def test_a_tensor_is_no_array(graph: Graph) -> None:
    with pytest.raises(RuntimeError, match="holds no numbers"):
        np.asarray(graph.tensor("loss"))
    with pytest.raises(RuntimeError, match="no truth value"):
        bool(graph.tensor("loss"))


@pytest.mark.parametrize(
    ("arguments", "builtin", "message"),
    [
        ({"ys": "los", "xs": "x"}, ValueError, "no node 'los' in the graph (did you mean 'loss'"),
        ({"ys": "loss:1", "xs": "x"}, ValueError, "no tensor 'loss:1'"),
        ({"ys": "^loss", "xs": "x"}, ValueError, "'^loss' is a control dependency"),
        ({"ys": [], "xs": "x"}, ValueError, "ys is empty"),
        ({"ys": "loss", "xs": []}, ValueError, "xs is empty"),
        ({"ys": "loss", "xs": "x", "grad_ys": []}, ValueError, "grad_ys has 0 items for 1 ys"),
        ({"ys": "loss", "xs": "x", "grad_ys": "logits"}, ValueError, "grad_ys: 'logits:0' has shape [?,4], and its y"),
        ({"ys": "loss", "xs": "x", "grad_ys": "labels"}, TypeError, "grad_ys: 'labels:0' is int32, and its y"),
        ({"ys": "loss", "xs": "x", "unconnected_gradients": "zeros"}, ValueError, "unconnected_gradients is 'zeros'"),
    ],
)  # fmt: skip
def test_wrong_arguments(graph: Graph, arguments: dict[str, Any], builtin: type[Exception], message: str) -> None:
    with pytest.raises(builtin) as raised:
        graphgrad.gradients(**arguments, graph=graph)
    assert message in str(raised.value)
    assert isinstance(raised.value, graphgrad.GraphGradError)
    assert not graph.added()


def test_names_need_a_graph_and_tensors_the_same_one(graph: Graph) -> None:
    with pytest.raises(ValueError, match="names of tensors need graph="):
        graphgrad.gradients("loss", "x")
    with pytest.raises(ValueError, match="belongs to another graph"):
        graphgrad.gradients(graph.tensor("loss"), graphgrad.load(MLP).tensor("x"))


def test_string_bool_and_complex_ys() -> None:
    g = Graph().build
    x = g.Placeholder(dtype=dtypes.complex64, shape=(2,), name="x")
    for y in (g.AsString(x), g.Equal(x, x)):
        with pytest.raises(TypeError, match="only numeric tensors have gradients"):
            graphgrad.gradients(y, x)
    with pytest.raises(TypeError, match="gradients of complex tensors need grad_ys"):
        graphgrad.gradients(x * x, x)
    (found,) = graphgrad.gradients(x * x, x, grad_ys=x)
    values = np.array([1 + 2j, 3j], np.complex64)
    assert np.allclose(graphgrad.evaluate(g.graph, found, {"x": values}), 2 * values * np.conj(values))


def test_sparse_gradients_are_fetched_as_arrays() -> None:
    g = Graph().build
    table = g.Placeholder(dtype=dtypes.float32, shape=(4, 2), name="table")
    y = g.GatherV2(table, g.constant([1, 3, 1]), 0)
    (found,) = graphgrad.gradients(y, table, grad_ys=y)
    assert isinstance(found, IndexedSlices)
    rows = np.arange(8, dtype=np.float32).reshape(4, 2)
    slices = graphgrad.evaluate(g.graph, found, {"table": rows})
    assert slices.indices.tolist() == [1, 3, 1]
    assert np.array_equal(slices.values, rows[[1, 3, 1]])
    assert slices.dense_shape.tolist() == [4, 2]
    (handed_on,) = graphgrad.gradients(g.Identity(table), table, grad_ys=found)
    assert isinstance(handed_on, IndexedSlices) and handed_on.name == "gradients_1/grad_ys_0_values:0"


def test_a_missing_gradient_is_a_lookup_error_that_lists_all() -> None:
    g = Graph().build
    x = g.Placeholder(dtype=dtypes.float32, shape=(3, 3), name="x")
    lower, _ = g.Lu(x, name="lu")
    y = g.Bincount(g.constant([1]), g.constant(3), g.Reshape(lower, [9]), name="counts")
    with pytest.raises(LookupError) as raised:
        graphgrad.gradients(y, x)
    assert "'Lu' (node 'lu')" in str(raised.value) and "'Bincount' (node 'counts')" in str(raised.value)
    assert raised.value.missing[0]["path"] == ["x", "lu", "Reshape", "counts"]
