"""Tables for people, by rich: to standard output, as wide as the terminal, in colour only on one."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table


def table(*columns: str, right: Collection[str] = (), title: str | None = None) -> Table:
    """An empty table; the columns in `right` are aligned right."""
    from rich import box
    from rich.table import Table

    made = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left", pad_edge=False, show_edge=False)
    for column in columns:
        made.add_column(column, justify="right" if column in right else "left", overflow="fold")
    return made


def show(item: Table, to_people: bool = False) -> None:
    """Prints it, to standard error where it is no result but meant for people's eyes."""
    from rich.console import Console

    Console(highlight=False, soft_wrap=False, stderr=to_people).print(item)
