"""The graph in memory: operations and tensors as thin views over a GraphDef, new operations appended behind.

Invariant: what was read is never changed; everything that is added stands in `Graph.operations` behind it.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from graphgrad import attributes, constants, dtypes, names, opdefs
from graphgrad.attributes import Shape
from graphgrad.dtypes import DType
from graphgrad.errors import (
    ArgumentError,
    MissingAttributeError,
    ModelError,
    UnknownNameError,
    did_you_mean,
)
from graphgrad.schema import graph_pb2
from graphgrad.tensors import Tensor


class Operation:
    """A node. Read from a file it decodes its message as it is asked; built here it holds plain values.

    `inputs`, `control_inputs` and `outputs` of a node that was read are made when somebody asks for them; asking raises
    ModelError where an input does not exist. The outputs of an op type without signature appear as they are consumed.
    """

    __slots__ = ("_attrs", "_node", "control_inputs", "device", "facts", "graph", "inputs", "name", "outputs", "type")

    inputs: list[Tensor]  # the data inputs, in order
    control_inputs: list[Operation]  # what must have run before
    outputs: list[Tensor]

    def __init__(
        self,
        graph: Graph,
        name: str,
        op_type: str,
        device: str,
        node: graph_pb2.NodeDef | None,
        attrs: dict[str, Any] | None = None,
    ):
        self.graph, self.name, self.type, self.device = graph, name, op_type, device
        self._node = node
        self._attrs: dict[str, Any] = {} if attrs is None else attrs
        self.facts: Any = None  # what static inference found, see shapes.inference

    @property
    def signature(self) -> opdefs.Signature | None:
        return opdefs.signature(self.type)

    def __getattr__(self, slot: str) -> Any:
        """Fills a slot that is still empty."""
        if slot == "inputs" or slot == "control_inputs":
            self._resolve_inputs()
            return self.inputs if slot == "inputs" else self.control_inputs
        if slot == "outputs":
            self.outputs = [Tensor(self, i, dtype) for i, dtype in enumerate(self._output_dtypes())]
            return self.outputs
        raise AttributeError(f"an operation has no {slot!r}")

    def output(self, index: int) -> Tensor:
        """Output `index`. Raises ModelError where the op has fewer."""
        outputs = self.outputs
        if index >= len(outputs):
            if not self.graph.is_template and (self.signature is not None or self.type in self.graph.functions):
                plural = "output" if len(outputs) == 1 else "outputs"
                raise ModelError(
                    f"'{self.name}:{index}' does not exist: {self.type} node {self.name!r} has {len(outputs)} {plural}"
                )
            if index >= opdefs.MOST_TENSORS:
                raise ModelError(f"'{self.name}:{index}' does not exist: no op has so many outputs")
            outputs.extend(Tensor(self, i, None) for i in range(len(outputs), index + 1))
        return outputs[index]

    def _output_dtypes(self) -> list[DType]:
        signature = self.signature
        try:
            if signature is not None:
                return signature.output_dtypes(self)
            function = self.graph.functions.get(self.type) and self.graph.functions[self.function()]
        except ModelError:
            if self.graph.is_template:
                return []  # outputs appear as they are consumed
            raise
        return [dtypes.by_enum(arg.type) for arg in function.signature.output_arg] if function else []

    def function(self, attr: str | None = None) -> str:
        """The function that an attribute names, or the op type itself, as the library calls it with the attributes bound
        that this operation gives.
        """
        if attr is not None:
            return self.graph.functions.instance(self[attr].name, self[attr].attr, self)  # type: ignore[no-any-return]
        given = {name: self.attr_message(name) for name in self.attr_names()}
        return self.graph.functions.instance(self.type, given, self)  # type: ignore[no-any-return]

    def functions(self, attr: str) -> list[str]:
        """The same of an attribute that names several functions."""
        return [self.graph.functions.instance(f.name, f.attr, self) for f in self[attr]]

    def _resolve_inputs(self) -> None:
        inputs, controls = [], []
        find = self.graph._by_name.get
        for text in self._node.input:  # type: ignore[union-attr]
            if text[:1] == "^":
                producer, index = find(text[1:]), -1
            elif (producer := find(text)) is not None:
                index = 0
            else:
                name, _, number = text.rpartition(":")
                producer, index = find(name), int(number) if number.isascii() and number.isdigit() else 0
            if producer is None:
                raise ModelError(
                    f"node {self.name!r} ({self.type}) has input {text!r}, and no such node is in the graph"
                    f"{did_you_mean(text.partition(':')[0], self.graph.names_like(text)) if text else ''}"
                )
            if index < 0:
                controls.append(producer)
            elif controls:
                raise ModelError(f"node {self.name!r} ({self.type}) has input {text!r} behind a control input")
            else:
                inputs.append(producer.output(index))
        self.inputs, self.control_inputs = inputs, controls

    def __getitem__(self, attr: str) -> Any:
        """The attribute's value, its default where the file leaves it out.

        Raises MissingAttributeError (a ModelError and a KeyError) for one the op lacks, ModelError for a value of another kind.
        """
        value = self._attrs.get(attr)
        if value is not None or attr in self._attrs:
            return value.message() if value.__class__ is constants.Literal else value
        node, signature = self._node, self.signature
        definition = signature.attrs.get(attr) if signature else None
        if node is not None and attr in node.attr:
            value = self._decoded(node.attr[attr], definition)
        elif definition is not None and definition.default is not opdefs.REQUIRED:
            value = definition.default
        else:
            default = None if signature is not None else self.graph.functions.default(self.type, attr)
            if default is None:
                raise MissingAttributeError(f"node {self.name!r} ({self.type}) lacks attribute {attr!r}")
            value = attributes.decode(default)
        if node is not None:
            self._attrs[attr] = value
        return value

    def _decoded(self, message: graph_pb2.AttrValue, definition: opdefs.Attr | None) -> Any:
        if definition is None:
            return attributes.decode(message)
        if definition.type == "type":
            dtype = dtypes.plain_by_enum(message.type)
            if dtype is not None:
                return dtype
        value, wrong = attributes.decoded(message, definition.type)
        if wrong is None and definition.type == "type" and not message.type:
            wrong = "names no dtype" if definition.default is opdefs.REQUIRED or definition.default else None
        if wrong is not None:
            raise ModelError(f"attribute {definition.name!r} of node {self.name!r} ({self.type}) {wrong}")
        return value

    def get(self, attr: str, default: Any = None) -> Any:
        """The attribute's value, or `default` where neither the node nor the op's signature has one."""
        try:
            return self[attr]
        except MissingAttributeError:
            return default

    def annotation(self, attr: str) -> Any:
        """An attribute of _PRIVATE_ATTRS, which stand outside the op's signature; None where it is absent or of another kind."""
        if attr in self._attrs:
            return self._attrs[attr]
        node = self._node
        if node is None or not self.graph.may_hold(attr) or attr not in node.attr:
            return None
        message = node.attr[attr]
        is_ours = attr in _PRIVATE_ATTRS and attributes.misfit(message, _PRIVATE_ATTRS[attr]) is None
        return attributes.decode(message) if is_ours else None

    def annotate(self, attr: str, value: Any) -> None:
        """Gives an operation that was built an attribute outside its signature."""
        self.own_attrs()[attr] = value

    def own_attrs(self) -> dict[str, Any]:
        """The attributes of a node that was built, to be changed for it alone."""
        if self._attrs.__class__ is attributes.CallAttrs:
            self._attrs = dict(self._attrs)
        return self._attrs

    def attr_names(self) -> list[str]:
        """The names of the attributes the node carries itself, sorted."""
        return sorted(self._node.attr if self._node is not None else self._attrs)

    def attr_message(self, attr: str) -> graph_pb2.AttrValue:
        """An attribute the node carries, as its message."""
        return self._node.attr[attr] if self._node is not None else _encoded(self.type, attr, self[attr])

    def node_def(self) -> graph_pb2.NodeDef:
        """The node as a message: the one that was read, or a new one for a node that was built."""
        if self._node is not None:
            return self._node
        node = graph_pb2.NodeDef()
        self.write(node)
        return node

    def write(self, node: graph_pb2.NodeDef) -> None:
        """Fills an empty message with a node that was built."""
        attrs = self._attrs
        if attrs.__class__ is attributes.CallAttrs:
            prototype = attrs.prototypes.get(self.device)  # type: ignore[attr-defined]
            if prototype is None:
                prototype = attrs.prototypes[self.device] = self._prototype()  # type: ignore[attr-defined]
            node.CopyFrom(prototype)
        else:
            node.CopyFrom(self._prototype())
            if "value" in attrs:
                node.attr["value"].CopyFrom(self.attr_message("value"))
        node.name = self.name
        node.input.extend([t.op.name if t.index == 0 else f"{t.op.name}:{t.index}" for t in self.inputs])
        if self.control_inputs:
            node.input.extend([f"^{op.name}" for op in self.control_inputs])

    def _prototype(self) -> graph_pb2.NodeDef:
        plain = tuple([item for item in self._attrs.items() if item[0] != "value"])
        try:
            return _prototype(self.type, self.device, plain)
        except TypeError:  # functions among the values are messages, which are not hashed
            return _prototype.__wrapped__(self.type, self.device, plain)

    def rewrite(
        self,
        inputs: Sequence[Tensor] = (),
        outputs: Sequence[tuple[DType, Shape]] = (),
        op_type: str | None = None,
        **attrs: Any,
    ) -> None:
        """Adds inputs and outputs behind those there are and sets attributes: all that ever happens to a node."""
        known = self.inputs, self.control_inputs, self.outputs
        if self._node is not None:
            node = graph_pb2.NodeDef()
            node.CopyFrom(self._node)
            node.op = op_type or self.type
            data = [text for text in node.input if text[0] != "^"] + [t.name for t in inputs]
            controls = [text for text in node.input if text[0] == "^"]
            node.ClearField("input")
            node.input.extend(data + controls)
            for name, value in attrs.items():
                node.attr[name].CopyFrom(_encoded(node.op, name, value))
            if "_output_shapes" in node.attr:
                for _, shape in outputs:
                    attributes.encode_shape(shape, node.attr["_output_shapes"].list.shape.add())
            self._node = node
            self.graph.rewritten[self] = None
        self.type = op_type or self.type
        self.own_attrs().update(attrs)
        known[0].extend(inputs)
        known[2].extend(Tensor(self, i, dtype) for i, (dtype, _) in enumerate(outputs, len(known[2])))
        if self.facts is not None:
            self.facts.shapes.extend(shape for _, shape in outputs)

    @property
    def is_built(self) -> bool:
        """Whether the node was added here rather than read."""
        return self._node is None

    def __repr__(self) -> str:
        return f"<Operation {self.name!r} type={self.type}>"


# Attributes outside the ops' signatures that are written here, with their kinds.
_PRIVATE_ATTRS = {
    "_XlaSharding": "string",
    "_class": "list(string)",
    "_gradient_op_type": "string",
    "_gone_names": "list(string)",
    "_held_dtypes": "list(int)",
    "_has_manual_control_dependencies": "bool",
    "_known_shapes": "list(shape)",
    "_lower_using_switch_merge": "bool",
    "_measured_as": "string",
    "_num_original_outputs": "int",
    "_output_shapes": "list(shape)",
}


def _encoded(op_type: str, attr: str, value: Any) -> graph_pb2.AttrValue:
    if isinstance(value, graph_pb2.AttrValue):
        return value  # of a copy, where no signature tells the kind
    signature = opdefs.signature(op_type)
    is_public = signature is not None and attr in signature.attrs
    return attributes.encode(signature.attrs[attr].type if is_public else _PRIVATE_ATTRS[attr], value)  # type: ignore[union-attr]


@functools.lru_cache(maxsize=4096)
def _prototype(op_type: str, device: str, attrs: tuple[tuple[str, Any], ...]) -> graph_pb2.NodeDef:
    node = graph_pb2.NodeDef(op=op_type, device=device)
    for name, value in attrs:
        node.attr[name].CopyFrom(_encoded(op_type, name, value))
    return node


class Graph:
    """A graph that can be looked up, walked and added to."""

    def __init__(self, graph_def: graph_pb2.GraphDef | None = None, payloads: Mapping[str, memoryview] | None = None):
        """`payloads` holds, by node name, the contents of constants that the message was stripped of."""
        self.message = graph_def if graph_def is not None else graph_pb2.GraphDef()
        self.payloads = dict(payloads or {})
        self.source: Any = None  # formats.models.Source of a graph that was read
        self.meta: Any = None  # the MetaGraphDef around it, without its graph, where it came with one
        self.signature: str | None = None  # the one whose names of tensors come before those of nodes
        self.new_signatures: dict[str, Any] = {}  # SignatureDefs that are written beside those of `meta`
        self.new_objects: Any = None  # the SavedObjectGraph that is written in place of that of `meta`
        self.operations: list[Operation] = []
        self._by_name: dict[str, Operation] = {}
        for node in self.message.node:
            self._adopt(Operation(self, node.name, node.op, node.device, node))
        self.read_count = len(self.operations)
        self.learned = 0  # how often a shape became known of that its op's rule did not tell
        self.told: dict[Tensor, Shape] | None = None  # what shapes were learned, in graphs that nodes are moved out of
        self.rewritten: dict[Operation, None] = {}  # nodes that were read and now say something else
        self.loop_shapes: dict[Operation, Shape] = {}  # of loop variables whose shape changes from round to round
        # Of a function's graph, while its results are inferred for one call: what stands for its arguments there.
        self.given: Mapping[Tensor, Tensor] = {}
        self.is_template = False  # a function's graph, with attributes of its own that nothing binds
        self._held: dict[str, bool] = {}

    def _adopt(self, op: Operation) -> None:
        if self._by_name.setdefault(op.name, op) is not op:
            raise ModelError(f"two nodes are named {op.name!r}")
        if not op.name:
            raise ModelError(f"a node of type {op.type!r} has no name")
        self.operations.append(op)

    def append(self, op: Operation) -> None:
        """Adds a node that was built here."""
        self._by_name[op.name] = op
        self.operations.append(op)

    def take_over(self, op: Operation, inputs: list[Tensor], controls: list[Operation]) -> Operation:
        """A copy of an operation that was built in another graph, with inputs of this one."""
        taken = Operation(self, op.name, op.type, op.device, None)
        taken.inputs, taken.control_inputs, taken._attrs = inputs, controls, dict(op._attrs)
        taken.outputs = [Tensor(taken, t.index, t.dtype) for t in op.outputs]
        classes = tuple(c for c in op._attrs.get("_class", ()) if c.removeprefix("loc:@") in self)
        if not classes:
            taken._attrs.pop("_class", None)
        self.append(taken)
        self.inference.settle(taken, [t.shape for t in op.outputs])
        return taken

    def may_hold(self, attr: str) -> bool:
        """Whether any node that was read carries an attribute; told from the bytes, since asking every node takes long."""
        held = self._held.get(attr)
        if held is None:
            if self.source is not None and not self.payloads:
                held = attr.encode() in self.source.data
            else:
                held = any(attr in node.attr for node in self.message.node)
            self._held[attr] = held
        return held

    @functools.cached_property
    def name_authority(self) -> names.NameAuthority:
        return names.NameAuthority(self._by_name)

    @contextlib.contextmanager
    def names_apart(self, authority: names.NameAuthority) -> Iterator[None]:
        """New nodes get their names from another authority, that of a graph which they will be moved to."""
        kept = self._by_name, self.name_authority
        self._by_name, self.name_authority = {}, authority
        try:
            yield
        finally:
            self._by_name, self.name_authority = kept

    def rename(self, op: Operation) -> None:
        """Gives a node that was named apart a name among all."""
        op.name = self.name_authority.unique(op.name)
        self._by_name[op.name] = op

    @functools.cached_property
    def build(self) -> Any:
        """The builder that appends nodes to this graph."""
        from graphgrad.functions import GraphBuilder

        return GraphBuilder(self)

    @functools.cached_property
    def inference(self) -> Any:
        """Static shapes and values of this graph's tensors."""
        from graphgrad.shapes import inference

        return inference

    @functools.cached_property
    def outer(self) -> dict[Tensor, Tensor]:
        """Of a function's graph: what its caller hands over, by the placeholders that stand for it."""
        return {}

    @contextlib.contextmanager
    def without_caller(self) -> Iterator[None]:
        """Inside, nothing is known of what the caller hands over."""
        kept, self.outer = self.outer, {}
        try:
            yield
        finally:
            self.outer = kept

    def depth(self) -> int:
        """No more functions and loops than these stand inside each other."""
        frames = {op["frame_name"] for op in self.operations if op.type in ("Enter", "RefEnter")}
        return len(frames) + self.functions.depth()  # type: ignore[no-any-return]

    @functools.cached_property
    def functions(self) -> Any:
        """The `library.Library`, a mapping from names to FunctionDefs; that of a body is its caller's."""
        from graphgrad.library import Library

        library = Library(self.message)
        library.objects = self.meta.object_graph_def if self.meta is not None else None
        return library

    def __len__(self) -> int:
        return len(self.operations)

    def __iter__(self) -> Iterator[Operation]:
        return iter(self.operations)

    def __contains__(self, name: str) -> bool:
        return name in self._by_name

    def added(self) -> list[Operation]:
        """The operations that were built here, in order."""
        return self.operations[self.read_count :]

    def added_functions(self) -> list[graph_pb2.FunctionDef]:
        """The functions that were added to the library, in order."""
        return list(self.functions.added) if "functions" in self.__dict__ else []

    def operation(self, name: str) -> Operation:
        """The operation of that name. Raises ArgumentError, with what may have been meant."""
        op = self._by_name.get(name)
        if op is None:
            raise UnknownNameError(f"no node {name!r} in the graph{did_you_mean(name, self.names_like(name))}")
        return op

    def names_like(self, name: str) -> list[str]:
        """Names of nodes among which one that is meant may be."""
        # Comparing with every name of a million would take minutes; names of like ending or beginning will do.
        if len(self._by_name) <= 20_000:
            return list(self._by_name)
        leaf, start = name.rpartition("/")[2][:4].lower(), name[:8].lower()
        alike = (n for n in self._by_name if n.lower().startswith(start) or leaf in n.lower())
        return list(itertools.islice(alike, 20_000))

    def tensor(self, name: str) -> Tensor:
        """The tensor 'node' or 'node:k'. Raises ArgumentError where there is none."""
        node, index = names.split_tensor_name(name)
        op = self.operation(node)
        if index >= len(op.outputs) and not self.is_template and (op.signature is not None or not op.outputs):
            outputs = ", ".join(repr(t.name) for t in op.outputs) or "no outputs"
            raise ArgumentError(f"no tensor {name!r}: {op.type} node {node!r} has {outputs}")
        return op.output(index)

    def validate(self) -> None:
        """Checks every edge and attribute of what was read, and that it has no cycles. Raises ModelError."""
        from graphgrad.validation import validate

        validate(self)


def needed_by(roots: Iterable[Operation]) -> list[Operation]:
    """These operations and all that they depend on, by data or control; a walk with a stack of its own."""
    found = dict.fromkeys(roots)
    stack = list(found)
    while stack:
        op = stack.pop()
        for producer in [t.op for t in op.inputs] + op.control_inputs:
            if producer not in found:
                found[producer] = None
                stack.append(producer)
    return list(found)
