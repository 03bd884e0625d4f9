"""GraphDef files: binary, text and JSON, recognised by what they hold, written back with the new nodes behind the old.

A binary or text graph that comes out begins with exactly the bytes that came in.
"""

from __future__ import annotations

import dataclasses
import os

from google.protobuf import json_format, message, text_format

from graphgrad import collector
from graphgrad.errors import ModelError
from graphgrad.formats import files, payloads
from graphgrad.graph import Graph
from graphgrad.schema import graph_pb2

BINARY, TEXT, JSON = "binary", "text", "json"
Parsed = tuple[graph_pb2.GraphDef, dict[str, memoryview]]
_BY_SUFFIX = {".pb": BINARY, ".pbtxt": TEXT, ".prototxt": TEXT, ".json": JSON}


@dataclasses.dataclass(frozen=True)
class Source:
    """Where a graph came from: its bytes, unpacked, and how they were written."""

    path: str
    encoding: str
    compressed: bool
    data: bytes


def load(path: str | os.PathLike[str]) -> Graph:
    """Reads and checks a graph file; '-' is standard input. Raises ModelError (a ValueError) naming the file."""
    path = os.fspath(path)
    data, compressed = files.read(path)
    name = "standard input" if path == files.STREAM else path
    encoding = recognise(data, name)
    try:
        with collector.paused():
            graph = Graph(*_PARSERS[encoding](data))
            graph.validate()
    except ModelError as error:
        raise ModelError(f"{name}: {error}") from None
    graph.source = Source(path, encoding, compressed, data)
    return graph


def save(graph: Graph, path: str | os.PathLike[str]) -> None:
    """Writes a graph; the suffix of `path` chooses the encoding, else the one it was read in. Raises ArgumentError."""
    path = os.fspath(path)
    source: Source | None = graph.source
    encoding, compressed = _wanted(path, source)
    files.write(path, _parts(graph, source, encoding), compressed)


def default_output(path: str) -> str:
    """`<stem>.gradients<suffix>` beside the input; the standard stream for the standard stream."""
    if path == files.STREAM:
        return files.STREAM
    packed = ".gz" if path.endswith(".gz") else ""
    stem, suffix = os.path.splitext(path.removesuffix(".gz"))
    return f"{stem}.gradients{suffix}{packed}"


def recognise(data: bytes, name: str) -> str:
    """Binary, text or JSON, by content; raises ModelError for what can be none of them."""
    if not data or data.isspace():
        raise ModelError(f"{name} is empty, and a graph file is needed")
    start = data[:4096].lstrip()
    if start.startswith(b"{"):
        return JSON
    try:
        printable = start.decode("utf-8", "ignore").isprintable() or all(c >= 32 or c in b"\t\r\n\f" for c in start)
    except UnicodeDecodeError:
        printable = False
    return TEXT if printable else BINARY


def _parse_binary(data: bytes) -> Parsed:
    try:
        return payloads.parse(data)
    except message.DecodeError:
        raise ModelError("it is no GraphDef: its bytes are truncated or of another kind") from None


def _parse_text(data: bytes) -> Parsed:
    try:
        return text_format.Parse(data.decode(), graph_pb2.GraphDef()), {}
    except (text_format.ParseError, UnicodeDecodeError, ValueError) as error:
        raise ModelError(f"it looks like text and is no GraphDef: {_first_line(error)}") from None


def _parse_json(data: bytes) -> Parsed:
    try:
        return json_format.Parse(data, graph_pb2.GraphDef()), {}
    except (json_format.ParseError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise ModelError(f"it looks like JSON and is no GraphDef: {_first_line(error)}") from None


_PARSERS = {BINARY: _parse_binary, TEXT: _parse_text, JSON: _parse_json}


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _wanted(path: str, source: Source | None) -> tuple[str, bool]:
    if path == files.STREAM:
        return (source.encoding, source.compressed) if source else (BINARY, False)
    suffix = os.path.splitext(path.removesuffix(".gz"))[1]
    return _BY_SUFFIX.get(suffix, source.encoding if source else BINARY), path.endswith(".gz")


def _parts(graph: Graph, source: Source | None, encoding: str) -> list[bytes]:
    tail = graph_pb2.GraphDef()
    tail.node.extend(op.node_def() for op in graph.added())
    tail.library.function.extend(graph.added_functions())
    if not tail.library.function:
        tail.ClearField("library")
    if source is not None and source.encoding == encoding and _can_be_appended(graph, tail, encoding):
        if encoding == BINARY:
            return [source.data, tail.SerializeToString(deterministic=True)]
        separator = b"" if source.data.endswith(b"\n") else b"\n"
        return [source.data, separator, text_format.MessageToString(tail, as_utf8=True).encode()]
    whole = payloads.restored(graph.message, graph.payloads)
    for i, op in enumerate(graph.operations[: graph.read_count] if graph.rewritten else ()):
        if op in graph.rewritten:
            whole.node[i].CopyFrom(op.node_def())
    whole.MergeFrom(tail)
    if encoding == BINARY:
        return [whole.SerializeToString(deterministic=True)]
    if encoding == TEXT:
        return [text_format.MessageToString(whole, as_utf8=True).encode()]
    return [json_format.MessageToJson(whole, indent=1, sort_keys=False).encode(), b"\n"]


def _can_be_appended(graph: Graph, tail: graph_pb2.GraphDef, encoding: str) -> bool:
    """Whether the file can begin with the bytes that were read: no node of theirs changed, and what follows joins them.

    A second library joins the first in binary files; text holds one.
    """
    if graph.rewritten or encoding == JSON:
        return False
    return encoding == BINARY or not (tail.HasField("library") and graph.message.HasField("library"))
