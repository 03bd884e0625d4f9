"""MetaGraphDef and SavedModel messages: a graph with its signatures, collections and objects around it.

Around the graph nothing changes but the signatures that are added; the graph grows in its place.
"""

from __future__ import annotations

from collections.abc import Sequence

from google.protobuf import message

from graphgrad import opdefs
from graphgrad.errors import ArgumentError, ModelError, did_you_mean
from graphgrad.formats import encodings, graphdef, payloads, wire
from graphgrad.formats.encodings import BINARY, JSON, TEXT
from graphgrad.formats.graphdef import Parts
from graphgrad.graph import Graph
from graphgrad.schema import graph_pb2, saved_model_pb2

_SERVE = "serve"  # the tag that loaders ask for
_META_GRAPHS = 2  # of a SavedModel
_INFO, _GRAPH, _OBJECTS = 1, 2, 7  # meta_info_def, graph_def and object_graph_def of a MetaGraphDef
Read = tuple[graph_pb2.GraphDef, dict[str, memoryview], saved_model_pb2.MetaGraphDef]


def read(data: bytes, encoding: str) -> Read:
    """The graph of a MetaGraphDef, the contents of its large constants, and what is around it. Raises ModelError."""
    if encoding == BINARY:
        view = memoryview(data)
        return _read_binary(view, wire.whole(view))
    return _taken_apart(_parse_meta(data, encoding))


def read_saved(data: bytes, encoding: str, tag_set: Sequence[str] | None) -> tuple[Read, int]:
    """The same of a meta graph of a SavedModel, and which it is. Raises ModelError, ArgumentError for the tag set."""
    if encoding != BINARY:
        parse = encodings.parse_text if encoding == TEXT else encodings.parse_json
        saved = parse(data, saved_model_pb2.SavedModel(), "SavedModel")
        index = _chosen([list(meta.meta_info_def.tags) for meta in saved.meta_graphs], tag_set)
        return _taken_apart(saved.meta_graphs[index]), index
    view = memoryview(data)
    try:
        fields = wire.find(view, wire.whole(view), _META_GRAPHS)
        tags = [list(_around(view, field).meta_info_def.tags) for field in fields]
    except message.DecodeError:
        raise ModelError("it is no SavedModel: its bytes are truncated or of another kind") from None
    index = _chosen(tags, tag_set)
    return _read_binary(view, fields[index]), index


def count(data: bytes, encoding: str) -> int:
    """How many meta graphs a SavedModel that was read holds."""
    if encoding != BINARY:
        return len(encodings.parse_text(data, saved_model_pb2.SavedModel(), "SavedModel").meta_graphs)
    return len(wire.find(memoryview(data), wire.whole(memoryview(data)), _META_GRAPHS))


def _chosen(tag_sets: list[list[str]], wanted: Sequence[str] | None) -> int:
    """The meta graph with these tags; without any, the only one or the one for serving."""
    if not tag_sets:
        raise ModelError("it holds no meta graph")
    if wanted is None and len(tag_sets) == 1:
        return 0
    sought = {_SERVE} if wanted is None else set(wanted)
    found = [i for i, tags in enumerate(tag_sets) if set(tags) == sought]
    if found:
        return found[0]
    shown = [",".join(tags) for tags in tag_sets]
    if wanted is None:
        raise ArgumentError(f"it holds {len(shown)} meta graphs: choose one with --tag-set {' or '.join(shown)}")
    close = did_you_mean(",".join(wanted), shown)
    raise ArgumentError(f"no meta graph has the tag set {','.join(wanted)!r}{close}: there is {', '.join(shown)}")


def _read_binary(view: memoryview, field: wire.Field) -> Read:
    try:
        meta = _around(view, field)
        graphs = wire.find(view, field, _GRAPH)
        data = (
            view[graphs[0].start : graphs[0].end]
            if len(graphs) == 1
            else b"".join(view[g.start : g.end] for g in graphs)
        )
        return *graphdef.parse(data, BINARY), meta
    except message.DecodeError:
        raise ModelError("it is no MetaGraphDef: its bytes are truncated or of another kind") from None


def _around(view: memoryview, field: wire.Field) -> saved_model_pb2.MetaGraphDef:
    """A meta graph without its graph. Raises DecodeError."""
    meta, at = saved_model_pb2.MetaGraphDef(), field.start
    for graph in wire.find(view, field, _GRAPH):
        meta.MergeFromString(bytes(view[at : graph.key]))
        at = graph.end
    meta.MergeFromString(bytes(view[at : field.end]))
    return meta


def _parse_meta(data: bytes, encoding: str) -> saved_model_pb2.MetaGraphDef:
    parse = encodings.parse_text if encoding == TEXT else encodings.parse_json
    return parse(data, saved_model_pb2.MetaGraphDef(), "MetaGraphDef")


def _taken_apart(whole: saved_model_pb2.MetaGraphDef) -> Read:
    meta, graph = saved_model_pb2.MetaGraphDef(), graph_pb2.GraphDef()
    meta.CopyFrom(whole)
    meta.ClearField("graph_def")
    graph.CopyFrom(whole.graph_def)
    return graph, {}, meta


def parts(graph: Graph, encoding: str, data: bytes | None, tags: Sequence[str] = ()) -> Parts:
    """The meta graph, in the binary bytes it was read from where they are given; with these tags if it has none."""
    if encoding == BINARY and data is not None:
        view = memoryview(data)
        return wire.grown(view, _with_graph(graph, view, wire.whole(view)))
    if encoding == BINARY:
        around = with_signatures(graph, tags).SerializeToString(deterministic=True)
        return [around, *wire.delimited(_GRAPH, *payloads.parts(graphdef.current(graph), graph.payloads))]
    full = _put_together(graph)
    return [encodings.as_json(full) if encoding == JSON else encodings.as_text(full)]


def saved_parts(graph: Graph, encoding: str, data: bytes | None, index: int) -> Parts:
    """The SavedModel, in the bytes it was read from where they are given: other meta graphs stay as they are."""
    if encoding != BINARY:
        saved = saved_model_pb2.SavedModel(saved_model_schema_version=1)
        if data is not None:
            saved = encodings.parse_text(data, saved_model_pb2.SavedModel(), "SavedModel")
            saved.meta_graphs[index].CopyFrom(_put_together(graph))
        else:
            saved.meta_graphs.append(_put_together(graph, [_SERVE]))
        return [encodings.as_text(saved)]
    if data is None:
        version = saved_model_pb2.SavedModel(saved_model_schema_version=1).SerializeToString()
        return [version, *wire.delimited(_META_GRAPHS, *parts(graph, BINARY, None, [_SERVE]))]
    view = memoryview(data)
    whole = wire.whole(view)
    whole.inner = [_with_graph(graph, view, wire.find(view, whole, _META_GRAPHS)[index])]
    return wire.grown(view, whole)


def _with_graph(graph: Graph, view: memoryview, field: wire.Field) -> wire.Field:
    """The field that holds a meta graph, with the graph as it is now, and new signatures, in it."""
    new = saved_model_pb2.MetaGraphDef()
    _add_what_is_new(graph, new)
    infos = wire.find(view, field, _INFO) if new.HasField("meta_info_def") else []
    if infos:
        infos[-1].extra = new.meta_info_def.SerializeToString(deterministic=True)
        new.ClearField("meta_info_def")
    field.extra = new.SerializeToString(deterministic=True)
    field.inner = wire.find(view, field, _GRAPH)
    if field.inner and graphdef.is_append_only(graph):
        graphdef.extended(view, field.inner[-1], graphdef.added(graph))
    else:
        content = payloads.parts(graphdef.current(graph), graph.payloads)
        for graph_field in field.inner:
            graph_field.content = []
        if field.inner:
            field.inner[-1].content = content
        else:
            field.extra += b"".join(wire.delimited(_GRAPH, *content))
    objects = wire.find(view, field, _OBJECTS) if graph.new_objects is not None else []
    for i, field_of_objects in enumerate(objects):
        is_last = i == len(objects) - 1
        field_of_objects.content = [graph.new_objects.SerializeToString(deterministic=True)] if is_last else []
    field.inner = sorted([*infos, *field.inner, *objects], key=lambda inner: inner.start)
    return field


def with_signatures(graph: Graph, tags: Sequence[str] = ()) -> saved_model_pb2.MetaGraphDef:
    """What is around the graph, an empty meta graph where nothing was, with the new signatures, tags if it has none."""
    meta = saved_model_pb2.MetaGraphDef()
    if graph.meta is not None:
        meta.CopyFrom(graph.meta)
    _add_what_is_new(graph, meta)
    if graph.new_objects is not None:
        meta.object_graph_def.CopyFrom(graph.new_objects)
    if not meta.meta_info_def.tags:
        meta.meta_info_def.tags.extend(tags)
    return meta


def _add_what_is_new(graph: Graph, meta: saved_model_pb2.MetaGraphDef) -> None:
    """Signatures, and the definitions of op types that are new to the list of those used, where there is one."""
    for name, signature in graph.new_signatures.items():
        meta.signature_def[name].CopyFrom(signature)
    listed = {op.name for op in graph.meta.meta_info_def.stripped_op_list.op} if graph.meta is not None else set()
    used = {op.type for op in graph} | {n.op for f in graph.added_functions() for n in f.node_def}
    for definition in map(opdefs.definition, sorted(used - listed) if listed else []):
        if definition is not None:
            meta.meta_info_def.stripped_op_list.op.append(definition)


def _put_together(graph: Graph, tags: Sequence[str] = ()) -> saved_model_pb2.MetaGraphDef:
    full = with_signatures(graph, tags)
    full.graph_def.CopyFrom(payloads.restored(graphdef.current(graph), graph.payloads))
    return full
