"""The graphs of the samples, gradients added, in a Session: the numbers are those of the interpreter."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

import graphgrad

SAMPLES = Path(__file__).parents[2] / "samples"
tf1 = tf.compat.v1
CALLS = {
    "01_mlp": ("loss", "W1,b1,W2,b2"),
    "02_total_and_partial": ("y", "a,b"),
    "04_convnet": ("loss", "filter,bias,dense,image"),
    "05_embeddings": ("loss", "table"),
    "06_hessian_vector": ("f", "x"),
    "07_variables": ("loss", "table,kernel,bias"),
}


@pytest.mark.parametrize("sample", CALLS)
def test_numbers(sample: str, tmp_path: Path) -> None:
    folder, (ys, xs) = SAMPLES / sample, CALLS[sample]
    graph = graphgrad.load(folder / "graph.pb")
    found = graphgrad.gradients(ys, xs.split(","), graph=graph)
    dense = [graph.build.dense(d) if isinstance(d, graphgrad.IndexedSlices) else d for d in found]
    graphgrad.save(graph, tmp_path / "o.pb")
    feeds = dict(np.load(folder / "feeds.npz"))
    variables = dict(np.load(folder / "vars.npz")) if (folder / "vars.npz").exists() else {}
    ours = graphgrad.evaluate(graph, [ys, *dense], feeds, variables)
    with tf1.Session(graph=tf.Graph()) as session:
        tf.import_graph_def(tf1.GraphDef.FromString((tmp_path / "o.pb").read_bytes()), name="")
        for name, value in variables.items():
            variable = session.graph.get_tensor_by_name(f"{name}:0")
            if variable.dtype == tf.resource:
                session.run(tf.raw_ops.AssignVariableOp(resource=variable, value=value))
            else:
                session.run(tf.raw_ops.Assign(ref=variable, value=value))
        fed = {f"{name}:0": value for name, value in feeds.items()}
        theirs = session.run([f"{ys}:0", *[d.name for d in dense]], fed)
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-5, atol=1e-6)
