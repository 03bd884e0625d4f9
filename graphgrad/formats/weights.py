"""The weight files of TensorFlow.js models: a manifest says what lies in them one behind the other.

Numbers may be quantized: to float16, or to uint8 and uint16 with a scale and a smallest value.
"""

from __future__ import annotations

import dataclasses
import os
import struct
from collections.abc import Iterator
from typing import Any

import numpy as np

from graphgrad import attributes, dtypes
from graphgrad.errors import ArgumentError, ModelError
from graphgrad.formats import arrays
from graphgrad.graph import Operation
from graphgrad.schema import graph_pb2

_DTYPES = {name: dtypes.by_name(name) for name in ("float32", "int32", "bool", "complex64", "string")}
_QUANTIZED: dict[str, np.dtype[Any]] = {"uint8": np.dtype("<u1"), "uint16": np.dtype("<u2"), "float16": np.dtype("<f2")}
# What there are no weights of is written as what holds it.
_WRITTEN = {"float64": "float32", "float16": "float32", "bfloat16": "float32", "complex128": "complex64"}


@dataclasses.dataclass(frozen=True)
class Weight:
    """A weight where it lies: the bytes of its elements, quantized or not."""

    name: str
    shape: tuple[int, ...]
    dtype: dtypes.DType
    quantization: dict[str, Any] | None
    content: memoryview

    def into(self, tensor: graph_pb2.TensorProto) -> memoryview | None:
        """Gives a TensorProto its shape and dtype; strings too. The bytes of its numbers are returned."""
        tensor.ClearField("tensor_shape")
        attributes.encode_shape(self.shape, tensor.tensor_shape)
        tensor.tensor_shape.SetInParent()
        if self.dtype is dtypes.string:
            tensor.dtype = self.dtype.enum  # type: ignore[assignment]
            tensor.string_val.extend(_strings(self.content))
            return None
        wanted = dtypes.by_enum(tensor.dtype) if tensor.dtype else self.dtype
        tensor.dtype = wanted.enum  # type: ignore[assignment]
        if self.quantization is None and wanted is self.dtype:
            return self.content
        return memoryview(self._numbers().astype(arrays.numpy_dtype(wanted)).tobytes())

    def _numbers(self) -> np.ndarray[Any, Any]:
        if self.quantization is None:
            return np.frombuffer(self.content, arrays.numpy_dtype(self.dtype))
        stored = np.frombuffer(self.content, _QUANTIZED[self.quantization["dtype"]])
        if "scale" not in self.quantization:
            return stored
        scale, smallest = self.quantization["scale"], self.quantization.get("min", 0)
        numbers = stored.astype(np.float32) * np.float32(scale) + np.float32(smallest)
        return np.round(numbers) if self.dtype is dtypes.int32 else numbers


def read(manifest: list[dict[str, Any]], folder: str) -> Iterator[Weight]:
    """The weights that a manifest lists. Raises ModelError naming the file that is missing or too short."""
    for group in manifest:
        try:
            paths = [os.fspath(path) for path in group["paths"]]
            entries = [
                (e["name"], e["dtype"], tuple(map(int, e["shape"])), e.get("quantization")) for e in group["weights"]
            ]
        except (KeyError, TypeError, ValueError, AttributeError):
            raise ModelError(
                "its weightsManifest is malformed: a group needs paths, and weights with name, dtype, shape"
            ) from None
        view = memoryview(b"".join(_shard(folder, path) for path in paths))
        at = 0
        for entry in entries:
            weight, at = _weight(entry, view, at, paths)
            yield weight
        if at != len(view):
            raise ModelError(f"{', '.join(paths)}: {len(view)} bytes, and the weights listed take {at}")


def _shard(folder: str, path: str) -> bytes:
    full = os.path.join(folder, path)
    try:
        with open(full, "rb") as file:
            return file.read()
    except OSError as error:
        raise ModelError(f"weight file {full} cannot be read: {error.strerror}") from None


def _weight(
    entry: tuple[str, str, tuple[int, ...], Any], view: memoryview, at: int, paths: list[str]
) -> tuple[Weight, int]:
    name, kind, shape, quantization = entry
    if quantization is not None and quantization.get("dtype") not in _QUANTIZED:
        raise ModelError(f"weight {name!r} is quantized to {quantization.get('dtype')}, which is not known")
    if kind not in _DTYPES:
        raise ModelError(f"weight {name!r} is of dtype {kind!r}, which is not known")
    dtype = _DTYPES[kind]
    count = int(np.prod(shape, dtype=int))
    if dtype is dtypes.string:
        end = at
        for _ in range(count):
            end += 4 + (struct.unpack_from("<I", view, end)[0] if end + 4 <= len(view) else 0)
    else:
        stored = arrays.numpy_dtype(dtype) if quantization is None else _QUANTIZED[quantization["dtype"]]
        end = at + count * stored.itemsize
    if end > len(view):
        raise ModelError(f"{', '.join(paths)}: too short, weight {name!r} reaches beyond the end")
    return Weight(name, shape, dtype, quantization, view[at:end]), end


def _strings(content: memoryview) -> Iterator[bytes]:
    at = 0
    while at < len(content):
        (length,) = struct.unpack_from("<I", content, at)
        yield bytes(content[at + 4 : at + 4 + length])
        at += 4 + length


def encode(op: Operation) -> tuple[dict[str, Any], bytes]:
    """A constant as an entry of a manifest and its bytes. Raises ArgumentError where weights cannot hold it."""
    array = arrays.of_constant(op)
    dtype = op.outputs[0].dtype
    assert dtype is not None
    entry: dict[str, Any] = {"name": op.name, "shape": list(array.shape), "dtype": dtype.name}
    if dtype is dtypes.string:
        return entry, b"".join(struct.pack("<I", len(item)) + item for item in array.ravel().tolist())
    if dtype.name not in _DTYPES:
        entry["dtype"] = _WRITTEN.get(dtype.name) or ("int32" if dtype.is_integer else "")
        if not entry["dtype"]:
            raise ArgumentError(f"constant {op.name!r} is of dtype {dtype}, which TensorFlow.js weights cannot hold")
    written = array.astype(arrays.numpy_dtype(dtypes.by_name(entry["dtype"])))
    if dtype.is_integer and not np.array_equal(written.astype(array.dtype), array):
        raise ArgumentError(f"constant {op.name!r} of dtype {dtype} holds numbers that int32 cannot")
    return entry, written.tobytes()
