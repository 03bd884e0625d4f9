"""`graphgrad freeze`: a model with constants in place of its variables."""

from __future__ import annotations

from typing import Any

import click
from graphgrad_cli import arguments


@click.command("freeze", cls=arguments.Command)
@arguments.MODEL
@arguments.VARIABLES
@arguments.tensors_option("--outputs", "Keep only what these need.  [default: the signatures' outputs, or all]")
@arguments.SIGNATURE
@arguments.TAG_SET
@arguments.output_option("Where to write; '-' is standard output.")
@arguments.JSON
def command(model: str, output: str, as_json: bool, **options: Any) -> None:
    """Turn the variables of a model into constants.

    Nodes keep their names. What saves, restores or changes variables is left out, and what depends on it. OUT is a
    GraphDef, with the suffix .meta a MetaGraphDef, without suffix a SavedModel.

    \b
    Example:
      graphgrad freeze samples/09_checkpoint/model.meta \\
          --variables samples/09_checkpoint/model -o frozen.pb
    """
    from graphgrad_cli.failure import as_document, emit_json
    from graphgrad_cli.output import tell

    to_stderr = output == "-"
    with as_document(as_json, to_stderr):
        document = _run(model, output, options)
    if as_json:
        emit_json(document, to_stderr)
    else:
        tell(f"{len(document['frozen'])} variables are constants, {document['nodes']} nodes: {output}")


def _run(model: str, output: str, options: dict[str, Any]) -> dict[str, Any]:
    from graphgrad.formats import models, restored
    from graphgrad.freeze import freeze

    graph = models.load(model, options["tag_set"], options["signature"])
    variables = restored.variables_of(graph, options["variables"])
    outputs = arguments.names(graph, options["outputs"], "--outputs") if options["outputs"] else None
    frozen = freeze(graph, variables, outputs)
    models.save(frozen, output, models.kind_of(output))
    names = [op.name for op in frozen if op.name in graph and graph.operation(op.name).type in restored.VARIABLES]
    return {"schema": 1, "output": output, "frozen": names, "nodes": len(frozen), "nodes_before": len(graph)}
