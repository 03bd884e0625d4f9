"""Signatures: the names by which the graph of a MetaGraphDef or SavedModel is called, and new ones for gradients.

A name of a signature stands for a tensor wherever a tensor may be named.
"""

from __future__ import annotations

import os
from collections.abc import Container, Sequence

from graphgrad import attributes, objects
from graphgrad.errors import ArgumentError, UnknownNameError, did_you_mean
from graphgrad.graph import Graph, Operation, needed_by
from graphgrad.schema import saved_model_pb2
from graphgrad.tensors import IndexedSlices, Tensor

INPUTS, OUTPUTS = "inputs", "outputs"
_DEFAULT = "serving_default"
_INITIALISES = "__saved_model_init_op"
_ASSETS = "saved_model_assets"
_METHOD = "tensorflow/serving/predict"
_PLACEHOLDERS = ("Placeholder", "PlaceholderV2")

Signature = saved_model_pb2.SignatureDef


def signatures(graph: Graph) -> dict[str, Signature]:
    """The signatures that came with a graph and those that were added, by name; those that only initialise left out."""
    own = dict(graph.meta.signature_def) if graph.meta is not None else {}
    found = {**own, **graph.new_signatures}
    return {name: found[name] for name in sorted(found) if not name.startswith("__saved_model_")}


def chosen(graph: Graph) -> Signature | None:
    """The signature that was asked for; without one that for serving, or the only one. Raises ArgumentError."""
    known, name = signatures(graph), graph.signature
    if name is not None:
        if name not in known:
            there = f"there is {', '.join(known)}" if known else "the model has none"
            raise ArgumentError(f"no signature {name!r}{did_you_mean(name, known)}: {there}")
        return known[name]
    return known.get(_DEFAULT) or (next(iter(known.values())) if len(known) == 1 else None)


def tensor_name(graph: Graph, item: str, first: str = OUTPUTS) -> str:
    """The tensor that an item names: a node of the graph, or an input or output of a signature, the side `first` first.

    A signature that is asked for comes before the nodes, others come behind them. Raises ArgumentError.
    """
    if graph.signature is None and (item.partition(":")[0] in graph or not signatures(graph)):
        return item
    found = chosen(graph)
    if found is None:
        return item
    sides = (found.inputs, found.outputs) if first == INPUTS else (found.outputs, found.inputs)
    for side in sides:
        if item in side:
            return _plain_name(item, side[item])
    if item.partition(":")[0] in graph:
        return item
    keys = [*found.inputs, *found.outputs]
    raise UnknownNameError(
        f"{item!r} is neither a node of the graph nor in the signature{did_you_mean(item, [*keys, *graph.names_like(item)])}: "
        f"its inputs are {', '.join(sorted(found.inputs)) or 'none'}, its outputs {', '.join(sorted(found.outputs)) or 'none'}"
    )


def called(graph: Graph, tensor: str, side: str) -> str:
    """What a tensor may be called by: its name in the chosen signature, where that one names it, or else its own."""
    found = chosen(graph)
    infos = {} if found is None else found.inputs if side == INPUTS else found.outputs
    known = [key for key in sorted(infos) if tensors_of(infos[key]) == [graph.tensor(tensor).name]]
    return next((key for key in known if tensor_name(graph, key, side) == graph.tensor(tensor).name), tensor)


def _plain_name(key: str, info: saved_model_pb2.TensorInfo) -> str:
    names = tensors_of(info)
    if len(names) != 1:
        raise ArgumentError(f"{key!r} of the signature is several tensors, name one of them: {', '.join(names)}")
    return names[0]


def tensors_of(info: saved_model_pb2.TensorInfo) -> list[str]:
    """The tensors that an input or output of a signature consists of: one, or the parts of a sparse or composite one."""
    kind = info.WhichOneof("encoding")
    if kind == "coo_sparse":
        coo = info.coo_sparse
        return [coo.values_tensor_name, coo.indices_tensor_name, coo.dense_shape_tensor_name]
    if kind == "composite_tensor":
        return [name for part in info.composite_tensor.components for name in tensors_of(part)]
    return [info.name] if info.name else []


def initialiser(graph: Graph) -> str | None:
    """The operation that fills the tables of a model when it is loaded, where it has one."""
    if graph.meta is None:
        return None
    known = graph.meta.signature_def
    named = [info.name for info in known[_INITIALISES].outputs.values()] if _INITIALISES in known else []
    for collection in ("saved_model_main_op", "legacy_init_op"):
        if collection in graph.meta.collection_def:
            named += graph.meta.collection_def[collection].node_list.value
    found = [name.partition(":")[0] for name in named]
    return next((name for name in found if name in graph), None)


def name_initialiser(meta: saved_model_pb2.MetaGraphDef, name: str, names: Container[str]) -> None:
    """Says in a meta graph that the operation of that name is to run when the model is loaded, if there is one among `names`."""
    if name in names:
        meta.signature_def[_INITIALISES].outputs[_INITIALISES].name = name


def assets(graph: Graph) -> dict[str, str]:
    """The files that lie in a SavedModel's folder for its tables to be filled from, by the tensor that holds the path."""
    source = graph.source
    if graph.meta is None or source is None or not os.path.isdir(source.path):
        return {}
    folder = os.path.join(os.path.abspath(source.path), "assets")
    found = {
        info.tensor_info.name: os.path.normpath(os.path.join(folder, info.filename))
        for info in _asset_files(graph.meta)
    }
    return {
        name: path
        for name, path in found.items()
        if path.startswith(folder + os.sep) and name.partition(":")[0] in graph
    }


def _asset_files(meta: saved_model_pb2.MetaGraphDef) -> list[saved_model_pb2.AssetFileDef]:
    """The files beside a model; TensorFlow 1 has them in a collection."""
    found = list(meta.asset_file_def)
    if _ASSETS in meta.collection_def:
        found += [
            saved_model_pb2.AssetFileDef.FromString(any.value) for any in meta.collection_def[_ASSETS].any_list.value
        ]
    return found


def export(graph: Graph, name: str, xs: Sequence[Tensor], gradients: Sequence[Tensor | IndexedSlices | None]) -> None:
    """Adds a signature whose outputs are gradients, each under the name of its x; a sparse one as its parts.

    Its inputs are those of the signature that is chosen, and what else the gradients need. Raises ArgumentError.
    """
    if graph.meta is None:
        raise ArgumentError("--export-signature: only a MetaGraphDef or a SavedModel has signatures")
    if name in signatures(graph) or name.startswith("__saved_model_"):
        raise ArgumentError(f"--export-signature: the model has a signature {name!r} already")
    base = chosen(graph)
    made = Signature(method_name=_METHOD)
    keys = {}
    if base is not None:
        for key, info in base.inputs.items():
            made.inputs[key].CopyFrom(info)
            keys[info.name] = key
    outputs: list[Tensor] = []
    for x, gradient in zip(xs, gradients, strict=True):
        key = keys.get(x.name, x.op.name if x.index == 0 else x.name)
        for suffix, part in _parts(gradient):
            outputs.append(part)
            _describe(part, made.outputs[key + suffix])
    if not outputs:
        raise ArgumentError("--export-signature: none of the gradients exists")
    for placeholder in _placeholders(outputs):
        if placeholder.name not in keys:
            _describe(placeholder, made.inputs[placeholder.op.name])
    graph.new_signatures[name] = made
    tensors = [
        {key: graph.tensor(tensors_of(info)[0]) for key, info in side.items() if len(tensors_of(info)) == 1}
        for side in (made.inputs, made.outputs)
    ]
    if list(map(len, tensors)) == [len(made.inputs), len(made.outputs)]:
        objects.with_signature(graph, name, *tensors)


def _parts(gradient: Tensor | IndexedSlices | None) -> list[tuple[str, Tensor]]:
    if isinstance(gradient, IndexedSlices):
        parts = [("/values", gradient.values), ("/indices", gradient.indices)]
        return [*parts, ("/dense_shape", gradient.dense_shape)] if gradient.dense_shape is not None else parts
    return [] if gradient is None else [("", gradient)]


def _describe(tensor: Tensor, info: saved_model_pb2.TensorInfo) -> None:
    info.name = tensor.name
    if tensor.dtype is not None:
        info.dtype = tensor.dtype.enum  # type: ignore[assignment]
    attributes.encode_shape(tensor.shape, info.tensor_shape)
    info.tensor_shape.SetInParent()


def _placeholders(tensors: Sequence[Tensor]) -> list[Tensor]:
    """What must be fed to compute tensors, in the order of the graph."""
    found = set(needed_by(t.op for t in tensors))
    return [op.outputs[0] for op in tensors[0].graph if op in found and op.type in _PLACEHOLDERS]


def only_for_the_saver(graph: Graph) -> dict[Operation, None]:
    """What the saver of a MetaGraphDef runs and nothing else needs."""
    if graph.meta is None:
        return {}
    saver = graph.meta.saver_def
    names = (saver.save_tensor_name, saver.restore_op_name)
    own = dict.fromkeys(
        needed_by([graph.operation(n.partition(":")[0]) for n in names if n.partition(":")[0] in graph])
    )
    others = set(needed_by([op for op in graph if op not in own]))
    return {op: None for op in own if op not in others}
