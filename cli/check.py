"""`graphgrad check`: gradients against finite differences."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
from graphgrad_cli import arguments

if TYPE_CHECKING:
    from graphgrad.check import Check


@click.command("check", cls=arguments.Command)
@arguments.MODEL
@arguments.tensors_option("--ys", "Tensors to differentiate; their sum is meant.", required=True)
@arguments.tensors_option("--xs", "Tensors to differentiate with respect to.", required=True)
@arguments.FEED
@arguments.FEEDS
@arguments.VARIABLES
@arguments.RUN_FIRST
@arguments.SIGNATURE
@arguments.TAG_SET
@arguments.tensors_option("--stop-gradients", "Tensors taken as constants.")
@arguments.CUSTOM_GRADIENTS
@click.option("--rtol", type=click.FloatRange(min=0), metavar="R", help="Relative error that still agrees.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of feeds that are missing, and of directions.")
@click.option("--debug-nan", is_flag=True, help="Name the first node whose result is not finite while its inputs are.")
@click.option(
    "--junit",
    metavar="OUT.xml",
    shell_complete=arguments.complete_files,
    help="Write the verdicts as a JUnit report, one case per x.",
)
@arguments.JSON
@click.pass_context
def command(
    ctx: click.Context, model: str, ys: tuple[str, ...], xs: tuple[str, ...], as_json: bool, **options: Any
) -> None:
    """Compare gradients with finite differences.

    The graph is differentiated and, in double precision where its ops allow it, evaluated at both sides of the point
    that the feeds give. Placeholders that are not fed are drawn from --seed. The more xs there are, the fewer times each is
    moved (`probes`). The largest error is shown as it is, and relative to the gradient as far as rounding cannot explain
    it. Exit code 0: all agree; 1: some do not.

    \b
    Example:
      graphgrad check samples/01_mlp/graph.pb --ys loss --xs W1,b1 \\
          --feeds samples/01_mlp/feeds.npz
    """
    from graphgrad_cli.failure import as_document, emit_json

    with as_document(as_json):
        found, culprits = _run(model, ys, xs, options)
        if options["junit"]:
            from graphgrad.formats import files

            files.write(options["junit"], [_junit(model, found)], compressed=False)
    if as_json:
        document = found.as_json()
        if options["debug_nan"]:
            document["not_finite"] = culprits
        emit_json(document)
    else:
        _print(found)
        for culprit in culprits[:1]:
            click.echo(f"{culprit['found']} comes first from {culprit['op']} node {culprit['node']!r}")
        if options["debug_nan"] and not culprits:
            click.echo("all results are finite")
    ctx.exit(0 if found and not culprits else 1)


def _run(
    model: str, ys: tuple[str, ...], xs: tuple[str, ...], options: dict[str, Any]
) -> tuple[Check, list[dict[str, str]]]:
    from graphgrad.check import check
    from graphgrad.formats import models, restored

    graph = models.load(model, options["tag_set"], options["signature"])
    feeds = {t.name: v for t, v in arguments.feeds(graph, options["feed"], options["feeds"]).items()}
    y_names, x_names = arguments.names(graph, ys, "--ys"), arguments.names(graph, xs, "--xs")
    point: dict[str, Any] = {
        "variables": restored.variables_of(graph, options["variables"]),
        "run_first": [op.name for op in arguments.operations(graph, options["run_first"], "--run-first")],
        "stop_gradients": arguments.names(graph, options["stop_gradients"], "--stop-gradients"),
        "custom_gradients": options["custom_gradients"],
        "seed": options["seed"],
    }
    culprits = []
    if options["debug_nan"]:
        from graphgrad.check import not_finite

        culprits = not_finite(graph, y_names, x_names, feeds, **point)
    return check(graph, y_names, x_names, feeds, rtol=options["rtol"], **point), culprits


def _print(found: Check) -> None:
    from graphgrad_cli import output

    if found.drawn:
        drawn = ", ".join(f"{name} ({what})" for name, what in found.drawn.items())
        output.tell(f"drawn from seed {found.seed}: {drawn}")
    if found.note:
        output.tell(found.note)
    right = ("absolute", "relative", "probes")
    table = output.Table("x", "verdict", "absolute", "relative", "probes", "remark", right=right)
    for r in found.results:
        errors = ("", "", "") if r.verdict == "none" else _errors(r)
        table.add(r.x, r.verdict, *errors, _remark(r))
    table.show()


def _errors(result: Any) -> tuple[str, str, str]:
    """The absolute error, what of it is beyond rounding, relative to the gradient, and how often it was looked at."""
    absolute, relative = result.largest_absolute, result.largest_relative
    beyond = f"{relative:.2e}" if relative else "rounding" if absolute else "0"
    return f"{absolute:.2e}" if absolute else "0", beyond, str(result.probes)


def _remark(result: Any) -> str:
    if result.reason:
        return str(result.reason)
    if result.verdict == "disagrees":
        worst = result.worst
        if not abs(worst["numerical"]) < float("inf") or not abs(worst["symbolic"]) < float("inf"):
            return f"at {worst['at']}: not finite, --debug-nan says where it begins"
        return f"at {worst['at']}: symbolic {worst['symbolic']:.6g}, numerical {worst['numerical']:.6g}"
    return f"{result.kinks} at kinks" if result.kinks else ""


def _junit(model: str, found: Check) -> bytes:
    from xml.etree import ElementTree

    verdicts = [r.verdict for r in found.results]
    counts = {"tests": len(verdicts), "failures": verdicts.count("disagrees"), "errors": 0}
    counts["skipped"] = counts["tests"] - counts["failures"] - verdicts.count("agrees")
    suite = ElementTree.Element(
        "testsuite", name=f"graphgrad check {model}", **{what: str(count) for what, count in counts.items()}
    )
    for r in found.results:
        case = ElementTree.SubElement(suite, "testcase", classname=model, name=r.x)
        if r.verdict == "disagrees":
            ElementTree.SubElement(case, "failure", message=_remark(r))
        elif r.verdict != "agrees":
            ElementTree.SubElement(case, "skipped", message=_remark(r) or r.verdict)
    return ElementTree.tostring(suite, encoding="utf-8", xml_declaration=True) + b"\n"
