"""What a MetaGraphDef tells of the loops of its graph, and the nodes alone do not: how their Python was told to make them."""

from __future__ import annotations

from typing import Any

from graphgrad.graph import Graph


def loops_noted(graph: Graph) -> dict[str, Any]:
    """The WhileContextDefs of a graph by the names of the loops' frames; none where it came without."""
    if graph.meta is None:
        return {}
    from graphgrad.schema.saved_model_pb2 import CondContextDef, WhileContextDef

    waiting: list[Any] = []
    for collection, message in (("while_context", WhileContextDef), ("cond_context", CondContextDef)):
        if collection in graph.meta.collection_def:
            waiting += map(message.FromString, graph.meta.collection_def[collection].bytes_list.value)
    found = {}
    while waiting:
        context = waiting.pop()
        if isinstance(context, WhileContextDef):
            found[context.context_name] = context
        waiting += [getattr(nested, nested.WhichOneof("ctxt")) for nested in context.nested_contexts]
    return found
