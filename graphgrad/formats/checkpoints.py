"""Checkpoints: the tensors that a training program saved, of version 2 (an index and data files) and of version 1.

Tensors are read when they are asked for, from where they lie, and checked against their checksums. A tensor saved in
slices is put together.
"""

from __future__ import annotations

import dataclasses
import functools
import glob
import mmap
import os
import re
import struct
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any

import numpy as np
from google.protobuf.message import DecodeError

from graphgrad import dtypes
from graphgrad.dtypes import DType
from graphgrad.errors import ArgumentError, ModelError, did_you_mean
from graphgrad.formats import arrays, tables
from graphgrad.formats.beside import latest_in
from graphgrad.formats.crc32c import checksum, masked
from graphgrad.formats.wire import varint
from graphgrad.schema import checkpoint_pb2, graph_pb2, saved_model_pb2

Array = np.ndarray[Any, Any]
Slice = tuple[tuple[int, int], ...]  # start and length of each dimension; a length of -1 is all of it

OBJECT_GRAPH = "_CHECKPOINTABLE_OBJECT_GRAPH"
FULL = -1


@dataclasses.dataclass(frozen=True)
class Entry:
    """What a checkpoint says of a tensor; the slices it was saved in, none where it was saved whole."""

    name: str
    dtype: DType
    shape: tuple[int, ...]
    slices: tuple[Slice, ...] = ()


def open_checkpoint(path: str, option: str = "--variables") -> Checkpoint:
    """The checkpoint of a prefix, or the latest in a folder.

    Raises ArgumentError where there is none, ModelError where it is damaged or a file of it is missing.
    """
    prefix = _prefix(path, option)
    if os.path.isfile(f"{prefix}.index"):
        return Bundle(prefix)
    pieces = [prefix] if os.path.isfile(prefix) else sorted(glob.glob(f"{glob.escape(prefix)}-?????-of-?????"))
    if not pieces:
        folder = os.path.dirname(prefix) or "."
        others = sorted(p.removesuffix(".index") for p in glob.glob(f"{glob.escape(folder)}/*.index"))
        close = did_you_mean(os.path.normpath(prefix), map(os.path.normpath, others))
        raise ArgumentError(f"{option}: there is no checkpoint {path}: neither {prefix}.index nor {prefix}{close}")
    return Slices(prefix, pieces)


def _prefix(path: str, option: str) -> str:
    """The prefix that is meant by the name of one of its files, or of a folder."""
    if os.path.isdir(path):
        if not os.path.isfile(os.path.join(path, "checkpoint")):
            raise ArgumentError(f"{option} {path} is a folder without a file 'checkpoint': give the prefix of one")
        return latest_in(path)
    return re.sub(r"(\.index|\.data-\d{5}-of-\d{5})\Z", "", path)


class Checkpoint(ABC):
    """The tensors of a checkpoint by name."""

    def __init__(self, path: str):
        self.path = path
        self.entries: dict[str, Entry] = {}

    def __contains__(self, name: str) -> bool:
        return name in self.entries

    def read(self, name: str) -> Array:
        """The tensor of that name. Raises KeyError where there is none, ModelError where it is damaged."""
        entry = self.entries[name]
        if not entry.slices:
            return self._whole(entry)
        full = np.empty(entry.shape, arrays.numpy_dtype(entry.dtype))
        filled = 0
        for part in entry.slices:
            place = places(part, entry.shape)
            value = self._slice(entry, part)
            if value.shape != full[place].shape:
                raise ModelError(f"{self.path}: a slice of tensor {name!r} has shape {list(value.shape)}")
            full[place] = value
            filled += value.size
        if filled != full.size:
            raise ModelError(f"{self.path}: the slices of tensor {name!r} hold {filled} of its {full.size} elements")
        return full

    @abstractmethod
    def _whole(self, entry: Entry) -> Array:
        """A tensor that was saved in one piece."""

    @abstractmethod
    def _slice(self, entry: Entry, part: Slice) -> Array:
        """One of the pieces in which a tensor was saved."""

    @functools.cached_property
    def objects(self) -> saved_model_pb2.TrackableObjectGraph | None:
        """The graph of the objects that were saved, in a checkpoint of objects."""
        if OBJECT_GRAPH not in self.entries:
            return None
        try:
            return saved_model_pb2.TrackableObjectGraph.FromString(self.read(OBJECT_GRAPH).item())
        except DecodeError:
            raise ModelError(f"{self.path}: its graph of objects is damaged") from None


def places(part: Slice, shape: tuple[int, ...]) -> tuple[slice, ...]:
    """Where a slice lies in the tensor."""
    return tuple(
        slice(start, size if length == FULL else start + length)
        for (start, length), size in zip(part, shape, strict=True)
    )


def _of_proto(part: saved_model_pb2.TensorSliceProto) -> Slice:
    return tuple(
        (extent.start, extent.length if extent.WhichOneof("has_length_hack") else FULL) for extent in part.extent
    )


def _shape(shape: graph_pb2.TensorShapeProto) -> tuple[int, ...]:
    return tuple(dim.size for dim in shape.dim)


def _read_file(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise ModelError(f"checkpoint file {path} cannot be read: {error.strerror}") from None


def _block_checksum(block: bytes) -> int:
    return masked(checksum(block))


class Bundle(Checkpoint):
    """Version 2: an index of entries, and data files in which each tensor's elements lie one behind the other."""

    def __init__(self, prefix: str):
        super().__init__(prefix)
        self._places: dict[bytes, checkpoint_pb2.BundleEntryProto] = {}
        self._maps: dict[int, memoryview] = {}
        index = f"{prefix}.index"
        self._header = checkpoint_pb2.BundleHeaderProto()
        try:
            for key, value in tables.read(_read_file(index), index, _block_checksum):
                if not key:
                    self._header.ParseFromString(value)
                    continue
                place = self._places[key] = checkpoint_pb2.BundleEntryProto.FromString(value)
                if key[:1] != b"\0":  # the others are slices of a tensor, under keys of their own
                    name = key.decode("utf-8", "replace")
                    parts = tuple(map(_of_proto, place.slices))
                    self.entries[name] = Entry(name, dtypes.by_enum(place.dtype), _shape(place.shape), parts)
        except (DecodeError, KeyError) as error:
            raise ModelError(f"{index} is damaged: an entry is no entry of a checkpoint ({error})") from None
        missing = [path for path in map(self._data_file, range(self._header.num_shards)) if not os.path.isfile(path)]
        if missing:
            raise ModelError(f"checkpoint {prefix} lacks {', '.join(missing)}")

    def _data_file(self, shard: int) -> str:
        return f"{self.path}.data-{shard:05d}-of-{self._header.num_shards:05d}"

    def _whole(self, entry: Entry) -> Array:
        return self._at(entry.name, entry, self._places[entry.name.encode()])

    def _slice(self, entry: Entry, part: Slice) -> Array:
        place = self._places.get(slice_key(entry.name, part))
        if place is None:
            raise ModelError(f"{self.path}.index lacks a slice of tensor {entry.name!r}")
        return self._at(entry.name, Entry(entry.name, entry.dtype, _shape(place.shape)), place)

    def _at(self, name: str, entry: Entry, place: checkpoint_pb2.BundleEntryProto) -> Array:
        if entry.dtype is dtypes.variant:
            raise ModelError(f"{self.path}: tensor {name!r} is a variant, and its values cannot be read")
        data = self._bytes(name, place)
        if entry.dtype is dtypes.string:
            array, found = _strings(data, entry.shape)
        else:
            array, found = self._numbers(data, entry), checksum(data)
        if masked(found) != place.crc32c:
            raise ModelError(f"{self._data_file(place.shard_id)} is damaged: the checksum of tensor {name!r} is wrong")
        return array

    def _bytes(self, name: str, place: checkpoint_pb2.BundleEntryProto) -> memoryview:
        view = self._mapped(place.shard_id)
        if place.offset + place.size > len(view):
            raise ModelError(f"{self._data_file(place.shard_id)} is truncated: tensor {name!r} lies beyond its end")
        return view[place.offset : place.offset + place.size]

    def _mapped(self, shard: int) -> memoryview:
        found = self._maps.get(shard)
        if found is None:
            path = self._data_file(shard)
            try:
                with open(path, "rb") as file:
                    is_empty = os.fstat(file.fileno()).st_size == 0  # which cannot be mapped
                    content: Any = b"" if is_empty else mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            except OSError as error:
                raise ModelError(f"checkpoint file {path} cannot be read: {error.strerror}") from None
            found = self._maps[shard] = memoryview(content)
        return found

    def _numbers(self, data: memoryview, entry: Entry) -> Array:
        dtype = arrays.numpy_dtype(entry.dtype)
        wanted = int(np.prod(entry.shape, dtype=int)) * dtype.itemsize
        if len(data) != wanted:
            raise ModelError(f"{self.path}: tensor {entry.name!r} has {len(data)} bytes instead of {wanted}")
        array: Array = np.frombuffer(data, dtype)
        if self._header.endianness == checkpoint_pb2.BundleHeaderProto.BIG:
            array = array.byteswap()
        array = array.reshape(entry.shape)
        return array if array.flags.aligned else array.copy()


def _strings(data: memoryview, shape: tuple[int, ...]) -> tuple[Array, int]:
    """Strings: all lengths, their checksum, all contents; and the checksum of the whole."""
    array = np.empty(int(np.prod(shape, dtype=int)), object)
    lengths, at = [], 0
    try:
        for _ in range(array.size):
            length, at = varint(data, at)
            lengths.append(length)
    except DecodeError as error:
        raise ModelError(f"a tensor of strings is damaged: {error}") from None
    packed = b"".join(struct.pack("<I" if length < 1 << 32 else "<Q", length) for length in lengths)
    rest = at + 4  # behind the checksum of the lengths
    found = checksum(data[at:], checksum(packed))
    for i, length in enumerate(lengths):
        array[i] = bytes(data[rest : rest + length])
        rest += length
    return array.reshape(shape), found


class Slices(Checkpoint):
    """Version 1: tables whose entries are slices of tensors, in one file or several."""

    def __init__(self, prefix: str, files: list[str]):
        super().__init__(prefix)
        self._data: dict[bytes, bytes] = {}
        for path in files:
            content = _read_file(path)
            if not tables.is_table(content):
                raise ModelError(f"{path} is truncated or no checkpoint")
            self._add(path, tables.read(content, path, _block_checksum))
        total = re.search(r"-of-(\d{5})\Z", files[0])
        if total is not None and len(files) != int(total[1]):
            raise ModelError(f"checkpoint {prefix} has {len(files)} of its {int(total[1])} files")

    def _add(self, path: str, items: Iterator[tuple[bytes, bytes]]) -> None:
        for key, value in items:
            if key:
                self._data[key] = value
                continue
            try:
                meta = checkpoint_pb2.SavedTensorSlices.FromString(value).meta
            except DecodeError:
                raise ModelError(f"{path} is damaged: its first entry lists no tensors") from None
            for tensor in meta.tensor:
                before = self.entries.get(tensor.name)
                parts = (*(before.slices if before else ()), *map(_of_proto, tensor.slice))
                dtype, shape = dtypes.by_enum(tensor.type), _shape(tensor.shape)
                self.entries[tensor.name] = Entry(tensor.name, dtype, shape, parts)

    def _whole(self, entry: Entry) -> Array:
        return self._slice(entry, ((0, FULL),) * len(entry.shape))

    def _slice(self, entry: Entry, part: Slice) -> Array:
        stored = self._data.get(slice_key(entry.name, part))
        if stored is None:
            raise ModelError(f"{self.path} lacks a slice of tensor {entry.name!r}")
        data = checkpoint_pb2.SavedTensorSlices.FromString(stored).data.data
        tensor = graph_pb2.TensorProto()
        tensor.CopyFrom(data)
        tensor.dtype = entry.dtype.enum  # type: ignore[assignment]
        tensor.ClearField("tensor_shape")
        tensor.tensor_shape.SetInParent()
        for place in places(part, entry.shape):
            tensor.tensor_shape.dim.add(size=place.stop - place.start)
        return arrays.from_proto(tensor)


def slice_key(name: str, part: Slice) -> bytes:
    """The key of a slice in the table: codes whose order as bytes is the order of what they stand for."""
    return b"".join(
        [_ordered(0), _ordered_text(name), _ordered(len(part)), *(_ordered_signed(n) for pair in part for n in pair)]
    )


def _ordered_text(text: str) -> bytes:
    escaped = {0: b"\0\xff", 255: b"\xff\0"}
    return b"".join(escaped.get(byte, bytes([byte])) for byte in text.encode()) + b"\0\1"


def _ordered(value: int) -> bytes:
    """A natural number: how many bytes it has, and these."""
    content = value.to_bytes((value.bit_length() + 7) // 8, "big")
    return bytes([len(content)]) + content


def _ordered_signed(value: int) -> bytes:
    """A number in as few bytes as hold it: its leading bits tell their count, flipped where it is negative."""
    size = 1
    while not -(1 << 7 * size - 1) <= value < 1 << 7 * size - 1:
        size += 1
    bits = value & (1 << 8 * size) - 1
    # As many ones as there are bytes lead, and the sign decides whether they stay.
    header = ((1 << size) - 1) << 7 * size
    return (bits ^ header).to_bytes(size, "big")
