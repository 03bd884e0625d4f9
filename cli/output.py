"""What people read: tables by rich on standard output, as wide as the terminal; remarks on standard error."""

from __future__ import annotations

import sys
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

import click
from graphgrad_cli.arguments import QUIET

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text


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


def table(*columns: str, right: Collection[str] = (), title: str | None = None) -> Table:
    """An empty table; the columns in `right` are aligned right."""
    from rich import box
    from rich.table import Table

    made = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left", pad_edge=False, show_edge=False)
    for column in columns:
        made.add_column(column, justify="right" if column in right else "left", overflow="fold")
    return made


def show(item: Table | Text, to_people: bool = False) -> None:
    """Prints it, to standard error where it is no result but meant for people's eyes."""
    from rich.console import Console

    Console(highlight=False, soft_wrap=False, stderr=to_people).print(item)


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
