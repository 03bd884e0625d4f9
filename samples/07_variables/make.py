"""Writes the sample: a model whose weights are variables, of version 1 and of version 2, with values in an archive."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from graphgrad import Graph, dtypes, save
from graphgrad.formats import arrays


def main(folder: Path) -> None:
    """Writes graph.pb, feeds.npz and vars.npz."""
    graph = Graph()
    graph.message.versions.producer = 1882
    g = graph.build
    random = np.random.default_rng(7)
    words = g.Placeholder(dtype=dtypes.int32, shape=(None,), name="words")
    table = g.VarHandleOp(dtype=dtypes.float32, shape=(6, 3), shared_name="table", name="table")
    kernel = g.VarHandleOp(dtype=dtypes.float32, shape=(3, 2), shared_name="kernel", name="kernel")
    bias = g.VariableV2(shape=(2,), dtype=dtypes.float32, name="bias")
    rows = g.ResourceGather(table, words, dtype=dtypes.float32, name="rows")
    product = g.MatMul(rows, g.ReadVariableOp(kernel, dtype=dtypes.float32, name="kernel/Read/ReadVariableOp"))
    scores = g.Tanh(g.BiasAdd(product, g.Identity(bias, name="bias/read")), name="scores")
    g.L2Loss(scores, name="loss")
    save(graph, folder / "graph.pb")
    arrays.write_npz(folder / "feeds.npz", {"words": np.array([1, 4, 4], np.int32)})
    shapes = {"table": (6, 3), "kernel": (3, 2), "bias": (2,)}
    values = {name: random.normal(0, 0.5, shape).astype(np.float32) for name, shape in shapes.items()}
    arrays.write_npz(folder / "vars.npz", values)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
