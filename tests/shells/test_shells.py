"""bash, zsh and fish at a terminal: a line is typed, completed by the tab key and run, and what it prints is read."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import shutil
import signal
import struct
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

SAMPLES = Path(__file__).parents[2] / "samples"
START = {
    "bash": (["bash", "--norc", "--noprofile", "-i"], "source ./script"),
    "zsh": (["zsh", "-f", "-i"], "autoload -Uz compinit; compinit -u -d ./dump; source ./script"),
    "fish": (["fish", "--no-config", "-i"], "source ./script"),
}
PATIENCE = 300  # seconds until a shell that says nothing has failed; nothing waits for time to pass
ESCAPES = re.compile(rb"\x1b(\[[0-9;?>=]*[ -/]*[@-~]|[()][A-Z0-9]|\][^\x07\x1b]*(\x07|\x1b\\)|[=>78])|[\r\x0e\x0f]")


class Terminal:
    """A shell at a pseudo terminal."""

    def __init__(self, command: list[str], folder: Path):
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            os.chdir(folder)
            environment = {
                "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "HOME": str(folder), "TERM": "xterm", "LANG": "C.UTF-8"
            }  # fmt: skip
            os.execvpe(command[0], command, environment)
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("4H", 50, 200, 0, 0))
        self.seen = b""

    def type(self, keys: str) -> None:
        os.write(self.master, keys.encode())

    def wait_for(self, text: str) -> str:
        """What came up to the text and with it. Fails where it does not come."""
        end = time.monotonic() + PATIENCE
        while text.encode() not in (plain := ESCAPES.sub(b"", self.seen)):
            ready, _, _ = select.select([self.master], [], [], max(0, end - time.monotonic()))
            assert ready, f"{text!r} did not come: {plain.decode(errors='replace')}"
            self.seen += os.read(self.master, 65536)
        self.seen = b""
        return plain.decode(errors="replace")

    def close(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        os.close(self.master)
        os.waitpid(self.pid, 0)


@pytest.fixture(params=START)
def terminal(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Terminal]:
    command, start = START[request.param]
    assert shutil.which(command[0]), f"{command[0]} is needed: tests/shells/run installs it"
    shutil.copy(SAMPLES / "01_mlp" / "graph.pb", tmp_path / "m.pb")
    found = Terminal(command, tmp_path)
    found.type(f"graphgrad completion {request.param} > ./script; {start}; echo re''ady\r")
    found.wait_for("ready")
    yield found
    found.close()


@pytest.mark.parametrize(
    ("typed", "printed"),
    [
        ("graphgrad show m.pb hid\t\r", "hidden  Relu  float32[?,16]"),
        (
            "graphgrad add-gradients m.pb --ys loss --xs W1,hid\t -o o.pb\r",
            "gradients/MatMul_1_grad/MatMul:0",
        ),
        ("graphgrad inspect m.pb --sug\t\r", "xs: W1, b1, W2, b2, x"),
        ("graphgrad ops SparseSoftmaxC\t\r", "SparseSoftmaxCrossEntropyWithLogits(features: T"),
        ("graphgrad cov\tm.pb\r", "14 nodes of 7 op types"),
        ("graphgrad show m.p\thid\t\r", "hidden  Relu  float32[?,16]"),
    ],
    ids=["node", "list", "option", "op", "command", "file"],
)
def test_the_tab_key(terminal: Terminal, typed: str, printed: str) -> None:
    terminal.type(typed)
    terminal.wait_for(printed)
