"""Completion, versions, variables for options, how much is told, what is meant by what is mistyped."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest
from click.shell_completion import BashComplete
from click.testing import CliRunner
from graphgrad_cli.main import COMMANDS, cli

MLP = Path(__file__).parents[2] / "samples" / "01_mlp" / "graph.pb"
SAVED = MLP.parents[1] / "08_saved_model" / "model"
ADD = ["add-gradients", str(MLP), "--ys", "loss", "--xs", "W1"]


def completions(*words: str) -> list[str]:
    found = BashComplete(cli, {}, "graphgrad", "_GRAPHGRAD_COMPLETE").get_completions(list(words[:-1]), words[-1])
    return [item.value for item in found]


def run(*arguments: object, **environment: str) -> Any:
    return CliRunner(env=environment).invoke(
        cli, [str(a) for a in arguments], prog_name="graphgrad", auto_envvar_prefix="GRAPHGRAD"
    )


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("ch",), ["check"]),
        (("add-gradients", str(MLP), "--ys", "lo"), ["losses", "loss", "logits", "loss/reduction_indices"]),
        (("add-gradients", str(MLP), "--ys", "loss", "--xs", "W1,b"), ["W1,b1", "W1,b2"]),
        (("eval", str(MLP), "--fetch", "hid"), ["hidden"]),
        (("show", str(MLP), "Mat"), ["MatMul", "MatMul_1"]),
        (("show", str(SAVED), "--function", "__inference_sc"), ["__inference_score_32"]),
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
    assert shell != "fish" or 'string split -m 1 "," $completion' in script  # lists have commas
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


@pytest.mark.parametrize("name", COMMANDS)
def test_a_variable_stands_for_every_option(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is called as the option is spelled: GRAPHGRAD_CONVERT_TO for --to of convert."""
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    context = click.Context(command, click.Context(cli, auto_envvar_prefix="GRAPHGRAD"), info_name=name)
    for option in command.get_params(context):
        if isinstance(option, click.Option) and "--help" not in option.opts:
            spelled = max(option.opts, key=len)[2:]
            monkeypatch.setenv(f"GRAPHGRAD_{name}_{spelled}".upper().replace("-", "_"), "a b")
            assert option.resolve_envvar_value(context) == "a b", option.opts


def test_quiet_and_verbose(tmp_path: Path) -> None:
    assert run(*ADD, "-o", tmp_path / "o.pb", "--quiet").output == ""
    assert "of memory at most" in run(*ADD, "-o", tmp_path / "o.pb", "--verbose").stderr
    assert "error: " in run("add-gradients", MLP, "--ys", "los", "--xs", "W1", "--quiet").stderr


def test_the_entry_point_offers_the_commands() -> None:
    """Whoever runs commands inside a process finds the group where the console script begins."""
    [entry] = importlib.metadata.entry_points(group="console_scripts", name="graphgrad")
    assert isinstance(importlib.import_module(entry.module).cli, click.Group)
    assert callable(entry.load())


def test_an_interrupt_while_the_command_is_loaded() -> None:
    """As at any other time: one line and 130."""
    program = """
import builtins
real = builtins.__import__
def interrupted(name, *rest):
    if name == "click":
        raise KeyboardInterrupt
    return real(name, *rest)
builtins.__import__ = interrupted
from graphgrad_cli.start import main
main()
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "error: interrupted\n")


def test_interrupted_while_the_line_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    for reader in (cli, cli.get_command(click.Context(cli), "inspect")):
        with monkeypatch.context() as patch:
            patch.setattr(reader, "parse_args", interrupted)
            result = run("inspect", MLP)
        assert (result.exit_code, result.stdout, result.stderr) == (130, "", "error: interrupted\n")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["chekc", MLP], "no command 'chekc' (did you mean 'check'?): see graphgrad --help"),
        (["check", MLP, "--yss", "loss"], "no such option '--yss' (did you mean '--ys', '--xs', '--seed'?); see graphgrad check --help"),
        (["check", MLP], f"missing option '--ys'; graphgrad inspect {MLP} --suggest names likely ones"),
        (["eval", MLP, "--fetch", "losss"], f"--fetch: no node 'losss' in the graph (did you mean 'losses', 'loss', 'logits'?); graphgrad show {MLP} lists the nodes"),
        (["show", MLP, "MatMull"], f"no node, scope or glob 'MatMull' (did you mean 'MatMul', 'MatMul_1'?); graphgrad show {MLP} lists the nodes"),
        (["show", MLP, "--gradient-of", "MatMul"], "no gradient of node 'MatMul' is in the graph: add-gradients adds it"),
        (["ops", "Matmull"], "TensorFlow has no op 'Matmull' (did you mean 'MatMul', 'Mul', '_MklMatMul'?); graphgrad ops lists all"),
    ],
)  # fmt: skip
def test_what_was_meant_and_what_to_type_next(words: list[object], said: str) -> None:
    result = run(*words)
    assert (result.exit_code, result.stderr) == (2, f"error: {said}\n")


def test_without_a_command_the_help_is_shown() -> None:
    result = CliRunner().invoke(cli, [])
    assert result.exit_code in (0, 2)  # click changed its mind
    assert result.output == CliRunner().invoke(cli, ["--help"]).output


def test_a_file_beside_is_offered() -> None:
    misspelled = MLP.with_name("gaph.pb")
    said = f"error: {misspelled} cannot be read: No such file or directory (did you mean '{MLP}'?)\n"
    assert run("show", misspelled).stderr == said
