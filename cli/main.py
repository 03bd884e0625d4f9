"""The command `graphgrad`: its commands by name, loaded when they are called, and what the process says when one fails.

Start-up imports click and nothing else; every error becomes one line and the exit code the contract gives it.
"""

from __future__ import annotations

import gc
import importlib
import os
import sys
from typing import Any

import click

VERSION = "0.1.0"

# command -> (module, one-line help); a test keeps the helps equal to the commands' own.
COMMANDS = {
    "add-gradients": ("add_gradients", "Append the gradients of ys with respect to xs to a graph file."),
    "check": ("check", "Compare gradients with finite differences."),
    "completion": ("completion", "Print the completion script of a shell."),
    "convert": ("convert", "Write a model as another kind of file."),
    "coverage": ("coverage", "List the operations that lack a gradient or a kernel."),
    "diff": ("diff", "Compare two graph files node by node."),
    "eval": ("eval", "Compute tensors of a graph with the NumPy interpreter."),
    "freeze": ("freeze", "Turn the variables of a model into constants."),
    "inspect": ("inspect", "Show what a model holds."),
    "ops": ("ops", "Show op types: signature, shape rule, gradient, kernel."),
    "show": ("show", "Show nodes as text, producers first."),
    "view": ("view", "Draw a model."),
}


class LazyGroup(click.Group):
    """Loads a command's module only when the command is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        module = importlib.import_module(f"{__package__}.{COMMANDS[name][0]}")
        return module.command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            from graphgrad.errors import did_you_mean

            error.message = f"no command {args[0]!r}{did_you_mean(args[0], COMMANDS)}: see graphgrad --help"
            raise

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])

    def make_context(self, *args: Any, **extra: Any) -> click.Context:
        try:
            return super().make_context(*args, **extra)
        except KeyboardInterrupt:  # click would print an empty line
            raise click.Abort() from None

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (click.exceptions.Exit, click.Abort, BrokenPipeError):
            raise
        except KeyboardInterrupt:  # click would print an empty line
            raise click.Abort() from None
        except Exception as error:
            from graphgrad_cli.failure import report

            ctx.exit(report(error, traceback=ctx.params.get("traceback", False)))

    def main(self, *args: Any, **extra: Any) -> Any:
        """Like click's, with every usage error on one line."""
        standalone = extra.pop("standalone_mode", True)
        try:
            result = super().main(*args, standalone_mode=False, **extra)
        except click.ClickException as error:
            # Called without anything, click shows the help; since 8.2 as an error.
            is_help = type(error).__name__ == "NoArgsIsHelpError"
            click.echo(error.format_message() if is_help else f"error: {_one_line(error)}", err=True)
            result = 2
        except (click.Abort, KeyboardInterrupt):
            click.echo("error: interrupted", err=True)
            result = 130
        if standalone:
            sys.exit(result if isinstance(result, int) else 0)
        return result


def _one_line(error: click.ClickException) -> str:
    context = getattr(error, "ctx", None)
    if isinstance(error, click.NoSuchOption) and context is not None:
        from graphgrad.errors import did_you_mean

        known = [name for option in context.command.params for name in (*option.opts, *option.secondary_opts)]
        message = f"no such option {error.option_name!r}{did_you_mean(error.option_name, known)}"
    else:
        message = error.format_message()
        message = message[:1].lower() + message[1:]
    hint = f"; see {context.command_path} --help" if context is not None and "--help" not in message else ""
    following = f"; {error.next}" if hasattr(error, "next") else hint
    return " ".join(message.split()).rstrip(".") + following


def _say_version(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if not value or ctx.resilient_parsing:
        return
    from importlib import metadata

    stands_on = [
        f"{name} {metadata.version(name)}" for name in ("click", "protobuf", "numpy", "scipy", "ml_dtypes", "rich")
    ]
    click.echo(f"graphgrad {VERSION} (Python {sys.version.split()[0]}, {', '.join(stands_on)})")
    ctx.exit()


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--version",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_say_version,
    help="Show the version, and those of what it stands on.",
)
@click.option("--traceback", is_flag=True, help="On failure show the Python traceback too.")
def cli(traceback: bool) -> None:
    """Gradients for serialized TensorFlow graphs, without TensorFlow.

    A graph file goes in, the same graph with the operations that compute its gradients comes out; both can be run,
    compared and checked.

    \b
      graphgrad add-gradients model.pb --ys loss --xs W,b -o with_grads.pb
      graphgrad eval with_grads.pb --fetch loss --feeds batch.npz
      graphgrad diff model.pb with_grads.pb

    Every option can be given as a variable too: GRAPHGRAD_EVAL_THREADS=1 is --threads 1 of eval.

    Exit codes: 0 done, 1 a difference was found, 2 usage, 3 the model cannot be read, 4 an operation has no gradient,
    5 evaluation failed, 70 a defect of graphgrad, 130 interrupted.
    """


def main() -> None:
    """The console script."""
    # A command's objects live until it ends; collecting them costs a fifth of its time and frees nothing.
    gc.disable()
    try:
        cli.main(prog_name="graphgrad", auto_envvar_prefix="GRAPHGRAD")
    except BrokenPipeError:
        # The reader has gone (`| head`); nothing more can be said to it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
