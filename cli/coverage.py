"""`graphgrad coverage`: what of a graph lacks a gradient or a kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
from graphgrad_cli import arguments

if TYPE_CHECKING:
    from graphgrad.coverage import Coverage


PYTHON = (
    "Some are marked with a gradient in Python that the file does not hold: "
    "--custom-gradients through differentiates what the graph computes there."
)


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
        _print(found)
    ctx.exit(0 if found else 1)


def _print(found: Coverage) -> None:
    from graphgrad_cli import output

    if found:
        count = sum(found.ops.values())
        what = f"{output.counted(count, 'node')} of {output.counted(len(found.ops), 'op type')}"
        click.echo(f"{what}: all can be differentiated and run")
    else:
        is_way = any(entry["path"][1:] for entry in found.without_gradient)
        table = output.Table("op", "lacks", "way to the node" if is_way else "node")
        for op, entries in _by_op(found.without_gradient).items():
            table.add(op, "gradient", _first([" > ".join(e["path"]) or e["node"] for e in entries]))
        for op, nodes in found.without_kernel.items():
            table.add(op, "kernel", _first(nodes))
        table.show()
        for entry in found.without_gradient:
            if "reason" in entry:
                output.say(entry["reason"])
        if any(entry.get("custom_gradient") for entry in found.without_gradient):
            output.say(PYTHON)
    if found.left_out:
        output.tell(f"left out: {sum(found.left_out.values())} nodes that only save and restore variables")


def _by_op(entries: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    grouped: dict[str, list[dict[str, Any]]] = {}
    for entry in entries:
        grouped.setdefault(entry["op"], []).append(entry)
    return grouped


def _first(nodes: list[str]) -> str:
    return nodes[0] + (f" and {len(nodes) - 1} more" if nodes[1:] else "")
