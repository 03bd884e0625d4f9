"""Functions as messages and as graphs: a FunctionDef is read as a graph, a graph is written as a FunctionDef."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from graphgrad import attributes, opdefs, registry
from graphgrad.attributes import Shape
from graphgrad.dtypes import DType
from graphgrad.errors import ModelError
from graphgrad.graph import Graph, Operation, needed_by
from graphgrad.handles import HELD
from graphgrad.schema import graph_pb2
from graphgrad.tensors import Tensor

if TYPE_CHECKING:
    from graphgrad.library import Library

# Annotations of functions that were made here: of arguments and nodes that a function cannot call as its graph did.
ORIGINAL_NAME = "_original_name"


class Body:
    """A function as a graph of its own: placeholders for its arguments, tensors for its results."""

    def __init__(
        self, name: str, graph: Graph, arguments: list[Tensor], results: list[Tensor], targets: list[Operation]
    ):
        self.name, self.graph, self.arguments, self.results, self.targets = name, graph, arguments, results, targets
        self.base = graph.functions.base(name)  # its name without the attributes that are bound of it
        self.shapes_of_results: dict[Any, list[Shape]] = {}  # by what is known of what it is called with


class Reader:
    """A FunctionDef as a graph: arguments become placeholders, `node:output:i` becomes `node:k`."""

    def __init__(self, definition: graph_pb2.FunctionDef, library: Library):
        self.definition, self.library = definition, library
        self.nodes = {node.name: node for node in definition.node_def}
        self.arguments = [arg.name for arg in definition.signature.input_arg]
        self.names = {}  # what arguments and nodes are called in the graph
        for i, argument in enumerate(self.arguments):
            self.names[argument] = _original_name(argument, definition.arg_attr.get(i))
        for node in definition.node_def:
            self.names[node.name] = _original_name(node.name, node)
        self.empty = Graph()  # that operations stand in whose outputs are counted before the body can be read
        self.empty.functions = library

    def body(self) -> Body:
        """Raises ModelError where the function cannot be one."""
        definition, name = self.definition, self.definition.signature.name
        for arg in definition.signature.input_arg:
            if not arg.type:
                raise ModelError(f"function {name!r} takes {arg.name!r} of a dtype that its caller decides")
        try:
            graph = Graph(self._message())
            graph.functions = self.library
            body = self._body(graph)
            graph.validate()
        except (ModelError, KeyError, ValueError) as error:
            raise ModelError(f"function {name!r}: {error}") from None
        return body

    def template(self) -> Body:
        """The function as it stands, with attributes of its own that nothing binds, to be looked at."""
        self.empty.is_template = True
        graph = Graph(self._message())
        graph.functions, graph.is_template = self.library, True
        return self._body(graph)

    def _message(self) -> graph_pb2.GraphDef:
        definition = self.definition
        message = graph_pb2.GraphDef(versions=self.library.versions)
        for i, arg in enumerate(definition.signature.input_arg):
            node = message.node.add(name=self.names[arg.name], op="Placeholder")
            if arg.type_attr:
                node.attr["dtype"].placeholder = arg.type_attr
            else:
                node.attr["dtype"].type = arg.type
            node.attr["shape"].shape.unknown_rank = True
            for attr in ("_output_shapes", HELD):
                if i in definition.arg_attr and attr in definition.arg_attr[i].attr:
                    node.attr[attr].CopyFrom(definition.arg_attr[i].attr[attr])
        for node in definition.node_def:
            copy = message.node.add()
            copy.CopyFrom(node)
            copy.name = self.names[node.name]
            copy.attr.pop(ORIGINAL_NAME, None)
            _rename_classes(copy, self.names)
            del copy.input[:]
            copy.input.extend(flat for text in node.input for flat in self._flat(text))
        return message

    def _body(self, graph: Graph) -> Body:
        definition = self.definition
        arguments = [graph.operation(self.names[a]).output(0) for a in self.arguments]
        for result in definition.signature.output_arg:
            if result.name not in definition.ret:
                raise ModelError(f"nothing is said to give its result {result.name!r}")
        references = [self._flat(definition.ret[r.name])[0] for r in definition.signature.output_arg]
        results = [graph.tensor(reference) for reference in references]
        targets = [graph.operation(self.names.get(t, t)) for t in definition.control_ret.values()]
        return Body(definition.signature.name, graph, arguments, results, targets)

    def _flat(self, reference: str) -> list[str]:
        """What a reference is called in the graph; several tensors where it names all of an output."""
        if reference[:1] == "^":
            return ["^" + self.names.get(reference[1:], reference[1:])]
        given, _, rest = reference.partition(":")
        name = self.names.get(given, given)
        if not rest or given not in self.nodes:
            return [f"{name}:{rest}" if rest.isdigit() else name]
        output, _, index = rest.partition(":")
        start, node = 0, self.nodes[given]
        for arg in output_args(node.op, self.library):
            is_all = arg.is_list and not index
            if arg.name == output and not is_all:
                return [f"{name}:{start + int(index or 0)}"]
            count = self._count(arg, node)
            if arg.name == output:
                return [f"{name}:{start + i}" for i in range(count)]
            start += count
        return [f"{name}:{index or 0}"]

    def _count(self, arg: opdefs.Arg, node: graph_pb2.NodeDef) -> int:
        """How many tensors an output of a node is; one where that hangs on an attribute that nothing binds."""
        try:
            return len(arg.dtypes(Operation(self.empty, node.name, node.op, "", node)))
        except ModelError:
            if self.empty.is_template:
                return 1
            raise


def _original_name(name: str, holder: Any) -> str:
    """What an argument or node was called in the graph that its function was made of."""
    if holder is None or ORIGINAL_NAME not in holder.attr:
        return name
    return holder.attr[ORIGINAL_NAME].s.decode()  # type: ignore[no-any-return]


def _rename_classes(node: graph_pb2.NodeDef, names: Mapping[str, str]) -> None:
    """Colocation tells other nodes by their names."""
    if "_class" in node.attr:
        classes = node.attr["_class"].list.s
        told = [c.decode().removeprefix("loc:@") for c in classes]
        classes[:] = [
            f"loc:@{names.get(t, t)}".encode() if c.startswith(b"loc:@") else c
            for c, t in zip(classes, told, strict=True)
        ]


def output_args(op_type: str, library: Mapping[str, graph_pb2.FunctionDef]) -> list[opdefs.Arg]:
    """The output arguments of an op, or of a function that is called by its name."""
    signature = opdefs.signature(op_type)
    if signature is not None:
        return signature.outputs
    function = library.get(op_type)
    return [opdefs.Arg(a) for a in function.signature.output_arg] if function is not None else []


def argument_name(name: str) -> str:
    """A name as arguments may have it: small letters, digits and underscores, a letter first."""
    return re.sub(r"[^a-z0-9]", "_", name.lower()).lstrip("_0123456789") or "unknown"


class _Names:
    """The names of a function's arguments, results and nodes, all different, as TensorFlow makes them when it turns a
    graph into a function: first come the arguments, then the results, then the nodes.
    """

    def __init__(self) -> None:
        self._next: dict[str, int] = {}

    def argument(self, name: str) -> str:
        """A name for an argument or result."""
        return self.unique(argument_name(name))

    def unique(self, name: str) -> str:
        """`name`, or with the first free number behind it, counting from 0."""
        if name not in self._next:
            self._next[name] = 0
            return name
        while True:
            found = f"{name}_{self._next[name]}"
            self._next[name] += 1
            if found not in self._next:
                self._next[found] = 0
                return found


class Writer:
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
        names = _Names()
        self.arguments = {tensor: names.argument(tensor.op.name) for tensor in arguments}
        self.result_names = [names.argument(tensor.op.name) for tensor in results]
        needed = self._needed()
        given = {tensor.op for tensor in arguments}
        self.nodes = [op for op in graph if op in needed and op.type != "Placeholder" and op not in given]
        self.names = {op: names.unique(op.name) for op in self.nodes}
        self.by_name = {op.name: name for op, name in self.names.items()}

    def definition(self, name: str, keeps_names: bool) -> graph_pb2.FunctionDef:
        """The function. `keeps_names` notes what arguments and nodes were called in the graph, for a reader."""
        definition = graph_pb2.FunctionDef()
        definition.signature.name = name
        for i, (tensor, argument) in enumerate(self.arguments.items()):
            definition.signature.input_arg.add(name=argument, type=_enum(tensor.dtype))
            attrs = definition.arg_attr[i].attr
            if keeps_names and argument != tensor.op.name:
                attrs[ORIGINAL_NAME].s = tensor.op.name.encode()
            attributes.encode_shape(tensor.shape, attrs["_output_shapes"].list.shape.add())
            if held := tensor.op.annotation(HELD):
                attrs[HELD].list.i.extend(held)
        for op in self.nodes:
            node = definition.node_def.add()
            node.CopyFrom(op.node_def())
            self._write(op, node, keeps_names)
        for argument, result in zip(self.result_names, self.results, strict=True):
            definition.signature.output_arg.add(name=argument, type=_enum(result.dtype))
            definition.ret[argument] = self._reference(result)
        for target in self.targets:
            definition.control_ret[target.name] = self.names[target]
            definition.signature.control_output.append(target.name)
        definition.signature.is_stateful = any(map(is_stateful, self.nodes))
        return definition

    def _write(self, op: Operation, node: graph_pb2.NodeDef, keeps_names: bool) -> None:
        if keeps_names:
            _keep_shapes(op, node)
        node.name = self.names[op]
        if keeps_names and node.name != op.name:
            node.attr[ORIGINAL_NAME].s = op.name.encode()
        del node.input[:]
        node.input.extend(map(self._reference, op.inputs))
        node.input.extend(f"^{self.names[c]}" for c in op.control_inputs if c in self.names)
        _rename_classes(node, self.by_name)

    def _needed(self) -> set[Operation]:
        return set(needed_by([*(t.op for t in self.results), *self.targets, *self.keep]))

    def _reference(self, tensor: Tensor) -> str:
        if tensor in self.arguments:
            return self.arguments[tensor]
        name, start = self.names[tensor.op], 0
        for arg in output_args(tensor.op.type, self.graph.functions):
            count = len(arg.dtypes(tensor.op))
            if tensor.index < start + count:
                return f"{name}:{arg.name}:{tensor.index - start}"
            start += count
        return f"{name}:output:{tensor.index}"


def _keep_shapes(op: Operation, node: graph_pb2.NodeDef) -> None:
    """Writes down the shapes of what was built here, where a reader, who does not know the caller, would not find them out
    again.
    """
    rule = registry.shape_rule(op.type) if op.is_built else None
    if rule is None:
        return
    shapes = [t.shape for t in op.outputs]
    with op.graph.without_caller():
        inferred = rule(op)
    if shapes != (inferred if isinstance(inferred, list) else [inferred]):
        node.attr["_output_shapes"].CopyFrom(attributes.encode("list(shape)", shapes))


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
