"""One step of a plan: a bound kernel, the slots it reads and writes, and those that die with it."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphgrad.errors import EvaluationError, GraphGradError
from graphgrad.graph import Operation
from graphgrad.runtime import binding


class Step:
    """One call. `nested` says that the kernel gives lists inside a tuple.

    A step is plain where its kernel is a function of arrays that keeps none of them; it is element-wise where any
    part of its result follows from the same part of its inputs; `takes_out` says that the kernel can write into an
    array it is given as `out`; a guarded one is not taken where an input has no value.
    """

    __slots__ = (
        *("frees", "inputs", "is_elementwise", "is_guarded", "is_plain", "nested", "op", "outputs", "run"),
        "takes_out",
    )

    def __init__(
        self,
        op: Operation,
        run: binding.Kernel,
        inputs: list[int],
        outputs: list[int],
        nested: bool,
        *,
        is_plain: bool = False,
        is_elementwise: bool = False,
        takes_out: bool = False,
    ):
        self.op, self.run, self.inputs, self.outputs, self.nested = op, run, inputs, outputs, nested
        self.is_plain, self.is_elementwise, self.takes_out = is_plain, is_elementwise, takes_out
        self.is_guarded = False
        self.frees: list[int] = []


def take(step: Step, slots: list[Any]) -> None:
    """Runs a step over the slots. Raises EvaluationError naming its node."""
    try:
        result = step.run(*[slots[i] for i in step.inputs])
    except (GraphGradError, KeyboardInterrupt):
        raise
    except Exception as error:
        raise EvaluationError(failure(step, [slots[i] for i in step.inputs], error)) from error
    if step.is_plain and isinstance(result, np.ndarray) and not result.flags.c_contiguous:
        result = _in_order(result, [slots[i] for i in step.inputs])
    store(step, result, slots)


def _in_order(result: np.ndarray[Any, Any], inputs: list[Any]) -> np.ndarray[Any, Any]:
    """A result in row-major order, as the memory that a program gives it, so that what follows can be shown in the same
    places in every run; a view of an input stays one."""
    return result if any(np.may_share_memory(result, i) for i in inputs) else np.ascontiguousarray(result)


def store(step: Step, result: Any, slots: list[Any]) -> None:
    """Puts what a step gave into its slots."""
    outputs = step.outputs
    if len(outputs) == 1 and not isinstance(result, (list, tuple)):
        if outputs[0] >= 0:
            slots[outputs[0]] = binding.as_array(result)
    elif outputs:
        for slot, value in zip(outputs, binding.flatten(result) if step.nested else result, strict=True):
            if slot >= 0:
                slots[slot] = binding.as_array(value)


def failure(step: Step, inputs: list[Any], error: Exception) -> str:
    """What failed, where, on what, and why, in one line."""
    described = ", ".join(map(_describe, inputs))
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    return f"{step.op.type} node {step.op.name!r} failed on ({described}): {reason}"


def _describe(value: Any) -> str:
    return f"{value.dtype} {list(value.shape)}" if isinstance(value, np.ndarray) else type(value).__name__
