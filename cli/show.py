"""`graphgrad show`: the nodes of a model as text."""

from __future__ import annotations

import click
from graphgrad_cli import arguments


@click.command("show", cls=arguments.Command)
@arguments.MODEL
@click.argument("nodes", nargs=-1, metavar="[NODE...]", shell_complete=arguments.complete_tensors)
@click.option("--attrs", is_flag=True, help="List the attributes of each node too.")
@click.option(
    "--gradient-of",
    multiple=True,
    metavar="NODE[,..]",
    shell_complete=arguments.complete_tensors,
    help="The nodes that the gradient of NODE consists of.",
)
@arguments.TAG_SET
@arguments.JSON
def command(
    model: str, nodes: tuple[str, ...], attrs: bool, gradient_of: tuple[str, ...], tag_set: str | None, as_json: bool
) -> None:
    """Show nodes as text, producers first.

    A line holds a node's name, op, dtypes with shapes, and inputs. NODE is a name, a glob or a name scope; without any
    all nodes are shown. The same graph gives the same lines, so that two can be diffed.

    \b
    Example:
      graphgrad show samples/01_mlp/graph.pb 'MatMul*'
    """
    from graphgrad_cli.failure import as_document, emit_json

    from graphgrad import listing
    from graphgrad.formats import models

    with as_document(as_json):
        found = listing.chosen(models.load(model, tag_set), nodes, arguments.split(gradient_of))
    if as_json:
        emit_json({"schema": 1, "nodes": [listing.as_json(op) for op in found]})
    else:
        for op in found:
            click.echo(listing.line(op, attrs))
