"""Which nodes of two graphs are one although their name scopes were renamed, as `model/` to `model_1/`.

Nodes of equal names are one beforehand. What is left over is paired scope by scope, the outer ones first: by what is in a scope,
where that is not clear by what its nodes read and are read by, and last by the numbers in its name. A scope whose nodes do not
read what they would then have to is no pair. Time is linear in nodes, edges and the lengths of names.
"""

from __future__ import annotations

import dataclasses
import functools
import re
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from graphgrad import collector

_NUMBER = re.compile(r"_\d+(?=_|$)")
_WIDESPREAD = 8  # scopes that hold a node of the same name and type: more tell nothing


class Node(NamedTuple):
    """As much of a node as tells its place: the names of the nodes that its data inputs come from."""

    name: str
    type: str
    inputs: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Rename:
    """A scope of the first graph, what it is called in the second, both with a slash behind, and how many nodes are in both."""

    before: str
    after: str
    nodes: int


@dataclasses.dataclass(frozen=True)
class Renames:
    """The scopes that were renamed, outer ones first, and the other name of each node in them."""

    scopes: tuple[Rename, ...] = ()
    nodes: Mapping[str, str] = dataclasses.field(default_factory=dict)
    count: bool = True  # whether graphs that differ in nothing else differ

    def __bool__(self) -> bool:
        return self.count and bool(self.scopes)

    def text(self, text: str) -> str:
        """A text that may name a node or a scope, as it stands in the second graph."""
        place = "loc:@" if text.startswith("loc:@") else ""
        name = text[len(place) :]
        if name in self.nodes:
            return place + self.nodes[name]
        end = len(name)
        while end >= 0:
            end = name.rfind("/", 0, end)
            if (scope := name[: end + 1]) in self._others:
                return place + self._others[scope] + name[end + 1 :]
        return text

    @functools.cached_property
    def _others(self) -> dict[str, str]:
        return {scope.before: scope.after for scope in self.scopes}


def renames(before: Iterable[Node], after: Iterable[Node], known: Mapping[str, str] | None = None) -> Renames:
    """What of the nodes of one graph stands in another one under another scope. `known` are the other names of nodes that are
    pairs whatever their names are; they are among `Renames.nodes`."""
    x, y = {node.name: node for node in before}, {node.name: node for node in after}
    pairs = {name: name for name in x if name in y} | dict(known or {})
    taken = set(pairs.values())
    removed = [node for name, node in x.items() if name not in pairs]
    added = [node for name, node in y.items() if name not in taken]
    others = {name: other for name, other in pairs.items() if name != other}
    if not (removed and added):
        return Renames(nodes=others)
    with collector.paused():
        found = _Pairing(x, y, pairs, removed, added).found()
    return dataclasses.replace(found, nodes={**others, **found.nodes})


class _Scope:
    """A name scope with those nodes in it that are left over."""

    __slots__ = ("label", "name", "nodes", "other", "parent", "record", "scopes", "shape", "size", "tally")

    def __init__(self, label: str, parent: _Scope | None):
        self.label, self.parent = label, parent
        self.name: str = parent.name + label + "/" if parent else ""
        self.nodes: dict[str, Node] = {}  # by the last part of their names
        self.scopes: dict[str, _Scope] = {}
        self.size = self.shape = 0  # how many nodes are inside, and a number that is equal where the same is inside
        self.tally: Counter[tuple[int, str, str]] | None = None
        self.other: _Scope | None = None
        self.record: _Record | None = None

    @property
    def stem(self) -> str:
        return _NUMBER.sub("", self.label)

    def counted(self) -> Counter[tuple[int, str, str]]:
        """How many nodes of each name and type are inside at each depth."""
        if self.tally is None:
            self.tally = Counter()
            stack = [(self, 0)]
            while stack:
                scope, depth = stack.pop()
                self.tally.update((depth, leaf, node.type) for leaf, node in scope.nodes.items())
                stack += [(inner, depth + 1) for inner in scope.scopes.values()]
        return self.tally


@dataclasses.dataclass
class _Record:
    """A scope that was renamed, and the nodes that no scope inside of it tells of that was itself renamed."""

    before: _Scope
    after: _Scope
    outer: _Record | None
    pairs: list[tuple[str, str]] = dataclasses.field(default_factory=list)


class _Pairing:
    def __init__(
        self,
        before: dict[str, Node],
        after: dict[str, Node],
        pairs: Mapping[str, str],
        removed: list[Node],
        added: list[Node],
    ):
        self.before, self.after = before, after
        self.other = dict(pairs)
        self.taken = set(pairs.values())
        self.roots = _tree(removed), _tree(added)
        self.scope_of = tuple(
            {node.name: scope for scope in _scopes(root) for node in scope.nodes.values()} for root in self.roots
        )
        self.refused: set[tuple[_Scope, _Scope]] = set()
        self.readers = _readers(before), _readers(after)
        self.records: list[_Record] = []
        self.waiting: deque[tuple[list[_Scope], list[_Scope]]] = deque()
        self.suggested: list[tuple[str, str]] = []  # nodes that may be one
        self.doubtful: list[tuple[str, str]] = []  # and those whose scopes do not hold quite the same
        self.fresh: list[
            str
        ] = []  # nodes of the first graph that are paired, and whose neighbours have not been looked at

    def found(self) -> Renames:
        self._start()
        while True:
            self._spread()
            if not self.waiting:
                break
            self._settle(*self.waiting.popleft())
        for record in self.records:
            if not self._is_borne_out(record):
                for name, _ in record.pairs:
                    del self.other[name]
                record.pairs = []
        nodes = {name: self.other[name] for record in self.records for name, _ in record.pairs}
        counts: Counter[int] = Counter()
        for record in reversed(self.records):
            counts[id(record)] += len(record.pairs)
            if record.outer is not None:
                counts[id(record.outer)] += counts[id(record)]
        scopes = [Rename(r.before.name, r.after.name, counts[id(r)]) for r in self.records if counts[id(r)]]
        return Renames(tuple(sorted(scopes, key=lambda scope: scope.before)), nodes)

    def _start(self) -> None:
        """Joins the outermost scopes; all there is with the scope it was moved into, or out of."""
        before, after = self.roots
        if (inner := _main_part(after, before)) is not None:
            self._join(*_only_inside(before, inner))
        elif (inner := _main_part(before, after)) is not None:
            self._join(*_only_inside(inner, after))
        else:
            self._join(before, after)

    # ------------------------------------------------------------ scopes

    def _join(self, before: _Scope, after: _Scope) -> None:
        """Makes two scopes one, with what is certain to be one inside of them."""
        stack = [(before, after)]
        while stack:
            x, y = stack.pop()
            if x.other is not None or y.other is not None:
                continue
            x.other, y.other = y, x
            outer = x.parent.record if x.parent is not None else None
            x.record = outer
            is_renamed = x.label != y.label or (x.parent and x.parent.other) is not y.parent
            if is_renamed:
                x.record = _Record(x, y, outer)
                self.records.append(x.record)
            for leaf in x.nodes:
                if leaf in y.nodes:
                    self._pair(x.nodes[leaf], y.nodes[leaf], x.record)
            if x.parent is not None and y.parent is not None:
                own, others = x.parent.nodes.get(x.label), y.parent.nodes.get(y.label)
                if own is not None and others is not None:
                    self._pair(own, others, x.record)
            stack += self._children(x, y)

    def _children(self, x: _Scope, y: _Scope) -> list[tuple[_Scope, _Scope]]:
        """The scopes inside of two that are certain to be pairs; others wait."""
        certain = []
        labels: dict[str, tuple[list[str], list[str]]] = {}
        for side, scope in enumerate((x, y)):
            for label, inner in scope.scopes.items():
                labels.setdefault(inner.stem, ([], []))[side].append(label)
        for mine, theirs in labels.values():
            shared = set(mine) & set(theirs)
            # Where numbers have moved on, equal ones mean different scopes, unless the whole name is the same.
            if x.name == y.name or len(shared) == min(len(mine), len(theirs)):
                certain += [(x.scopes[label], y.scopes[label]) for label in mine if label in shared]
            elif len(mine) == len(theirs):
                moved = list(zip(*(sorted(names, key=_numbers) for names in (mine, theirs)), strict=True))
                if all(x.scopes[label].shape == y.scopes[other].shape for label, other in moved):
                    certain += [(x.scopes[label], y.scopes[other]) for label, other in moved]
        used = {scope for pair in certain for scope in pair}
        rest = [[s for s in scope.scopes.values() if s not in used and s.other is None] for scope in (x, y)]
        shapes = tuple(Counter(scope.shape for scope in side) for side in rest)
        partners = {scope.shape: scope for scope in rest[1] if shapes[1][scope.shape] == 1}
        for scope in rest[0]:
            if shapes[0][scope.shape] == 1 and scope.shape in partners:
                certain.append((scope, partners[scope.shape]))
        if rest[0] and rest[1]:
            self.waiting.append((rest[0], rest[1]))
            self._compare_surroundings(*rest)
        return certain

    def _compare_surroundings(self, left: list[_Scope], right: list[_Scope]) -> None:
        """Notes which nodes in these scopes are alone in reading a pair, or being read by one, in their way: those first that
        most of such nodes speak for."""
        found: list[dict[tuple[str, str, str, int, bool], list[tuple[_Scope, str]]]] = [{}, {}]
        for side, scopes in enumerate((left, right)):
            for outer, node in ((o, node) for o in scopes for scope in _scopes(o) for node in scope.nodes.values()):
                around = [(name, slot, True) for slot, name in enumerate(node.inputs)]
                around += [(reader.name, slot, False) for reader, slot in self.readers[side].get(node.name, ())]
                leaf = node.name.rpartition("/")[2]
                for name, slot, reads in around:
                    if (pair := (name if name in self.taken else None) if side else self.other.get(name)) is not None:
                        found[side].setdefault((pair, leaf, node.type, slot, reads), []).append((outer, node.name))
        votes: dict[tuple[_Scope, _Scope], list[tuple[str, str]]] = {}
        for key, ours in found[0].items():
            theirs = found[1].get(key, [])
            if len(ours) == len(theirs) == 1:
                (x, name), (y, other) = *ours, *theirs
                votes.setdefault((x, y), []).append((name, other))
        self.suggested += [pairs[0] for pairs in sorted(votes.values(), key=len)]

    def _suggest(self, x: str, y: str, only_equal: bool) -> None:
        """Joins scopes around two nodes that may be one."""
        if x in self.other or y in self.taken:
            return
        for a, b in _candidates(self.scope_of[0][x], self.scope_of[1][y]):
            if a.other is not None or b.other is not None or (a, b) in self.refused:
                continue
            if only_equal and a.shape != b.shape:
                self.doubtful.append((x, y))
            elif _are_similar(a, b):
                self._join(a, b)
            else:
                self.refused.add((a, b))

    def _settle(self, left: list[_Scope], right: list[_Scope]) -> None:
        """Joins what nodes around did not tell: what is alike in the order of its numbers, then what has the most in common."""
        for by_order in (True, False):
            before, after = ([s for s in side if s.other is None] for side in (left, right))
            for x, y in _in_order(before, after) if by_order else _most_alike(before, after):
                if _are_similar(x, y):
                    self._join(x, y)

    # ------------------------------------------------------------ nodes

    def _pair(self, x: Node, y: Node, record: _Record | None) -> None:
        if x.name in self.other or y.name in self.taken or record is None:
            return
        self.other[x.name] = y.name
        self.taken.add(y.name)
        record.pairs.append((x.name, y.name))
        self.fresh.append(x.name)

    def _spread(self) -> None:
        """Joins scopes that wait and whose nodes are next to pairs in the same way."""
        while self.fresh or self.suggested or self.doubtful:
            if len(self.other) == len(self.before) or len(self.taken) == len(self.after):
                return
            if self.suggested:
                self._suggest(*self.suggested.pop(), only_equal=True)
            elif self.fresh:
                name = self.fresh.pop()
                self.suggested += self._neighbours(name, self.other[name])
            else:
                self._suggest(*self.doubtful.pop(), only_equal=False)

    def _neighbours(self, name: str, other: str) -> Iterator[tuple[str, str]]:
        """What two nodes read at the same place, and what alone reads them in the same way."""
        yield from zip(self.before[name].inputs, self.after[other].inputs, strict=False)
        mine, theirs = (
            _only_ones((r, s) for r, s in readers.get(n, ()) if r.name not in known)
            for readers, n, known in zip(self.readers, (name, other), (self.other, self.taken), strict=True)
        )
        yield from ((mine[key], theirs[key]) for key in mine if key in theirs)

    def _is_borne_out(self, record: _Record) -> bool:
        """Whether most edges at the nodes of a renamed scope are there in both graphs; names alone do where there are none."""
        agreed = edges = 0
        for name, other in record.pairs:
            x, y = self.before[name], self.after[other]
            edges += max(len(x.inputs), len(y.inputs))
            agreed += sum(self.other.get(a) == b for a, b in zip(x.inputs, y.inputs, strict=False))
            for reader, slot in self.readers[0].get(name, ()):
                if (found := self.after.get(self.other.get(reader.name, ""))) is not None:
                    edges += 1
                    agreed += slot < len(found.inputs) and found.inputs[slot] == other
        return 2 * agreed >= edges if edges else record.before.stem == record.after.stem


def _tree(nodes: list[Node]) -> _Scope:
    """The scopes that these nodes lie in."""
    root = _Scope("", None)
    for node in nodes:
        *path, leaf = node.name.split("/")
        scope = root
        for label in path:
            inner = scope.scopes.get(label)
            if inner is None:
                inner = scope.scopes[label] = _Scope(label, scope)
            scope = inner
        scope.nodes[leaf] = node
    for scope in reversed(_scopes(root)):
        scope.size = len(scope.nodes) + sum(s.size for s in scope.scopes.values())
        scope.shape = sum(hash((leaf, node.type)) for leaf, node in scope.nodes.items())
        scope.shape += sum(hash((s.stem, s.shape)) for s in scope.scopes.values())
    return root


def _scopes(root: _Scope) -> list[_Scope]:
    """A scope and all inside of it, outer ones first."""
    found = [root]
    for scope in found:
        found += scope.scopes.values()
    return found


def _readers(nodes: Mapping[str, Node]) -> dict[str, list[tuple[Node, int]]]:
    """What reads each node, and at which place."""
    readers: dict[str, list[tuple[Node, int]]] = {}
    for node in nodes.values():
        for slot, name in enumerate(node.inputs):
            readers.setdefault(name, []).append((node, slot))
    return readers


def _only_ones(readers: Iterable[tuple[Node, int]]) -> dict[tuple[str, str, int], str]:
    """Readers by how they read and what they are, those that are not alone in it left out."""
    found: dict[tuple[str, str, int], list[str]] = {}
    for node, slot in readers:
        found.setdefault((node.name.rpartition("/")[2], node.type, slot), []).append(node.name)
    return {key: names[0] for key, names in found.items() if len(names) == 1}


def _candidates(x: _Scope, y: _Scope) -> Iterator[tuple[_Scope, _Scope]]:
    """Scopes around two that may be one, so that these two lie in them at the same depth: the outermost without a partner."""
    around = [_unpaired(x), _unpaired(y)]
    for depth in dict.fromkeys(sorted((len(side) for side in around), reverse=True)):
        if depth and all(len(side) >= depth for side in around):
            yield around[0][depth - 1], around[1][depth - 1]


def _unpaired(scope: _Scope | None) -> list[_Scope]:
    """A scope and those around it, up to one that has a partner."""
    found: list[_Scope] = []
    while scope is not None and scope.other is None:
        found.append(scope)
        scope = scope.parent
    return found


def _main_part(whole: _Scope, other: _Scope) -> _Scope | None:
    """The scope inside of `whole` that holds most of it, and what is in `other`."""
    scope = whole
    while scope.scopes:
        scope = max(scope.scopes.values(), key=lambda inner: inner.size)
        if 4 * scope.size < 3 * whole.size:
            break
        if _are_similar(scope, other):
            return scope
    return None


def _only_inside(x: _Scope, y: _Scope) -> tuple[_Scope, _Scope]:
    """Two scopes, or the scopes of one name that are all there is in them: it is these that were moved."""
    if x.nodes or y.nodes or len(x.scopes) != 1 or x.scopes.keys() != y.scopes.keys():
        return x, y
    (label,) = x.scopes
    return x.scopes[label], y.scopes[label]


def _are_similar(x: _Scope, y: _Scope) -> bool:
    """Whether at least half of what is in two scopes is in both."""
    if x.shape == y.shape:
        return True
    if 4 * min(x.size, y.size) < x.size + y.size:
        return False
    few, many = sorted((x.counted(), y.counted()), key=len)
    return 4 * sum(min(count, many[key]) for key, count in few.items() if key in many) >= x.size + y.size


def _in_order(before: list[_Scope], after: list[_Scope]) -> list[tuple[_Scope, _Scope]]:
    """Scopes whose names differ in numbers, in their order, where there are equally many."""
    stems: dict[str, tuple[list[_Scope], list[_Scope]]] = {}
    for side, scopes in enumerate((before, after)):
        for scope in scopes:
            stems.setdefault(scope.stem, ([], []))[side].append(scope)
    return [
        pair
        for x, y in stems.values()
        if len(x) == len(y)
        for pair in zip(
            sorted(x, key=lambda s: _numbers(s.label)), sorted(y, key=lambda s: _numbers(s.label)), strict=True
        )
    ]


def _most_alike(before: list[_Scope], after: list[_Scope]) -> list[tuple[_Scope, _Scope]]:
    """Scopes that have more in common with each other than with any other one."""
    holders: dict[tuple[int, str, str], tuple[list[_Scope], list[_Scope]]] = {}
    for side, scopes in enumerate((before, after)):
        for scope in scopes:
            for key in scope.counted():
                holders.setdefault(key, ([], []))[side].append(scope)
    shared: dict[_Scope, Counter[_Scope]] = {}
    for key, (mine, theirs) in holders.items():
        if len(mine) > _WIDESPREAD or len(theirs) > _WIDESPREAD:
            continue
        for x in mine:
            for y in theirs:
                count = min(x.counted()[key], y.counted()[key])
                for scope, other in ((x, y), (y, x)):
                    shared.setdefault(scope, Counter())[other] += count
    best = {scope: found for scope, others in shared.items() if (found := _clearly_first(others)) is not None}
    return [(x, best[x]) for x in before if x in best and best.get(best[x]) is x]


def _clearly_first(counts: Counter[_Scope]) -> _Scope | None:
    (first, most), *rest = counts.most_common(2)
    return first if not rest or rest[0][1] < most else None


def _numbers(label: str) -> list[int]:
    return [int(number[1:]) for number in _NUMBER.findall(label)]
