"""What a failed command says: one line on standard error, a JSON document where one was asked for, an exit code."""

from __future__ import annotations

import json
import math
import traceback as tracebacks
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from graphgrad.errors import ExitCode, GraphGradError


class JsonFailure(Exception):
    """Carries an error to the top together with where its JSON document belongs."""

    def __init__(self, error: GraphGradError, to_stderr: bool):
        super().__init__(str(error))
        self.error, self.to_stderr = error, to_stderr


@contextmanager
def as_document(wanted: bool, to_stderr: bool = False) -> Iterator[None]:
    """Errors inside are also printed as a JSON document where one is wanted."""
    try:
        yield
    except GraphGradError as error:
        if wanted:
            raise JsonFailure(error, to_stderr) from error
        raise


def report(error: Exception, traceback: bool = False) -> int:
    """Says what went wrong and gives the exit code."""
    if traceback:
        click.echo("".join(tracebacks.format_exception(error)), err=True, nl=False)
    if isinstance(error, JsonFailure):
        document = {"schema": 1, "error": str(error.error), "exit_code": error.error.exit_code, **error.error.details}
        if error.error.next:
            document["next"] = error.error.next
        click.echo(_as_json(document), err=error.to_stderr)
        error = error.error
    if isinstance(error, GraphGradError):
        click.echo(f"error: {'; '.join([' '.join(str(error).split()), *filter(None, [error.next])])}", err=True)
        return error.exit_code
    if isinstance(error, click.ClickException):
        raise error
    if isinstance(error, OSError):
        click.echo(f"error: {error.filename or 'standard output'}: {error.strerror}", err=True)
        return ExitCode.USAGE
    if isinstance(error, MemoryError):
        click.echo("error: out of memory", err=True)
        return ExitCode.EVALUATION
    what = ", ".join([f"{type(error).__name__}: {error}", *getattr(error, "__notes__", ())])
    click.echo(
        f"error: this is a defect of graphgrad ({' '.join(what.split())}); --traceback before the command shows where",
        err=True,
    )
    return ExitCode.DEFECT


def emit_json(document: dict[str, Any], to_stderr: bool = False) -> None:
    """Prints a result document."""
    click.echo(_as_json(document, indent=1), err=to_stderr)


def _as_json(document: Any, indent: int | None = None) -> str:
    """The text of a document. NaN and infinities are strings in it: JSON has no such numbers."""
    try:
        return json.dumps(document, indent=indent, allow_nan=False)
    except ValueError:
        return json.dumps(_without_infinities(document), indent=indent)


def _without_infinities(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, dict):
        return {key: _without_infinities(inner) for key, inner in value.items()}
    return [_without_infinities(inner) for inner in value] if isinstance(value, (list, tuple)) else value
