"""What lies between xs and ys: which operations a gradient can pass, how many gradients each awaits, where it stops.

All walks use a queue of their own and visit what ys depend on, never the whole graph; orders follow the edges alone.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from graphgrad.graph import Operation
from graphgrad.handles import is_trainable
from graphgrad.tensors import Tensor


class Frontier:
    """The part of the graph that a reverse pass from ys to xs crosses."""

    def __init__(self, ys: Sequence[Tensor], xs: Sequence[Tensor], stop_gradients: Sequence[Tensor] = ()):
        self.ys, self.xs = ys, xs
        self.y_ops = [y.op for y in ys]
        self.x_ops = [x.op for x in xs]
        self.stop_ops = [t.op for t in stop_gradients]
        self.consumers = self._consumers_before_ys()
        self.between = self._between()

    def _consumers_before_ys(self) -> dict[Operation, list[tuple[Tensor, Operation]]]:
        """Everything ys depend on, each with the edges that lead on towards ys."""
        consumers: dict[Operation, list[tuple[Tensor, Operation]]] = {op: [] for op in self.y_ops}
        queue = deque(consumers)
        while queue:
            op = queue.popleft()
            for tensor in op.inputs:
                edges = consumers.get(tensor.op)
                if edges is None:
                    edges = consumers[tensor.op] = []
                    queue.append(tensor.op)
                edges.append((tensor, op))
        return consumers

    def _reached_from_xs(self) -> set[Operation]:
        """Reached from xs through trainable tensors, on the way to ys."""
        reached = set(self.x_ops)
        queue = deque(dict.fromkeys(self.x_ops))
        while queue:
            for tensor, consumer in self.consumers.get(queue.popleft(), ()):
                if consumer not in reached and is_trainable(tensor):
                    reached.add(consumer)
                    queue.append(consumer)
        return reached

    def _between(self) -> dict[Operation, None]:
        """What is reached from xs and lies before ys, in the order of a walk back from ys."""
        reached = self._reached_from_xs()
        between: dict[Operation, None] = {}
        queue = deque(self.y_ops)
        while queue:
            op = queue.popleft()
            if op in reached:
                reached.remove(op)
                between[op] = None
                queue.extend([tensor.op for tensor in op.inputs])
        return between

    def awaited_gradients(self) -> dict[Operation, int]:
        """For each operation between, how many of its consumers between have to be visited before it."""
        awaited = dict.fromkeys(self.between, 0)
        for op in self.between:
            for tensor in op.inputs:
                if tensor.op in awaited:
                    awaited[tensor.op] += 1
        return awaited

    def stops(self, awaited: dict[Operation, int]) -> set[Operation]:
        """Not differentiated: stop_gradients, and the ops of xs that no other x is reached through."""
        ends = {op for op in self.x_ops if not any(awaited.get(t.op) for t in op.inputs)}
        return ends | set(self.stop_ops)

    def path_through(self, op: Operation) -> list[Operation]:
        """A shortest chain of operations from an x through `op` to a y."""
        xs, ys = set(self.x_ops), set(self.y_ops)
        back = _shortest(op, xs, lambda o: (t.op for t in o.inputs if t.op in self.between))
        forth = _shortest(op, ys, lambda o: (c for _, c in self.consumers.get(o, ()) if c in self.between))
        return back[::-1] + forth[1:]


def _shortest(start: Operation, ends: set[Operation], neighbours) -> list[Operation]:  # type: ignore[no-untyped-def]
    came_from: dict[Operation, Operation | None] = {start: None}
    queue = deque([start])
    while queue:
        op = queue.popleft()
        if op in ends:
            path: list[Operation] = []
            step: Operation | None = op
            while step is not None:
                path.append(step)
                step = came_from[step]
            return path[::-1]
        for neighbour in neighbours(op):
            if neighbour not in came_from:
                came_from[neighbour] = op
                queue.append(neighbour)
    return [start]
