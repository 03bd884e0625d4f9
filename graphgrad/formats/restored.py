"""Which tensor of a checkpoint is the value of which variable, and the values, read when they are asked for.

The graph's own restoring operations say it best; then names; then the objects that were saved, followed by the names of
their parts beside those of the model.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from graphgrad import dtypes
from graphgrad.errors import ArgumentError
from graphgrad.formats import arrays, checkpoints, savedmodel
from graphgrad.formats.checkpoints import FULL, Checkpoint, Entry, Slice
from graphgrad.graph import Graph, Operation, needed_by
from graphgrad.schema import saved_model_pb2
from graphgrad.tensors import Tensor

Array = np.ndarray[Any, Any]
Key = tuple[str, Slice | None]  # a tensor of a checkpoint, or a slice of it

VARIABLES = frozenset(["VarHandleOp", "VariableV2", "Variable"])
_ASSIGNMENTS = frozenset(["Assign", "AssignVariableOp"])
_RESTORES = frozenset(["RestoreV2", "Restore", "RestoreSlice"])
_PASSING = frozenset(["Identity", "Reshape", "Cast"])
_CALLS = frozenset(["PartitionedCall", "StatefulPartitionedCall"])
_IMPORTS = frozenset(["LookupTableImport", "LookupTableImportV2"])


def variables_of(graph: Graph, path: str | os.PathLike[str] | None = None) -> Mapping[str, Array] | None:
    """Values of a graph's variables: of an .npz archive, of a checkpoint, or those beside a SavedModel.

    None where no path is given and the graph came without variables. Raises ArgumentError, ModelError.
    """
    if path is None:
        source = graph.source
        own = savedmodel.variables_of(source.path) if source is not None and source.kind == "saved-model" else None
        return None if own is None else Restored(graph, checkpoints.open_checkpoint(own))
    path = os.fspath(path)
    if os.path.isfile(path) and (path.endswith(".npz") or _is_archive(path)):
        return arrays.read_npz(path, "--variables")
    if path.endswith(".npz"):
        raise ArgumentError(f"--variables {path} does not exist")
    if os.path.isdir(path):
        path = savedmodel.variables_of(path) or path
    return Restored(graph, checkpoints.open_checkpoint(path))


def _is_archive(path: str) -> bool:
    with open(path, "rb") as file:
        return file.read(2) == b"PK"


def variable_name(op: Operation) -> str:
    """The name of a variable, which its node need not have."""
    name = op["shared_name"] or op.name
    return f"{op['container']}/{name}" if op["container"] else name


def value_of(op: Operation, variables: Mapping[str, Array]) -> Array | None:
    """The value of the variable that an operation makes, None where there is none. Raises ArgumentError for one of
    another dtype or shape."""
    name = variable_name(op)
    found = variables.get(name)
    if found is None:
        found = variables.get(op.name)
    if found is None:
        return None
    array, dtype, shape = np.asarray(found), arrays.numpy_dtype(op["dtype"]), op["shape"]
    if dtype.kind == "O" and array.dtype.kind in "SU":
        array = arrays.strings(array)
    # In .npz files float32 stands for bfloat16.
    if array.dtype.kind != dtype.kind and not (dtype.name == "bfloat16" and array.dtype.kind == "f"):
        raise ArgumentError(f"variable {name!r} is {dtype.name}, and the value given is {array.dtype.name}")
    if shape is not None and not _fits(array.shape, shape):
        raise ArgumentError(f"variable {name!r} has shape {list(shape)}, and the value given {list(array.shape)}")
    return array.astype(dtype, copy=False)


def _fits(shape: tuple[int, ...], declared: tuple[int | None, ...]) -> bool:
    return len(shape) == len(declared) and all(d is None or d == n for n, d in zip(shape, declared, strict=True))


def _can_be(op: Operation, entry: Entry) -> bool:
    """Whether a tensor of a checkpoint may be the value of a variable, although its name alone says so."""
    is_text = dtypes.string in (op["dtype"], entry.dtype)
    fits = op["shape"] is None or _fits(entry.shape, op["shape"])
    return fits and (op["dtype"] is entry.dtype or not is_text)


class Restored(Mapping[str, Array]):
    """The values of a graph's variables in a checkpoint, by the names of the variables."""

    def __init__(self, graph: Graph, checkpoint: Checkpoint):
        self.checkpoint = checkpoint
        self.keys_of: dict[str, Key] = {}
        variables = [op for op in graph if op.type in VARIABLES]
        by_restoring = dict(_restoring(graph))
        by_objects: dict[str, str] | None = None
        for op in variables:
            name = variable_name(op)
            key = by_restoring.get(op)
            if key is None or key[0] not in checkpoint:
                key = self._by_name(name)
            if key is None:
                if by_objects is None:
                    by_objects = {**_full_names(checkpoint), **_objects(graph, checkpoint, by_restoring)}
                found = by_objects.get(name)
                key = None if found is None or not _can_be(op, checkpoint.entries[found]) else (found, None)
            if key is not None:
                self.keys_of[name] = key
        if any("HashTable" in op.type for op in graph):
            self.keys_of |= {name: key for name, key in _tables(graph) if key[0] in checkpoint}

    def _by_name(self, name: str) -> Key | None:
        if name in self.checkpoint:
            return name, None
        whole, _, part = name.rpartition("/part_")
        if whole in self.checkpoint and part.isdigit():
            slices = sorted(self.checkpoint.entries[whole].slices)
            if int(part) < len(slices):
                return whole, slices[int(part)]
        return None

    def __getitem__(self, name: str) -> Array:
        key, part = self.keys_of.get(name, (name, None))
        value = self.checkpoint.read(key)
        return value if part is None else value[checkpoints.places(part, value.shape)]

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys_of)

    def __len__(self) -> int:
        return len(self.keys_of)


def _restoring(graph: Graph) -> Iterator[tuple[Operation, Key]]:
    """The variables that operations of the graph restore, with what they restore them from."""
    for op, outside in _that_restore(graph):
        if op.type in _ASSIGNMENTS:
            variable, value = _origin(op.inputs[0], outside).op, _origin(op.inputs[1], outside)
            if variable.type in VARIABLES and value.op.type in _RESTORES:
                yield variable, _key(value)


def _tables(graph: Graph) -> Iterator[tuple[str, Key]]:
    """What mutable tables are restored from, by the names of their keys and values."""
    for op, outside in _that_restore(graph):
        if op.type in _IMPORTS:
            table, *parts = (_origin(t, outside) for t in op.inputs)
            if table.graph is graph and all(part.op.type in _RESTORES for part in parts):
                yield from zip(entries_of(table.op), map(_key, parts), strict=True)


def entries_of(table: Operation) -> tuple[str, str]:
    """The names under which the keys and values stand that a table starts with."""
    return f"{table.name}:keys", f"{table.name}:values"


def entries(table: Operation, variables: Mapping[str, Array]) -> tuple[Array, Array] | None:
    """The keys and values that a table starts with, where there are some; of a dense one those that are in use."""
    names = entries_of(table)
    if not all(name in variables for name in names):
        return None
    keys, values = (variables[name] for name in names)
    nothing = [arrays.of_constant(t.op) for t in table.inputs if t.op.type == "Const"]
    if not table.inputs or len(nothing) < len(table.inputs):
        return keys, values
    keys = keys.reshape(len(keys), *nothing[0].shape)
    of_key = tuple(range(1, keys.ndim))
    used = ~np.any([np.all(keys == key, axis=of_key) if of_key else keys == key for key in nothing], axis=0)
    return keys[used], values.reshape(len(values), *(table["value_shape"] or ()))[used]


def _that_restore(graph: Graph) -> Iterator[tuple[Operation, Mapping[Tensor, Tensor]]]:
    """The operations among which those are that restore, with what stands outside for the arguments of their functions."""
    saver = graph.meta.saver_def.restore_op_name if graph.meta is not None else ""
    start: Sequence[Operation] = list(graph)
    if saver.partition(":")[0] in graph:
        start = needed_by([graph.operation(saver.partition(":")[0])])
    levels: list[tuple[Sequence[Operation], dict[Tensor, Tensor]]] = [(start, {})]
    while levels:
        operations, outside = levels.pop()
        for op in operations:
            yield op, outside
            if op.type in _CALLS and _may_restore(op):
                body = graph.functions.body(op.function("f"), op)
                given = [_origin(t, outside) for t in op.inputs]
                levels.append((list(body.graph), dict(zip(body.arguments, given, strict=True))))


def _may_restore(op: Operation) -> bool:
    """Whether a function restores something, or calls another, which may."""
    function = op.graph.functions.get(op.function("f"))
    return function is not None and any(node.op in _RESTORES or node.op in _CALLS for node in function.node_def)


def _origin(tensor: Tensor, outside: Mapping[Tensor, Tensor]) -> Tensor:
    while tensor not in outside and tensor.op.type in _PASSING:
        tensor = tensor.op.inputs[0]
    return outside.get(tensor, tensor)


def _key(value: Tensor) -> Key:
    """What a restoring operation reads for one of its outputs."""
    op = value.op
    name = _text(op.inputs[1], value.index)
    return name, _slice(_text(op.inputs[2], value.index) if op.type != "Restore" else "")


def _text(tensor: Tensor, index: int) -> str:
    if tensor.op.type != "Const":
        return ""
    return str(arrays.of_constant(tensor.op).ravel()[index].decode("utf-8", "replace"))


def _slice(text: str) -> Slice | None:
    """'6 3 0,2:-': of a tensor of shape [6, 3] two rows from the first, and all columns."""
    if not text:
        return None
    extents = text.split(" ")[-1].split(":")
    pairs = [(0, FULL) if e == "-" else tuple(map(int, e.split(","))) for e in extents]
    return tuple((start, length) for start, length in pairs)


def _full_names(checkpoint: Checkpoint) -> dict[str, str]:
    """Tensors of a checkpoint of objects by the names of the variables, where these tell them apart."""
    found: dict[str, list[str]] = {}
    for node in checkpoint.objects.nodes if checkpoint.objects is not None else ():
        for attribute in node.attributes:
            if attribute.full_name:
                found.setdefault(attribute.full_name, []).append(attribute.checkpoint_key)
    return {name: keys[0] for name, keys in found.items() if len(keys) == 1}


def _objects(graph: Graph, checkpoint: Checkpoint, by_restoring: Mapping[Operation, Key]) -> dict[str, str]:
    """Tensors of a checkpoint of objects by the names of the variables that are the same parts of the model."""
    if checkpoint.objects is None or graph.meta is None or not graph.meta.object_graph_def.nodes:
        return {}
    objects, saved = graph.meta.object_graph_def, checkpoint.objects
    names = {_object_of(objects, key): variable_name(op) for op, (key, _) in by_restoring.items()}
    roots = dict.fromkeys([0, *(child.node_id for child in saved.nodes[0].children)] if saved.nodes else [])
    best: dict[str, str] = {}
    for root in roots:
        found = {}
        for node, other in _side_by_side(objects, saved, root):
            if node in names and saved.nodes[other].attributes:
                found[names[node]] = saved.nodes[other].attributes[0].checkpoint_key
        best = max(best, found, key=len)
    return best


def _side_by_side(
    objects: saved_model_pb2.SavedObjectGraph, saved: saved_model_pb2.TrackableObjectGraph, root: int
) -> Iterator[tuple[int, int]]:
    """Pairs of nodes that are reached from both roots by the same names."""
    seen, queue = {(0, root)}, [(0, root)]
    while queue:
        pair = queue.pop()
        yield pair
        children = {child.local_name: child.node_id for child in saved.nodes[pair[1]].children}
        for child in objects.nodes[pair[0]].children:
            if child.local_name in children:
                both = child.node_id, children[child.local_name]
                if both not in seen:
                    seen.add(both)
                    queue.append(both)


def _object_of(objects: saved_model_pb2.SavedObjectGraph, key: str) -> int:
    """The object that a SavedModel's own checkpoint keeps under a key, which is the way to it; -1 where there is none."""
    at = 0
    for name in key.partition("/.ATTRIBUTES/")[0].split("/"):
        plain = name.replace("..", "\0").replace(".S", "/").replace("\0", ".")
        at = next((c.node_id for c in objects.nodes[at].children if c.local_name == plain), -1)
        if at < 0:
            break
    return at
