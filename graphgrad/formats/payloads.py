"""Large constants stay where they are: a binary GraphDef is parsed without copying the contents of its big tensors.

protobuf would hold every `tensor_content` a second time. Nodes of more than LARGE bytes are therefore cut open here
by their field numbers, and the content of their tensor is handed out as a view of the file's bytes.
"""

from __future__ import annotations

from collections.abc import Iterator

from google.protobuf.message import DecodeError

from graphgrad.schema import graph_pb2

LARGE = 1 << 16  # bytes

_NODE = 1  # GraphDef.node
_PATH = (5, 2, 8, 4)  # NodeDef.attr -> its map entry's value -> AttrValue.tensor -> TensorProto.tensor_content


def parse(data: bytes) -> tuple[graph_pb2.GraphDef, dict[str, memoryview]]:
    """The graph without its large contents, and these by the name of their node. Raises DecodeError."""
    graph = graph_pb2.GraphDef()
    payloads: dict[str, memoryview] = {}
    if len(data) < 4 * LARGE:
        graph.ParseFromString(data)
        return graph, payloads
    view, done = memoryview(data), 0
    for number, key, start, end in _fields(view, 0, len(view)):
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
    graph.MergeFromString(bytes(view[done:]) if done else data)
    return graph, payloads


def restored(graph: graph_pb2.GraphDef, payloads: dict[str, memoryview]) -> graph_pb2.GraphDef:
    """A copy of the graph with every content back in its place."""
    whole = graph_pb2.GraphDef()
    whole.CopyFrom(graph)
    for node in whole.node:
        if node.name in payloads:
            for attr in node.attr.values():
                if attr.WhichOneof("value") == "tensor":
                    attr.tensor.tensor_content = bytes(payloads[node.name])
    return whole


def _fields(view: memoryview, start: int, end: int) -> Iterator[tuple[int, int, int, int]]:
    """(number, where its key begins, where its content begins, where it ends) of each field of a message."""
    at = start
    while at < end:
        key_at = at
        key, at = _varint(view, at)
        kind = key & 7
        if kind == 2:
            length, at = _varint(view, at)
            after = at + length
        elif kind == 0:
            _, after = _varint(view, at)
        elif kind in (1, 5):
            after = at + (8 if kind == 1 else 4)
        else:
            raise DecodeError("a field of a kind that no GraphDef has")
        if after > end:
            raise DecodeError("a field reaches beyond its message")
        yield key >> 3, key_at, at, after
        at = after


def _varint(view: memoryview, at: int) -> tuple[int, int]:
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


def _content(view: memoryview, start: int, end: int) -> list[tuple[int, int, int]] | None:
    """(key, begin, end) of each field on the way from a NodeDef down to the large content of its tensor."""
    way: list[tuple[int, int, int]] = []
    for number in _PATH:
        large = [(key, a, b) for n, key, a, b in _fields(view, start, end) if n == number and b - a > LARGE // 2]
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
    return bytes(view[start : key + 1]) + _encoded_length(len(inner)) + inner + bytes(view[inner_end:end])


def _encoded_length(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
