"""How options become names of tensors: comma separated lists that may be repeated, globs over the graph's nodes."""

from __future__ import annotations

import fnmatch
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import click

from graphgrad.errors import ArgumentError, UnknownNameError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from graphgrad.graph import Graph, Operation
    from graphgrad.tensors import Tensor


def complete_tensors(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Names of nodes out of the MODEL that stands on the line already; of a list the last item is completed."""
    return _complete(ctx, incomplete, lambda graph: (op.name for op in graph))


def complete_functions(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Names of functions, in the same way."""
    return _complete(ctx, incomplete, lambda graph: graph.functions)


def _complete(ctx: click.Context, incomplete: str, names: Callable[[Graph], Iterable[str]]) -> list[str]:
    from graphgrad.formats import models

    before, comma, start = incomplete.rpartition(",")
    # An option that still waits for its value keeps click from telling arguments apart: the model is the first of them.
    model = ctx.params.get("model") or next(iter(ctx.args), None)
    try:
        graph = models.load(os.path.expanduser(model or ""))
    except Exception:
        return []  # what is wrong with the file is told when the command is run, not while it is typed
    return [before + comma + name for name in names(graph) if name.startswith(start)]


def complete_files(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Leaves it to the shell, which knows the files."""
    from click.shell_completion import CompletionItem

    return [CompletionItem(incomplete, type="file")]


def output_option(help: str, metavar: str = "OUT", required: bool = True) -> Callable[[Any], Any]:
    """`-o`: where a command writes."""
    return click.option("-o", "--output", metavar=metavar, required=required, shell_complete=complete_files, help=help)


class Command(click.Command):
    """A command with the options that every command has: how much it tells people. A variable stands for each option."""

    def __init__(self, name: str | None, **extra: Any):
        super().__init__(name, **extra)
        for option in self.params:
            if isinstance(option, click.Option):
                spelled = max(option.opts, key=len).lstrip("-")
                option.envvar = f"GRAPHGRAD_{name}_{spelled}".upper().replace("-", "_")

    def make_context(self, info_name: str | None, args: list[str], *rest: Any, **extra: Any) -> click.Context:
        typed = list(args)
        try:
            ctx = super().make_context(info_name, args, *rest, **extra)
            ctx.meta[TYPED] = typed
            return ctx
        except click.MissingParameter as error:
            model = error.ctx.params.get("model") if error.ctx is not None else None
            if model not in (None, "-") and error.param is not None and error.param.name in SUGGESTED:
                error.next = f"{_line('inspect', model, '--suggest')} names likely ones"  # type: ignore[attr-defined]
            raise

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        return [*super().get_params(ctx)[:-1], *_TELLING, *super().get_params(ctx)[-1:]]

    def invoke(self, ctx: click.Context) -> Any:
        try:
            if ctx.meta.get(QUIET) or not sys.stderr.isatty():
                return super().invoke(ctx)
            from graphgrad_cli.bar import Bar

            with Bar():
                return super().invoke(ctx)
        except Exception as raised:
            error = getattr(raised, "error", raised)
            model = ctx.params.get("model")
            if isinstance(error, UnknownNameError) and model not in (None, "-"):
                error.next = f"{_line('show', model)} lists the nodes"
            if getattr(error, "lacks_variables", False) and model != "-" and not ctx.params.get("variables"):
                error.next = _with_variables(ctx)
            raise
        finally:
            if ctx.meta.get(VERBOSE):
                from graphgrad_cli.output import tell_costs

                tell_costs()


SUGGESTED = ("ys", "xs", "fetch")  # options whose values `inspect --suggest` can name


def _line(*words: str) -> str:
    import shlex

    return shlex.join(["graphgrad", *words])


def _with_variables(ctx: click.Context) -> str:
    """What was typed, with the checkpoint beside the model; nothing where there is none."""
    from graphgrad.formats.beside import checkpoint_beside

    found = checkpoint_beside(ctx.params["model"])
    line = _line(ctx.info_name or "", *ctx.meta[TYPED], "--variables", found or "")
    return f"the checkpoint {found} lies beside it: {line}" if found is not None else ""


QUIET, VERBOSE, TYPED = "graphgrad.quiet", "graphgrad.verbose", "graphgrad.typed"


def _keep(key: str) -> Callable[..., None]:
    def keep(ctx: click.Context, param: click.Parameter, value: bool) -> None:
        ctx.meta[key] = value

    return keep


_TELLING = [
    click.Option(
        ["-q", "--quiet"],
        is_flag=True,
        expose_value=False,
        callback=_keep(QUIET),
        help="Tell people nothing but errors.",
    ),
    click.Option(
        ["-v", "--verbose"],
        is_flag=True,
        expose_value=False,
        callback=_keep(VERBOSE),
        help="Tell people more: what was read, time, memory.",
    ),
]

MODEL = click.argument("model", metavar="MODEL", shell_complete=complete_files)
FEED = click.option("--feed", multiple=True, metavar="NAME=VALUE", help="Feed a tensor: a JSON literal, or @file.npy.")
FEEDS = click.option(
    "--feeds",
    multiple=True,
    metavar="FEEDS.npz",
    shell_complete=complete_files,
    help="Feed tensors from an archive whose keys are tensor names.",
)
VARIABLES = click.option(
    "--variables",
    metavar="VARS",
    shell_complete=complete_files,
    help="Values of variables: an .npz by variable name, or a checkpoint's prefix.  [default: a SavedModel's own]",
)
TAG_SET = click.option(
    "--tag-set", metavar="TAG[,..]", help="Which meta graph of a SavedModel.  [default: the only one, or serve]"
)
SIGNATURE = click.option(
    "--signature",
    metavar="NAME",
    help="The signature whose inputs and outputs may be named as tensors.  [default: serving_default]",
)
RUN_FIRST = click.option(
    "--run-first",
    multiple=True,
    metavar="OP[,..]",
    shell_complete=complete_tensors,
    help="Operations to run before, in order (initialisers, assignments).",
)
CUSTOM_GRADIENTS = click.option(
    "--custom-gradients",
    type=click.Choice(["error", "through"]),
    default="error",
    show_default=True,
    help="An op marked with a Python gradient the file does not hold: refuse, or differentiate what the graph computes.",
)
JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON document on standard output.")


def split(values: Sequence[str]) -> list[str]:
    """'a,b' and repeated options as one list; empty items are kept, and commas within brackets."""
    return [item.strip() for value in values for item in _items(value)]


def _items(value: str) -> list[str]:
    items, depth = [""], 0
    for character in value:
        depth += (character == "[") - (character == "]")
        if character == "," and depth <= 0:
            items.append("")
        else:
            items[-1] += character
    return items if depth == 0 else value.split(",")


def names(graph: Graph, values: Sequence[str], option: str) -> list[str]:
    """The names of the tensors of an option, globs spelled out in the order of the graph. Raises ArgumentError."""
    found: list[str] = []
    for item in split(values):
        if not item:
            raise ArgumentError(f"{option} has an empty item: name a tensor between the commas")
        found.extend(_matches(graph, item, option) if _is_glob(graph, item) else [tensor(graph, item, option).name])
    return found


def _is_glob(graph: Graph, item: str) -> bool:
    return any(c in item for c in "*?[") and item.partition(":")[0] not in graph


def _matches(graph: Graph, pattern: str, option: str) -> list[str]:
    node, _, index = pattern.partition(":")
    found = [f"{op.name}:{index or 0}" for op in graph if fnmatch.fnmatchcase(op.name, node) and op.outputs]
    if not found:
        raise UnknownNameError(f"{option}: no node matches {pattern!r}")
    return found


def tensors_option(name: str, help: str, required: bool = False) -> Callable[[Any], Any]:
    """A repeatable option that takes a comma separated list of tensor names."""
    return click.option(
        name, multiple=True, required=required, metavar="T[,..]", help=help, shell_complete=complete_tensors
    )


def operations(graph: Graph, values: Sequence[str], option: str) -> list[Operation]:
    """The operations of an option, 'node' or '^node' each. Raises ArgumentError."""
    try:
        return [graph.operation(name.removeprefix("^")) for name in split(values)]
    except ArgumentError as error:
        raise type(error)(f"{option}: {error}") from None


def feeds(graph: Graph, literals: Sequence[str], archives: Sequence[str]) -> dict[Tensor, Any]:
    """What --feed and --feeds give, by tensor. Raises ArgumentError."""
    from graphgrad.formats import arrays

    found: dict[Tensor, Any] = {}
    for path in archives:
        for key, array in arrays.read_npz(path, "--feeds").items():
            found[tensor(graph, key, f"--feeds {path}")] = array
    for item in literals:
        name, equals, text = item.partition("=")
        if not equals:
            raise ArgumentError(f"--feed {item!r} is not of the form NAME=VALUE")
        fed = tensor(graph, name, "--feed")
        if text.startswith("@"):
            found[fed] = arrays.read_npy(text[1:], f"--feed {name}")
        else:
            found[fed] = arrays.from_literal(text, fed.dtype, f"--feed {name}")
    return found


def tensor(graph: Graph, item: str, option: str) -> Tensor:
    """The tensor that an item of an option names, or that is called so in the signature. Raises ArgumentError."""
    from graphgrad import signatures

    side = signatures.INPUTS if option.startswith(("--xs", "--feed")) else signatures.OUTPUTS
    try:
        return graph.tensor(signatures.tensor_name(graph, item, side))
    except ArgumentError as error:
        raise type(error)(f"{option}: {error}") from None
