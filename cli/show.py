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
@click.option(
    "--function",
    multiple=True,
    metavar="NAME[,..]",
    shell_complete=arguments.complete_functions,
    help="Look for NODE in these functions of the model, not in its graph.",
)
@arguments.TAG_SET
@arguments.JSON
def command(
    model: str,
    nodes: tuple[str, ...],
    attrs: bool,
    gradient_of: tuple[str, ...],
    function: tuple[str, ...],
    tag_set: str | None,
    as_json: bool,
) -> None:
    """Show nodes as text, producers first.

    A line holds a node's name, op, dtypes with shapes, and inputs; of a call also the functions it runs, whose nodes
    --function shows. NODE is a name, a glob or a name scope; without any all nodes are shown. The same graph gives the
    same lines, so that two can be diffed.

    \b
    Example:
      graphgrad show samples/01_mlp/graph.pb 'MatMul*'
    """
    from graphgrad_cli.failure import as_document, emit_json

    from graphgrad import listing
    from graphgrad.formats import models

    with as_document(as_json):
        graph = models.load(model, tag_set)
        if function:
            functions = listing.functions(graph, arguments.split(function))
            places = listing.chosen_of_functions(functions, nodes, arguments.split(gradient_of))
        else:
            places = [(None, listing.chosen(graph, nodes, arguments.split(gradient_of)))]
    if as_json:
        emit_json(listing.as_document(places))
        return
    for body, found in places:
        if body is not None:
            click.echo(listing.heading(body))
        for op in found:
            click.echo(listing.line(op, attrs))
