"""Writes the sample: a small convolutional classifier."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from graphgrad import Graph, dtypes, save
from graphgrad.formats import arrays


def main(folder: Path) -> None:
    """Writes graph.pb and feeds.npz."""
    graph = Graph()
    graph.message.versions.producer = 1882
    g = graph.build
    random = np.random.default_rng(4)

    def weights(name: str, *shape: int) -> object:
        value = random.normal(0, 0.3, shape).astype(np.float32)
        return g.op("Const", value=arrays.to_proto(value), dtype=dtypes.float32, name=name).outputs[0]

    image = g.Placeholder(dtype=dtypes.float32, shape=(None, 8, 8, 1), name="image")
    labels = g.Placeholder(dtype=dtypes.int32, shape=(None,), name="labels")
    maps = g.Conv2D(image, weights("filter", 3, 3, 1, 4), strides=[1, 1, 1, 1], padding="SAME")
    maps = g.Relu(g.BiasAdd(maps, weights("bias", 4)))
    maps = g.MaxPool(maps, ksize=[1, 2, 2, 1], strides=[1, 2, 2, 1], padding="VALID")
    logits = g.MatMul(g.Reshape(maps, [-1, 64]), weights("dense", 64, 3), name="logits")
    losses, _ = g.SparseSoftmaxCrossEntropyWithLogits(logits, labels, name="losses")
    g.Mean(losses, [0], name="loss")
    feeds = {"image": random.normal(size=(2, 8, 8, 1)).astype(np.float32), "labels": np.array([0, 2], np.int32)}
    save(graph, folder / "graph.pb")
    arrays.write_npz(folder / "feeds.npz", feeds)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
