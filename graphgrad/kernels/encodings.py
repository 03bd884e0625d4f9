"""Kernels that decode strings: code points, numbers in binary, records of comma-separated values."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np

from graphgrad.kernels._encodings import code_points, codec_of, settled, written
from graphgrad.kernels._parsing import each, parser_of, row_of
from graphgrad.registry import kernel

Array = np.ndarray[Any, Any]


# -------------------------------------------------------------------------------------------- compressed bytes


@kernel("DecodeCompressed")
def decode_compressed(bytes, *, compression_type):
    if compression_type not in ("", "ZLIB", "GZIP"):
        raise ValueError(f"compression_type must be '', ZLIB or GZIP, not {compression_type!r}")
    if not compression_type:
        return bytes
    window = zlib.MAX_WBITS | (16 if compression_type == "GZIP" else 0)
    return each(lambda value: zlib.decompress(value, window), bytes)


# ----------------------------------------------------------------------------------------------- code points


@kernel("UnicodeDecodeWithOffsets")
def decode_with_offsets(input, *, input_encoding, errors, replacement_char, replace_control_characters, Tsplits):
    codec = codec_of(input_encoding)
    rows = [
        settled(code_points(value, codec), errors, replacement_char, replace_control_characters)
        for value in input.reshape(-1).tolist()
    ]
    splits = np.append(0, np.cumsum([len(row) for row in rows])).astype(Tsplits)
    found = np.array([point for row in rows for point in row], np.int64).reshape(-1, 2)
    return splits, found[:, 0].astype(np.int32), found[:, 1]


@kernel("UnicodeDecode")
def decode(input, *, input_encoding, errors, replacement_char, replace_control_characters, Tsplits):
    return decode_with_offsets(
        input,
        input_encoding=input_encoding,
        errors=errors,
        replacement_char=replacement_char,
        replace_control_characters=replace_control_characters,
        Tsplits=Tsplits,
    )[:2]


@kernel("UnicodeEncode")
def encode(input_values, input_splits, *, errors, output_encoding, replacement_char):
    if not len(input_splits) or input_splits[0] != 0 or input_splits[-1] != len(input_values):
        raise ValueError(f"input_splits must ascend from 0 to {len(input_values)}")
    if (np.diff(input_splits) < 0).any():
        raise ValueError("input_splits must not descend")
    rows = np.split(input_values, input_splits[1:-1])
    return row_of(
        [written(row.tolist(), output_encoding, errors, replacement_char) for row in rows][: len(input_splits) - 1]
    )


@kernel("UnicodeTranscode")
def transcode(input, *, input_encoding, output_encoding, errors, replacement_char, replace_control_characters):
    codec = codec_of(input_encoding)

    def apply(value):
        points = settled(code_points(value, codec), errors, replacement_char, replace_control_characters)
        return written([code for code, _ in points], output_encoding, errors, replacement_char)

    return each(apply, input)


# ----------------------------------------------------------------------------------------------- binary


def _raw(values: list[bytes], length: int, shape: tuple[int, ...], out_type: Any, little_endian: bool) -> Array:
    dtype = np.dtype(out_type)
    flat = np.frombuffer(b"".join(values), dtype if little_endian or dtype.itemsize == 1 else dtype.newbyteorder(">"))
    return flat.astype(dtype).reshape(*shape, length // dtype.itemsize)


@kernel("DecodeRaw")
def decode_raw(bytes, *, out_type, little_endian):
    values = bytes.reshape(-1).tolist()
    if len({len(value) for value in values}) > 1:
        raise ValueError("input strings must all be of one size")
    if values and len(values[0]) % np.dtype(out_type).itemsize:
        raise ValueError(f"the input has length {len(values[0])}, which is no multiple of the size of {out_type}")
    return _raw(values, len(values[0]) if values else 0, bytes.shape, out_type, little_endian)


@kernel("DecodePaddedRaw")
def decode_padded_raw(input_bytes, fixed_length, *, out_type, little_endian):
    """Cut or filled with zeros to so many bytes."""
    length = int(fixed_length)
    if length <= 0 or length % np.dtype(out_type).itemsize:
        raise ValueError(f"fixed_length = {length} must be a positive multiple of the size of {out_type}")
    values = [value[:length].ljust(length, b"\0") for value in input_bytes.reshape(-1).tolist()]
    return _raw(values, length, input_bytes.shape, out_type, little_endian)


# ----------------------------------------------------------------------------------------------- records


@kernel("DecodeCSV")
def decode_csv(records, record_defaults, *, OUT_TYPE, field_delim, use_quote_delim, na_value, select_cols):
    """One column per default; an empty default makes its field required."""
    chosen = list(select_cols) or list(range(len(record_defaults)))
    if any(default.size > 1 or default.ndim > 1 for default in record_defaults):
        raise ValueError("each field has one default or none, a scalar or a vector")
    columns: list[list[Any]] = [[] for _ in record_defaults]
    for number, record in enumerate(records.reshape(-1).tolist()):
        fields = _fields(record, field_delim.encode(), use_quote_delim) if record else []
        if (len(fields) != len(columns)) if not select_cols else (max(chosen) >= len(fields)):
            raise ValueError(f"expect {len(columns)} fields but have {len(fields)} in record {number}")
        for place, (column, default, dtype) in enumerate(zip(columns, record_defaults, OUT_TYPE, strict=True)):
            field = fields[chosen[place]]
            if field in (b"", na_value.encode()):
                if not default.size:
                    raise ValueError(f"field {chosen[place]} is required but missing in record {number}")
                column.append(default.reshape(-1)[0])
            else:
                column.append(_field(field, dtype, chosen[place], number))
    return [_column(column, dtype, records.shape) for column, dtype in zip(columns, OUT_TYPE, strict=True)]


def _column(values: list[Any], dtype: Any, shape: tuple[int, ...]) -> Array:
    return (row_of(values) if dtype.kind == "O" else np.array(values, dtype)).reshape(shape)


def _field(field: bytes, dtype: Any, place: int, record: int) -> Any:
    if dtype.kind == "O":
        return field
    value = parser_of(dtype)(field)
    if value is None:
        raise ValueError(
            f"field {place} in record {record} is not a valid {dtype.name}: {field.decode('utf-8', 'replace')}"
        )
    return value


def _fields(record: bytes, delimiter: bytes, quotes: bool) -> list[bytes]:
    """The fields of a record; a quoted one may hold delimiters, and a quote as two."""
    fields, at = [], 0
    while True:
        if quotes and record[at : at + 1] == b'"':
            field, at = _quoted(record, at + 1)
            if at < len(record) and record[at : at + 1] != delimiter:
                raise ValueError("quoted field has to end with quote followed by delimiter or end")
        else:
            end = record.find(delimiter, at)
            end = len(record) if end < 0 else end
            field, at = record[at:end], end
            if quotes and b'"' in field:
                raise ValueError("unquoted fields cannot have quotes or newlines inside")
        fields.append(field)
        if at >= len(record):
            return fields
        at += 1


def _quoted(record: bytes, at: int) -> tuple[bytes, int]:
    parts = []
    while True:
        end = record.find(b'"', at)
        if end < 0:
            raise ValueError("quoted field has to end with a quote")
        parts.append(record[at:end])
        if record[end + 1 : end + 2] != b'"':
            return b'"'.join(parts), end + 1
        at = end + 2
