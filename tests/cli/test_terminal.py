"""Every command on every sample: what it prints fits terminals, narrow and wide, breaks no name, and parses."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from graphgrad_cli.main import COMMANDS, cli
from graphgrad_cli.output import Table

SAMPLES = Path(__file__).parents[2] / "samples"

# sample -> the model, its ys and xs, and what it is fed with beside the archive of feeds.
MODELS: dict[str, tuple[str, str, str, list[str]]] = {
    "01_mlp": ("graph.pb", "loss", "W1,b1", []),
    "02_total_and_partial": ("graph.pb", "y", "a,b", []),
    "03_unconnected": ("graph.pb", "b", "a", []),
    "04_convnet": ("graph.pb", "loss", "image", []),
    "05_embeddings": ("graph.pb", "loss", "table", []),
    "06_hessian_vector": ("graph.pb", "f", "x", []),
    "07_variables": ("graph.pb", "loss", "kernel,table", ["--variables", "vars.npz"]),
    "08_saved_model": ("model", "score", "features,hidden/kernel", []),
    "09_checkpoint": ("model.meta", "loss", "bias,kernel/part_0", ["--variables", "model"]),
    "10_lstm": ("model", "score", "steps,kernel", []),
    "11_dynamic_rnn": ("model.meta", "loss", "steps,rnn/basic_rnn_cell/bias", ["--variables", "model"]),
    "12_cond": ("graph.meta", "loss", "x,scale", []),
}


def lines(command: str, sample: str, out: Path) -> list[list[str]]:
    """The command lines that try a command on a sample."""
    name, ys, xs, extra = MODELS[sample]
    folder = SAMPLES / sample
    model = str(folder / name)
    values = [str(folder / word) if not word.startswith("-") else word for word in extra]
    fed = ["--feeds", str(folder / "feeds.npz"), *values]
    between = ["--ys", ys, "--xs", xs]
    suffix = ".meta" if name.endswith(".meta") else "" if name == "model" else ".pb"
    match command:
        case "add-gradients":
            return [[model, *between, "-o", f"{out}/o{suffix}"]]
        case "check":
            return [[model, *between, *fed]]
        case "completion":
            return [["bash"]]
        case "convert":
            return [[model, "--to", "graph-def", "-o", f"{out}/o.pbtxt"]]
        case "coverage":
            order = "1" if sample == "11_dynamic_rnn" else "2"  # loops of frames have no second derivatives
            return [[model], [model, *between, "--order", order]]
        case "diff":
            return [[model, f"{out}/changed{suffix}"], [model, f"{out}/changed{suffix}", "--stat"]]
        case "eval":
            return [[model, "--fetch", ys, *fed, "--profile"]]
        case "freeze":
            return [[model, *values, "-o", f"{out}/o.pb"]]
        case "inspect":
            first = xs.partition(",")[0]
            return [[model], [model, *between], [model, "--suggest"], [model, "--path", first, ys]]
        case "ops":
            return [["MatMul"]]
        case "show":
            return [[model, "--attrs"]]
        case "view":
            return [[model, "-o", f"{out}/o.dot"]]
    raise AssertionError(f"no line for {command}")


def run(*arguments: str, **environment: str | None) -> Any:
    return CliRunner(env=environment).invoke(cli, list(arguments))


@pytest.mark.parametrize("sample", MODELS)
@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_on_every_sample(command: str, sample: str, tmp_path: Path) -> None:
    if command == "diff":
        (line,) = lines("add-gradients", sample, tmp_path)
        assert run("add-gradients", *line[:-1], line[-1].replace("/o", "/changed")).exit_code == 0
    for line in lines(command, sample, tmp_path):
        expected = {"diff": (1,), "coverage": (0, 1)}.get(command, (0,))
        for width in (80, 200):
            found = run(command, *line, COLUMNS=str(width))
            assert found.exit_code in expected, (line, found.output)
            rows = tables(found.output)
            assert all(len(row) <= width or " " not in row.strip() for row in rows), found.output
        options = [option.name for option in cli.get_command(None, command).params]  # type: ignore[arg-type,union-attr]
        if "as_json" in options:
            parsed = run(command, *line, "--json", "--quiet")
            assert parsed.exit_code == found.exit_code
            assert json.loads(parsed.stdout)["schema"] == 1


def tables(text: str) -> list[str]:
    """The rows of tables: headings, rules and what stands below them up to an empty line."""
    rows = text.splitlines()
    rules = [i for i, row in enumerate(rows) if re.fullmatch("─+", row)]
    found = []
    for i in rules:
        end = next((j for j in range(i, len(rows)) if not rows[j].strip()), len(rows))
        found += rows[i - 1 : end]
    return found


def test_all_samples_are_tried() -> None:
    assert list(MODELS) == sorted(path.name for path in SAMPLES.iterdir() if path.is_dir())


def test_a_row_has_one_line_in_a_pipe() -> None:
    model = str(SAMPLES / "09_checkpoint" / "model.meta")
    name = "train/update_kernel/part_0/ApplyGradientDescent and 2 more"
    assert f"gradient   {name}\n" in run("coverage", model, COLUMNS=None).stdout
    narrow = run("coverage", model, COLUMNS="80").stdout
    assert f"gradient\n    {name}\n" in narrow and max(map(len, narrow.splitlines())) <= 80


def test_names_are_whole() -> None:
    """One that is too long stands alone; text is broken between words, and stands below where a word is too long."""
    table = Table("name", "bytes", "remark", right=("bytes",))
    table.add("w", "12", "as it should be, more or less")
    table.add("block_1/conv_1/kernel", "4", "fine")
    table.add("b", "1", "see block_1/conv_1/convolution/kernel")
    assert table.lines(40) == [
        "name   bytes   remark",
        "─" * 40,
        "w         12   as it should be, more or",
        "               less",
        "block_1/conv_1/kernel",
        "           4   fine",
        "b          1",
        "    see",
        "    block_1/conv_1/convolution/kernel",
    ]
    assert table.lines(200)[3] == "block_1/conv_1/kernel       4   fine"


def test_a_text_of_many_lines_stands_below() -> None:
    table = Table("x", "verdict", "remark")
    table.add("a", "none", "three lines of text are still beside it, as they would be anywhere else")
    table.add(
        "b", "none", "more than that would be a thin column at the side of the screen, and stands below it in full"
    )
    assert table.lines(40) == [
        "x   verdict   remark",
        "─" * 40,
        "a   none      three lines of text are",
        "              still beside it, as they",
        "              would be anywhere else",
        "b   none",
        "    more than that would be a thin",
        "    column at the side of the screen,",
        "    and stands below it in full",
    ]


@pytest.mark.parametrize("columns", [80, 200])
def test_a_terminal_of_its_own(columns: int) -> None:
    """How wide it is is asked of it; headings are bold."""
    model = str(SAMPLES / "11_dynamic_rnn" / "model.meta")
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    environment = {k: v for k, v in os.environ.items() if k != "COLUMNS"}
    line = [sys.executable, "-c", "from graphgrad_cli.start import main; main()", "inspect", model]
    with subprocess.Popen(line, stdout=theirs, stderr=theirs, stdin=theirs, env=environment) as running:
        os.close(theirs)
        text = b""
        with contextlib.suppress(OSError):  # Linux says so when the other side is closed
            while part := os.read(ours, 65536):
                text += part
    os.close(ours)
    assert running.returncode == 0
    lines = text.decode().replace("\r\n", "\n").splitlines()
    (ops,) = [row for row in lines if row.startswith("ops: ")]
    assert columns - 30 < len(ops) <= columns
    assert "\x1b[1mvariables                   dtype     shape   bytes\x1b[0m" in lines


def test_colour_is_only_for_terminals() -> None:
    model = str(SAMPLES / "01_mlp" / "graph.pb")
    assert "\x1b" not in run("inspect", model).output
    assert "\x1b[" in run("inspect", model, FORCE_COLOR="1").output
    assert "\x1b[3" not in run("inspect", model, FORCE_COLOR="1", NO_COLOR="1").output
