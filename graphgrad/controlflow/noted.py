"""What a MetaGraphDef tells of the loops of its graph, and the nodes alone do not: how their Python was told to make them."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from graphgrad.graph import Graph

_COLLECTIONS = ("while_context", "cond_context")


def loops_noted(graph: Graph) -> dict[str, Any]:
    """The WhileContextDefs of a graph by the names of the loops' frames; none where it came without."""
    if graph.meta is None:
        return {}
    found = {}
    for context in _with_nested([c for name in _COLLECTIONS for c in _contexts(graph.meta, name)]):
        if hasattr(context, "back_prop"):
            found[context.context_name] = context
    return found


def pivots_noted(meta: Any, names: Collection[str]) -> list[str]:
    """The nodes that stand for the loops and branches that some of these nodes are in; nothing reads them in a small branch."""
    contexts = _with_nested([c for name in _COLLECTIONS for c in _contexts(meta, name)])
    used = [c for c in contexts if any(tensor.partition(":")[0] in names for tensor in c.values_def.values)]
    return list(dict.fromkeys(context.pivot_name.partition(":")[0] for context in used))


def keep_noted(before: Any, after: Any, names: Collection[str]) -> None:
    """Takes over into a MetaGraphDef what another tells of loops and conds, as far as nodes of these names are left."""

    def is_there(tensor: str) -> bool:
        return tensor.removeprefix("^").partition(":")[0] in names

    for name in _COLLECTIONS:
        for outermost in _contexts(before, name):
            whole = list(_with_nested([outermost]))
            if not all(is_there(context.pivot_name) for context in whole):
                continue
            for context in whole:
                told = context.values_def
                told.values[:] = filter(is_there, told.values)
                for inside, outside in list(told.external_values.items()):
                    if not (is_there(inside) and is_there(outside)):
                        del told.external_values[inside]
                for field in ("loop_exit_names", "loop_enter_names"):
                    if hasattr(context, field):
                        getattr(context, field)[:] = filter(is_there, getattr(context, field))
            after.collection_def[name].bytes_list.value.append(outermost.SerializeToString(deterministic=True))


def _contexts(meta: Any, collection: str) -> list[Any]:
    from graphgrad.schema.saved_model_pb2 import CondContextDef, WhileContextDef

    message = WhileContextDef if collection == "while_context" else CondContextDef
    stored = meta.collection_def[collection].bytes_list.value if collection in meta.collection_def else ()
    return list(map(message.FromString, stored))


def _with_nested(contexts: list[Any]) -> Iterator[Any]:
    waiting = list(contexts)
    while waiting:
        context = waiting.pop()
        yield context
        waiting += [getattr(nested, nested.WhichOneof("ctxt")) for nested in context.nested_contexts]
