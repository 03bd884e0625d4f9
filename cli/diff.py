"""`graphgrad diff`: compare two graph files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
from graphgrad_cli import arguments

if TYPE_CHECKING:
    from graphgrad.diff import Difference
    from graphgrad.graph import Graph

SHOWN = 200  # changed, removed and added nodes listed one by one; --json lists all


@click.command("diff", cls=arguments.Command)
@click.argument("a", metavar="A", shell_complete=arguments.complete_files)
@click.argument("b", metavar="B", shell_complete=arguments.complete_files)
@click.option("--stat", is_flag=True, help="Only the counts per name scope.")
@click.option(
    "--ignore",
    multiple=True,
    metavar="ASPECT[,..]",
    help="What does not count: op, inputs, control, device, attr, internal, constants, functions, versions.",
)
@arguments.TAG_SET
@click.option(
    "--html",
    metavar="OUT.html",
    shell_complete=arguments.complete_files,
    help="Draw both merged into one, what differs marked, as `view` does.",
)
@arguments.JSON
@click.pass_context
def command(
    ctx: click.Context,
    a: str,
    b: str,
    stat: bool,
    ignore: tuple[str, ...],
    tag_set: str | None,
    html: str | None,
    as_json: bool,
) -> None:
    """Compare two graph files node by node.

    Exit code 0: the same; 1: different. Constants are compared by value.

    \b
    Example:
      graphgrad diff samples/01_mlp/graph.pb with_grads.pb
    """
    from graphgrad_cli.failure import as_document, emit_json

    from graphgrad.diff import diff
    from graphgrad.formats import models

    with as_document(as_json):
        before, after = models.load(a, tag_set), models.load(b, tag_set)
        difference = diff(before, after, arguments.split(ignore))
        if html is not None:
            _draw(html, before, after, difference, f"{a} to {b}")
    if as_json:
        emit_json(difference.as_json())
    elif difference:
        _print(difference, stat)
    ctx.exit(1 if difference else 0)


def _draw(path: str, before: Graph, after: Graph, difference: Difference, title: str) -> None:
    from graphgrad import picture
    from graphgrad.formats import files
    from graphgrad.picture.page import page

    files.write(path, [page(picture.document(after, before, difference), title).encode()])


def _print(difference: Difference, stat: bool) -> None:
    from graphgrad_cli import output

    table = output.Table("scope", "added", "removed", "changed", "ops", right=("added", "removed", "changed"))
    for scope, kinds in sorted(difference.by_scope().items()):
        counts = [str(sum(kinds[kind].values())) if kind in kinds else "" for kind in ("added", "removed", "changed")]
        ops = sum((kinds[kind] for kind in sorted(kinds)), start=type(next(iter(kinds.values())))())
        common = ", ".join(
            f"{op}{output.TIE}{n}" for op, n in sorted(ops.items(), key=lambda item: (-item[1], item[0]))[:6]
        )
        table.add(scope or "(top level)", *counts, common + (", ..." if len(ops) > 6 else ""))
    table.show()
    if stat:
        counts = [f"{len(names)} {kind}" for kind, names in difference.functions.items() if names]
        if counts:
            output.say(f"functions: {', '.join(counts)}")
        return
    lines = [f"- {op.name}  {op.type}" for op in difference.removed] + [
        f"+ {op.name}  {op.type}" for op in difference.added
    ]
    for change in difference.changed:
        for field, (before, after) in change.fields.items():
            lines.append(f"~ {change.name}  {field}: {before} -> {after}")
        if change.largest_difference is not None:
            lines.append(f"~ {change.name}  largest difference {change.largest_difference:.6g}")
    for kind, mark in (("removed", "-"), ("added", "+"), ("changed", "~")):
        lines += [f"{mark} function {name}" for name in difference.functions[kind]]
    if difference.versions is not None:
        lines.append(f"~ versions: {difference.versions[0]} -> {difference.versions[1]}")
    if lines:
        click.echo()
    for line in lines[:SHOWN]:
        click.echo(line)
    if len(lines) > SHOWN:
        click.echo(f"... {len(lines) - SHOWN} more lines: --json lists all")
