"""A graph as an SVG file, drawn by the code that draws it in the browser, run in V8."""

from __future__ import annotations

import json
from typing import Any

from graphgrad.errors import ArgumentError
from graphgrad.picture.page import asset

MOST_BOXES = 80  # that are seen at once: scopes beyond stay closed

# What the layout looks for and V8 alone does not have.
_SURROUNDINGS = (
    "globalThis.global = globalThis; globalThis.setTimeout = (f) => { Promise.resolve().then(f); return 0; };"
)


def svg(document: dict[str, Any]) -> str:
    """The SVG of a document (`document.document`). Raises ArgumentError where V8 is not installed."""
    try:
        from py_mini_racer import MiniRacer
    except ImportError:
        raise ArgumentError(
            "an SVG is laid out in V8, which is not installed: pip install 'graphgrad[svg]', or write .html or .dot"
        ) from None
    engine = MiniRacer()
    for script in (_SURROUNDINGS, asset("elk.bundled.js"), asset("drawing.js")):
        engine.eval(script)
    engine.eval(
        f"var drawn = null, failed = null, graph = {json.dumps(document)}, style = {json.dumps(asset('style.css'))};"
    )
    engine.eval(
        f"wholeSvg(graph, style, {MOST_BOXES}).then((made) => (drawn = made), (error) => (failed = error.stack));"
    )
    drawn = engine.eval("drawn")
    if not isinstance(drawn, str):
        raise RuntimeError(f"the layout failed: {engine.eval('failed')}")
    return drawn
