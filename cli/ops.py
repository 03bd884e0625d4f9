"""`graphgrad ops`: what is known of each op type."""

from __future__ import annotations

import click
from graphgrad_cli import arguments


def _complete_ops(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    from graphgrad import opdefs

    return [name for name in opdefs.op_types() if name.startswith(incomplete)]


@click.command("ops", cls=arguments.Command)
@click.argument("op", required=False, shell_complete=_complete_ops)
@arguments.JSON
def command(op: str | None, as_json: bool) -> None:
    """Show op types: signature, shape rule, gradient, kernel.

    Without OP every op type of TensorFlow 2.21 is listed.

    \b
    Example:
      graphgrad ops MatMul
    """
    from graphgrad_cli import output
    from graphgrad_cli.failure import as_document, emit_json

    from graphgrad import opdefs
    from graphgrad.coverage import rules_of
    from graphgrad.errors import ArgumentError, did_you_mean

    with as_document(as_json):
        if op is not None and opdefs.signature(op) is None:
            raise ArgumentError(
                f"TensorFlow has no op {op!r}{did_you_mean(op, opdefs.op_types())}; graphgrad ops lists all"
            )
    rules = [rules_of(name) for name in ([op] if op is not None else opdefs.op_types())]
    if as_json:
        emit_json({"schema": 1, "ops": [r.as_json() for r in rules]})
    elif op is not None:
        (found,) = rules
        click.echo(found.signature)
        for what in ("family", "shape", "gradient", "kernel"):
            click.echo(f"  {what:<9} {getattr(found, what) or '-'}")
    else:
        table = output.Table("op", "family", "shape", "gradient", "kernel")
        for r in rules:
            marks = [
                "yes" if v not in (None, "none on purpose") else "none" if v else "-"
                for v in (r.shape, r.gradient, r.kernel)
            ]
            table.add(r.op, r.family or "-", *marks)
        table.show()
