"""The search for the labellings that connectionist temporal classification finds likeliest, by beams (Graves 2012, 7.5).

A labelling is a place in a tree; its probability is that of all ways to it that end in a blank, and of those that end in
its label. All probabilities are logarithms.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Iterator
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
NEVER = -np.inf


class Beam:
    """A labelling: the one it continues and the label it adds; what is known of it before a step and after."""

    __slots__ = ("after", "before", "children", "label", "parent")

    def __init__(self, parent: Beam | None = None, label: int = -1):
        self.parent, self.label = parent, label
        self.children: dict[int, Beam] = {}
        self.before = self.after = Ways(NEVER, NEVER)

    @property
    def is_active(self) -> bool:
        return self.after.total > NEVER

    def labels(self, merge_repeated: bool) -> list[int]:
        """The labels from the first to the last."""
        found: list[int] = []
        beam, last = self, -1
        while beam.parent is not None:
            if not merge_repeated or beam.label != last:
                found.append(beam.label)
            beam, last = beam.parent, beam.label
        return found[::-1]


class Ways:
    """The probabilities of a labelling: by ways that end in a blank, in its label, and both together."""

    __slots__ = ("blank", "label", "total")

    def __init__(self, blank: float, label: float):
        self.blank, self.label, self.total = blank, label, added(blank, label)


def added(a: float, b: float) -> float:
    """The logarithm of the sum of two exponentials; of the smaller one only single precision is kept, as in TensorFlow."""
    if a == NEVER or b == NEVER:
        return b if a == NEVER else a
    ratio = np.float32(math.exp(np.float32(-abs(a - b))))
    return max(a, b) + float(np.float32(math.log1p(ratio)))


class Leaves:
    """The likeliest labellings, no more than the width; the least likely goes first."""

    def __init__(self, width: int):
        self.width = width
        self._heap: list[tuple[float, int, Beam]] = []
        self._numbers: Iterator[int] = itertools.count()

    @property
    def bottom(self) -> float:
        """What a labelling must be likelier than to find a place."""
        return self._heap[0][0] if len(self._heap) == self.width else NEVER

    def push(self, beam: Beam) -> None:
        """Takes a labelling in; one that falls out has no probability any more."""
        item = (beam.after.total, next(self._numbers), beam)
        if len(self._heap) < self.width:
            heapq.heappush(self._heap, item)
        else:
            heapq.heapreplace(self._heap, item)[2].after = Ways(NEVER, NEVER)

    def best_first(self) -> list[Beam]:
        """All of them."""
        return [beam for _, _, beam in sorted(self._heap, key=lambda item: (-item[0], item[1]))]


def search(log_y: Array, width: int) -> list[Beam]:
    """The likeliest labellings for steps of logarithms of probabilities, whose last class is the blank; best first."""
    root = Beam()
    root.after = Ways(0.0, NEVER)
    leaves = Leaves(width)
    leaves.push(root)
    for step in log_y:
        leaves = _after(step, leaves)
    return leaves.best_first()


def _after(step: Array, before: Leaves) -> Leaves:
    leaves, branches = Leaves(before.width), before.best_first()
    for beam in branches:
        beam.before = beam.after
    for beam in branches:
        _stay(beam, step)
        leaves.push(beam)
    for beam in branches:
        if beam.before.total > leaves.bottom:
            _grow(beam, step, leaves)
    return leaves


def _stay(beam: Beam, step: Array) -> None:
    """The same labelling by a blank, by its label again, or by its label after the labelling it continues."""
    by_label, parent = NEVER, beam.parent
    if parent is not None:
        by_label = beam.before.label
        if parent.is_active:
            by_label = added(by_label, parent.before.blank if beam.label == parent.label else parent.before.total)
        by_label += float(step[beam.label])
    beam.after = Ways(beam.before.total + float(step[-1]), by_label)


def _grow(beam: Beam, step: Array, leaves: Leaves) -> None:
    """One more label: the same one needs a blank between."""
    scores = step[:-1] + beam.before.total
    if beam.label >= 0:
        scores[beam.label] = step[beam.label] + beam.before.blank
    for label in sorted({*np.flatnonzero(scores > leaves.bottom).tolist(), *beam.children}):
        child = beam.children.get(label) or beam.children.setdefault(label, Beam(beam, label))
        if child.is_active:
            continue
        if scores[label] > leaves.bottom:
            child.after = Ways(NEVER, float(scores[label]))
            leaves.push(child)
        else:
            child.before = Ways(NEVER, NEVER)  # which has fallen out in this step: in TensorFlow it grows no more
