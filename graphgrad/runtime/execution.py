"""Running a plan: its steps over its slots, with feeds checked, failures named, dead arrays let go at once.

A run never changes the plan; state lives in the variables and generators the plan was bound to.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from graphgrad import dtypes
from graphgrad.depth import with_room
from graphgrad.errors import ArgumentError, EvaluationError, lacking_variables
from graphgrad.formats import arrays, restored
from graphgrad.graph import Operation
from graphgrad.kernels._state import Uninitialised
from graphgrad.kernels._threads import at_most
from graphgrad.progress import Stage
from graphgrad.runtime.footprint import Footprint, Footprints
from graphgrad.runtime.functions import Functions
from graphgrad.runtime.program import Program, build
from graphgrad.runtime.record import Record
from graphgrad.runtime.steps import Step, take
from graphgrad.shapes import dims
from graphgrad.tensors import IndexedSlices, Tensor

Shapes = tuple[tuple[int, ...], ...]
MOST_PROGRAMS = 8  # kept by a plan; the first made is the first to go


class Watcher(Protocol):
    """What looks on as a plan runs step by step: a profile, a record, a search for NaN."""

    def note(self, at: int, step: Step, slots: list[Any]) -> None:
        """Called after each step, before what dies with it is let go."""


class FeedSpec:
    """What a fed tensor accepts."""

    __slots__ = ("_last", "shape", "slot", "tensor")

    def __init__(self, tensor: Tensor, slot: int):
        self.tensor, self.slot, self.shape = tensor, slot, tensor.shape
        self._last: Any = None  # dtype and shape of an array that was right as it was

    def check(self, value: Any) -> np.ndarray[Any, Any]:
        """The value as an array of the tensor's dtype. Raises ArgumentError where dtype or shape do not fit."""
        if value.__class__ is np.ndarray and self._last == (value.dtype, value.shape):
            return value  # type: ignore[no-any-return]
        name, dtype = self.tensor.name, self.tensor.dtype
        try:
            array = np.asarray(value)
        except ValueError as error:
            raise ArgumentError(f"feed {name!r} is no array: {error}") from None
        if dtype is not None:
            array = _cast_feed(array, dtype, name)
        if self.shape is not None and not dims.compatible(array.shape, self.shape):
            raise ArgumentError(
                f"feed {name!r} has shape {list(array.shape)}, and the graph wants {dims.show(self.shape)}"
            )
        if array is value:
            self._last = array.dtype, array.shape
        return array


def parts_of(item: Tensor | IndexedSlices) -> list[Tensor]:
    """A tensor, or the tensors IndexedSlices consist of."""
    parts = (item,) if isinstance(item, Tensor) else (item.values, item.indices, item.dense_shape)
    return [part for part in parts if part is not None]


def _full_name(key: Tensor | str) -> str:
    return key.name if isinstance(key, Tensor) else key if ":" in key else f"{key}:0"


def _by_parts(key: IndexedSlices, value: Any) -> dict[str, Any]:
    """IndexedSlices of arrays, or a tuple of them, as one feed per part."""
    named = tuple(getattr(value, part, None) for part in ("values", "indices", "dense_shape"))
    given = [array for array in (value if isinstance(value, tuple) else named) if array is not None]
    parts = parts_of(key)
    if len(given) != len(parts):
        raise ArgumentError(
            f"feed {key.name!r} is IndexedSlices of {len(parts)} parts: values, indices and dense shape"
        )
    return {part.name: array for part, array in zip(parts, given, strict=True)}


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
    """A compiled graph. `run` may be called any number of times.

    The second run with feeds of the same shapes is watched, and from the third on a program made for these shapes runs.
    """

    def __init__(
        self,
        steps: list[Step],
        initial: list[Any],
        feeds: list[FeedSpec],
        fetches: list[Tensor | IndexedSlices | Operation],
        slots: dict[Tensor, int],
        functions: Functions,
        threads: int = 1,
        depth: int = 0,
    ):
        self.depth = depth  # how many functions and loops run inside each other
        self.steps, self.initial, self.feeds, self._fetches, self._slots = steps, initial, feeds, fetches, slots
        self._functions = functions
        self._fed = [spec.slot for spec in feeds]
        self._places = dict.fromkeys(slots.values())  # where the fetched values are
        self._threads = threads
        self._programs: dict[Shapes, Program | None] = {}  # None: seen once
        self._is_running = threading.Lock()  # a program's arrays serve one run at a time

    def run(self, feeds: Mapping[Any, Any] | None = None, profile: Watcher | None = None) -> list[Any]:
        """One evaluation: a numpy array per fetched tensor, IndexedSlices of arrays, None for an operation.

        A `profile` takes down what each step costs, as steps run one by one.

        Feeds are given by tensor or by name ('x' or 'x:0'). Raises ValueError for a feed that is missing, unknown or
        does not fit, RuntimeError where a kernel fails, naming its node.
        """
        given = self._checked(feeds or {})
        found = with_room(lambda: self.depth, lambda: self._run(given, profile))
        values = dict(zip(self._places, found, strict=True))
        return [self._result(fetch, values) for fetch in self._fetches]

    def _run(self, given: list[Any], profile: Watcher | None) -> list[Any]:
        with at_most(self._threads), np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            warnings.simplefilter("ignore", np.exceptions.ComplexWarning)
            try:
                return self.values(given) if profile is None else self._step_by_step(given, profile)
            except EvaluationError as error:
                if isinstance(error.__cause__, Uninitialised):
                    self._refuse_uninitialised()
                    lacking_variables(error)
                raise

    def _refuse_uninitialised(self) -> None:
        """Raises EvaluationError naming all variables that have no value and get none in a run."""
        assigned = {t.op for step in self.steps for t in step.op.inputs[:1] if "Assign" in step.op.type}
        made = [step for step in self.steps if step.op.type in restored.VARIABLES and not step.inputs]
        variables = [step for step in made if step.op not in assigned]
        names = sorted({v.name for v in (step.run() for step in variables) if v.value is None})
        if len(names) > 1:
            message = (
                f"{len(names)} variables have no value: {', '.join(map(repr, names))}: give them with --variables, "
                "or run what assigns them first with --run-first"
            )
            raise lacking_variables(EvaluationError(message))

    def places_of(self, tensors: Sequence[Tensor]) -> list[int]:
        """Where in `values` each of the fetched tensors is."""
        places = {slot: place for place, slot in enumerate(self._places)}
        return [places[self._slots[tensor]] for tensor in tensors]

    def footprint(self, shapes: Mapping[str, tuple[int, ...]]) -> Footprint:
        """What a run takes at its most, for feeds of these shapes by the name of their tensor ('x' or 'x:0')."""
        named = {name if ":" in name else f"{name}:0": shape for name, shape in shapes.items()}
        fed = {f.tensor: named.get(f.tensor.name, f.shape) for f in self.feeds}
        reckoned = Footprints(self._functions)
        return with_room(lambda: self.depth, lambda: reckoned.of_plan(self.steps, self.initial, fed))

    def peak_bytes(self, shapes: Mapping[str, tuple[int, ...]]) -> int:
        """The bytes of `footprint`."""
        return self.footprint(shapes).bytes

    @property
    def is_stateless(self) -> bool:
        """Whether every run with the same feeds gives the same, and leaves nothing behind."""
        return all(step.is_plain for step in self.steps)

    def values(self, feeds: list[Any]) -> list[Any]:
        """The values of the fetched tensors, each once, for values of the fed ones, taken as they are."""
        if not all(isinstance(value, np.ndarray) for value in feeds) or not self._is_running.acquire(blocking=False):
            return self._step_by_step(feeds)
        try:
            return self._by_shapes(feeds)
        finally:
            self._is_running.release()

    def _by_shapes(self, feeds: list[Any]) -> list[Any]:
        shapes = tuple([value.shape for value in feeds])
        program = self._programs.get(shapes)
        if program is not None:
            return program.run(feeds)
        if shapes not in self._programs:
            if len(self._programs) == MOST_PROGRAMS:
                self._programs.pop(next(iter(self._programs)))
            self._programs[shapes] = None
            return self._step_by_step(feeds)
        watched = Record(self.initial, self._fed)
        for slot, value in zip(self._fed, feeds, strict=True):
            watched.note_fed(slot, value)
        values = self._step_by_step(feeds, watched)
        self._programs[shapes] = build(
            self.steps, watched, self._fed, list(self._places), len(self.initial), self._threads
        )
        return values

    def _step_by_step(self, feeds: list[Any], watched: Watcher | None = None) -> list[Any]:
        slots = self.initial.copy()
        for slot, value in zip(self._fed, feeds, strict=True):
            slots[slot] = value
        with Stage("evaluating", len(self.steps)) as stage:
            for at, step in enumerate(self.steps):
                stage.done = at
                take(step, slots)
                if watched is not None:
                    watched.note(at, step, slots)
                for slot in step.frees:
                    slots[slot] = None
        return [slots[slot] for slot in self._places]

    def _checked(self, feeds: Mapping[Any, Any]) -> list[Any]:
        by_name: dict[str, Any] = {}
        for key, value in feeds.items():
            by_name |= _by_parts(key, value) if isinstance(key, IndexedSlices) else {_full_name(key): value}
        values = []
        for spec in self.feeds:
            name = spec.tensor.name
            if name not in by_name:
                raise ArgumentError(f"feed {name!r} is missing: the plan was compiled for it")
            values.append(spec.check(by_name.pop(name)))
        if by_name:
            raise ArgumentError(f"{next(iter(by_name))!r} is fed, and the plan was not compiled for it")
        return values

    def _result(self, fetch: Tensor | IndexedSlices | Operation, values: Mapping[int, Any]) -> Any:
        if isinstance(fetch, Operation):
            return None
        if isinstance(fetch, IndexedSlices):
            shape = fetch.dense_shape
            return IndexedSlices(
                self._value(fetch.values, values),
                self._value(fetch.indices, values),
                None if shape is None else self._value(shape, values),
            )
        return self._value(fetch, values)

    def _value(self, tensor: Tensor, values: Mapping[int, Any]) -> Any:
        value = values[self._slots[tensor]]
        if not isinstance(value, np.ndarray):
            raise EvaluationError(
                f"{tensor.name!r} is a {tensor.dtype} and holds no numbers: fetch what is read from it"
            )
        return value
