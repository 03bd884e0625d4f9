"""`graphgrad eval`: compute tensors of a graph."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click
from graphgrad_cli import arguments

if TYPE_CHECKING:
    from graphgrad.graph import Graph
    from graphgrad.runtime.profile import Profile

UNITS = (
    {"": 1, "B": 1}
    | {f"{p}B": 1000**n for n, p in enumerate("KMGT", 1)}
    | {f"{p}IB": 1024**n for n, p in enumerate("KMGT", 1)}
)
MOST_NODES = 20  # rows of a profile; --json has all


@click.command("eval", cls=arguments.Command)
@arguments.MODEL
@arguments.tensors_option("--fetch", "Tensors to compute.", required=True)
@arguments.FEED
@arguments.FEEDS
@arguments.VARIABLES
@arguments.RUN_FIRST
@arguments.SIGNATURE
@arguments.TAG_SET
@arguments.output_option("Write the results to an archive, each under its name as fetched.", "OUT.npz", required=False)
@click.option(
    "--threads", type=click.IntRange(min=1), metavar="N", help="Threads for large chains; default: all processors."
)
@click.option("--max-iterations", type=click.IntRange(min=0), metavar="N", help="Stop a loop that goes on for longer.")
@click.option(
    "--memory-limit",
    metavar="SIZE",
    callback=lambda *given: _size(given[-1]),
    help="Refuse a run that takes more, as 500MB.",
)
@click.option("--profile", is_flag=True, help="Show, on standard error, where the time of the run went.")
@click.option(
    "--trace",
    metavar="OUT.json",
    shell_complete=arguments.complete_files,
    help="Write the run in the Chrome trace format.",
)
@arguments.JSON
def command(model: str, fetch: tuple[str, ...], output: str | None, as_json: bool, **options: Any) -> None:
    """Compute tensors of a graph with the NumPy interpreter.

    Results are printed, and written to -o as an archive of arrays.

    \b
    Example:
      graphgrad eval samples/01_mlp/graph.pb --fetch loss \\
          --feeds samples/01_mlp/feeds.npz
    """
    from graphgrad_cli.failure import as_document

    with as_document(as_json):
        names, results, profile = _run(model, fetch, options)
        if output is not None:
            from graphgrad.formats import arrays

            arrays.write_npz(output, dict(zip(names, results, strict=True)))
        if options["trace"] is not None:
            from graphgrad.formats import files

            files.write(options["trace"], [profile.trace()], compressed=False)
    if as_json:
        _emit(names, results, output, profile if options["profile"] else None)
    elif output is None or output != "-":
        _print(names, results)
    if options["profile"] and not as_json:
        _print_profile(profile)


def _size(text: str | None) -> int | None:
    """Bytes, as '500MB', '1.5GiB' or a plain number spell them."""
    if text is None:
        return None
    number = text.strip().rstrip("BKMGTIbkmgti")
    unit = text.strip()[len(number) :].upper()
    try:
        size = int(float(number) * UNITS[unit])
    except (ValueError, KeyError, OverflowError):
        size = -1
    if size < 0:
        raise click.BadParameter(f"{text!r} is no size: write 500MB, 1.5GiB or a number of bytes")
    return size


def _run(model: str, fetch: tuple[str, ...], options: dict[str, Any]) -> tuple[list[str], list[Any], Any]:
    from graphgrad.formats import models, restored
    from graphgrad.runtime import plan
    from graphgrad.runtime.profile import Profile

    graph = models.load(model, options["tag_set"], options["signature"])
    fetches = [pair for item in arguments.split(fetch) for pair in _fetched(graph, item)]
    feeds = arguments.feeds(graph, options["feed"], options["feeds"])
    variables = restored.variables_of(graph, options["variables"])
    operations = arguments.operations(graph, options["run_first"], "--run-first")
    profile = Profile() if options["profile"] or options["trace"] else None
    results = plan.evaluate(
        graph,
        [tensor for _, tensor in fetches],
        feeds,
        variables,
        operations,
        options["threads"],
        profile,
        options["max_iterations"],
        options["memory_limit"],
    )
    return [spelled for spelled, _ in fetches], results, profile


def _fetched(graph: Graph, item: str) -> list[tuple[str, str]]:
    """A fetch as it was spelled and its tensor; of a glob all that it stands for."""
    found = arguments.names(graph, [item], "--fetch")
    return [(item, found[0])] if len(found) == 1 else [(name, name) for name in found]


def _emit(names: list[str], results: list[Any], output: str | None, profile: Profile | None) -> None:
    from graphgrad_cli.failure import emit_json

    fetches = []
    for name, array in zip(names, results, strict=True):
        entry: dict[str, Any] = {"fetch": name, "dtype": str(array.dtype), "shape": list(array.shape)}
        if output is None:
            entry["value"] = _plain(array)
        fetches.append(entry)
    document = {"schema": 1, "output": output, "fetches": fetches}
    if profile is not None:
        totals = {"by_type": profile.by_type(), "by_node": profile.by_node()}
        document["profile"] = {key: [total._asdict() for total in found] for key, found in totals.items()}
    emit_json(document)


def _print_profile(profile: Profile) -> None:
    from graphgrad_cli import output

    for what, totals in (("op type", profile.by_type()), ("node", profile.by_node()[:MOST_NODES])):
        right = ("calls", "ms", "memory", "share")
        table = output.Table(what, *right, right=right)
        for total in totals:
            cells = f"{total.seconds * 1e3:.3f}", output.size(total.bytes), f"{total.share:.1%}"
            table.add(total.name, str(total.calls), *cells)
        if totals:
            click.echo(err=True)
        table.show(to_people=True)


def _plain(array: Any) -> Any:
    """Numbers JSON can hold: complex ones as [re, im], strings decoded, NaN and infinities as strings."""
    import numpy as np

    if array.dtype == object:
        return (
            np.vectorize(lambda v: v.decode("utf-8", "replace"), otypes=[object])(array).tolist() if array.size else []
        )
    if array.dtype.kind == "c":
        return _plain(np.stack([array.real, array.imag], -1))
    if array.dtype.kind not in "fiub":
        array = array.astype(np.float32)
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        return np.where(np.isfinite(array), array.astype(object), array.astype(str)).tolist()
    return array.tolist()


def _print(names: list[str], results: list[Any]) -> None:
    import numpy as np
    from graphgrad_cli import output

    columns = output.columns_of(sys.stdout)
    broken = None if columns == output.UNBROKEN else columns  # by numpy's own measure where nobody looks
    for name, array in zip(names, results, strict=True):
        text = np.array2string(array, max_line_width=broken, threshold=100, separator=" ")
        head = f"{name}  {'string' if array.dtype == object else array.dtype} {list(array.shape)}"
        click.echo(f"{head}  {text}" if array.ndim == 0 else f"{head}\n{text}")
