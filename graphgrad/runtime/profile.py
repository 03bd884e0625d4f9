"""Where the time of a run goes: what each node cost, summed up by op type, and as a trace that browsers show."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from graphgrad.runtime.steps import Step


class Cost(NamedTuple):
    """One call of a node's kernel: when it began and how long it took, in seconds, and the bytes of its results."""

    name: str
    type: str
    start: float
    seconds: float
    bytes: int


class Total(NamedTuple):
    """All calls of an op type, or of a node."""

    name: str
    calls: int
    seconds: float
    bytes: int
    share: float


class Profile:
    """Watches a run step by step; given to `Plan.run`."""

    def __init__(self) -> None:
        self.costs: list[Cost] = []
        self.begin()

    def begin(self) -> None:
        """The run starts now: what came before, compiling above all, is no node's."""
        self._began = self._last = time.perf_counter()

    def note(self, at: int, step: Step, slots: list[Any]) -> None:
        """Takes down the step that has just run."""
        now = time.perf_counter()
        results = (slots[o] for o in step.outputs if o >= 0)
        size = sum(r.nbytes for r in results if isinstance(r, np.ndarray))
        self.costs.append(Cost(step.op.name, step.op.type, self._last - self._began, now - self._last, size))
        self._last = time.perf_counter()

    def by_type(self) -> list[Total]:
        """One total per op type, the longest first."""
        return self._totals(lambda cost: cost.type)

    def by_node(self) -> list[Total]:
        """One total per node, the longest first."""
        return self._totals(lambda cost: cost.name)

    def _totals(self, key: Callable[[Cost], str]) -> list[Total]:
        groups: dict[str, list[Cost]] = {}
        for cost in self.costs:
            groups.setdefault(key(cost), []).append(cost)
        whole = sum(cost.seconds for cost in self.costs) or 1.0
        totals = []
        for name, costs in groups.items():
            seconds = sum(cost.seconds for cost in costs)
            totals.append(Total(name, len(costs), seconds, sum(cost.bytes for cost in costs), seconds / whole))
        return sorted(totals, key=lambda total: -total.seconds)

    def trace(self) -> bytes:
        """The run in the Chrome trace format: a JSON document of complete events, times in microseconds."""
        events = [
            {
                "name": cost.type,
                "cat": "op",
                "ph": "X",
                "ts": round(cost.start * 1e6, 3),
                "dur": round(cost.seconds * 1e6, 3),
                "pid": 1,
                "tid": 1,
                "args": {"node": cost.name, "bytes": cost.bytes},
            }
            for cost in self.costs
        ]
        return json.dumps({"traceEvents": events, "displayTimeUnit": "ms"}).encode() + b"\n"
