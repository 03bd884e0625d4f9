"""Writes the manual pages in man/ from the commands themselves: python -m tests.docs.write_man"""

from __future__ import annotations

import inspect
from pathlib import Path

import click
from graphgrad_cli.main import COMMANDS, VERSION, cli

FOLDER = Path(__file__).parents[2] / "man"
EXIT_CODES = {
    0: "done",
    1: "a difference was found",
    2: "usage, or an argument that cannot be right",
    3: "the model cannot be read or is malformed",
    4: "an operation has no registered gradient",
    5: "evaluation failed",
    70: "a defect of graphgrad",
    130: "interrupted",
}
VARIABLES = {
    "GRAPHGRAD_CHECK_RTOL": "Stands for --rtol of graphgrad check; a variable of such a name stands for each option of each command.",
    "NO_COLOR": "No colour, on a terminal either.",
    "COLUMNS": "How wide tables may be. Without it they are as wide as the terminal; in a pipe no line is broken.",
}


def pages() -> dict[str, str]:
    """The pages by the names of their files."""
    group = click.Context(cli, info_name="graphgrad", **cli.context_settings)
    found = {"graphgrad.1": _page(cli, group, "Gradients for serialized TensorFlow graphs, without TensorFlow.")}
    for name, (_, summary) in COMMANDS.items():
        command = cli.get_command(group, name)
        assert command is not None
        found[f"graphgrad-{name}.1"] = _page(command, click.Context(command, parent=group, info_name=name), summary)
    return found


def _page(command: click.Command, context: click.Context, summary: str) -> str:
    title = context.command_path.replace(" ", "-")
    usage = " ".join(command.collect_usage_pieces(context))
    text, example = _described(command, summary)
    lines = [
        f'.TH "{title.upper()}" "1" "" "graphgrad {VERSION}" "graphgrad manual"',
        *_section("NAME", _plain(f"{title} - {summary.rstrip('.')}")),
        *_section("SYNOPSIS", f".B {_plain(context.command_path)}", _plain(usage)),
        *_section("DESCRIPTION", *text),
        *_section("OPTIONS", *_options(command, context)),
    ]
    if isinstance(command, click.Group):
        entries = [_entry(f"graphgrad-{name}(1)", text) for name, (_, text) in COMMANDS.items()]
        lines += _section("COMMANDS", *[line for entry in entries for line in entry])
    else:
        lines += _section("EXAMPLE", *example)
    variables = [line for name, text in VARIABLES.items() for line in _entry(name, text)]
    lines += _section("ENVIRONMENT", *variables)
    lines += _section("EXIT STATUS", *[line for code, text in EXIT_CODES.items() for line in _entry(str(code), text)])
    others = ["graphgrad", *(f"graphgrad-{name}" for name in COMMANDS)]
    lines += _section("SEE ALSO", _plain(", ".join(f"{name}(1)" for name in others if name != title)))
    return "\n".join(lines) + "\n"


def _described(command: click.Command, summary: str) -> tuple[list[str], list[str]]:
    """The paragraphs of a command's help as a description and its example; what other sections say is left out."""
    text: list[str] = []
    example: list[str] = []
    for paragraph in inspect.cleandoc(command.help or "").split("\n\n"):
        if paragraph.startswith("\b\nExample:"):
            example = _verbatim(paragraph.split("\n")[2:])
        elif paragraph.startswith("\b"):
            text += _verbatim(paragraph.split("\n")[1:])
        elif not paragraph.startswith("Exit codes:"):
            text += [".PP", *map(_plain, paragraph.split("\n"))]
    return text[1:], example


def _options(command: click.Command, context: click.Context) -> list[str]:
    records = [p.get_help_record(context) for p in command.get_params(context) if isinstance(p, click.Option)]
    return [line for record in records if record for line in _entry(*record)]


def _section(title: str, *lines: str) -> list[str]:
    return [f".SH {title}", *lines] if lines else []


def _entry(term: str, text: str) -> list[str]:
    return [".TP", f"\\fB{_plain(term)}\\fR", _plain(" ".join(text.split()))]


def _verbatim(lines: list[str]) -> list[str]:
    return [".PP", ".EX", *[_plain(line) for line in lines], ".EE"]


def _plain(text: str) -> str:
    """The text with nothing that the formatter would take as its own."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-").replace("~", "\\(ti").replace("^", "\\(ha")
    return f"\\&{escaped}" if escaped[:1] in (".", "'") else escaped


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for old in FOLDER.glob("*.1"):
        old.unlink()
    for name, page in pages().items():
        (FOLDER / name).write_text(page)
