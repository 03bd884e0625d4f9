"""Pictures of graphs: a page for the browser, an SVG, DOT for Graphviz; of one graph, or of two merged into one."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from graphgrad.errors import ArgumentError
from graphgrad.picture.document import document

__all__ = ["document", "writer"]

Writer = Callable[[dict[str, Any], str], str]


def writer(path: str) -> Writer:
    """What makes the text of a picture out of a document and a title, by the suffix of `path`. Raises ArgumentError."""
    suffix = os.path.splitext(path)[1].lower()
    if suffix not in _WRITERS:
        raise ArgumentError(f"{path} is no picture that can be written: its suffix must be .html, .svg or .dot")
    return _WRITERS[suffix]


def _page(what: dict[str, Any], title: str) -> str:
    from graphgrad.picture.page import page

    return page(what, title)


def _svg(what: dict[str, Any], title: str) -> str:
    from graphgrad.picture.svg import svg

    return svg(what)


def _dot(what: dict[str, Any], title: str) -> str:
    from graphgrad.picture.dot import dot

    return dot(what)


_WRITERS: dict[str, Writer] = {".html": _page, ".htm": _page, ".svg": _svg, ".dot": _dot, ".gv": _dot}
