"""The builder: `g.OpType(inputs..., attr=value)` makes the node of any of TensorFlow's public ops.

It infers type attributes and list lengths, fills in defaults, turns Python values into constants and names the node
in the current scope, all from the op's signature; there is no wrapper per op. `GraphBuilder` adds TensorFlow's
Python functions in lower case.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from graphgrad import attributes, constants, dtypes, opdefs
from graphgrad.dtypes import DType
from graphgrad.errors import ArgumentError, DtypeError
from graphgrad.graph import Graph, Operation
from graphgrad.schema import graph_pb2
from graphgrad.tensors import IndexedSlices, Tensor


class Int32s(list[int]):
    """Numbers that TensorFlow holds as an int32 array; where there are none, they are int32 all the same."""


class _Controller:
    """One `control_dependencies` block: what new nodes wait for, and the nodes that already do."""

    __slots__ = ("open", "seen", "waits_for")

    def __init__(self, waits_for: list[Operation], open_blocks: list[_Controller]):
        self.waits_for, self.open = waits_for, open_blocks
        self.seen: set[Operation] = set()

    def __enter__(self) -> None:
        self.open.append(self)

    def __exit__(self, *_: Any) -> None:
        self.open.pop()


class _Scope:
    """A name scope that is gone into and left again."""

    __slots__ = ("builder", "outer", "scope")

    def __init__(self, builder: OpBuilder, scope: str):
        self.builder, self.scope = builder, scope

    def __enter__(self) -> str:
        self.outer, self.builder.scope = self.builder.scope, self.scope
        return self.scope

    def __exit__(self, *_: Any) -> None:
        self.builder.scope = self.outer


class OpBuilder:
    """Appends operations to a graph inside the current scope, device, colocation and control dependencies."""

    def __init__(self, graph: Graph):
        self.graph = graph
        self.scope = ""
        self.custom_gradients = "error"  # of the last call of `differentiate`, for the functions inside
        self._controllers: list[_Controller] = []
        self._classes: tuple[str, ...] = ()
        self._device = ""
        self.context: Any = None  # the branch or loop that new nodes are fitted into, see graphgrad.controlflow
        self.flow: Any = None  # the reverse pass under way, where it goes through branches or loops

    def __getattr__(self, op_type: str) -> Callable[..., Any]:
        signature = opdefs.signature(op_type) if op_type[:1].isupper() else None
        if signature is None:
            raise AttributeError(f"TensorFlow has no op {op_type!r}")

        known, is_lone = signature.calls, len(signature.outputs) == 1 and not signature.outputs[0].is_list

        def build(*inputs: Any, name: str | None = None, **attrs: Any) -> Any:
            key = _key(inputs, attrs)
            call = known.get(key) if key is not None else None
            if call is None:
                op = self._add(signature, inputs, attrs, name, key)
            else:
                complete, dtypes = call
                name = self._node_name(name or op_type)
                op = Operation(self.graph, name, op_type, self._device, None, complete)
                self._place(op, list(inputs), dtypes)
            return op.outputs[0] if is_lone else self._results(signature, op)

        build.__name__ = op_type
        setattr(self, op_type, build)
        return build

    def op(self, op_type: str, *inputs: Any, name: str | None = None, **attrs: Any) -> Operation:
        """Like `g.OpType(...)`, and gives back the operation instead of its outputs."""
        signature = opdefs.signature(op_type)
        if signature is None:
            raise ArgumentError(f"TensorFlow has no op {op_type!r}")
        return self._add(signature, inputs, attrs, name, None)

    # ------------------------------------------------------------------ scopes
    def name_scope(self, name: str) -> _Scope:
        """Opens a scope below the current one, made unique; yields it with its closing slash."""
        return _Scope(self, self.graph.name_authority.unique(self.scope + name) + "/")

    def in_scope(self, scope: str) -> _Scope:
        """Goes (back) into exactly this scope."""
        return _Scope(self, scope)

    def control_dependencies(self, ops: Iterable[Operation | Tensor | IndexedSlices]) -> _Controller:
        """New nodes wait for these, unless an input of theirs already does."""
        waits_for = [item if item.__class__ is Operation else item.op for item in ops]  # type: ignore[union-attr]
        return _Controller(waits_for if len(waits_for) == 1 else list(dict.fromkeys(waits_for)), self._controllers)

    @contextmanager
    def colocate_with(self, op: Operation, ignore_existing: bool = False) -> Iterator[None]:
        """New nodes carry the `_class` of `op` (or name it), and its device."""
        outer = self._classes, self._device
        existing = () if ignore_existing else self._classes
        self._classes = tuple(sorted({*existing, *colocation_classes(op)}))
        self._device = op.device or ("" if ignore_existing else self._device)
        try:
            yield
        finally:
            self._classes, self._device = outer

    @contextmanager
    def anywhere(self, device: str = "") -> Iterator[None]:
        """New nodes carry no colocation, and this device or none."""
        outer, self._classes, self._device = (self._classes, self._device), (), device
        try:
            yield
        finally:
            self._classes, self._device = outer

    @contextmanager
    def on_device(self, device: str) -> Iterator[None]:
        """New nodes are placed there, colocated as before."""
        outer, self._device = self._device, device
        try:
            yield
        finally:
            self._device = outer

    @contextmanager
    def within(self, context: Any) -> Iterator[None]:
        """New nodes stand in this context: each is handed to its `adopt`."""
        outer, self.context = self.context, context
        try:
            yield
        finally:
            self.context = outer

    @contextmanager
    def detached(self) -> Iterator[None]:
        """New nodes stand in no context and wait for nothing."""
        outer = self._controllers, self.context
        self._controllers, self.context = [], None
        try:
            yield
        finally:
            self._controllers, self.context = outer

    def note_controlled(self, op: Operation) -> None:
        """Takes a node as one that waits for what the open blocks ask for."""
        for controller in self._controllers:
            controller.seen.add(op)

    # ------------------------------------------------------------------ nodes
    def _add(
        self,
        signature: opdefs.Signature,
        inputs: tuple[Any, ...],
        attrs: dict[str, Any],
        name: str | None,
        key: tuple[Any, ...] | None,
    ) -> Operation:
        if len(inputs) != len(signature.inputs):
            raise ArgumentError(f"{signature.name} takes {len(signature.inputs)} inputs, got {len(inputs)}")
        name = self._node_name(name or signature.name)
        flat = self._inputs(signature, name, inputs, attrs)
        complete = self._complete(signature, attrs, name)
        dtypes = signature.output_dtypes(complete)
        if key is not None:
            complete = attributes.CallAttrs(complete)
            signature.calls[key] = complete, dtypes
        op = Operation(self.graph, name, signature.name, self._device, None, complete)
        self._place(op, flat, dtypes)
        return op

    def _place(self, op: Operation, inputs: list[Tensor], dtypes: list[DType]) -> None:
        """Completes an operation and appends it to the graph under what the open blocks ask for."""
        op.inputs = inputs
        if self._controllers:
            op.control_inputs = self.controls_for(inputs)
            for controller in self._controllers:
                controller.seen.add(op)
        else:
            op.control_inputs = []
        op.outputs = [Tensor(op, i, dtype) for i, dtype in enumerate(dtypes)]
        if self._classes:
            op.own_attrs()["_class"] = self._classes
        self.graph.append(op)
        if self.context is not None:
            with self.in_scope(op.name + "/" if inputs else self.scope):
                self.context.adopt(op)

    def copy_of(self, op: Operation, inputs: list[Tensor], controls: list[Operation]) -> Operation:
        """A copy of an operation in the current scope, under its whole name, with other inputs and control inputs."""
        signature = op.signature
        if signature is not None:
            attrs = {name: op[name] for name in signature.attrs}
        else:
            attrs = {name: op.attr_message(name) for name in op.attr_names()}
        copy = Operation(self.graph, self._node_name(op.name), op.type, op.device, None, attrs)
        self._place(copy, inputs, [t.dtype for t in op.outputs])  # type: ignore[misc]
        copy.control_inputs = [*copy.control_inputs, *controls]
        self.graph.inference.settle(copy, [t.shape for t in op.outputs])
        return copy

    def _inputs(
        self, signature: opdefs.Signature, name: str, inputs: tuple[Any, ...], attrs: dict[str, Any]
    ) -> list[Tensor]:
        """The inputs as a flat list of tensors; what their dtypes and numbers say of attributes goes into `attrs`."""
        if self._are_plain(signature, inputs, attrs):
            return list(inputs)
        for arg, value in zip(signature.inputs, inputs, strict=True):
            if arg.type_attr and isinstance(value, Tensor):
                # A number before a tensor takes the tensor's dtype.
                attrs.setdefault(arg.type_attr, value.dtype)
        flat: list[Tensor] = []
        for arg, value in zip(signature.inputs, inputs, strict=True):
            if arg.is_list:
                flat.extend(self._list_input(signature, name, arg, value, attrs))
            else:
                flat.append(self._input(signature, name, arg, value, attrs))
        return flat

    def _are_plain(self, signature: opdefs.Signature, inputs: tuple[Any, ...], attrs: dict[str, Any]) -> bool:
        """Whether all inputs are lone tensors of the right dtypes, as most are: then nothing is left to do for them."""
        for arg, value in zip(signature.inputs, inputs, strict=True):
            if value.__class__ is not Tensor or arg.is_list:
                return False
            wanted = arg.dtype or attrs.setdefault(arg.type_attr, value.dtype)
            if wanted is not value.dtype or wanted is None:
                return False
        return True

    def _node_name(self, name: str) -> str:
        """A scope with its closing slash is taken as the node's name, which it reserved; else a unique name is made."""
        return name[:-1] if name[-1] == "/" else self.graph.name_authority.unique(self.scope + name)

    def _input(
        self, signature: opdefs.Signature, name: str, arg: opdefs.Arg, value: Any, attrs: dict[str, Any]
    ) -> Tensor:
        wanted = arg.dtype or attrs.get(arg.type_attr)
        if not isinstance(value, Tensor):
            if value is None:
                raise ArgumentError(f"input {arg.name!r} of {signature.name} node {name!r} is None")
            dtype, outer, self.scope = wanted, self.scope, name + "/"
            try:
                if dtype is None and (attr := signature.attrs[arg.type_attr]).default is not opdefs.REQUIRED:
                    dtype = attr.default if _own_dtype(value) not in (attr.allowed or ()) else None
                    is_empty = type(value) in (list, tuple) and not value
                    if is_empty and attr.allowed and dtypes.float32 not in attr.allowed:
                        self.constant(value, dtypes.float32, name=arg.name)  # TensorFlow's first guess, left unused
                value = self.convert(value, dtype, arg.name)
            finally:
                self.scope = outer
        if arg.type_attr and wanted is None:
            attrs[arg.type_attr] = value.dtype
        elif wanted is not value.dtype and value.dtype is not None:
            raise DtypeError(
                f"input {arg.name!r} of {signature.name} node {name!r} must be {wanted}, and {value.name} is {value.dtype}"
            )
        return value

    def _list_input(
        self, signature: opdefs.Signature, name: str, arg: opdefs.Arg, values: Any, attrs: dict[str, Any]
    ) -> list[Tensor]:
        values = list(values)
        if arg.type_list_attr:
            attrs[arg.type_list_attr] = tuple(v.dtype for v in values)
            return values
        attrs[arg.number_attr] = len(values)
        known = next((v.dtype for v in values if isinstance(v, Tensor)), None)
        if arg.type_attr and arg.type_attr not in attrs and known is not None:
            attrs[arg.type_attr] = known
        tensors = []
        for i, value in enumerate(values):
            if not isinstance(value, Tensor):
                with self.in_scope(name + "/"):
                    value = self.convert(value, arg.dtype or attrs.get(arg.type_attr), f"{arg.name}_{i}")
            tensors.append(self._input(signature, name, arg, value, attrs))
        return tensors

    def _complete(self, signature: opdefs.Signature, attrs: dict[str, Any], name: str) -> dict[str, Any]:
        complete = {**signature.defaults, **attrs}
        if len(complete) != len(signature.attrs):
            for key in signature.attrs:
                if key not in complete:
                    raise ArgumentError(f"{signature.name} node {name!r} needs attribute {key!r}")
            unknown = next(key for key in attrs if key not in signature.attrs)
            raise ArgumentError(f"{signature.name} has no attribute {unknown!r}")
        for key, value in attrs.items():
            if isinstance(value, list):
                complete[key] = tuple(value)
        return complete

    def controls_for(self, inputs: list[Tensor]) -> list[Operation]:
        """What a node with these inputs waits for under the open blocks."""
        producers = {t.op for t in inputs}
        waits_for: dict[Operation, None] = {}
        for controller in self._controllers:
            if producers.isdisjoint(controller.seen):
                for op in controller.waits_for:
                    if op not in producers:
                        waits_for[op] = None
        for op in waits_for:
            if op._node is None:
                op.own_attrs()["_has_manual_control_dependencies"] = True
        return list(waits_for)

    def _results(self, signature: opdefs.Signature, op: Operation) -> Any:
        """The outputs shaped as the signature says: a tensor, a list, a tuple of these, or the op without any."""
        if not signature.outputs:
            return op
        if len(signature.outputs) == 1 and not signature.outputs[0].is_list:
            return op.outputs[0]
        outputs = iter(op.outputs)
        results = [
            [next(outputs) for _ in arg.dtypes(op)] if arg.is_list else next(outputs) for arg in signature.outputs
        ]
        return results[0] if len(results) == 1 else tuple(results)

    def convert(self, value: Any, dtype: DType | None, name: str) -> Tensor:
        """A Python value as a tensor: a Const, or a Pack where a list holds tensors."""
        if isinstance(value, (list, tuple)) and any(isinstance(v, Tensor) for v in value):
            if dtype is not None:
                value = [
                    self.Cast(v, DstT=dtype) if isinstance(v, Tensor) and v.dtype is not dtype else v for v in value
                ]
            return self.packed(value, name)
        if isinstance(value, IndexedSlices):
            return self.dense(value, name)
        return self.constant(value, dtype, name=name)

    def dense(self, slices: IndexedSlices | Tensor, name: str | None = None) -> Tensor:
        """The tensor an IndexedSlices stands for, its values summed into their rows; a tensor stands for itself."""
        if isinstance(slices, Tensor):
            return slices
        if slices.dense_shape is None:
            raise ArgumentError(f"the sparse gradient {slices.name!r} has no dense shape, so it cannot be made dense")
        return self.UnsortedSegmentSum(slices.values, slices.indices, slices.dense_shape[0], name=name)

    def packed(self, values: Sequence[Any], name: str) -> Tensor:
        """Packs scalars along a new first axis; numbers among them become constants of the tensors' dtype."""
        dtype = next(v.dtype for v in values if isinstance(v, Tensor))
        with self.name_scope(name) as scope:
            tensors = [
                v if isinstance(v, Tensor) else self.constant(v, dtype, name=str(i)) for i, v in enumerate(values)
            ]
            return self.Pack(tensors, name=scope)

    def constant(
        self, value: Any, dtype: DType | None = None, shape: tuple[int, ...] | None = None, name: str = "Const"
    ) -> Tensor:
        """A Const of a number or nested lists of numbers. One number with a `shape` is repeated over it."""
        literal = constants.literal(value, dtype, shape)
        return self._constant(literal, literal.dtype, name)

    def constant_like(self, const: Operation, name: str = "Const") -> Tensor:
        """A Const of the value that another has."""
        value, content = const["value"], self.graph.payloads.get(const.name)
        if content is not None:
            value = graph_pb2.TensorProto(
                dtype=value.dtype, tensor_shape=value.tensor_shape, tensor_content=bytes(content)
            )
        return self._constant(value, const["dtype"], name)

    def _constant(self, value: constants.Literal | graph_pb2.TensorProto, dtype: DType, name: str) -> Tensor:
        attrs = {"value": value, "dtype": dtype}
        op = Operation(self.graph, self._node_name(name), "Const", self._device, None, attrs)
        self._place(op, [], [dtype])
        return op.outputs[0]


def _key(inputs: tuple[Any, ...], attrs: dict[str, Any]) -> tuple[Any, ...] | None:
    """What decides all attributes of a call whose inputs are lone tensors; None for other calls."""
    for value in inputs:
        if value.__class__ is not Tensor:
            return None
    if not attrs:
        return tuple([t.dtype for t in inputs])
    for value in attrs.values():
        if value.__class__ not in _PLAIN:
            return None
    return (*[t.dtype for t in inputs], *attrs.items())


_PLAIN = frozenset([bool, DType, str])


def _own_dtype(value: Any) -> DType | None:
    """The dtype of a list's first tensor, or of a whole number."""
    if type(value) is int:
        return dtypes.int32
    tensors = value if isinstance(value, (list, tuple)) else ()
    return next((v.dtype for v in tensors if isinstance(v, Tensor)), None)


def colocation_classes(op: Operation) -> tuple[str, ...]:
    """The `loc:@` classes of an operation; its own name where it has none."""
    classes = tuple(c for c in op.annotation("_class") or () if c.startswith("loc:@"))
    return classes or (f"loc:@{op.name}",)
