"""`graphgrad inspect`: what a model holds, and what stands in the way of its gradients."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
from graphgrad_cli import arguments

if TYPE_CHECKING:
    from graphgrad.attributes import Shape
    from graphgrad.graph import Graph
    from graphgrad.inspect import Inspection, Item, Suggestion
    from graphgrad.paths import Path

SHOWN = 12  # rows of each list; --json has all


@click.command("inspect", cls=arguments.Command)
@arguments.MODEL
@click.option("--suggest", is_flag=True, help="Name likely ys and xs, and the command that differentiates them.")
@arguments.tensors_option("--ys", "With --xs: say which gradients there would be, and what blocks the others.")
@arguments.tensors_option("--xs", "See --ys.")
@click.option(
    "--path",
    nargs=2,
    metavar="A B",
    shell_complete=arguments.complete_tensors,
    help="Show the way from A to B and where a gradient stops on it.",
)
@click.option("--memory", is_flag=True, help="Say what an evaluation holds at most, before one runs.")
@arguments.tensors_option(
    "--fetch", "With --memory: what is evaluated.  [default: the outputs of the signature, or all]"
)
@click.option(
    "--feed-shapes",
    multiple=True,
    metavar="NAME=SHAPE",
    help="With --memory: the shape of a feed, as x=8,224,224,3.  [default: what the graph says]",
)
@arguments.SIGNATURE
@arguments.TAG_SET
@arguments.JSON
def command(model: str, path: tuple[str, str] | None, as_json: bool, **options: Any) -> None:
    """Show what a model holds.

    Inputs, outputs, variables, constants, ops, functions, loops and branches; nothing is written.

    \b
    Example:
      graphgrad inspect samples/01_mlp/graph.pb --suggest
    """
    from graphgrad_cli.failure import as_document, emit_json

    from graphgrad.formats import models
    from graphgrad.inspect import inspect, suggest

    with as_document(as_json):
        graph = models.load(model, options["tag_set"], options["signature"])
        found = inspect(graph)
        suggested = suggest(graph) if options["suggest"] else None
        way = _path(graph, *path) if path else None
        gradients = _gradients(graph, options["ys"], options["xs"])
        memory = _memory(graph, options) if options["memory"] else None
    if as_json:
        extras = {
            "suggested": suggested and vars(suggested),
            "path": way and way.as_json(),
            "memory": memory,
            **(gradients or {}),
        }
        emit_json({**found.as_json(), **{k: v for k, v in extras.items() if v is not None}})
        return
    if not (suggested or way or gradients or memory):
        _print(found)
    if suggested:
        _print_suggestion(model, graph, suggested)
    if gradients:
        _print_gradients(gradients)
    if way:
        _print_path(way)
    if memory:
        _print_memory(memory)


def _gradients(graph: Graph, ys: tuple[str, ...], xs: tuple[str, ...]) -> dict[str, Any] | None:
    """What `add-gradients` would find, on the graph in memory alone."""
    from graphgrad import differentiate
    from graphgrad.errors import ArgumentError, MissingGradientError

    if not (ys or xs):
        return None
    if not (ys and xs):
        raise ArgumentError("--ys and --xs go together: give both or neither")
    try:
        found = differentiate(arguments.names(graph, ys, "--ys"), arguments.names(graph, xs, "--xs"), graph=graph)
    except MissingGradientError as error:
        return {"gradients": [], "missing": error.missing, "nodes_added": 0}
    return {"gradients": found.as_json(), "missing": [], "nodes_added": len(graph.added())}


def _path(graph: Graph, start: str, end: str) -> Path:
    """The way between two tensors, named as nodes or by the signature."""
    from graphgrad import paths, signatures

    sides = (start, signatures.INPUTS), (end, signatures.OUTPUTS)
    return paths.path(graph, *(signatures.tensor_name(graph, item, side) for item, side in sides))


def _memory(graph: Graph, options: dict[str, Any]) -> dict[str, Any]:
    """What evaluating the fetches takes at its most."""
    from graphgrad import compile
    from graphgrad.errors import ArgumentError
    from graphgrad.graph import needed_by
    from graphgrad.inspect import INPUTS, evaluated

    fetches = arguments.names(graph, options["fetch"], "--fetch") or [t.name for t in evaluated(graph)]
    given = dict(_feed_shape(graph, item) for item in options["feed_shapes"])
    needed = set(needed_by(graph.tensor(name).op for name in fetches))
    placeholders = [op.outputs[0] for op in graph if op in needed and op.type in INPUTS]
    feeds = list(dict.fromkeys([*(t for t in placeholders if t.name not in given), *map(graph.tensor, given)]))
    plan = compile(graph, fetches, feeds)
    shapes = {tensor.name: given.get(tensor.name, tensor.shape) for tensor in feeds}
    partial = {name: shape for name, shape in shapes.items() if shape is None or None in shape}
    if partial:
        options = " ".join(f"--feed-shapes {name.removesuffix(':0')}={_some(shape)}" for name, shape in partial.items())
        raise ArgumentError(f"the shapes of feeds are not all known: give them, as with {options}")
    most = plan.footprint(shapes)
    return {
        "bytes": most.bytes,
        "node": most.node or None,
        "unknown": most.unknown,
        "fetches": fetches,
        "feeds": {name: list(shape or ()) for name, shape in shapes.items()},
    }


def _some(shape: Shape) -> str:
    """A shape that would do, as `--feed-shapes` takes it."""
    return ".." if shape is None else ",".join("1" if size is None else str(size) for size in shape)


def _feed_shape(graph: Graph, item: str) -> tuple[str, tuple[int, ...]]:
    from graphgrad.errors import ArgumentError

    name, _, text = item.partition("=")
    sizes = text.strip("[]").split(",") if text.strip("[]") else []
    if "=" not in item or not all(size.strip().isdigit() for size in sizes):
        raise ArgumentError(f"--feed-shapes {item!r} is not of the form NAME=8,224,224,3")
    return arguments.tensor(graph, name, "--feed-shapes").name, tuple(map(int, sizes))


def _print_memory(memory: dict[str, Any]) -> None:
    from graphgrad_cli import output

    by = f", by the time of node {memory['node']}" if memory["node"] else ""
    output.say(f"evaluating {', '.join(memory['fetches'][:SHOWN])} holds {output.size(memory['bytes'])} at most{by}")
    if memory["unknown"]:
        output.say(f"without what these hold, which only a run tells: {', '.join(memory['unknown'][:SHOWN])}")
        _more(memory["unknown"])


def _print(found: Inspection) -> None:
    from graphgrad_cli import output

    versions = f"producer {found.producer}, min_consumer {found.min_consumer}"
    nodes, types = output.counted(found.nodes, "node"), output.counted(len(found.ops), "op type")
    click.echo(f"{nodes} of {types}, {versions}")
    click.echo(
        f"{output.counted(found.parameters, 'parameter')}; "
        f"{output.counted(found.constants, 'constant')} of {output.size(found.constant_bytes)}, "
        f"{output.counted(len(found.variables), 'variable')} of {output.size(sum(v.bytes or 0 for v in found.variables))}"
    )
    for name, sides in found.signatures.items():
        shown = [
            ", ".join(f"{key} ({tensor})" for key, tensor in sides[side].items()) for side in ("inputs", "outputs")
        ]
        click.echo()
        output.say(f"signature {name}: {shown[0] or 'nothing'} -> {shown[1]}")
    many = len(found.variables) > SHOWN
    for title, items in (
        ("inputs", found.inputs),
        ("outputs", found.outputs),
        ("largest variables", sorted(found.variables, key=lambda v: -(v.bytes or 0)))
        if many
        else ("variables", found.variables),
        ("largest constants", [c for c in found.largest_constants if (c.bytes or 0) >= 1024]),
    ):
        if items:
            _print_items(title, items)
    counts = {
        "ops": found.ops,
        "ops in functions": found.ops_in_functions,
        "dtypes": found.dtypes,
        "control flow": found.control_flow,
        "devices": found.devices,
    }
    for title, counted in counts.items():
        if counted:
            shown = [f"{name}{output.TIE}{n}" for name, n in list(counted.items())[: 2 * SHOWN]]
            more = f", and {len(counted) - len(shown)} more" if len(counted) > len(shown) else ""
            click.echo()
            output.say(f"{title}: {', '.join(shown)}{more}")
    if found.functions:
        table = output.Table("function", "nodes", "inputs", "outputs", right=("nodes", "inputs", "outputs"))
        for f in found.functions[:SHOWN]:
            unbound = ", ".join(f["attributes"])
            table.add(f["name"] + (unbound and f"[{unbound}]"), str(f["nodes"]), str(f["inputs"]), str(f["outputs"]))
        click.echo()
        table.show()
        _more(found.functions)


def _print_items(title: str, items: list[Item]) -> None:
    from graphgrad_cli import output

    sizes = ["bytes"] if any(item.bytes is not None for item in items) else []
    table = output.Table(title, "dtype", "shape", *sizes, right=sizes)
    for item in items[:SHOWN]:
        size = [output.size(item.bytes) if item.bytes is not None else "" for _ in sizes]
        table.add(item.name, item.dtype, output.shape(item.shape), *size)
    click.echo()
    table.show()
    _more(items)


def _more(items: list[Any]) -> None:
    if len(items) > SHOWN:
        click.echo(f"... and {len(items) - SHOWN} more: --json lists all")


def _print_suggestion(model: str, graph: Graph, suggested: Suggestion) -> None:
    import shlex

    from graphgrad_cli import output

    from graphgrad import signatures
    from graphgrad.inspect import abbreviated

    if not suggested.ys or not suggested.xs:
        output.say("no floating tensor that could be a y and depends on something: name them yourself, see `show`")
        return
    chosen = []
    sides = ("--ys", suggested.ys, signatures.OUTPUTS), ("--xs", suggested.xs, signatures.INPUTS)
    for option, tensors, side in sides:
        names = [signatures.called(graph, tensor, side) for tensor in tensors]
        more = f", and {len(names) - SHOWN} more: --json lists all" if len(names) > SHOWN else ""
        output.say(f"{option[2:]}: {', '.join(names[:SHOWN])}{more}")
        chosen += [option, ",".join(names if len(names) <= SHOWN else abbreviated(graph, names))]
    click.echo(f"\n{shlex.join(['graphgrad', 'add-gradients', model, *chosen])}")
    click.echo(shlex.join(["graphgrad", "check", model, *chosen, *_checkpoint_beside(model, graph)]))


def _checkpoint_beside(model: str, graph: Graph) -> list[str]:
    """The option that names the checkpoint of a meta graph, where it lies beside it."""
    from graphgrad.formats.beside import checkpoint_beside
    from graphgrad.inspect import VARIABLES

    found = checkpoint_beside(model) if model.endswith(".meta") else None
    return ["--variables", found] if found is not None and any(op.type in VARIABLES for op in graph) else []


def _print_gradients(gradients: dict[str, Any]) -> None:
    from graphgrad_cli import output

    table = output.Table("no gradient for", "way to the node")
    for missing in gradients["missing"]:
        table.add(missing["op"], " > ".join(missing["path"]) or missing["node"])
    table.show()
    output.gradients(gradients["gradients"]).show()
    if not gradients["missing"]:
        click.echo(f"{output.counted(gradients['nodes_added'], 'node')} would be added")


def _print_path(way: Path) -> None:
    from graphgrad_cli import output

    if not way.stages:
        why = "" if way.ends or way.reason is None else f": {way.reason.removeprefix('not connected: ')}"
        output.say(f"{way.end} does not depend on {way.start}{why}")
    table = output.Table("tensor", "op", "gradient")
    for stage in way.stages:
        table.add(stage.tensor, stage.op, f"stops: {stage.obstacle}" if stage.obstacle else "passes")
    for stage in way.ends:
        table.add(stage.tensor, stage.op, f"ends: {stage.obstacle}")
    if table.rows and way.ends:
        click.echo()
    table.show()
