"""What becomes of nodes whose variables are constants now: a read of one is an identity, a call takes its value. A table that
a file fills is filled from constants.

It is done in messages, to the nodes of the graph and to those of each function that variables or files are handed to, so that
all else stays as it was. What changes a variable cannot become anything, and is told.
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from graphgrad import dtypes, opdefs
from graphgrad.attributes import encode
from graphgrad.definitions import output_args
from graphgrad.graph import Graph, Operation
from graphgrad.library import Library
from graphgrad.schema import graph_pb2

Key = tuple[str, tuple[Any, ...]]  # a function, and of arguments that were variables, files or tables what they are
Entries = Callable[[str, graph_pb2.NodeDef, "Value"], tuple[graph_pb2.TensorProto, graph_pb2.TensorProto]]

CALLS = {  # op -> how many inputs stand before the arguments of its functions
    "PartitionedCall": 0,
    "StatefulPartitionedCall": 0,
    "While": 0,
    "StatelessWhile": 0,
    "If": 1,
    "StatelessIf": 1,
    "Case": 1,
    "StatelessCase": 1,
}
_LOOPS = ("While", "StatelessWhile")
_PASSING = ("Identity", "IdentityN", "Enter", "Exit", "NextIteration", "Merge", "Switch")
_OF_REFERENCES = {f"Ref{op}": op for op in _PASSING}
_TABLES = ("HashTable", "HashTableV2", "AnonymousHashTable")
_FROM_FILES = {f"InitializeTableFromTextFile{v}": f"InitializeTable{v}" for v in ("", "V2")}
_NOWHERE = Graph()  # where nodes stand while their signatures are asked


@dataclasses.dataclass(frozen=True)
class Value:
    """What a tensor that meant a variable holds now. A handle's readers change, those of a reference read it anyway.

    It may mean a file of the model's by its path, or a table, which stays one.
    """

    variable: str
    dtype: dtypes.DType
    shape: graph_pb2.TensorShapeProto
    is_handle: bool
    file: str = ""
    table: tuple[dtypes.DType, dtypes.DType] | None = None  # dtypes of its keys and values


class Level:
    """The nodes of the graph, or of a function, with names of tensors as they are written there."""

    def __init__(self, nodes: Iterable[graph_pb2.NodeDef], library: Library, function: str = ""):
        self.nodes, self.library, self.function = list(nodes), library, function
        self.place = Graph()  # where nodes stand while their outputs are counted
        self.place.functions = library
        self.readers: dict[str, list[tuple[graph_pb2.NodeDef, int]]] = defaultdict(list)
        for node in self.nodes:
            for i, text in enumerate(data_inputs(node)):
                self.readers[self.key(text)].append((node, i))

    def key(self, text: str) -> str:
        """One spelling for all that mean the same tensor."""
        if not self.function:
            return text if ":" in text else f"{text}:0"
        return f"{text}:0" if text.count(":") == 1 else text

    def reference(self, name: str) -> str:
        """The only output of a node whose op calls it 'output'."""
        return f"{name}:output:0" if self.function else name

    def output(self, node: graph_pb2.NodeDef, index: int) -> str:
        """The tensor that is an output of a node."""
        if not self.function:
            return f"{node.name}:{index}"
        attrs = Operation(self.place, node.name, node.op, "", node)
        for arg in output_args(node.op, self.library):
            count = len(arg.dtypes(attrs))
            if index < count:
                return f"{node.name}:{arg.name}:{index}"
            index -= count
        return f"{node.name}:output:{index}"


def data_inputs(node: graph_pb2.NodeDef) -> list[str]:
    """The inputs of a node without those it only waits for."""
    return [text for text in node.input if text[:1] != "^"]


class Unvaried:
    """Functions whose arguments were variables, made anew with values in their place."""

    def __init__(self, library: Library, entries: Entries):
        """`entries` gives the keys and values that a node fills a table with from a file."""
        self.library, self.entries = library, entries
        self.made: dict[str, graph_pb2.FunctionDef] = {}
        self._known: dict[Key, tuple[str, str | None]] = {}
        self._results: dict[tuple[str, int], list[int]] = {}

    def spread(self, level: Level, values: dict[str, Value]) -> None:
        """Finds the tensors that mean the same variables, files and tables, handed on from node to node."""
        values |= _tables(level)
        queue = list(values)
        while queue:
            value = values[queue[-1]]
            for node, i in level.readers[queue.pop()]:
                is_path = bool(value.file) and node.op == "ReadVariableOp"
                for index in [0] if is_path else self._handed_on(node, i, value.is_handle):
                    key = level.output(node, index)
                    if key not in values:
                        values[key] = value
                        queue.append(key)

    def _handed_on(self, node: graph_pb2.NodeDef, i: int, is_handle: bool) -> list[int]:
        op = node.op if is_handle else _OF_REFERENCES.get(node.op, "")
        if op in ("IdentityN", *_LOOPS):
            return [i]
        if op == "Switch":
            return [0, 1] if i == 0 else []
        if op in _PASSING:
            return [0]
        before = CALLS.get(op, 0)
        return [j for name in called(node, self.library) if is_handle for j in self._results_of(name, i - before)]

    def _results_of(self, name: str, argument: int) -> list[int]:
        """The results of a function that are an argument of it."""
        found = self._results.get((name, argument))
        if found is None:
            found = self._results[name, argument] = []  # for one that calls itself
            function = self.library.definition(name)
            level = Level(function.node_def, self.library, name)
            arg = function.signature.input_arg[argument]
            values = {arg.name: Value("", dtypes.resource, graph_pb2.TensorShapeProto(), True)}
            self.spread(level, values)
            results = [level.key(function.ret[result.name]) for result in function.signature.output_arg]
            found += [j for j, key in enumerate(results) if key in values]
        return found

    def changed(
        self, level: Level, values: dict[str, Value]
    ) -> tuple[list[graph_pb2.NodeDef], dict[str, str], dict[str, str]]:
        """The nodes of a level, those that cannot be (with what is the matter), and new names of tensors."""
        nodes: list[graph_pb2.NodeDef] = []
        impossible: dict[str, str] = {}
        renamed: dict[str, str] = {}
        for node in level.nodes:
            given = [values.get(level.key(text)) for text in data_inputs(node)]
            concerned = {
                i: value
                for i, value in enumerate(given)
                if value is not None and (value.is_handle or _takes_reference(node, i))
            }
            if all(value.table for value in concerned.values()):
                nodes.append(node)
                continue
            new = graph_pb2.NodeDef()
            new.CopyFrom(node)
            made, problem = self._change(new, concerned, level)
            if problem is not None:
                impossible[node.name] = problem
            elif level.function and node.op in _READS:
                renamed[level.output(node, 0)] = level.reference(node.name)
            nodes += [new, *made]
        if renamed:
            nodes = [_with_inputs(node, level, renamed) for node in nodes]
        return nodes, impossible, renamed

    def _change(
        self, node: graph_pb2.NodeDef, values: dict[int, Value], level: Level
    ) -> tuple[list[graph_pb2.NodeDef], str | None]:
        """Changes a node; the nodes it needs beside it, or what is the matter."""
        node.ClearField("experimental_type")
        if node.op in _FROM_FILES and 1 in values:
            return self._fill_from(node, values, level)
        if node.op == "AssignVariableOp" and values[0].file:
            return _nothing(node, values[0], level), None  # its value is known
        if node.op in _READS and set(values) == {0}:
            return _READS[node.op](node, values[0], level), None
        plain = _OF_REFERENCES.get(node.op, node.op)
        if plain in _PASSING:
            node.op = plain
            _retype(node, values)
            return [], None
        if node.op in CALLS or node.op in self.library:
            return [], self._call(node, values)
        names = ", ".join(sorted({repr(value.variable) for value in values.values()}))
        return [], f"{node.op} node {node.name!r} needs variable {names} itself"

    def _fill_from(
        self, node: graph_pb2.NodeDef, values: dict[int, Value], level: Level
    ) -> tuple[list[graph_pb2.NodeDef], str | None]:
        """Fills a table from constants that a file was."""
        if 0 not in values or not values[1].file:
            return [], f"{node.op} node {node.name!r} fills a table that is made elsewhere"
        tensors = self.entries(values[1].file, node, values[0])
        made = [constant_of(f"{node.name}/{what}", t) for what, t in zip(("keys", "values"), tensors, strict=True)]
        kinds = {name: _type(dtype) for name, dtype in zip(("Tkey", "Tval"), values[0].table or (), strict=True)}
        inputs = [data_inputs(node)[0], *(level.reference(constant.name) for constant in made)]
        _becomes(node, _FROM_FILES[node.op], inputs, **kinds)
        return made, None

    def _call(self, node: graph_pb2.NodeDef, values: dict[int, Value]) -> str | None:
        before = CALLS.get(node.op, 0)
        arguments = {i - before: value for i, value in values.items()}
        results = {j: v for i, v in values.items() for j in self._handed_on(node, i, True)}
        if node.op in self.library:
            node.op, problem = self.function(called(node, self.library)[0], arguments)
            return problem
        for function, name in zip(_function_attrs(node), called(node, self.library), strict=True):
            function.name, problem = self.function(name, arguments)
            if problem is not None:
                return problem
            if self.library.base(name) != name:
                function.attr.clear()
        node.attr.pop("_read_only_resource_inputs", None)
        types = {"T": values} if node.op in _LOOPS else {"Tin": arguments, "Tout": results}
        for attr, changed in types.items():
            for i, value in _no_tables(changed).items():
                node.attr[attr].list.type[i] = value.dtype.enum  # type: ignore[call-overload]
        _reshape(node, _no_tables(results))
        return None

    def function(self, name: str, arguments: dict[int, Value]) -> tuple[str, str | None]:
        """The function that takes values where this one took variables, or what is the matter with it."""
        kinds = {i: (v.dtype.enum, v.shape.SerializeToString(), v.file, v.table) for i, v in arguments.items()}
        key = name, tuple((i, *kinds[i]) for i in sorted(kinds))
        found = self._known.get(key)
        if found is None:
            new_name = f"{self.library.base(name)}_frozen"
            while new_name in self.library or new_name in self.made:
                new_name += "_"
            self._known[key] = new_name, None  # for one that calls itself
            function = graph_pb2.FunctionDef()
            function.CopyFrom(self.library.definition(name))
            function.signature.name = new_name
            problem = self._fill(function, name, arguments)
            self.made[new_name] = function
            found = self._known[key] = new_name, problem
        return found

    def _fill(self, function: graph_pb2.FunctionDef, name: str, arguments: dict[int, Value]) -> str | None:
        values: dict[str, Value] = {}
        shapes = function.attr["_input_shapes"].list.shape if "_input_shapes" in function.attr else ()
        values |= {function.signature.input_arg[i].name: value for i, value in arguments.items()}
        for i, value in _no_tables(arguments).items():
            arg = function.signature.input_arg[i]
            arg.type = value.dtype.enum  # type: ignore[assignment]
            arg.ClearField("handle_data")
            arg.ClearField("experimental_full_type")
            attrs = function.arg_attr[i].attr
            attrs["_output_shapes"].CopyFrom(graph_pb2.AttrValue(list={"shape": [value.shape]}))
            if i < len(shapes):
                shapes[i].CopyFrom(value.shape)
        level = Level(function.node_def, self.library, name)
        self.spread(level, values)
        nodes, impossible, renamed = self.changed(level, values)
        del function.node_def[:]
        function.node_def.extend(nodes)
        for result in function.signature.output_arg:
            key = level.key(function.ret[result.name])
            if key in values and not values[key].table:
                result.type = values[key].dtype.enum  # type: ignore[assignment]
                result.ClearField("handle_data")
                result.ClearField("experimental_full_type")
            function.ret[result.name] = renamed.get(key, function.ret[result.name])
        problem = next(iter(impossible.values()), None)
        return None if problem is None else f"function {name!r}: {problem}"


def called(node: graph_pb2.NodeDef, library: Library) -> list[str]:
    """The functions that a node calls, each with the node's inputs."""
    if node.op in library:
        return [library.instance(node.op, node.attr, node)]
    named = _function_attrs(node) if node.op in CALLS else ()
    return [library.instance(function.name, function.attr, node) for function in named]


def _tables(level: Level) -> dict[str, Value]:
    """The tables that nodes of a level make."""
    found = {}
    for node in level.nodes:
        if node.op in _TABLES:
            table = dtypes.by_enum(node.attr["key_dtype"].type), dtypes.by_enum(node.attr["value_dtype"].type)
            is_handle = node.op != "HashTable"
            shape = graph_pb2.TensorShapeProto()
            found[level.output(node, 0)] = Value(node.name, dtypes.resource, shape, is_handle, table=table)
    return found


def _no_tables(values: Mapping[int, Value]) -> dict[int, Value]:
    return {i: value for i, value in values.items() if not value.table}


def _function_attrs(node: graph_pb2.NodeDef) -> Iterator[graph_pb2.NameAttrList]:
    for name in sorted(node.attr):
        attr = node.attr[name]
        if attr.WhichOneof("value") == "func":
            yield attr.func
        yield from attr.list.func


def _takes_reference(node: graph_pb2.NodeDef, i: int) -> bool:
    signature = opdefs.signature(node.op)
    if signature is None:
        return False
    args = signature.input_arg_of(Operation(_NOWHERE, node.name, node.op, "", node))
    return i < len(args) and args[i].is_ref


def _with_inputs(node: graph_pb2.NodeDef, level: Level, renamed: dict[str, str]) -> graph_pb2.NodeDef:
    inputs = [text if text[:1] == "^" else renamed.get(level.key(text), text) for text in node.input]
    if inputs == list(node.input):
        return node
    new = graph_pb2.NodeDef()
    new.CopyFrom(node)
    new.input[:] = inputs
    return new


def _retype(node: graph_pb2.NodeDef, values: dict[int, Value]) -> None:
    for i, value in values.items():
        if node.op == "IdentityN":
            node.attr["T"].list.type[i] = value.dtype.enum  # type: ignore[call-overload]
        else:
            node.attr["T"].type = value.dtype.enum  # type: ignore[assignment]
    if node.op == "IdentityN":
        _reshape(node, values)
    else:
        node.attr.pop("_output_shapes", None)


def _reshape(node: graph_pb2.NodeDef, outputs: dict[int, Value]) -> None:
    """Gives outputs that were handles the shapes of what they hold now, where shapes are noted."""
    for attr in ("_output_shapes", "output_shapes"):
        shapes = node.attr[attr].list.shape if attr in node.attr else ()
        for i, value in outputs.items():
            if i < len(shapes):
                shapes[i].CopyFrom(value.shape)


# --- reads -----------------------------------------------------------------------------------------------------------


def _becomes(node: graph_pb2.NodeDef, op: str, inputs: Sequence[str], **attrs: graph_pb2.AttrValue) -> None:
    """Makes another node of this one, of the same name, device and control inputs."""
    controls = [text for text in node.input if text[:1] == "^"]
    kept = {name: node.attr[name] for name in ("_class", "_output_shapes") if name in node.attr}
    copies = {
        name: graph_pb2.AttrValue.FromString(attr.SerializeToString()) for name, attr in {**kept, **attrs}.items()
    }
    node.op = op
    node.input[:] = [*inputs, *controls]
    node.attr.clear()
    for name, attr in copies.items():
        node.attr[name].CopyFrom(attr)


def _type(dtype: dtypes.DType) -> graph_pb2.AttrValue:
    return encode("type", dtype)


def _constant(name: str, dtype: dtypes.DType, **value: object) -> graph_pb2.NodeDef:
    tensor = graph_pb2.TensorProto(dtype=dtype.enum, **value)  # type: ignore[arg-type]
    tensor.tensor_shape.SetInParent()
    return constant_of(name, tensor)


def constant_of(name: str, tensor: graph_pb2.TensorProto) -> graph_pb2.NodeDef:
    """A node that is a constant."""
    node = graph_pb2.NodeDef(name=name, op="Const")
    node.attr["dtype"].type = tensor.dtype
    node.attr["value"].tensor.CopyFrom(tensor)
    return node


def _read(node: graph_pb2.NodeDef, value: Value, level: Level) -> list[graph_pb2.NodeDef]:
    _becomes(node, "Identity", data_inputs(node), T=_type(value.dtype))
    return []


def _gather(node: graph_pb2.NodeDef, value: Value, level: Level) -> list[graph_pb2.NodeDef]:
    batch_dims, indices = node.attr["batch_dims"].i, node.attr["Tindices"]
    axis = _constant(f"{node.name}/axis", dtypes.int32, int_val=[batch_dims])
    attrs = {"Tparams": _type(value.dtype), "Tindices": indices, "Taxis": _type(dtypes.int32)}
    inputs = [*data_inputs(node), level.reference(axis.name)]
    _becomes(node, "GatherV2", inputs, **attrs, batch_dims=encode("int", batch_dims))
    return [axis]


def _gather_nd(node: graph_pb2.NodeDef, value: Value, level: Level) -> list[graph_pb2.NodeDef]:
    _becomes(node, "GatherNd", data_inputs(node), Tparams=_type(value.dtype), Tindices=node.attr["Tindices"])
    return []


def _shape(node: graph_pb2.NodeDef, value: Value, level: Level) -> list[graph_pb2.NodeDef]:
    out_type = node.attr["out_type"] if "out_type" in node.attr else _type(dtypes.int32)
    _becomes(node, "Shape", data_inputs(node), T=_type(value.dtype), out_type=out_type)
    return []


def _is_initialized(node: graph_pb2.NodeDef, value: Value, level: Level) -> list[graph_pb2.NodeDef]:
    constant = _constant(node.name, dtypes.bool_, bool_val=[True])
    _becomes(node, "Const", [], **dict(constant.attr))
    return []


def _nothing(node: graph_pb2.NodeDef, value: Value, level: Level) -> list[graph_pb2.NodeDef]:
    _becomes(node, "NoOp", [])
    return []


_READS: dict[str, Callable[[graph_pb2.NodeDef, Value, Level], list[graph_pb2.NodeDef]]] = {
    "ReadVariableOp": _read,
    "ResourceGather": _gather,
    "ResourceGatherNd": _gather_nd,
    "VariableShape": _shape,
    "VarIsInitializedOp": _is_initialized,
    "IsVariableInitialized": _is_initialized,
    "DisableCopyOnRead": _nothing,
}
