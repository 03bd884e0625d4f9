"""Recipes of crosses of features: sparse, ragged and dense columns."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphgrad import dtypes
from tests.oracle.kernel_draws.drawing import Drawer, Recipe
from tests.oracle.kernel_draws.messages import strings

Parts = tuple[list[Any], dict[str, Any]]


def features(d: Drawer, kind: str, shape: Any) -> Any:
    if kind == "string":
        return d.array("string", shape, values=[b"a", b"bc", b"", b"a longer feature", b"x_X_y"])
    return d.random().integers(-(1 << 40), 1 << 40, shape)


def sparse(d: Drawer, kind: str, rows: int) -> list[Any]:
    """Indices, values and shape."""
    counts = [d.integer(0, 2) for _ in range(rows)]
    indices = np.array([(r, i) for r, n in enumerate(counts) for i in range(n)], np.int64).reshape(-1, 2)
    return [indices, features(d, kind, (len(indices),)), np.array([rows, 3], np.int64)]


def types(kinds: list[str]) -> list[Any]:
    return [dtypes.by_name(kind) for kind in kinds]


def cross(d: Drawer) -> Parts:
    rows, v1 = d.integer(1, 4), d.op_type == "SparseCross"
    hashed = v1 and d.flag()
    choice = ["string", "int64"] if hashed or not v1 else ["string"]
    kinds = [d.pick(choice) for _ in range(d.integer(1, 2))]
    dense = [d.pick(choice) for _ in range(d.integer(0, 2))]
    parts = [sparse(d, kind, rows) for kind in kinds]
    inputs: list[Any] = [[part[i] for part in parts] for i in range(3)]
    inputs.append([features(d, kind, (rows, d.integer(1, 2))) for kind in dense])
    attrs: dict[str, Any] = {"sparse_types": types(kinds), "dense_types": types(dense)}
    d.types.clear()
    if d.op_type == "SparseCrossHashed":
        strong = d.flag() and "int64" not in dense  # with numbers TensorFlow's process ends
        salt = d.random().integers(-(1 << 60), 1 << 60, 2)
        return [*inputs, np.int64(d.pick([0, 1, 7, 1 << 40])), np.bool_(strong), salt], attrs
    if not v1:
        return [*inputs, strings([d.pick([b"_X_", b"", b"-"])]).reshape(())], attrs
    out = dtypes.int64 if hashed else dtypes.string
    attrs |= {"hashed_output": hashed, "num_buckets": d.pick([0, 1, 7, 1 << 40]), "hash_key": d.integer(0, 1 << 40)}
    return inputs, attrs | {"out_type": out, "internal_type": out}


def ragged_cross(d: Drawer) -> Parts:
    """Sparse columns are rare: TensorFlow's process ends at some of them."""
    letters = ["R", "D", "S"] if d.integer(0, 30) == 30 else ["R", "D"]
    rows, order = d.integer(1, 4), "".join(d.pick(letters) for _ in range(d.integer(1, 3)))
    hashed = d.flag()
    kinds = {letter: [d.pick(["string", "int64"]) for _ in range(order.count(letter))] for letter in "RSD"}
    split_kinds = [d.pick(["int32", "int64"]) for _ in kinds["R"]]
    values, splits = [], []
    for kind, split_kind in zip(kinds["R"], split_kinds, strict=True):
        counts = [d.integer(0, 2) for _ in range(rows)]
        values.append(features(d, kind, (sum(counts),)))
        splits.append(np.cumsum([0, *counts]).astype(split_kind))
    parts = [sparse(d, kind, rows) for kind in kinds["S"]]
    dense = [features(d, kind, (rows, d.integer(1, 2))) for kind in kinds["D"]]
    attrs: dict[str, Any] = {
        "input_order": order,
        "hashed_output": hashed,
        "num_buckets": d.pick([0, 1, 7, 1 << 40]),
        "hash_key": d.integer(0, 1 << 40),
        "Nsparse": len(parts),
        "ragged_values_types": types(kinds["R"]),
        "ragged_splits_types": types(split_kinds),
        "sparse_values_types": types(kinds["S"]),
        "dense_types": types(kinds["D"]),
        "out_values_type": dtypes.int64 if hashed else dtypes.string,
        "out_row_splits_type": dtypes.by_name(d.pick(["int32", "int64"])),
    }
    d.types.clear()
    return [values, splits, *([part[i] for part in parts] for i in range(3)), dense], attrs


RECIPES: dict[str, Recipe] = {
    **dict.fromkeys(["SparseCross", "SparseCrossHashed", "SparseCrossV2"], cross),
    "RaggedCross": ragged_cross,
}
