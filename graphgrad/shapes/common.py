"""Shape rules that ops of many families share. Family modules import from here, never from each other."""

from __future__ import annotations

import functools

from graphgrad.attributes import Shape
from graphgrad.graph import Operation, Tensor
from graphgrad.shapes import dims


def same_as_first(op: Operation) -> Shape:
    """The shape of the first input."""
    return op.inputs[0].shape


def broadcast_all(op: Operation) -> Shape:
    """The shape all inputs broadcast to."""
    return functools.reduce(dims.broadcast, (t.shape for t in op.inputs))


def merge_all(op: Operation) -> Shape:
    """What the inputs, all of one shape, know together."""
    return functools.reduce(dims.merge, (t.shape for t in op.inputs))


def scalar(op: Operation) -> Shape:
    """No dimensions."""
    return ()


def unknown(op: Operation) -> list[Shape]:
    """Nothing is known of any output, as TensorFlow has it for ops of old."""
    return [None] * len(op.outputs)


def variable(handle: Tensor) -> Operation | None:
    """The op that made the variable behind a resource handle, where the way to it is plain."""
    op = handle.op
    while op.type in ("Identity", "Enter", "Switch", "RefSwitch"):
        op = op.inputs[0].op
    return op if op.type == "VarHandleOp" else None


def variable_shape(handle: Tensor) -> Shape:
    """The static shape of the variable behind a resource handle."""
    op = variable(handle)
    return None if op is None else op["shape"]
