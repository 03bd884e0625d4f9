"""TensorProto in both encodings for every dtype numbers have, and archives whose bytes depend on the arrays alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

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


@pytest.mark.parametrize(
    "name",
    [
        "float16",
        "bfloat16",
        "float32",
        "float64",
        "int8",
        "int32",
        "int64",
        "uint8",
        "uint32",
        "uint64",
        "bool",
        "complex64",
    ],
)
def test_the_last_given_value_repeats(name: str) -> None:
    proto = constants.Literal((1,), (2, 3), dtypes.by_name(name)).message()
    found = arrays.from_proto(proto)
    assert found.shape == (2, 3)
    assert (found == 1).all()


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
