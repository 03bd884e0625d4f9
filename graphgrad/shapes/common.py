"""Shape rules that ops of many families share. Family modules import from here, never from each other."""

from __future__ import annotations

import functools

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
