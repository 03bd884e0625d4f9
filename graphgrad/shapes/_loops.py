"""Do loop variables keep their shape? A Merge is taken to have the shape that enters the loop; here that is compared
with what comes round, and where it does not hold, all that was inferred from it is forgotten.

Every wave leaves the Merges with less known dimensions, so they come to an end.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from graphgrad.graph import Graph, Operation
from graphgrad.shapes import dims
from graphgrad.tensors import Tensor

BACK_EDGES = frozenset(["NextIteration", "RefNextIteration"])

open_merges: list[Operation] = []  # inferred, and not yet compared
_is_comparing = False


@contextmanager
def apart(graph: Graph) -> Iterator[None]:
    """Inside, loops of this graph are compared, whatever is being inferred of others, and nothing of them is kept."""
    global _is_comparing
    waiting, was_comparing, kept = open_merges[:], _is_comparing, dict(graph.loop_shapes)
    _is_comparing = False
    open_merges.clear()
    try:
        yield
    finally:
        _is_comparing = was_comparing
        open_merges[:] = waiting
        graph.loop_shapes.clear()
        graph.loop_shapes.update(kept)


def back_edge(merge: Operation) -> Tensor | None:
    """The input of a Merge that comes from the iteration before, or None."""
    return next((t for t in merge.inputs if t.op.type in BACK_EDGES), None)


def compare() -> None:
    """Compares every open Merge with what comes round to it."""
    global _is_comparing
    if _is_comparing:
        return
    _is_comparing = True
    try:
        while open_merges:
            _compare_wave()
    finally:
        _is_comparing = False
        open_merges.clear()


def _compare_wave() -> None:
    merges: list[Operation] = []
    changing: dict[Operation, None] = {}
    while open_merges:
        merge = open_merges.pop()
        merges.append(merge)
        _ = merge.inputs[1].shape, merge.inputs[0].shape  # may open others
    for merge in merges:
        back = back_edge(merge)
        assert back is not None
        shape = merge.outputs[0].shape
        kept = dims.common([shape, back.shape])
        if kept != shape:
            merge.graph.loop_shapes[merge] = kept
            changing[merge] = None
    if changing:
        _forget(merges[0].graph, changing)
        for merge in merges:
            _ = merge.outputs[0].shape


def _forget(graph: Graph, changing: dict[Operation, None]) -> None:
    """Forgets what was inferred of these operations and of all that depend on them."""
    consumers: dict[Operation, list[Operation]] = {}
    for op in graph:
        for tensor in op.inputs:
            consumers.setdefault(tensor.op, []).append(op)
    affected, queue = dict(changing), list(changing)
    while queue:
        for consumer in consumers.get(queue.pop(), ()):
            if consumer not in affected:
                affected[consumer] = None
                queue.append(consumer)
    for op in affected:
        op.facts = None
