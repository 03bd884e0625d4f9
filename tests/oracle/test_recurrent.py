"""Recurrent layers of Keras in graphs, out of a file: first and second derivatives, node for node and in numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras

import graphgrad
from graphgrad.graph import Graph
from graphgrad.runtime.plan import evaluate
from graphgrad.schema import graph_pb2
from tests.closeness import why_not_close
from tests.structure import difference, normal_form

tf1 = tf.compat.v1
L = keras.layers
LAYERS: dict[str, Callable[[], Any]] = {
    "lstm": lambda: L.LSTM(3, return_sequences=True),
    "gru": lambda: L.GRU(3),
    "gru of version 1, backwards": lambda: L.GRU(3, reset_after=False, go_backwards=True),
    "simple": lambda: L.SimpleRNN(3),
    "both ways": lambda: L.Bidirectional(L.LSTM(3)),
    "masked": lambda: keras.Sequential([L.Masking(), L.LSTM(3)]),
    "cells on cells": lambda: L.RNN([L.GRUCell(3), L.LSTMCell(2)]),
    "of convolutions": lambda: keras.Sequential([L.Reshape((5, 2, 2, 1)), L.ConvLSTM2D(2, 2, padding="same")]),
}
INPUT = np.random.default_rng(0).uniform(0.1, 0.9, (2, 5, 4)).astype(np.float32)


def written(layer: Callable[[], Any], batch: int | None) -> tuple[Any, str, dict[str, Any]]:
    """The graph, the name of its initializer, and its variables with their handles and dtypes."""
    keras.backend.clear_session()
    keras.utils.set_random_seed(1)
    with tf.Graph().as_default() as graph:
        x = tf1.placeholder(tf.float32, (batch, 5, 4), name="x")
        tf.reduce_sum(tf.square(layer()(x)), name="y")
        variables = {v.op.name: (v.handle.name, v.dtype) for v in tf1.global_variables()}
        initializer = tf1.global_variables_initializer().name
        return graph.as_graph_def(), initializer, variables


@pytest.mark.parametrize("batch", [2, None])
@pytest.mark.parametrize("name", LAYERS)
def test_gradients_of_a_layer(name: str, batch: int | None) -> None:
    tf1.enable_control_flow_v2()
    message, initializer, variables = written(LAYERS[name], batch)
    with tf.Graph().as_default() as theirs, tf1.Session() as session:
        tf.import_graph_def(message, name="")
        x, dx, expected = theirs.get_tensor_by_name("x:0"), theirs.get_tensor_by_name("y:0"), []
        for _ in range(2):
            (dx,) = tf1.gradients(dx, x)
            expected.append(dx.name)
        whole = graph_pb2.GraphDef.FromString(theirs.as_graph_def().SerializeToString())
        session.run(theirs.get_operation_by_name(initializer))
        values = session.run(expected, {x: INPUT})
        handles = {key: (theirs.get_tensor_by_name(handle), dtype) for key, (handle, dtype) in variables.items()}
        reads = {
            key: tf.raw_ops.ReadVariableOp(resource=handle, dtype=dtype) for key, (handle, dtype) in handles.items()
        }
        weights = session.run(reads)
    ours = Graph(graph_pb2.GraphDef.FromString(message.SerializeToString()))
    gradient, found = ours.tensor("y:0"), []
    for _ in range(2):
        (gradient,) = graphgrad.gradients([gradient], [ours.tensor("x:0")])
        found.append(gradient)
    assert [dx.name for dx in found] == expected
    assert not difference(
        normal_form(whole.node[len(message.node) :]), normal_form([op.node_def() for op in ours.added()])
    )
    for value, got in zip(values, evaluate(ours, found, {"x": INPUT}, weights), strict=True):
        assert not why_not_close(value, got, 5.0)
