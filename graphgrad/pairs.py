"""Which functions of two graphs are one and the same, although the names of generated functions end in numbers that count on.

A function of the one graph is paired with at most one of the other.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from graphgrad.graph import Graph
from graphgrad.schema import graph_pb2
from graphgrad.scopes import Node, Renames, renames

_NUMBER = re.compile(r"_\d+(?=_|$)")
_LAST_NUMBER = re.compile(r"_(\d+)$")


def paired(a: Graph, b: Graph, scopes: Renames, names_count: bool = True) -> dict[str, str]:
    """The functions of `a`, each with the one of `b` that stands in its place.

    Functions whose names differ in more than numbers, and the names of renamed scopes, are no pair. Where names count, equal
    ones come first, else what nodes of the same name call, or of that in renamed `scopes`; what is called by no such nodes is
    paired in the order of its numbers.
    """
    pairing = _Pairing(a.functions, b.functions)
    if names_count:
        pairing.join_equal_names()
    pairing.follow(_callers(a), _callers(b), scopes)
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
            x, y = self.before[name], self.after[other]
            arguments = [[arg.name for arg in function.signature.input_arg] for function in (x, y)]
            known = dict(zip(*arguments, strict=True)) if len(arguments[0]) == len(arguments[1]) else {}
            queue.extend(self._called(x.node_def, y.node_def, renames(_places(x), _places(y), known)))

    def follow(self, before: Iterable[graph_pb2.NodeDef], after: Iterable[graph_pb2.NodeDef], scopes: Renames) -> None:
        """Pairs what nodes of the same name call."""
        for name, other in self._called(before, after, scopes):
            self._join(name, other)

    def _called(
        self, before: Iterable[graph_pb2.NodeDef], after: Iterable[graph_pb2.NodeDef], scopes: Renames
    ) -> Iterable[tuple[str, str]]:
        nodes = {node.name: node for node in after}
        for node in before:
            other = scopes.nodes.get(node.name, node.name)
            if other in nodes:
                calls = zip(_calls(node, self.before), _calls(nodes[other], self.after), strict=False)
                # The names of generated functions begin with that of the call.
                name, other = (n.replace("/", "_") for n in (node.name, other))
                yield from ((x, y) for x, y in calls if _without_numbers(x.replace(name, other)) == _without_numbers(y))


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


def _places(function: graph_pb2.FunctionDef) -> Iterator[Node]:
    """The arguments and nodes of a function; inputs that are none of these are left out."""
    names = {arg.name for arg in function.signature.input_arg} | {node.name for node in function.node_def}
    yield from (Node(arg.name, "_Arg", ()) for arg in function.signature.input_arg)
    for node in function.node_def:
        inputs = (text.partition(":")[0] for text in node.input if text[:1] != "^")
        yield Node(node.name, node.op, tuple([name for name in inputs if name in names]))


def _without_numbers(name: str) -> str:
    return _NUMBER.sub("", name)


def _last_number(name: str) -> tuple[int, str]:
    found = _LAST_NUMBER.search(name)
    return (int(found[1]) if found else -1), name
