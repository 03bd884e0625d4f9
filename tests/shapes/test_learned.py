"""What becomes of static knowledge when a shape is learned after it was asked for: values are looked for again, shapes stay."""

from __future__ import annotations

from graphgrad import dtypes
from graphgrad.differentiate import gradients
from graphgrad.graph import Graph


def test_a_value_is_looked_for_again_when_a_shape_is_learned() -> None:
    g = Graph().build
    x = g.Placeholder(dtype=dtypes.float32, shape=None)
    axes = g.range(0, g.rank(x))
    total = g.Sum(x, axes)
    assert total.shape is None and axes.value is None
    x.has_shape((None,))
    assert axes.value is not None and axes.value.flat == (0,)


def test_second_order_knows_what_was_learned_at_the_first() -> None:
    """The sum of the values' gradient, whose rank only the values tell, is differentiated by Tile as in TensorFlow."""
    graph = Graph()
    g = graph.build
    values = g.Placeholder(dtype=dtypes.float32, shape=(None,), name="values")
    default = g.Placeholder(dtype=dtypes.float32, shape=(), name="default")
    shape = g.Placeholder(dtype=dtypes.int32, shape=None, name="shape")
    y = g.SparseToDense(g.constant([[0], [2]], dtypes.int32), shape, values, default, name="y")
    dy = g.Placeholder(dtype=dtypes.float32, shape=None, name="dy")
    (ddefault,) = gradients([y], [default], grad_ys=[dy])
    gradients([ddefault], [dy])
    assert graph.operation("gradients_1/gradients/y_grad/Sum_1_grad/Tile").type == "Tile"


def test_a_shape_stays_as_it_was_when_it_was_worked_out() -> None:
    """The product in the rule of a solve is made before its other factor, a gradient, is said to be shaped like its x."""
    graph = Graph()
    g = graph.build
    bands = g.Placeholder(dtype=dtypes.float32, shape=(2, 2), name="bands")
    rhs = g.Placeholder(dtype=dtypes.float32, shape=(2, 2), name="rhs")
    y = g.BandedTriangularSolve(bands, rhs, name="y")
    dy = g.Placeholder(dtype=dtypes.float32, shape=None, name="dy")
    _, drhs = gradients([y], [bands, rhs], grad_ys=[dy])
    assert drhs.shape == (2, 2)
    assert graph.operation("gradients/y_grad/Neg").outputs[0].shape is None


def test_gradients_of_sparse_values_have_the_shapes_of_these() -> None:
    """The indices' rows, which SparseAddGrad goes by, may know less."""
    graph = Graph()
    g = graph.build
    places = g.Placeholder(dtype=dtypes.int64, shape=(None, None))
    values = g.Placeholder(dtype=dtypes.float32, shape=(1,))
    shape = g.Placeholder(dtype=dtypes.int64, shape=(1,))
    _, z, _ = g.SparseAdd(places, values, shape, places, values, shape, g.constant(0.0))
    gradients([z], [values], gate_gradients=True)  # which hands on copies of what the rule gives
    (parts,) = (op.outputs for op in graph if op.type == "SparseAddGrad")
    assert [t.shape for t in parts] == [(1,), (1,)]
