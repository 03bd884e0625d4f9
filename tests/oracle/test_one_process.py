"""TensorFlow and graphgrad in one process: what one writes the other reads, and both give the same numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tensorflow as tf

import graphgrad

SAMPLE = Path(__file__).parents[2] / "samples" / "01_mlp"
tf1 = tf.compat.v1


def test_the_sample_in_both(tmp_path: Path) -> None:
    graph = graphgrad.load(SAMPLE / "graph.pb")
    found = graphgrad.gradients("loss", ["W1", "b2"], graph=graph)
    graphgrad.save(graph, tmp_path / "o.pb")
    feeds = dict(np.load(SAMPLE / "feeds.npz"))
    ours = graphgrad.evaluate(graph, found, feeds)
    with tf1.Session(graph=tf.Graph()) as session:
        tf.import_graph_def(tf1.GraphDef.FromString((tmp_path / "o.pb").read_bytes()), name="")
        theirs = session.run([d.name for d in found], {f"{name}:0": value for name, value in feeds.items()})
    for a, b in zip(ours, theirs, strict=True):
        assert np.allclose(a, b, rtol=1e-5, atol=1e-6)
