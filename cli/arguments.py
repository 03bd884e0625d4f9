"""How options become names of tensors: comma separated lists that may be repeated, globs over the graph's nodes."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

from graphgrad.errors import ArgumentError

if TYPE_CHECKING:
    from graphgrad.graph import Graph

MODEL = click.argument("model", metavar="MODEL")
JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON document on standard output.")


def split(values: Sequence[str]) -> list[str]:
    """'a,b' and repeated options as one list; empty items are kept."""
    return [item.strip() for value in values for item in value.split(",")]


def names(graph: Graph, values: Sequence[str], option: str) -> list[str]:
    """The tensor names of an option, globs spelled out in the order of the graph. Raises ArgumentError."""
    found: list[str] = []
    for item in split(values):
        if not item:
            raise ArgumentError(f"{option} has an empty item: name a tensor between the commas")
        found.extend(_matches(graph, item, option) if _is_glob(graph, item) else [item])
    for name in found:
        try:
            graph.tensor(name)
        except ArgumentError as error:
            raise ArgumentError(f"{option}: {error}") from None
    return found


def _is_glob(graph: Graph, item: str) -> bool:
    return any(c in item for c in "*?[") and item.partition(":")[0] not in graph


def _matches(graph: Graph, pattern: str, option: str) -> list[str]:
    node, _, index = pattern.partition(":")
    found = [f"{op.name}:{index or 0}" for op in graph if fnmatch.fnmatchcase(op.name, node) and op.outputs]
    if not found:
        raise ArgumentError(f"{option}: no node matches {pattern!r}")
    return found


def tensors_option(name: str, help: str, required: bool = False) -> Callable[[Any], Any]:
    """A repeatable option that takes a comma separated list of tensor names."""
    return click.option(name, multiple=True, required=required, metavar="T[,..]", help=help)
