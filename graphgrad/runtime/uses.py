"""Which step of a loop makes what is in a slot, and how often the loop reads it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from graphgrad.runtime.steps import Step


class Uses(NamedTuple):
    """The steps of a loop's body by the slots they fill, and the number of readers of each slot."""

    makers: dict[int, Step]
    readers: Counter[int]


def uses(
    body: Sequence[Step], others: Iterable[Step], changing: Sequence[tuple[int, int]], used: Iterable[int]
) -> Uses:
    """Of a body, whose variables are given as slots (now, following).

    `others` are the loop's other steps, `used` the slots that it reads beside its steps.
    """
    readers = Counter(i for step in (*body, *others) for i in step.inputs)
    readers.update(following for _, following in changing)
    readers.update(used)
    return Uses({slot: step for step in body for slot in step.outputs}, readers)
