"""The text files that tables are filled from: a key and a value a line, each a column, the whole line, or its number."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

_WHOLE_LINE, _LINE_NUMBER = -2, -1


def entries(
    path: str,
    text: bytes,
    columns: tuple[int, int],
    dtypes: tuple[np.dtype[Any], np.dtype[Any]],
    vocab_size: int = -1,
    delimiter: str | bytes = "\t",
    offset: int = 0,
) -> tuple[Array, Array]:
    """The keys and the values, as attributes of the op that fills a table tell. Raises ValueError where the file does not fit."""
    lines = text.replace(b"\r", b"").split(b"\n")
    lines = lines[: len(lines) - (lines[-1] == b"")]
    if vocab_size >= 0:
        if len(lines) < vocab_size:
            raise ValueError(f"file {path!r} has {len(lines)} lines, and {vocab_size} entries are asked for")
        lines = lines[:vocab_size]
    if b"" in lines:
        raise ValueError(f"line {lines.index(b'') + 1} of file {path!r} is empty")
    keys, values = (_column(path, lines, i, d, delimiter, offset) for i, d in zip(columns, dtypes, strict=True))
    return keys, values


def _column(
    path: str, lines: list[bytes], index: int, dtype: np.dtype[Any], delimiter: str | bytes, offset: int
) -> Array:
    if (index == _LINE_NUMBER and dtype != np.int64) or (index == _WHOLE_LINE and dtype.kind not in "Oi"):
        kinds = "whole lines are strings or integers" if index == _WHOLE_LINE else "numbers of lines are int64"
        raise ValueError(f"{kinds}, and the table has {dtype.name}")
    if index == _LINE_NUMBER:
        return np.arange(offset, offset + len(lines)).astype(dtype)
    found: list[Any] = lines
    if index != _WHOLE_LINE:
        split = [line.split(_bytes(delimiter)) for line in lines]
        short = next((i for i, row in enumerate(split) if len(row) <= index), None)
        if short is not None:
            raise ValueError(
                f"line {short + 1} of file {path!r} has {len(split[short])} columns, and number {index} is asked for"
            )
        found = [row[index] for row in split]
    if dtype.kind == "O":
        return _strings(found)
    try:
        return np.array([dtype.type(item.decode()) for item in found], dtype)
    except ValueError as error:
        raise ValueError(f"file {path!r}: {error}") from None


def _strings(items: list[bytes]) -> Array:
    made = np.empty(len(items), object)
    made[:] = items
    return made


def _bytes(text: Any) -> bytes:
    return text if isinstance(text, bytes) else text.encode()
