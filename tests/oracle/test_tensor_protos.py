"""Constants of every dtype, in both encodings and with repeated last values, are what TensorFlow reads."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2

from graphgrad import dtypes
from graphgrad.formats import arrays
from tests.formats.test_arrays import LONE, lone_proto

NOT_IN_NUMPY = {"int2", "uint2"}  # make_ndarray of 2.21 does not know them


# Of these make_ndarray reads contents only.
NO_LONE_VALUES = {"float8_e4m3fnuz", "float8_e4m3b11fnuz", "float8_e5m2fnuz"} | NOT_IN_NUMPY


@pytest.mark.parametrize("size", [2, 5])
@pytest.mark.parametrize("name", [name for name in LONE if name not in NO_LONE_VALUES])
def test_lone_values(name: str, size: int) -> None:
    proto = lone_proto(name, size)
    theirs = tf.make_ndarray(tensor_pb2.TensorProto.FromString(proto.SerializeToString()))
    ours = arrays.from_proto(proto)
    assert ours.tolist() == np.asarray(theirs).astype(ours.dtype).tolist()


@pytest.mark.parametrize(
    "name", [name for name in LONE if name != "string" and not name.startswith("q") and name not in NOT_IN_NUMPY]
)
def test_content(name: str) -> None:
    array = arrays.from_proto(lone_proto(name, 4))
    written = arrays.to_proto(array, dtypes.by_name(name))
    theirs = tf.make_ndarray(tensor_pb2.TensorProto.FromString(written.SerializeToString()))
    assert theirs.tolist() == array.tolist()
    back = tf.make_tensor_proto(theirs, tf.as_dtype(name))
    assert arrays.from_proto(type(written).FromString(back.SerializeToString())).tolist() == array.tolist()
