"""Checkpoints of both versions: what they hold, and what is said of damaged ones."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from graphgrad_cli.main import cli
from hypothesis import given
from hypothesis import strategies as st

from graphgrad.errors import ArgumentError, GraphGradError, ModelError
from graphgrad.formats import checkpoints, tables
from graphgrad.formats.checkpoints import open_checkpoint, slice_key
from graphgrad.formats.crc32c import checksum, masked
from tests import file_store


def bit_by_bit(data: bytes) -> int:
    """The checksum as its definition has it."""
    register = 0xFFFFFFFF
    for byte in data:
        register ^= byte
        for _ in range(8):
            register = (register >> 1) ^ (0x82F63B78 if register & 1 else 0)
    return register ^ 0xFFFFFFFF


@pytest.mark.parametrize("size", [0, 1, 9, 2047, 2048, 2051, 40_003])
def test_checksums(size: int) -> None:
    assert checksum(b"123456789") == 0xE3069283
    data = np.random.default_rng(size).bytes(size)
    assert checksum(data) == bit_by_bit(data)
    assert checksum(data[size // 3 :], checksum(data[: size // 3])) == checksum(data)
    assert checksum(memoryview(b"x" + data)[1:]) == checksum(data)  # however it lies in memory


def test_large_data_is_summed_block_by_block() -> None:
    data = np.random.default_rng(0).bytes((1 << 24) + 12_345)
    half = 1 << 23
    assert checksum(data) == checksum(data[half:], checksum(data[:half]))


@pytest.mark.parametrize(
    ("packed", "plain"),
    [
        (b"\x05\x10hello", b"hello"),
        (b"\x0a\x00a\x05\x01\x0cbcde", b"aaaaaabcde"),  # one letter, a copy that overlaps itself
        (b"\x09\x08abc\x16\x03\x00", b"abcabcabc"),
        (b"\x06\x08abc\x0b\x03\x00\x00\x00", b"abcabc"),
        (b"\x46\xf0\x45" + b"x" * 70, b"x" * 70),
    ],
)
def test_packed_blocks(packed: bytes, plain: bytes) -> None:
    assert tables.unpacked(packed) == plain


@pytest.mark.parametrize("packed", [b"\x05\x08abc", b"\x06\x08abc\x0b\x09\x00\x00\x00", b"\x05\x10hel", b"\x05\x12"])
def test_damaged_packed_blocks(packed: bytes) -> None:
    with pytest.raises((ValueError, IndexError)):
        tables.unpacked(packed)


INTEGERS = st.integers(-(2**40), 2**40) | st.integers(-200, 200)


@given(st.lists(st.tuples(st.text(max_size=3), INTEGERS, INTEGERS), min_size=2, max_size=2))
def test_keys_of_slices_are_ordered_as_what_they_stand_for(items: list[tuple[str, int, int]]) -> None:
    (a, b), (key_a, key_b) = items, (slice_key(name, ((start, length),)) for name, start, length in items)
    comparable = [(name.encode(), start, length) for name, start, length in (a, b)]
    assert (comparable[0] < comparable[1]) == (key_a < key_b)


def test_what_a_checkpoint_of_objects_holds(tmp_path: Path) -> None:
    model = file_store.unpacked("object_checkpoint", tmp_path)
    assert model.variables is not None
    found = open_checkpoint(str(model.variables))
    offset = found.entries["net/offset/.ATTRIBUTES/VARIABLE_VALUE"]
    assert (offset.dtype.name, offset.shape, offset.slices) == ("float32", (2,), ())
    assert found.read(offset.name).tolist() == [-1.0, 2.0]
    assert found.read("step/.ATTRIBUTES/VARIABLE_VALUE") == 7
    assert found.objects is not None
    assert {child.local_name for child in found.objects.nodes[0].children} >= {"net", "step"}
    for name in (f"{model.variables}.index", f"{model.variables}.data-00000-of-00001"):
        assert open_checkpoint(name).entries == found.entries


@pytest.mark.parametrize("name", ["simple_save", "version_1"])
def test_parts_are_put_together(name: str, tmp_path: Path) -> None:
    model = file_store.unpacked(name, tmp_path)
    prefix = model.variables or model.path / "variables" / "variables"
    found = open_checkpoint(str(prefix))
    kernel = found.entries["kernel"]
    whole = found.read("kernel")
    assert whole.shape == kernel.shape and len(kernel.slices) == (2 if name == "simple_save" else 3)
    assert len(np.unique(whole)) == whole.size


def test_the_latest_of_a_folder(tmp_path: Path) -> None:
    model = file_store.unpacked("dynamic_rnn", tmp_path)
    assert open_checkpoint(str(model.path.parent)).path == str(model.variables)
    (tmp_path / "checkpoint").unlink()
    with pytest.raises(ArgumentError, match="is a folder without a file 'checkpoint'"):
        open_checkpoint(str(tmp_path))


def evaluated(model: file_store.Model, variables: object, tmp_path: Path) -> Any:
    np.savez(tmp_path / "fed.npz", **model.feeds)
    fed = ["--feeds", tmp_path / "fed.npz", "--fetch", model.ys[0]]
    return CliRunner().invoke(cli, [str(a) for a in ["eval", model.path, *fed, "--variables", variables]])


def flipped(path: Path, at: int) -> None:
    """Changes one byte of a file."""
    data = bytearray(path.read_bytes())
    data[at] ^= 0x40
    path.write_bytes(data)


def truncated(path: Path, size: int) -> None:
    path.write_bytes(path.read_bytes()[:size])


DAMAGES = {
    "a byte of a tensor": ("data-00000-of-00001", lambda p: flipped(p, 8), "the checksum of tensor"),
    "a byte of the index": ("index", lambda p: flipped(p, 30), "is damaged: the checksum of a block is wrong"),
    "a short index": ("index", lambda p: truncated(p, 100), "is truncated or no table of a checkpoint"),
    "an empty index": ("index", lambda p: truncated(p, 0), "is truncated or no table of a checkpoint"),
    "short data": ("data-00000-of-00001", lambda p: truncated(p, 40), "is truncated: tensor"),
    "empty data": ("data-00000-of-00001", lambda p: truncated(p, 0), "is truncated: tensor"),
    "no data": ("data-00000-of-00001", lambda p: p.unlink(), "lacks"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_files(damage: str, tmp_path: Path) -> None:
    model = file_store.unpacked("dynamic_rnn", tmp_path)
    suffix, change, message = DAMAGES[damage]
    change(Path(f"{model.variables}.{suffix}"))
    result = evaluated(model, model.variables, tmp_path)
    assert result.exit_code == 3, result.stderr
    assert message in result.stderr and result.stderr.count("\n") == 1


@pytest.mark.parametrize("at", range(0, 3000, 97))
def test_damaged_files_of_version_1(at: int, tmp_path: Path) -> None:
    """Every byte is below a checksum, or in the footer."""
    model = file_store.unpacked("version_1", tmp_path)
    assert model.variables is not None
    size = model.variables.stat().st_size
    flipped(model.variables, at % size)
    with pytest.raises(GraphGradError):
        found = open_checkpoint(str(model.variables))
        for name in found.entries:
            found.read(name)


def test_there_is_no_such_checkpoint(tmp_path: Path) -> None:
    model = file_store.unpacked("dynamic_rnn", tmp_path)
    result = evaluated(model, tmp_path / "ckptt", tmp_path)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"error: --variables: there is no checkpoint {tmp_path / 'ckptt'}: neither ")
    assert f"(did you mean '{tmp_path / 'ckpt'}'?)" in result.stderr


def test_variants_are_reported_and_not_read(tmp_path: Path) -> None:
    """Their entry is listed like any other."""
    index, data = tmp_path / "v.index", tmp_path / "v.data-00000-of-00001"
    data.write_bytes(b"\0" * 8)
    entry = checkpoints.checkpoint_pb2.BundleEntryProto(dtype=21, size=8)
    header = checkpoints.checkpoint_pb2.BundleHeaderProto(num_shards=1)
    index.write_bytes(table([(b"", header.SerializeToString()), (b"list", entry.SerializeToString())]))
    found = open_checkpoint(str(tmp_path / "v"))
    assert found.entries["list"].dtype.name == "variant"
    with pytest.raises(ModelError, match="tensor 'list' is a variant"):
        found.read("list")


def table(entries: list[tuple[bytes, bytes]]) -> bytes:
    """A table of one block."""

    def block(items: list[tuple[bytes, bytes]]) -> bytes:
        body = b"".join(bytes([0, len(key), len(value)]) + key + value for key, value in items)
        body += struct.pack("<II", 0, 1) + b"\0"
        return body + struct.pack("<I", masked(checksum(body)))

    first = block(entries)
    handle = bytes([0, len(first) - 5])
    index = block([(b"\xff", handle)])
    footer = (bytes([0, 0, *varint(len(first)), *varint(len(index) - 5)])).ljust(40, b"\0")
    return first + index + footer + struct.pack("<Q", 0xDB4775248B80FB57)


def varint(value: int) -> bytes:
    return bytes([value]) if value < 128 else bytes([value & 127 | 128, value >> 7])


def test_big_endian_numbers(tmp_path: Path) -> None:
    array = np.arange(6, dtype=">f4").reshape(2, 3)
    content = array.tobytes()
    (tmp_path / "b.data-00000-of-00001").write_bytes(content)
    entry = checkpoints.checkpoint_pb2.BundleEntryProto(dtype=1, size=24, crc32c=masked(checksum(content)))
    for size in array.shape:
        entry.shape.dim.add(size=size)
    header = checkpoints.checkpoint_pb2.BundleHeaderProto(num_shards=1, endianness="BIG")
    index = table([(b"", header.SerializeToString()), (b"a", entry.SerializeToString())])
    (tmp_path / "b.index").write_bytes(index)
    assert np.array_equal(open_checkpoint(str(tmp_path / "b")).read("a"), array)
