"""What a picture shows, as a document of plain values: every node with what is known of it, repeated texts written once.

Where a graph is held against another, the document holds the nodes of both, each with what became of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphgrad import listing
from graphgrad.diff import Difference, NodeChange, apart, change, diff
from graphgrad.graph import Graph
from graphgrad.picture.opened import Node, opened
from graphgrad.scopes import Node as Place
from graphgrad.scopes import Renames, renames

SAME, ADDED, REMOVED, CHANGED, RENAMED = "same", "added", "removed", "changed", "renamed"
_SHOWN = 400  # characters of a value that changed
MOST = 100_000  # nodes; calls beyond stay closed


class _Texts:
    """Texts by number, each once."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}

    def number(self, text: str) -> int:
        return self.numbers.setdefault(text, len(self.numbers))


def document(
    graph: Graph, before: Graph | None = None, difference: Difference | None = None, most: int = MOST
) -> dict[str, Any]:
    """The nodes of a graph and of the functions its calls run, those of `before` that it lacks among them, producers first.

    `difference` is what of the two graphs counts as different; everything, by default. Calls are opened, the outermost
    first, as long as there are no more than `most` nodes.

    `nodes` has one list per node: name, number of its op type, whether it belongs to a gradient (0 or 1), status,
    numbers of the nodes that tensors come to it from, of those it waits for, of its outputs' and its attributes' texts, its
    device, a constant's elements, what changed, and, of a call whose functions are shown, the numbers of the nodes it takes
    tensors from: to it tensors come from its functions. `texts` holds the texts, `closed` the names of calls whose
    functions are not shown, with the reason.
    """
    texts = _Texts()
    nodes = opened(graph, most)
    status: dict[str, str] = {}
    changes: dict[str, list[str]] = {}
    numbers = {node: i for i, node in enumerate(nodes)}
    if before is not None:
        former = opened(before, most)
        difference = difference or diff(before, graph)
        scopes = _renames(former, nodes, difference)
        status, changes = _compared(former, nodes, difference, scopes)
        by_name = {node.name: i for i, node in enumerate(nodes)}
        for node in former:
            if (number := by_name.get(scopes.nodes.get(node.name, node.name))) is not None:
                numbers[node] = number
            else:
                numbers[node] = len(nodes)
                nodes.append(node)
    listed = []
    for node in nodes:
        op = node.op
        listed.append(
            [
                node.name,
                texts.number(op.type),
                int(node.is_gradient),
                status.get(node.name, SAME),
                [numbers[source] for source in node.sources],
                [numbers[other] for other in node.waits_for],
                [texts.number(listing.described(t)) for t in op.outputs],
                [texts.number(f"{name} = {value}") for name, value in listing.attributes_of(op)],
                op.device,
                listing.elements(op) if op.type == "Const" else "",
                changes.get(node.name, []),
                [numbers[taken] for taken in node.takes] if node.is_open else [],
            ]
        )
    closed = {node.name: node.closed for node in nodes if node.closed}
    return {"compared": before is not None, "nodes": listed, "texts": list(texts.numbers), "closed": closed}


def _renames(former: list[Node], nodes: list[Node], difference: Difference) -> Renames:
    """The other names of nodes in renamed scopes, those inside of calls among them, and of arguments."""
    before, after = (
        [Place(node.name, node.op.type, tuple([taken.name for taken in node.takes])) for node in side]
        for side in (former, nodes)
    )
    known = dict(difference.renames.nodes)
    found = renames(before, after, known)
    arguments = _arguments(former, nodes, found.nodes)
    return renames(before, after, known | arguments) if arguments else found


def _arguments(former: list[Node], nodes: list[Node], others: Mapping[str, str]) -> dict[str, str]:
    """The other names of arguments of functions that one call runs and that take the same: they are told by their places."""
    taken: list[dict[tuple[str, int], list[Node]]] = [{}, {}]
    for side, group in enumerate((former, nodes)):
        for node in group:
            if node.caller is not None and node.place is not None:
                caller = node.caller.name if side else others.get(node.caller.name, node.caller.name)
                taken[side].setdefault((caller, node.place[0]), []).append(node)
    pairs = [(before, taken[1].get(key, [])) for key, before in taken[0].items()]
    same = [pair for pair in pairs if _types(pair[0]) == _types(pair[1])]
    by_place = [zip(*(sorted(side, key=_place) for side in pair), strict=True) for pair in same]
    return {x.name: y.name for pairs in by_place for x, y in pairs if x.name != y.name}


def _place(node: Node) -> tuple[int, int]:
    assert node.place is not None
    return node.place


def _types(arguments: list[Node]) -> list[str]:
    return [str(node.op.get("dtype")) for node in sorted(arguments, key=_place)]


def _compared(
    former: list[Node], nodes: list[Node], difference: Difference, scopes: Renames
) -> tuple[dict[str, str], dict[str, list[str]]]:
    """What became of each node that is not the same, and how it changed, by its name in the later graph where it is there. Of
    the graph the difference tells it, nodes of functions are compared here."""
    after = {node.name: node for node in nodes}
    before = {scopes.nodes.get(node.name, node.name): node for node in former}
    status = {op.name: ADDED for op in difference.added} | {op.name: REMOVED for op in difference.removed}
    found = {changed.other: changed for changed in difference.changed}
    for side, other, what in ((after, before, ADDED), (before, after, REMOVED)):
        for name, node in side.items():
            if node.caller is not None and name not in other and not _is_hidden(node, other, scopes.nodes):
                status[name] = what
    inside = _renames_inside(before, after)
    for name, node in after.items():
        if node.caller is not None and name in before:
            then = before[name].op
            changed = change(then, node.op, difference.ignored, difference.renamed, inside[then.graph])
            # A function may tell of its arguments more or less of what their callers hand to it.
            is_told = (
                node.op.type == "Placeholder" and changed is not None and list(changed.fields) == ["_output_shapes"]
            )
            if changed is not None and not is_told:
                found[name] = changed
    lines = {name: _changes(changed) for name, changed in found.items()}
    if difference.renames.count:
        for name, new in scopes.nodes.items():
            status[new] = RENAMED
            lines[new] = [f"name: {name} -> {new}", *lines.get(new, [])]
    return status | dict.fromkeys(found, CHANGED), lines


def _renames_inside(before: dict[str, Node], after: dict[str, Node]) -> dict[Graph, Renames]:
    """What nodes are called in each function, for the functions themselves."""
    names: dict[Graph, dict[str, str]] = {}
    for name, node in before.items():
        if name in after:
            names.setdefault(node.op.graph, {})[node.op.name] = after[name].op.name
    return {graph: Renames(nodes=others) for graph, others in names.items()}


def _is_hidden(node: Node, other: dict[str, Node], others: Mapping[str, str]) -> bool:
    """Whether the other picture holds the node's call closed, so that it tells nothing of the node."""
    while node.caller is not None:
        node = node.caller
        if (found := other.get(others.get(node.name, node.name))) is not None:
            return bool(found.closed)
    return False


def _changes(changed: NodeChange) -> list[str]:
    lines = [f"{field}: {' -> '.join(apart(a, b, _SHOWN))}" for field, (a, b) in changed.fields.items()]
    if changed.largest_difference is not None:
        lines.append(f"largest difference {changed.largest_difference:.6g}")
    return lines
