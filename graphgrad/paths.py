"""The way of a gradient between two tensors: the operations it passes, and what on them lets none through.

Of all ways the one with the fewest obstacles is taken, of these a shortest one.
"""

from __future__ import annotations

import dataclasses
from collections import deque
from typing import Any

from graphgrad import registry
from graphgrad.depth import with_room
from graphgrad.graph import Graph, Operation
from graphgrad.library import functions_run_by, is_call
from graphgrad.tensors import Tensor

LOOPS = ("While", "StatelessWhile")


@dataclasses.dataclass(frozen=True)
class Stage:
    """An operation on the way, the tensor that leads on from it, and why a gradient does not come through, if so."""

    node: str
    op: str
    tensor: str
    obstacle: str | None


@dataclasses.dataclass(frozen=True)
class Path:
    """The stages from the first tensor to the last; none where the one does not depend on the other."""

    start: str
    end: str
    stages: list[Stage]

    @property
    def obstacles(self) -> list[Stage]:
        return [stage for stage in self.stages if stage.obstacle]

    def as_json(self) -> dict[str, Any]:
        return {
            "from": self.start,
            "to": self.end,
            "connected": bool(self.stages),
            "stages": [dataclasses.asdict(stage) for stage in self.stages],
        }


def path(graph: Graph, start: str, end: str) -> Path:
    """The way from `start` to `end`. Raises ArgumentError for names that are not in the graph."""
    first, last = graph.tensor(start), graph.tensor(end)
    return with_room(graph.functions.depth, lambda: _way(graph, first, last))


def _way(graph: Graph, first: Tensor, last: Tensor) -> Path:
    consumers: dict[Tensor, list[Operation]] = {}
    for op in graph:
        for tensor in dict.fromkeys(op.inputs):
            consumers.setdefault(tensor, []).append(op)
    came_from: dict[Tensor, Tensor | None] = {first: None}
    obstacles: dict[Tensor, str | None] = {first: _dtype_obstacle(first)}
    obstacles_before = {first: 0}
    queue = deque([first])
    while queue:
        tensor = queue.popleft()
        for op in consumers.get(tensor, ()):
            for output in op.outputs:
                passage = _passage(op, tensor, output)
                if passage is None:
                    continue
                count = obstacles_before[tensor] + (passage != "")
                if output not in obstacles_before or count < obstacles_before[output]:
                    came_from[output], obstacles_before[output], obstacles[output] = tensor, count, passage or None
                    (queue.append if count > obstacles_before[tensor] else queue.appendleft)(output)
    stages: list[Stage] = []
    at = last if last in came_from else None
    while at is not None:
        stages.append(Stage(at.op.name, at.op.type, at.name, obstacles[at]))
        at = came_from[at]
    return Path(first.name, last.name, stages[::-1])


def _passage(op: Operation, tensor: Tensor, output: Tensor) -> str | None:
    """What stops a gradient between an input and an output, empty where nothing does; None where the one does not follow
    from the other."""
    rule = registry.gradient_rule(op.type)
    if rule is None:
        return f"{op.type} has no gradient on purpose"
    if rule is registry.UNKNOWN and op.type not in op.graph.functions:
        return f"no gradient is registered for {op.type}"
    found = _dtype_obstacle(output) or ""
    if found or op.type in LOOPS or not is_call(op):
        return found
    return _passage_inside(op, tensor, output)


def _passage_inside(op: Operation, tensor: Tensor, output: Tensor) -> str | None:
    """The same, through the functions that a call runs; of several the one that lets most through."""
    library = op.graph.functions
    library.refuse_recursion(library.called_by([op.node_def()]), op)
    called = [c for c in functions_run_by(op) if tensor in c.arguments]
    if not called:
        return ""
    ways = []
    for each in called:
        body = library.body(each.name, op)
        handed = zip(body.arguments, each.arguments, strict=True)
        ways += [_way(body.graph, argument, body.results[output.index]) for argument, x in handed if x is tensor]
    ways = [way for way in ways if way.stages]
    if not ways:
        return None
    stops = min((way.obstacles for way in ways), key=len)
    return f"inside, at {stops[0].node}: {stops[0].obstacle}" if stops else ""


def _dtype_obstacle(tensor: Tensor) -> str | None:
    if tensor.dtype is None or tensor.dtype.is_trainable:
        return None
    return f"{tensor.name} is {tensor.dtype}, and only floating and complex tensors have gradients"
