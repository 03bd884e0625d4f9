"""The gradient of a formula that a rule has just written into the graph, for rules that differentiate a formula.

TensorFlow does it there with a tape: the nodes stand in the rule's own scope, nothing is gated, what only a constant
would receive is not worked out, and the sums come last, in the order of xs.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from graphgrad import registry
from graphgrad.functions import GraphBuilder
from graphgrad.gradients.broadcasting import unbroadcast
from graphgrad.graph import Operation
from graphgrad.shapes import dims
from graphgrad.tensors import Tensor


def gradients_through(
    g: GraphBuilder, formula: Sequence[Operation], ys: Sequence[Tensor], xs: Sequence[Tensor], seeds: Sequence[Tensor]
) -> list[Tensor | None]:
    """The gradients of ys with respect to xs through the operations of the formula, which have one output each.

    They are taken up breadth first, beginning with ys in the order given.
    """
    on_path = _between(formula, ys, xs)
    received: dict[Tensor, list[Tensor]] = {}
    for y, seed in zip(ys, seeds, strict=True):
        received.setdefault(y, []).append(seed)
    awaits = dict.fromkeys(on_path, 0)
    for op in on_path:
        for tensor in op.inputs:
            if tensor.op in awaits:
                awaits[tensor.op] += 1
    ready = deque(op for op in dict.fromkeys(y.op for y in ys) if not awaits[op])
    while ready:
        op = ready.popleft()
        wanted = [tensor in on_path[op] for tensor in op.inputs]
        gradients = _ask_rule(g, op, g.add_n(received[op.outputs[0]]), wanted)
        for tensor, gradient, is_wanted in zip(op.inputs, gradients, wanted, strict=True):
            if is_wanted and gradient is not None:
                received.setdefault(tensor, []).append(gradient)
        for tensor in op.inputs:
            if tensor.op in awaits:
                awaits[tensor.op] -= 1
                if not awaits[tensor.op]:
                    ready.append(tensor.op)
    totals = {x: g.add_n(received[x]) for x in dict.fromkeys(xs) if x in received}
    return [totals.get(x) for x in xs]


def _between(formula: Sequence[Operation], ys: Sequence[Tensor], xs: Sequence[Tensor]) -> dict[Operation, list[Tensor]]:
    """The differentiable operations between xs and ys, each with those of its inputs that depend on xs."""
    dependent = set(xs)
    reached: dict[Operation, list[Tensor]] = {}
    for op in formula:
        moving = [t for t in op.inputs if t in dependent]
        if moving and registry.gradient_rule(op.type) is not None:
            reached[op] = moving
            dependent.update(op.outputs)
    needed = set(ys)
    for op in reversed(formula):
        if op in reached and needed.intersection(op.outputs):
            needed.update(reached[op])
        else:
            reached.pop(op, None)
    return reached


def _ask_rule(g: GraphBuilder, op: Operation, dz: Tensor, wanted: list[bool]) -> Sequence[Tensor | None]:
    if op.type in _OF_THE_FIRST and wanted == [True, False]:
        x, y = op.inputs
        if y.shape == ():
            return _OF_THE_FIRST[op.type](g, op, dz), None
        if not (dims.is_known(x.shape) and x.shape == y.shape == dz.shape):
            return unbroadcast(g, op, _OF_THE_FIRST[op.type](g, op, dz), None)
    gradients = registry.gradient_rule(op.type)(g, op, dz)  # type: ignore[operator]
    return gradients if isinstance(gradients, (list, tuple)) else [gradients]


def _same(g: GraphBuilder, op: Operation, dz: Tensor) -> Tensor:
    return dz


def _times_second(g: GraphBuilder, op: Operation, dz: Tensor) -> Tensor:
    return g.Mul(dz, op.inputs[1])  # type: ignore[no-any-return]


def _twice_the_difference(g: GraphBuilder, op: Operation, dz: Tensor) -> Tensor:
    x, y = op.inputs
    with g.control_dependencies([dz]):
        return g.scalar_mul(2.0, dz) * (x - y)  # type: ignore[no-any-return]


# What the first operand receives, before broadcasting is undone, where the second is a constant.
_OF_THE_FIRST = {"AddV2": _same, "Sub": _same, "Mul": _times_second, "SquaredDifference": _twice_the_difference}
