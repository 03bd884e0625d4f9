"""Recipes of serialized examples, sequences of them, and tensors."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphgrad import dtypes
from graphgrad.formats import arrays
from graphgrad.schema.example_pb2 import Example, Feature, SequenceExample
from tests.oracle.kernel_draws.drawing import STRINGS, Drawer, Recipe

Parts = tuple[Any, ...]

KINDS = {"float32": "float_list", "int64": "int64_list", "string": "bytes_list"}


def strings(items: list[bytes]) -> Any:
    found = np.empty(len(items), object)
    found[:] = items
    return found


def scalars(items: list[str]) -> list[Any]:
    return [strings([item.encode()]).reshape(()) for item in items]


def feature(d: Drawer, dtype: str, count: int) -> Feature:
    """So many values; seldom of another kind, seldom of none."""
    if d.integer(0, 40) == 40:
        return Feature()
    dtype = "int64" if d.integer(0, 60) == 60 else dtype
    made, random = Feature(), d.random()
    if dtype == "string":
        values: list[Any] = [STRINGS[i] for i in random.integers(0, len(STRINGS), count)]
    else:
        values = random.integers(-9, 9, count).tolist()
    chosen = getattr(made, KINDS[dtype])
    chosen.value.extend(values)
    chosen.SetInParent()
    return made


class Asked:
    """What is asked of examples: a key of each kind, how it is read, and how many values it has."""

    def __init__(self, d: Drawer, prefix: str, ragged: bool, variable: bool):
        self.ways: dict[str, list[str]] = {"sparse": [], "dense": [], "ragged": []}
        self.dtype: dict[str, str] = {}
        self.shape: dict[str, tuple[int | None, ...]] = {}
        self.default: dict[str, Any] = {}
        self.split: dict[str, str] = {}
        for number in range(d.integer(1, 3)):
            key = f"{prefix}{number}"
            way = d.pick(["sparse", "dense", "ragged"] if ragged else ["sparse", "dense"])
            self.ways[way].append(key)
            self.dtype[key] = d.pick(list(KINDS))
            self.split[key] = d.pick(["int32", "int64"])
            if way == "dense":
                self.shape[key], self.default[key] = self._dense(d, key, variable)

    def _dense(self, d: Drawer, key: str, variable: bool) -> tuple[tuple[int | None, ...], Any]:
        inner = tuple(d.integer(1, 2) for _ in range(d.integer(0, 2)))
        if variable and d.integer(0, 2) == 2:
            return (None, *inner), d.array(self.dtype[key], d.pick([(), (1,)]), corners=False)
        default = inner if d.flag() else (0,)
        return inner, d.array(self.dtype[key], default, corners=False)

    def count(self, d: Drawer, key: str) -> int:
        """How many values a feature may have."""
        shape = self.shape.get(key)
        if shape is None:
            return d.integer(0, 3)
        size = int(np.prod([n for n in shape if n is not None], dtype=int))
        return size * d.integer(0, 3) if None in shape else size + int(d.integer(0, 60) == 60)

    @property
    def keys(self) -> list[str]:
        return list(self.dtype)

    def types(self, way: str) -> list[Any]:
        return [dtypes.by_name(self.dtype[key]) for key in self.ways[way]]

    def splits(self) -> list[Any]:
        return [dtypes.by_name(self.split[key]) for key in self.ways["ragged"]]

    def shapes(self) -> list[Any]:
        return [self.shape[key] for key in self.ways["dense"]]

    def defaults(self) -> list[Any]:
        return [self.default[key] for key in self.ways["dense"]]

    def names(self, way: str) -> Any:
        return strings([key.encode() for key in self.ways[way]])


def present(d: Drawer) -> bool:
    return d.integer(0, 7) < 7


def batch_of(d: Drawer, make: Any, single: bool, vector: bool, least: int = 0) -> Any:
    """Serialized examples: one, or a vector of them; seldom what is none."""
    if single or (not vector and d.integer(0, 3) == 3):
        return strings([make()]).reshape(())
    made = [make() for _ in range(max(least, d.dim(3)))]
    if made and d.integer(0, 40) == 40:
        made[-1] = b"\x0a\xff"
    return strings(made)


def names_of(d: Drawer, serialized: Any) -> Any:
    return strings([b"n"] * serialized.size).reshape(serialized.shape) if d.rarely() else strings([])


def example(d: Drawer, asked: Asked) -> bytes:
    made = Example()
    for key in asked.keys:
        if present(d):
            made.features.feature[key].CopyFrom(feature(d, asked.dtype[key], asked.count(d, key)))
    return made.SerializeToString()


def parse_example(d: Drawer) -> Parts:
    single, v2 = d.op_type == "ParseSingleExample", d.op_type.endswith("V2")
    asked = Asked(d, "k", v2, variable=True)
    serialized = batch_of(d, lambda: example(d, asked), single, vector=not v2)
    attrs: dict[str, Any] = {"sparse_types": asked.types("sparse"), "Tdense": asked.types("dense")}
    attrs["dense_shapes"] = asked.shapes()
    if single:
        attrs |= {"num_sparse": len(asked.ways["sparse"]), "sparse_keys": asked.ways["sparse"]}
        return [serialized, asked.defaults()], {**attrs, "dense_keys": asked.ways["dense"]}
    names = names_of(d, serialized)
    if not v2:
        keys = [scalars(asked.ways["sparse"]), scalars(asked.ways["dense"])]
        return [serialized, names, *keys, asked.defaults()], attrs
    attrs |= {"num_sparse": len(asked.ways["sparse"])}
    attrs |= {"ragged_value_types": asked.types("ragged"), "ragged_split_types": asked.splits()}
    return [serialized, names, *map(asked.names, ("sparse", "dense", "ragged")), asked.defaults()], attrs


def sequence(d: Drawer, context: Asked, lists: Asked) -> bytes:
    made = SequenceExample()
    for key in context.keys:
        if present(d):
            made.context.feature[key].CopyFrom(feature(d, context.dtype[key], context.count(d, key)))
    for key in lists.keys:
        if present(d):
            made.feature_lists.feature_list[key].SetInParent()
            for _ in range(d.integer(0, 3)):
                step = feature(d, lists.dtype[key], lists.count(d, key))
                made.feature_lists.feature_list[key].feature.add().CopyFrom(step)
    return made.SerializeToString()


def parse_sequence(d: Drawer) -> Parts:
    """One sequence has nothing ragged, of which TensorFlow leaves the outer splits as they are in memory; there is one
    at least, since of none TensorFlow expects dense values."""
    single, v2 = "Single" in d.op_type, d.op_type.endswith("V2")
    context = Asked(d, "c", v2, variable=False)
    lists = Asked(d, "l", v2, variable=False)
    vector = not v2 or bool(context.ways["ragged"] + lists.ways["ragged"])
    serialized = batch_of(d, lambda: sequence(d, context, lists), single, vector, 1)
    missing = [key for key in lists.ways["dense"] if d.flag()]
    attrs: dict[str, Any] = {
        "context_sparse_types": context.types("sparse"),
        "Tcontext_dense": context.types("dense"),
        "context_dense_shapes": context.shapes(),
        "feature_list_sparse_types": lists.types("sparse"),
        "feature_list_dense_types": lists.types("dense"),
        "feature_list_dense_shapes": lists.shapes(),
        "Ncontext_sparse": len(context.ways["sparse"]),
        "Nfeature_list_sparse": len(lists.ways["sparse"]),
        "Nfeature_list_dense": len(lists.ways["dense"]),
    }
    name = names_of(d, serialized)
    if v2:
        attrs |= {
            "context_ragged_value_types": context.types("ragged"),
            "context_ragged_split_types": context.splits(),
            "feature_list_ragged_value_types": lists.types("ragged"),
            "feature_list_ragged_split_types": lists.splits(),
        }
        keys = [asked.names(way) for asked in (context, lists) for way in ("sparse", "dense", "ragged")]
        may_miss = np.array([key in missing for key in lists.ways["dense"]], bool)
        return [serialized, name, *keys, may_miss, context.defaults()], attrs
    attrs["Ncontext_dense"] = len(context.ways["dense"])
    if not single:
        attrs |= {f"context_{way}_keys": context.ways[way] for way in ("sparse", "dense")}
        attrs |= {f"feature_list_{way}_keys": lists.ways[way] for way in ("sparse", "dense")}
        attrs["feature_list_dense_missing_assumed_empty"] = missing
        return [serialized, name, context.defaults()], attrs
    keys = [scalars(asked.ways[way]) for asked in (context, lists) for way in ("sparse", "dense")]
    missed = strings([key.encode() for key in missing])
    return [serialized, missed, *keys, context.defaults(), strings([b"name"]).reshape(())], attrs


def serialize_tensor(d: Drawer) -> Parts:
    return [d.array(d.dtype(), d.shape())], {}


def parse_tensor(d: Drawer) -> Parts:
    dtype = d.dtype("out_type")
    made = d.pick([dtype, dtype, dtype, "float64"])
    data = arrays.to_proto(d.array(made, d.shape())).SerializeToString()
    return [strings([data[: -1 if d.rarely() else None]]).reshape(())], {}


def json_example(d: Drawer) -> Parts:
    """Read again: the same message can be written in several ways."""
    texts = [
        b"{}",
        b'{"features": {"feature": {"a": {"floatList": {"value": [1.5, -2]}}}}}',
        b'{"features": {"feature": {"b": {"int64List": {"value": ["7", 8]}}}}}',
        b'{"features": {"feature": {"c": {"bytesList": {"value": ["eHk="]}}, "a": {}}}}',
    ]
    texts += [b"{", b'{"x": 1}', b"[]", b""] if d.rarely() else []
    keys = {"a": "float32", "b": "int64", "c": "string"}

    def program(g: Any, json: Any) -> Any:
        binary = g.DecodeJSONExample(json)
        none = g.op("Const", value=arrays.to_proto(strings([])), dtype=dtypes.string).outputs[0]
        names = g.op("Const", value=arrays.to_proto(strings([k.encode() for k in keys])), dtype=dtypes.string)
        types = [dtypes.by_name(dtype) for dtype in keys.values()]
        how = {"num_sparse": 3, "sparse_types": types, "Tdense": [], "dense_shapes": []}
        how |= {"ragged_value_types": [], "ragged_split_types": []}
        read = g.op("ParseExampleV2", binary, none, names.outputs[0], none, none, [], **how)
        return [*read.outputs[3:9], g.Shape(binary)]

    return [d.array("string", d.shape(0, 1), values=texts)], {}, program


RECIPES: dict[str, Recipe] = {
    **dict.fromkeys(["ParseExample", "ParseExampleV2", "ParseSingleExample"], parse_example),
    **dict.fromkeys(["ParseSequenceExample", "ParseSequenceExampleV2", "ParseSingleSequenceExample"], parse_sequence),
    "SerializeTensor": serialize_tensor,
    "ParseTensor": parse_tensor,
    "DecodeJSONExample": json_example,
}
