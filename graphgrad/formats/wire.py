"""Messages as bytes: where their fields lie, and the same bytes with more at the end of chosen fields.

A message that grows keeps every byte it had; only the lengths of the fields around what is new are written anew.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from google.protobuf.message import DecodeError


@dataclasses.dataclass
class Field:
    """A length-delimited field of a message: where its key begins and where its content lies, and what shall follow it."""

    key: int
    start: int
    end: int
    extra: bytes = b""
    content: list[bytes | memoryview] | None = None  # what stands in its place
    inner: list[Field] = dataclasses.field(default_factory=list)  # fields of this one that grow too, in order


def whole(view: memoryview) -> Field:
    """A message that is no field of another."""
    return Field(0, 0, len(view))


def find(view: memoryview, within: Field, number: int) -> list[Field]:
    """The fields of that number in a message, in order. Raises DecodeError."""
    return [Field(key, a, b) for n, key, a, b in fields(view, within.start, within.end) if n == number]


def grown(view: memoryview, field: Field) -> list[bytes | memoryview]:
    """The content of a field, or of a whole message, with what shall follow it and its inner fields."""
    if field.content is not None:
        return [*field.content, field.extra]
    parts: list[bytes | memoryview] = []
    at = field.start
    for inner in field.inner:
        content = grown(view, inner)
        _, after_key = varint(view, inner.key)
        parts += [view[at:after_key], encoded_varint(sum(map(len, content))), *content]
        at = inner.end
    return [*parts, view[at : field.end], field.extra]


def fields(view: memoryview, start: int, end: int) -> Iterator[tuple[int, int, int, int]]:
    """(number, where its key begins, where its content begins, where it ends) of each field of a message."""
    at = start
    while at < end:
        key_at = at
        key, at = varint(view, at)
        kind = key & 7
        if kind == 2:
            length, at = varint(view, at)
            after = at + length
        elif kind == 0:
            _, after = varint(view, at)
        elif kind in (1, 5):
            after = at + (8 if kind == 1 else 4)
        else:
            raise DecodeError("a field of a kind that no graph has")
        if after > end:
            raise DecodeError("a field reaches beyond its message")
        yield key >> 3, key_at, at, after
        at = after


def varint(view: memoryview, at: int) -> tuple[int, int]:
    """The number at a place, and where it ends. Raises DecodeError."""
    value = shift = 0
    while True:
        try:
            byte = view[at]
        except IndexError:
            raise DecodeError("the file ends inside a number") from None
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def encoded_varint(value: int) -> bytes:
    """A number as files hold it."""
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def delimited(number: int, *content: bytes | memoryview) -> list[bytes | memoryview]:
    """A length-delimited field of pieces of content."""
    return [encoded_varint(number << 3 | 2) + encoded_varint(sum(map(len, content))), *content]
