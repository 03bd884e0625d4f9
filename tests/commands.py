"""Running the command line inside the test's process."""

from __future__ import annotations

from typing import Any

from click.testing import CliRunner
from graphgrad_cli.main import cli


def run(*arguments: object, stdin: bytes | None = None) -> Any:
    """What a command line gives: exit code, standard output and standard error."""
    return CliRunner().invoke(cli, [str(a) for a in arguments], input=stdin)
