"""Sparse tensors as strings: of each its indices, its values and its shape, as serialized tensors; part of the sparse family.

A batch is a sparse tensor whose first index tells its members apart.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from google.protobuf.message import DecodeError

from graphgrad.kernels._coordinates import check
from graphgrad.kernels._parsing import row_of
from graphgrad.registry import kernel

Array = np.ndarray[Any, Any]
Entries = tuple[Array, Array, Array]


@kernel("SerializeSparse")
def serialize(indices, values, shape):
    if indices.ndim != 2 or values.ndim != 1 or shape.ndim != 1:
        raise ValueError("indices, values and shape must have ranks 2, 1 and 1")
    return row_of([_string_of(part) for part in (indices, values, shape)])


@kernel("SerializeManySparse")
def serialize_many(indices, values, shape):
    """One sparse tensor for each first index, whose entries must come in order."""
    check(indices, values, shape)
    if len(shape) < 2:
        raise ValueError(f"a batch must have a rank of at least 2, not {len(shape)}")
    if len(indices) and ((indices < 0) | (indices >= shape)).any():
        raise ValueError(f"indices lie outside the shape {shape.tolist()}")
    rows = list(map(tuple, indices.tolist()))
    if any(before >= after for before, after in itertools.pairwise(rows)):
        raise ValueError("indices are not in order, or there twice")
    parts = []
    for member in range(int(shape[0])):
        own = indices[:, 0] == member
        parts += [_string_of(part) for part in (indices[own, 1:], values[own], shape[1:])]
    return row_of(parts).reshape(-1, 3)


@kernel("DeserializeSparse", "DeserializeManySparse")
def deserialize(serialized_sparse, *, dtype):
    """One sparse tensor, or as many as the axes before the last count, which become axes in front of theirs."""
    outer = serialized_sparse.shape[:-1]
    if serialized_sparse.shape[-1:] != (3,) or 0 in outer:
        raise ValueError(
            f"serialized sparse tensors are threes of strings, not of shape {list(serialized_sparse.shape)}"
        )
    members = [_entries(three, dtype) for three in serialized_sparse.reshape(-1, 3)]
    if not outer:
        return members[0]
    if len({len(shape) for _, _, shape in members}) > 1:
        raise ValueError(f"sparse tensors of different ranks: shapes {[shape.tolist() for _, _, shape in members]}")
    places = np.repeat(np.indices(outer).reshape(len(outer), -1).T, [len(values) for _, values, _ in members], axis=0)
    indices, values, shapes = (list(parts) for parts in zip(*members, strict=True))
    return (
        np.concatenate([places, np.concatenate(indices)], axis=1),
        np.concatenate(values),
        np.concatenate([np.array(outer, np.int64), np.max(shapes, axis=0)]),
    )


def _entries(three: Array, dtype: Any) -> Entries:
    indices, values, shape = map(_tensor_of, three)
    check(indices, values, shape)
    if (indices.dtype, values.dtype, shape.dtype) != (np.int64, dtype, np.int64):
        raise TypeError(f"a sparse tensor of {np.dtype(dtype).name} is asked for, this one holds {values.dtype.name}")
    return indices, values, shape


def _string_of(array: Array) -> bytes:
    """The tensor as a message; strings are held by their lengths and then their letters."""
    from graphgrad.formats import arrays, wire

    proto = arrays.to_proto(array)
    if array.dtype.kind == "O" and array.size:
        del proto.string_val[:]
        strings = array.ravel().tolist()
        proto.tensor_content = b"".join([*(wire.encoded_varint(len(s)) for s in strings), *strings])
    return proto.SerializeToString(deterministic=True)


def _tensor_of(message: bytes) -> Array:
    from graphgrad.formats import arrays, wire
    from graphgrad.schema.graph_pb2 import TensorProto

    try:
        proto = TensorProto.FromString(message)
        if not (content := proto.tensor_content) or proto.dtype != arrays.dtype_of(row_of([])).enum:
            return arrays.from_proto(proto)
        shape = tuple(dim.size for dim in proto.tensor_shape.dim)
        lengths, at = [], 0
        for _ in range(int(np.prod(shape))):
            length, at = wire.varint(memoryview(content), at)
            lengths.append(length)
    except (DecodeError, KeyError, IndexError):
        raise ValueError("this is no serialized sparse tensor") from None
    ends = at + np.cumsum([0, *lengths])
    return row_of([content[a:b] for a, b in itertools.pairwise(ends)]).reshape(shape)
