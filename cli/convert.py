"""`graphgrad convert`: a model as a file of another kind."""

from __future__ import annotations

from typing import Any

import click
from graphgrad_cli import arguments


@click.command("convert", cls=arguments.Command)
@arguments.MODEL
@arguments.TAG_SET
@click.option(
    "--to",
    "kind",
    type=click.Choice(["graph-def", "meta-graph", "saved-model", "tfjs"]),
    help="What to write.  [default: by OUT: .meta is a meta-graph, a name without suffix a saved-model]",
)
@arguments.output_option("Where to write; '-' is standard output.")
@arguments.JSON
def command(model: str, tag_set: str | None, kind: str | None, output: str, as_json: bool) -> None:
    """Write a model as another kind of file.

    The suffix of OUT chooses the encoding: .pb and .meta binary, .pbtxt text, .json JSON, each also .gz. What the other
    kind cannot hold is told first.

    \b
    Example:
      graphgrad convert samples/01_mlp/graph.pb -o graph.pbtxt
    """
    from graphgrad_cli.failure import as_document, emit_json
    from graphgrad_cli.output import tell

    to_stderr = output == "-"
    with as_document(as_json, to_stderr):
        document = _run(model, tag_set, kind, output, as_json)
    if as_json:
        emit_json(document, to_stderr)
    else:
        tell(f"{document['from']} written as {document['to']}: {output}")


def _run(model: str, tag_set: str | None, kind: str | None, output: str, as_json: bool) -> dict[str, Any]:
    from graphgrad_cli.output import tell

    from graphgrad.formats import models
    from graphgrad.formats.losses import losses

    graph = models.load(model, tag_set)
    kind = kind or models.kind_of(output)
    lost = losses(graph, output, kind)
    if not as_json:
        for item in lost:
            tell(f"lost: {item}")
    models.save(graph, output, kind)
    return {"schema": 1, "output": output, "from": graph.source.kind, "to": kind, "lost": lost}
