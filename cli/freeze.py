"""`graphgrad freeze`: a model with constants in place of its variables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
from graphgrad_cli import arguments

if TYPE_CHECKING:
    from graphgrad.graph import Graph


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
        names = [f"{key} is {tensor}" for side in document["names"].values() for key, tensor in side.items()]
        if names:
            tell(f"a GraphDef has no signature: {', '.join(names)}")
        if document["run_first"]:
            tell(
                f"its tables are empty until {document['run_first']} has run: eval --run-first {document['run_first']}"
            )


def _run(model: str, output: str, options: dict[str, Any]) -> dict[str, Any]:
    from graphgrad.formats import models, restored
    from graphgrad.freeze import freeze

    graph = models.load(model, options["tag_set"], options["signature"])
    variables = restored.variables_of(graph, options["variables"])
    outputs = arguments.names(graph, options["outputs"], "--outputs") if options["outputs"] else None
    frozen = freeze(graph, variables, outputs)
    kind = models.kind_of(output)
    models.save(frozen, output, kind)
    names = [op.name for op in frozen if op.name in graph and graph.operation(op.name).type in restored.VARIABLES]
    return {
        "schema": 1,
        "output": output,
        "frozen": names,
        "nodes": len(frozen),
        "nodes_before": len(graph),
        "names": _names(graph, frozen) if kind == "graph-def" else {},
        "run_first": _fills_tables(graph, frozen) if kind == "graph-def" else None,
    }


def _fills_tables(graph: Graph, frozen: Graph) -> str | None:
    """What fills the tables of the model, which a GraphDef does not say."""
    from graphgrad import signatures
    from graphgrad.freeze import FILLS_TABLES

    name = signatures.initialiser(graph) or FILLS_TABLES
    return name if name in frozen and any("HashTable" in op.type for op in frozen) else None


def _names(graph: Graph, frozen: Graph) -> dict[str, dict[str, str]]:
    """The tensors behind the names of the signature, which a GraphDef does not keep."""
    from graphgrad import signatures

    found = signatures.chosen(graph)
    sides = {} if found is None else {"inputs": found.inputs, "outputs": found.outputs}
    tensors = {side: {key: signatures.tensors_of(infos[key]) for key in sorted(infos)} for side, infos in sides.items()}
    return {
        side: {
            key: ", ".join(names) for key, names in each.items() if all(n.partition(":")[0] in frozen for n in names)
        }
        for side, each in tensors.items()
    }
