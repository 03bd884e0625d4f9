"""Functions with attributes of their own, which each call of one binds: what it then runs is an instance, a function
without any.

Done in messages: placeholders of the body become what is bound, and each argument that stands for several tensors becomes
that many arguments.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from graphgrad import attributes
from graphgrad.errors import ModelError
from graphgrad.schema import graph_pb2

Attrs = Mapping[str, graph_pb2.AttrValue]


class Instance(NamedTuple):
    """A function of the library, the attributes that are bound of it, and what it is with them."""

    of: str
    bound: dict[str, graph_pb2.AttrValue]
    definition: graph_pb2.FunctionDef


def bound(definition: graph_pb2.FunctionDef, given: Attrs, by: str) -> dict[str, graph_pb2.AttrValue]:
    """The function's own attributes as a call binds them, by default where it does not; nothing where it has none.

    `by` is who calls. Raises ModelError for one that is missing, or of another kind.
    """
    declared = {attr.name: attr for attr in definition.signature.attr}
    known = {name: attr.default_value for name, attr in declared.items() if attr.HasField("default_value")} | dict(
        given
    )
    start = f"{by} function {definition.signature.name!r}"
    found = {}
    for name in dict.fromkeys([*declared, *_placeholders(definition)]):
        kind = declared[name].type if name in declared else ""
        if name not in known:
            raise ModelError(
                f"{start} without a value for its attribute {name!r}{kind and f' ({kind})'}, which has no default"
            )
        wrong = attributes.misfit(known[name], kind) if kind else None
        if wrong is not None:
            raise ModelError(f"{start}, whose attribute {name!r} {wrong}")
        found[name] = known[name]
    return found


def _placeholders(definition: graph_pb2.FunctionDef) -> Iterator[str]:
    """The attributes that nodes of a function's body ask for."""
    values = [value for node in definition.node_def for value in node.attr.values()]
    while values:
        value = values.pop()
        if value.WhichOneof("value") == "placeholder":
            yield value.placeholder
        for function in attributes.functions_in(value):
            values += function.attr.values()


def instance(definition: graph_pb2.FunctionDef, name: str, values: Attrs) -> graph_pb2.FunctionDef:
    """The function with its attributes bound, under another name."""
    made = graph_pb2.FunctionDef()
    made.CopyFrom(definition)
    made.signature.name = name
    made.signature.ClearField("attr")
    for node in made.node_def:
        for value in node.attr.values():
            _substitute(value, values)
    names = _spread_arguments(made, values)
    if names:
        for node in made.node_def:
            node.input[:] = [text for given in node.input for text in _renamed(given, names)]
    _spread_results(made, values, names)
    return made


def _substitute(value: graph_pb2.AttrValue, values: Attrs) -> None:
    if value.WhichOneof("value") == "placeholder":
        value.CopyFrom(values[value.placeholder])
        return
    for function in attributes.functions_in(value):
        for inner in function.attr.values():
            _substitute(inner, values)


def _types(arg: graph_pb2.OpDef.ArgDef, values: Attrs) -> list[int]:
    """The types of the tensors that an argument stands for."""
    if arg.type_list_attr:
        return list(values[arg.type_list_attr].list.type)
    one = values[arg.type_attr].type if arg.type_attr else arg.type
    return [one] * values[arg.number_attr].i if arg.number_attr else [one]


def _spread(
    args: Iterable[graph_pb2.OpDef.ArgDef], values: Attrs, taken: set[str]
) -> list[list[graph_pb2.OpDef.ArgDef]]:
    """For each argument those that stand in its place."""
    spread = []
    for arg in args:
        types, made = _types(arg, values), []
        for i, enum in enumerate(types):
            one = graph_pb2.OpDef.ArgDef()
            one.CopyFrom(arg)
            one.type = enum  # type: ignore[assignment]
            for field in ("type_attr", "number_attr", "type_list_attr"):
                one.ClearField(field)
            if _is_list(arg):
                one.name = _free(f"{arg.name}_{i}", taken)
            made.append(one)
        spread.append(made)
    return spread


def _is_list(arg: graph_pb2.OpDef.ArgDef) -> bool:
    return bool(arg.number_attr or arg.type_list_attr)


def _free(name: str, taken: set[str]) -> str:
    while name in taken:
        name += "_"
    taken.add(name)
    return name


def _spread_arguments(made: graph_pb2.FunctionDef, values: Attrs) -> dict[str, list[str]]:
    """Puts into the place of an argument those that it stands for; gives the names that are new."""
    args = list(made.signature.input_arg)
    spread = _spread(args, values, {arg.name for arg in args} | {node.name for node in made.node_def})
    told = {i: attrs.SerializeToString() for i, attrs in made.arg_attr.items()}
    made.arg_attr.clear()
    for place, i in enumerate(i for i, new in enumerate(spread) for _ in new):
        if i in told:
            made.arg_attr[place].MergeFromString(told[i])
    names = {arg.name: [one.name for one in new] for arg, new in zip(args, spread, strict=True) if _is_list(arg)}
    del made.signature.input_arg[:]
    made.signature.input_arg.extend(one for new in spread for one in new)
    return names


def _spread_results(made: graph_pb2.FunctionDef, values: Attrs, names: Mapping[str, list[str]]) -> None:
    args = list(made.signature.output_arg)
    spread, results = _spread(args, values, {arg.name for arg in args}), dict[str, str]()
    for arg, new in zip(args, spread, strict=True):
        tensors = _renamed(made.ret[arg.name], names)
        if _is_list(arg) and len(tensors) == 1 and tensors[0].count(":") == 1:
            tensors = [f"{tensors[0]}:{i}" for i in range(len(new))]
        if len(tensors) != len(new):
            raise ModelError(
                f"function {made.signature.name!r} gives {len(tensors)} tensors as {arg.name!r}, not {len(new)}"
            )
        results |= {one.name: text for one, text in zip(new, tensors, strict=True)}
    del made.signature.output_arg[:]
    made.signature.output_arg.extend(one for new in spread for one in new)
    made.ret.clear()
    made.ret.update(results)


def _renamed(text: str, names: Mapping[str, list[str]]) -> list[str]:
    """What stands for a reference that may mean one tensor of an argument, or all of them."""
    name, _, index = text.partition(":")
    if name not in names:
        return [text]
    return names[name][int(index) :][:1] if index else names[name]
