"""Writes the sample: f(x) = sum of x to the fourth, and a vector v."""

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
    x = g.Placeholder(dtype=dtypes.float32, shape=(3,), name="x")
    g.Placeholder(dtype=dtypes.float32, shape=(3,), name="v")
    g.Sum(g.Square(g.Square(x)), [0], name="f")
    feeds = {"x": np.array([1, 2, 3], np.float32), "v": np.array([1, 0, -1], np.float32)}
    save(graph, folder / "graph.pb")
    arrays.write_npz(folder / "feeds.npz", feeds)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
