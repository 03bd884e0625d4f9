"""Model files of every kind: recognised by what they hold, read as graphs, written back in the kind they came in.

A graph remembers its `Source`; what that holds beside the graph is written again as it was.
"""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Sequence

from google.protobuf import message

from graphgrad import collector, signatures
from graphgrad.errors import ArgumentError, ModelError, meant
from graphgrad.formats import encodings, files, graphdef, metagraph, savedmodel, wire
from graphgrad.formats.encodings import BINARY, TEXT
from graphgrad.graph import Graph
from graphgrad.progress import Stage

GRAPH, META, SAVED, TFJS = "graph-def", "meta-graph", "saved-model", "tfjs"
KINDS = (GRAPH, META, SAVED, TFJS)

# The first names of fields in text and JSON, by the message they belong to.
_FIELDS = {
    META: "meta_info_def graph_def saver_def collection_def signature_def asset_file_def object_graph_def",
    SAVED: "saved_model_schema_version meta_graphs",
    TFJS: "modelTopology weightsManifest",
}
_NODE, _NAME, _OP = 1, 1, 2  # GraphDef.node, NodeDef.name, NodeDef.op
_FOREIGN = (".h5", ".hdf5", ".keras", ".onnx", ".tflite")
_OF_CHECKPOINT = re.compile(r"(^|/)checkpoint\Z|\.index\Z|\.data-\d+-of-\d+\Z")
_CHECKPOINT = "it belongs to a checkpoint, which holds values and no graph: give the .meta file, and the checkpoint with --variables"
_OP_TYPE = re.compile(rb"[A-Za-z_][\w.>]*\Z")


@dataclasses.dataclass(frozen=True)
class Source:
    """Where a graph came from: its bytes, unpacked, and how they were written."""

    path: str  # of the file, or of the folder of a SavedModel
    kind: str
    encoding: str
    compressed: bool
    data: bytes
    index: int = 0  # which meta graph of a SavedModel


def load(
    path: str | os.PathLike[str], tag_set: str | Sequence[str] | None = None, signature: str | None = None
) -> Graph:
    """Reads and checks a model.

    Args:
        path: a file or a folder; '-' is standard input.
        tag_set: the tags of the meta graph of a SavedModel; by default the only one, or the one for serving.
        signature: the signature whose inputs and outputs are names of tensors before those of nodes are.

    Raises:
        ValueError: the file cannot be read, is malformed, or has no such tag set or signature.
    """
    path = os.fspath(path)
    tags = tag_set.split(",") if isinstance(tag_set, str) else tag_set
    name = "standard input" if path == files.STREAM else path
    file = _file_of(path)
    data, compressed = files.read(file)
    _refuse_others(data, name)
    encoding = encodings.recognise(data, name)
    kind = recognise(data, encoding, path)
    if tags is not None and kind != SAVED:
        raise ArgumentError(f"--tag-set chooses a meta graph of a SavedModel, and {name} is none")
    try:
        with collector.paused(), Stage(f"reading {name}"):
            graph, index = _read(file, kind, encoding, data, tags)
            graph.validate()
            graph.signature = signature
            if signature is not None:
                signatures.chosen(graph)
    except (ModelError, ArgumentError) as error:
        what = _CHECKPOINT if _OF_CHECKPOINT.search(file) else error
        raise type(error)(f"{name}: {what}") from None
    where = os.path.dirname(file) or "." if kind == SAVED else file
    graph.source = Source(where, kind, encoding, compressed, data, index)
    return graph


_EXPORT = "holds no graph: in Python, model.export(FOLDER) writes one as a SavedModel"
_OTHERS = {  # what else models come in, told by how it begins
    b"\x89HDF\r\n\x1a\n": f"it is an HDF5 file; a Keras model in one (.h5) {_EXPORT}",
    b"PK\x03\x04": f"it is a zip archive; a Keras model in one (.keras) {_EXPORT}, and any other must be unpacked first",
}


def _refuse_others(data: bytes, name: str) -> None:
    for start, what in _OTHERS.items():
        if bytes(data[: len(start)]) == start:
            raise ModelError(f"{name}: {what}")
    if bytes(data[4:8]) == b"TFL3":
        raise ModelError(
            f"{name}: it is a model of TensorFlow Lite, which cannot be differentiated: give what it was made from"
        )


def _file_of(path: str) -> str:
    """The file to read for a path, which may be that of a folder. Raises ModelError."""
    if path == files.STREAM or not os.path.isdir(path):
        return path
    name = savedmodel.message_of(path)
    if name is None and os.path.isfile(os.path.join(path, "model.json")):
        name = "model.json"
    if name is None:
        models = meant(_models_in(path)[:3])
        raise ModelError(f"{path} is a folder without a saved_model.pb, saved_model.pbtxt or model.json{models}")
    return os.path.join(path, name)


def _models_in(folder: str) -> list[str]:
    """What in a folder looks like a model: graph files by their suffixes, folders of SavedModels."""
    paths = [os.path.join(folder, name) for name in sorted(os.listdir(folder))]
    return [
        p for p in paths if p.endswith((".meta", ".pb", ".pbtxt")) or (os.path.isdir(p) and savedmodel.message_of(p))
    ]


def _read(file: str, kind: str, encoding: str, data: bytes, tags: Sequence[str] | None) -> tuple[Graph, int]:
    """The graph, and which meta graph of a SavedModel it is."""
    if kind == GRAPH:
        return Graph(*graphdef.parse(data, encoding)), 0
    if kind == TFJS:
        from graphgrad.formats import tfjs

        return tfjs.read(file, data), 0
    if kind == META:
        (definition, payloads, meta), index = metagraph.read(data, encoding), 0
    else:
        if os.path.basename(file) not in savedmodel.MESSAGES:
            raise ModelError("it is the message of a SavedModel: give the folder that holds it")
        (definition, payloads, meta), index = metagraph.read_saved(data, encoding, tags)
    graph = Graph(definition, payloads)
    graph.meta = meta
    return graph, index


def recognise(data: bytes, encoding: str, path: str) -> str:
    """What kind of model the content is; the name decides where the content does not."""
    if encoding == BINARY:
        return _recognise_binary(memoryview(data), path)
    if encoding == TEXT:
        found = re.search(rb"^\s*(\w+)\s*[:{]", data[: 1 << 20], re.M)
        first = [found[1].decode()] if found else []
    else:
        first = [m.decode() for m in re.findall(rb'^[\s{]*"(\w+)"\s*:', data[:4096])]
        first += [m for m in ("modelTopology", "weightsManifest") if f'"{m}"'.encode() in data[: 1 << 16]]
    for kind, names in _FIELDS.items():
        spelled = {*names.split(), *map(_camel, names.split())}
        if spelled & set(first):
            return kind
    return GRAPH


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(map(str.capitalize, rest))


def _recognise_binary(view: memoryview, path: str) -> str:
    """A GraphDef has many nodes in field 1, a MetaGraphDef one description of itself, a SavedModel a number."""
    nodes, numbers = [], set()
    try:
        for number, key, start, end in wire.fields(view, 0, len(view)):
            numbers.add(number)
            if number == _NODE:
                if view[key] & 7 != 2:
                    return SAVED
                nodes.append((start, end))
                if len(nodes) > 1:
                    return GRAPH
        if numbers & {6, 7} or (nodes and not _is_node(view, *nodes[0])):
            return META
    except message.DecodeError:
        pass  # whoever parses it says what is wrong
    return META if not nodes and path.removesuffix(".gz").endswith(".meta") else GRAPH


def _is_node(view: memoryview, start: int, end: int) -> bool:
    found = {number: bytes(view[a:b]) for number, _, a, b in wire.fields(view, start, end) if number in (_NAME, _OP)}
    return _NAME in found and _OP_TYPE.match(found.get(_OP, b"")) is not None


def default_output(path: str) -> str:
    """`<stem>.gradients<suffix>` beside the input; the standard stream for the standard stream."""
    if path == files.STREAM:
        return files.STREAM
    path = path.rstrip("/") or path
    if os.path.basename(path) in savedmodel.MESSAGES:
        path = os.path.dirname(os.path.abspath(path))
    if os.path.isdir(path):
        return f"{path}.gradients"
    packed = ".gz" if path.endswith(".gz") else ""
    stem, suffix = os.path.splitext(path.removesuffix(".gz"))
    return f"{stem}.gradients{suffix}{packed}"


def save(graph: Graph, path: str | os.PathLike[str], kind: str | None = None) -> None:
    """Writes a graph in the kind it was read in, or in `kind`; the suffix of `path` chooses the encoding.

    Raises ArgumentError.
    """
    path = os.fspath(path)
    with Stage("writing the standard output" if path == files.STREAM else f"writing {path}"):
        _write(graph, path, kind)


def _write(graph: Graph, path: str, kind: str | None) -> None:
    source: Source | None = graph.source
    if kind is None:
        kind = source.kind if source is not None else META if kind_of(path) == META else GRAPH
    same = source if source is not None and source.kind == kind else None
    if source is not None and source.kind == TFJS and same is None:
        from graphgrad.formats.unfused import unfused

        graph = unfused(graph)
    encoding, compressed = encoding_of(path, kind, same), _is_packed(path, kind, same)
    data = same.data if same is not None and same.encoding == encoding else None
    if kind == SAVED:
        name, like, index = "saved_model.pb", None, 0
        if same is not None:
            name, like, index = _message_name(same), same.path, same.index
        savedmodel.write(path, name, lambda: metagraph.saved_parts(graph, encoding, data, index), like)
    elif kind == TFJS:
        from graphgrad.formats import tfjs

        tfjs.write(graph, path, None if same is None else same.path)
    else:
        parts = metagraph.parts if kind == META else graphdef.parts
        files.write(path, parts(graph, encoding, data), compressed)


def kind_of(path: str) -> str:
    """The kind that the name of an output asks for: a GraphDef, a MetaGraphDef for .meta, a folder where no suffix is.
    Raises ArgumentError for suffixes of what is written by others."""
    plain = path.removesuffix(".gz")
    if plain.endswith(_FOREIGN):
        raise ArgumentError(
            f"{path}: such files are not written: OUT ends in .pb, .pbtxt, .json or .meta, or in none for a SavedModel"
        )
    if plain.endswith(".meta"):
        return META
    is_folder = path != files.STREAM and (os.path.isdir(path) or not os.path.splitext(plain.rstrip("/"))[1])
    return SAVED if is_folder else GRAPH


def _message_name(source: Source) -> str:
    return next(name for name, encoding in savedmodel.MESSAGES.items() if encoding == source.encoding)


def encoding_of(path: str, kind: str, source: Source | None) -> str:
    """The encoding to write: that of the suffix, else that of what was read."""
    own = source.encoding if source is not None and source.kind == kind else BINARY
    return own if kind == SAVED or path == files.STREAM else encodings.of_path(path, own)


def _is_packed(path: str, kind: str, source: Source | None) -> bool:
    if path == files.STREAM:
        return source is not None and source.compressed
    return kind != SAVED and path.endswith(".gz")
