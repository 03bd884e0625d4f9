"""Room on Python's stack for functions inside functions: nesting is bounded by memory, not by the recursion limit."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")

USUAL = 16  # levels for which the stack there is will do
FRAMES, BYTES = 64, 1 << 17  # of Python's and of the machine's stack, that a level takes at most


_local = threading.local()


def with_room(levels: Callable[[], int], work: Callable[[], T]) -> T:
    """Calls `work`, on a stack of its own where many levels of functions call each other; inside of another such call
    on the stack there is.
    """
    if getattr(_local, "has_room", False):
        return work()
    _local.has_room = True
    try:
        count = levels()
        return work() if count <= USUAL else _on_a_stack(count, work)
    finally:
        _local.has_room = False


def _on_a_stack(levels: int, work: Callable[[], T]) -> T:
    found: dict[str, Any] = {}

    def run() -> None:
        _local.has_room = True
        try:
            found["result"] = work()
        except BaseException as error:
            found["error"] = error

    limit, size = sys.getrecursionlimit(), threading.stack_size((levels + USUAL) * BYTES)
    sys.setrecursionlimit(limit + levels * FRAMES)
    try:
        thread = threading.Thread(target=run, name="graphgrad-deep", daemon=True)
        thread.start()
        threading.stack_size(size)
        thread.join()
    finally:
        threading.stack_size(size)
        sys.setrecursionlimit(limit)
    if "error" in found:
        raise found["error"]
    return found["result"]  # type: ignore[no-any-return]
