"""What people read: tables by rich on standard output, as wide as the terminal; remarks on standard error."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

import click
from graphgrad_cli.arguments import QUIET

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

UNBROKEN = 100_000  # columns of what is no terminal


def tell(text: str) -> None:
    """Says something to people, on standard error, unless --quiet."""
    if not click.get_current_context().meta.get(QUIET):
        click.echo(text, err=True)


def tell_costs() -> None:
    """How long the command took and how much memory it held at most."""
    import resource

    used = resource.getrusage(resource.RUSAGE_SELF)
    peak = used.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    click.echo(f"{used.ru_utime + used.ru_stime:.2f} s of processor time, {size(peak)} of memory at most", err=True)


def table(*columns: str, right: Collection[str] = (), whole: Collection[str] = ()) -> Table:
    """An empty table; columns in `right` are aligned right, and like those in `whole` never broken into lines."""
    from rich import box
    from rich.table import Table

    class Names(Table):
        def add_row(self, *cells: Any, **style: Any) -> None:
            super().add_row(*map(name, cells), **style)

    made = Names(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column in columns:
        made.add_column(column, justify="right" if column in right else "left", no_wrap=column in (*right, *whole))
    return made


def show(item: Table | Text, to_people: bool = False) -> None:
    """Prints it, to standard error where it is no result but meant for people's eyes.

    Lines are broken where the terminal ends; what a program reads has lines as long as they come.
    """
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=False, stderr=to_people)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = UNBROKEN
    with console.capture() as captured:
        console.print(item)
    click.echo("\n".join(line.rstrip() for line in captured.get().splitlines()), err=to_people, color=True)


def name(text: str) -> Text:
    """A text that is broken behind spaces and the slashes of name scopes, elsewhere only where a part is too long."""
    from rich.containers import Lines
    from rich.text import Text

    class Name(Text):
        def wrap(self, console: Any, width: int, *, justify: Any = None, **_: Any) -> Lines:
            lines = Lines(Text(line) for line in broken(self.plain, width))
            if justify:
                lines.justify(console, width, justify=justify)
            return lines

    return Name(text)


def broken(text: str, width: int) -> list[str]:
    """The lines of a text of names, none longer than `width`."""
    lines = [""]
    for part in re.findall(r"[^/ ]*[/ ]|[^/ ]+", text):
        if len(lines[-1] + part.rstrip()) > width and lines[-1]:
            lines.append("")
        lines[-1] += part
        while len(lines[-1].rstrip()) > width:
            lines[-1:] = [lines[-1][:width], lines[-1][width:]]
    return [line.rstrip() for line in lines]


def say(text: str) -> None:
    """Prints a sentence on standard output, broken between words where the terminal ends."""
    from rich.text import Text

    show(Text(text))


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
