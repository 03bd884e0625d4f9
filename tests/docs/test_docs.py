"""Every command line and every program of the README and the docs runs, and prints what the page says."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner
from graphgrad_cli.main import COMMANDS, cli

import graphgrad
from tests.docs.write_commands import PAGE, page
from tests.docs.write_man import FOLDER as MANUAL
from tests.docs.write_man import pages

ROOT = Path(__file__).parents[2]
PAGES = [
    "docs/index.md",
    "docs/recipes.md",
    "docs/coming_from_tensorflow.md",
    "docs/formats.md",
    "samples/README.md",
    "README.md",
]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.S | re.M)
NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e[-+]?\d+)?")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(ROOT / "samples", tmp_path / "samples")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def blocks(name: str) -> list[tuple[str, str]]:
    path = ROOT / name
    return BLOCK.findall(path.read_text()) if path.exists() else []


def plain(text: str) -> str:
    """Without what differs between machines: numbers, the width of columns, the ends of lines."""
    return "\n".join(re.sub(r" +", " ", NUMBER.sub("#", line)).rstrip() for line in text.strip().split("\n"))


def run(line: str) -> str:
    """What a command line prints; one that is not graphgrad's alone is a shell's."""
    words = shlex.split(line)
    if words[0] != "graphgrad" or {"&&", "|"} & set(words):
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        environment = {**os.environ, "PATH": path}
        done = subprocess.run(["bash", "-ec", line], check=True, capture_output=True, text=True, env=environment)
        return done.stderr + done.stdout
    result = CliRunner(env={"COLUMNS": "80"}).invoke(cli, words[1:])
    assert result.exit_code == 0, f"{line}: {result.output}"
    return result.stderr + result.stdout


@pytest.mark.parametrize("name", [p for p in PAGES if p != "README.md"])
def test_pages(name: str, folder: Path) -> None:
    subprocess.run(["git", "init", "-q", "."], check=True)
    printed: str | None = None
    names: dict[str, Any] = {}
    for kind, text in blocks(name):
        if kind == "sh":
            printed = "".join(map(run, text.strip().split("\n")))
        elif kind == "python":
            exec(compile(text, name, "exec"), names)
            printed = None
        elif kind == "" and printed is not None:
            assert plain(printed) == plain(text), printed
            printed = None


def test_the_readme_prints_what_it_says(folder: Path) -> None:
    """Its first block, without the environment it makes."""
    (_, first), _, (_, printed), *_ = blocks("README.md")
    commands = [c.strip().replace(".venv/bin/", "") for c in first.split("&&") if "bin/graphgrad" in c]
    assert len(commands) == 2
    assert plain("".join(map(run, commands))) == plain(printed)


def test_what_else_the_readme_shows_runs(folder: Path) -> None:
    _, _, _, (python, program), (shell, commands), *rest = blocks("README.md")
    assert (python, shell, rest) == ("python", "sh", [])
    names: dict[str, Any] = {}
    exec(compile(program, "README.md", "exec"), names)
    assert [value.shape for value in names["values"]] == [(8, 16), (16,)]
    printed = [run(line) for line in commands.strip().split("\n")]
    assert "graphgrad check samples/04_convnet/graph.pb --ys loss --xs" in printed[0]
    assert printed[2].count("agrees") == 2
    assert "gradients/" in (folder / "with_grads.html").read_text()


@pytest.mark.parametrize(
    "name", ["README.md", "CONTRIBUTING.md", *sorted(f"docs/{p.name}" for p in (ROOT / "docs").iterdir())]
)
def test_commands_named_in_passing_run(name: str, folder: Path) -> None:
    """`graphgrad ...` within a sentence; a command alone is one that exists."""
    run("graphgrad add-gradients samples/01_mlp/graph.pb --ys loss --xs W1 -o with_grads.pb")
    for line in re.findall(r"`(graphgrad [^`]*)`", BLOCK.sub("", (ROOT / name).read_text())):
        line = line.replace("MODEL", "with_grads.pb").replace(" OP", " MatMul")
        assert line.split()[1] in COMMANDS, line
        if line.split()[2:]:
            run(line)


@pytest.mark.parametrize(
    "name", ["README.md", "CONTRIBUTING.md", *sorted(f"docs/{p.name}" for p in (ROOT / "docs").iterdir())]
)
def test_what_is_run_in_a_checkout_is_there(name: str) -> None:
    """What pages name of the tests, and the options that modules and scripts are given."""
    text = (ROOT / name).read_text()
    for path in re.findall(r"(?<![\w/])(?:tests|\.ci)/[\w/.]*\w", text):
        assert (ROOT / path).exists(), path
    calls = re.findall(r"python -m (tests[.\w]+)([^`\n]*)", text)
    calls += [("tests.benchmarks", rest) for rest in re.findall(r"tests/benchmarks/run([^`\n]*)", text)]
    for module, rest in calls:
        path = ROOT / module.replace(".", "/")
        source = path.with_suffix(".py") if path.with_suffix(".py").exists() else path / "__main__.py"
        for option in re.findall(r"(?<=\s)--?[a-z][\w-]*", rest):
            assert f'"{option}"' in source.read_text(), (module, option)


def test_the_page_of_python_names_all_that_is_public() -> None:
    named = {
        line.rpartition(".")[2] for line in (ROOT / "docs" / "python.md").read_text().split("\n") if line[:4] == "::: "
    }
    assert set(graphgrad.__all__) - {"GraphGradError", "__version__"} <= named


def test_there_is_a_sample_for_each_command() -> None:
    lines = [text.split()[1] for kind, text in blocks("samples/README.md") if kind == "sh"]
    assert sorted(lines) == sorted(COMMANDS)


def test_every_block_is_of_a_kind_that_a_test_runs() -> None:
    """sh and python here; c and bash by tests/oracle/test_c_api.py, yaml by tests/site."""
    run_elsewhere = {"c": ["docs/recipes.md"], "bash": ["docs/recipes.md"], "yaml": ["docs/recipes.md"]}
    for path in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        name = str(path.relative_to(ROOT))
        for kind, _ in blocks(name):
            assert kind in ("", "text") or name in run_elsewhere.get(kind, PAGES), (name, kind)


def test_the_page_of_commands_is_current() -> None:
    assert plain(PAGE.read_text()) == plain(page()), "python -m tests.docs.write_commands"


def test_the_manual_pages_are_current() -> None:
    written = {path.name: path.read_text() for path in MANUAL.iterdir()}
    assert written == pages(), "python -m tests.docs.write_man"
    assert set(written) == {"graphgrad.1", *(f"graphgrad-{name}.1" for name in COMMANDS)}


@pytest.mark.parametrize("name", sorted(pages()))
def test_the_manual_pages_are_what_a_formatter_reads(name: str) -> None:
    """Each line is a macro of man(7) with what it needs, or text in which nothing is the formatter's own."""
    text = pages()[name]
    assert [line for line in text.split("\n") if line.startswith(".SH")][:4] == [
        ".SH NAME", ".SH SYNOPSIS", ".SH DESCRIPTION", ".SH OPTIONS"
    ]  # fmt: skip
    for line in text.rstrip("\n").split("\n"):
        assert re.fullmatch(r"\.(TH|SH|B) .+|\.(PP|TP|EX|EE)|[^.'].*", line), line
        assert not re.search(r"\\(?![-&e]|f[BR]|\((ti|ha))", line), line
    if shutil.which("groff"):
        said = subprocess.run(
            ["groff", "-man", "-ww", "-z", "-Tutf8"], input=text, capture_output=True, text=True, check=True
        )
        assert said.stderr == ""


@pytest.mark.parametrize("name", COMMANDS)
def test_the_example_in_each_help_runs(name: str, folder: Path) -> None:
    command = cli.get_command(click.Context(cli), name)
    assert command is not None and command.help is not None
    example = command.help.partition("Example:\n")[2].strip().split("\n\n")[0]
    line = " ".join(part.strip().rstrip("\\").strip() for part in example.split("\n"))
    line = line.partition(" > ")[0]
    (folder / "with_grads.pb").write_bytes((folder / "samples/01_mlp/graph.pb").read_bytes())
    result = CliRunner().invoke(cli, shlex.split(line)[1:])
    assert result.exit_code == 0, f"{line}: {result.output}"


def test_git_compares_graphs_as_text(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def git(*arguments: str) -> str:
        names = ("-c", "user.name=a", "-c", "user.email=a@b")
        done = subprocess.run(["git", *names, *arguments], check=True, capture_output=True, text=True)
        return done.stdout

    git("init", "-q", ".")
    monkeypatch.setenv("PATH", os.path.dirname(sys.executable), prepend=os.pathsep)
    lines = [text for kind, text in blocks("docs/recipes.md") if kind == "sh" and "textconv" in text]
    subprocess.run(["bash", "-ec", lines[0]], check=True)
    shutil.copy("samples/01_mlp/graph.pb", "model.pb")
    git("add", "model.pb", ".gitattributes")
    git("commit", "-qm", "before")
    run("graphgrad add-gradients samples/01_mlp/graph.pb --ys loss --xs b2 -o model.pb")
    changes = git("diff")
    assert "+gradients/logits_grad/BiasAddGrad  BiasAddGrad  float32[4]" in changes
    assert not [line for line in changes.split("\n") if line.startswith("-") and not line.startswith("---")]
