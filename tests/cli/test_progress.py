"""What the progress bar leaves on a terminal when a command ends, fails or is interrupted: nothing."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest

import graphgrad
from tests.loops import looped

pyte = pytest.importorskip("pyte", reason="the terminal is one of pyte's: pip install 'graphgrad[test]'")

COLUMNS, ROWS = 80, 12
AT_ONCE = (
    "import graphgrad_cli.bar as bar; bar.Bar.__init__.__defaults__ = (None, 0.0);"
    "from graphgrad_cli.start import main; main()"
)
STAGE = b"rounds of StatelessWhile"  # of half a million, so that the bar, drawn ten times a second, tells of them


@pytest.fixture
def loop(tmp_path: Path) -> Path:
    """A model that takes its time: a million rounds."""
    graph, _ = looped(1_000_000, [None], lambda g, i, x: [g.Sin(x)])
    graphgrad.save(graph, tmp_path / "loop.pb")
    return tmp_path / "loop.pb"


def on_a_terminal(loop: Path, *options: str, interrupt: str = "") -> tuple[int, bytes, pyte.Screen]:
    """Exit code, the bytes written, and the screen as a terminal shows it at the end. `interrupt` is 'signal' or 'key'."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    line = [
        sys.executable,
        "-c",
        AT_ONCE,
        "eval",
        str(loop),
        "--fetch",
        "StatelessWhile:1",
        "--feed",
        "x=0.5",
        *options,
    ]
    environment = {k: v for k, v in os.environ.items() if k != "COLUMNS"} | {"TERM": "xterm"}
    text = b""
    streams = {"stdin": theirs, "stdout": theirs, "stderr": theirs}
    with subprocess.Popen(line, **streams, env=environment, preexec_fn=own_the_terminal) as running:
        os.close(theirs)
        with contextlib.suppress(OSError):  # Linux says so when the other side is closed
            while part := os.read(ours, 65536):
                text += part
                if interrupt and STAGE in text:
                    if interrupt == "key":
                        os.write(ours, b"\x03")
                    else:
                        running.send_signal(signal.SIGINT)
                    interrupt = ""
    os.close(ours)
    screen = pyte.Screen(COLUMNS, ROWS)
    pyte.ByteStream(screen).feed(text)
    return running.returncode, text, screen


def own_the_terminal() -> None:
    """What a shell does for the command in front: keys that interrupt reach it."""
    os.setsid()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # the processes of pytest-xdist ignore it


def shown(screen: pyte.Screen) -> list[str]:
    """The rows down to the cursor's, an empty one among them included."""
    return [row.rstrip() for row in screen.display[: screen.cursor.y]]


def test_a_command_that_fails(loop: Path) -> None:
    code, text, screen = on_a_terminal(loop, "--max-iterations", "500000")
    assert code == 5 and STAGE in text
    assert " ".join(shown(screen)).startswith("error: StatelessWhile node 'StatelessWhile' was stopped after 500000")
    assert not screen.cursor.hidden


@pytest.mark.parametrize("how", ["signal", "key"])
def test_a_command_that_is_interrupted(loop: Path, how: str) -> None:
    out = loop.with_name("out.npz")
    code, text, screen = on_a_terminal(loop, "-o", str(out), interrupt=how)
    assert code == 130 and STAGE in text
    (row,) = shown(screen)
    assert row.removeprefix("^C" if how == "key" else "") == "error: interrupted"
    assert list(loop.parent.iterdir()) == [loop], "nothing half-written is left"
    assert not screen.cursor.hidden


def test_a_command_that_ends(loop: Path) -> None:
    graph, _ = looped(500_000, [None], lambda g, i, x: [g.Sin(x)])
    graphgrad.save(graph, loop)
    code, text, screen = on_a_terminal(loop)
    assert code == 0 and STAGE in text
    (row,) = shown(screen)
    assert row.startswith("StatelessWhile:1  float32 []")
    assert not screen.cursor.hidden
