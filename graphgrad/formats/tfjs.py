"""Graph models of TensorFlow.js: a graph in JSON whose constants lie in weight files beside it.

Weights become the values of their Const nodes. What was read is kept: old weight files are copied byte for byte, new
constants come in a group of their own.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from typing import Any

from google.protobuf import json_format

from graphgrad.errors import ArgumentError, ModelError
from graphgrad.formats import files, metagraph, payloads
from graphgrad.graph import Graph, Operation
from graphgrad.schema import graph_pb2, saved_model_pb2

MODEL = "model.json"
SHARD = 1 << 22  # bytes of a weight file
SIGNATURE = "serving_default"


def read(path: str, data: bytes) -> Graph:
    """The graph of a model.json and the weight files it names. Raises ModelError."""
    from graphgrad.formats import weights

    document = _document(data)
    topology = document.get("modelTopology")
    if document.get("format") == "layers-model" or not isinstance(topology, dict) or "node" not in topology:
        raise ModelError("it is a layers model of TensorFlow.js, and a graph model is needed: export it as one")
    definition = graph_pb2.GraphDef()
    try:
        json_format.ParseDict(topology, definition, ignore_unknown_fields=True)
        meta = _signature(document)
    except (json_format.ParseError, AttributeError, TypeError, ValueError) as error:
        raise ModelError(f"its modelTopology is no GraphDef: {str(error).splitlines()[0]}") from None
    for node in definition.node:
        _complete(node)
    large: dict[str, memoryview] = {}
    constants = _constants(definition)
    for weight in weights.read(document.get("weightsManifest", []), os.path.dirname(path)):
        for node in constants.pop(weight.name, []):
            tensor = node.attr["value"].tensor
            content = weight.into(tensor)
            if content is not None and len(content) > payloads.LARGE and weight.name not in large:
                large[weight.name] = content
            elif content is not None:
                tensor.tensor_content = bytes(content)
    missing = [name for name, nodes in constants.items() if any(map(_is_empty, nodes))]
    if missing:
        more = f" and of {len(missing) - 1} more" if missing[1:] else ""
        raise ModelError(f"its weightsManifest has no weights of node {missing[0]!r}{more}")
    graph = Graph(definition, large)
    graph.meta = meta
    return graph


def _document(data: bytes) -> dict[str, Any]:
    try:
        found = json.loads(data)
    except ValueError as error:
        raise ModelError(f"it is no JSON document: {error}") from None
    return found if isinstance(found, dict) else {}


def _signature(document: dict[str, Any]) -> saved_model_pb2.MetaGraphDef:
    meta = saved_model_pb2.MetaGraphDef()
    found = document.get("signature") or (document.get("userDefinedMetadata") or {}).get("signature")
    if found:
        json_format.ParseDict(found, meta.signature_def[SIGNATURE], ignore_unknown_fields=True)
    return meta


# What TensorFlow.js calls an op of TensorFlow.
_OPS = {"FusedDepthwiseConv2dNative": "_FusedDepthwiseConv2dNative"}


def _complete(node: graph_pb2.NodeDef) -> None:
    """Gives a node the name and the attributes that TensorFlow's op of today has."""
    node.op = _OPS.get(node.op, node.op)
    if node.op == "_FusedConv2D" and "TArgs" not in node.attr:
        node.attr["TArgs"].list.type.extend([node.attr["T"].type] * node.attr["num_args"].i)


def _constants(definition: graph_pb2.GraphDef) -> dict[str, list[graph_pb2.NodeDef]]:
    """The Const nodes of the graph and of its functions, by name."""
    found: dict[str, list[graph_pb2.NodeDef]] = {}
    for nodes in (definition.node, *(function.node_def for function in definition.library.function)):
        for node in nodes:
            if node.op == "Const":
                found.setdefault(node.name, []).append(node)
    return found


def _is_empty(node: graph_pb2.NodeDef) -> bool:
    """Whether a constant has elements and no values for them."""
    tensor = node.attr["value"].tensor
    holds = any(field.name.endswith(("_val", "_content")) for field, _ in tensor.ListFields())
    return not holds and all(dim.size for dim in tensor.tensor_shape.dim)


def write(graph: Graph, path: str, source: str | None) -> None:
    """Writes model.json and its weight files; `source` is the model.json that was read. Raises ArgumentError."""
    if path == files.STREAM:
        raise ArgumentError("a TensorFlow.js model is several files and cannot be written to standard output")
    if path.endswith(".json"):
        _write(graph, os.path.dirname(os.path.abspath(path)), os.path.basename(path), source)
        return
    if os.path.isdir(path) and os.listdir(path) and not os.path.isfile(os.path.join(path, MODEL)):
        raise ArgumentError(f"{path} is a folder that holds something else than a TensorFlow.js model")
    files.write_folder(path, lambda folder: _write(graph, folder, MODEL, source))


def _write(graph: Graph, folder: str, name: str, source: str | None) -> None:
    document: dict[str, Any] = {"format": "graph-model", "generatedBy": "graphgrad", "convertedBy": "graphgrad"}
    if source is not None:
        with open(source, "rb") as file:
            document = _document(file.read())
        _copy_shards(document, os.path.dirname(source), folder)
    _add_signature(document, graph)
    is_new = source is None
    variables = [op.name for op in graph if op.type in ("VarHandleOp", "VariableV2", "Variable")]
    if variables and is_new:
        raise ArgumentError(f"variable {variables[0]!r} has no place in a TensorFlow.js model: freeze the model first")
    topology = document.setdefault("modelTopology", {"versions": json_format.MessageToDict(graph.message.versions)})
    _add_nodes(topology, graph, is_new)
    constants = [op for op in (graph.operations if is_new else graph.added()) if op.type == "Const"]
    group = _group(constants, folder, os.path.splitext(name)[0])
    if group["weights"]:
        document.setdefault("weightsManifest", []).append(group)
    files.write(os.path.join(folder, name), [json.dumps(document).encode()])


def _copy_shards(document: dict[str, Any], source: str, folder: str) -> None:
    for group in document.get("weightsManifest", []):
        for path in group["paths"]:
            here, there = os.path.join(source, path), os.path.join(folder, path)
            if os.path.abspath(here) != os.path.abspath(there):
                os.makedirs(os.path.dirname(there), exist_ok=True)
                shutil.copyfile(here, there)


def _add_signature(document: dict[str, Any], graph: Graph) -> None:
    signatures = metagraph.with_signatures(graph).signature_def
    if graph.new_signatures:
        raise ArgumentError("a TensorFlow.js model has one signature, and no other can be added to it")
    if "signature" not in document and SIGNATURE in signatures:
        document["signature"] = json_format.MessageToDict(signatures[SIGNATURE])


def _add_nodes(topology: dict[str, Any], graph: Graph, is_new: bool) -> None:
    nodes = topology.setdefault("node", [])
    if not is_new:
        for i, op in enumerate(graph.operations[: graph.read_count]):
            if op in graph.rewritten:
                nodes[i] = json_format.MessageToDict(op.node_def())
    nodes += [json_format.MessageToDict(_bare(op)) for op in (graph.operations if is_new else graph.added())]
    functions = [*(graph.message.library.function if is_new else ()), *graph.added_functions()]
    if functions:
        library = topology.setdefault("library", {})
        library.setdefault("function", []).extend(map(json_format.MessageToDict, functions))


def _bare(op: Operation) -> graph_pb2.NodeDef:
    """The node; a constant without its values."""
    node = graph_pb2.NodeDef()
    node.CopyFrom(op.node_def())
    if op.type == "Const":
        tensor = node.attr["value"].tensor
        bare = graph_pb2.TensorProto(dtype=tensor.dtype, tensor_shape=tensor.tensor_shape)
        bare.tensor_shape.SetInParent()
        tensor.CopyFrom(bare)
    return node


def _group(constants: list[Operation], folder: str, stem: str) -> dict[str, Any]:
    """Writes the weight files of constants; their part of the manifest."""
    from graphgrad.formats import weights

    entries, contents = [], []
    for op in constants:
        entry, content = weights.encode(op)
        entries.append(entry)
        contents.append(content)
    shards = list(_shards(contents))
    paths = [f"{stem}.weights-shard{i}of{len(shards)}.bin" for i in range(1, len(shards) + 1)]
    for path, shard in zip(paths, shards, strict=True):
        files.write(os.path.join(folder, path), [shard])
    return {"paths": paths, "weights": entries}


def _shards(contents: list[bytes]) -> Iterator[bytes]:
    content = b"".join(contents)
    for start in range(0, len(content), SHARD):
        yield content[start : start + SHARD]
