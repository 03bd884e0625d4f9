"""Running a plan: its steps over its slots, with feeds checked, failures named, dead arrays let go at once.

A run never changes the plan; state lives in the variables and generators the plan was bound to.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from graphgrad import dtypes
from graphgrad.errors import ArgumentError, EvaluationError, GraphGradError
from graphgrad.formats import arrays
from graphgrad.graph import IndexedSlices, Operation, Tensor
from graphgrad.runtime import binding
from graphgrad.shapes import dims


class Step:
    """One call: a bound kernel, the slots it reads and writes, and those that die with it."""

    __slots__ = ("frees", "inputs", "nested", "op", "outputs", "run")

    def __init__(self, op: Operation, run: binding.Kernel, inputs: list[int], outputs: list[int], nested: bool):
        self.op, self.run, self.inputs, self.outputs, self.nested = op, run, inputs, outputs, nested
        self.frees: list[int] = []


class FeedSpec:
    """What a fed tensor accepts."""

    __slots__ = ("shape", "slot", "tensor")

    def __init__(self, tensor: Tensor, slot: int):
        self.tensor, self.slot, self.shape = tensor, slot, tensor.shape

    def check(self, value: Any) -> np.ndarray[Any, Any]:
        """The value as an array of the tensor's dtype. Raises ArgumentError where dtype or shape do not fit."""
        name, dtype = self.tensor.name, self.tensor.dtype
        array = np.asarray(value)
        if dtype is not None:
            array = _cast_feed(array, dtype, name)
        if self.shape is not None and not dims.compatible(array.shape, self.shape):
            raise ArgumentError(
                f"feed {name!r} has shape {list(array.shape)}, and the graph wants {dims.show(self.shape)}"
            )
        return array


def _cast_feed(array: np.ndarray[Any, Any], dtype: dtypes.DType, name: str) -> np.ndarray[Any, Any]:
    target = arrays.numpy_dtype(dtype)
    if array.dtype == target:
        return array
    if target.kind == "O" and array.dtype.kind in "SU":
        return arrays.strings(array)
    widens = {"f": "fc", "i": "iufcV", "u": "iufcV", "b": "b", "c": "c"}.get(array.dtype.kind, "")
    fits = target.kind in widens or (array.dtype.kind == "f" and dtype.is_floating) or array.size == 0
    if not fits:
        raise ArgumentError(f"feed {name!r} is {array.dtype}, and the graph wants {dtype}")
    cast = array.astype(target)
    if array.dtype.kind in "iu" and target.kind in "iu" and not np.array_equal(cast, array):
        raise ArgumentError(f"feed {name!r} holds numbers that do not fit {dtype}")
    return cast


class Plan:
    """A compiled graph. `run` may be called any number of times."""

    def __init__(
        self,
        steps: list[Step],
        initial: list[Any],
        feeds: list[FeedSpec],
        fetches: list[Tensor | IndexedSlices | Operation],
        slots: dict[Tensor, int],
    ):
        self.steps, self._initial, self._feeds, self._fetches, self._slots = steps, initial, feeds, fetches, slots

    def run(self, feeds: Mapping[Any, Any] | None = None) -> list[Any]:
        """One evaluation: a numpy array per fetched tensor, IndexedSlices of arrays, None for an operation.

        Feeds are given by tensor or by name ('x' or 'x:0'). Raises ValueError for a feed that is missing, unknown or
        does not fit, RuntimeError where a kernel fails, naming its node.
        """
        slots = self._initial.copy()
        self._feed(slots, feeds or {})
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for step in self.steps:
                self._take(step, slots)
        return [self._result(fetch, slots) for fetch in self._fetches]

    def _take(self, step: Step, slots: list[Any]) -> None:
        try:
            result = step.run(*[slots[i] for i in step.inputs])
        except (GraphGradError, KeyboardInterrupt):
            raise
        except Exception as error:
            raise EvaluationError(_failure(step, slots, error)) from error
        outputs = step.outputs
        if len(outputs) == 1 and not isinstance(result, (list, tuple)):
            if outputs[0] >= 0:
                slots[outputs[0]] = binding.as_array(result)
        elif outputs:
            for slot, value in zip(outputs, binding.flatten(result) if step.nested else result, strict=True):
                if slot >= 0:
                    slots[slot] = binding.as_array(value)
        for slot in step.frees:
            slots[slot] = None

    def _feed(self, slots: list[Any], feeds: Mapping[Any, Any]) -> None:
        by_name = {(k.name if isinstance(k, Tensor) else k if ":" in k else f"{k}:0"): v for k, v in feeds.items()}
        for spec in self._feeds:
            name = spec.tensor.name
            if name not in by_name:
                raise ArgumentError(f"feed {name!r} is missing: the plan was compiled for it")
            slots[spec.slot] = spec.check(by_name.pop(name))
        if by_name:
            raise ArgumentError(f"{next(iter(by_name))!r} is fed, and the plan was not compiled for it")

    def _result(self, fetch: Tensor | IndexedSlices | Operation, slots: list[Any]) -> Any:
        if isinstance(fetch, Operation):
            return None
        if isinstance(fetch, IndexedSlices):
            shape = fetch.dense_shape
            return IndexedSlices(
                self._value(fetch.values, slots),
                self._value(fetch.indices, slots),
                None if shape is None else self._value(shape, slots),
            )
        return self._value(fetch, slots)

    def _value(self, tensor: Tensor, slots: list[Any]) -> Any:
        value = slots[self._slots[tensor]]
        if not isinstance(value, np.ndarray):
            raise EvaluationError(
                f"{tensor.name!r} is a {tensor.dtype} and holds no numbers: fetch what is read from it"
            )
        return value


def _failure(step: Step, slots: list[Any], error: Exception) -> str:
    inputs = ", ".join(_describe(slots[i]) for i in step.inputs)
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    return f"{step.op.type} node {step.op.name!r} failed on ({inputs}): {reason}"


def _describe(value: Any) -> str:
    return f"{value.dtype} {list(value.shape)}" if isinstance(value, np.ndarray) else type(value).__name__
