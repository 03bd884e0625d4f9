"""Calls of single ops that were drawn beside TensorFlow, with what it gave: the suite repeats them without it.

`write_calls` in tests/oracle fills the archive in tests/golden.
"""

from __future__ import annotations

import base64
import json
import lzma
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from graphgrad.formats import arrays
from graphgrad.graph import Graph
from graphgrad.schema import graph_pb2

FILE = Path(__file__).with_name("golden") / "calls.xz"
Array = np.ndarray[Any, Any]


class Call(NamedTuple):
    """One call. `values` is None where TensorFlow refuses, a value None where nothing is compared; so are `shapes`. `kept` says
    that graphgrad once gave something else."""

    op_type: str
    shown: str
    graph_def: bytes
    feeds: dict[str, Array]
    outputs: list[str]
    values: list[Array | None] | None
    shapes: list[Any] | None
    kept: bool = False

    def graph(self) -> Graph:
        """The call's graph, as a file would hold it."""
        return Graph(graph_pb2.GraphDef.FromString(self.graph_def))


def read() -> list[Call]:
    """All calls, by op; none where nothing is stored."""
    if not FILE.exists():
        return []
    return [_unpacked(entry) for entry in json.loads(lzma.decompress(FILE.read_bytes()))]


def write(calls: list[Call]) -> None:
    """Stores calls, by op and in the order given."""
    entries = [_packed(call) for call in sorted(calls, key=lambda call: call.op_type)]
    FILE.write_bytes(lzma.compress(json.dumps(entries).encode(), preset=9))


def _packed(call: Call) -> dict[str, Any]:
    values = None if call.values is None else [None if v is None else _text(v) for v in call.values]
    feeds = {name: _text(array) for name, array in call.feeds.items()}
    graph = base64.b64encode(call.graph_def).decode()
    return {**call._asdict(), "graph_def": graph, "feeds": feeds, "values": values}


def _unpacked(entry: dict[str, Any]) -> Call:
    values = entry["values"] and [None if v is None else _array(v) for v in entry["values"]]
    shapes = entry["shapes"] and [None if s is None else tuple(s) for s in entry["shapes"]]
    feeds = {name: _array(text) for name, text in entry["feeds"].items()}
    graph_def = base64.b64decode(entry["graph_def"])
    return Call(**{**entry, "graph_def": graph_def, "feeds": feeds, "values": values, "shapes": shapes})


def _text(array: Array) -> str:
    return base64.b64encode(arrays.to_proto(array).SerializeToString()).decode()


def _array(text: str) -> Array:
    return arrays.from_proto(graph_pb2.TensorProto.FromString(base64.b64decode(text)))
