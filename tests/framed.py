"""A graph with frames of branches and loops as the body of a function, which a graph calls that has nothing else."""

from __future__ import annotations

from typing import Any

from graphgrad.dtypes import bool_
from graphgrad.graph import Graph
from graphgrad.schema import graph_pb2
from graphgrad.tensors import Tensor

GIVEN = ("Placeholder", "VarHandleOp")  # what a function is handed


def called(inside: Graph, ys: list[str], by: str = "call") -> tuple[Graph, list[Tensor]]:
    """The graph that calls, and its ys. `by` is 'call', 'if' or 'calls', for a call in a call."""
    arguments = [op.outputs[0] for op in inside if op.type in GIVEN]
    results = [inside.tensor(y) for y in ys]
    message = graph_pb2.GraphDef(node=[t.op.node_def() for t in arguments], versions=inside.message.versions)
    graph = Graph(message)
    given = [graph.tensor(t.name) for t in arguments]
    f = _add(graph, "program", inside, arguments, results)
    if by == "calls":
        between = Graph(message)
        between.functions = graph.functions
        handed_on = [between.tensor(t.name) for t in arguments]
        f = _add(graph, "between", between, handed_on, _call(between, f, handed_on, results))
    if by != "if":
        return graph, _call(graph, f, given, results)
    either = graph.build.If if _is_stateful(graph, f) else graph.build.StatelessIf
    return graph, list(
        either(graph.build.constant(True, bool_), given, then_branch=f, else_branch=f, Tout=[t.dtype for t in results])
    )


def _add(
    graph: Graph, name: str, body: Graph, arguments: list[Tensor], results: list[Tensor]
) -> graph_pb2.NameAttrList:
    graph.functions.add(name, body, arguments, results)
    graph.functions[name].attr.clear()  # that tell a gradient's function
    return graph_pb2.NameAttrList(name=name)


def _call(graph: Graph, f: graph_pb2.NameAttrList, given: list[Tensor], results: list[Tensor]) -> list[Tensor]:
    call: Any = graph.build.StatefulPartitionedCall if _is_stateful(graph, f) else graph.build.PartitionedCall
    return list(call(given, f=f, Tout=[t.dtype for t in results]))


def _is_stateful(graph: Graph, f: graph_pb2.NameAttrList) -> bool:
    return graph.functions[f.name].signature.is_stateful
