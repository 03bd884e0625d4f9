"""What a plan's arrays take at their most, told from static shapes before anything runs.

Counted are constants, feeds and what the steps give, each until its last reader has run; not what a kernel needs while
it runs, and nothing of the insides of loops and called functions.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from graphgrad.graph import Shape, Tensor
from graphgrad.library import is_call
from graphgrad.runtime.steps import Step
from graphgrad.shapes import dims, inference

# Ops whose output shows the memory of their first input.
_VIEWS = frozenset(
    [
        *[
            "Identity",
            "IdentityN",
            "StopGradient",
            "PreventGradient",
            "CheckNumerics",
            "Snapshot",
            "Reshape",
            "Squeeze",
        ],
        *["ExpandDims", "Transpose", "EnsureShape", "Bitcast", "PlaceholderWithDefault"],
    ]
)


class Footprint(NamedTuple):
    """The most bytes that are held at once, by the time of which node, and the nodes of which only a run tells what they
    hold: their shapes are not known, or they call functions."""

    bytes: int
    node: str
    unknown: list[str]


def footprint(steps: Sequence[Step], initial: Sequence[Any], fed: Mapping[Tensor, tuple[int, Shape]]) -> Footprint:
    """The footprint of steps; `fed` says the slot and the shape of each feed."""
    with inference.supposing({t: shape for t, (_, shape) in fed.items()}, [step.op for step in steps]):
        held = _Held()
        for slot, value in enumerate(initial):
            held.take(slot, getattr(value, "nbytes", 0))
        for tensor, (slot, _) in fed.items():
            held.take(slot, _size(tensor) or 0, readers=2)  # the caller keeps it
        most, node, unknown = held.bytes, "", []
        for step in steps:
            if is_call(step.op):
                unknown.append(step.op.name)
            for slot, tensor in zip(step.outputs, step.op.outputs, strict=False):
                if slot < 0:
                    continue
                if step.op.type in _VIEWS:
                    held.show(slot, step.inputs[min(tensor.index, len(step.inputs) - 1)])
                    continue
                size = _size(tensor)
                if size is None:
                    unknown.append(step.op.name)
                held.take(slot, size or 0)
            if held.bytes > most:
                most, node = held.bytes, step.op.name
            for slot in step.frees:
                held.free(slot)
    return Footprint(most, node, list(dict.fromkeys(unknown)))


def _size(tensor: Tensor) -> int | None:
    shape = tensor.shape
    if tensor.dtype is None or tensor.dtype.size is None:
        return 0  # handles; strings are not counted
    return math.prod(shape) * tensor.dtype.size if dims.is_known(shape) else None  # type: ignore[arg-type]


class _Held:
    """The memory that is held; memory that several slots show goes with the last of them."""

    def __init__(self) -> None:
        self.bytes = 0
        self._sizes: dict[int, int] = {}
        self._readers: dict[int, int] = {}
        self._root: dict[int, int] = {}

    def take(self, slot: int, size: int, readers: int = 1) -> None:
        self._sizes[slot], self._readers[slot] = size, readers
        self.bytes += size

    def show(self, slot: int, source: int) -> None:
        root = self._root[slot] = self._root.get(source, source)
        self._readers[root] = self._readers.get(root, 0) + 1

    def free(self, slot: int) -> None:
        root = self._root.get(slot, slot)
        self._readers[root] = self._readers.get(root, 1) - 1
        if not self._readers[root]:
            self.bytes -= self._sizes.get(root, 0)
