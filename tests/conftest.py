"""What holds for all tests: nothing depends on how fast the machine is, nor on which examples are drawn this time."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.commands import run

settings.register_profile("any machine", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")
os.environ.pop("COLUMNS", None)  # pytest-xdist sets it; nothing a test prints is printed on a terminal


@pytest.fixture
def with_grads(tmp_path: Path) -> Path:
    """The first sample with gradients of some weights."""
    sample, out = Path(__file__).parents[1] / "samples" / "01_mlp" / "graph.pb", tmp_path / "with_grads.pb"
    assert run("add-gradients", sample, "--ys", "loss", "--xs", "W1,b1", "-o", out).exit_code == 0
    return out
