"""A graph in the DOT language, for Graphviz: name scopes are clusters, colours tell forward, gradient and changed nodes."""

from __future__ import annotations

import json
from typing import Any

_FILL = ("#e3eefb", "#fdeed8")  # of forward nodes and of gradients
_BORDER = {"same": "#7a8794", "added": "#1f8a3d", "removed": "#c0302b", "changed": "#8a3fc0", "renamed": "#0f7f8c"}


def dot(document: dict[str, Any]) -> str:
    """The DOT text of a document (`document.document`)."""
    lines = ["digraph {", "  node [shape=box style=filled fontname=monospace fontsize=10]", "  compound=true"]
    scopes: dict[str, Any] = {}
    for i, node in enumerate(document["nodes"]):
        inside = scopes
        for part in node[0].split("/")[:-1]:
            inside = inside.setdefault(part + "/", {})
        inside[node[0].rpartition("/")[2]] = i
    _write(lines, scopes, document)
    for i, node in enumerate(document["nodes"]):
        lines += [f"  {source} -> {i}" for source in dict.fromkeys(node[4])]
        lines += [f"  {source} -> {i} [style=dashed]" for source in dict.fromkeys(node[5])]
    return "\n".join([*lines, "}\n"])


def _write(lines: list[str], scopes: dict[str, Any], document: dict[str, Any]) -> None:
    """The clusters and nodes of nested scopes, with a stack of its own: (name, what is inside)."""
    stack: list[tuple[str, Any]] = list(reversed(scopes.items()))
    clusters = 0
    while stack:
        name, inside = stack.pop()
        if inside is None:
            lines.append("  }")
        elif isinstance(inside, dict):
            clusters += 1
            lines.append(f"  subgraph cluster_{clusters} {{ label={_quoted(name)} color=gray")
            stack.append(("", None))
            stack.extend(reversed(inside.items()))
        else:
            _, op, gradient, status, *_ = document["nodes"][inside]
            label = _quoted(f"{name}\n{document['texts'][op]}")
            lines.append(f'  {inside} [label={label} fillcolor="{_FILL[gradient]}" color="{_BORDER[status]}"]')


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
