"""What differs between two graphs: nodes, functions, versions; constants by value.

Nodes are matched by name. Spellings that mean the same do not count: `x` and `x:0`, an attribute left at its
default, the order of control inputs, the encoding of a constant.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Collection
from typing import Any

from google.protobuf import text_format

from graphgrad import listing, opdefs
from graphgrad.errors import ArgumentError, did_you_mean
from graphgrad.graph import Graph, Operation
from graphgrad.schema import graph_pb2

ASPECTS = ("op", "inputs", "control", "device", "attr", "internal", "constants", "functions", "versions")
_SHOWN = 60  # characters of a value in a message


@dataclasses.dataclass(frozen=True)
class NodeChange:
    """A node that stands in both graphs and differs; `fields` maps what differs to its value before and after."""

    name: str
    op: str
    fields: dict[str, tuple[str, str]]
    largest_difference: float | None = None

    def as_json(self) -> dict[str, Any]:
        fields = {field: {"a": a, "b": b} for field, (a, b) in self.fields.items()}
        document: dict[str, Any] = {"name": self.name, "op": self.op, "fields": fields}
        if self.largest_difference is not None:
            document["largest_difference"] = self.largest_difference
        return document


@dataclasses.dataclass(frozen=True)
class Difference:
    """Everything that differs, names in the order of the graph they stand in."""

    added: list[Operation]
    removed: list[Operation]
    changed: list[NodeChange]
    functions: dict[str, list[str]]
    versions: tuple[str, str] | None
    ignored: Collection[str] = ()  # aspects that were not looked at

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed or self.versions or any(self.functions.values()))

    def by_scope(self) -> dict[str, dict[str, Counter[str]]]:
        """Outermost scope -> 'added', 'removed' or 'changed' -> how many of each op type."""
        scopes: dict[str, dict[str, Counter[str]]] = {}
        for kind in ("added", "removed", "changed"):
            for item in getattr(self, kind):
                scope = item.name.partition("/")[0] + "/" if "/" in item.name else ""
                op_type = item.op if isinstance(item, NodeChange) else item.type
                scopes.setdefault(scope, {}).setdefault(kind, Counter())[op_type] += 1
        return scopes

    def as_json(self) -> dict[str, Any]:
        """The document the command line prints."""

        def listed(ops: list[Operation]) -> list[dict[str, str]]:
            return [{"name": op.name, "op": op.type} for op in ops]

        return {
            "schema": 1,
            "same": not self,
            "added": listed(self.added),
            "removed": listed(self.removed),
            "changed": [change.as_json() for change in self.changed],
            "functions": self.functions,
            "versions": None if self.versions is None else {"a": self.versions[0], "b": self.versions[1]},
            "scopes": {
                s: {k: dict(sorted(c.items())) for k, c in kinds.items()} for s, kinds in self.by_scope().items()
            },
        }


def diff(a: Graph, b: Graph, ignore: Collection[str] = ()) -> Difference:
    """Compares graph `a` with graph `b`. `ignore` names aspects that do not count (see ASPECTS; ValueError for others)."""
    for aspect in ignore:
        if aspect not in ASPECTS:
            raise ArgumentError(
                f"--ignore {aspect!r}: it must be one of {', '.join(ASPECTS)}{did_you_mean(aspect, ASPECTS)}"
            )
    changed = [c for op in a if op.name in b and (c := change(op, b.operation(op.name), ignore)) is not None]
    return Difference(
        added=[op for op in b if op.name not in a],
        removed=[op for op in a if op.name not in b],
        changed=changed,
        functions=_functions(a, b) if "functions" not in ignore else {"added": [], "removed": [], "changed": []},
        versions=_versions(a, b) if "versions" not in ignore else None,
        ignored=ignore,
    )


def change(a: Operation, b: Operation, ignore: Collection[str] = ()) -> NodeChange | None:
    """What differs between two operations; None where nothing does."""
    fields: dict[str, tuple[str, str]] = {}
    largest = None
    if a.type != b.type and "op" not in ignore:
        fields["op"] = a.type, b.type
    for aspect, read in (("inputs", _inputs), ("control", _controls), ("device", _device)):
        if aspect not in ignore and (before := read(a)) != (after := read(b)):
            fields[aspect] = before, after
    if "attr" not in ignore and a.type == b.type:
        for name in sorted({*a.attr_names(), *b.attr_names()}):
            if name.startswith("_") and "internal" in ignore:
                continue
            before_attr, after_attr = _attr(a, name), _attr(b, name)
            is_whole = a.name not in a.graph.payloads and b.name not in b.graph.payloads
            if before_attr == after_attr and (is_whole or not _holds_tensor(before_attr)):
                continue
            if _holds_tensor(before_attr) and _holds_tensor(after_attr):
                compared = _compare_constants(a, b, name)
                if compared is None or "constants" in ignore:
                    continue
                fields[name], largest = compared
            else:
                fields[name] = _show(before_attr), _show(after_attr)
    return NodeChange(a.name, b.type, fields, largest) if fields else None


def _inputs(op: Operation) -> str:
    return ", ".join(t.op.name if t.index == 0 else t.name for t in op.inputs)


def _controls(op: Operation) -> str:
    return ", ".join(sorted(f"^{c.name}" for c in op.control_inputs))


def _device(op: Operation) -> str:
    return op.device


def _attr(op: Operation, name: str) -> graph_pb2.AttrValue | None:
    """The attribute's message; its default where the node does not carry it; None where there is neither."""
    if name in op.attr_names():
        return op.attr_message(name)
    return opdefs.default(op.type, name)


def _holds_tensor(attr: graph_pb2.AttrValue | None) -> bool:
    return attr is not None and attr.WhichOneof("value") == "tensor"


def _compare_constants(a: Operation, b: Operation, attr: str) -> tuple[tuple[str, str], float | None] | None:
    """None for the same values; else what each is, and the largest difference where shapes agree."""
    from graphgrad.formats import arrays

    before, after = (arrays.from_proto(op[attr], op.graph.payloads.get(op.name)) for op in (a, b))
    shown = f"{before.dtype} {list(before.shape)}", f"{after.dtype} {list(after.shape)}"
    if shown[0] != shown[1]:
        return shown, None
    largest = arrays.largest_difference(before, after)
    if largest == 0:
        return None
    return (arrays.preview(before), arrays.preview(after)), largest


def _show(attr: graph_pb2.AttrValue | None) -> str:
    if attr is None:
        return "(none)"
    text = listing.shown(attr)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."


def _functions(a: Graph, b: Graph) -> dict[str, list[str]]:
    before, after = a.functions, b.functions
    return {
        "added": [name for name in after if name not in before],
        "removed": [name for name in before if name not in after],
        "changed": [name for name in before if name in after and before[name] != after[name]],
    }


def _versions(a: Graph, b: Graph) -> tuple[str, str] | None:
    before, after = (text_format.MessageToString(g.message.versions, as_one_line=True) for g in (a, b))
    return (before, after) if before != after else None
