"""Which functions of two graphs are one and the same, although the names of generated functions end in numbers that count on.

A function of the one graph is paired with at most one of the other.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any

from graphgrad.graph import Graph
from graphgrad.schema import graph_pb2

_NUMBER = re.compile(r"_\d+(?=_|$)")
_LAST_NUMBER = re.compile(r"_(\d+)$")


def paired(a: Graph, b: Graph, names_count: bool = True) -> dict[str, str]:
    """The functions of `a`, each with the one of `b` that stands in its place.

    Functions whose names differ in more than numbers are no pair. Where names count, equal ones come first, else what nodes
    of the same name call; what is called by no such nodes is paired in the order of its numbers.
    """
    pairing = _Pairing(a.functions, b.functions)
    if names_count:
        pairing.join_equal_names()
    pairing.follow(_callers(a), _callers(b))
    pairing.join_equal_names()
    pairing.join_in_order()
    return {name: pairing.other[name] for name in a.functions if name in pairing.other}


class _Pairing:
    def __init__(self, before: Mapping[str, Any], after: Mapping[str, Any]):
        self.before, self.after = before, after
        self.other: dict[str, str] = {}
        self.taken: set[str] = set()

    def join_equal_names(self) -> None:
        for name in self.before:
            if name in self.after:
                self._join(name, name)

    def join_in_order(self) -> None:
        """Pairs what is left over and differs in its last number alone."""
        left: dict[str, tuple[list[str], list[str]]] = {}
        for side, names in enumerate((self.before, self.after)):
            for name in names:
                if name not in (self.taken if side else self.other):
                    left.setdefault(_LAST_NUMBER.sub("", name), ([], []))[side].append(name)
        for group in left.values():
            for name, other in zip(*(sorted(names, key=_last_number) for names in group), strict=False):
                self._join(name, other)

    def _join(self, name: str, other: str) -> None:
        queue = deque([(name, other)])
        while queue:
            name, other = queue.popleft()
            if name in self.other or other in self.taken:
                continue
            self.other[name] = other
            self.taken.add(other)
            queue.extend(self._called(self.before[name].node_def, self.after[other].node_def))

    def follow(self, before: Iterable[graph_pb2.NodeDef], after: Iterable[graph_pb2.NodeDef]) -> None:
        """Pairs what nodes of the same name call."""
        for name, other in self._called(before, after):
            self._join(name, other)

    def _called(
        self, before: Iterable[graph_pb2.NodeDef], after: Iterable[graph_pb2.NodeDef]
    ) -> Iterable[tuple[str, str]]:
        nodes = {node.name: node for node in after}
        for node in before:
            if node.name in nodes:
                calls = zip(_calls(node, self.before), _calls(nodes[node.name], self.after), strict=False)
                yield from ((x, y) for x, y in calls if _NUMBER.sub("", x) == _NUMBER.sub("", y))


def _callers(graph: Graph) -> list[graph_pb2.NodeDef]:
    """The nodes of a graph that may call functions: without any there is nothing to look for."""
    return [op.node_def() for op in graph] if graph.functions else []


def _calls(node: graph_pb2.NodeDef, library: Mapping[str, Any]) -> list[str]:
    """The functions that a node names, in the order of its attributes' names."""
    if node.op in library:
        return [node.op]
    attrs = [node.attr[name] for name in sorted(node.attr)]
    called = [f.name for attr in attrs for f in ([attr.func] if attr.HasField("func") else attr.list.func)]
    return [name for name in called if name in library]


def _last_number(name: str) -> tuple[int, str]:
    found = _LAST_NUMBER.search(name)
    return (int(found[1]) if found else -1), name
