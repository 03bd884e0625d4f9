"""A page that shows a graph in a browser: one file, nothing of it is fetched."""

from __future__ import annotations

import html
import importlib.resources
import json
import string
from typing import Any

_SCRIPTS = ("elk.bundled.js", "d3.min.js", "drawing.js", "page.js")
_KINDS = ("forward", "gradient", "mixed")
_CHANGES = ("added", "removed", "changed", "renamed")


def asset(name: str) -> str:
    """The text of a file that pictures are made with."""
    return (importlib.resources.files("graphgrad.picture") / "assets" / name).read_text(encoding="utf-8")


def page(document: dict[str, Any], title: str) -> str:
    """The page of a document (`document.document`)."""
    kinds = (*_KINDS, *_CHANGES) if document["compared"] else _KINDS
    scripts = "\n".join(f"<script>{asset(name)}</script>" for name in _SCRIPTS)
    return string.Template(asset("page.html")).substitute(
        title=html.escape(title),
        style=asset("page.css") + asset("style.css"),
        legend="".join(f'<span class="{kind}">{kind}</span>' for kind in kinds),
        # '</' would end the element; in JSON the slash may be written '\/'.
        graph=json.dumps(document, separators=(",", ":"), ensure_ascii=False).replace("</", "<\\/"),
        scripts=scripts,
    )
