"""Freezing: a graph whose variables are constants, with the values that a checkpoint or a SavedModel gives them.

Nodes keep their names. What saves, restores or changes variables is left out, and with it what depends on it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from graphgrad import dtypes, signatures
from graphgrad.controlflow.noted import keep_noted, pivots_noted
from graphgrad.errors import ArgumentError, ModelError, lacking_variables
from graphgrad.formats import arrays, payloads, restored, vocabulary
from graphgrad.graph import Graph, Operation, needed_by
from graphgrad.library import Library
from graphgrad.objects import captured_objects
from graphgrad.schema import graph_pb2, saved_model_pb2
from graphgrad.unvaried import Level, Unvaried, Value, constant_of

_CUSTOM = "_gradient_op_type"  # says what the custom gradient of a node is registered as
FILLS_TABLES = "fill_tables"  # the node that does, in graphs that come without one
# What reaches for the files that variables are kept in.
_FILES = frozenset(
    ["Save", "SaveV2", "SaveSlices", "Restore", "RestoreV2", "RestoreSlice", "MergeV2Checkpoints", "ShardedFilename"]
)


def freeze(graph: Graph, variables: Mapping[str, Any] | None = None, outputs: Sequence[str] | None = None) -> Graph:
    """The graph with constants in place of its variables; `graph` itself stays as it is.

    Args:
        graph: the graph.
        variables: values by the names of variables; a SavedModel's own by default.
        outputs: tensors, by name, that are to be computed; only what they need is kept. By default the outputs of the
            signatures the graph came with, and where it has none all that can be computed without changing a variable.

    Raises:
        ValueError: values are missing, or an output depends on what changes a variable.
    """
    given = restored.variables_of(graph) if variables is None else variables
    return _Freezing(graph, given if given is not None else {}).frozen(_wanted(graph, outputs))


def _wanted(graph: Graph, outputs: Sequence[str] | None) -> list[str] | None:
    """The nodes that are asked for, None for as many as there can be."""
    if outputs is not None:
        return [graph.tensor(name).op.name for name in outputs]
    if graph.signature is not None:
        chosen = signatures.chosen(graph)
        known = [] if chosen is None else [chosen]
    else:
        known = list(signatures.signatures(graph).values())
    names = [name for signature in known for info in signature.outputs.values() for name in signatures.tensors_of(info)]
    return [name.partition(":")[0] for name in names] or None


class _Freezing:
    """One call; used once."""

    def __init__(self, graph: Graph, variables: Mapping[str, Any]):
        self.graph, self.variables = graph, variables
        self.payloads = dict(graph.payloads)
        self.unvaried = Unvaried(graph.functions, _entries)

    def frozen(self, wanted: list[str] | None) -> Graph:
        operations = list(self.graph)
        if wanted is not None:
            needed = set(needed_by(map(self.graph.operation, [*wanted, *self._fills_tables()])))
            if self.graph.meta is not None:
                pivots = pivots_noted(self.graph.meta, {op.name for op in needed})
                needed.update(needed_by(self.graph.operation(name) for name in pivots if name in self.graph))
            operations = [op for op in operations if op in needed]
        level = Level([op.node_def() for op in operations], self.graph.functions)
        own = {op: self._value(op) for op in operations if op.type in restored.VARIABLES}
        own |= self._files(operations)
        values = {f"{op.name}:0": value for op, value in own.items()}
        self.unvaried.spread(level, values)
        nodes, impossible, _ = self.unvaried.changed(level, values)
        impossible.update(
            {op.name: f"{op.type} node {op.name!r} reaches for files" for op in operations if op.type in _FILES}
        )
        nodes = self._with_entries(self._without(nodes, impossible, wanted))
        used = {text.removeprefix("^").partition(":")[0] for node in nodes for text in node.input}
        used.update(wanted or ())
        left = {op.name for op in own if op.name not in used}
        constants = self._constants([op for op in own if op.name in used], own)
        nodes = [constants.get(node.name, node) for node in nodes if node.name not in left]
        return self._result(nodes, self._custom_gradients(values))

    def _custom_gradients(self, values: Mapping[str, Value]) -> dict[str, str]:
        """The functions that compute custom gradients, by the names they are asked for; of those that capture variables such
        as take values.
        """
        library, found = self.graph.functions, {}
        objects = library.objects.concrete_functions if library.objects is not None else {}
        captured = captured_objects(self.graph, library.objects) if objects else {}
        numbers = {number: values.get(tensor.name) for tensor, number in captured.items()}
        for entry in self.graph.message.library.registered_gradients:
            name, problem = entry.gradient_func, None
            if name not in library:
                continue
            bound = objects[name].bound_inputs if name in objects else ()
            first = len(library[name].signature.input_arg) - len(bound)
            arguments = {first + i: value for i, n in enumerate(bound) if (value := numbers.get(n)) is not None}
            if arguments:
                name, problem = self.unvaried.function(name, arguments)
            if problem is None:
                found[entry.registered_op_type] = name
        return found

    def _fills_tables(self) -> list[str]:
        """What the model runs when it is loaded, if that does anything."""
        name = signatures.initialiser(self.graph)
        return [name] if name is not None and self.graph.operation(name).control_inputs else []

    def _files(self, operations: list[Operation]) -> dict[Operation, Value]:
        """What holds the paths of files that tables are filled from: nodes that are fed them, and variables that are
        assigned them when the model is loaded.
        """
        scalar = graph_pb2.TensorShapeProto()
        paths = {self.graph.tensor(name): path for name, path in signatures.assets(self.graph).items()}
        held = {tensor.op: path for tensor, path in paths.items()}
        for op in operations:
            if op.type == "AssignVariableOp" and op.inputs[1] in paths:
                held[op.inputs[0].op] = paths[op.inputs[1]]
        there = set(operations)
        return {op: Value(op.name, dtypes.string, scalar, True, path) for op, path in held.items() if op in there}

    def _value(self, op: Operation) -> Value:
        shape = graph_pb2.TensorShapeProto()
        if op._node is None or "shape" not in op._node.attr:
            shape.unknown_rank = True
        else:
            shape.CopyFrom(op._node.attr["shape"].shape)
        return Value(restored.variable_name(op), op["dtype"], shape, op.outputs[0].dtype is dtypes.resource)

    def _without(
        self, nodes: list[graph_pb2.NodeDef], impossible: dict[str, str], wanted: list[str] | None
    ) -> list[graph_pb2.NodeDef]:
        """The nodes without those that cannot be, and those that depend on them. Raises ModelError for wanted ones."""
        readers: dict[str, list[str]] = {}
        for node in nodes:
            for text in node.input:
                readers.setdefault(text.removeprefix("^").partition(":")[0], []).append(node.name)
        gone, queue = dict(impossible), list(impossible)
        while queue:
            name = queue.pop()
            for reader in readers.get(name, ()):
                if reader not in gone:
                    gone[reader] = gone[name]
                    queue.append(reader)
        for name in wanted or ():
            if name in gone:
                raise ModelError(f"{name!r} cannot be frozen: {gone[name]}")
        return [node for node in nodes if node.name not in gone]

    def _with_entries(self, nodes: list[graph_pb2.NodeDef]) -> list[graph_pb2.NodeDef]:
        """The nodes, with those that fill mutable tables with what a checkpoint has of them when the model is loaded."""
        added: list[graph_pb2.NodeDef] = []
        for node in nodes:
            table = self.graph.operation(node.name) if node.name in self.graph else None
            found = restored.entries(table, self.variables) if table is not None and "HashTable" in table.type else None
            if found is not None:
                added += _filling(table, found)  # type: ignore[arg-type]
        fills = [f"^{node.name}" for node in added if node.op != "Const"]
        if not fills:
            return nodes
        first = signatures.initialiser(self.graph) or FILLS_TABLES
        whole = [*nodes, *added]
        if not any(node.name == first for node in nodes):
            whole.append(graph_pb2.NodeDef(name=first, op="NoOp"))
        for i, node in enumerate(whole):
            if node.name == first:
                whole[i] = graph_pb2.NodeDef()
                whole[i].CopyFrom(node)
                whole[i].input.extend(fills)
        return whole

    def _constants(self, variables: list[Operation], values: dict[Operation, Value]) -> dict[str, graph_pb2.NodeDef]:
        """The constants that stand in the place of variables. Raises ArgumentError naming all that have no value."""
        files = [op for op in variables if values[op].file]
        found = {op: restored.value_of(op, self.variables) for op in variables if op not in files}
        missing = [values[op].variable for op, array in found.items() if array is None]
        if missing:
            message = (
                f"no value for {len(missing)} of {len(found)} variables: {', '.join(map(repr, missing))}; "
                "give --variables an .npz or the prefix of a checkpoint that has them"
            )
            raise lacking_variables(ArgumentError(message))
        names = {op: os.path.basename(values[op].file) for op in files}
        return {
            **{op.name: self._constant(op, array) for op, array in found.items()},
            **{op.name: self._constant(op, arrays.strings(name)) for op, name in names.items()},
        }

    def _constant(self, op: Operation, array: Any) -> graph_pb2.NodeDef:
        dtype = op["dtype"]
        node = graph_pb2.NodeDef(name=op.name, op="Const", device=op.device)
        node.input.extend(text for text in op.node_def().input if text[:1] == "^")
        node.attr["dtype"].type = dtype.enum
        classes = op.annotation("_class")
        if classes:
            node.attr["_class"].list.s.extend(c.encode() for c in classes)
        content = arrays.content(array, dtype)
        if content is None or len(content) <= payloads.LARGE:
            node.attr["value"].tensor.CopyFrom(arrays.to_proto(array, dtype))
        else:
            node.attr["value"].tensor.CopyFrom(arrays.bare_proto(array.shape, dtype))
            self.payloads[op.name] = content
        return node

    def _result(self, nodes: list[graph_pb2.NodeDef], custom_gradients: Mapping[str, str]) -> Graph:
        definition = graph_pb2.GraphDef(versions=self.graph.message.versions)
        names = {node.name for node in nodes}
        for node in nodes:
            definition.node.add().CopyFrom(node)
            _forget_classes(definition.node[-1], names)
        functions = {**self.graph.functions, **self.unvaried.made}
        gradients = {e.function_name: e.gradient_func for e in self.graph.message.library.gradient}
        for name in _called(nodes, functions, gradients, custom_gradients):
            definition.library.function.add().CopyFrom(functions[name])
            if name in gradients:
                definition.library.gradient.add(function_name=name, gradient_func=gradients[name])
        there = {function.signature.name for function in definition.library.function}
        for op_type, name in custom_gradients.items():
            if name in there:
                definition.library.registered_gradients.add(registered_op_type=op_type, gradient_func=name)
        held = {name: content for name, content in self.payloads.items() if name in names}
        frozen = Graph(definition, held)
        frozen.validate()
        frozen.signature = self.graph.signature
        if self.graph.meta is not None:
            frozen.meta = _around(self.graph, names)
        return frozen


def _filling(table: Operation, entries: Sequence[Any]) -> list[graph_pb2.NodeDef]:
    """A node that fills a table, behind the constants that it fills it with."""
    kinds = table["key_dtype"], table["value_dtype"]
    parts = [
        (f"{table.name}/{what}", array, kind)
        for what, array, kind in zip(("keys", "values"), entries, kinds, strict=True)
    ]
    nodes = [constant_of(name, arrays.to_proto(array, kind)) for name, array, kind in parts]
    how = "Insert" if "Dense" in table.type else "Import"
    version = "V2" if table.outputs[0].dtype is dtypes.resource else ""
    fill = graph_pb2.NodeDef(name=f"{table.name}/fill", op=f"LookupTable{how}{version}")
    fill.input.extend([table.name, *(node.name for node in nodes)])
    for name, kind in zip(("Tin", "Tout"), kinds, strict=True):
        fill.attr[name].type = kind.enum
    return [*nodes, fill]


def _entries(path: str, node: graph_pb2.NodeDef, table: Value) -> tuple[graph_pb2.TensorProto, graph_pb2.TensorProto]:
    """The keys and values that a node fills a table with from a file. Raises ModelError where the file does not fit."""
    assert table.table is not None
    attrs = Operation(Graph(), node.name, node.op, "", node)
    columns, kinds = (attrs["key_index"], attrs["value_index"]), table.table
    with open(path, "rb") as file:
        text = file.read()
    try:
        found = vocabulary.entries(
            path,
            text,
            columns,
            (arrays.numpy_dtype(kinds[0]), arrays.numpy_dtype(kinds[1])),
            attrs["vocab_size"],
            attrs["delimiter"],
            attrs["offset"],
        )
    except ValueError as error:
        raise ModelError(f"{node.op} node {node.name!r}: {error}") from None
    keys, values = (arrays.to_proto(array, kind) for array, kind in zip(found, kinds, strict=True))
    return keys, values


def _called(
    nodes: Sequence[graph_pb2.NodeDef],
    functions: Mapping[str, graph_pb2.FunctionDef],
    gradients: Mapping[str, str],
    custom_gradients: Mapping[str, str],
) -> list[str]:
    """The functions that nodes and their gradients need, in the order in which they stand."""
    library = Library(graph_pb2.GraphDef(library=graph_pb2.FunctionDefLibrary(function=functions.values())))
    found: set[str] = set()
    waiting = [list(nodes)]
    while waiting:
        level = waiting.pop()
        asked = [n.attr[_CUSTOM].s.decode() for n in level if _CUSTOM in n.attr]
        named = library.needed_by(level) | {custom_gradients[name] for name in asked if name in custom_gradients}
        named |= {gradients[name] for name in named if gradients.get(name) in functions}
        waiting += [list(functions[name].node_def) for name in named - found]
        found |= named
    return [name for name in functions if name in found]


def _forget_classes(node: graph_pb2.NodeDef, names: set[str]) -> None:
    """Nodes that are gone have no colocation."""
    if "_class" in node.attr:
        classes = node.attr["_class"].list.s
        classes[:] = [c for c in classes if c.decode("utf-8", "replace").removeprefix("loc:@") in names]
        if not classes:
            del node.attr["_class"]


def _around(graph: Graph, names: set[str]) -> saved_model_pb2.MetaGraphDef:
    """What is left of a meta graph: its tags, what it tells of loops and conds, what fills its tables, and the signatures
    whose tensors are still there."""
    meta = saved_model_pb2.MetaGraphDef()
    meta.meta_info_def.CopyFrom(graph.meta.meta_info_def)
    meta.meta_info_def.ClearField("stripped_op_list")
    meta.meta_info_def.ClearField("function_aliases")
    keep_noted(graph.meta, meta, names)
    signatures.name_initialiser(meta, signatures.initialiser(graph) or FILLS_TABLES, names)
    for name, signature in {**graph.meta.signature_def, **graph.new_signatures}.items():
        infos = [*signature.inputs.values(), *signature.outputs.values()]
        if all(tensor.partition(":")[0] in names for info in infos for tensor in signatures.tensors_of(info)):
            meta.signature_def[name].CopyFrom(signature)
    return meta
