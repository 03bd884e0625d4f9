"""Static shapes and small static values, worked out when asked for and kept on the operation.

One pass with a stack of its own infers what an operation depends on before the operation itself, so depth never
meets Python's stack; on a cycle (a loop's back edge) nothing is known.
"""

from __future__ import annotations

from typing import Any

from graphgrad import registry
from graphgrad.attributes import Shape
from graphgrad.graph import Operation, Tensor
from graphgrad.shapes import dims, values
from graphgrad.shapes.values import Value


class Facts:
    """What is known of an operation's outputs."""

    __slots__ = ("shapes", "values")

    def __init__(self, shapes: list[Shape], known: list[Value | None] | None):
        self.shapes, self.values = shapes, known


class _Visiting:
    """Stands on an operation while its inputs are inferred; a cycle that comes back to it finds nothing known."""


_VISITING = _Visiting()


class Inference:
    """Answers for the tensors of one graph."""

    def shape(self, tensor: Tensor) -> Shape:
        facts = self._facts(tensor.op)
        if facts is _VISITING or tensor.index >= len(facts.shapes):
            return None
        like = tensor._shape_like
        if like is not None:
            tensor._shape_like = None
            facts.shapes[tensor.index] = dims.merge(facts.shapes[tensor.index], self.shape(like))
        return facts.shapes[tensor.index]

    def learn(self, tensor: Tensor, shape: Shape) -> None:
        """Adds what is known of a tensor's shape from elsewhere."""
        facts = self._facts(tensor.op)
        facts.shapes[tensor.index] = dims.merge(facts.shapes[tensor.index], shape)

    def value(self, tensor: Tensor) -> Value | None:
        facts = self._facts(tensor.op)
        if facts is _VISITING or facts.values is None:
            return None
        return facts.values[tensor.index]

    def _facts(self, op: Operation) -> Any:
        if op.facts is None:
            self._infer(op)
        return op.facts

    def _infer(self, wanted: Operation) -> None:
        stack = [wanted]
        while stack:
            op = stack[-1]
            if op.facts is None:
                op.facts = _VISITING
                waiting = [t.op for t in op.inputs if t.op.facts is None]
                waiting += [like.op for t in op.inputs if (like := t._shape_like) is not None and like.op.facts is None]
                if waiting:
                    stack.extend(waiting)
                    continue
            stack.pop()
            if op.facts is _VISITING:
                op.facts = _work_out(op)


def _work_out(op: Operation) -> Facts:
    rule = registry.shape_rule(op.type)
    count = len(op.outputs)
    shapes: list[Shape]
    if rule is None:
        shapes = [None] * count
    else:
        found = rule(op)
        shapes = list(found) if isinstance(found, list) else [found]
    declared = op.annotation("_output_shapes")
    if declared:
        shapes = [dims.merge(a, b) for a, b in zip(shapes, declared, strict=False)]
    facts = Facts(shapes, None)
    op.facts = facts
    facts.values = values.of(op)
    return facts
