"""The progress bar: what goes on is told stage by stage, and drawn where people look."""

from __future__ import annotations

import io
import re
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from graphgrad_cli import bar
from graphgrad_cli.main import cli
from rich.console import Console

import graphgrad
from graphgrad import progress
from graphgrad.progress import Stage
from tests.loops import looped

MLP = Path(__file__).parents[2] / "samples" / "01_mlp" / "graph.pb"


class Noted:
    """A watcher that writes down what it is told."""

    def __init__(self) -> None:
        self.open: list[Stage] = []
        self.closed: list[tuple[str, int, int | None]] = []

    def entered(self, stage: Stage) -> None:
        self.open.append(stage)

    def left(self) -> None:
        stage = self.open.pop()
        self.closed.append((stage.what, stage.done, stage.total))


@pytest.fixture
def noted(monkeypatch: pytest.MonkeyPatch) -> Noted:
    watcher = Noted()
    monkeypatch.setattr(progress, "watcher", watcher)
    return watcher


def test_what_goes_on_is_told(noted: Noted, tmp_path: Path) -> None:
    graph = graphgrad.load(MLP)
    graphgrad.gradients("loss", "W1", graph=graph)
    graphgrad.save(graph, tmp_path / "o.pb")
    assert not noted.open
    (reading, _, _), (what, done, total), (writing, _, _) = noted.closed
    assert (reading, writing) == (f"reading {MLP}", f"writing {tmp_path / 'o.pb'}")
    assert what == "adding gradients"
    assert done == total
    assert done > 3


def test_rounds_are_counted_inside_of_steps(noted: Noted) -> None:
    graph, outputs = looped(7, [None], lambda g, i, x: [g.Sin(x)])
    graphgrad.evaluate(graph, outputs[1], {"x": np.float32(1)})
    assert [(what, done) for what, done, _ in noted.closed] == [
        ("rounds of StatelessWhile node 'StatelessWhile'", 7),
        ("evaluating", 0),
    ]


def test_a_failure_leaves_its_stage(noted: Noted) -> None:
    with pytest.raises(graphgrad.errors.EvaluationError):
        graph, outputs = looped(7, [None], lambda g, i, x: [g.MatMul(x, x)])
        graphgrad.evaluate(graph, outputs[1], {"x": np.float32(1)})
    assert not noted.open


def test_the_bar_is_drawn_when_it_is_time_and_gone_with_its_stage() -> None:
    paper = io.StringIO()
    console = Console(file=paper, force_terminal=True, width=100)
    with bar.Bar(console, after=1e6) as shown:
        with Stage("reading a") as stage:
            assert not paper.getvalue()
            shown._due()
            assert "reading a" in paper.getvalue()
        with Stage("adding gradients", 2000) as stage:
            stage.done = 1500
            console.print(shown._drawn())
        assert "1,500 of 2,000" in paper.getvalue()
        assert shown._live is None
    assert progress.watcher is None


def test_no_bar_where_nobody_looks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def fail(self: bar.Bar) -> bar.Bar:
        raise AssertionError("a bar, and standard error is no terminal")

    monkeypatch.setattr(bar.Bar, "__enter__", fail)
    result = CliRunner().invoke(
        cli, ["add-gradients", str(MLP), "--ys", "loss", "--xs", "W1", "-o", str(tmp_path / "o.pb")]
    )
    assert result.exit_code == 0


def test_what_goes_on_inside_of_what_tells_enough_is_not_drawn() -> None:
    paper = io.StringIO()
    console = Console(file=paper, force_terminal=True, width=80)
    with (
        bar.Bar(console, after=1e6) as shown,
        Stage("checking x:0", 13, tells=True),
        Stage("evaluating", 800),
    ):
        shown._due()
    assert "checking x:0" in paper.getvalue() and "evaluating" not in paper.getvalue()


def test_a_long_name_is_cut_and_not_wrapped() -> None:
    paper = io.StringIO()
    console = Console(file=paper, force_terminal=True, width=80)
    with bar.Bar(console, after=1e6) as shown, Stage(f"checking {'a_long_scope/' * 9}kernel:0, 2 of 3", 13) as stage:
        stage.done = 4
        shown._due()
        drawn = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", paper.getvalue()).replace("\r", "").rstrip("\n")
        assert "\n" not in drawn and drawn.startswith("checking a_") and "…" in drawn
        assert ":0, 2 of 3 " in drawn and drawn.endswith(" 4 of 13")
        assert len(drawn) <= 80
