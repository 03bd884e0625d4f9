"""Measuring in processes of their own: whole commands from start to end, and workers that take turns.

Nothing heavy is imported here: Linux counts the size of the process that starts another into the other's peak memory.
"""

from __future__ import annotations

import contextlib
import dataclasses
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PAUSE = 0.05  # seconds between turns: threads of the side that ran last stop spinning
FRAMEWORKS = {"pytorch": "torch", "jax": "jax"}  # sides that are measured where they are installed
pythons: dict[str, str] = {}  # the interpreters of sides that have one of their own
ENVIRONMENT = {
    **os.environ,
    "OMP_NUM_THREADS": "2",
    "OPENBLAS_NUM_THREADS": "2",
    "PYTHONHASHSEED": "0",
    "TF_CPP_MIN_LOG_LEVEL": "3",
}


class BenchmarkError(Exception):
    """A side failed or the numbers of two sides differ; says which and why."""


@dataclasses.dataclass(frozen=True)
class Usage:
    """What one measurement took. `megabytes` is the peak of a whole process, `nodes` what was added to a graph."""

    seconds: float
    megabytes: float | None = None
    nodes: int | None = None

    @property
    def per_node(self) -> float:
        """Microseconds for each node added."""
        assert self.nodes
        return self.seconds / self.nodes * 1e6


Round = dict[str, Usage]  # what each side took, one after the other


@dataclasses.dataclass(frozen=True)
class Spread:
    """Several measurements of one quantity."""

    low: float
    median: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        return cls(min(values), statistics.median(values), max(values))


class Workshop:
    """A temporary folder with the graphs that are measured, each written once."""

    def __init__(self, folder: Path):
        self.folder = folder

    def model(self, name: str, size: int = 0, with_gradients: bool = False) -> Path:
        """The folder of a graph of `graphs.MODELS`."""
        folder = self.folder / f"{name}-{size}{'-gradients' * with_gradients}"
        if not folder.exists():
            options = ["--size", str(size), *["--with-gradients"] * with_gradients]
            whole_process([sys.executable, "-m", "tests.benchmarks.graphs", name, str(folder), *options])
        return folder


@contextlib.contextmanager
def workshop() -> Iterator[Workshop]:
    with tempfile.TemporaryDirectory(prefix="graphgrad-benchmarks-") as folder:
        yield Workshop(Path(folder))


def whole_process(command: Sequence[str]) -> Usage:
    """Wall time and peak memory of a command. Raises BenchmarkError where it fails."""
    with tempfile.TemporaryFile() as log:
        start = time.perf_counter()
        process = subprocess.Popen(command, cwd=ROOT, env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=log)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise BenchmarkError(f"{' '.join(Path(word).name for word in command[:4])}: {_last_line(log)}")
    return Usage(seconds, usage.ru_maxrss / 1024)


def processes(commands: dict[str, Sequence[str]], runs: int) -> list[Round]:
    """The commands in turn, `runs` times, after one turn that fills the disk cache and is not counted."""
    turns = [{side: whole_process(command) for side, command in commands.items()} for _ in range(runs + 1)]
    return turns[1:] if runs > 1 else turns[-1:]


def frameworks() -> list[str]:
    """The sides that can be measured beside TensorFlow."""
    return [side for side, module in FRAMEWORKS.items() if side in pythons or importlib.util.find_spec(module)]


class Worker:
    """A side of a comparison, ready in its process (`tests.benchmarks.worker`)."""

    def __init__(self, side: str, action: str, folder: Path):
        self.side, self.folder = side, folder
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 (closed in `close`)
        python = pythons.get(side, sys.executable)
        command = [python, "-m", "tests.benchmarks.worker", side, action, str(folder)]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(
            command, cwd=ROOT, env=ENVIRONMENT, stdin=pipe, stdout=pipe, stderr=self._log, text=True
        )
        self._answer()

    def ask(self, line: str) -> dict[str, Any]:
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        return json.loads(self._answer())

    def measure(self) -> Usage:
        time.sleep(PAUSE)
        return Usage(**self.ask("measure"))

    def _answer(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self._process.wait()
            raise BenchmarkError(f"{self.side}: {_last_line(self._log)}")
        return line

    def close(self) -> None:
        with contextlib.suppress(BrokenPipeError):
            self._process.communicate()
        self._log.close()


@contextlib.contextmanager
def workers(action: str, folders: dict[str, Path], sides: dict[str, str] | None = None) -> Iterator[dict[str, Worker]]:
    """A worker for each name and its folder; the side is called so, if not otherwise in `sides`."""
    started: dict[str, Worker] = {}
    try:
        for name, folder in folders.items():
            started[name] = Worker((sides or {}).get(name, name), action, folder)
        yield started
    finally:
        for worker in started.values():
            worker.close()


def take_turns(started: dict[str, Worker], runs: int) -> list[Round]:
    """Each worker measures once, in turn, `runs` times."""
    return [{name: worker.measure() for name, worker in started.items()} for _ in range(runs)]


def _last_line(log: Any) -> str:
    log.seek(0)
    lines = log.read().decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else "failed without a word"


Measured = Callable[[Workshop, int], list[Round]]
