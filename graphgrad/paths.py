"""The way of a gradient between two tensors: the operations it passes, and what on them lets none through.

Of all ways the one with the fewest obstacles is taken, of these a shortest one.
"""

from __future__ import annotations

import dataclasses
from collections import deque
from typing import Any

from graphgrad import registry
from graphgrad.graph import Graph, Operation, Tensor


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
    consumers: dict[Tensor, list[Operation]] = {}
    for op in graph:
        for tensor in dict.fromkeys(op.inputs):
            consumers.setdefault(tensor, []).append(op)
    came_from: dict[Tensor, Tensor | None] = {first: None}
    obstacles_before = {first: 0}
    queue = deque([first])
    while queue:
        tensor = queue.popleft()
        for op in consumers.get(tensor, ()):
            for output in op.outputs:
                count = obstacles_before[tensor] + (_obstacle(op, output) is not None)
                if output not in obstacles_before or count < obstacles_before[output]:
                    came_from[output], obstacles_before[output] = tensor, count
                    (queue.append if count > obstacles_before[tensor] else queue.appendleft)(output)
    return Path(first.name, last.name, _stages(last, came_from))


def _stages(last: Tensor, came_from: dict[Tensor, Tensor | None]) -> list[Stage]:
    if last not in came_from:
        return []
    stages: list[Stage] = []
    tensor: Tensor | None = last
    while tensor is not None:
        before = came_from[tensor]
        obstacle = _dtype_obstacle(tensor) if before is None else _obstacle(tensor.op, tensor)
        stages.append(Stage(tensor.op.name, tensor.op.type, tensor.name, obstacle))
        tensor = before
    return stages[::-1]


def _obstacle(op: Operation, output: Tensor) -> str | None:
    rule = registry.gradient_rule(op.type)
    if rule is None:
        return f"{op.type} has no gradient on purpose"
    if rule is registry.UNKNOWN and op.type not in op.graph.functions:
        return f"no gradient is registered for {op.type}"
    return _dtype_obstacle(output)


def _dtype_obstacle(tensor: Tensor) -> str | None:
    if tensor.dtype is None or tensor.dtype.is_trainable:
        return None
    return f"{tensor.name} is {tensor.dtype}, and only floating and complex tensors have gradients"
