"""A graph with its calls opened: the nodes of the functions they run stand before them, named `call/node`, and tensors flow
from what a call is handed through its functions to the call.

The outermost calls are opened first, and none once there are as many nodes as are wanted.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Sequence

from graphgrad.controlflow.frames import producers_first
from graphgrad.definitions import Body
from graphgrad.graph import Graph, Operation
from graphgrad.library import functions_run_by, is_call
from graphgrad.tensors import Tensor

_OF_GRADIENT = re.compile(r"(.*?)/(?:.*_grad(?:ient_sum)?(?:_\d+)?/|grad_ys_\d+)")


class Node:
    """An operation where it stands. `sources` is what tensors come from, `takes` what its inputs name. An argument has a place:
    which of the caller's functions takes it, and as which."""

    __slots__ = ("caller", "closed", "is_gradient", "is_open", "name", "op", "place", "sources", "takes", "waits_for")

    def __init__(self, op: Operation, name: str, is_gradient: bool, caller: Node | None):
        self.op, self.name, self.is_gradient, self.caller = op, name, is_gradient, caller
        self.is_open = False
        self.place: tuple[int, int] | None = None
        self.closed = ""  # why a call is not open
        self.takes: list[Node] = []
        self.sources: list[Node] = []
        self.waits_for: list[Node] = []


class _Level:
    """The nodes of the graph, or of a function that `caller` runs and hands these tensors."""

    def __init__(
        self,
        graph: Graph,
        prefix: str = "",
        caller: Node | None = None,
        body: Body | None = None,
        handed: Sequence[Tensor] = (),
    ):
        self.body, self.handed = body, handed
        self.order = producers_first(graph)
        scopes = {op.name.partition("/")[0] for op in self.order if _OF_GRADIENT.match(op.name)}
        inherited = caller is not None and caller.is_gradient
        self.nodes = {
            op: Node(op, prefix + op.name, inherited or op.name.partition("/")[0] in scopes, caller)
            for op in self.order
        }
        self.inside: dict[Operation, list[_Level]] = {}
        self._scopes: set[str] | None = None

    def has_scope(self, name: str) -> bool:
        """Whether there are nodes in the name scope."""
        if self._scopes is None:
            names = {op.name.rpartition("/")[0] for op in self.order} - {""}
            self._scopes = {scope for name in names for scope in _scopes_of(name)}
        return name in self._scopes

    def flow(self) -> None:
        """Notes what each node takes and waits for."""
        for op, node in self.nodes.items():
            node.takes = node.sources = [self.nodes[t.op] for t in op.inputs]
            node.waits_for = [self.nodes[c] for c in op.control_inputs]


def opened(graph: Graph, most: int) -> list[Node]:
    """The nodes of a graph and of what its calls run, producers first; calls beyond `most` nodes stay closed."""
    whole = _Level(graph)
    levels = _opened(whole, most)
    for level in levels:
        level.flow()
    for level in levels:
        for op, functions in level.inside.items():
            _join(level, op, functions)
    return list(_in_order(whole))


def _opened(whole: _Level, most: int) -> list[_Level]:
    """All levels, the outermost calls opened first."""
    levels, queue, count = [whole], deque([whole]), len(whole.order)
    while queue:
        level = queue.popleft()
        for op in level.order:
            if not is_call(op):
                continue
            node = level.nodes[op]
            found = _functions(level, op)
            size = sum(len(inner.order) for inner in found)
            if count + size > most:
                node.closed = f"there are {most:,} nodes already"
                continue
            if found:
                count += size
                node.is_open, level.inside[op] = True, found
                levels += found
                queue.extend(found)
    return levels


def _functions(level: _Level, op: Operation) -> list[_Level]:
    """The functions that a call runs, each in a name scope of its own. Raises ModelError where they do not fit, or call themselves."""
    node, library, found = level.nodes[op], op.graph.functions, []
    library.check_call(op)
    library.refuse_recursion(library.called_by([op.node_def()]), op)
    for role, name, arguments, _ in functions_run_by(op):
        body = library.body(name, op)
        local = f"{op.name}/{role}" if role else op.name
        prefix = node.name + local[len(op.name) :] + (f"@{name}/" if level.has_scope(local) else "/")
        found.append(_Level(body.graph, prefix, node, body, arguments))
    return found


def _scopes_of(name: str) -> Iterator[str]:
    parts = name.split("/")
    for count in range(1, len(parts) + 1):
        yield "/".join(parts[:count])


def _join(level: _Level, op: Operation, functions: Sequence[_Level]) -> None:
    """Lets tensors flow from what a call is handed to the arguments of its functions, and from their results to the call."""
    node = level.nodes[op]
    handed: set[Tensor] = set()
    given: list[Node] = []
    for which, function in enumerate(functions):
        assert function.body is not None
        for i, (argument, tensor) in enumerate(zip(function.body.arguments, function.handed, strict=True)):
            inner = function.nodes[argument.op]
            inner.place = which, i
            inner.takes = inner.sources = [level.nodes[tensor.op]]
            handed.add(tensor)
        given += [function.nodes[result.op] for result in function.body.results]
        node.waits_for = [*node.waits_for, *(function.nodes[target] for target in function.body.targets)]
    node.sources = [*(level.nodes[t.op] for t in op.inputs if t not in handed), *given]


def _in_order(whole: _Level) -> Iterator[Node]:
    """The nodes of all levels, those inside a call right before it."""
    stack: list[_Level | Node] = [whole]
    while stack:
        item = stack.pop()
        if isinstance(item, Node):
            yield item
            continue
        for op in reversed(item.order):
            stack.append(item.nodes[op])
            stack.extend(reversed(item.inside.get(op, [])))
