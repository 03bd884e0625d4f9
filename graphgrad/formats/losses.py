"""What a model loses when it is written as another kind, told before it is done."""

from __future__ import annotations

import os

from graphgrad.formats import graphdef, metagraph, models, savedmodel
from graphgrad.formats.encodings import BINARY
from graphgrad.formats.models import GRAPH, META, SAVED, TFJS, Source
from graphgrad.formats.restored import VARIABLES
from graphgrad.graph import Graph
from graphgrad.signatures import signatures


def losses(graph: Graph, path: str, kind: str) -> list[str]:
    """What the graph that was read will lack at `path`, one line for each."""
    source: Source = graph.source
    found = []
    if kind != source.kind:
        if source.kind == SAVED:
            found += _of_folder(source)
        if source.kind == TFJS:
            found.append("what model.json holds beside the graph, its weights and its signature")
        if graph.meta is not None:
            found += _of_meta(graph, kind)
        if kind == TFJS:
            found += _narrowed(graph)
        if kind == SAVED and any(op.type in VARIABLES for op in graph):
            found.append("the values of the variables, which lie in a checkpoint: the folder holds none")
    unknown = _unknown(graph)
    if unknown and not (kind in (GRAPH, META, SAVED) and models.encoding_of(path, kind, source) == BINARY):
        found.append(f"{unknown} bytes of fields that are not known, which only binary files hold")
    return found


def _of_folder(source: Source) -> list[str]:
    found = []
    if savedmodel.variables_of(source.path) is not None:
        found.append("the values of the variables, which stay in its folder (freeze makes constants of them)")
    others = metagraph.count(source.data, source.encoding) - 1
    if others:
        found.append("the other meta graph" if others == 1 else f"the other {others} meta graphs")
    # A fingerprint is of the message that is not written.
    names = sorted(set(os.listdir(source.path)) - {*savedmodel.MESSAGES, "variables", "fingerprint.pb"})
    for name in names:
        path = os.path.join(source.path, name)
        if not os.path.isdir(path) or os.listdir(path):
            found.append(f"{name}{'/' if os.path.isdir(path) else ''} of its folder")
    return found


def _of_meta(graph: Graph, kind: str) -> list[str]:
    """What is around the graph; a MetaGraphDef keeps it, a TensorFlow.js model one signature."""
    if kind in (META, SAVED):
        return []
    meta, found = graph.meta, []
    kept = {"serving_default"} if kind == TFJS else set()
    gone = sorted(set(signatures(graph)) - kept)
    if gone:
        found.append(f"the signatures {', '.join(gone)}")
    if meta.collection_def:
        found.append(f"the collections {', '.join(sorted(meta.collection_def))}")
    if meta.saver_def.restore_op_name:
        found.append("which operations save and restore (the operations stay)")
    if meta.object_graph_def.nodes:
        found.append(f"the graph of {len(meta.object_graph_def.nodes)} objects")
    return found


def _narrowed(graph: Graph) -> list[str]:
    """Constants of dtypes that weights have no place for."""
    wide = sorted({repr(op.outputs[0].dtype) for op in graph if op.type == "Const" and op.outputs[0].dtype})
    narrowed = [name for name in wide if name in ("float64", "complex128")]
    return [f"the precision of constants of {', '.join(narrowed)}"] if narrowed else []


def _unknown(graph: Graph) -> int:
    """How many bytes of fields the graph holds that this version does not know."""
    message = graphdef.current(graph)
    size = message.ByteSize()
    message.DiscardUnknownFields()
    return size - message.ByteSize()
