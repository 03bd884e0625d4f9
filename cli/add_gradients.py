"""`graphgrad add-gradients`: the main job."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
from graphgrad_cli import arguments

if TYPE_CHECKING:
    from graphgrad.graph import Graph


@click.command("add-gradients", cls=arguments.Command)
@arguments.MODEL
@arguments.tensors_option("--ys", "Tensors to differentiate; their sum is meant.", required=True)
@arguments.tensors_option("--xs", "Tensors to differentiate with respect to.", required=True)
@click.option(
    "--grad-ys",
    multiple=True,
    metavar="G[,..]",
    shell_complete=arguments.complete_tensors,
    help="The gradient each y receives; an empty item means ones.",
)
@click.option("--name", default="gradients", show_default=True, help="Scope of the new nodes.")
@arguments.tensors_option("--stop-gradients", "Tensors taken as constants.")
@click.option(
    "--unconnected-gradients",
    type=click.Choice(["none", "zero"]),
    default="none",
    show_default=True,
    help="What an x gets that ys do not depend on.",
)
@click.option(
    "--gate-gradients/--no-gate-gradients", default=False, help="Hand on an op's gradients only when all are computed."
)
@click.option(
    "--aggregation-method",
    type=click.Choice(["default", "add-n", "experimental-tree", "experimental-accumulate-n"]),
    default="default",
    show_default=True,
    help="How several gradients of one tensor are summed.",
)
@click.option(
    "--colocate-gradients-with-ops",
    is_flag=True,
    help="Give new nodes the colocation class of the op they differentiate.",
)
@arguments.tensors_option(
    "--checkpoints",
    "Keep these tensors and compute what lies between them again when gradients come to it; 'auto' chooses them.",
)
@arguments.CUSTOM_GRADIENTS
@click.option("--densify", is_flag=True, help="Turn sparse gradients (IndexedSlices) into dense tensors.")
@click.option("--alias", metavar="PATTERN", help="Add an Identity of this name per gradient, e.g. 'grad/{x}'.")
@arguments.SIGNATURE
@arguments.TAG_SET
@click.option(
    "--export-signature",
    metavar="NAME",
    help="Add a signature whose outputs are the gradients, each under the name of its x.",
)
@arguments.output_option("Where to write; '-' is standard output.  [default: <stem>.gradients<suffix>]", required=False)
@arguments.JSON
def command(model: str, output: str | None, as_json: bool, **options: Any) -> None:
    """Append the gradients of ys with respect to xs to a graph file.

    Adds the nodes that tf.gradients (TensorFlow 2.21) adds, under the scope --name, behind the nodes of MODEL, none of
    which is changed.

    \b
    Example:
      graphgrad add-gradients samples/01_mlp/graph.pb \\
          --ys loss --xs W1,b1 -o with_grads.pb
    """
    from graphgrad_cli.failure import as_document, emit_json

    from graphgrad.formats import files, models

    target = output if output is not None else models.default_output(model)
    to_stderr = target == files.STREAM
    with as_document(as_json, to_stderr):
        document = _run(model, target, options)
    if as_json:
        emit_json(document, to_stderr)
    else:
        _tell(document)


def _run(model: str, target: str, options: dict[str, Any]) -> dict[str, Any]:
    from graphgrad import differentiate
    from graphgrad.formats import models

    graph = models.load(model, options["tag_set"], options["signature"])
    items = arguments.split(options["grad_ys"])
    found = differentiate(
        arguments.names(graph, options["ys"], "--ys"),
        arguments.names(graph, options["xs"], "--xs"),
        [arguments.tensor(graph, i, "--grad-ys") if i else None for i in items] if items else None,
        name=options["name"],
        colocate_gradients_with_ops=options["colocate_gradients_with_ops"],
        gate_gradients=options["gate_gradients"],
        aggregation_method=options["aggregation_method"],
        stop_gradients=arguments.names(graph, options["stop_gradients"], "--stop-gradients"),
        unconnected_gradients=options["unconnected_gradients"],
        custom_gradients=options["custom_gradients"],
        checkpoints=_checkpoints(graph, options["checkpoints"]),
        graph=graph,
    )
    results = found.densified() if options["densify"] else found
    if options["alias"]:
        results = results.aliased(options["alias"])
    if options["export_signature"] is not None:
        from graphgrad import signatures

        signatures.export(graph, options["export_signature"], results.xs, results.gradients)
    models.save(graph, target)
    return {
        "schema": 1,
        "output": target,
        "nodes_added": len(graph.added()),
        "rewritten": results.rewritten,
        **({"nodes_recomputed": results.recomputed} if options["checkpoints"] else {}),
        "gradients": results.as_json(),
    }


def _checkpoints(graph: Graph, values: tuple[str, ...]) -> list[str] | str | None:
    if values == ("auto",) and "auto" not in graph:
        return "auto"
    return arguments.names(graph, values, "--checkpoints") if values else None


def _tell(document: dict[str, Any]) -> None:
    """What was done, for people: on standard error, since standard output may be the graph."""
    from graphgrad_cli import output

    if not output.is_quiet():
        output.gradients(document["gradients"]).show(to_people=True)
    copies = document.get("nodes_recomputed")
    again = "" if copies is None else f", {copies} of them compute forward nodes again"
    output.tell(f"{output.counted(document['nodes_added'], 'node')} added{again}: {document['output']}")
