"""Kernels of the nodes that steer: which of two ways a value takes, and values that pass unchanged.

A value that takes the other way is DEAD; only Switch makes it, only Merge sees it, every other step hands it on.
"""

from __future__ import annotations

import numpy as np

from graphgrad.kernels._checks import lone
from graphgrad.kernels._liveness import DEAD
from graphgrad.registry import kernel


@kernel("Switch", "RefSwitch")
def switch(data, pred):
    if np.size(pred) != 1 or np.ndim(pred):
        raise ValueError(f"the predicate of a Switch must be a scalar, not of shape {list(np.shape(pred))}")
    return (DEAD, data) if pred else (data, DEAD)


@kernel("Merge", "RefMerge")
def merge(inputs):
    """The first input that has a value."""
    for index, value in enumerate(inputs):
        if value is not DEAD:
            return value, np.int32(index)
    return DEAD, DEAD


@kernel("RefSelect")
def select(index, inputs):
    index = lone(index, "the index")
    if not 0 <= index < len(inputs):
        raise ValueError(f"the index {index} is none of the {len(inputs)} inputs")
    return inputs[index]


@kernel("Enter", "RefEnter", "Exit", "RefExit", "NextIteration", "RefNextIteration", "LoopCond")
def handed_on(data):
    return data


@kernel("ControlTrigger")
def control_trigger():
    return []
