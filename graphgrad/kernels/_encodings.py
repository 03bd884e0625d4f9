"""Text as code points: decoded from the encodings TensorFlow names, and written in them again."""

from __future__ import annotations

import codecs
from collections.abc import Iterator

WRITTEN = {"UTF-8": "utf-8", "UTF-16-BE": "utf-16-be", "UTF-32-BE": "utf-32-be"}
BAD = -1  # stands for what is no character


def codec_of(encoding: str) -> codecs.CodecInfo:
    """Python's codec of that name. Raises ValueError where it has none."""
    try:
        return codecs.lookup(WRITTEN.get(encoding.upper(), encoding))
    except LookupError:
        raise ValueError(f"could not create converter for input encoding {encoding!r}") from None


def code_points(value: bytes, codec: codecs.CodecInfo) -> Iterator[tuple[int, int]]:
    """Each code point with the byte it starts at; BAD for each stretch of bytes that is none."""
    at = 0
    while at < len(value):
        try:
            text, error = codec.decode(value[at:], "strict")[0], None
        except UnicodeDecodeError as found:
            text, error = codec.decode(value[at : at + found.start], "strict")[0], found
        start = at
        for char in text:
            yield ord(char), start
            start += len(codec.encode(char)[0])
        if error is None:
            return
        yield BAD, at + error.start
        at += max(error.end, error.start + 1)


def settled(
    points: Iterator[tuple[int, int]], errors: str, replacement: int, replace_control: bool
) -> list[tuple[int, int]]:
    """The code points with the bad ones replaced, left out, or refused with a ValueError, as `errors` says."""
    kept = []
    for code, start in points:
        if code != BAD and not (replace_control and code < 0x20):
            kept.append((code, start))
        elif errors == "strict":
            raise ValueError("invalid formatting on input string")
        elif errors == "replace":
            kept.append((replacement, start))
    return kept


def written(codes: list[int], encoding: str, errors: str, replacement: int) -> bytes:
    """Code points in one of the three encodings that are written."""
    if encoding not in WRITTEN:
        raise ValueError(f"output encoding must be one of {', '.join(WRITTEN)}, not {encoding!r}")
    kept = []
    for code in codes:
        if 0 <= code < 0xD800 or 0xE000 <= code < 0x110000:
            kept.append(chr(code))
        elif errors == "strict":
            raise ValueError("code point is out of range for Unicode, or is a surrogate")
        elif errors == "replace":
            kept.append(chr(replacement))
    return "".join(kept).encode(WRITTEN[encoding])
