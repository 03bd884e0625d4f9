"""Large constants stay where they are: a binary GraphDef is parsed without copying the contents of its big tensors.

protobuf would hold every `tensor_content` a second time. Nodes of more than LARGE bytes are therefore cut open here
by their field numbers, and the content of their tensor is handed out as a view of the file's bytes. On the way out
the contents are written from where they are.
"""

from __future__ import annotations

from collections.abc import Mapping

from graphgrad.formats import wire
from graphgrad.schema import graph_pb2

LARGE = 1 << 16  # bytes

_NODE, _CONTENT = 1, 4  # GraphDef.node, TensorProto.tensor_content
_PATH = (5, 2, 8, _CONTENT)  # NodeDef.attr -> its map entry's value -> AttrValue.tensor -> TensorProto.tensor_content


def parse(data: bytes | memoryview) -> tuple[graph_pb2.GraphDef, dict[str, memoryview]]:
    """The graph without its large contents, and these by the name of their node. Raises DecodeError."""
    graph = graph_pb2.GraphDef()
    payloads: dict[str, memoryview] = {}
    if len(data) < 4 * LARGE:
        graph.ParseFromString(bytes(data))
        return graph, payloads
    view, done = memoryview(data), 0
    for number, key, start, end in wire.fields(view, 0, len(view)):
        if number != _NODE or end - start <= LARGE:
            continue
        place = _content(view, start, end)
        if place is None:
            continue
        graph.MergeFromString(bytes(view[done:key]))
        node = graph_pb2.NodeDef.FromString(_without(view, start, end, place))
        payloads[node.name] = view[place[-1][1] : place[-1][2]]
        graph.node.append(node)
        done = end
    graph.MergeFromString(bytes(view[done:]) if done else bytes(data))
    return graph, payloads


def restored(graph: graph_pb2.GraphDef, payloads: Mapping[str, memoryview]) -> graph_pb2.GraphDef:
    """A copy of the graph with every content back in its place."""
    whole = graph_pb2.GraphDef()
    whole.CopyFrom(graph)
    for node in whole.node:
        if node.name in payloads:
            for attr in node.attr.values():
                if attr.WhichOneof("value") == "tensor":
                    attr.tensor.tensor_content = bytes(payloads[node.name])
    return whole


def parts(graph: graph_pb2.GraphDef, payloads: Mapping[str, memoryview]) -> list[bytes | memoryview]:
    """The graph in binary, piece by piece; large contents are not copied."""
    if not payloads:
        return [graph.SerializeToString(deterministic=True)]
    pieces: list[bytes | memoryview] = []
    for node in graph.node:
        content = payloads.get(node.name)
        if content is None:
            pieces += wire.delimited(_NODE, node.SerializeToString(deterministic=True))
        else:
            pieces += wire.delimited(_NODE, *_with_content(node, content))
    rest = graph_pb2.GraphDef()
    rest.CopyFrom(graph)
    rest.ClearField("node")
    return [*pieces, rest.SerializeToString(deterministic=True)]


def _with_content(node: graph_pb2.NodeDef, content: memoryview) -> list[bytes | memoryview]:
    bare = graph_pb2.NodeDef()
    bare.CopyFrom(node)
    tensors = [name for name, attr in node.attr.items() if attr.WhichOneof("value") == "tensor"]
    pieces: list[bytes | memoryview] = []
    for name in tensors:
        del bare.attr[name]
        tensor = node.attr[name].tensor.SerializeToString(deterministic=True)
        value = wire.delimited(_PATH[2], tensor, *wire.delimited(_CONTENT, content))
        pieces += wire.delimited(_PATH[0], *wire.delimited(1, name.encode()), *wire.delimited(_PATH[1], *value))
    return [bare.SerializeToString(deterministic=True), *pieces]


def _content(view: memoryview, start: int, end: int) -> list[tuple[int, int, int]] | None:
    """(key, begin, end) of each field on the way from a NodeDef down to the large content of its tensor."""
    way: list[tuple[int, int, int]] = []
    for number in _PATH:
        large = [(key, a, b) for n, key, a, b in wire.fields(view, start, end) if n == number and b - a > LARGE // 2]
        if len(large) != 1:
            return None
        way.append(large[0])
        _, start, end = large[0]
    return way


def _without(view: memoryview, start: int, end: int, way: list[tuple[int, int, int]]) -> bytes:
    """The bytes of the message with the innermost field of the way left out, lengths mended."""
    key, inner_start, inner_end = way[0]
    if len(way) == 1:
        return bytes(view[start:key]) + bytes(view[inner_end:end])
    inner = _without(view, inner_start, inner_end, way[1:])
    # The key is one byte: every field number on the way is below 16.
    return bytes(view[start : key + 1]) + wire.encoded_varint(len(inner)) + inner + bytes(view[inner_end:end])
