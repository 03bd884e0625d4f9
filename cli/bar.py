"""A progress bar for people: on standard error where that is a terminal, of what takes longer than a second."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console
    from rich.constrain import Constrain
    from rich.live import Live

    from graphgrad.progress import Stage

AFTER = 1.0  # seconds


class Bar:
    """Watches the stages of a command; see `graphgrad.progress`. It is gone when the last of them is."""

    def __init__(self, console: Console | None = None, after: float = AFTER):
        self._console, self._lock = console, threading.Lock()
        self._stages: list[Stage] = []
        self._is_due = False
        self._live: Live | None = None
        self._timer = threading.Timer(after, self._due)
        self._timer.daemon = True

    def __enter__(self) -> Bar:
        from graphgrad import progress

        progress.watcher = self
        self._timer.start()
        return self

    def __exit__(self, *_: Any) -> None:
        from graphgrad import progress

        progress.watcher = None
        self._timer.cancel()
        with self._lock:
            self._stages.clear()
            self._hide()

    def entered(self, stage: Stage) -> None:
        with self._lock:
            self._stages.append(stage)
            self._show()

    def left(self) -> None:
        with self._lock:
            if self._stages:
                self._stages.pop()
            if not self._stages:
                self._hide()

    def _due(self) -> None:
        with self._lock:
            self._is_due = True
            self._show()

    def _show(self) -> None:
        if not self._is_due or not self._stages or self._live is not None:
            return
        from rich.console import Console
        from rich.live import Live

        console = self._console or Console(stderr=True)
        self._live = Live(
            console=console, get_renderable=self._drawn, transient=True, redirect_stdout=False, redirect_stderr=False
        )
        self._live.start(refresh=True)

    def _hide(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _drawn(self) -> Constrain:
        from rich.constrain import Constrain
        from rich.progress_bar import ProgressBar
        from rich.table import Table

        line = Table.grid(padding=(0, 1))
        # A terminal writes ^C behind it when that is typed; on a line of its own it would be taken for the bar's last.
        width = self._live.console.width - len("^C") if self._live is not None else 80
        for stage in [s for s in self._stages if s.tells][:1] or self._stages[-1:]:
            of = f"{stage.done:,}" if stage.total is None else f"{stage.done:,} of {stage.total:,}"
            room = width - len(of) - 2
            long = min(40, max(12, room - len(stage.what)))
            bar = ProgressBar(stage.total, stage.done, width=long, pulse=stage.total is None)
            line.add_row(_cut(stage.what, max(20, room - long)), bar, of if stage.done else "")
        return Constrain(line, width)


def _cut(text: str, most: int) -> str:
    """A long text without its middle: where it stands is told at its end."""
    return text if len(text) <= most else f"{text[: most // 2 - 1]}…{text[-(most - most // 2) :]}"
