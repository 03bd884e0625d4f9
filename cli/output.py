"""What people read: tables and sentences as wide as the terminal, remarks on standard error.

No name is ever broken, so that every one can be copied: what does not fit a column stands on a line of its own. rich's
tables cannot do that: whatever `overflow` and `no_wrap` say, a name that is wider than its column is broken or cut.
"""

from __future__ import annotations

import os
import sys
import textwrap
from collections.abc import Collection, Sequence
from typing import Any, TextIO

import click
from graphgrad_cli.arguments import QUIET

UNBROKEN = 100_000  # columns of what is no terminal
USUAL = 80  # columns of a terminal that does not know
GAP = "   "
INDENT = "    "
TIE = "\N{NO-BREAK SPACE}"  # between words that stay on one line
TALL = 3  # lines of a last column before it stands below
TEXT = 24  # columns a last column of text gets before names have to give way


def is_quiet() -> bool:
    """Whether people are told nothing but errors."""
    return bool(click.get_current_context().meta.get(QUIET))


def tell(text: str) -> None:
    """Says something to people, on standard error, unless --quiet."""
    if not is_quiet():
        click.echo(_filled(text, columns_of(sys.stderr)), err=True)


def tell_costs() -> None:
    """How long the command took and how much memory it held at most."""
    import resource

    used = resource.getrusage(resource.RUSAGE_SELF)
    peak = used.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    click.echo(f"{used.ru_utime + used.ru_stime:.2f} s of processor time, {size(peak)} of memory at most", err=True)


def say(text: str) -> None:
    """Prints a sentence on standard output, broken between words where the terminal ends."""
    click.echo(_filled(text, columns_of(sys.stdout)))


class Table:
    """Rows under headings: the first column holds names, the last may hold text. Columns in `right` are aligned right."""

    def __init__(self, *headings: str, right: Collection[str] = ()):
        self.headings, self.right, self.rows = headings, right, list[tuple[str, ...]]()

    def add(self, *cells: str) -> None:
        self.rows.append(cells)

    def show(self, to_people: bool = False) -> None:
        """Prints it, to standard error where it is no result but meant for people's eyes; without rows it prints nothing."""
        if not self.rows:
            return
        stream = sys.stderr if to_people else sys.stdout
        heading, rule, *lines = self.lines(columns_of(stream))
        is_plain = "NO_COLOR" in os.environ or not ("FORCE_COLOR" in os.environ or stream.isatty())
        shown = heading if is_plain else click.style(heading, bold=True)
        click.echo("\n".join([shown, rule, *lines]), file=stream, color=True)

    def lines(self, width: int) -> list[str]:
        """The heading, a rule, and the rows, no line longer than `width` unless one name is."""
        columns = self._columns(width)
        found = [line for row in (self.headings, *self.rows) for line in self._row(row, columns, width)]
        rule = "─" * min(width, sum(columns) + len(GAP) * (len(columns) - 1))
        return [found[0], rule, *found[1:]]

    def _columns(self, width: int) -> list[int]:
        """How wide each is: text gives way first, then names, of which those too long for the line do not count."""
        first, *columns = (max(map(len, cells)) for cells in zip(self.headings, *self.rows, strict=True))
        text = columns.pop() if self._has_text() else 0
        room = width - sum(columns) - len(GAP) * (len(self.headings) - 1)
        if first + text > room:
            names = (len(row[0]) for row in self.rows)
            first = max(len(self.headings[0]), *(n for n in names if n <= room - min(text, TEXT)), 1)
            text = max(min(text, room - first), min(text, TEXT))
        return [first, *columns, text] if self._has_text() else [first, *columns]

    def _has_text(self) -> bool:
        return len(self.headings) > 1 and self.headings[-1] not in self.right

    def _row(self, row: Sequence[str], columns: list[int], width: int) -> list[str]:
        """A row's lines: a name or a text that does not fit its column stands above or below the rest."""
        above, below, text = [], [], [""]
        name, *cells = row
        if len(name) > columns[0]:
            above, name = [name], ""
        if self._has_text():
            last = cells.pop()
            text = _broken(last, columns[-1]) or text
            if len(text) > TALL or max(map(len, text)) > columns[-1]:
                text, below = [""], _broken(last, width, INDENT)
        begin = [
            cell.rjust(space) if heading in self.right else cell.ljust(space)
            for heading, cell, space in zip(self.headings, [name, *cells], columns, strict=False)
        ]
        margin = GAP.join(" " * len(part) for part in [*begin, ""])
        lines = [*above, GAP.join([*begin, text[0]]), *(margin + line for line in text[1:]), *below]
        return [line.rstrip().replace(TIE, " ") for line in lines if line.strip()]


def gradients(entries: Sequence[dict[str, Any]]) -> Table:
    """The gradients that were found, one row per x, from the entries of their document."""
    table = Table("x", "dtype", "shape", "gradient")
    for entry in entries:
        if entry["kind"] == "none":
            table.add(entry["x"], "", "", f"none: {entry['reason']}")
            continue
        parts = "values", "indices"
        sparse = "sparse: " + ", ".join(f"{part} {entry[part]}" for part in parts) if "values" in entry else ""
        table.add(entry["x"], entry["dtype"], shape(entry.get("shape")), sparse or entry["tensor"])
    return table


def _broken(text: str, width: int, indent: str = "") -> list[str]:
    return textwrap.wrap(
        text, width, initial_indent=indent, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )


def _filled(text: str, width: int) -> str:
    return "\n".join(_broken(text, width)).replace(TIE, " ")


def columns_of(stream: TextIO) -> int:
    """The columns of a terminal; what is none has lines as long as they come."""
    if os.environ.get("COLUMNS", "").isdigit():
        return int(os.environ["COLUMNS"]) or USUAL
    try:
        return os.get_terminal_size(stream.fileno()).columns or USUAL
    except (OSError, ValueError):
        return UNBROKEN


def counted(count: int, what: str) -> str:
    """'1 node', '2 nodes'."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def size(count: int) -> str:
    """Bytes as people read them: '1.5 MB', by powers of 1000."""
    amount, unit = float(count), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if amount < 1000:
            break
        amount, unit = amount / 1000, larger
    return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.3g} {unit}"


def shape(known: Sequence[int | None] | None) -> str:
    """A static shape: '[2,?]', or 'unknown'."""
    return "unknown" if known is None else "[" + ",".join("?" if d is None else str(d) for d in known) + "]"
