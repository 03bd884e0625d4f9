"""Sorted string tables: the files in which checkpoints keep their entries, blocks of keys with shared beginnings.

Blocks may be packed by Snappy. Every block is checked against its checksum.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator

from google.protobuf.message import DecodeError

from graphgrad.errors import ModelError
from graphgrad.formats.wire import varint

_MAGIC = 0xDB4775248B80FB57
_FOOTER = 48  # two handles, padded, and the magic number
_TRAILER = 5  # of a block: how it is packed, its checksum
_PLAIN, _SNAPPY = 0, 1

Checksum = Callable[[bytes], int]


def is_table(data: bytes | memoryview) -> bool:
    """Whether data ends as tables do."""
    return len(data) >= _FOOTER and struct.unpack("<Q", data[-8:])[0] == _MAGIC


def read(data: bytes, name: str, checksum: Checksum) -> Iterator[tuple[bytes, bytes]]:
    """The entries of a table in order; `checksum` is of blocks, as files store it. Raises ModelError."""
    view = memoryview(data)
    if not is_table(view):
        raise ModelError(f"{name} is truncated or no table of a checkpoint")
    try:
        footer = view[len(view) - _FOOTER :]
        _, at = _handle(footer, 0)
        index, _ = _handle(footer, at)
        for _, value in _entries(_block(view, index, name, checksum)):
            handle, _ = _handle(memoryview(value), 0)
            yield from _entries(_block(view, handle, name, checksum))
    except ModelError:
        raise
    except (ValueError, IndexError, struct.error, DecodeError) as error:
        raise ModelError(f"{name} is damaged: {error}") from None


def _handle(view: memoryview, at: int) -> tuple[tuple[int, int], int]:
    offset, at = varint(view, at)
    size, at = varint(view, at)
    return (offset, size), at


def _block(view: memoryview, handle: tuple[int, int], name: str, checksum: Checksum) -> bytes:
    offset, size = handle
    end = offset + size
    if end + _TRAILER > len(view):
        raise ModelError(f"{name} is truncated: a block of it lies beyond the end")
    if struct.unpack_from("<I", view, end + 1)[0] != checksum(bytes(view[offset : end + 1])):
        raise ModelError(f"{name} is damaged: the checksum of a block is wrong")
    packing = view[end]
    if packing not in (_PLAIN, _SNAPPY):
        raise ModelError(f"{name} holds a block packed in a way that is not known ({packing})")
    content = bytes(view[offset:end])
    return unpacked(content) if packing == _SNAPPY else content


def _entries(block: bytes) -> Iterator[tuple[bytes, bytes]]:
    view = memoryview(block)
    (restarts,) = struct.unpack_from("<I", block, len(block) - 4)
    end = len(block) - 4 * (restarts + 1)
    at, key = 0, b""
    while at < end:
        shared, at = varint(view, at)
        own, at = varint(view, at)
        length, at = varint(view, at)
        if shared > len(key) or at + own + length > end:
            raise ValueError("an entry reaches beyond its block")
        key = key[:shared] + block[at : at + own]
        at += own
        yield key, block[at : at + length]
        at += length


def unpacked(data: bytes) -> bytes:
    """What Snappy packed: literal stretches, and copies of what came before. Raises ValueError."""
    size, at = varint(memoryview(data), 0)
    out = bytearray()
    while at < len(data):
        tag = data[at]
        at += 1
        kind = tag & 3
        if kind == 0:
            length = tag >> 2
            if length >= 60:
                more = length - 59
                length = int.from_bytes(data[at : at + more], "little")
                at += more
            length += 1
            out += data[at : at + length]
            at += length
            continue
        if kind == 1:
            length, more, high = (tag >> 2 & 7) + 4, 1, tag >> 5 << 8
        else:
            length, more, high = (tag >> 2) + 1, 2 if kind == 2 else 4, 0
        offset = high | int.from_bytes(data[at : at + more], "little")
        at += more
        if not 0 < offset <= len(out):
            raise ValueError("a packed block copies from before its beginning")
        start = len(out) - offset
        while length:
            piece = out[start : start + min(length, offset)]
            out += piece
            length -= len(piece)
    if len(out) != size:
        raise ValueError(f"a packed block has {len(out)} bytes instead of {size}")
    return bytes(out)
