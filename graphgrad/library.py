"""The functions of a graph: bodies as graphs, graphs as functions, looked up by name.

A function that was read is never changed; new ones stand behind the old.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from graphgrad import attributes, opdefs, registry
from graphgrad.attributes import Shape
from graphgrad.depth import USUAL
from graphgrad.dtypes import DType, by_enum
from graphgrad.errors import ModelError
from graphgrad.graph import Graph, Operation, needed_by
from graphgrad.schema import graph_pb2
from graphgrad.tensors import Tensor

# Annotations of functions that were made here: of arguments and nodes that a function cannot call as its graph did.
ORIGINAL_NAME = "_original_name"
# Functions that gradients are made of say so where TensorFlow lets them: it refuses to load other attributes.
_MADE_HERE = ("_original_func_name", b"gradients")

# What runs functions of the library, besides operations whose type is the name of one.
CALLS = frozenset(
    [
        *["Case", "If", "PartitionedCall", "StatefulPartitionedCall", "StatelessCase", "StatelessIf", "StatelessWhile"],
        *["SymbolicGradient", "While"],
    ]
)


class Body:
    """A function as a graph of its own: placeholders for its arguments, tensors for its results."""

    def __init__(
        self, name: str, graph: Graph, arguments: list[Tensor], results: list[Tensor], targets: list[Operation]
    ):
        self.name, self.graph, self.arguments, self.results, self.targets = name, graph, arguments, results, targets
        self.shapes_of_results: dict[Any, list[Shape]] = {}  # by what is known of what it is called with


class Library(Mapping[str, graph_pb2.FunctionDef]):
    """The functions that a graph, and the bodies inside it, may call."""

    def __init__(self, graph_def: graph_pb2.GraphDef):
        message = graph_def.library
        self.versions = graph_def.versions
        self._functions = {function.signature.name: function for function in message.function}
        self._gradients = {entry.function_name: entry.gradient_func for entry in message.gradient}
        self._registered = {entry.registered_op_type: entry.gradient_func for entry in message.registered_gradients}
        self.objects: Any = None  # the SavedObjectGraph, where the graph came in a SavedModel
        self._bodies: dict[str, Body] = {}
        self._acyclic: set[str] = set()
        self._depth = 0, 0  # the number of functions when it was last asked for, and what it was
        self.added: list[graph_pb2.FunctionDef] = []

    def __getitem__(self, name: str) -> graph_pb2.FunctionDef:
        return self._functions[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._functions)

    def __len__(self) -> int:
        return len(self._functions)

    def is_made_here(self, name: str) -> bool:
        """Whether gradients were what the function was made for; of such a one more is known than of others."""
        return _is_made_here(self._functions[name].attr)

    def gradient_of(self, name: str) -> str | None:
        """The function that the library names as the gradient of another."""
        return self._gradients.get(name)

    def registered_gradient(self, op_type: str) -> str | None:
        """The function that computes a custom gradient which operations ask for by this name."""
        found = self._registered.get(op_type)
        return found if found in self._functions else None

    def body(self, name: str, caller: Operation | None = None) -> Body:
        """The function of that name as a graph, the same one every time. Raises ModelError where there is none."""
        found = self._bodies.get(name)
        if found is None:
            found = self._bodies[name] = self._read(self.definition(name, caller))
        return found

    def definition(self, name: str, caller: Operation | None = None) -> graph_pb2.FunctionDef:
        """The function of that name as its message. Raises ModelError where it is missing."""
        definition = self._functions.get(name)
        if definition is None:
            by = f"{caller.type} node {caller.name!r} calls" if caller is not None else "there is a call of"
            raise ModelError(f"{by} function {name!r}, which is not in the library")
        return definition

    def check_call(self, op: Operation) -> None:
        """Raises ModelError where an operation and a function it calls do not agree on what is handed over and back."""
        for _, name, arguments, results in functions_run_by(op):
            signature = self.definition(name, op).signature
            for what, wanted, args in (
                ("value", [t.dtype for t in arguments], signature.input_arg),
                ("result", results, signature.output_arg),
            ):
                if wanted is None:
                    continue
                does, gives = ("hands", "takes") if what == "value" else ("wants", "gives")
                start = f"{op.type} node {op.name!r} {does}"
                if len(wanted) != len(args):
                    raise ModelError(
                        f"{start} {len(wanted)} {what}{'s'[: len(wanted) != 1]}, and function {name!r} {gives} {len(args)}"
                    )
                for i, (dtype, arg) in enumerate(zip(wanted, args, strict=True)):
                    if dtype is not None and dtype.enum != arg.type:
                        other = by_enum(arg.type)
                        raise ModelError(f"{start} {dtype} as {what} {i}, and function {name!r} {gives} {other}")

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
        like_attrs = self._functions[like.name].attr if like is not None and like.name in self._functions else None
        keeps_names = like_attrs is None or _is_made_here(like_attrs)
        definition = _Writer(graph, arguments, results, targets, keep).definition(name, keeps_names)
        if keeps_names:
            definition.attr[_MADE_HERE[0]].s = _MADE_HERE[1]
        for key, value in (like_attrs or {}).items():
            definition.attr[key].CopyFrom(value)
        if "_input_shapes" in definition.attr:  # one for each argument, or TensorFlow refuses the function
            shapes = definition.attr["_input_shapes"].list.shape
            for argument in arguments[len(shapes) :]:
                attributes.encode_shape(argument.shape, shapes.add())
        self._functions[name] = definition
        self.added.append(definition)
        made = self._bodies[name] = self._read(definition)
        return made

    def depth(self) -> int:
        """How many functions inside functions a call may come to; where there are few functions, their number."""
        if len(self) <= USUAL:
            return len(self)
        if self._depth[0] != len(self):
            self._depth = len(self), self._find_depth()
        return self._depth[1]

    def _find_depth(self) -> int:
        depths: dict[str, int] = {}
        for root in self:
            stack = [] if root in depths else [root]
            while stack:
                name = stack[-1]
                called = [c for c in self.called_by(self[name].node_def) if c in self]
                if name not in depths:
                    depths[name] = 1  # what a function that calls itself finds
                    stack += [c for c in called if c not in depths]
                else:
                    depths[name] = 1 + max((depths[c] for c in called), default=0)
                    stack.pop()
        return max(depths.values())

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
            elif not _may_call(node.op):
                continue
            for value in node.attr.values():
                if value.WhichOneof("value") == "func":
                    called[value.func.name] = None
                called.update((f.name, None) for f in value.list.func)
        return list(called)


def _is_made_here(attrs: Mapping[str, graph_pb2.AttrValue]) -> bool:
    name, value = _MADE_HERE
    return name in attrs and attrs[name].s == value


@functools.cache
def _may_call(op_type: str) -> bool:
    signature = opdefs.signature(op_type)
    return signature is None or any(attr.type in ("func", "list(func)") for attr in signature.attrs.values())


def is_call(op: Operation) -> bool:
    """Whether an operation runs functions of the library."""
    return op.type in CALLS or (op.signature is None and op.type in op.graph.functions)


class Called(NamedTuple):
    """A function that an operation runs: what tells it from the others, its name, what it is handed, and the dtypes of what
    it gives back; None where these are not agreed."""

    role: str
    name: str
    arguments: list[Tensor]
    results: Sequence[DType | None] | None


def functions_run_by(op: Operation) -> list[Called]:
    """The functions that a call runs; none for a SymbolicGradient, whose function is to be made."""
    given = op.inputs
    if op.signature is None:
        return [Called("", op.type, given, None)]
    attrs = op.signature.attrs
    if "branches" in attrs:
        return [Called(f"branch_{i}", f.name, given[1:], op["Tout"]) for i, f in enumerate(op["branches"])]
    if "then_branch" in attrs:
        return [Called(role, op[role].name, given[1:], op["Tout"]) for role in ("then_branch", "else_branch")]
    if "cond" in attrs and "body" in attrs:
        carried = [t.dtype for t in given]
        return [Called("cond", op["cond"].name, given, [None]), Called("body", op["body"].name, given, carried)]
    return [] if op.type == "SymbolicGradient" else [Called("", op["f"].name, given, op["Tout"])]


class _Reader:
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

    def body(self) -> Body:
        definition, name = self.definition, self.definition.signature.name
        message = graph_pb2.GraphDef(versions=self.library.versions)
        for i, arg in enumerate(definition.signature.input_arg):
            if not arg.type:
                raise ModelError(f"function {name!r} takes {arg.name!r} of a dtype that its caller decides")
            node = message.node.add(name=self.names[arg.name], op="Placeholder")
            node.attr["dtype"].type = arg.type
            node.attr["shape"].shape.unknown_rank = True
            if i in definition.arg_attr and "_output_shapes" in definition.arg_attr[i].attr:
                node.attr["_output_shapes"].CopyFrom(definition.arg_attr[i].attr["_output_shapes"])
        for node in definition.node_def:
            copy = message.node.add()
            copy.CopyFrom(node)
            copy.name = self.names[node.name]
            copy.attr.pop(ORIGINAL_NAME, None)
            _rename_classes(copy, self.names)
            del copy.input[:]
        try:
            for node, copy in zip(definition.node_def, message.node[len(self.arguments) :], strict=True):
                copy.input.extend(map(self._flat, node.input))
            graph = Graph(message)
            graph.functions = self.library
            arguments = [graph.operation(self.names[a]).outputs[0] for a in self.arguments]
            results = [graph.tensor(self._flat(definition.ret[r.name])) for r in definition.signature.output_arg]
            targets = [graph.operation(self.names.get(t, t)) for t in definition.control_ret.values()]
            graph.validate()
        except (ModelError, KeyError, ValueError) as error:
            raise ModelError(f"function {name!r}: {error}") from None
        return Body(name, graph, arguments, results, targets)

    def _flat(self, reference: str) -> str:
        if reference[:1] == "^":
            return "^" + self.names.get(reference[1:], reference[1:])
        given, _, rest = reference.partition(":")
        name = self.names.get(given, given)
        if not rest or given not in self.nodes:
            return name
        output, _, index = rest.partition(":")
        start = 0
        for arg in output_args(self.nodes[given].op, self.library):
            if arg.name == output:
                return f"{name}:{start + int(index or 0)}"
            start += len(arg.dtypes(Operation(self.empty, name, self.nodes[given].op, "", self.nodes[given])))
        return f"{name}:{index or 0}"


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
