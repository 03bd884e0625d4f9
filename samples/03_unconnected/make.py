"""Writes the sample: two constants that have nothing to do with each other."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from graphgrad import Graph, save
from graphgrad.formats import arrays


def main(folder: Path) -> None:
    """Writes graph.pb and feeds.npz."""
    graph = Graph()
    graph.message.versions.producer = 1882
    g = graph.build
    g.ones([1, 2], name="a")
    g.ones([3, 1], name="b")
    feeds: dict[str, np.ndarray] = {}
    save(graph, folder / "graph.pb")
    arrays.write_npz(folder / "feeds.npz", feeds)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
