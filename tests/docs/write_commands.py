"""Writes docs/commands.md from the commands themselves: python -m tests.docs.write_commands"""

from __future__ import annotations

from pathlib import Path

import click
from graphgrad_cli.main import COMMANDS, cli

PAGE = Path(__file__).parents[2] / "docs" / "commands.md"


def page() -> str:
    """The page: every command's help, as it is printed."""
    parts = [
        "# Commands\n\nWritten by `python -m tests.docs.write_commands` from the commands' own help, as the manual pages in `man/` are by",
        "`python -m tests.docs.write_man`; installed, `man graphgrad-check` shows one.\n",
        "`MODEL` is a GraphDef (`.pb`, `.pbtxt`, `.json`, each also `.gz`), a MetaGraphDef (`.meta`), a SavedModel folder, a TensorFlow.js",
        "`model.json`, or `-` for standard input. `node` means `node:0`, `node:k` is its k-th output; lists are comma",
        "separated, an option may be repeated, a name may be a glob.\n",
    ]
    group = click.Context(cli, info_name="graphgrad", **cli.context_settings)
    for name in COMMANDS:
        command = cli.get_command(click.Context(cli), name)
        assert command is not None
        context = click.Context(command, parent=group, info_name=name, terminal_width=90)
        parts.append(f"## {name}\n\n```text\n{command.get_help(context)}\n```\n")
    return "\n".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page())
