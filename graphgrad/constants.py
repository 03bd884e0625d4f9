"""Small constants between TensorProto and Python numbers, without numpy: axes, shapes, permutations, ones.

Values are flat lists in row-major order beside a shape; big arrays are the business of `formats.arrays`.
"""

from __future__ import annotations

import functools
import math
import struct
from collections.abc import Sequence
from typing import Any, NamedTuple

from graphgrad import dtypes
from graphgrad.dtypes import DType
from graphgrad.errors import ArgumentError
from graphgrad.schema import graph_pb2

# dtype -> (struct code of tensor_content, repeated field that holds lone values)
_LAYOUT: dict[DType, tuple[str, str]] = {
    dtypes.float16: ("e", "half_val"),
    dtypes.bfloat16: ("H", "half_val"),
    dtypes.float32: ("f", "float_val"),
    dtypes.float64: ("d", "double_val"),
    dtypes.int8: ("b", "int_val"),
    dtypes.int16: ("h", "int_val"),
    dtypes.int32: ("i", "int_val"),
    dtypes.int64: ("q", "int64_val"),
    dtypes.uint8: ("B", "int_val"),
    dtypes.uint16: ("H", "int_val"),
    dtypes.uint32: ("I", "uint32_val"),
    dtypes.uint64: ("Q", "uint64_val"),
    dtypes.bool_: ("?", "bool_val"),
    dtypes.complex64: ("ff", "scomplex_val"),
    dtypes.complex128: ("dd", "dcomplex_val"),
    dtypes.string: ("", "string_val"),
}


def _bfloat16_bits(value: float) -> int:
    bits = struct.unpack("<I", struct.pack("<f", value))[0]
    return (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16 & 0xFFFF


def _lone_value(dtype: DType, value: Any) -> list[Any]:
    """What the repeated field of the dtype holds for one element."""
    if dtype is dtypes.float16:
        return list(struct.unpack("<H", struct.pack("<e", value)))
    if dtype is dtypes.bfloat16:
        return [_bfloat16_bits(value)]
    if dtype.is_complex:
        return [complex(value).real, complex(value).imag]
    if dtype.is_floating:
        return [float(value)]
    if dtype is dtypes.bool_:
        return [bool(value)]
    return [value]


def _content(dtype: DType, flat: Sequence[Any]) -> bytes:
    if dtype is dtypes.bfloat16:
        flat = [_bfloat16_bits(v) for v in flat]
    elif dtype.is_complex:
        flat = [part for v in flat for part in (complex(v).real, complex(v).imag)]
    return struct.pack(f"<{len(flat)}{_LAYOUT[dtype][0][0]}", *flat)


class Literal(NamedTuple):
    """A constant built here, not yet a message: elements in row-major order; a lone one may stand for all."""

    flat: tuple[Any, ...]
    shape: tuple[int, ...]
    dtype: DType

    def message(self) -> graph_pb2.TensorProto:
        """A TensorProto as TensorFlow's Python writes it: lone values in their field, more as `tensor_content`.

        Integers give one shared message for equal literals; nobody may change it.
        """
        # Floats are not shared: -0.0 and 0.0 are the same key.
        return _encode_shared(*self) if self.dtype.is_integer else _encode(*self)

    def elements(self) -> list[Any]:
        """Every element, as it reads once it is written."""
        if not self.dtype.is_integer:
            return decode(self.message())
        return list(self.flat * (math.prod(self.shape) // len(self.flat) if self.flat else 0))


def literal(value: Any, dtype: DType | None = None, shape: tuple[int, ...] | None = None) -> Literal:
    """A number or nested lists of them; one number with a `shape` is repeated over it.

    Raises ArgumentError for ragged lists and for dtypes that have no constants.
    """
    flat, natural = flatten(value)
    if dtype is None:
        dtype = _dtype_of(flat)
    if dtype not in _LAYOUT:
        raise ArgumentError(f"constants of dtype {dtype} cannot be written")
    return Literal(tuple(flat), natural if shape is None else shape, dtype)


def _dtype_of(flat: list[Any]) -> DType:
    kinds = {type(v) for v in flat}
    if kinds <= {bool} and kinds:
        return dtypes.bool_
    if kinds <= {int} and kinds:
        return dtypes.int32 if all(-(2**31) <= v < 2**31 for v in flat) else dtypes.int64
    if kinds <= {str, bytes} and kinds:
        return dtypes.string
    return dtypes.complex128 if complex in kinds else dtypes.float32


def _encode(flat: tuple[Any, ...], shape: tuple[int, ...], dtype: DType) -> graph_pb2.TensorProto:
    tensor = graph_pb2.TensorProto(dtype=dtype.enum)  # type: ignore[arg-type]
    tensor.tensor_shape.SetInParent()
    for size in shape:
        tensor.tensor_shape.dim.add().size = size
    if len(flat) > 1 and dtype is not dtypes.string:
        tensor.tensor_content = _content(dtype, flat)
    else:
        field = getattr(tensor, _LAYOUT[dtype][1])
        for value in flat:
            field.extend(_lone_value(dtype, value))
    return tensor


_encode_shared = functools.lru_cache(maxsize=4096)(_encode)


def flatten(value: Any) -> tuple[list[Any], tuple[int, ...]]:
    """Nested lists or tuples of numbers -> (flat list, shape). Raises ArgumentError where they are ragged."""
    if not isinstance(value, (list, tuple)):
        return [value], ()
    if not any(isinstance(item, (list, tuple)) for item in value):
        return list(value), (len(value),)
    parts = [flatten(item) for item in value]
    shapes = {shape for _, shape in parts}
    if len(shapes) > 1:
        raise ArgumentError(f"a constant needs rows of equal length, got {value!r}")
    inner = shapes.pop() if shapes else ()
    return [x for flat, _ in parts for x in flat], (len(value), *inner)


def count(tensor: graph_pb2.TensorProto) -> int:
    """The number of elements its shape says."""
    total = 1
    for dim in tensor.tensor_shape.dim:
        total *= dim.size
    return total


def decode(tensor: graph_pb2.TensorProto) -> list[Any]:
    """The elements of an integer, bool or real TensorProto as a flat list; the last given value repeats."""
    dtype = dtypes.by_enum(tensor.dtype)
    code, field = _LAYOUT[dtype]
    total = count(tensor)
    if tensor.tensor_content:
        values = list(struct.unpack(f"<{total}{code}", tensor.tensor_content))
        return [_from_bfloat16(v) for v in values] if dtype is dtypes.bfloat16 else values
    values = list(getattr(tensor, field))[:total]
    if dtype is dtypes.float16:
        values = [struct.unpack("<e", struct.pack("<H", v))[0] for v in values]
    elif dtype is dtypes.bfloat16:
        values = [_from_bfloat16(v) for v in values]
    filler = values[-1] if values else 0
    return values + [filler] * (total - len(values))


def _from_bfloat16(bits: int) -> float:
    return float(struct.unpack("<f", struct.pack("<I", bits << 16))[0])
