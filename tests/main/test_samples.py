"""Every sample: its script writes the files that are checked in, its commands print what its page says."""

from __future__ import annotations

import importlib.util
import re
import shlex
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from graphgrad_cli.main import cli

ROOT = Path(__file__).parents[2]
SAMPLES = sorted((ROOT / "samples").glob("[0-9]*"))
NUMBER = re.compile(r"-?\d+\.?\d*(?:e[-+]?\d+)?")
PADDED_NUMBER = re.compile(rf" *{NUMBER.pattern} *")  # columns are as wide as their longest number


# Models of other kinds than a graph file were written by TensorFlow, which their scripts need.
GRAPHS = [sample for sample in SAMPLES if (sample / "graph.pb").exists()]


@pytest.mark.parametrize("sample", GRAPHS, ids=lambda p: p.name)
def test_script_writes_the_files(sample: Path, tmp_path: Path) -> None:
    spec = importlib.util.spec_from_file_location("make", sample / "make.py")
    make = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make)
    make.main(tmp_path)
    written = {path.name for path in sample.iterdir() if path.suffix in (".pb", ".npz")}
    assert {path.name for path in tmp_path.iterdir()} == written >= {"graph.pb", "feeds.npz"}
    for name in written:
        made, kept = tmp_path / name, sample / name
        if made.suffix == ".npz":  # how its archive is laid out depends on the Python that wrote it
            assert contents(made) == contents(kept), name
        else:
            assert made.read_bytes() == kept.read_bytes(), name


def contents(archive: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(archive) as opened:
        return {name: opened.read(name) for name in opened.namelist()}


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda p: p.name)
def test_commands_print_what_the_page_says(sample: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commands, expected = re.findall(r"```(?:sh)?\n(.*?)```", (sample / "README.md").read_text(), re.S)
    shutil.copytree(sample, tmp_path / "samples" / sample.name)
    monkeypatch.chdir(tmp_path)
    printed = ""
    for command in commands.strip().split("\n"):
        result = CliRunner(env={"COLUMNS": "80"}).invoke(cli, shlex.split(command)[1:])
        assert result.exit_code == 0, result.stderr
        printed += result.stderr + result.stdout
    assert PADDED_NUMBER.sub("#", printed) == PADDED_NUMBER.sub("#", expected)
    found, wanted = ([float(n) for n in NUMBER.findall(text)] for text in (printed, expected))
    assert np.allclose(found, wanted, rtol=1e-4, atol=1e-6)
