"""What differs between two graphs: nodes, functions, versions; constants by value.

Nodes are matched by name, in renamed scopes as `scopes` says, functions as `pairs` says. Spellings that mean the same do not count: `x` and `x:0`, an attribute
left at its default, the order of control inputs, the encoding of a constant.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Collection, Mapping
from typing import Any

from google.protobuf import text_format

from graphgrad import attributes, dtypes, opdefs
from graphgrad.definitions import Body
from graphgrad.errors import ArgumentError, ModelError, did_you_mean
from graphgrad.graph import Graph, Operation
from graphgrad.pairs import paired
from graphgrad.schema import graph_pb2
from graphgrad.scopes import Node, Renames, renames

ASPECTS = (
    *("op", "inputs", "control", "device", "attr", "internal", "constants"),
    *("functions", "function-names", "scope-names", "versions"),
)
_SHOWN = 60  # characters of a value in a message
_NONE: Mapping[str, str] = {}
_NO_SCOPES = Renames()


@dataclasses.dataclass(frozen=True)
class NodeChange:
    """A node that stands in both graphs and differs; `fields` maps what differs to its value before and after. `other` is its
    name in the second graph."""

    name: str
    other: str
    op: str
    fields: dict[str, tuple[str, str]]
    largest_difference: float | None = None

    def as_json(self) -> dict[str, Any]:
        fields = {field: {"a": a, "b": b} for field, (a, b) in self.fields.items()}
        document: dict[str, Any] = {"name": self.name, "op": self.op, "fields": fields}
        if self.other != self.name:
            document["name_in_b"] = self.other
        if self.largest_difference is not None:
            document["largest_difference"] = self.largest_difference
        return document


@dataclasses.dataclass(frozen=True)
class NodeChanges:
    """What differs between the nodes of two graphs, or of two functions, names in the order of the graph they stand in."""

    added: list[Operation]
    removed: list[Operation]
    changed: list[NodeChange]
    renames: Renames

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed or self.renames)

    def by_op(self) -> dict[str, Counter[str]]:
        """'added', 'removed' or 'changed' -> how many of each op type."""
        counts = {
            "added": Counter(op.type for op in self.added),
            "removed": Counter(op.type for op in self.removed),
            "changed": Counter(change.op for change in self.changed),
        }
        return {kind: count for kind, count in counts.items() if count}

    def as_json(self) -> dict[str, Any]:
        def listed(ops: list[Operation]) -> list[dict[str, str]]:
            return [{"name": op.name, "op": op.type} for op in ops]

        return {
            "added": listed(self.added),
            "removed": listed(self.removed),
            "changed": [change.as_json() for change in self.changed],
            "renamed_scopes": [{"a": r.before, "b": r.after, "nodes": r.nodes} for r in self.renames.scopes],
        }


@dataclasses.dataclass(frozen=True)
class FunctionChange:
    """A function of the one graph whose place another one takes, or one of the same name, and what differs: `fields` are
    those of the function itself."""

    name: str
    other: str
    fields: dict[str, tuple[str, str]]
    nodes: NodeChanges

    def __bool__(self) -> bool:
        return bool(self.fields or self.nodes)

    @property
    def renamed(self) -> bool:
        """Whether its name differs, and counts."""
        return "name" in self.fields

    def as_json(self) -> dict[str, Any]:
        fields = {field: {"a": a, "b": b} for field, (a, b) in self.fields.items()}
        return {"name": self.name, "name_in_b": self.other, "fields": fields, **self.nodes.as_json()}


@dataclasses.dataclass(frozen=True)
class Difference(NodeChanges):
    """Everything that differs. `functions` tells names, `function_changes` what differs inside of those in both graphs."""

    functions: dict[str, list[str]]
    function_changes: list[FunctionChange]
    versions: tuple[str, str] | None
    ignored: Collection[str] = ()  # aspects that were not looked at
    renamed: Mapping[str, str] = dataclasses.field(default_factory=dict)  # functions whose other name does not count

    def __bool__(self) -> bool:
        return super().__bool__() or self.versions is not None or any(self.functions.values())

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
        return {
            "schema": 1,
            "same": not self,
            **super().as_json(),
            "functions": self.functions,
            "function_changes": [change.as_json() for change in self.function_changes],
            "versions": None if self.versions is None else {"a": self.versions[0], "b": self.versions[1]},
            "scopes": {
                s: {k: dict(sorted(c.items())) for k, c in kinds.items()} for s, kinds in self.by_scope().items()
            },
        }


def diff(a: Graph, b: Graph, ignore: Collection[str] = ()) -> Difference:
    """Compares graph `a` with graph `b`, and their functions. `ignore` names aspects that do not count (see ASPECTS;
    ValueError for others): with 'function-names' functions are paired by what calls them where names end in numbers."""
    for aspect in ignore:
        if aspect not in ASPECTS:
            raise ArgumentError(
                f"--ignore {aspect!r}: it must be one of {', '.join(ASPECTS)}{did_you_mean(aspect, ASPECTS)}"
            )
    scopes = _renames(a, b, ignore)
    pairs = paired(a, b, scopes, names_count="function-names" not in ignore)
    renamed = pairs if "function-names" in ignore else _NONE
    functions: dict[str, list[str]] = {"added": [], "removed": [], "changed": []}
    inside: list[FunctionChange] = []
    if "functions" not in ignore:
        inside = [c for name, other in pairs.items() if (c := _function(a, name, b, other, renamed, ignore))]
        functions = _names(
            a, b, pairs if renamed else {name: name for name in a.functions if name in b.functions}, inside
        )
    nodes = _nodes(a, b, scopes, ignore, renamed)
    return Difference(
        **vars(nodes),
        functions=functions,
        function_changes=inside,
        versions=_versions(a, b) if "versions" not in ignore else None,
        ignored=ignore,
        renamed=renamed,
    )


def _renames(a: Graph, b: Graph, ignore: Collection[str], known: Mapping[str, str] = _NONE) -> Renames:
    before, after = (
        (Node(op.name, op.type, tuple([t.op.name for t in op.inputs])) for op in graph) for graph in (a, b)
    )
    is_possible = any(op.name not in b for op in a) and any(op.name not in a for op in b)
    found = renames(before, after, known) if is_possible else Renames()
    return dataclasses.replace(found, count="scope-names" not in ignore)


def _nodes(a: Graph, b: Graph, scopes: Renames, ignore: Collection[str], renamed: Mapping[str, str]) -> NodeChanges:
    others = set(scopes.nodes.values())
    names = {op.name: scopes.nodes.get(op.name, op.name) for op in a}
    pairs = ((op, b.operation(names[op.name])) for op in a if names[op.name] in b)
    return NodeChanges(
        added=[op for op in b if op.name not in a and op.name not in others],
        removed=[op for op in a if names[op.name] not in b],
        changed=[c for x, y in pairs if (c := change(x, y, ignore, renamed, scopes)) is not None],
        renames=scopes,
    )


def change(
    a: Operation,
    b: Operation,
    ignore: Collection[str] = (),
    renamed: Mapping[str, str] = _NONE,
    scopes: Renames = _NO_SCOPES,
) -> NodeChange | None:
    """What differs between two operations; None where nothing does. `renamed` are functions that have another name in the
    graph of `b`, `scopes` the scopes that have, which does not count."""
    fields: dict[str, tuple[str, str]] = {}
    largest = None
    has_same_type = renamed.get(a.type, a.type) == b.type
    if not has_same_type and "op" not in ignore:
        fields["op"] = a.type, b.type
    for aspect, read in (("inputs", _inputs), ("control", _controls), ("device", _device)):
        if aspect not in ignore and read(a, scopes.nodes) != (after := read(b, _NONE)):
            fields[aspect] = read(a, _NONE), after
    if "attr" not in ignore and has_same_type:
        for name in sorted({*a.attr_names(), *b.attr_names()}):
            if name.startswith("_") and "internal" in ignore:
                continue
            before_attr, after_attr = _attr(a, name), _attr(b, name)
            is_whole = a.name not in a.graph.payloads and b.name not in b.graph.payloads
            if before_attr == after_attr and (is_whole or not _holds_tensor(before_attr)):
                continue
            if _is_renamed(before_attr, after_attr, renamed, scopes):
                continue
            if _holds_tensor(before_attr) and _holds_tensor(after_attr):
                compared = _compare_constants(a, b, name)
                if compared is None or "constants" in ignore:
                    continue
                fields[name], largest = compared
            else:
                fields[name] = _shown(before_attr, after_attr)
    return NodeChange(a.name, b.name, b.type, fields, largest) if fields else None


def _inputs(op: Operation, others: Mapping[str, str]) -> str:
    names = ((others.get(t.op.name, t.op.name), t.index) for t in op.inputs)
    return ", ".join(f"{name}:{index}" if index else name for name, index in names)


def _controls(op: Operation, others: Mapping[str, str]) -> str:
    return ", ".join(sorted(f"^{others.get(c.name, c.name)}" for c in op.control_inputs))


def _device(op: Operation, others: Mapping[str, str]) -> str:
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


def _shown(*values: graph_pb2.AttrValue | str | None) -> tuple[str, str]:
    x, y = ("(none)" if v is None else v if isinstance(v, str) else attributes.shown(v) for v in values)
    return apart(x, y, _SHOWN)


def apart(x: str, y: str, most: int) -> tuple[str, str]:
    """Two texts, of long ones the part around the place where they begin to differ."""
    if max(len(x), len(y)) <= most:
        return x, y
    alike = next((i for i, (c, d) in enumerate(zip(x, y, strict=False)) if c != d), min(len(x), len(y)))
    start = max(alike - most // 3, 0)
    return _part(x, start, most), _part(y, start, most)


def _part(text: str, start: int, most: int) -> str:
    begin, text = "..." if start else "", text[start:]
    return begin + (text if len(text) <= most else text[: most - 3] + "...")


def _is_renamed(before: Any, after: Any, renamed: Mapping[str, str], scopes: Renames = _NO_SCOPES) -> bool:
    """Whether two attributes name functions, nodes or scopes, and differ in nothing but names that do not count."""
    if not (renamed or scopes.nodes) or not isinstance(before, graph_pb2.AttrValue) or _holds_tensor(before):
        return False
    named = graph_pb2.AttrValue()
    named.CopyFrom(before)
    for function in [named.func] if named.HasField("func") else named.list.func:
        function.name = renamed.get(function.name, function.name)
    if named.HasField("s"):
        named.s = _other_text(named.s, renamed, scopes)
    for i, text in enumerate(named.list.s):
        named.list.s[i] = _other_text(text, renamed, scopes)
    return named == after


def _other_text(text: bytes, renamed: Mapping[str, str], scopes: Renames) -> bytes:
    try:
        name = text.decode()
    except UnicodeDecodeError:
        return text
    return (renamed.get(name) or scopes.text(name)).encode()


def _function(
    a: Graph, name: str, b: Graph, other: str, renamed: Mapping[str, str], ignore: Collection[str]
) -> FunctionChange:
    """What differs between a function of `a` and one of `b`."""
    before, after = a.functions[name], b.functions[other]
    nodes, trouble = NodeChanges([], [], [], _NO_SCOPES), ""
    if name == other and before == after:
        return FunctionChange(name, other, {}, nodes)
    try:
        bodies = a.functions.shown(name), b.functions.shown(other)
        graphs = bodies[0].graph, bodies[1].graph
        nodes = _nodes(*graphs, _renames(*graphs, ignore, _arguments(*bodies)), ignore, renamed)
    except ModelError as error:
        trouble = str(error)
    told, now = _told(a, before, after, ignore), _told(b, after, after, ignore)
    then = _told(a, _as_now(before, after, nodes.renames), after, ignore) if nodes.renames.scopes else told
    if name not in renamed:
        told["name"], then["name"], now["name"] = name, name, other
    fields = {}
    for field in sorted({**then, **now}):
        x, y = then.get(field), now.get(field)
        if x != y and not _is_renamed(x, y, renamed):
            fields[field] = _shown(told.get(field), y)
    if trouble and list(before.node_def) != list(after.node_def):
        fields["nodes"] = str(len(before.node_def)), f"{len(after.node_def)}, not compared: {trouble}"
    return FunctionChange(name, other, fields, nodes)


def _as_now(before: Any, after: Any, scopes: Renames) -> Any:
    """A function without its nodes, its results named as they are since scopes in it were renamed."""
    now = type(before)()
    now.CopyFrom(before)
    now.ClearField("node_def")
    for field in ("input_arg", "output_arg"):
        names, others = (getattr(definition.signature, field) for definition in (now, after))
        for arg, other in zip(names, others, strict=False):
            if field == "output_arg":
                now.ret[other.name] = before.ret[arg.name]
            arg.name = other.name
    for key, value in dict(now.ret).items():
        node, colon, output = value.partition(":")
        now.ret[key] = scopes.text(node) + colon + output
    for key, value in before.control_ret.items():
        del now.control_ret[key]
        now.control_ret[scopes.text(key)] = scopes.text(value)
    return now


def _arguments(a: Body, b: Body) -> dict[str, str]:
    """The arguments of two functions that take the same: they are what they are by their places, not by their names."""
    types = [[t.dtype for t in body.arguments] for body in (a, b)]
    pairs = zip(a.arguments, b.arguments, strict=False)
    return {x.op.name: y.op.name for x, y in pairs} if types[0] == types[1] else {}


def _told(graph: Graph, definition: Any, after: Any, ignore: Collection[str]) -> dict[str, Any]:
    """What a function is beside its name and its nodes: texts, and messages of attributes, those of its arguments under
    their names in `after` if it has as many."""
    rest = type(definition.signature)()
    rest.CopyFrom(definition.signature)
    for field in ("name", "input_arg", "output_arg", "control_output"):
        rest.ClearField(field)
    told: dict[str, Any] = {
        "arguments": ", ".join(f"{arg.name}: {_type_of(arg)}" for arg in definition.signature.input_arg),
        "results": ", ".join(f"{arg.name} = {definition.ret[arg.name]}" for arg in definition.signature.output_arg),
        "control results": ", ".join(sorted(f"{k} = {v}" for k, v in definition.control_ret.items())),
        "gradient function": graph.functions.gradient_of(definition.signature.name),
        "signature": text_format.MessageToString(rest, as_one_line=True),
        **definition.attr,
    }
    arguments = definition.signature.input_arg
    for i, arg in enumerate(
        after.signature.input_arg if len(after.signature.input_arg) == len(arguments) else arguments
    ):
        attrs = definition.arg_attr[i].attr if i in definition.arg_attr else {}
        # Shapes are told by the body, which has placeholders for its arguments.
        told |= {f"{arg.name} {attr}": value for attr, value in attrs.items() if attr != "_output_shapes"}
    if "internal" in ignore:
        told = {field: value for field, value in told.items() if not field.rpartition(" ")[2].startswith("_")}
    return told


def _type_of(arg: graph_pb2.OpDef.ArgDef) -> str:
    dtype = dtypes.shown(arg.type) if arg.type else f"${arg.type_list_attr or arg.type_attr}"
    return f"${arg.number_attr} of {dtype}" if arg.number_attr else dtype


def _names(a: Graph, b: Graph, pairs: Mapping[str, str], changes: list[FunctionChange]) -> dict[str, list[str]]:
    """The names of functions that stand in one graph alone, and of those that stand in both and differ."""
    others = set(pairs.values())
    return {
        "added": [name for name in b.functions if name not in others],
        "removed": [name for name in a.functions if name not in pairs],
        "changed": [change.name for change in changes if change.name in pairs],
    }


def _versions(a: Graph, b: Graph) -> tuple[str, str] | None:
    before, after = (text_format.MessageToString(g.message.versions, as_one_line=True) for g in (a, b))
    return (before, after) if before != after else None
