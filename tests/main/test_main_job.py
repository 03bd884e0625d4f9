"""The main job on the sample, as a user runs it: add gradients, evaluate, compare; and what bad input is told."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from graphgrad_cli.main import COMMANDS, VERSION

import graphgrad
from tests.commands import run

SAMPLE = Path(__file__).parents[2] / "samples" / "01_mlp"


@pytest.fixture
def with_grads(tmp_path: Path) -> Path:
    out = tmp_path / "with_grads.pb"
    result = run("add-gradients", SAMPLE / "graph.pb", "--ys", "loss", "--xs", "W1,b1,W2,b2", "-o", out)
    assert result.exit_code == 0, result.stderr
    return out


def test_output_begins_with_the_input(with_grads: Path) -> None:
    assert with_grads.read_bytes().startswith((SAMPLE / "graph.pb").read_bytes())


def test_gradients_agree_with_finite_differences(with_grads: Path) -> None:
    graph = graphgrad.load(with_grads)
    feeds = dict(np.load(SAMPLE / "feeds.npz"))
    weights, slope = graphgrad.evaluate(graph, ["W1", "gradients/MatMul_grad/MatMul_1"], feeds)
    direction = np.cos(np.arange(weights.size)).reshape(weights.shape).astype(np.float32)
    up, down = (graphgrad.evaluate(graph, "loss", {**feeds, "W1": weights + s * direction}) for s in (1e-2, -1e-2))
    assert np.vdot(slope, direction) == pytest.approx((up - down) / 2e-2, rel=2e-2)


def test_diff_and_json(with_grads: Path) -> None:
    assert run("diff", with_grads, with_grads).exit_code == 0
    result = run("diff", SAMPLE / "graph.pb", with_grads, "--json")
    assert result.exit_code == 1
    assert not json.loads(result.stdout)["changed"]


def test_reasons(tmp_path: Path) -> None:
    arguments = ("--ys", "loss", "--xs", "labels", "-o", tmp_path / "o.pb", "--json")
    result = run("add-gradients", SAMPLE / "graph.pb", *arguments)
    assert json.loads(result.stdout)["gradients"][0]["why"] == "integer"


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", 3),
        (b"garbage that is text", 3),
        (b"{]", 3),
        (bytes(range(256)) * 9, 3),
        ((SAMPLE / "graph.pb").read_bytes()[:301], 3),
    ],
)
def test_bad_files_get_one_line(tmp_path: Path, content: bytes, code: int) -> None:
    model, out = tmp_path / "model.pb", tmp_path / "out.pb"
    model.write_bytes(content)
    result = run("add-gradients", model, "--ys", "loss", "--xs", "W1", "-o", out)
    assert result.exit_code == code
    assert result.stderr.count("\n") == 1
    assert result.stderr.startswith("error: ")
    assert not out.exists()


def test_wrong_names_get_a_suggestion(tmp_path: Path) -> None:
    result = run("add-gradients", SAMPLE / "graph.pb", "--ys", "los", "--xs", "W1", "-o", tmp_path / "o.pb")
    assert result.exit_code == 2
    assert "did you mean 'loss'" in result.stderr


def test_a_missing_feed_names_the_placeholder() -> None:
    result = run("eval", SAMPLE / "graph.pb", "--fetch", "loss")
    assert result.exit_code == 5
    assert "'x'" in result.stderr


def test_helps_and_version_are_the_static_ones() -> None:
    assert graphgrad.__version__ == VERSION
    for name, (_, text) in COMMANDS.items():
        assert text in run(name, "--help").stdout
        assert "Example:" in run(name, "--help").stdout
