"""What stands behind a tensor that holds no numbers itself: a handle's variable, the elements of a list.

What one function hands to another is known as far as `Graph.outer` tells of its arguments.
"""

from __future__ import annotations

from graphgrad import dtypes
from graphgrad.attributes import Shape
from graphgrad.dtypes import DType
from graphgrad.graph import Operation
from graphgrad.tensors import Tensor

HELD = "_held_dtypes"  # annotation: what each output holds, as dtypes are stored in files; 0 where that is not known

_HANDED_ON = (
    "Identity",
    "Enter",
    "Exit",
    "Merge",
    "NextIteration",
    "RefSwitch",
    "Switch",
    "TensorListResize",
    "ZerosLike",
)

# What these give last is no list, but of a list's elements.
_GIVE_ELEMENTS = ("TensorListGather", "TensorListGetItem", "TensorListPopBack", "TensorListStack")


def _source(tensor: Tensor) -> Tensor:
    """The tensor that was handed on, be it into a function."""
    while True:
        op = tensor.op
        if op.type in _HANDED_ON:
            tensor = op.inputs[0]
        elif op.type == "Placeholder" and tensor in op.graph.outer and not op.annotation(HELD):
            tensor = op.graph.outer[tensor]
        elif tensor.dtype is dtypes.variant and (called := _called(op)) is not None:
            tensor = op.graph.functions.body(called, op).results[tensor.index]
        else:
            return tensor


def variable(handle: Tensor) -> Operation | None:
    """The op that made the variable behind a resource handle, where the way to it is plain."""
    op = _source(handle).op
    return op if op.type == "VarHandleOp" else None


def variable_shape(handle: Tensor) -> Shape:
    """The static shape of the variable behind a resource handle."""
    op = variable(handle)
    return None if op is None else op["shape"]


def shape_for_what_was_read(handle: Tensor) -> Shape:
    """The same as operations see it that stand in a file: of what functions are called with they know only while the
    results of a call are inferred.
    """
    while True:
        op = handle.op
        if op.type in ("Identity", "Enter", "Switch", "RefSwitch"):
            handle = op.inputs[0]
        elif handle in op.graph.given:
            handle = op.graph.given[handle]
        else:
            return op["shape"] if op.type == "VarHandleOp" else None


def shape_for_what_is_new(handle: Tensor) -> Shape:
    """The same as operations see it that were added to a function's body: they know what callers hand over."""
    return variable_shape(handed_in(handle) if handle.op.graph.outer else handle)


def handed_in(handle: Tensor) -> Tensor:
    """The tensor that operations of the same graph handed on, be it through functions that they call."""
    while True:
        source = _handed_through(handle)
        if source is None:
            return handle
        handle = source


def _handed_through(handle: Tensor) -> Tensor | None:
    op = handle.op
    if op.type == "Identity":
        return op.inputs[0]
    if op.type in ("While", "StatelessWhile"):
        return op.inputs[handle.index]
    called, first = _branches(op)
    positions = {_position(op, name, handle.index) for name in called}
    position = positions.pop() if len(positions) == 1 else None
    return None if position is None else op.inputs[first + position]


def _branches(op: Operation) -> tuple[list[str], int]:
    """The functions that an operation calls with its inputs, and the first of these."""
    called = _called(op)
    if called is not None:
        return [called], 0
    if op.type in ("If", "StatelessIf"):
        return [op.function("then_branch"), op.function("else_branch")], 1
    if op.type in ("Case", "StatelessCase"):
        return op.functions("branches"), 1
    return [], 0


def _called(op: Operation) -> str | None:
    """The function that an operation calls, if it does nothing else."""
    if op.type in ("PartitionedCall", "StatefulPartitionedCall"):
        return op.function("f")
    return op.function() if op.signature is None and op.type in op.graph.functions else None


def _position(op: Operation, function: str, result: int) -> int | None:
    """The argument that a function gives back as a result."""
    body = op.graph.functions.body(function, op)
    source = handed_in(body.results[result])
    return body.arguments.index(source) if source in body.arguments else None


def held(tensor: Tensor) -> DType | None:
    """The dtype of what a variant holds, where it is one and known."""
    tensor = _source(tensor)
    noted = tensor.op.annotation(HELD)
    if noted:
        return dtypes.by_enum(noted[tensor.index]) if noted[tensor.index] else None
    if tensor.op.type == "OptionalFromValue":
        components = {t.dtype for t in tensor.op.inputs}
        return components.pop() if len(components) == 1 else None
    if tensor.op.type in _GIVE_ELEMENTS and tensor.index == len(tensor.op.outputs) - 1:
        return None
    found = tensor.op.get("element_dtype")
    return found if isinstance(found, DType) else None


def is_trainable(tensor: Tensor) -> bool:
    """Whether gradients flow through the tensor; through a variant, if they would through what it holds."""
    dtype = held(tensor) or tensor.dtype if tensor.dtype is dtypes.variant else tensor.dtype
    return dtype is None or dtype.is_trainable
