"""Arrays in files: TensorProto messages, .npz archives and JSON literals as numpy arrays, and back.

Nothing is ever unpickled. Strings are object arrays of `bytes` in memory and byte strings in .npz files.
"""

from __future__ import annotations

import io
import json
import math
import os
import zipfile
import zlib
from collections.abc import Mapping
from typing import Any

import ml_dtypes
import numpy as np

from graphgrad import attributes, dtypes
from graphgrad.dtypes import DType
from graphgrad.errors import ArgumentError, ModelError
from graphgrad.formats import files
from graphgrad.graph import Operation
from graphgrad.schema import graph_pb2

_EXTENDED = {
    "bfloat16": ml_dtypes.bfloat16,
    "float8_e5m2": ml_dtypes.float8_e5m2,
    "float8_e4m3fn": ml_dtypes.float8_e4m3fn,
    "float8_e4m3fnuz": ml_dtypes.float8_e4m3fnuz,
    "float8_e4m3b11fnuz": ml_dtypes.float8_e4m3b11fnuz,
    "float8_e5m2fnuz": ml_dtypes.float8_e5m2fnuz,
    "int4": ml_dtypes.int4,
    "uint4": ml_dtypes.uint4,
    "int2": ml_dtypes.int2,
    "uint2": ml_dtypes.uint2,
    "qint8": np.int8,
    "quint8": np.uint8,
    "qint16": np.int16,
    "quint16": np.uint16,
    "qint32": np.int32,
    "string": object,
    "resource": object,
    "variant": object,
}
NUMPY = {d: np.dtype(_EXTENDED.get(d.name, d.name)) for d in dtypes.all_dtypes()}
_BY_NUMPY = {n: d for d, n in NUMPY.items() if not d.name.startswith(("qu", "qi", "resource", "variant"))}

# dtypes whose repeated field holds numbers of another kind: (field, kind of the number in it)
_FIELDS = {
    "float32": "float_val",
    "float64": "double_val",
    "int64": "int64_val",
    "uint32": "uint32_val",
    "uint64": "uint64_val",
    "bool": "bool_val",
    "complex64": "scomplex_val",
    "complex128": "dcomplex_val",
    "float16": "half_val",
    "bfloat16": "half_val",
    "string": "string_val",
}


def numpy_dtype(dtype: DType) -> np.dtype[Any]:
    """The numpy dtype that holds TensorFlow's."""
    return NUMPY[dtype]


def dtype_of(array: np.ndarray[Any, Any]) -> DType:
    """TensorFlow's dtype of an array. Raises ArgumentError where it has none."""
    if array.dtype.kind in "SUO":
        return dtypes.string
    try:
        return _BY_NUMPY[array.dtype]
    except KeyError:
        raise ArgumentError(f"arrays of dtype {array.dtype} have no counterpart in TensorFlow") from None


def of_constant(op: Operation) -> np.ndarray[Any, Any]:
    """The array of a Const; its content may lie in the file's bytes. Raises ModelError where sizes disagree."""
    return from_proto(op["value"], op.graph.payloads.get(op.name))


def from_proto(proto: graph_pb2.TensorProto, content: memoryview | None = None) -> np.ndarray[Any, Any]:
    """The array a TensorProto holds in either of its encodings, or beside it in `content`. Raises ModelError where sizes disagree."""
    dtype = dtypes.by_enum(proto.dtype)
    target = numpy_dtype(dtype)
    shape = attributes.decode_shape(proto.tensor_shape)
    if shape is None or None in shape:
        raise ModelError("a constant has no full shape")
    count = int(math.prod(proto_dim.size for proto_dim in proto.tensor_shape.dim))
    raw = content if content is not None else proto.tensor_content
    if raw and target.kind != "O":
        if len(raw) != count * target.itemsize:
            raise ModelError(
                f"a constant of shape {list(shape)} holds {len(raw)} bytes instead of {count * target.itemsize}"
            )
        array: np.ndarray[Any, Any] = np.frombuffer(raw, target)
        array = array.reshape(shape)  # type: ignore[arg-type]
        # numpy copies an unaligned array anew in every call that reads it: once is enough.
        return array if array.flags.aligned else array.copy()
    return _repeat_last(_given(proto, dtype, target), count).reshape(shape)


def _given(proto: graph_pb2.TensorProto, dtype: DType, target: np.dtype[Any]) -> np.ndarray[Any, Any]:
    values = getattr(proto, _FIELDS.get(dtype.name, "float8_val" if dtype.name.startswith("float8") else "int_val"))
    if dtype is dtypes.string:
        given = np.empty(len(values), object)
        given[:] = list(values)
        return given
    if dtype.name.startswith("float8"):
        return np.frombuffer(values, target)
    if dtype in (dtypes.float16, dtypes.bfloat16):
        return np.array(values, np.uint16).view(target)
    if dtype.is_complex:
        return np.array(values, target.type(0).real.dtype).view(target)
    if target.kind == "O":
        raise ModelError(f"constants of dtype {dtype} hold handles, not numbers, and cannot be read")
    if target.kind == "u" and target.itemsize == 8:
        return np.array(values, target)  # numpy takes a list of small and large ones for floats, unless it is told
    return np.array(values).astype(target)


def _repeat_last(given: np.ndarray[Any, Any], count: int) -> np.ndarray[Any, Any]:
    if given.size >= count:
        return given[:count]
    filler = given[-1:] if given.size else np.array([b""] if given.dtype == object else [0]).astype(given.dtype)
    return np.concatenate([given, np.repeat(filler, count - given.size)])


def to_proto(array: np.ndarray[Any, Any], dtype: DType | None = None) -> graph_pb2.TensorProto:
    """An array as a TensorProto: numbers as `tensor_content`, a lone one or strings in their repeated field."""
    array = np.asarray(array)
    dtype = dtype or dtype_of(array)
    proto = bare_proto(array.shape, dtype)
    if dtype is dtypes.string:
        proto.string_val.extend(v if isinstance(v, bytes) else str(v).encode() for v in array.ravel().tolist())
    else:
        proto.tensor_content = np.ascontiguousarray(array, numpy_dtype(dtype)).tobytes()
    return proto


def bare_proto(shape: tuple[int, ...], dtype: DType) -> graph_pb2.TensorProto:
    """A TensorProto whose content lies elsewhere."""
    proto = graph_pb2.TensorProto(dtype=dtype.enum)  # type: ignore[arg-type]
    attributes.encode_shape(shape, proto.tensor_shape)
    proto.tensor_shape.SetInParent()
    return proto


def content(array: np.ndarray[Any, Any], dtype: DType) -> memoryview | None:
    """The bytes of an array as `tensor_content` holds them, where they lie if they lie so; None for strings."""
    if dtype is dtypes.string:
        return None
    return np.ascontiguousarray(array, numpy_dtype(dtype)).reshape(-1).view(np.uint8).data


def read_npz(path: str, option: str) -> dict[str, np.ndarray[Any, Any]]:
    """The arrays of an .npz file by key. Raises ArgumentError naming the option; nothing is unpickled."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            if not hasattr(archive, "files"):
                raise ArgumentError(
                    f"{option} {path} is a lone array; an .npz archive with tensor names as keys is needed"
                )
            return {key: _from_storage(archive[key]) for key in archive.files}
    except FileNotFoundError:
        raise ArgumentError(f"{option} {path} does not exist") from None
    except (OSError, ValueError, zipfile.BadZipFile, zlib.error, EOFError, KeyError) as error:
        raise ArgumentError(f"{option} {path} is no .npz archive of plain arrays: {_cause(error)}") from None


def read_npy(path: str, option: str) -> np.ndarray[Any, Any]:
    """The array of an .npy file. Raises ArgumentError naming the option; nothing is unpickled."""
    try:
        return _from_storage(np.load(path, allow_pickle=False))
    except (OSError, ValueError, EOFError) as error:
        raise ArgumentError(f"{option}: {path} is no .npy array: {_cause(error)}") from None


def _cause(error: Exception) -> str:
    """What numpy says, without its advice to unpickle."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return "what is pickled is never loaded" if "pickle" in str(error) else str(error)


def _from_storage(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return strings(array) if array.dtype.kind in "SU" else array


def strings(text: Any) -> np.ndarray[Any, Any]:
    """Byte or text strings, or an array of numpy's, as an object array of `bytes`."""
    array = np.asarray(text)
    out = np.empty(array.shape, object)
    out[...] = (
        array.astype("S").astype(object)
        if array.dtype.kind == "S"
        else np.vectorize(str.encode, otypes=[object])(array)
    )
    return out


def _to_storage(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    if array.dtype == object:
        flat = [v if isinstance(v, bytes) else str(v).encode() for v in array.ravel().tolist()]
        return np.array(flat or [b""], "S")[: array.size].reshape(array.shape)
    if array.dtype.name not in np.sctypeDict:
        # Numpy's file format knows no bfloat16; every bfloat16 is a float32.
        return array.astype(np.float32 if array.dtype.name.startswith(("bfloat", "float8")) else np.int8)
    return array


def write_npz(path: str | os.PathLike[str], arrays: Mapping[str, np.ndarray[Any, Any]]) -> None:
    """Writes an .npz archive whose bytes depend on the arrays alone. Raises ArgumentError."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for key, array in arrays.items():
            stored = _to_storage(np.asarray(array))
            entry = zipfile.ZipInfo(f"{key}.npy")  # a fixed date: the same arrays give the same bytes
            entry.create_system = 3
            # Pythons before and after 3.11.4 write the headers of large files in two ways: small ones shall have none.
            entry.file_size = stored.nbytes + 1024
            with archive.open(entry, "w") as file:
                np.lib.format.write_array(file, stored, allow_pickle=False)
    files.write(os.fspath(path), [buffer.getvalue()])


def from_literal(text: str, dtype: DType | None, what: str) -> np.ndarray[Any, Any]:
    """A JSON literal, nested lists of numbers or strings, as an array of the dtype. Raises ArgumentError."""
    try:
        value = json.loads(text)
        if dtype is dtypes.string:
            return _from_storage(np.array(value, np.str_))
        if dtype is not None and dtype.is_complex:
            value = json.loads(text, object_hook=lambda o: complex(o["re"], o["im"]))
        array = np.array(value)
        return array if dtype is None else _checked_cast(array, numpy_dtype(dtype))
    except (ValueError, TypeError, OverflowError, KeyError) as error:
        raise ArgumentError(f"{what}: {text!r} is no JSON literal of dtype {dtype or 'number'}") from error


def _checked_cast(array: np.ndarray[Any, Any], target: np.dtype[Any]) -> np.ndarray[Any, Any]:
    cast = array.astype(target)
    if target.kind in "iub" and array.size and not np.array_equal(cast.astype(array.dtype), array):
        raise ValueError(f"the numbers do not fit {target}")
    return cast


def largest_difference(a: np.ndarray[Any, Any], b: np.ndarray[Any, Any]) -> float:
    """The largest absolute difference of two arrays of one shape and dtype; NaN equals NaN; 1.0 for unequal strings."""
    if a.size == 0:
        return 0.0
    if a.dtype == object or a.dtype.kind == "b":
        return float(np.any(a != b))
    if a.dtype.kind in "iu":  # the difference of two 64-bit numbers fits 64 bits without a sign
        low, high = np.minimum(a, b).astype(np.uint64), np.maximum(a, b).astype(np.uint64)
        return float(np.max(high - low))
    wide = np.complex128 if a.dtype.kind == "c" else np.float64
    x, y = a.astype(wide), b.astype(wide)
    with np.errstate(invalid="ignore"):
        distance = np.where((x == y) | (np.isnan(x) & np.isnan(y)), 0.0, np.abs(x - y))
    return float(np.max(np.where(np.isnan(distance), np.inf, distance)))


def preview(array: np.ndarray[Any, Any]) -> str:
    """The first elements on one line."""
    flat = array.ravel()
    shown = " ".join(str(v) for v in flat[:4].tolist())
    return f"[{shown}{' ...' if flat.size > 4 else ''}]"
