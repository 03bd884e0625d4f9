"""Kernels of strings, which are bytes: cut, joined, searched, and turned into numbers and back.

Where characters are meant, strings are UTF-8; each element stands for itself.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from typing import Any

import numpy as np

from graphgrad.kernels import _regular
from graphgrad.kernels._hashes import farmhash64, murmur64, siphash64
from graphgrad.kernels._parsing import each, parser_of, row_of
from graphgrad.kernels._summaries import laid_out
from graphgrad.registry import kernel

Array = np.ndarray[Any, Any]


def scalar(tensor: Array, name: str) -> bytes:
    if tensor.ndim:
        raise ValueError(f"{name} must be a scalar, not of shape {list(tensor.shape)}")
    value: bytes = tensor[()]
    return value


def _utf8(encoding: str) -> bool:
    if encoding.lower() not in ("", "utf-8"):
        raise ValueError(f"only utf-8 or '' (no encoding) is supported, not {encoding!r}")
    return bool(encoding)


def _counts_characters(unit: str) -> bool:
    if unit not in ("BYTE", "UTF8_CHAR"):
        raise ValueError(f"unit must be BYTE or UTF8_CHAR, not {unit!r}")
    return unit == "UTF8_CHAR"


# ----------------------------------------------------------------------------------------------- letters


def _cased(change: Callable[[Any], Any]) -> Callable[..., Array]:
    def cased(input, *, encoding):
        if not _utf8(encoding):
            return each(change, input)
        # TensorFlow's ends at the first NUL.
        return each(lambda value: change(value.split(b"\0")[0].decode("utf-8", "replace")).encode(), input)

    return cased


kernel("StringLower")(_cased(lambda text: text.lower()))
kernel("StringUpper")(_cased(lambda text: text.upper()))


@kernel("StringStrip")
def strip(input):
    return each(lambda value: value.strip(b" \t\n\v\f\r"), input)


def _starts(value: bytes) -> list[int]:
    """Where characters start: every byte that continues none."""
    return [at for at, byte in enumerate(value) if byte & 0xC0 != 0x80]


@kernel("StringLength")
def length(input, *, unit):
    return each((lambda value: len(_starts(value))) if _counts_characters(unit) else len, input, np.int32)


@kernel("Substr")
def substr(input, pos, len, *, unit):
    """A negative position counts from the end, a negative length reaches it."""
    if pos.shape != len.shape:
        raise ValueError(f"pos and len must be of one shape, not {list(pos.shape)} and {list(len.shape)}")
    characters = _counts_characters(unit)
    values, starts, lengths = np.broadcast_arrays(input, pos, len)
    out = np.empty(values.shape, object)
    cut = [_cut(*one, characters) for one in zip(*(x.reshape(-1).tolist() for x in (values, starts, lengths)))]
    out.reshape(-1)[:] = cut
    return out


def _cut(value: bytes, start: int, count: int, characters: bool) -> bytes:
    places = [*_starts(value), len(value)] if characters else range(len(value) + 1)
    total = len(places) - 1
    begin = start + total if start < 0 else start
    if not 0 <= begin <= total:
        raise ValueError(f"pos {start} out of range for string {value!r}")
    end = total if count < 0 else min(begin + count, total)
    return value[places[begin] : places[end]]


# ----------------------------------------------------------------------------------------------- joining and splitting


@kernel("StringJoin")
def join(inputs, *, separator):
    shapes = {x.shape for x in inputs if x.ndim}
    if len(shapes) > 1:
        raise ValueError(f"input shapes do not match: {' and '.join(str(list(s)) for s in sorted(shapes))}")
    shape = next(iter(shapes), ())
    columns = [np.broadcast_to(x, shape).reshape(-1).tolist() for x in inputs]
    out = np.empty(shape, object)
    out.reshape(-1)[:] = [separator.encode().join(parts) for parts in zip(*columns, strict=True)]
    return out


@kernel("ReduceJoin")
def reduce_join(inputs, reduction_indices, *, keep_dims, separator):
    """The first of the axes runs fastest."""
    rank = inputs.ndim
    axes = [int(axis) for axis in reduction_indices.reshape(-1)]
    for axis in axes:
        if not -rank <= axis < rank:
            raise ValueError(f"invalid reduction dimension {axis} for input with {rank} dimension(s)")
    axes = [axis % rank for axis in axes]
    if len(set(axes)) < len(axes):
        raise ValueError(f"reduction dimensions {axes} repeat")
    if not axes:
        return inputs
    kept = [axis for axis in range(rank) if axis not in axes]
    shape = tuple(inputs.shape[axis] for axis in kept)
    rows = inputs.transpose([*kept, *reversed(axes)]).reshape(int(np.prod(shape)), -1 if inputs.size else 0)
    joined = row_of([separator.encode().join(row) for row in rows.tolist()])
    return joined.reshape([1 if a in axes else n for a, n in enumerate(inputs.shape)] if keep_dims else shape)


@kernel("UnsortedSegmentJoin")
def segment_join(inputs, segment_ids, num_segments, *, separator):
    count = int(num_segments)
    if not segment_ids.ndim:
        raise ValueError("segment_ids must have at least one axis")
    if inputs.shape[: segment_ids.ndim] != segment_ids.shape:
        raise ValueError(
            f"inputs of shape {list(inputs.shape)} do not start with {list(segment_ids.shape)} of segment_ids"
        )
    if segment_ids.size and not 0 <= segment_ids.min() <= segment_ids.max() < count:
        raise ValueError(f"segment_ids must be in [0, {count})")
    inner = inputs.shape[segment_ids.ndim :]
    cells: list[list[list[bytes]]] = [[[] for _ in range(int(np.prod(inner)))] for _ in range(count)]
    rows = inputs.reshape(segment_ids.size, int(np.prod(inner))).tolist()
    for segment, row in zip(segment_ids.reshape(-1).tolist(), rows, strict=True):
        for cell, value in zip(cells[segment], row, strict=True):
            cell.append(value)
    return row_of([separator.encode().join(cell) for row in cells for cell in row]).reshape(count, *inner)


def _split_result(rows: list[list[bytes]]) -> tuple[Array, Array, Array]:
    """The parts of all strings as a sparse matrix with a row for each."""
    places = [(i, j) for i, parts in enumerate(rows) for j in range(len(parts))]
    shape = [len(rows), max(map(len, rows), default=0)]
    return (
        np.array(places, np.int64).reshape(-1, 2),
        row_of([part for parts in rows for part in parts]),
        np.array(shape, np.int64),
    )


def _vector(input: Array) -> list[bytes]:
    if input.ndim != 1:
        raise ValueError(f"the input must be a vector, not of shape {list(input.shape)}")
    values: list[bytes] = input.tolist()
    return values


@kernel("StringSplit")
def split(input, delimiter, *, skip_empty):
    """At each byte that is one of the delimiter's; into bytes where there is none."""
    delimiters = scalar(delimiter, "delimiter")

    def parts(value):
        if not value:
            return []
        if not delimiters:
            return [value[i : i + 1] for i in range(len(value))]
        found = re.split(b"[" + re.escape(delimiters) + b"]", value)
        return [part for part in found if part] if skip_empty else found

    return _split_result([parts(value) for value in _vector(input)])


@kernel("StringSplitV2")
def split_v2(input, sep, *, maxsplit):
    """At each separator, or at runs of space where it is empty; at most `maxsplit` times where that is not negative."""
    separator = scalar(sep, "sep")
    if separator:
        return _split_result([value.split(separator, maxsplit) for value in _vector(input)])
    return _split_result([_words(value, maxsplit) for value in _vector(input)])


def _words(value: bytes, most: int) -> list[bytes]:
    """Words, and what is left behind so many of them, even if that is nothing."""
    if most == 0:
        return [value]
    words, rest = [], value.lstrip()
    while rest:
        word, _, _ = (*rest.split(None, 1), b"", b"")[:3]
        words.append(word)
        rest = rest[len(word) :].lstrip()
        if len(words) == most:
            return [*words, rest]
    return words


@kernel("StringNGrams")
def ngrams(
    data, data_splits, *, separator, ngram_widths, left_pad, right_pad, pad_width, preserve_short_sequences, Tsplits
):
    """Every run of so many neighbours in a row, for each of the widths in turn. The splits may have any shape."""
    shape, data_splits = data_splits.shape, data_splits.reshape(-1)
    glue, pads = separator.encode(), (left_pad.encode(), right_pad.encode())
    if data_splits.size and (data_splits[0] != 0 or data_splits[-1] != len(data) or (np.diff(data_splits) < 0).any()):
        raise ValueError(f"data_splits must ascend from 0 to {len(data)}")
    found, ends = [], [0]
    if not len(data):
        return row_of([]), np.zeros(shape, Tsplits)
    for start, stop in zip(data_splits[:-1].tolist(), data_splits[1:].tolist(), strict=True):
        row = data[start:stop].tolist()
        grams = [gram for width in ngram_widths for gram in _grams(row, width, pads, pad_width)]
        if preserve_short_sequences and not grams and row:
            grams = [_padded(row, pads, max(pad_width, 0))]
        found += [glue.join(gram) for gram in grams]
        ends.append(len(found))
    return row_of(found), np.array(ends if data_splits.size else [], Tsplits).reshape(shape)


def _padded(row: list[bytes], pads: tuple[bytes, bytes], width: int) -> list[bytes]:
    return [*[pads[0]] * width, *row, *[pads[1]] * width]


def _grams(row: list[bytes], width: int, pads: tuple[bytes, bytes], pad_width: int) -> list[list[bytes]]:
    padded = _padded(row, pads, width - 1 if pad_width < 0 else min(pad_width, width - 1))
    return [padded[at : at + width] for at in range(len(padded) - width + 1)]


# ----------------------------------------------------------------------------------------------- patterns


@kernel("RegexReplace")
def regex_replace(input, pattern, rewrite, *, replace_global):
    found = _regular.compiled(scalar(pattern, "pattern"))
    text = scalar(rewrite, "rewrite")
    return each(lambda value: _regular.replaced(found, text, value, replace_global), input)


@kernel("StaticRegexReplace")
def static_regex_replace(input, *, pattern, rewrite, replace_global):
    found = _regular.compiled(_bytes(pattern))
    return each(lambda value: _regular.replaced(found, _bytes(rewrite), value, replace_global), input)


@kernel("RegexFullMatch")
def regex_full_match(input, pattern):
    return _full_matches(input, scalar(pattern, "pattern"))


@kernel("StaticRegexFullMatch")
def static_regex_full_match(input, *, pattern):
    return _full_matches(input, _bytes(pattern))


def _full_matches(input: Array, pattern: bytes) -> Array:
    found = _regular.compiled(pattern)
    return each(lambda value: found.fullmatch(_regular.decoded(value)) is not None, input, np.bool_)


def _bytes(attribute: str | bytes) -> bytes:
    return attribute.encode() if isinstance(attribute, str) else attribute


# ----------------------------------------------------------------------------------------------- numbers


@kernel("AsString")
def as_string(input, *, precision, scientific, shortest, width, fill):
    """As C's printf does."""
    if fill not in ("", " ", "+", "-", "0", "#"):
        raise ValueError(f"fill argument not supported: {fill!r}")
    if scientific and shortest:
        raise ValueError("cannot select both scientific and shortest notation")
    kind = input.dtype.kind
    if kind in "biuO" and (scientific or shortest or precision >= 0):
        raise ValueError(f"precision and notation are not for {input.dtype.name}")
    letter = "e" if scientific else "g" if shortest else "f"
    size = f"{fill}{width}" if width > -1 else fill
    digits = f".{precision}" if precision > -1 else ""
    if kind == "b":
        return each(lambda value: b"true" if value else b"false", input)
    if kind == "O":
        return each(lambda value: (f"%{size}s".encode()) % value, input)
    if kind == "c":
        form = f"(%{size}{digits}{letter},%{size}{digits}{letter})"
        return each(lambda value: (form % (value.real, value.imag)).encode(), input)
    size = size.lstrip("+ ") if kind == "u" else size  # C's printf gives a sign to signed numbers alone
    form = f"%{size}d" if kind in "iu" else f"%{size}{digits}{letter}"
    return each(lambda value: (form % value).encode(), input)


@kernel("StringToNumber")
def to_number(string_tensor, *, out_type):
    parse = parser_of(out_type)
    return each(lambda value: number_of(value, parse), string_tensor, out_type)


def number_of(value: bytes, parse: Callable[[bytes], Any]) -> Any:
    """The number a string spells. Raises ValueError where it spells none."""
    number = parse(value)
    if number is None:
        raise ValueError(f"could not correctly convert string: {value.decode('utf-8', 'replace')}")
    return number


@kernel("StringFormat")
def string_format(inputs, *, template, placeholder, summarize):
    parts = template.split(placeholder)
    if len(parts) - 1 != len(inputs):
        raise ValueError(f"num placeholders in template and num inputs must match: {len(parts) - 1} vs. {len(inputs)}")
    texts = [laid_out(np.asarray(x), summarize) for x in inputs]
    whole = "".join(part + text for part, text in zip(parts, [*texts, ""], strict=True))
    return np.array(whole.encode("utf-8", "surrogateescape"), object)


# ----------------------------------------------------------------------------------------------- hashes


def _buckets(strings: Array, count: int, hashed: Callable[[bytes], int]) -> Array:
    if count <= 0:
        raise ValueError(f"num_buckets must be positive, not {count}")
    return each(lambda value: hashed(value) % count, strings, np.int64)


@kernel("StringToHashBucketFast")
def hash_bucket_fast(input, *, num_buckets):
    return _buckets(input, num_buckets, farmhash64)


@kernel("StringToHashBucket")
def hash_bucket(string_tensor, *, num_buckets):
    return _buckets(string_tensor, num_buckets, murmur64)


@kernel("StringToHashBucketStrong")
def hash_bucket_strong(input, *, num_buckets, key):
    if len(key) != 2:
        raise ValueError(f"key must have 2 elements, not {len(key)}")
    return _buckets(input, num_buckets, lambda value: siphash64((key[0], key[1]), value))


@kernel("Fingerprint")
def fingerprint(data, method):
    """Of each row: eight bytes, the lowest first."""
    if scalar(method, "method") != b"farmhash64":
        raise ValueError(f"unsupported fingerprint method: {scalar(method, 'method')!r}")
    if data.ndim == 0:
        raise ValueError("data must not be a scalar")
    rows = data.reshape(len(data), -1 if data.size else 0)
    if data.dtype.kind != "O":
        hashes = [farmhash64(row.tobytes()) for row in rows]
    elif data.ndim == 1:
        hashes = [farmhash64(row[0]) for row in rows]
    else:
        hashes = [farmhash64(b"".join(farmhash64(v).to_bytes(8, "little") for v in row)) for row in rows]
    return np.array(hashes, np.uint64).view(np.uint8).reshape(len(rows), 8)


# ----------------------------------------------------------------------------------------------- base 64


@kernel("EncodeBase64")
def encode_base64(input, *, pad):
    def encode(value: bytes) -> bytes:
        text = base64.urlsafe_b64encode(value)
        return text if pad else text.rstrip(b"=")

    return each(encode, input)


@kernel("DecodeBase64")
def decode_base64(input):
    return each(_from_base64, input)


def _from_base64(value: bytes) -> bytes:
    found = re.fullmatch(rb"([0-9A-Za-z_-]*)(={0,2})", value)
    if found is None or (found[2] and len(value) % 4):
        raise ValueError("invalid character found in base64")
    if len(found[1]) % 4 == 1:
        raise ValueError("base64 string length cannot be 1 modulo 4")
    return base64.urlsafe_b64decode(found[1] + b"=" * (-len(found[1]) % 4))
