"""Writes the sample: b = 2 a, differentiated in total and in part."""

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
    a = g.constant(0.0, name="a")
    b = g.Mul(g.constant(2.0, name="two"), a, name="b")
    g.AddV2(a, b, name="y")
    feeds: dict[str, np.ndarray] = {}
    save(graph, folder / "graph.pb")
    arrays.write_npz(folder / "feeds.npz", feeds)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
