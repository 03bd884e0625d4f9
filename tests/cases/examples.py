"""Features of serialized examples and of sequences of them, and serialized tensors. Gradients go through none of them."""

from typing import Any

from graphgrad import dtypes
from graphgrad.formats import arrays
from graphgrad.schema.example_pb2 import Example, Feature, SequenceExample
from tests.cases import c64, case, f32, f64, given, i32

FLOAT, INT, STRING = dtypes.float32, dtypes.int64, dtypes.string


def _feature(values: list) -> Feature:
    kinds: dict[type, str] = {float: "float_list", int: "int64_list", bytes: "bytes_list"}
    made = Feature()
    getattr(made, kinds[type(values[0])]).value.extend(values)
    return made


def _example(**features: list) -> bytes:
    made = Example()
    for key, values in features.items():
        made.features.feature[key].CopyFrom(_feature(values))
    return made.SerializeToString(deterministic=True)


def _sequence(context: dict[str, list], **lists: list) -> bytes:
    made = SequenceExample()
    for key, values in context.items():
        made.context.feature[key].CopyFrom(_feature(values))
    for key, steps in lists.items():
        made.feature_lists.feature_list[key].SetInParent()
        for values in steps:
            made.feature_lists.feature_list[key].feature.add().CopyFrom(_feature(values))
    return made.SerializeToString(deterministic=True)


def _text(*values: Any) -> Any:
    return given(list(values), dtype="object")


_TWO = _text(_example(a=[1.0, 2.0], n=[1, 2, 3], w=[b"x", b"yz"]), _example(a=[3.0, 4.0], n=[4]))
_ONE = given(_example(a=[1.0, 2.0], n=[1, 2, 3], w=[b"x", b"yz"]), dtype="object")
_NONE = _text()
_STEPS = [
    _sequence({"a": [1.0, 2.0], "n": [7]}, f=[[1.0, 2.0], [3.0, 4.0]], i=[[1], [2, 3]], w=[[b"x"], [b"y"]]),
    _sequence({"a": [5.0]}, f=[[5.0, 6.0]], i=[[7]]),
]
_NO_FLOATS, _PAD = f32(0), given(-1, dtype="int64")
_CONTEXT = {
    "Ncontext_sparse": 1,
    "context_sparse_types": [FLOAT],
    "Tcontext_dense": [INT],
    "context_dense_shapes": [(1,)],
}
_LISTS = {
    "Nfeature_list_sparse": 1,
    "feature_list_sparse_types": [INT],
    "Nfeature_list_dense": 2,
    "feature_list_dense_types": [FLOAT, STRING],
    "feature_list_dense_shapes": [(2,), ()],
}
_DEFAULT = given([9], dtype="int64")


def _key(name: str) -> Any:
    return given(name.encode(), dtype="object")


def _read_again(g: Any, json: Any) -> list[Any]:
    """The floats that stand in JSON: the same message can be written in several ways."""
    none = g.op("Const", value=arrays.to_proto(_text().array(0)), dtype=STRING).outputs[0]
    key = g.op("Const", value=arrays.to_proto(_key("a").array(0)), dtype=STRING).outputs[0]
    how = {"sparse_types": [FLOAT], "Tdense": [], "dense_shapes": []}
    return list(g.op("ParseExample", g.DecodeJSONExample(json), none, [key], [], [], **how).outputs)


CASES = [
    case(
        "ParseExample",
        *(_TWO, _NONE, [_key("n"), _key("w")], [_key("a"), _key("n2")], [_NO_FLOATS, given([5, 6], dtype="int64")]),
        label="batch",
        sparse_types=[INT, STRING],
        Tdense=[FLOAT, INT],
        dense_shapes=[(2,), (2,)],
    ),
    *[
        case(
            "ParseExampleV2",
            *(serialized, _NONE, _text(b"w", b"none"), _text(b"a", b"v"), _text(b"n"), [_NO_FLOATS, _PAD]),
            label=label,
            num_sparse=2,
            sparse_types=[STRING, FLOAT],
            Tdense=[FLOAT, INT],
            dense_shapes=[(2,), (None,)],
            ragged_value_types=[INT],
            ragged_split_types=[dtypes.int32],
        )
        for label, serialized in (("batch", _TWO), ("lone", _ONE))
    ],
    case(
        "ParseSingleExample",
        *(_ONE, [_NO_FLOATS, _PAD]),
        label="lone",
        num_sparse=1,
        sparse_keys=["w"],
        dense_keys=["a", "n"],
        sparse_types=[STRING],
        Tdense=[FLOAT, INT],
        dense_shapes=[(1, 2), (None,)],
    ),
    case(
        "ParseSequenceExample",
        *(_text(*_STEPS), _NONE, [_DEFAULT]),
        label="batch",
        feature_list_dense_missing_assumed_empty=["w"],
        context_sparse_keys=["a"],
        context_dense_keys=["n"],
        feature_list_sparse_keys=["i"],
        feature_list_dense_keys=["f", "w"],
        Ncontext_dense=1,
        **_CONTEXT,
        **_LISTS,
    ),
    case(
        "ParseSequenceExampleV2",
        *(_text(*_STEPS), _text(b"first", b"second"), _text(b"a"), _text(b"n"), _text(b"b")),
        *(_text(b"i"), _text(b"f", b"w"), _text(b"j"), given([False, True], dtype="bool"), [_DEFAULT]),
        label="batch",
        context_ragged_value_types=[STRING],
        context_ragged_split_types=[dtypes.int64],
        feature_list_ragged_value_types=[INT],
        feature_list_ragged_split_types=[dtypes.int32],
        **_CONTEXT,
        **_LISTS,
    ),
    case(
        "ParseSingleSequenceExample",
        *(given(_STEPS[0], dtype="object"), _NONE, [_key("a")], [_key("n")], [_key("i")], [_key("f"), _key("w")]),
        *([_DEFAULT], _key("first")),
        label="lone",
        Ncontext_dense=1,
        **_CONTEXT,
        **_LISTS,
    ),
    case(
        "DecodeJSONExample",
        _text(b'{"features": {"feature": {"a": {"floatList": {"value": [1.5, -2]}}}}}', b"{}"),
        label="two",
        graph=_read_again,
    ),
    *[case("SerializeTensor", x) for x in (f32(2, 3), i32(), f64(0, 2), c64(2))],
    case("SerializeTensor", _text(b"a", b"", b"bc")),
    *[
        case("ParseTensor", given(arrays.to_proto(x.array(3)).SerializeToString(), dtype="object"), out_type=dtype)
        for x, dtype in ((f32(2, 3), FLOAT), (i32(), dtypes.int32), (_text(b"a", b""), STRING))
    ],
]
