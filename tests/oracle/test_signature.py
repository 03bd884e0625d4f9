"""The signature of `graphgrad.gradients` is that of tf.gradients, whose constants it takes as they are."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest
import tensorflow as tf

import graphgrad
from tests.main.test_python import TENSORFLOWS

MLP = Path(__file__).parents[2] / "samples" / "01_mlp" / "graph.pb"


def test_signature() -> None:
    parameters = inspect.signature(tf.gradients).parameters.values()
    found = [(p.name, getattr(p.default, "value", p.default)) for p in parameters]
    assert found == TENSORFLOWS


@pytest.mark.parametrize("method", ["ADD_N", "DEFAULT", "EXPERIMENTAL_TREE", "EXPERIMENTAL_ACCUMULATE_N"])
def test_constants(method: str) -> None:
    theirs = getattr(tf.AggregationMethod, method)
    assert theirs == getattr(graphgrad.AggregationMethod, method)
    graph = graphgrad.load(MLP)
    (zeros,) = graphgrad.gradients(
        "hidden", "loss", aggregation_method=theirs, unconnected_gradients=tf.UnconnectedGradients.ZERO, graph=graph
    )
    assert graphgrad.evaluate(graph, zeros) == 0
