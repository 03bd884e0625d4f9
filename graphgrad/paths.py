"""The way of a gradient between two tensors: the operations it passes, and what on them lets none through.

Of all ways the one with the fewest obstacles is taken, of these a shortest one; of a loop's, those that pass its body at least
once. Where no way leads through, it is told where all of them end.
"""

from __future__ import annotations

import dataclasses
import heapq
from collections import deque
from collections.abc import Iterable
from typing import Any

from graphgrad import registry
from graphgrad.controlflow.frames import ENTERS, EXITS, frames_of
from graphgrad.controlflow.noted import loops_noted
from graphgrad.definitions import Body
from graphgrad.depth import with_room
from graphgrad.graph import Graph, Operation, needed_by
from graphgrad.library import Library, functions_run_by, is_call
from graphgrad.reasons import not_connected
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
    """The stages from the first tensor to the last; none where the one does not depend on the other: `ends` are the
    operations that take what follows from the first and give what the last depends on, `reason` is a sentence."""

    start: str
    end: str
    stages: list[Stage]
    ends: list[Stage] = dataclasses.field(default_factory=list)
    reason: str | None = None

    @property
    def obstacles(self) -> list[Stage]:
        return [stage for stage in self.stages if stage.obstacle]

    def as_json(self) -> dict[str, Any]:
        return {
            "from": self.start,
            "to": self.end,
            "connected": bool(self.stages),
            "stages": [dataclasses.asdict(stage) for stage in self.stages],
            "ends": [dataclasses.asdict(stage) for stage in self.ends],
            "reason": self.reason,
        }


def path(graph: Graph, start: str, end: str) -> Path:
    """The way from `start` to `end`. Raises ArgumentError for names that are not in the graph."""
    first, last = graph.tensor(start), graph.tensor(end)
    return with_room(graph.functions.depth, lambda: _path(_Search(graph), first, last))


def _path(search: _Search, first: Tensor, last: Tensor) -> Path:
    ways = search.ways(first)
    stages = ways.stages(last)
    if stages:
        return Path(first.name, last.name, stages)
    return Path(first.name, last.name, [], search.ends(ways, last), not_connected(first, [last]).text)


class _Ways:
    """The best ways from a tensor to all that depend on it."""

    def __init__(self, first: Tensor):
        self.came_from: dict[Tensor, Tensor | None] = {first: None}
        self.obstacle: dict[Tensor, str | None] = {first: _dtype_obstacle(first)}
        self.count = {first: 0}  # of obstacles behind the first tensor

    def stages(self, last: Tensor) -> list[Stage]:
        stages: list[Stage] = []
        at = last if last in self.count else None
        while at is not None:
            stages.append(Stage(at.op.name, at.op.type, at.name, self.obstacle[at]))
            at = self.came_from[at]
        return stages[::-1]

    def first_obstacle(self, last: Tensor) -> str:
        """The first behind the first tensor, with its node; empty where there is none."""
        stops = [stage for stage in self.stages(last)[1:] if stage.obstacle]
        return f"at {stops[0].node}: {stops[0].obstacle}" if stops else ""


class _Search:
    """Ways through a graph and through what its calls run, where each function is searched once for each argument."""

    def __init__(self, graph: Graph):
        self.library: Library = graph.functions
        self._one_way = _left_without_gradient(graph)
        self._consumers: dict[Graph, dict[Tensor, list[Operation]]] = {}
        self._inside: dict[tuple[str, int], _Ways] = {}
        self._rounds: dict[tuple[Operation, Tensor], dict[int, tuple[int, str]]] = {}

    def ways(self, first: Tensor) -> _Ways:
        ways, queue = _Ways(first), deque([first])
        consumers = self._consumers_in(first.graph)
        while queue:
            tensor = queue.popleft()
            for op in consumers.get(tensor, ()):
                for output in op.outputs:
                    passage = self._passage(op, tensor, output)
                    if passage is None:
                        continue
                    count = ways.count[tensor] + (passage != "")
                    if output not in ways.count or count < ways.count[output]:
                        ways.came_from[output], ways.count[output] = tensor, count
                        ways.obstacle[output] = passage or None
                        (queue.append if count > ways.count[tensor] else queue.appendleft)(output)
        return ways

    def ends(self, ways: _Ways, last: Tensor) -> list[Stage]:
        """Where all ways end that might have led to `last`, each with the reason."""
        before = dict.fromkeys(needed_by([last.op]))
        wanted = {t for op in before for t in op.inputs} | {last}
        found = []
        for tensor in ways.count:
            for op in self._consumers_in(last.graph).get(tensor, ()):
                missed = [t for t in op.outputs if t in wanted and t not in ways.count]
                if op in before and missed:
                    found.append(Stage(op.name, op.type, missed[0].name, self._why_not(op, tensor, missed[0])))
        return list(dict.fromkeys(found)) + _unreached_exits(ways, before)

    def _consumers_in(self, graph: Graph) -> dict[Tensor, list[Operation]]:
        found = self._consumers.get(graph)
        if found is None:
            found = self._consumers[graph] = {}
            for op in graph:
                for tensor in dict.fromkeys(op.inputs):
                    found.setdefault(tensor, []).append(op)
        return found

    def _passage(self, op: Operation, tensor: Tensor, output: Tensor) -> str | None:
        """What stops a gradient between an input and an output, empty where nothing does; None where the one does not
        follow from the other."""
        rule = registry.gradient_rule(op.type)
        if rule is None:
            return f"{op.type} has no gradient on purpose"
        if rule is registry.UNKNOWN and op.type not in op.graph.functions:
            return f"no gradient is registered for {op.type}"
        inside: str | None = self._one_way.get(op, "")
        if is_call(op):
            self.library.refuse_recursion(self.library.called_by([op.node_def()]), op)
            through = self._through_loop if op.type in LOOPS else self._through_call
            inside = through(op, tensor, output)
        return inside if inside is None else _dtype_obstacle(output) or inside

    def _through_call(self, op: Operation, tensor: Tensor, output: Tensor) -> str | None:
        """The same, through the functions that a call runs; of several the one that lets most through."""
        functions, found = functions_run_by(op), []
        called = [each for each in functions if tensor in each.arguments]
        if not called:
            return f"{tensor.name} decides which branch runs, and that has no gradient" if functions else ""
        for each in called:
            body = self.library.body(each.name, op)
            result = body.results[output.index]
            for i in _places(each.arguments, tensor):
                ways = self._inside_of(body, i)
                if result in ways.count:
                    found.append((ways.count[result], _inside(each.name, ways.first_obstacle(result))))
        return min(found, key=lambda way: way[0])[1] if found else None

    def _through_loop(self, op: Operation, tensor: Tensor, output: Tensor) -> str | None:
        """The same, through the body of a While, once or more often."""
        after = self._after_rounds(op, tensor).get(output.index)
        if after is not None:
            return after[1]
        if op.inputs[output.index] is not tensor:
            return None
        return (
            f"{op.function('body')} makes it anew in each iteration, so that only a loop of none hands {tensor.name} on"
        )

    def _after_rounds(self, op: Operation, tensor: Tensor) -> dict[int, tuple[int, str]]:
        """For each loop variable that follows from what begins as `tensor`: how many obstacles there are, and the first."""
        found = self._rounds.get((op, tensor))
        if found is not None:
            return found
        found = self._rounds[op, tensor] = {}
        body, left = self.library.body(op.function("body"), op), [(0, i, "") for i in _places(op.inputs, tensor)]
        done: set[int] = set()
        while left:
            count, i, stop = heapq.heappop(left)
            if i in done:
                continue
            done.add(i)
            ways = self._inside_of(body, i)
            for j, result in enumerate(body.results):
                if result in ways.count and (j not in found or count + ways.count[result] < found[j][0]):
                    found[j] = count + ways.count[result], stop or _inside(body.name, ways.first_obstacle(result))
                    heapq.heappush(left, (found[j][0], j, found[j][1]))
        return found

    def _inside_of(self, body: Body, argument: int) -> _Ways:
        found = self._inside.get((body.name, argument))
        if found is None:
            found = self._inside[body.name, argument] = self.ways(body.arguments[argument])
        return found

    def _why_not(self, op: Operation, tensor: Tensor, output: Tensor) -> str:
        if op.type not in LOOPS:
            return f"{output.name} does not follow from {tensor.name} in what it runs"
        begun, reached = _places(op.inputs, tensor), sorted(self._after_rounds(op, tensor))
        cond = self.library.body(op.function("cond"), op)
        steers = any(cond.results[0] in self._inside_of(cond, i).count for i in {*begun, *reached})
        others = ", ".join(map(str, reached)) or "none"
        only = "; it decides how many iterations there are" if steers else ""
        return f"loop variable {begun[0]} reaches {others}, never {output.index}{only}"


def _left_without_gradient(graph: Graph) -> dict[Operation, str]:
    """The nodes that leave loops of version 1 that were made to have no gradient, with the reason."""
    names = {name for name, loop in loops_noted(graph).items() if not loop.back_prop}
    frames = frames_of(graph) if names else {}
    exits = [op for op, frame in frames.items() if op.type in EXITS and frame.name in names]
    return {op: f"loop {frames[op].name!r} was made with back_prop=False" for op in exits}


def _unreached_exits(ways: _Ways, before: Iterable[Operation]) -> list[Stage]:
    """Variables of while loops of version 1 that are needed, where others of the same loop are reached."""
    exits = [op for op in before if op.type in EXITS and op.outputs[0] not in ways.count]
    frames = frames_of(exits[0].graph) if exits else {}
    found = []
    for op in exits:
        entered = [e.name for e in frames[op].of_type(ENTERS) if e.outputs[0] in ways.count]
        if entered:
            why = f"what enters the loop at {', '.join(entered)} never reaches this variable"
            found.append(Stage(op.name, op.type, op.outputs[0].name, why))
    return found


def _places(tensors: Any, tensor: Tensor) -> list[int]:
    return [i for i, other in enumerate(tensors) if other is tensor]


def _inside(name: str, obstacle: str) -> str:
    return f"inside {name}, {obstacle}" if obstacle else ""


def _dtype_obstacle(tensor: Tensor) -> str | None:
    if tensor.dtype is None or tensor.dtype.is_trainable:
        return None
    return f"{tensor.name} is {tensor.dtype}, and only floating and complex tensors have gradients"
