"""Where variables have no values and a checkpoint lies beside the model, the error names it and gives the command to type next."""

from __future__ import annotations

import json
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from graphgrad_cli.main import cli

SAMPLE = Path(__file__).parents[2] / "samples" / "09_checkpoint"
FEEDS = ["--feeds", "feeds.npz"]
COMMANDS = [
    ["eval", "model.meta", "--fetch", "loss", *FEEDS],
    ["check", "model.meta", "--ys", "loss", "--xs", "bias", *FEEDS],
    ["check", "model.meta", "--ys", "loss", "--xs", "x", *FEEDS],
    ["check", "model.meta", "--ys", "loss", "--xs", "x", "--debug-nan", *FEEDS],
    ["freeze", "model.meta", "-o", "frozen.pb"],
]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(SAMPLE, tmp_path / "m")
    monkeypatch.chdir(tmp_path / "m")
    return tmp_path / "m"


def run(arguments: list[str]) -> Any:
    return CliRunner().invoke(cli, arguments)


def following(result: Any) -> list[str]:
    """The command that the one error line gives to type next."""
    assert result.exit_code in (2, 5)
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    program, *words = shlex.split(line.rpartition(" beside it: ")[2])
    assert program == "graphgrad"
    return words


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: " ".join(command[:6]))
def test_the_checkpoint_of_the_same_name(folder: Path, command: list[str]) -> None:
    failed = run(command)
    assert "the checkpoint model lies beside it: " in failed.stderr
    assert following(failed) == [*command, "--variables", "model"]
    assert run(following(failed)).exit_code == 0


def test_what_the_file_named_checkpoint_says(folder: Path) -> None:
    (folder / "model.meta").rename(folder / "other.meta")
    failed = run(["eval", str(folder / "other.meta"), *COMMANDS[0][2:]])
    assert following(failed)[-1] == str(folder / "model")
    (folder / "checkpoint").write_text('model_checkpoint_path: "/gone/elsewhere/model"\n')
    assert following(run(["eval", "other.meta", *COMMANDS[0][2:]]))[-1] == "model"


def test_a_checkpoint_of_the_first_version(folder: Path) -> None:
    for file in folder.glob("model.[di]*"):
        file.unlink()
    (folder / "model").write_bytes(b"")
    assert following(run(COMMANDS[0]))[-1] == "model"


@pytest.mark.parametrize("state", [None, "", 'model_checkpoint_path: "gone"\n', "\xff\x00"])
def test_without_any_the_error_says_what_to_do(folder: Path, state: str | None) -> None:
    for file in [*folder.glob("model.[di]*"), folder / "checkpoint"]:
        file.unlink()
    if state is not None:
        (folder / "checkpoint").write_text(state, encoding="latin-1")
    failed = run(COMMANDS[0])
    assert failed.exit_code == 5
    assert failed.stderr.endswith("give them with --variables, or run what assigns them first with --run-first\n")


def test_one_that_was_given_is_not_offered_again(folder: Path) -> None:
    import numpy as np

    np.savez(folder / "some.npz", bias=np.zeros(1, np.float32))
    failed = run([*COMMANDS[0], "--variables", "some.npz"])
    assert failed.exit_code == 5 and "beside" not in failed.stderr


def test_the_document_holds_it_too(folder: Path) -> None:
    document = json.loads(run([*COMMANDS[0], "--json"]).stdout)
    assert document["exit_code"] == 5
    assert document["next"].endswith("--json --variables model")
