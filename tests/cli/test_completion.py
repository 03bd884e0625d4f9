"""Completion, versions, variables for options, how much is told."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.shell_completion import BashComplete
from click.testing import CliRunner
from graphgrad_cli.main import cli

MLP = Path(__file__).parents[2] / "samples" / "01_mlp" / "graph.pb"
ADD = ["add-gradients", str(MLP), "--ys", "loss", "--xs", "W1"]


def completions(*words: str) -> list[str]:
    found = BashComplete(cli, {}, "graphgrad", "_GRAPHGRAD_COMPLETE").get_completions(list(words[:-1]), words[-1])
    return [item.value for item in found]


def run(*arguments: object, **environment: str) -> Any:
    return CliRunner(env=environment).invoke(cli, [str(a) for a in arguments], auto_envvar_prefix="GRAPHGRAD")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("ch",), ["check"]),
        (("add-gradients", str(MLP), "--ys", "lo"), ["losses", "loss", "logits", "loss/reduction_indices"]),
        (("add-gradients", str(MLP), "--ys", "loss", "--xs", "W1,b"), ["W1,b1", "W1,b2"]),
        (("eval", str(MLP), "--fetch", "hid"), ["hidden"]),
        (("show", str(MLP), "Mat"), ["MatMul", "MatMul_1"]),
        (("ops", "MatMu"), ["MatMul"]),
        (("add-gradients", "missing.pb", "--ys", "lo"), []),
        (("add-gradients", str(MLP), "--unconnected-gradients", ""), ["none", "zero"]),
    ],
)
def test_completions(words: tuple[str, ...], expected: list[str]) -> None:
    assert sorted(completions(*words)) == sorted(expected)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_scripts_are_ones_the_shell_reads(shell: str, tmp_path: Path) -> None:
    script = run("completion", shell).stdout
    assert "_GRAPHGRAD_COMPLETE" in script
    if shutil.which(shell) is None:
        return  # the shell is not installed here; what it is told stands above
    path = tmp_path / "script"
    path.write_text(script)
    subprocess.run([shell, "-n", path], check=True)


def test_bash_completes_node_names() -> None:
    program = "import sys; from graphgrad_cli.main import main; main()"
    environment = {
        **os.environ,
        "_GRAPHGRAD_COMPLETE": "bash_complete",
        "COMP_WORDS": f"graphgrad show {MLP} hid",
        "COMP_CWORD": "3",
    }
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False)
    assert done.stdout.splitlines() == ["plain,hidden"]


def test_version_names_what_it_stands_on() -> None:
    words = run("--version").stdout.replace(",", "").split()
    assert words[0] == "graphgrad"
    assert {"click", "protobuf", "numpy"} <= set(words)


def test_options_from_the_environment(tmp_path: Path) -> None:
    result = run("add-gradients", MLP, "--ys", "loss", "-o", tmp_path / "o.pb", GRAPHGRAD_ADD_GRADIENTS_XS="W2")
    assert result.exit_code == 0
    assert "W2:0" in result.stderr


def test_quiet_and_verbose(tmp_path: Path) -> None:
    assert run(*ADD, "-o", tmp_path / "o.pb", "--quiet").output == ""
    assert "of memory at most" in run(*ADD, "-o", tmp_path / "o.pb", "--verbose").stderr
    assert "error: " in run("add-gradients", MLP, "--ys", "los", "--xs", "W1", "--quiet").stderr
