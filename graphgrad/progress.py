"""What goes on and how far it has come, for whoever shows it: nobody does unless there is a `watcher`."""

from __future__ import annotations

from typing import Any, Protocol


class Watcher(Protocol):
    """Is told when a stage begins and ends; stages end in the order opposite to that in which they begin."""

    def entered(self, stage: Stage) -> None: ...

    def left(self) -> None: ...


watcher: Watcher | None = None


class Stage:
    """Some work, to be gone through with `with`; whoever does it counts in `done`, up to `total` where that is known. It `tells`
    enough where nobody needs to know of the stages inside of it."""

    __slots__ = ("done", "tells", "total", "what")

    def __init__(self, what: str, total: int | None = None, tells: bool = False):
        self.what, self.total, self.tells, self.done = what, total, tells, 0

    def __enter__(self) -> Stage:
        if watcher is not None:
            watcher.entered(self)
        return self

    def __exit__(self, *_: Any) -> None:
        if watcher is not None:
            watcher.left()
