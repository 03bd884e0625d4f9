"""What TensorFlow does with a benchmark's folder; run as a script, what a Python process does with it from its start.

python -m tests.benchmarks.tensorflow_side add-gradients|eval FOLDER OUTPUT
"""

from __future__ import annotations

import gc
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

THREADS = 2


def _imported(folder: Path) -> tuple[tf.Graph, dict[str, Any]]:
    definition = tf.compat.v1.GraphDef.FromString((folder / "graph.pb").read_bytes())
    graph = tf.Graph()
    with graph.as_default():
        tf.graph_util.import_graph_def(definition, name="")
    return graph, json.loads((folder / "names.json").read_text())


def _gradients(graph: tf.Graph, names: dict[str, Any]) -> None:
    y, xs = graph.get_tensor_by_name(names["y"]), [graph.get_tensor_by_name(x) for x in names["xs"]]
    with graph.as_default():
        tf.gradients(y, xs)


def evaluation(folder: Path) -> Callable[[], list[Any]]:
    """One step: the loss and every gradient from the feeds."""
    graph, names = _imported(folder)
    feeds = {f"{name}:0": array for name, array in np.load(folder / "feeds.npz").items()}
    threads = tf.compat.v1.ConfigProto(inter_op_parallelism_threads=THREADS, intra_op_parallelism_threads=THREADS)
    session = tf.compat.v1.Session(graph=graph, config=threads)
    return lambda: session.run(names["fetches"], feeds)


def building(folder: Path) -> Callable[[], tuple[float, int]]:
    """Seconds for the gradients of a graph just imported, and how many nodes they are."""

    def build() -> tuple[float, int]:
        gc.collect()  # the graph before this one
        graph, names = _imported(folder)
        before = len(graph.get_operations())
        start = time.perf_counter()
        _gradients(graph, names)
        return time.perf_counter() - start, len(graph.get_operations()) - before

    return build


def main(action: str, folder: Path, output: Path) -> None:
    if action == "eval":
        names = json.loads((folder / "names.json").read_text())
        np.savez(output, **dict(zip(names["fetches"], evaluation(folder)(), strict=True)))
        return
    graph, names = _imported(folder)
    _gradients(graph, names)
    output.write_bytes(graph.as_graph_def().SerializeToString())


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
