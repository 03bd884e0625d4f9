"""TensorProto in both encodings for every dtype numbers have, and archives whose bytes depend on the arrays alone."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

import graphgrad
from graphgrad import constants, dtypes
from graphgrad.errors import ModelError
from graphgrad.formats import arrays
from graphgrad.schema import graph_pb2

NUMBERS = [
    d for d in dtypes.all_dtypes() if d.name not in ("string", "resource", "variant") and not d.name.startswith("q")
]


@pytest.mark.parametrize("dtype", NUMBERS, ids=repr)
def test_content_round_trip(dtype: dtypes.DType) -> None:
    array = np.array([[0, 1], [1, 1]]).astype(arrays.numpy_dtype(dtype))
    found = arrays.from_proto(arrays.to_proto(array, dtype))
    assert found.dtype == array.dtype
    assert np.array_equal(found, array)


@pytest.mark.parametrize("dtype", NUMBERS, ids=repr)
def test_an_array_has_the_dtype_it_was_made_for(dtype: dtypes.DType) -> None:
    assert arrays.dtype_of(np.zeros(2, arrays.numpy_dtype(dtype))) is dtype


# dtype -> (field of lone values, what stands in it, the numbers that are meant)
LONE = {
    "float16": ("half_val", [0x3E00, 0xC000], [1.5, -2.0]),
    "bfloat16": ("half_val", [0x3FC0, 0xC000], [1.5, -2.0]),
    "float32": ("float_val", [1.5, -2.0], [1.5, -2.0]),
    "float64": ("double_val", [0.1, -1e300], [0.1, -1e300]),
    "int8": ("int_val", [1, -128], [1, -128]),
    "int16": ("int_val", [1, -32768], [1, -32768]),
    "int32": ("int_val", [1, -(2**31)], [1, -(2**31)]),
    "int64": ("int64_val", [1, -(2**63)], [1, -(2**63)]),
    "uint8": ("int_val", [1, 255], [1, 255]),
    "uint16": ("int_val", [1, 65535], [1, 65535]),
    "uint32": ("uint32_val", [1, 2**32 - 1], [1, 2**32 - 1]),
    "uint64": ("uint64_val", [1, 2**64 - 1], [1, 2**64 - 1]),
    "bool": ("bool_val", [False, True], [False, True]),
    "complex64": ("scomplex_val", [1.0, 2.0, 0.0, -3.0], [1 + 2j, -3j]),
    "complex128": ("dcomplex_val", [1.0, 2.0, 0.0, -3.0], [1 + 2j, -3j]),
    "string": ("string_val", [b"a", b"\xff\x00"], [b"a", b"\xff\x00"]),
    "qint8": ("int_val", [1, -128], [1, -128]),
    "quint8": ("int_val", [1, 255], [1, 255]),
    "qint16": ("int_val", [1, -32768], [1, -32768]),
    "quint16": ("int_val", [1, 65535], [1, 65535]),
    "qint32": ("int_val", [1, -(2**31)], [1, -(2**31)]),
    "int4": ("int_val", [1, -8], [1, -8]),
    "uint4": ("int_val", [1, 15], [1, 15]),
    "int2": ("int_val", [1, -2], [1, -2]),
    "uint2": ("int_val", [1, 3], [1, 3]),
    "float8_e5m2": ("float8_val", b"\x3e\xc0", [1.5, -2.0]),
    "float8_e4m3fn": ("float8_val", b"\x3c\xc0", [1.5, -2.0]),
    "float8_e4m3fnuz": ("float8_val", b"\x44\xc8", [1.5, -2.0]),
    "float8_e4m3b11fnuz": ("float8_val", b"\x5c\xe0", [1.5, -2.0]),
    "float8_e5m2fnuz": ("float8_val", b"\x42\xc4", [1.5, -2.0]),
}


def lone_proto(name: str, size: int) -> graph_pb2.TensorProto:
    """Two values in the repeated field, for a vector of `size` elements."""
    field, values, _ = LONE[name]
    shape = {"dim": [{"size": size}]}
    return graph_pb2.TensorProto(dtype=dtypes.by_name(name).enum, tensor_shape=shape, **{field: values})


def test_every_dtype_of_numbers_is_tried() -> None:
    handles = {"resource", "variant"}
    assert set(LONE) == {d.name for d in dtypes.all_dtypes()} - handles


@pytest.mark.parametrize("size", [0, 1, 2, 5])
@pytest.mark.parametrize("name", LONE)
def test_the_last_given_value_repeats(name: str, size: int) -> None:
    first, last = LONE[name][2]
    found = arrays.from_proto(lone_proto(name, size))
    assert found.dtype == arrays.numpy_dtype(dtypes.by_name(name))
    expected = [first, last, last, last, last][:size]
    assert found.tolist() == np.array(expected, found.dtype).tolist() == expected
    if (
        name != "string"
        and not name.startswith(("float8", "complex"))
        and name not in ("int2", "uint2", "int4", "uint4")
    ):
        as_content = arrays.to_proto(found, dtypes.by_name(name))
        assert np.array_equal(arrays.from_proto(as_content), found)
        assert as_content.tensor_content == found.tobytes()


@pytest.mark.parametrize("name", LONE)
def test_nothing_given_is_zeros(name: str) -> None:
    proto = graph_pb2.TensorProto(dtype=dtypes.by_name(name).enum, tensor_shape={"dim": [{"size": 3}]})
    assert arrays.from_proto(proto).tolist() == ([b""] * 3 if name == "string" else [0] * 3)


@pytest.mark.parametrize("name", LONE)
def test_a_constant_of_every_dtype_is_evaluated(name: str, tmp_path: Path) -> None:
    graph = graphgrad.Graph()
    graph.build.op("Const", value=lone_proto(name, 3), dtype=dtypes.by_name(name), name="c")
    graphgrad.save(graph, tmp_path / "g.pb")
    first, last = LONE[name][2]
    assert graphgrad.evaluate(graphgrad.load(tmp_path / "g.pb"), "c").tolist() == [first, last, last]


@pytest.mark.parametrize("name", [n for n in LONE if n in {d.name for d in constants._LAYOUT}])
def test_small_constants_are_read_without_numpy_the_same(name: str) -> None:
    for size in (2, 4):
        proto = lone_proto(name, size)
        if dtypes.by_name(name).is_complex:
            continue
        assert constants.decode(proto) == arrays.from_proto(proto).tolist()


def test_strings() -> None:
    proto = graph_pb2.TensorProto(dtype=graph_pb2.DT_STRING, string_val=[b"a", b"\xff"])
    proto.tensor_shape.dim.add().size = 3
    assert arrays.from_proto(proto).tolist() == [b"a", b"\xff", b"\xff"]


def test_content_of_the_wrong_size_is_an_error() -> None:
    proto = arrays.to_proto(np.zeros(3, np.float32))
    proto.tensor_shape.dim[0].size = 4
    with pytest.raises(ModelError, match="holds 12 bytes instead of 16"):
        arrays.from_proto(proto)


def test_archives_are_deterministic(tmp_path: Path) -> None:
    values = {"a:0": np.arange(3), "s": np.array([b"x", b"yz"], object)}
    for name in ("one.npz", "two.npz"):
        arrays.write_npz(tmp_path / name, values)
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()
    found = arrays.read_npz(str(tmp_path / "one.npz"), "--feeds")
    assert found["s"].tolist() == [b"x", b"yz"]


def test_the_bytes_of_an_archive_are_the_same_with_every_python_and_numpy(tmp_path: Path) -> None:
    arrays.write_npz(tmp_path / "a.npz", {"x": np.arange(3, dtype=np.float32), "b": np.array([b"ab"], object)})
    written = hashlib.sha256((tmp_path / "a.npz").read_bytes()).hexdigest()
    assert written == "aa58e43054cd2b415615f42cc2179abc832ab8ab3c2ceda036bb9f0e024e45f9"
