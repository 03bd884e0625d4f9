"""Tensors as short text, as TensorFlow prints them: in one line, or laid out with an ellipsis amid each axis."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def element_text(value: Any, dtype: np.dtype[Any], quoted: bool) -> str:
    """One element: 6 digits where these give it back, else 9 (15 or 17 for doubles); complex numbers are not shown."""
    if dtype.kind == "O":
        text = _escaped(value) if isinstance(value, bytes) else f"<{type(value).__name__}>"
        return f'"{text}"' if quoted else text
    if dtype.kind == "c":
        return "?"
    if dtype.kind in "biu":
        return str(int(value))
    number = float(value)
    if np.isnan(number) or np.isinf(number):
        return str(number)
    short, long = (15, 17) if dtype == np.float64 else (6, 9)
    text = f"{number:.{short}g}"
    precise = np.float64 if dtype == np.float64 else np.float32
    return text if precise(text) == precise(number) else f"{number:.{long}g}"


_ESCAPES = {0x0A: "\\n", 0x0D: "\\r", 0x09: "\\t", 0x22: '\\"', 0x27: "\\'", 0x5C: "\\\\"}


def _escaped(value: bytes) -> str:
    """Control characters as octal numbers; bytes of other alphabets stay, also those that are no UTF-8."""
    shown = [_ESCAPES.get(c) or (f"\\{c:03o}" if c < 0x20 or c == 0x7F else "") for c in value]
    parts = [text.encode() if text else bytes([c]) for text, c in zip(shown, value, strict=True)]
    return b"".join(parts).decode("utf-8", "surrogateescape")


def laid_out(tensor: Array, summarize: int) -> str:
    """Nested brackets, a line for each row of the innermost axis, `summarize` entries at either end of each axis."""
    if not tensor.ndim:
        return element_text(tensor[()], tensor.dtype, True)
    if tensor.dtype == np.bool_ and not tensor.size:  # of which TensorFlow says nothing
        return ""
    return _axis(tensor, 0, tensor.size if summarize < 0 else min(summarize, tensor.size))


def _axis(tensor: Array, depth: int, ends: int) -> str:
    length = len(tensor)

    def entry(i: int) -> str:
        return element_text(tensor[i], tensor.dtype, True) if tensor.ndim == 1 else _axis(tensor[i], depth + 1, ends)

    space = " " if tensor.ndim == 1 else "\n" * (tensor.ndim - 1) + " " * (depth + 1)
    begin = [entry(i) for i in range(min(ends, length))]
    middle = ["..."] if length > 2 * ends else []
    end = [entry(i) for i in range(max(ends, length - ends), length)]
    # An ellipsis comes behind a space even where nothing stands before it.
    text = space.join([*begin, *middle, *end])
    return f"[{space if middle and not begin else ''}{text}]"


def in_one_line(tensor: Array, summarize: int) -> str:
    """The first elements, rows in brackets, and an ellipsis wherever something is left out."""
    limit = tensor.size if summarize < 0 else min(summarize, tensor.size)
    if tensor.ndim <= 1:
        text = " ".join(element_text(v, tensor.dtype, False) for v in tensor.reshape(-1)[:limit])
    else:
        text, _ = _rows(tensor, limit)
    return text + ("..." if limit < tensor.size else "")


def _rows(tensor: Array, left: int) -> tuple[str, int]:
    """The rows as far as so many elements go, and how many are left."""
    if tensor.ndim == 1:
        shown = " ".join(element_text(v, tensor.dtype, False) for v in tensor[:left])
        return shown + ("..." if len(tensor) > left else ""), max(left - len(tensor), 0)
    parts = []
    for row in tensor:
        if not left:
            break
        text, left = _rows(row, left)
        parts.append(f"[{text}]")
    return "".join(parts), left
