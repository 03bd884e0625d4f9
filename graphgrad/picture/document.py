"""What a picture shows, as a document of plain values: every node with what is known of it, repeated texts written once.

Where a graph is held against another, the document holds the nodes of both, each with what became of it.
"""

from __future__ import annotations

import re
from typing import Any

from graphgrad import listing
from graphgrad.diff import Difference, NodeChange, diff
from graphgrad.graph import Graph, Operation
from graphgrad.listing import producers_first

SAME, ADDED, REMOVED, CHANGED = "same", "added", "removed", "changed"
_OF_GRADIENT = re.compile(r"(.*?)/(?:.*_grad(?:ient_sum)?(?:_\d+)?/|grad_ys_\d+)")


class _Texts:
    """Texts by number, each once."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}

    def number(self, text: str) -> int:
        return self.numbers.setdefault(text, len(self.numbers))


def document(graph: Graph, before: Graph | None = None, difference: Difference | None = None) -> dict[str, Any]:
    """The nodes of a graph, those of `before` that it lacks among them, producers first.

    `difference` is what of the two graphs counts as different; everything, by default.

    `nodes` has one list per node: name, number of its op type, whether it belongs to a gradient (0 or 1), status,
    numbers of the nodes it takes tensors from, of those it waits for, of its outputs' and its attributes' texts, its
    device, a constant's elements, and what changed. `texts` holds the texts.
    """
    texts = _Texts()
    if before is not None and difference is None:
        difference = diff(before, graph)
    status, changes = _statuses(difference)
    operations = producers_first(graph)
    if before is not None:
        operations += [op for op in producers_first(before) if op.name not in graph]
    numbers = {op.name: i for i, op in enumerate(operations)}
    gradient_scopes = _gradient_scopes(operations)
    nodes = []
    for op in operations:
        nodes.append(
            [
                op.name,
                texts.number(op.type),
                int(op.name.partition("/")[0] in gradient_scopes),
                status.get(op.name, SAME),
                [numbers[t.op.name] for t in op.inputs],
                [numbers[c.name] for c in op.control_inputs],
                [texts.number(listing.described(t)) for t in op.outputs],
                [texts.number(f"{name} = {value}") for name, value in listing.attributes_of(op)],
                op.device,
                listing.elements(op) if op.type == "Const" else "",
                changes.get(op.name, []),
            ]
        )
    return {"compared": before is not None, "nodes": nodes, "texts": list(texts.numbers)}


def _statuses(difference: Difference | None) -> tuple[dict[str, str], dict[str, list[str]]]:
    if difference is None:
        return {}, {}
    status = {op.name: ADDED for op in difference.added} | {op.name: REMOVED for op in difference.removed}
    status |= {change.name: CHANGED for change in difference.changed}
    return status, {change.name: _changes(change) for change in difference.changed}


def _changes(change: NodeChange) -> list[str]:
    lines = [f"{field}: {a} -> {b}" for field, (a, b) in change.fields.items()]
    if change.largest_difference is not None:
        lines.append(f"largest difference {change.largest_difference:.6g}")
    return lines


def _gradient_scopes(operations: list[Operation]) -> set[str]:
    """The outermost scopes that hold gradients: those with a scope `<op>_grad` or a `grad_ys_<i>` in them."""
    return {found[1].partition("/")[0] for op in operations if (found := _OF_GRADIENT.match(op.name))}
