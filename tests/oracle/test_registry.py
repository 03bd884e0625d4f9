"""Every op that TensorFlow has a gradient for has one here and is drawn, and the same ones stop gradients on purpose."""

from __future__ import annotations

from tensorflow.python.framework.ops import gradient_registry

from graphgrad import opdefs, registry
from tests.oracle.draws import sketches
from tests.oracle.flow_draws import IN_PROGRAMS

# Their gradients are Python functions of the process that made the graph, or raise whatever they are given.
WITHOUT = {"EagerPyFunc", "SparseDenseCwiseAdd", "SparseMatrixMul", "TPUEmbeddingActivations"}
# TensorFlow's rules give None for every input: the same as none.
GIVES_NONE = {"ArgMax", "ArgMin", "Ceil", "Floor", "FloorDiv", "Rint", "Round", "TruncateDiv"}


def test_the_same_ops_have_gradients() -> None:
    theirs = {op: entry["type"] for op, entry in gradient_registry._registry.items() if opdefs.signature(op)}
    ours = {op: registry.gradient_rule(op) for op in theirs}
    unknown = {op for op, rule in ours.items() if rule is registry.UNKNOWN}
    stopped = {op for op, rule in ours.items() if rule is None}
    assert unknown == WITHOUT
    assert stopped - GIVES_NONE == {op for op, rule in theirs.items() if rule is None}


def test_each_that_has_a_gradient_is_drawn() -> None:
    theirs = {op for op, entry in gradient_registry._registry.items() if entry["type"] and opdefs.signature(op)}
    assert theirs == {*sketches(), *IN_PROGRAMS, *WITHOUT}
