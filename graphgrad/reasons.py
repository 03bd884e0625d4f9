"""Why an x has no gradient: the place where the path from x to ys breaks, for people and for programs.

The answer is read off a finished reverse pass; it never changes what the pass did.
"""

from __future__ import annotations

import dataclasses
import re
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from graphgrad.errors import meant
from graphgrad.graph import Operation, needed_by
from graphgrad.handles import is_trainable
from graphgrad.tensors import Tensor

if TYPE_CHECKING:
    from graphgrad.backprop import ReversePass


_NUMBER = re.compile(r"_\d+\Z")


@dataclasses.dataclass(frozen=True)
class Reason:
    """`why` is 'not-connected', 'integer', 'stopped' or 'not-differentiable'; `node` is where the path breaks.

    Where x and ys are not connected, `node` is the end of the path from x, `ys_node` that of the path back from ys.
    """

    why: str
    node: str
    text: str
    ys_node: str | None = None

    def as_json(self) -> dict[str, str]:
        """The reason as the command line's contract has it."""
        entry = {"reason": self.text, "why": self.why, "node": self.node}
        return entry if self.ys_node is None else {**entry, "ys_node": self.ys_node}


def explain(x: Tensor, reverse: ReversePass) -> Reason:
    """The reason why nothing arrived at x."""
    frontier = reverse.frontier
    if not is_trainable(x):
        return Reason(
            "integer",
            x.op.name,
            f"integer: {x.name!r} is {x.dtype}, and only floating and complex tensors have gradients",
        )
    if not _leads_to_ys(x, reverse):
        return not_connected(x, frontier.ys)
    stops = frontier.stops(reverse.awaits) - ({x.op} - set(frontier.stop_ops))
    queue, seen = deque([x]), {x}
    while queue:
        tensor = queue.popleft()
        for edge, consumer in frontier.consumers.get(tensor.op, ()):
            if edge is not tensor and tensor.op is x.op:
                continue
            if not is_trainable(edge):
                return Reason(
                    "integer",
                    edge.op.name,
                    f"integer: the path from {x.name!r} passes {edge.name!r}, which is {edge.dtype}",
                )
            if consumer in stops:
                return Reason("stopped", consumer.name, f"stopped: {consumer.name!r} is among stop_gradients")
            arrived = reverse.received.get(consumer)
            if arrived is not None and any(dz is not None and dz != [] for dz in arrived):
                return _broken_by_rule(x, consumer, arrived, reverse)
            for output in consumer.outputs:
                if output not in seen:
                    seen.add(output)
                    queue.append(output)
    return not_connected(x, frontier.ys)


def _broken_by_rule(x: Tensor, op: Operation, arrived: list[Any], reverse: ReversePass) -> Reason:
    # A rule may have given the operation outputs more, behind those that gradients arrived at.
    reached = [t for t, dz in zip(op.outputs, arrived, strict=False) if dz is not None and dz != []]
    if all(t.dtype is not None and not t.dtype.is_trainable for t in reached):
        (y, *_) = reached
        return Reason("integer", op.name, f"integer: the path from {x.name!r} ends in {y.name!r}, which is {y.dtype}")
    if op.type in ("StopGradient", "PreventGradient"):
        return Reason("stopped", op.name, f"stopped: {op.type} node {op.name!r} lies between {x.name!r} and ys")
    how = reverse.why_none(op)
    return Reason("not-differentiable", op.name, f"not differentiable: {op.type} node {op.name!r} {how}")


def _leads_to_ys(x: Tensor, reverse: ReversePass) -> bool:
    edges = reverse.frontier.consumers.get(x.op)
    return edges is not None and (x in reverse.frontier.ys or any(edge is x for edge, _ in edges))


def not_connected(x: Tensor, ys: Sequence[Tensor]) -> Reason:
    """What there is to be said of an x that ys do not depend on: the last nodes that are reached from both sides."""
    y_ops = [y.op for y in ys]
    forth, back = _last_reached_from(x), _last_reached_from_ys(y_ops)
    names = ", ".join(map(_short, ys[:3]))
    text = f"not connected: the last node reached from {_short(x)} is {forth.name!r}, from {names} {back.name!r}"
    text += meant(_twins(x.op, y_ops))
    return Reason("not-connected", forth.name, text, back.name)


def _twins(op: Operation, y_ops: list[Operation]) -> list[str]:
    """Variables that ys depend on and that are called like this one but for a number: a Keras export holds each variable
    several times."""
    if op.type != "VarHandleOp":
        return []
    stem = _NUMBER.sub("", op.name)
    others = [other for other in needed_by(y_ops) if other.type == op.type and _NUMBER.sub("", other.name) == stem]
    return [other.name for other in others if (other["dtype"], other["shape"]) == (op["dtype"], op["shape"])][:3]


def _short(tensor: Tensor) -> str:
    return tensor.name if tensor.index else tensor.op.name


def _last_reached_from(x: Tensor) -> Operation:
    consumers: dict[Tensor, list[Operation]] = {}
    for op in x.graph:
        for tensor in op.inputs:
            consumers.setdefault(tensor, []).append(op)
    last, queue, seen = x.op, deque([x]), {x.op}
    while queue:
        for consumer in consumers.get(queue.popleft(), ()):
            if consumer not in seen:
                seen.add(consumer)
                last = consumer
                queue.extend(consumer.outputs)
    return last


def _last_reached_from_ys(y_ops: list[Operation]) -> Operation:
    """Constants are passed over where there is anything else: axes and shapes are nobody's way."""
    queue, seen, last = deque(y_ops), set(y_ops), y_ops[-1]
    while queue:
        op = queue.popleft()
        if op.type != "Const" or last.type == "Const":
            last = op
        for tensor in op.inputs:
            if tensor.op not in seen:
                seen.add(tensor.op)
                queue.append(tensor.op)
    return last
