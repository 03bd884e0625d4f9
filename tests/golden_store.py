"""What TensorFlow made of the test rows: values and node listings, one archive per family in tests/golden.

Values are stored once per row; listings once per row, level of static knowledge and order of differentiation.
"""

from __future__ import annotations

import json
import lzma
from pathlib import Path
from typing import Any

import numpy as np

FOLDER = Path(__file__).with_name("golden")


def write(family: str, records: dict[str, dict[str, Any]]) -> None:
    """Stores records: case id -> {'values': {key: array}, 'nodes': {level/order: listing}, 'raises': {...}}."""
    tables = {i: {"nodes": r["nodes"], "raises": r["raises"]} for i, r in records.items()}
    packed = lzma.compress(json.dumps(tables, sort_keys=True).encode(), preset=9)
    values = {f"{i}|{key}": value for i, r in records.items() for key, value in r["values"].items()}
    np.savez_compressed(FOLDER / f"{family}.npz", __tables__=np.frombuffer(packed, np.uint8), **values)


def read(family: str) -> dict[str, dict[str, Any]]:
    """The records of a family, as they were written; {} where nothing is stored."""
    path = FOLDER / f"{family}.npz"
    if not path.exists():
        return {}
    with np.load(path, allow_pickle=False) as archive:
        records = json.loads(lzma.decompress(archive["__tables__"].tobytes()))
        for record in records.values():
            record["values"] = {}
        for name in archive.files:
            if name != "__tables__":
                case_id, _, key = name.rpartition("|")
                records[case_id]["values"][key] = archive[name]
    return records
