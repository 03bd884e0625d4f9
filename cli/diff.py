"""`graphgrad diff`: compare two graph files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
from graphgrad_cli import arguments

if TYPE_CHECKING:
    from collections import Counter

    from graphgrad_cli.output import Table

    from graphgrad.diff import Difference, NodeChanges
    from graphgrad.graph import Graph
    from graphgrad.scopes import Rename

SHOWN = 200  # changed, removed and added nodes listed one by one; --json lists all
VALUE = 200  # characters of a value


@click.command("diff", cls=arguments.Command)
@click.argument("a", metavar="A", shell_complete=arguments.complete_files)
@click.argument("b", metavar="B", shell_complete=arguments.complete_files)
@click.option("--stat", is_flag=True, help="Only the counts per name scope.")
@click.option(
    "--ignore",
    multiple=True,
    metavar="ASPECT[,..]",
    help="What does not count: op, inputs, control, device, attr, internal, constants, functions, function-names, "
    "scope-names, versions.",
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

    Exit code 0: the same; 1: different. Constants are compared by value. Nodes are compared by name; where a name scope
    is clearly another one renamed, its nodes are compared with those there: with --ignore scope-names such names do not
    count. Functions are compared by name, and where names end in other numbers, by what calls them: with --ignore
    function-names such names do not count.

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
        _add_counts(table, scope or "(top level)", kinds)
    for function in difference.function_changes:
        if counts := function.nodes.by_op():
            _add_counts(table, f"function {function.name}", counts)
    table.show()
    for rename in difference.renames.scopes if difference.renames else ():
        click.echo(_renamed(rename))
    if stat:
        counts = [f"{len(names)} {kind}" for kind, names in difference.functions.items() if names]
        if counts:
            output.say(f"functions: {', '.join(counts)}")
    else:
        lines = _lines(difference)
        if lines and (table.rows or difference.renames):
            click.echo()
        for line in lines[:SHOWN]:
            click.echo(line)
        if len(lines) > SHOWN:
            click.echo(f"... {len(lines) - SHOWN} more lines: --json lists all")
    renamed = [change for change in difference.function_changes if change.renamed]
    if renamed:
        count = output.counted(len(renamed), "function")
        output.tell(f"names of {count} differ in their numbers alone: --ignore function-names passes over that")


def _add_counts(table: Table, name: str, kinds: dict[str, Counter[str]]) -> None:
    from graphgrad_cli import output

    counts = [str(sum(kinds[kind].values())) if kind in kinds else "" for kind in ("added", "removed", "changed")]
    ops = sum((kinds[kind] for kind in sorted(kinds)), start=type(next(iter(kinds.values())))())
    common = ", ".join(
        f"{op}{output.TIE}{n}" for op, n in sorted(ops.items(), key=lambda item: (-item[1], item[0]))[:6]
    )
    table.add(name, *counts, common + (", ..." if len(ops) > 6 else ""))


def _lines(difference: Difference) -> list[str]:
    """What differs, a line each; below a function what differs in it."""
    lines = _node_lines(difference)
    names = {kind: dict.fromkeys(names) for kind, names in difference.functions.items()}
    for change in difference.function_changes:
        if change.renamed:
            names["removed"].pop(change.name, None)
            names["added"].pop(change.other, None)
    for kind, mark in (("removed", "-"), ("added", "+")):
        lines += [f"{mark} function {name}" for name in names[kind]]
    for change in difference.function_changes:
        lines.append(f"~ function {change.name}" + (f" -> {change.other}" if change.renamed else ""))
        fields = [(field, values) for field, values in change.fields.items() if field != "name"]
        lines += [f"    {field}: {_both(*values)}" for field, values in fields]
        lines += [f"    {_renamed(rename)}" for rename in change.nodes.renames.scopes if change.nodes.renames]
        lines += [f"    {line}" for line in _node_lines(change.nodes)]
    if difference.versions is not None:
        lines.append(f"~ versions: {difference.versions[0]} -> {difference.versions[1]}")
    return lines


def _node_lines(nodes: NodeChanges) -> list[str]:
    lines = [f"- {op.name}  {op.type}" for op in nodes.removed] + [f"+ {op.name}  {op.type}" for op in nodes.added]
    for change in nodes.changed:
        lines += [f"~ {change.name}  {field}: {_both(*values)}" for field, values in change.fields.items()]
        if change.largest_difference is not None:
            lines.append(f"~ {change.name}  largest difference {change.largest_difference:.6g}")
    return lines


def _renamed(rename: Rename) -> str:
    from graphgrad_cli import output

    before, after = (name or "(top level)" for name in (rename.before, rename.after))
    return f"renamed scope {before} -> {after} ({output.counted(rename.nodes, 'node')})"


def _both(before: str, after: str) -> str:
    from graphgrad.diff import apart

    return " -> ".join(apart(before, after, VALUE))
