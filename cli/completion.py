"""`graphgrad completion`: the script by which a shell completes commands, options and node names."""

from __future__ import annotations

import click
from graphgrad_cli import arguments

VARIABLE = "_GRAPHGRAD_COMPLETE"  # by which the script asks the program


@click.command("completion", cls=arguments.Command)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Print the completion script of a shell.

    It completes commands, options, op types, and the names of nodes out of the MODEL that stands on the line already.

    \b
    Example:
      graphgrad completion bash \\
          > ~/.local/share/bash-completion/completions/graphgrad
    """
    from click.shell_completion import get_completion_class
    from graphgrad_cli.main import cli

    kind = get_completion_class(shell)
    assert kind is not None
    source = kind(cli, {}, "graphgrad", VARIABLE).source()
    # In fish click takes an answer apart at every comma, the one between two names too.
    click.echo(source.replace('string split "," ', 'string split -m 1 "," '))
