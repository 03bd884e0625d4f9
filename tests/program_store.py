"""Whole TensorFlow programs: the graph one of them built, the call that differentiated it, what came of it.

`write_programs` in tests/oracle fills the archives in tests/golden; tests read them without TensorFlow.
"""

from __future__ import annotations

import base64
import json
import lzma
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from graphgrad.graph import Graph
from graphgrad.schema import graph_pb2

FOLDER = Path(__file__).with_name("golden")
Arrays = dict[str, np.ndarray[Any, Any]]


class Program(NamedTuple):
    """`gradients` names one tensor per x for each order ('' for None); `values` has the ys and the dense gradients."""

    name: str
    graph_def: bytes
    ys: list[str]
    xs: list[str]
    gradients: list[list[str]]
    nodes: dict[str, str]
    feeds: Arrays
    variables: Arrays
    values: Arrays

    def graph(self) -> Graph:
        """The program's graph, as a file would hold it."""
        return Graph(graph_pb2.GraphDef.FromString(self.graph_def))


def write(archive: str, programs: list[Program]) -> None:
    """Stores programs as tests/golden/ARCHIVE.npz."""
    tables, arrays = {}, {}
    for p in programs:
        tables[p.name] = {
            "graph_def": base64.b64encode(p.graph_def).decode(),
            "ys": p.ys,
            "xs": p.xs,
            "gradients": p.gradients,
            "nodes": p.nodes,
        }
        for what in ("feeds", "variables", "values"):
            arrays.update({f"{p.name}|{what}|{key}": value for key, value in getattr(p, what).items()})
    packed = lzma.compress(json.dumps(tables, sort_keys=True).encode(), preset=9)
    np.savez_compressed(FOLDER / f"{archive}.npz", __tables__=np.frombuffer(packed, np.uint8), **arrays)


def read(archive: str) -> dict[str, Program]:
    """The programs of an archive by name."""
    with np.load(FOLDER / f"{archive}.npz", allow_pickle=False) as found:
        tables = json.loads(lzma.decompress(found["__tables__"].tobytes()))
        arrays: dict[str, dict[str, Arrays]] = {name: {"feeds": {}, "variables": {}, "values": {}} for name in tables}
        for entry in found.files:
            if entry != "__tables__":
                name, what, key = entry.split("|")
                arrays[name][what][key] = found[entry]
    for name, table in tables.items():
        table["graph_def"] = base64.b64decode(table["graph_def"])
        tables[name] = Program(name=name, **table, **arrays[name])
    return tables
