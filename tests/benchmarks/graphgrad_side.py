"""What graphgrad does with a benchmark's folder: one evaluation step, or building gradients.

The sides (graphgrad, tensorflow, numpy) offer the same functions, so that what is measured is written once.
"""

from __future__ import annotations

import gc
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np


def evaluation(folder: Path) -> Callable[[], list[Any]]:
    """One step: the loss and every gradient from the feeds."""
    from graphgrad import compile, load

    names = json.loads((folder / "names.json").read_text())
    feeds = dict(np.load(folder / "feeds.npz"))
    plan = compile(load(folder / "graph.pb"), names["fetches"], feeds)
    return lambda: plan.run(feeds)


def building(folder: Path) -> Callable[[], tuple[float, int]]:
    """Seconds for the gradients of a graph just loaded, and how many nodes they are."""
    from graphgrad import differentiate, load

    names = json.loads((folder / "names.json").read_text())

    def build() -> tuple[float, int]:
        gc.collect()  # the graph before this one
        graph = load(folder / "graph.pb")
        start = time.perf_counter()
        differentiate(names["y"], names["xs"], graph=graph)
        return time.perf_counter() - start, len(graph.added())

    return build
