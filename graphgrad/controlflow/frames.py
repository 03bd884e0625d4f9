"""The frames of loops in a flat graph, read off the nodes alone: who enters where, what runs in which loop.

An operation runs in the deepest frame that one of its inputs runs in; Enter goes one frame down, Exit one up.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping

from graphgrad.errors import ModelError
from graphgrad.graph import Operation
from graphgrad.shapes._loops import BACK_EDGES, back_edge

__all__ = [
    "BACK_EDGES",
    "ENTERS",
    "EXITS",
    "MERGES",
    "SWITCHES",
    "Frame",
    "back_edge",
    "frames_of",
    "producers",
    "producers_first",
]

ENTERS = frozenset(["Enter", "RefEnter"])
EXITS = frozenset(["Exit", "RefExit"])
MERGES = frozenset(["Merge", "RefMerge"])
SWITCHES = frozenset(["Switch", "RefSwitch"])


class Frame:
    """One loop. Its operations are kept in the order in which the graph holds them, but for nested frames'."""

    __slots__ = ("depth", "name", "operations", "parent")

    def __init__(self, name: str, parent: Frame | None):
        self.name, self.parent = name, parent
        self.depth: int = parent.depth + 1 if parent is not None else 1
        self.operations: list[Operation] = []

    def of_type(self, op_types: frozenset[str]) -> list[Operation]:
        """The frame's own operations of these types."""
        return [op for op in self.operations if op.type in op_types]

    @property
    def condition(self) -> Operation:
        """The loop's LoopCond. Raises ModelError where there is not exactly one."""
        found = [op for op in self.operations if op.type == "LoopCond"]
        if len(found) == 1:
            return found[0]
        count = f"{len(found)} LoopCond nodes" if found else "no LoopCond node"
        raise ModelError(f"the loop of frame {self.name!r} has {count}, and a loop needs one")

    def __repr__(self) -> str:
        return f"<Frame {self.name!r}>"


def producers_first(operations: Iterable[Operation]) -> list[Operation]:
    """The operations in an order in which producers come first; the back edges of loops do not count."""
    waits: dict[Operation, int] = dict.fromkeys(operations, 0)
    consumers: dict[Operation, list[Operation]] = {}
    for op in waits:
        for producer in producers(op):
            if producer in waits:
                waits[op] += 1
                consumers.setdefault(producer, []).append(op)
    ready = deque(op for op, count in waits.items() if not count)
    order = []
    while ready:
        op = ready.popleft()
        order.append(op)
        for consumer in consumers.get(op, ()):
            waits[consumer] -= 1
            if not waits[consumer]:
                ready.append(consumer)
    return order


def producers(op: Operation) -> list[Operation]:
    """What an operation reads or waits for; the back edges of loops do not count."""
    found = [t.op for t in op.inputs] + op.control_inputs
    return [p for p in found if p.type not in BACK_EDGES] if op.type in MERGES else found


def frames_of(operations: Iterable[Operation]) -> dict[Operation, Frame]:
    """The frame of each operation that runs in one. Raises ModelError where an operation would run in two."""
    operations = list(operations)
    frames: dict[Operation, Frame] = {}
    entered: dict[tuple[Frame | None, str], Frame] = {}
    for op in producers_first(operations):
        frame: Frame | None = None
        for producer in producers(op):
            frame = _deeper(frame, frame_after(producer, frames), op)
        if op.type in ENTERS:
            key = frame, op["frame_name"]
            frame = entered.get(key) or entered.setdefault(key, Frame(op["frame_name"], frame))
        if frame is not None:
            frames[op] = frame
        elif op.type in EXITS:
            raise ModelError(f"{op.type} node {op.name!r} leaves a loop that nothing enters")
    for op in operations:
        if op in frames:
            frames[op].operations.append(op)
    return frames


def frame_after(op: Operation, frames: Mapping[Operation, Frame]) -> Frame | None:
    """The frame in which the outputs of an operation are."""
    frame = frames.get(op)
    return frame.parent if frame is not None and op.type in EXITS else frame


def _deeper(a: Frame | None, b: Frame | None, op: Operation) -> Frame | None:
    if a is None or b is None or a is b:
        return a or b
    deep, shallow = (a, b) if a.depth > b.depth else (b, a)
    outer: Frame | None = deep
    while outer is not None and outer is not shallow:
        outer = outer.parent
    if outer is None:
        raise ModelError(
            f"node {op.name!r} ({op.type}) has inputs from two frames, {a.name!r} and {b.name!r}: loops do not fit together"
        )
    return deep
