"""The three encodings of a message, binary, text and JSON: recognised by content, read, written.

What a message means is the business of the modules of each kind of file.
"""

from __future__ import annotations

import os
from typing import TypeVar

from google.protobuf import json_format, message, text_format

from graphgrad.errors import ArgumentError, ModelError

BINARY, TEXT, JSON = "binary", "text", "json"
_BY_SUFFIX = {".pb": BINARY, ".meta": BINARY, ".pbtxt": TEXT, ".prototxt": TEXT, ".json": JSON}

M = TypeVar("M", bound=message.Message)


def recognise(data: bytes, name: str) -> str:
    """Binary, text or JSON, by content; raises ModelError for what can be none of them."""
    if not data or data.isspace():
        raise ModelError(f"{name} is empty, and a graph file is needed")
    start = data[:4096].lstrip()
    printable = start.decode("utf-8", "ignore").isprintable() or all(c >= 32 or c in b"\t\r\n\f" for c in start)
    if not printable:  # also a binary graph whose first node is 123 bytes long, and so begins with a brace
        return BINARY
    return JSON if start.startswith(b"{") else TEXT


def of_path(path: str, otherwise: str) -> str:
    """The encoding that the suffix of a path asks for."""
    return _BY_SUFFIX.get(os.path.splitext(path.removesuffix(".gz"))[1], otherwise)


def parse_text(data: bytes, into: M, kind: str) -> M:
    """A message in the text encoding. Raises ModelError."""
    try:
        return text_format.Parse(data.decode(), into)
    except (text_format.ParseError, UnicodeDecodeError, ValueError) as error:
        raise ModelError(f"it looks like text and is no {kind}: {_first_line(error)}") from None


def parse_json(data: bytes, into: M, kind: str) -> M:
    """A message in the JSON encoding. Raises ModelError."""
    try:
        return json_format.Parse(data, into)
    except (json_format.ParseError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise ModelError(f"it looks like JSON and is no {kind}: {_first_line(error)}") from None


def as_text(item: message.Message) -> bytes:
    """A message in the text encoding."""
    return text_format.MessageToString(item, as_utf8=True).encode()


def as_json(item: message.Message) -> bytes:
    """A message in the JSON encoding. Raises ArgumentError for what JSON cannot hold."""
    try:
        return json_format.MessageToJson(item, indent=1).encode() + b"\n"
    except (TypeError, json_format.SerializeToJsonError) as error:
        raise ArgumentError(f"the model cannot be written as JSON: {_first_line(error)}") from None


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
