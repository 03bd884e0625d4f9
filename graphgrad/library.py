"""The functions of a graph: bodies as graphs, graphs as functions, looked up by name.

A function that was read is never changed; new ones stand behind the old.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from graphgrad import attributes, opdefs
from graphgrad.dtypes import DType
from graphgrad.errors import ModelError
from graphgrad.graph import Graph, Operation, Tensor
from graphgrad.schema import graph_pb2


class Body:
    """A function as a graph of its own: placeholders for its arguments, tensors for its results."""

    def __init__(
        self, name: str, graph: Graph, arguments: list[Tensor], results: list[Tensor], targets: list[Operation]
    ):
        self.name, self.graph, self.arguments, self.results, self.targets = name, graph, arguments, results, targets


class Library(Mapping[str, graph_pb2.FunctionDef]):
    """The functions that a graph, and the bodies inside it, may call."""

    def __init__(self, graph_def: graph_pb2.GraphDef):
        message = graph_def.library
        self.versions = graph_def.versions
        self._functions = {function.signature.name: function for function in message.function}
        self._gradients = {entry.function_name: entry.gradient_func for entry in message.gradient}
        self._bodies: dict[str, Body] = {}
        self._acyclic: set[str] = set()
        self.added: list[graph_pb2.FunctionDef] = []

    def __getitem__(self, name: str) -> graph_pb2.FunctionDef:
        return self._functions[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._functions)

    def __len__(self) -> int:
        return len(self._functions)

    def gradient_of(self, name: str) -> str | None:
        """The function that the library names as the gradient of another."""
        return self._gradients.get(name)

    def body(self, name: str, caller: Operation | None = None) -> Body:
        """The function of that name as a graph, the same one every time. Raises ModelError where there is none."""
        found = self._bodies.get(name)
        if found is None:
            definition = self._functions.get(name)
            if definition is None:
                by = f"{caller.type} node {caller.name!r} calls" if caller is not None else "there is a call of"
                raise ModelError(f"{by} function {name!r}, which is not in the library")
            found = self._bodies[name] = self._read(definition)
        return found

    def copy(self, name: str, caller: Operation | None = None) -> Body:
        """The function as a graph that may be added to."""
        self.body(name, caller)
        self.refuse_recursion([name], caller)
        return self._read(self._functions[name])

    def _read(self, definition: graph_pb2.FunctionDef) -> Body:
        return _Reader(definition, self).body()

    def unique(self, name: str) -> str:
        """`name`, or with the first free number behind it."""
        number, found = 1, name
        while found in self._functions:
            found, number = f"{name}_{number}", number + 1
        return found

    def add(
        self,
        name: str,
        graph: Graph,
        arguments: Sequence[Tensor],
        results: Sequence[Tensor],
        like: Body | None = None,
        keep: Iterable[Operation] = (),
    ) -> Body:
        """A graph as a new function of the library, with what its results and `keep` need.

        `like` is what it was made from: its control results and attributes are kept.
        """
        name = self.unique(name)
        targets = like.targets if like is not None else []
        definition = _Writer(graph, arguments, results, targets, keep).definition(name)
        if like is not None and like.name in self._functions:
            for key, value in self._functions[like.name].attr.items():
                definition.attr[key].CopyFrom(value)
            if "_input_shapes" in definition.attr:  # one for each argument, or TensorFlow refuses the function
                shapes = definition.attr["_input_shapes"].list.shape
                for argument in arguments[len(shapes) :]:
                    attributes.encode_shape(argument.shape, shapes.add())
        self._functions[name] = definition
        self.added.append(definition)
        made = self._bodies[name] = self._read(definition)
        return made

    def refuse_recursion(self, names: Iterable[str], caller: Operation | None) -> None:
        """Raises ModelError where one of these functions calls itself, be it through others."""
        cycle = self._cycle_through(names)
        if cycle is not None:
            by = "" if caller is None else f"{caller.type} node {caller.name!r} calls "
            raise ModelError(f"{by}a function that calls itself: {' -> '.join(cycle)}")

    def _cycle_through(self, roots: Iterable[str]) -> list[str] | None:
        done = self._acyclic
        for root in roots:
            path: list[str] = []
            stack: list[tuple[str, bool]] = [(root, False)]
            while stack:
                name, is_left = stack.pop()
                if is_left:
                    path.pop()
                    done.add(name)
                elif name in path:
                    return [*path[path.index(name) :], name]
                elif name not in done and name in self._functions:
                    path.append(name)
                    stack.append((name, True))
                    stack += [(called, False) for called in self.called_by(self._functions[name].node_def)]
        return None

    def called_by(self, nodes: Iterable[graph_pb2.NodeDef]) -> list[str]:
        """The functions that nodes call, by their type or by an attribute."""
        called: dict[str, None] = {}
        for node in nodes:
            if node.op in self._functions:
                called[node.op] = None
            for value in node.attr.values():
                if value.WhichOneof("value") == "func":
                    called[value.func.name] = None
                called.update((f.name, None) for f in value.list.func)
        return list(called)


class _Reader:
    """A FunctionDef as a graph: arguments become placeholders, `node:output:i` becomes `node:k`."""

    def __init__(self, definition: graph_pb2.FunctionDef, library: Library):
        self.definition, self.library = definition, library
        self.nodes = {node.name: node for node in definition.node_def}
        self.arguments = [arg.name for arg in definition.signature.input_arg]
        self.empty = Graph()  # that operations stand in whose outputs are counted before the body can be read

    def body(self) -> Body:
        definition, name = self.definition, self.definition.signature.name
        message = graph_pb2.GraphDef(versions=self.library.versions)
        for i, arg in enumerate(definition.signature.input_arg):
            if not arg.type:
                raise ModelError(f"function {name!r} takes {arg.name!r} of a dtype that its caller decides")
            node = message.node.add(name=arg.name, op="Placeholder")
            node.attr["dtype"].type = arg.type
            shapes = definition.arg_attr[i].attr["_output_shapes"].list.shape if i in definition.arg_attr else ()
            if shapes:
                node.attr["shape"].shape.CopyFrom(shapes[0])
            else:
                node.attr["shape"].shape.unknown_rank = True
        for node in definition.node_def:
            copy = message.node.add()
            copy.CopyFrom(node)
            del copy.input[:]
        try:
            for node, copy in zip(definition.node_def, message.node[len(self.arguments) :], strict=True):
                copy.input.extend(map(self._flat, node.input))
            graph = Graph(message)
            graph.functions = self.library
            arguments = [graph.operation(a).outputs[0] for a in self.arguments]
            results = [graph.tensor(self._flat(definition.ret[r.name])) for r in definition.signature.output_arg]
            targets = [graph.operation(target) for target in definition.control_ret.values()]
            graph.validate()
        except (ModelError, KeyError, ValueError) as error:
            raise ModelError(f"function {name!r}: {error}") from None
        return Body(name, graph, arguments, results, targets)

    def _flat(self, reference: str) -> str:
        if reference[:1] == "^":
            return reference
        name, _, rest = reference.partition(":")
        if not rest or name not in self.nodes:
            return name
        output, _, index = rest.partition(":")
        start = 0
        for arg in output_args(self.nodes[name].op, self.library):
            if arg.name == output:
                return f"{name}:{start + int(index or 0)}"
            start += len(arg.dtypes(Operation(self.empty, name, self.nodes[name].op, "", self.nodes[name])))
        return f"{name}:{index or 0}"


def output_args(op_type: str, library: Mapping[str, graph_pb2.FunctionDef]) -> list[opdefs.Arg]:
    """The output arguments of an op, or of a function that is called by its name."""
    signature = opdefs.signature(op_type)
    if signature is not None:
        return signature.outputs
    function = library.get(op_type)
    return [opdefs.Arg(a) for a in function.signature.output_arg] if function is not None else []


class _Writer:
    """A graph as a FunctionDef: what its results need, placeholders of the arguments as arguments."""

    def __init__(
        self,
        graph: Graph,
        arguments: Sequence[Tensor],
        results: Sequence[Tensor],
        targets: list[Operation],
        keep: Iterable[Operation] = (),
    ):
        self.graph, self.results, self.targets, self.keep = graph, results, targets, list(keep)
        taken = {op.name for op in graph}
        self.names: dict[Tensor, str] = {}
        for tensor in arguments:
            name = re.sub(r"[^a-z0-9_]", "_", tensor.op.name.lower()).lstrip("_0123456789") or "arg"
            self.names[tensor] = _free(name, taken, own=tensor.op.name)

    def definition(self, name: str) -> graph_pb2.FunctionDef:
        definition = graph_pb2.FunctionDef()
        definition.signature.name = name
        for i, (tensor, argument) in enumerate(self.names.items()):
            definition.signature.input_arg.add(name=argument, type=_enum(tensor.dtype))
            if tensor.shape is not None:
                shapes = definition.arg_attr[i].attr["_output_shapes"].list.shape
                attributes.encode_shape(tensor.shape, shapes.add())
        needed = self._needed()
        for op in self.graph:
            if op in needed and op.type != "Placeholder":
                node = definition.node_def.add()
                node.CopyFrom(op.node_def())
                del node.input[:]
                node.input.extend(map(self._reference, op.inputs))
                node.input.extend(f"^{c.name}" for c in op.control_inputs if c.type != "Placeholder")
        taken = {op.name for op in self.graph} | set(self.names.values())
        for i, result in enumerate(self.results):
            argument = _free(f"result_{i}", taken)
            definition.signature.output_arg.add(name=argument, type=_enum(result.dtype))
            definition.ret[argument] = self._reference(result)
        for target in self.targets:
            definition.control_ret[target.name] = target.name
            definition.signature.control_output.append(target.name)
        definition.signature.is_stateful = any(is_stateful(op) for op in needed)
        return definition

    def _needed(self) -> set[Operation]:
        needed: set[Operation] = set()
        queue = [t.op for t in self.results] + list(self.targets) + self.keep
        while queue:
            op = queue.pop()
            if op not in needed:
                needed.add(op)
                queue += [t.op for t in op.inputs] + op.control_inputs
        return needed

    def _reference(self, tensor: Tensor) -> str:
        name = self.names.get(tensor)
        if name is not None:
            return name
        start = 0
        for arg in output_args(tensor.op.type, self.graph.functions):
            count = len(arg.dtypes(tensor.op))
            if tensor.index < start + count:
                return f"{tensor.op.name}:{arg.name}:{tensor.index - start}"
            start += count
        return f"{tensor.op.name}:output:{tensor.index}"


def _free(name: str, taken: set[str], own: str = "") -> str:
    number, found = 0, name
    while found in taken and found != own:
        number += 1
        found = f"{name}_{number}"
    taken.add(found)
    return found


def _enum(dtype: DType | None) -> Any:
    if dtype is None:
        raise ModelError("a function's argument or result is of an unknown dtype")
    return dtype.enum


def is_stateful(op: Operation) -> bool:
    """Whether running the operation may leave something behind, or give something else each time."""
    signature = op.signature
    if signature is not None:
        return signature.is_stateful
    function = op.graph.functions.get(op.type)
    return function is not None and function.signature.is_stateful
