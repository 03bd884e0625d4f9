"""RE2's regular expressions, which TensorFlow uses, said in Python's: strings are UTF-8, what is not is no character.

Bytes that are not UTF-8 become lone surrogates, which nothing but themselves matches. What Python's engine cannot say,
or RE2 refuses, is refused.
"""

from __future__ import annotations

import functools
import re
import sys
import unicodedata

INVALID = "\udc80-\udcff"  # bytes that are no UTF-8, as `surrogateescape` decodes them
SPACE = "\t\n\f\r "
_POSIX = {
    "alnum": "0-9A-Za-z",
    "alpha": "A-Za-z",
    "ascii": "\x00-\x7f",
    "blank": "\t ",
    "cntrl": "\x00-\x1f\x7f",
    "digit": "0-9",
    "graph": "!-~",
    "lower": "a-z",
    "print": " -~",
    "punct": r"!-/:-@\[-`{-~",
    "space": "\t\n\v\f\r ",
    "upper": "A-Z",
    "word": "0-9A-Za-z_",
    "xdigit": "0-9A-Fa-f",
}
_PERL = {"d": "0-9", "w": "0-9A-Za-z_", "s": SPACE}


@functools.lru_cache(maxsize=256)
def compiled(pattern: bytes) -> re.Pattern[str]:
    """The Python pattern of a RE2 one. Raises ValueError where there is none."""
    text = pattern.decode("utf-8", "surrogateescape")
    try:
        return re.compile(_Translator(text).whole())
    except re.error as error:
        raise ValueError(f"invalid pattern: {text!r}: {error}") from None


def decoded(value: bytes) -> str:
    """A string as the patterns see it."""
    return value.decode("utf-8", "surrogateescape")


def encoded(value: str) -> bytes:
    return value.encode("utf-8", "surrogateescape")


def replaced(pattern: re.Pattern[str], rewrite: bytes, value: bytes, every: bool) -> bytes:
    """The string with the first match, or every one, rewritten."""
    parts = _rewrite_parts(decoded(rewrite))
    if any(isinstance(part, int) and part > pattern.groups for part in parts):
        return value
    text, out, end = decoded(value), [], 0
    last = -1
    for match in pattern.finditer(text):
        if match.start() == match.end() == last:  # RE2 takes no empty match right behind another
            continue
        out += [text[end : match.start()], *((match[p] or "") if isinstance(p, int) else p for p in parts)]
        end = last = match.end()
        if not every:
            break
    return encoded("".join([*out, text[end:]]))


def _rewrite_parts(rewrite: str) -> list[str | int]:
    r"""Plain text and group numbers; what follows a backslash that is followed by neither is dropped, as in RE2."""
    parts: list[str | int] = []
    at = 0
    while at < len(rewrite):
        if rewrite[at] != "\\":
            parts.append(rewrite[at])
        else:
            at += 1
            following = rewrite[at : at + 1]
            if following in "0123456789" and following:
                parts.append(int(following))
            elif following == "\\":
                parts.append("\\")
            else:
                break
        at += 1
    return parts


@functools.lru_cache(maxsize=64)
def _category(name: str) -> str:
    """The characters of a Unicode category, as ranges."""
    known = {unicodedata.category(chr(c)) for c in range(0x3000)} | {"Co", "Cs", "Cn"}
    if not any(category.startswith(name) for category in known):
        raise ValueError(f"invalid pattern: character class {name!r} is not supported")
    ranges: list[list[int]] = []
    for code in range(sys.maxunicode + 1):
        if 0xD800 <= code < 0xE000 or not unicodedata.category(chr(code)).startswith(name):
            continue
        if ranges and ranges[-1][1] == code - 1:
            ranges[-1][1] = code
        else:
            ranges.append([code, code])
    return "".join(f"\\U{low:08x}-\\U{high:08x}" for low, high in ranges)


def _outside(members: str) -> str:
    """All characters but these, as ranges to stand in a class."""
    allowed = re.compile(f"[{members}{INVALID}]")
    ranges, start = [], None
    for code in [*range(sys.maxunicode + 1), None]:
        if code is not None and not allowed.match(chr(code)):
            start = code if start is None else start
        elif start is not None:
            ranges.append(f"\\U{start:08x}-\\U{(code or sys.maxunicode + 1) - 1:08x}")
            start = None
    return "".join(ranges)


class _Translator:
    """One walk over a pattern; used once."""

    def __init__(self, pattern: str):
        self.pattern, self.at = pattern, 0
        self.flags = [frozenset[str]()]  # of each open group, the outermost first
        self.scopes: list[list[str]] = [[]]  # the groups of Python's that flags opened inside each of them
        self.out: list[str] = []

    def whole(self) -> str:
        while self.at < len(self.pattern):
            self._next()
        if len(self.scopes) > 1:
            raise ValueError(f"invalid pattern: {self.pattern!r}: missing )")
        return "".join([*self.out, ")" * len(self.scopes[0])])

    def _next(self) -> None:
        char = self.pattern[self.at]
        if char == "\\":
            self.out.append(self._escape(in_class=False))
        elif char == "[":
            self.out.append(self._class())
        elif char == "(":
            self._open()
        elif char == ")":
            self._close()
        elif char == ".":
            self._take(f"[^{INVALID}]" if "s" in self.flags[-1] else f"[^\n{INVALID}]")
        elif char == "$":
            self._take("$" if "m" in self.flags[-1] else r"\Z")
        elif char == "|":
            scopes = self.scopes[-1]
            self._take(")" * len(scopes) + "|" + "".join(scopes))
        elif char in "*+?" or (char == "{" and re.match(r"\{\d+(,\d*)?\}", self.pattern[self.at :])):
            self._repeat()
        else:
            self._take(char if char == "^" else re.escape(char))

    def _take(self, text: str) -> None:
        self.out.append(text)
        self.at += 1

    def _repeat(self) -> None:
        found = re.match(r"(?:[*+?]|\{\d+(?:,\d*)?\})\??", self.pattern[self.at :])
        assert found is not None
        self.at += found.end()
        if self.pattern[self.at : self.at + 1] in ("*", "+", "?"):
            raise ValueError(f"invalid pattern: {self.pattern!r}: bad repetition operator")
        self.out.append(found[0])

    # ------------------------------------------------------------------ groups and flags
    def _open(self) -> None:
        rest = self.pattern[self.at :]
        plain = re.match(r"\((\?:|\?P<\w+>|\?<\w+>)?(?!\?)", rest)
        flags = re.match(r"\(\?([imsU]*)(?:-([imsU]+))?([:)])", rest)
        if plain:
            self.at += plain.end()
            self.out.append(plain[0].replace("(?<", "(?P<"))
            self._enter(self.flags[-1])
        elif flags and (flags[1] or flags[2]):
            self._set_flags(flags)
        else:
            raise ValueError(f"invalid pattern: {self.pattern!r}: invalid perl operator {rest[:3]}")

    def _enter(self, flags: frozenset[str]) -> None:
        self.flags.append(flags)
        self.scopes.append([])

    def _close(self) -> None:
        self.at += 1
        if len(self.scopes) == 1:
            raise ValueError(f"invalid pattern: {self.pattern!r}: unexpected )")
        self.out.append(")" * (len(self.scopes.pop()) + 1))
        self.flags.pop()

    def _set_flags(self, found: re.Match[str]) -> None:
        on, off = found[1], found[2] or ""
        if "U" in on + off:
            raise ValueError(f"invalid pattern: {self.pattern!r}: the flag U is not supported")
        scope = f"(?{on}{'-' + off if off else ''}:"
        flags = (self.flags[-1] | set(on)) - set(off)
        self.at += found.end()
        self.out.append(scope)
        if found[3] == ":":
            self._enter(flags)
        else:
            self.scopes[-1].append(scope)
            self.flags[-1] = flags

    # ------------------------------------------------------------------ escapes and classes
    def _escape(self, in_class: bool) -> str:
        rest = self.pattern[self.at :]
        char = rest[1:2]
        if not char:
            raise ValueError(f"invalid pattern: {self.pattern!r}: trailing \\")
        self.at += 2
        if char in "pP":
            return self._property(char == "P", in_class)
        if char.lower() in _PERL:
            members = _PERL[char.lower()]
            if char.isupper():
                return _outside(members) if in_class else f"[^{members}{INVALID}]"
            return members if in_class else f"[{members}]"
        if char == "x":
            return self._hexadecimal()
        if char == "0":
            octal = re.match(r"[0-7]{0,2}", self.pattern[self.at :])
            self.at += octal.end() if octal else 0
            return re.escape(chr(int(octal[0] or "0", 8))) if octal else "\\0"
        if char in "afnrtv":
            return "\\" + char
        if not in_class and char in "AbBzQ":
            return self._place(char)
        if char.isalnum():
            raise ValueError(f"invalid pattern: {self.pattern!r}: invalid escape sequence \\{char}")
        return re.escape(char)

    def _place(self, char: str) -> str:
        if char == "Q":
            end = self.pattern.find("\\E", self.at)
            literal = self.pattern[self.at :] if end < 0 else self.pattern[self.at : end]
            self.at = len(self.pattern) if end < 0 else end + 2
            return re.escape(literal)
        return {"A": r"\A", "z": r"\Z", "b": r"(?a:\b)", "B": r"(?a:\B)"}[char]

    def _hexadecimal(self) -> str:
        found = re.match(r"\{([0-9A-Fa-f]+)\}|([0-9A-Fa-f]{2})", self.pattern[self.at :])
        if found is None:
            raise ValueError(f"invalid pattern: {self.pattern!r}: invalid escape sequence \\x")
        self.at += found.end()
        return re.escape(chr(int(found[1] or found[2], 16)))

    def _property(self, negated: bool, in_class: bool) -> str:
        found = re.match(r"\{(\^?)(\w+)\}|(\w)", self.pattern[self.at :])
        if found is None:
            raise ValueError(f"invalid pattern: {self.pattern!r}: invalid character class")
        self.at += found.end()
        members = _category(found[2] or found[3])
        if negated != bool(found[1]):
            return _outside(members) if in_class else f"[^{members}{INVALID}]"
        return members if in_class else f"[{members}]"

    def _class(self) -> str:
        self.at += 1
        negated = self.pattern[self.at : self.at + 1] == "^"
        self.at += negated
        members, first = [], True
        while first or self.pattern[self.at : self.at + 1] != "]":
            if self.at >= len(self.pattern):
                raise ValueError(f"invalid pattern: {self.pattern!r}: missing ]")
            members.append(self._member())
            first = False
        self.at += 1
        return f"[^{''.join(members)}{INVALID}]" if negated else f"[{''.join(members)}]"

    def _member(self) -> str:
        rest = self.pattern[self.at :]
        posix = re.match(r"\[:(\^?)(\w+):\]", rest)
        if posix:
            if posix[2] not in _POSIX:
                raise ValueError(f"invalid pattern: {self.pattern!r}: invalid character class {posix[0]}")
            self.at += posix.end()
            return _outside(_POSIX[posix[2]]) if posix[1] else _POSIX[posix[2]]
        if rest[0] == "\\":
            return self._escape(in_class=True)
        self.at += 1
        return rest[0] if rest[0] == "-" else re.escape(rest[0])
