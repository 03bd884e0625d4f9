"""Where numbers that are not finite come from: a run watched step by step for results worse than what they are made of."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphgrad.runtime.steps import Step


class NotFinite:
    """Watches a run; given to `Plan.run` in the place of a profile. `culprits` are in the order in which they ran."""

    def __init__(self) -> None:
        self.culprits: list[dict[str, str]] = []

    def note(self, at: int, step: Step, slots: list[Any]) -> None:
        """Takes down the step that has just run where its result is not finite and its inputs are."""
        results = [slots[o] for o in step.outputs if o >= 0]
        if all(map(_is_finite, results)) or not all(_is_finite(slots[i]) for i in step.inputs):
            return
        found = "NaN" if any(_has(np.isnan, r) for r in results) else "infinity"
        self.culprits.append({"node": step.op.name, "op": step.op.type, "found": found})


def _has(what: Any, value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.dtype.kind in "fcV" and bool(np.any(what(value)))


def _is_finite(value: Any) -> bool:
    return not _has(lambda v: ~np.isfinite(v), value)
