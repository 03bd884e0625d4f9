"""Resource variables behind functions and loops: what is known of them, and where they come from."""

from __future__ import annotations

import pytest

from graphgrad import Graph, dtypes, gradients, handles
from tests.loops import function


def test_an_unconnected_variable_gets_zeros_of_the_shape_it_declares() -> None:
    g = Graph().build
    x = g.Placeholder(dtype=dtypes.float32, shape=(3,), name="x")
    w = g.VarHandleOp(dtype=dtypes.float32, shape=(2, 3), name="w")
    [dw] = gradients(g.Sin(x), w, unconnected_gradients="zero")
    assert dw.op.inputs[0].op.type == "Const" and dw.shape == (2, 3)


@pytest.mark.parametrize("kind", ["If", "Case", "PartitionedCall"])
def test_a_handle_is_followed_through_the_functions_that_hand_it_on(kind: str) -> None:
    graph = Graph()
    g = graph.build
    w = g.VarHandleOp(dtype=dtypes.float32, shape=(2,), name="w")
    x = g.Placeholder(dtype=dtypes.float32, shape=(), name="x")
    back = function(graph, "back", [dtypes.float32, dtypes.resource], lambda g, x, w: [x, g.Identity(w)])
    p = g.Placeholder(dtype=dtypes.int32 if kind == "Case" else dtypes.bool_, shape=(), name="p")
    attrs = {
        "If": {"then_branch": back, "else_branch": back},
        "Case": {"branches": [back, back]},
        "PartitionedCall": {"f": back},
    }[kind]
    first = [] if kind == "PartitionedCall" else [p]
    op = g.op(kind, *first, [x, w], Tout=[dtypes.float32, dtypes.resource], **attrs)
    assert handles.handed_in(op.outputs[1]) is w
