"""`graphgrad view`: a picture of a model, or of two merged into one."""

from __future__ import annotations

import click
from graphgrad_cli import arguments


@click.command("view", cls=arguments.Command)
@arguments.MODEL
@click.option(
    "--against",
    metavar="OTHER",
    shell_complete=arguments.complete_files,
    help="An earlier model: what was added, changed and removed since is marked.",
)
@arguments.output_option("Where to write; .html, .svg or .dot says what.")
@arguments.TAG_SET
def command(model: str, against: str | None, output: str, tag_set: str | None) -> None:
    """Draw a model.

    The HTML is one file that needs no network: name scopes and calls open on click, nodes tell what they are, search
    finds them, the way between two nodes lights up. An SVG shows the outer scopes; DOT is for Graphviz. What a function
    holds is drawn inside of each call of it. Of many boxes those that are alike, as the variables of a model, are one
    that opens into rows.

    \b
    Example:
      graphgrad view with_grads.pb --against samples/01_mlp/graph.pb \\
          -o with_grads.html
    """
    from graphgrad_cli.output import size, tell

    from graphgrad import picture
    from graphgrad.formats import files, models

    write = picture.writer(output)
    before = models.load(against, tag_set) if against is not None else None
    text = write(
        picture.document(models.load(model, tag_set), before), model if against is None else f"{against} to {model}"
    )
    files.write(output, [text.encode()])
    tell(f"{size(len(text.encode()))}: {output}")
