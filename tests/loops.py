"""Loops that call functions, written with the builder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphgrad import Graph, Tensor, dtypes
from graphgrad.attributes import Shape
from graphgrad.schema import graph_pb2

FLOAT = dtypes.float32


def function(graph: Graph, name: str, types: list[Any], make: Any) -> graph_pb2.NameAttrList:
    inside = Graph(graph_pb2.GraphDef(versions=graph.message.versions))
    inside.functions = graph.functions
    g = inside.build
    arguments = [g.Placeholder(dtype=t, shape=None, name=f"a{i}") for i, t in enumerate(types)]
    graph.functions.add(name, inside, arguments, make(g, *arguments))
    return graph_pb2.NameAttrList(name=name)


def looped(rounds: int, start: list[Any], body: Any, shapes: Sequence[Shape] = ()) -> tuple[Graph, list[Tensor]]:
    """A While that counts to `rounds`; `body` takes the builder, the count and the variables, `shapes` are stated of these."""
    graph = Graph()
    g = graph.build
    x = g.Placeholder(dtype=FLOAT, shape=None, name="x")
    inputs = [g.constant(0), *(x if item is None else item(g) for item in start)]
    types = [t.dtype for t in inputs]
    functions = {
        "cond": function(graph, "cond", types, lambda g, i, *_: [g.Less(i, rounds)]),
        "body": function(graph, "body", types, lambda g, i, *now: [g.AddV2(i, 1), *body(g, i, *now)]),
    }
    return graph, list(g.op("StatelessWhile", inputs, output_shapes=shapes, **functions).outputs)
