"""The functions of a graph: bodies as graphs, graphs as functions, looked up by name.

A function that was read is never changed; new ones stand behind the old.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from graphgrad import attributes, instances, opdefs
from graphgrad.definitions import Body, Reader, Writer
from graphgrad.depth import USUAL
from graphgrad.dtypes import DType, by_enum
from graphgrad.errors import ModelError
from graphgrad.graph import Graph, Operation
from graphgrad.instances import Attrs, Instance
from graphgrad.schema import graph_pb2
from graphgrad.tensors import Tensor

# Functions that gradients are made of say so where TensorFlow lets them: it refuses to load other attributes.
_MADE_HERE = ("_original_func_name", b"gradients")

# What runs functions of the library, besides operations whose type is the name of one.
CALLS = frozenset(
    [
        *["Case", "If", "PartitionedCall", "StatefulPartitionedCall", "StatelessCase", "StatelessIf", "StatelessWhile"],
        *["SymbolicGradient", "While"],
    ]
)


class Library(Mapping[str, graph_pb2.FunctionDef]):
    """The functions that a graph, and the bodies inside it, may call."""

    def __init__(self, graph_def: graph_pb2.GraphDef):
        message = graph_def.library
        self.versions = graph_def.versions
        self._functions = {function.signature.name: function for function in message.function}
        self._gradients = {entry.function_name: entry.gradient_func for entry in message.gradient}
        self._registered = {entry.registered_op_type: entry.gradient_func for entry in message.registered_gradients}
        self.objects: Any = None  # the SavedObjectGraph, where the graph came in a SavedModel
        self._instances: dict[str, Instance] = {}  # by what they are called
        self._called_as: dict[tuple[Any, ...], str] = {}
        self.symbolic: dict[str, str] = {}  # instances with the functions that SymbolicGradients of them run
        self._bodies: dict[str, Body] = {}
        self._acyclic: set[str] = set()
        self._depth = 0, 0  # the number of functions when it was last asked for, and what it was
        self.added: list[graph_pb2.FunctionDef] = []

    def __getitem__(self, name: str) -> graph_pb2.FunctionDef:
        found = self._instances.get(name)
        return self._functions[name] if found is None else found.definition

    def __iter__(self) -> Iterator[str]:
        return iter(self._functions)

    def __len__(self) -> int:
        return len(self._functions)

    def instance(self, name: str, given: Attrs, caller: Operation | graph_pb2.NodeDef) -> str:
        """What a function is called once the attributes of its own are bound that a call gives; its name if it has none.

        Raises ModelError where the call does not give what the function needs.
        """
        definition = self._functions.get(name)
        if definition is None or not (definition.signature.attr or any(attr[:1] != "_" for attr in given)):
            return name
        bound = instances.bound(definition, given, _calls(caller))
        key = name, *((attr, bound[attr].SerializeToString(deterministic=True)) for attr in sorted(bound))
        found = self._called_as.get(key)
        if found is None:
            found = self._called_as[key] = self.unique(attributes.shown_function(name, bound)) if bound else name
            if bound:
                self._instances[found] = Instance(name, bound, instances.instance(definition, found, bound))
        return found

    def base(self, name: str) -> str:
        """The function that one is an instance of."""
        return self._instances[name].of if name in self._instances else name

    def reference(self, name: str) -> graph_pb2.NameAttrList:
        """What a call names to run a function or an instance of one."""
        found = self._instances.get(name)
        return (
            graph_pb2.NameAttrList(name=name)
            if found is None
            else graph_pb2.NameAttrList(name=found.of, attr=found.bound)
        )

    def default(self, name: str, attr: str) -> graph_pb2.AttrValue | None:
        """The value of a function's own attribute where a call does not give it; None where there is none."""
        declared = self._functions[name].signature.attr if name in self._functions else ()
        return next((a.default_value for a in declared if a.name == attr and a.HasField("default_value")), None)

    def is_made_here(self, name: str) -> bool:
        """Whether gradients were what the function was made for; of such a one more is known than of others."""
        return _is_made_here(self[name].attr)

    def gradient_of(self, name: str) -> str | None:
        """The function that the library names as the gradient of another."""
        return self._gradients.get(self.base(name))

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
        definition = self.get(name)
        if definition is None:
            by = _calls(caller) if caller is not None else "there is a call of"
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

    def shown(self, name: str) -> Body:
        """The function to be looked at: as it stands where it has attributes of its own that nothing binds."""
        definition = self[name]
        return Reader(definition, self).template() if definition.signature.attr else self.body(name)

    def copy(self, name: str, caller: Operation | None = None) -> Body:
        """The function as a graph that may be added to."""
        self.body(name, caller)
        self.refuse_recursion([name], caller)
        return self._read(self[name])

    def _read(self, definition: graph_pb2.FunctionDef) -> Body:
        return Reader(definition, self).body()

    def unique(self, name: str) -> str:
        """`name`, or with the first free number behind it."""
        number, found = 1, name
        while found in self:
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
        like_attrs = self[like.name].attr if like is not None and like.name in self else None
        keeps_names = like_attrs is None or _is_made_here(like_attrs)
        definition = Writer(graph, arguments, results, targets, keep).definition(name, keeps_names)
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
        if any(attr.type.endswith("func") for f in self._functions.values() for attr in f.signature.attr):
            return len(self)  # what these call stands in the calls of them
        depths: dict[str, int] = {}
        for root in self:
            stack = [] if root in depths else [root]
            while stack:
                name = stack[-1]
                called = [c for node in self[name].node_def for c, _ in self._named(node) if c in self]
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
                elif (base := self.base(name)) in path:
                    return [*path[path.index(base) :], base]
                elif name not in done and name in self:
                    path.append(base)
                    stack.append((name, True))
                    stack += [(called, False) for called in self.called_by(self[name].node_def)]
        return None

    def called_by(self, nodes: Iterable[graph_pb2.NodeDef]) -> list[str]:
        """The functions that nodes call, by their type or by an attribute."""
        return list(
            dict.fromkeys(self.instance(name, given, node) for node in nodes for name, given in self._named(node))
        )

    def run_by(self, nodes: Iterable[graph_pb2.NodeDef]) -> list[str]:
        """The functions of the library that nodes run, and those that these run."""
        found: dict[str, None] = {}
        queue = self.called_by(nodes)
        while queue:
            new = [name for name in queue if name in self and name not in found]
            found.update(dict.fromkeys(new))
            queue = [called for name in new for called in self.called_by(self[name].node_def)]
        return list(found)

    def needed_by(self, nodes: Iterable[graph_pb2.NodeDef]) -> set[str]:
        """The functions that must be in a library for nodes to run."""
        found: set[str] = set()
        queue = list(nodes)
        while queue:
            named = list(self._named(queue.pop()))
            while named:
                name, given = named.pop()
                named += [(f.name, f.attr) for value in given.values() for f in attributes.functions_in(value)]
                if name in self._functions and name not in found:
                    found.add(name)
                    queue += self._functions[name].node_def
        return found

    def _named(self, node: graph_pb2.NodeDef) -> Iterator[tuple[str, Attrs]]:
        """The functions that a node calls, with what it gives for attributes of theirs."""
        if node.op in self._functions:
            yield node.op, node.attr
        elif _may_call(node.op):
            for name in sorted(node.attr):
                yield from ((f.name, f.attr) for f in attributes.functions_in(node.attr[name]))


def _calls(caller: Operation | graph_pb2.NodeDef) -> str:
    return f"{caller.type if isinstance(caller, Operation) else caller.op} node {caller.name!r} calls"


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
        return [Called("", op.function(), given, None)]
    attrs = op.signature.attrs
    if "branches" in attrs:
        return [Called(f"branch_{i}", f, given[1:], op["Tout"]) for i, f in enumerate(op.functions("branches"))]
    if "then_branch" in attrs:
        return [Called(role, op.function(role), given[1:], op["Tout"]) for role in ("then_branch", "else_branch")]
    if "cond" in attrs and "body" in attrs:
        carried = [t.dtype for t in given]
        return [Called("cond", op.function("cond"), given, [None]), Called("body", op.function("body"), given, carried)]
    return [] if op.type == "SymbolicGradient" else [Called("", op.function("f"), given, op["Tout"])]
