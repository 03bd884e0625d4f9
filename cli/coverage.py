"""`graphgrad coverage`: what of a graph lacks a gradient or a kernel."""

from __future__ import annotations

import click
from graphgrad_cli import arguments


@click.command("coverage", cls=arguments.Command)
@arguments.MODEL
@arguments.tensors_option("--ys", "Look only at what lies between ys and xs.")
@arguments.tensors_option("--xs", "See --ys.")
@click.option(
    "--order",
    type=click.IntRange(1, 8),
    default=1,
    show_default=True,
    help="Order of differentiation, with --ys and --xs.",
)
@arguments.SIGNATURE
@arguments.TAG_SET
@arguments.JSON
@click.pass_context
def command(
    ctx: click.Context,
    model: str,
    ys: tuple[str, ...],
    xs: tuple[str, ...],
    order: int,
    signature: str | None,
    tag_set: str | None,
    as_json: bool,
) -> None:
    """List the operations that lack a gradient or a kernel.

    Exit code 0: none does; 1: some do.

    \b
    Example:
      graphgrad coverage samples/01_mlp/graph.pb --ys loss --xs W1 --order 2
    """
    from graphgrad_cli import output
    from graphgrad_cli.failure import as_document, emit_json

    from graphgrad.coverage import coverage
    from graphgrad.errors import ArgumentError
    from graphgrad.formats import models

    with as_document(as_json):
        if bool(ys) != bool(xs):
            raise ArgumentError("--ys and --xs go together: give both or neither")
        graph = models.load(model, tag_set, signature)
        y_names, x_names = (arguments.names(graph, v, o) for v, o in ((ys, "--ys"), (xs, "--xs")))
        found = coverage(graph, y_names, x_names, order)
    if as_json:
        emit_json(found.as_json())
    else:
        table = output.table("lacks", "op", "node", "path")
        for entry in found.without_gradient:
            table.add_row("gradient", entry["op"], entry["node"], " > ".join(entry["path"]))
        for op, nodes in found.without_kernel.items():
            table.add_row("kernel", op, nodes[0] + (f" and {len(nodes) - 1} more" if nodes[1:] else ""), "")
        if table.row_count:
            output.show(table)
        else:
            click.echo(
                f"{sum(found.ops.values())} nodes of {len(found.ops)} op types: all can be differentiated and run"
            )
    ctx.exit(0 if found else 1)
