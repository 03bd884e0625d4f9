"""The tests' side of `tensorflow_side`: one process with TensorFlow, started when first asked, and anew when it died."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.oracle.kernel_draws.tensorflow_side import read_message, write_message

Reply = tuple[Any, ...]


class TensorFlow:
    """A process that runs graphs with TensorFlow."""

    def __init__(self) -> None:
        self.process: subprocess.Popen[bytes] | None = None
        self.dtypes: dict[str, list[dict[str, list[str]]]] | None = None

    def ask(self, *message: Any) -> Any:
        """The answer to a message; `("died",)` where the process did not survive it."""
        if self.process is None:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.oracle.kernel_draws.tensorflow_side"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                cwd=Path(__file__).parents[3],
                env={
                    **os.environ,
                    "OMP_NUM_THREADS": "1",
                    "TF_NUM_INTEROP_THREADS": "1",
                    "TF_NUM_INTRAOP_THREADS": "1",
                },
            )
        assert self.process.stdin is not None and self.process.stdout is not None
        try:
            write_message(self.process.stdin, message)
            return read_message(self.process.stdout)  # type: ignore[arg-type]
        except (EOFError, BrokenPipeError):
            self.process.wait()
            self.process = None
            return ("died",)

    def kernels(self) -> dict[str, list[dict[str, list[str]]]]:
        """Op type -> for each of its processor kernels, the dtypes of the attributes it is made for."""
        if self.dtypes is None:
            self.dtypes = self.ask("kernels")
        return self.dtypes


@functools.cache
def tensorflow() -> TensorFlow:
    """The process of this test run."""
    return TensorFlow()
