"""Writes docs/commands.md from the commands themselves: python -m tests.docs.write_commands"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import tempfile
from pathlib import Path

import click
from click.testing import CliRunner
from graphgrad_cli.main import COMMANDS, cli

PAGE = Path(__file__).parents[2] / "docs" / "commands.md"


def page() -> str:
    """The page: every command's help, as it is printed, and what its example prints."""
    parts = [
        "# Commands\n\nWritten by `python -m tests.docs.write_commands` from the commands' own help, as the manual pages in `man/` are by",
        "`python -m tests.docs.write_man`; installed, `man graphgrad-check` shows one.\n",
        "`MODEL` is a GraphDef (`.pb`, `.pbtxt`, `.json`, each also `.gz`), a MetaGraphDef (`.meta`), a SavedModel folder, a TensorFlow.js",
        "`model.json`, or `-` for standard input. `node` means `node:0`, `node:k` is its k-th output; lists are comma",
        "separated, an option may be repeated, a name may be a glob.\n",
    ]
    printed = _printed()
    group = click.Context(cli, info_name="graphgrad", **cli.context_settings)
    for name in COMMANDS:
        command = cli.get_command(click.Context(cli), name)
        assert command is not None
        context = click.Context(command, parent=group, info_name=name, terminal_width=90)
        parts.append(f"## {name}\n\n```text\n{command.get_help(context)}\n```\n")
        if name in printed:
            parts.append(f"The example prints:\n\n```text\n{printed[name]}\n```\n")
    return "\n".join(parts)


def _printed() -> dict[str, str]:
    """What the examples print, one run after the other in a folder with the samples; those whose output goes elsewhere left out."""
    found = {}
    here = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(PAGE.parents[1] / "samples", Path(folder) / "samples")
        os.chdir(folder)
        try:
            for name in COMMANDS:
                words = shlex.split(_example(name).replace("\\\n", " "))
                if ">" not in words:
                    found[name] = _run(words[1:])
        finally:
            os.chdir(here)
    return found


def _example(name: str) -> str:
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    return re.split(r"Example:\n", str(command.help))[1]


def _run(words: list[str]) -> str:
    result = CliRunner(env={"COLUMNS": "80"}).invoke(cli, words)
    assert result.exit_code in (0, 1), result.output
    return "\n".join(line.rstrip() for line in (result.stderr + result.stdout).strip().split("\n"))


if __name__ == "__main__":
    PAGE.write_text(page())
