"""The same graph in double precision: every floating type becomes float64, every complex one complex128.

What is computed stays the same but for rounding; the graph that is widened is not changed.
"""

from __future__ import annotations

import functools
from collections import deque
from collections.abc import Iterable, Iterator, Mapping

import numpy as np

from graphgrad import dtypes, opdefs
from graphgrad.formats import arrays
from graphgrad.graph import Graph, Operation, needed_by
from graphgrad.schema import graph_pb2
from graphgrad.tensors import Tensor

_WIDE = {
    dtype.enum: (dtypes.complex128 if dtype.is_complex else dtypes.float64).enum
    for dtype in dtypes.all_dtypes()
    if dtype.is_floating or dtype.is_complex
}
_REFERENCE = 100  # what a file adds to a type to say: a reference to it


def widened(graph: Graph) -> Graph:
    """The graph, its functions included, with wide types and wide constants. Raises ModelError where a constant is bad."""
    message, contents = _message(graph), {}
    for node in message.node:
        content = _widen_node(node, graph.payloads.get(node.name))
        if content is not None:
            contents[node.name] = content
    for function in message.library.function:
        _widen_function(function)
    return _beside(graph, message, contents)


def copied(graph: Graph) -> Graph:
    """The graph as it is, to be added to apart."""
    return _beside(graph, _message(graph), graph.payloads)


def _beside(graph: Graph, message: graph_pb2.GraphDef, contents: Mapping[str, memoryview]) -> Graph:
    """The graph of a message whose functions are called by the same objects."""
    made = Graph(message, contents)
    made.functions.objects = graph.functions.objects
    return made


def _message(graph: Graph) -> graph_pb2.GraphDef:
    message = graph_pb2.GraphDef(versions=graph.message.versions)
    message.node.extend(op.node_def() for op in graph)
    message.library.function.extend(graph.functions.values())
    message.library.gradient.MergeFrom(graph.message.library.gradient)
    message.library.registered_gradients.MergeFrom(graph.message.library.registered_gradients)
    return message


def stays_narrow(tensors: Iterable[Tensor]) -> Operation | None:
    """The first operation these tensors depend on whose signature fixes a narrow type, so that no wide one can pass."""
    for op in _with_functions(needed_by(t.op for t in tensors)):
        if op.signature is None and op.type not in op.graph.functions:
            return op
        signature = op.signature
        if signature is not None and any(
            arg.dtype is not None and arg.dtype.enum in _WIDE and _wide(arg.dtype.enum) != arg.dtype.enum
            for arg in (*signature.inputs, *signature.outputs)
        ):
            return op
    return None


def _with_functions(operations: Iterable[Operation]) -> Iterator[Operation]:
    """The operations and those of the functions they call, each of these once."""
    called: set[str] = set()
    queue = deque([list(operations)])
    while queue:
        body = queue.popleft()
        yield from body
        if not body or not (library := body[0].graph.functions):
            continue
        for name in library.called_by(op.node_def() for op in body):
            if name in library and name not in called:
                called.add(name)
                queue.append(list(library.body(name).graph))


def wide_array(array: np.ndarray) -> np.ndarray:
    """An array of floating or complex numbers as a wide one; others as they are."""
    dtype = arrays.dtype_of(array)
    return array.astype(arrays.numpy_dtype(dtypes.by_enum(_WIDE[dtype.enum]))) if dtype.enum in _WIDE else array


def wide_arrays(values: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """`wide_array` of each."""
    return {name: wide_array(array) for name, array in values.items()}


def _wide(enum: int) -> int:
    if enum > _REFERENCE:
        return _wide(enum - _REFERENCE) + _REFERENCE
    return _WIDE.get(enum, enum)


def _widen_node(node: graph_pb2.NodeDef, content: memoryview | None = None) -> memoryview | None:
    """Widens a node's attributes, those that the file leaves out too; gives the content of a constant kept beside its message."""
    for name, default in _narrow_defaults(node.op).items():
        if name not in node.attr:
            node.attr[name].type = default  # type: ignore[assignment]
    beside = None
    for name, value in node.attr.items():
        if content is not None and name == "value":
            beside = _widen_tensor(value.tensor, content)
        else:
            _widen_attr(value)
    return beside


@functools.cache
def _narrow_defaults(op_type: str) -> dict[str, int]:
    """The types that an op has where its node says none, and that are not wide."""
    signature = opdefs.signature(op_type)
    defaults = {} if signature is None else signature.defaults
    types = {name: value.enum for name, value in defaults.items() if isinstance(value, dtypes.DType)}
    return {name: enum for name, enum in types.items() if _wide(enum) != enum}


def _widen_attr(value: graph_pb2.AttrValue) -> None:
    kind = value.WhichOneof("value")
    if kind == "type":
        value.type = _wide(value.type)  # type: ignore[assignment]
    elif kind == "tensor":
        _widen_tensor(value.tensor)
    elif kind == "func":
        for inner in value.func.attr.values():
            _widen_attr(inner)
    elif kind == "list":
        value.list.type[:] = [_wide(enum) for enum in value.list.type]
        for tensor in value.list.tensor:
            _widen_tensor(tensor)
        for function in value.list.func:
            for inner in function.attr.values():
                _widen_attr(inner)


def _widen_tensor(tensor: graph_pb2.TensorProto, content: memoryview | None = None) -> memoryview | None:
    """Widens a constant in its message, or beside it where its content lies there."""
    if _wide(tensor.dtype) == tensor.dtype:
        return content
    array = wide_array(arrays.from_proto(tensor, content))
    if content is None:
        tensor.CopyFrom(arrays.to_proto(array))
        return None
    tensor.dtype = _wide(tensor.dtype)  # type: ignore[assignment]
    return np.ascontiguousarray(array).data.cast("B")


def _widen_function(function: graph_pb2.FunctionDef) -> None:
    for arg in (*function.signature.input_arg, *function.signature.output_arg):
        arg.type = _wide(arg.type)  # type: ignore[assignment]
    for attr in function.signature.attr:
        _widen_attr(attr.default_value)
    for node in function.node_def:
        _widen_node(node)
