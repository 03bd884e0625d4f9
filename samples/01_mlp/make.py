"""Writes the sample: a frozen classifier of two dense layers with its loss, and a batch to feed it."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from graphgrad import Graph, dtypes, save
from graphgrad.formats import arrays


def main(folder: Path) -> None:
    """Writes graph.pb and feeds.npz."""
    random = np.random.default_rng(0)
    graph = Graph()
    graph.message.versions.producer = 1882
    g = graph.build

    def weights(name: str, *shape: int) -> object:
        value = random.normal(0, 0.3, shape).astype(np.float32)
        return g.op("Const", value=arrays.to_proto(value), dtype=dtypes.float32, name=name).outputs[0]

    x = g.Placeholder(dtype=dtypes.float32, shape=(None, 8), name="x")
    labels = g.Placeholder(dtype=dtypes.int32, shape=(None,), name="labels")
    hidden = g.Relu(g.BiasAdd(g.MatMul(x, weights("W1", 8, 16)), weights("b1", 16)), name="hidden")
    logits = g.BiasAdd(g.MatMul(hidden, weights("W2", 16, 4)), weights("b2", 4), name="logits")
    losses, _ = g.SparseSoftmaxCrossEntropyWithLogits(logits, labels, name="losses")
    g.Mean(losses, [0], name="loss")
    save(graph, folder / "graph.pb")
    batch = {"x": random.normal(size=(5, 8)).astype(np.float32), "labels": np.array([0, 1, 2, 3, 1], np.int32)}
    arrays.write_npz(folder / "feeds.npz", batch)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
