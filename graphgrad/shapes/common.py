"""Shape rules that ops of many families share. Family modules import from here, never from each other."""

from __future__ import annotations

import functools
import math
from typing import Any

from graphgrad import attributes, constants, handles
from graphgrad.attributes import Shape
from graphgrad.graph import Operation
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


def first_variable_shape(op: Operation) -> Shape:
    """The static shape of the variable that an operation takes first."""
    handle = op.inputs[0]
    return handles.shape_for_what_is_new(handle) if op.is_built else handles.shape_for_what_was_read(handle)


def constant_shape(op: Operation) -> Shape:
    """The shape of a Const."""
    value = op._attrs.get("value")
    return value.shape if value.__class__ is constants.Literal else attributes.decode_shape(op["value"].tensor_shape)


def small_constant(op: Operation) -> tuple[tuple[int, ...], list[Any]] | None:
    """Shape and elements, flat, of a Const of numbers with at most 4096 of them; None for larger ones."""
    value = op._attrs.get("value")
    if value.__class__ is constants.Literal:
        return (value.shape, value.elements()) if math.prod(value.shape) <= 4096 else None
    value = op["value"]
    if constants.count(value) > 4096:
        return None
    return tuple(dim.size for dim in value.tensor_shape.dim), constants.decode(value)
