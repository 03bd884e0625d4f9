"""GraphDef messages in their three encodings; what comes out holds what came in, and the new nodes behind.

A binary or text graph begins with exactly the bytes that were read; a function library that grows is one message in
binary files, since not every reader merges two.
"""

from __future__ import annotations

from google.protobuf import message

from graphgrad.errors import ModelError
from graphgrad.formats import encodings, payloads, wire
from graphgrad.formats.encodings import BINARY, JSON, TEXT
from graphgrad.graph import Graph
from graphgrad.schema import graph_pb2

Parsed = tuple[graph_pb2.GraphDef, dict[str, memoryview]]
Parts = list[bytes | memoryview]

_LIBRARY = 2  # GraphDef.library


def parse(data: bytes | memoryview, encoding: str) -> Parsed:
    """The graph, and the contents of its large constants by name. Raises ModelError."""
    if encoding == TEXT:
        return encodings.parse_text(bytes(data), graph_pb2.GraphDef(), "GraphDef"), {}
    if encoding == JSON:
        return encodings.parse_json(bytes(data), graph_pb2.GraphDef(), "GraphDef"), {}
    try:
        return payloads.parse(data)
    except message.DecodeError:
        raise ModelError("it is no GraphDef: its bytes are truncated or of another kind") from None


def parts(graph: Graph, encoding: str, data: bytes | None) -> Parts:
    """The graph in an encoding, behind the bytes it was read from in that encoding where there are some."""
    if data is not None and is_append_only(graph):
        tail = added(graph)
        if encoding == BINARY:
            view = memoryview(data)
            return wire.grown(view, extended(view, wire.whole(view), tail))
        # Text holds one library.
        if encoding == TEXT and not (tail.HasField("library") and graph.message.HasField("library")):
            return [data, b"" if data.endswith(b"\n") else b"\n", encodings.as_text(tail)]
    if encoding == BINARY:
        return payloads.parts(current(graph), graph.payloads)
    full = payloads.restored(current(graph), graph.payloads)
    return [encodings.as_text(full) if encoding == TEXT else encodings.as_json(full)]


def is_append_only(graph: Graph) -> bool:
    """Whether what was read stands in the graph as it was."""
    return not graph.rewritten


def added(graph: Graph) -> graph_pb2.GraphDef:
    """The nodes and functions that were built here."""
    tail = graph_pb2.GraphDef()
    for op in graph.added():
        op.write(tail.node.add())
    functions = graph.added_functions()
    if functions:
        tail.library.function.extend(functions)
    return tail


def extended(view: memoryview, field: wire.Field, tail: graph_pb2.GraphDef) -> wire.Field:
    """The field that holds a binary graph, with the tail in it."""
    libraries = wire.find(view, field, _LIBRARY) if tail.HasField("library") else []
    if libraries:
        libraries[-1].extra = tail.library.SerializeToString(deterministic=True)
        field.inner.append(libraries[-1])
        nodes = graph_pb2.GraphDef(node=tail.node)
        field.extra = nodes.SerializeToString(deterministic=True)
    else:
        field.extra = tail.SerializeToString(deterministic=True)
    return field


def current(graph: Graph) -> graph_pb2.GraphDef:
    """The graph as one message, without the contents of large constants; what was read is not touched."""
    full = graph_pb2.GraphDef()
    full.CopyFrom(graph.message)
    for i, op in enumerate(graph.operations[: graph.read_count] if graph.rewritten else ()):
        if op in graph.rewritten:
            full.node[i].CopyFrom(op.node_def())
    full.MergeFrom(added(graph))
    return full
