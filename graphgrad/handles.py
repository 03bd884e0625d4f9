"""What stands behind a tensor that holds no numbers itself: a handle's variable, the elements of a list.

What one function hands to another is known as far as `Graph.outer` tells of its arguments.
"""

from __future__ import annotations

from graphgrad import dtypes
from graphgrad.attributes import Shape
from graphgrad.dtypes import DType
from graphgrad.graph import Operation, Tensor

HELD = "_held_dtypes"  # annotation: what each output holds, as dtypes are stored in files; 0 where that is not known

_HANDED_ON = ("Identity", "Enter", "Exit", "NextIteration", "RefSwitch", "Switch", "TensorListResize", "ZerosLike")

# What these give last is no list, but of a list's elements.
_GIVE_ELEMENTS = ("TensorListGather", "TensorListGetItem", "TensorListPopBack", "TensorListStack")


def _source(tensor: Tensor) -> Tensor:
    """The tensor that was handed on, be it into a function."""
    while True:
        op = tensor.op
        if op.type in _HANDED_ON:
            tensor = op.inputs[0]
        elif op.type == "Placeholder" and tensor in op.graph.outer:
            tensor = op.graph.outer[tensor]
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
