"""Undoing a broadcast: the one place where the gradient of an element-wise op gets back the shape of its operand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphgrad.attributes import Shape
from graphgrad.functions import GraphBuilder
from graphgrad.graph import Operation
from graphgrad.shapes import dims
from graphgrad.tensors import Tensor

Axes = list[int]


def unbroadcast(g: GraphBuilder, op: Operation, dx: Any, dy: Any) -> tuple[Any, Any]:
    """Sums `dx` and `dy` over the axes along which the two inputs of `op` were broadcast; either may be None."""
    x, y = op.inputs[:2]
    return reduce_to(g, x, y, dx, dy)


def reduce_to(g: GraphBuilder, x: Tensor, y: Tensor, dx: Any, dy: Any) -> tuple[Any, Any]:
    """Sums `dx` to the shape of x and `dy` to the shape of y, which were broadcast against each other."""
    if dx is None and dy is None:
        return None, None
    shapes = g.shape(x), g.shape(y)
    axes: Any = broadcast_axes(x.shape, y.shape)
    if axes is None:
        axes = g.BroadcastGradientArgs(*shapes)
        must_reduce = True, True
    else:
        ranks = len(x.shape or ()), len(y.shape or ())
        must_reduce = bool(axes[0]) or ranks[0] < ranks[1], bool(axes[1]) or ranks[1] < ranks[0]
    return tuple(  # type: ignore[return-value]
        g.Reshape(g.reduce_sum(dz, over, keepdims=True), shape) if dz is not None and needed else dz
        for dz, over, shape, needed in zip((dx, dy), axes, shapes, must_reduce, strict=True)
    )


def broadcast_axes(x: Shape, y: Shape) -> tuple[Axes, Axes] | None:
    """The axes of the result along which x, and y, were stretched; None where static shapes cannot tell."""
    if x is None or y is None:
        return None
    x_axes, y_axes = [], []
    for axis, (a, b) in enumerate(dims.aligned(x, y)):
        if a == 1 and b != 1:
            x_axes.append(axis)
        elif b == 1 and a != 1:
            y_axes.append(axis)
        elif a is None or b is None:
            return None
    return x_axes, y_axes


def summing(g: GraphBuilder, x_shape: Tensor, y_shape: Tensor) -> list[Callable[[Tensor], Tensor]]:
    """For either shape the function that sums a gradient to it; always by BroadcastGradientArgs, as some ops do."""
    shapes = x_shape, y_shape
    axes = g.BroadcastGradientArgs(*shapes)

    def to(i: int) -> Callable[[Tensor], Tensor]:
        return lambda dz: g.Reshape(g.reduce_sum(dz, axes[i]), shapes[i])

    return [to(0), to(1)]
