"""When a tensor of a graph with branches of frames has a value: which ways of which predicates must be taken.

A condition stands behind those under which its own predicate has a value.
"""

from __future__ import annotations

from graphgrad.controlflow.frames import BACK_EDGES, MERGES, SWITCHES, back_edge, producers
from graphgrad.graph import Operation
from graphgrad.tensors import Tensor

Ways = tuple[tuple[Tensor, int], ...]  # predicates, each with the branch that is taken


class Conditions:
    """The conditions of tensors, found when they are asked for. Loops are as alive as what enters them."""

    def __init__(self) -> None:
        self._of: dict[Operation, Ways] = {}

    def of(self, tensor: Tensor) -> Ways:
        """The ways that must be taken for the tensor to have a value, the outermost first."""
        stack = [tensor.op]
        while stack:
            op = stack[-1]
            before = [p for p in producers(op) if p not in self._of]
            if op in self._of or not before:
                stack.pop()
                self._of.setdefault(op, () if op in self._of else self._find(op))
            else:
                stack += before
        return self._after(tensor)

    def joined_by(self, merge: Operation) -> tuple[Tensor, int] | None:
        """The predicate by which a Merge has its first or its second input, and the way that the first comes from."""
        if len(merge.inputs) != 2:
            return None
        one, other = (self.of(t) for t in merge.inputs)
        at = _parting(one, other)
        return None if at is None else one[at]

    def _after(self, tensor: Tensor) -> Ways:
        op = tensor.op
        ways = self._of[op]
        if op.type in SWITCHES and op.inputs[1].op.type != "LoopCond":
            return _both(ways, ((_copied(op.inputs[1]), tensor.index),))
        return ways

    def _find(self, op: Operation) -> Ways:
        if op.type in MERGES and back_edge(op) is None:
            return _joined([self._after(t) for t in op.inputs])
        found: Ways = ()
        for tensor in op.inputs:
            if not (op.type in MERGES and tensor.op.type in BACK_EDGES):
                found = _both(found, self._after(tensor))
        for control in op.control_inputs:
            found = _both(found, self._of[control])
        return found


def _copied(predicate: Tensor) -> Tensor:
    while predicate.op.type == "Identity":
        predicate = predicate.op.inputs[0]
    return predicate


def _both(some: Ways, more: Ways) -> Ways:
    return (*some, *(way for way in more if way not in some)) if some else more


def _joined(inputs: list[Ways]) -> Ways:
    """Where two come from both ways of one predicate, what is around it; else the least demanding input."""
    if len(inputs) == 2 and (at := _parting(*inputs)) is not None:
        return inputs[0][:at]
    return min(inputs, key=len, default=())


def _parting(one: Ways, other: Ways) -> int | None:
    """The place of the predicate of which two go different ways, among those of the first."""
    return next((i for i, (predicate, way) in enumerate(one) if (predicate, 1 - way) in other), None)
