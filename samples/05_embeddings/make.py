"""Writes the sample: rows of an embedding table, with sparse gradients."""

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
    random = np.random.default_rng(5)
    value = random.normal(0, 0.3, (6, 2)).astype(np.float32)
    table = g.op("Const", value=arrays.to_proto(value), dtype=dtypes.float32, name="table").outputs[0]
    words = g.Placeholder(dtype=dtypes.int32, shape=(None,), name="words")
    g.L2Loss(g.GatherV2(table, words, 0), name="loss")
    feeds = {"words": np.array([1, 4, 4], np.int32)}
    save(graph, folder / "graph.pb")
    arrays.write_npz(folder / "feeds.npz", feeds)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
