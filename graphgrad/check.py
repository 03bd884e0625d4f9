"""Symbolic gradients held against numerical ones: central differences of the sum of ys, in double precision if it can be.

A tensor with few elements is moved along each of them, a large one along random directions, and the more xs there are, the
fewer times each. What a move leaves as it is is computed once. Each step is tried at several sizes; where none agrees and the
slopes from above and from below differ, or slopes do not settle as the step shrinks, the point is a kink and proves nothing.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from graphgrad import dtypes, signatures
from graphgrad.controlflow.frames import ENTERS, MERGES, SWITCHES
from graphgrad.differentiate import differentiate
from graphgrad.errors import ArgumentError, EvaluationError, lacking_variables
from graphgrad.formats import arrays
from graphgrad.graph import Graph, Operation, needed_by
from graphgrad.kernels._state import State
from graphgrad.progress import Stage
from graphgrad.runtime.finite import NotFinite
from graphgrad.runtime.plan import Plan, compile, fills_tables, run_before
from graphgrad.shapes import dims
from graphgrad.tensors import Tensor
from graphgrad.widen import copied, stays_narrow, wide_array, wide_arrays, widened

Array = np.ndarray[Any, Any]

FEW = 64  # elements of a tensor that is moved along each of them
DIRECTIONS = 12  # along which a larger one is moved
PROBES = 600  # of all xs together, about: of many xs each gets fewer, but no fewer than these
LEAST = 4
DRAWN_SIZE = 3  # of an unknown dimension of a feed that is drawn
TOLERANCE = {"float64": 1e-4, "float32": 2e-2, "float16": 0.2, "bfloat16": 0.5}
_NODE_FLOW = ENTERS | SWITCHES | MERGES
AGREES, DISAGREES, KINK, NONE = "agrees", "disagrees", "kink", "none"


@dataclasses.dataclass
class XCheck:
    """What was found for one x: errors are those of the probes (moves along one direction) that are no kinks."""

    x: str
    verdict: str
    probes: int = 0
    kinks: int = 0
    largest_absolute: float = 0.0
    largest_relative: float = 0.0
    worst: dict[str, Any] | None = None  # where the relative error is largest: what was expected and found
    reason: str | None = None  # of a gradient that is None


@dataclasses.dataclass
class Check:
    """The verdict over all xs, with what was assumed on the way."""

    results: list[XCheck]
    dtype: str
    rtol: float
    seed: int
    drawn: dict[str, str]
    note: str | None = None

    def __bool__(self) -> bool:
        """Whether no gradient disagrees."""
        return not any(r.verdict == DISAGREES for r in self.results)

    def as_json(self) -> dict[str, Any]:
        return {"schema": 1, "agree": bool(self), **dataclasses.asdict(self)}


def check(
    graph: Graph,
    ys: Sequence[str],
    xs: Sequence[str],
    feeds: Mapping[str, Any] | None = None,
    *,
    variables: Mapping[str, Array] | None = None,
    run_first: Sequence[str] = (),
    stop_gradients: Sequence[str] = (),
    custom_gradients: str = "error",
    rtol: float | None = None,
    seed: int = 0,
) -> Check:
    """Compares the gradients of ys by xs with differences of ys, at the point the feeds and variables give.

    Args:
        graph: the graph; it is not changed.
        ys, xs: names of tensors, as for `gradients`. A y that is no scalar is weighted with random numbers, which
            `gradients` gets as `grad_ys`: a plain sum hides what cancels in it.
        feeds: values by tensor name; placeholders that are needed and not fed are drawn from `seed`.
        variables, run_first: values of variables, and operations to run before, as in `evaluate`; by default what
            fills the tables of a SavedModel, where ys look something up in one.
        stop_gradients, custom_gradients: as for `differentiate`.
        rtol: the relative error that still agrees; by default what the precision allows (`TOLERANCE`).
        seed: of feeds that are drawn, weights and directions.

    Raises:
        LookupError, ValueError, TypeError: as `gradients` does.
        RuntimeError: the graph cannot be run, or gives something else every time.
    """
    narrow = stays_narrow(graph.tensor(y) for y in ys)
    note = None if narrow is None else f"not in double precision, since {narrow.type} node {narrow.name!r} has none"
    copy = widened(graph) if narrow is None else copied(graph)
    point = _Point(
        copy, ys, dict(feeds or {}), dict(variables or {}), _before(graph, ys, run_first), seed, narrow is None
    )
    seeds = point.seeds()
    found = differentiate(
        list(ys),
        list(xs),
        seeds,
        stop_gradients=list(stop_gradients) or None,
        custom_gradients=custom_gradients,
        graph=copy,
    ).densified()
    present = [g for g in found.gradients if isinstance(g, Tensor)]
    symbolic = dict(zip(present, point.values(present), strict=True))
    dtype = point.precision()
    tolerance = TOLERANCE[dtype] if rtol is None else rtol
    results = []
    most = max(LEAST, min(FEW, PROBES // max(1, len(present))))
    for x, gradient, reason in zip(found.xs, found.gradients, found.reasons, strict=True):
        if gradient is None:
            assert reason is not None
            results.append(XCheck(x.name, NONE, reason=reason.text))
        else:
            assert isinstance(gradient, Tensor)
            where = f", {len(results) + 1} of {len(found.xs)}" if len(found.xs) > 1 else ""
            results.append(_Probing(point, x, symbolic[gradient], tolerance, seed, most).result(where))
    return Check(results, dtype, tolerance, seed, point.drawn, note)


def not_finite(
    graph: Graph,
    ys: Sequence[str],
    xs: Sequence[str],
    feeds: Mapping[str, Any] | None = None,
    *,
    variables: Mapping[str, Array] | None = None,
    run_first: Sequence[str] = (),
    stop_gradients: Sequence[str] = (),
    custom_gradients: str = "error",
    seed: int = 0,
) -> list[dict[str, str]]:
    """The nodes that make NaN or infinities out of finite numbers, of ys and their gradients, in the order they run.

    Arguments and errors are those of `check`; what happens inside a loop counts as the loop's.
    """
    copy = copied(graph)
    point = _Point(copy, ys, dict(feeds or {}), dict(variables or {}), _before(graph, ys, run_first), seed, False)
    found = differentiate(
        list(ys),
        list(xs),
        stop_gradients=list(stop_gradients) or None,
        custom_gradients=custom_gradients,
        graph=copy,
    )
    watcher = NotFinite()
    fetches = [*point.ys, *(g for g in found.gradients if g is not None)]
    compile(copy, fetches, point.feeds, state=point.state({})).run(point.feeds, watcher)
    return watcher.culprits


@dataclasses.dataclass(frozen=True)
class _Before:
    """What is run before ys are, and the files that it may fill tables from, by the tensor that holds the path."""

    operations: Sequence[str]
    files: Mapping[str, str]


def _before(graph: Graph, ys: Sequence[str], run_first: Sequence[str]) -> _Before:
    return _Before(run_first or fills_tables(graph, ys), signatures.assets(graph))


class _Point:
    """Where the graph is differentiated: its feeds and variables, and how ys are evaluated there and beside."""

    def __init__(
        self,
        graph: Graph,
        ys: Sequence[str],
        feeds: dict[str, Any],
        variables: dict[str, Array],
        before: _Before,
        seed: int,
        is_wide: bool,
    ):
        self.graph, self.ys = graph, [graph.tensor(y) for y in ys]
        self.random = np.random.default_rng(seed)
        self.drawn: dict[str, str] = {}
        self.feeds: dict[Tensor, Any] = {graph.tensor(name): np.asarray(v) for name, v in feeds.items()}
        if is_wide:
            self.feeds = {t: wide_array(v) if v.dtype.kind != "O" else v for t, v in self.feeds.items()}
            variables = wide_arrays(variables)
        self._draw_missing(before)
        self._first = State(variables)
        self.variables = self._variables(variables, before)
        self.plan: tuple[tuple[Any, ...], Plan] | None = None  # the last one, and what it is for
        self.is_stateless = False  # whether a plan of ys is, once there has been one
        self.fixed: dict[Tensor, Array] = {}  # what does not change while one x is moved
        self.weights: dict[Tensor, Array] = {}

    def seeds(self) -> list[Tensor | None]:
        """A fed tensor of weights for each y that is no scalar; None, for ones, where it is one."""
        first, again = self.values(self.ys), self.values(self.ys)
        self.is_stateless = self.plan is not None and self.plan[1].is_stateless
        made: list[Tensor | None] = []
        for y, value, same in zip(self.ys, first, again, strict=True):
            if not np.array_equal(value, same, equal_nan=value.dtype.kind in "fc"):
                raise EvaluationError(f"{y.name!r} is another value every time it is computed: seed its random ops")
            if value.dtype.kind not in "fcV":
                made.append(None)
                continue
            if value.ndim == 0 and value.dtype.kind != "c":
                self.weights[y] = np.ones((), value.dtype)
                made.append(None)
                continue
            weights = self.random.uniform(0.5, 1.5, value.shape) * self.random.choice([-1.0, 1.0], value.shape)
            if value.dtype.kind == "c":
                weights = weights + 1j * self.random.uniform(-1, 1, value.shape)
            placed = self.graph.build.Placeholder(dtype=y.dtype, shape=value.shape, name=f"{y.op.name}_weights")
            self.feeds[placed] = self.weights[y] = weights.astype(value.dtype)
            made.append(placed)
        return made

    def precision(self) -> str:
        """The narrowest floating type of a y."""
        kinds = [y.dtype.real_dtype.name for y in self.ys if y.dtype is not None]
        return max((k for k in kinds if k in TOLERANCE), key=lambda k: TOLERANCE[k], default="float64")

    def loss(self, moved: Mapping[Tensor, Array] | None = None, variables: Mapping[str, Array] | None = None) -> float:
        """The weighted sum of ys, with some tensors or variables given other values."""
        total = 0.0
        for y, value in zip(self.ys, self.values(self.ys, moved, variables), strict=True):
            if y in self.weights:
                wide = np.complex128 if value.dtype.kind == "c" else np.float64
                total += float(np.sum(np.conj(self.weights[y].astype(wide)) * value.astype(wide)).real)
        return total

    def values(
        self,
        tensors: Sequence[Tensor],
        moved: Mapping[Tensor, Array] | None = None,
        variables: Mapping[str, Array] | None = None,
    ) -> list[Array]:
        """What tensors are here, or with some tensors or variables given other values."""
        feeds = {**self.feeds, **self.fixed, **(moved or {})}
        key = (*tensors, None, *feeds)
        if self.plan is None or self.plan[0] != key or not self.plan[1].is_stateless:
            self.plan = None  # plans hold memory: the former one is gone before there is another
            self.plan = key, compile(self.graph, list(tensors), feeds, state=self.state(variables or {}))
        return self.plan[1].run(feeds)

    def fix_all_but(self, x: Tensor) -> None:
        """Notes the values of what ys are computed from beside x, as far as they depend on feeds: constants are known to a plan
        as they are. State, and nodes that are skipped or run in rounds, would see the difference: there nothing is noted."""
        operations = needed_by(y.op for y in self.ys)
        if not self.is_stateless or any(op.type in _NODE_FLOW for op in operations):
            return
        consumers: dict[Tensor, list[Operation]] = {}
        for op in operations:
            for tensor in op.inputs:
                consumers.setdefault(tensor, []).append(op)
        moving, varying = _reached([x], consumers), _reached(list(self.feeds), consumers)
        taken = [t for op in operations if op in moving for t in op.inputs]
        taken += [y for y in self.ys if y.op not in moving]
        outside = [t for t in dict.fromkeys(taken) if t is not x and t.op in varying and t.op not in moving]
        plain = [t for t in outside if t.dtype is not None and t.dtype not in (dtypes.resource, dtypes.variant)]
        self.fixed = dict(zip(plain, self.values(plain), strict=True)) if plain else {}

    def state(self, variables: Mapping[str, Array]) -> State:
        """A new state, some variables given other values, with the tables that were filled before."""
        return self._first.beside({**self.variables, **variables})

    def _draw_missing(self, before: _Before) -> None:
        first = [self.graph.operation(name.removeprefix("^")) for name in before.operations]
        for op in needed_by([*(y.op for y in self.ys), *first]):
            tensor = op.outputs[0] if op.type in ("Placeholder", "PlaceholderV2") else None
            if tensor is not None and tensor not in self.feeds and tensor.name not in before.files:
                self.feeds[tensor] = drawn = self._draw(tensor)
                self.drawn[tensor.name] = f"{arrays.dtype_of(drawn)} {list(drawn.shape)}"

    def _draw(self, tensor: Tensor) -> Array:
        if tensor.shape is None:
            raise EvaluationError(f"{tensor.name!r} is of unknown shape and cannot be drawn: give it with --feed")
        shape = tuple(DRAWN_SIZE if d is None else d for d in tensor.shape)
        assert tensor.dtype is not None
        dtype = arrays.numpy_dtype(tensor.dtype)
        if tensor.dtype.is_integer or dtype.kind == "b":
            return self.random.integers(0, 2, shape).astype(dtype)
        if tensor.dtype.is_complex:
            return (self.random.normal(size=shape) + 1j * self.random.normal(size=shape)).astype(dtype)
        if tensor.dtype.is_floating:
            return self.random.normal(size=shape).astype(dtype)
        raise EvaluationError(f"{tensor.name!r} ({tensor.dtype}) cannot be drawn: give it with --feed")

    def _variables(self, variables: dict[str, Array], before: _Before) -> dict[str, Array]:
        """Their values once what comes before has run."""
        operations = [name.removeprefix("^") for name in before.operations]
        run_before(self.graph, operations, self.feeds, self._first, files=before.files)
        known = {name: v.value for name, v in self._first.variables.items() if isinstance(v.value, np.ndarray)}
        return {**variables, **known}


def _reached(start: Sequence[Tensor], consumers: Mapping[Tensor, list[Operation]]) -> set[Operation]:
    """The operations that depend on these tensors."""
    reached: set[Operation] = set()
    stack = list(start)
    while stack:
        for op in consumers.get(stack.pop(), ()):
            if op not in reached:
                reached.add(op)
                stack += op.outputs
    return reached


class _Probing:
    """One x moved along directions, the change of ys held against its gradient: `most` of them where x has more elements."""

    def __init__(self, point: _Point, x: Tensor, gradient: Array, rtol: float, seed: int, most: int):
        self.point, self.x, self.rtol, self.most = point, x, rtol, most
        point.fixed = {}
        self.variable = _variable_name(x, point.variables)
        self.at = point.variables[self.variable] if self.variable is not None else point.values([x])[0]
        self.gradient = np.asarray(gradient, np.complex128 if gradient.dtype.kind == "c" else np.float64)
        self.random = np.random.default_rng([seed, 1])
        if self.variable is None:
            point.fix_all_but(x)
        self.base = point.loss({x: self.at} if self.variable is None else None)
        real = arrays.dtype_of(self.at).real_dtype
        self.eps = float(np.finfo(arrays.numpy_dtype(real)).eps) if real.name in ("float32", "float64") else 1e-3
        self.eps = max(self.eps, {"float64": 2.3e-16, "float32": 1.2e-7}.get(point.precision(), 1e-3))
        # Large nets bend close to any point: steps that are small enough to stay on one side exist in double precision.
        self.factors = (1.0, 0.1, 10.0, 0.01) if self.eps < 1e-12 else (1.0, 0.1, 10.0)

    def result(self, where: str) -> XCheck:
        result = XCheck(self.x.name, AGREES)
        if self.gradient.shape != self.at.shape:
            result.verdict = DISAGREES
            result.reason = f"the gradient has shape {list(self.gradient.shape)}, x {list(self.at.shape)}"
            return result
        with np.errstate(all="ignore"):
            directions = self._directions()
            with Stage(f"checking {self.x.name}{where}", len(directions), tells=True) as stage:
                for stage.done, (place, direction) in enumerate(directions):
                    self._probe(place, direction, result)
        if result.verdict == AGREES and result.probes and result.kinks == result.probes:
            result.verdict = KINK
        return result

    def _directions(self) -> list[tuple[Any, Array]]:
        """Moves with the place of each: one per element, or random ones, the gradient's own among them."""
        shape, size = self.at.shape, self.at.size
        parts = (1.0, 1j) if self.at.dtype.kind == "c" else (1.0,)
        if size <= self.most:
            moves = []
            for i in range(size):
                for part in parts:
                    direction = np.zeros(size, type(parts[-1]))
                    direction[i] = part
                    moves.append(([int(k) for k in np.unravel_index(i, shape)], direction.reshape(shape)))
            return moves
        largest = np.max(np.abs(self.gradient))
        along = [("along the gradient", self.gradient / largest)] if largest > 0 and np.isfinite(largest) else []
        for i in range(min(DIRECTIONS, self.most - 1)):
            direction = sum(part * self.random.choice([-1.0, 1.0], shape) for part in parts)
            along.append((f"random direction {i}", direction))
        return along

    def _probe(self, place: Any, direction: Array, result: XCheck) -> None:
        result.probes += 1
        symbolic = float(np.sum(np.conj(self.gradient) * direction).real)
        size = float(np.sqrt(np.mean(np.abs(self.at.astype(self.gradient.dtype)) ** 2))) if self.at.size else 1.0
        best: tuple[float, float, float, float] | None = None
        slopes: list[tuple[float, float, float]] = []  # by step: what was found, and how much of it may be rounding
        for factor in self.factors:
            step = factor * self.eps ** (1 / 3) * (max(size, 0.1) if np.isfinite(size) else 1.0)
            above, below = self._moved(step * direction), self._moved(-step * direction)
            slope = (above - below) / (2 * step)
            error = abs(slope - symbolic)
            noise = 30 * self.eps * max(abs(self.base), abs(above), abs(below)) / step
            scale = max(abs(slope), abs(symbolic), 1e-3 * self._typical(direction))
            slopes.append((step, slope, noise))
            if best is None or not error - noise >= best[0] - best[3]:
                best = error, slope, scale, noise
            if error <= self.rtol * scale + noise:
                break
        else:
            assert best is not None
            step = 0.1 * self.eps ** (1 / 3) * max(size, 0.1)
            if not self._settle(slopes) or self._is_kink(direction, step=step, symbolic=symbolic):
                result.kinks += 1
                return
            result.verdict = DISAGREES
        error, slope, scale, noise = best
        relative = (
            max(0.0, error - noise) / scale if scale and not np.isnan(error) else error
        )  # what rounding cannot be
        if not relative <= result.largest_relative or result.worst is None:
            result.worst = {"at": place, "symbolic": symbolic, "numerical": slope}
        result.largest_relative = max(result.largest_relative, relative, key=_worst_first)
        result.largest_absolute = max(result.largest_absolute, error, key=_worst_first)

    def _typical(self, direction: Array) -> float:
        """The size that a derivative along a direction may be expected to have."""
        return float(np.linalg.norm(self.gradient) * np.linalg.norm(direction) / max(1.0, self.gradient.size**0.5))

    def _settle(self, slopes: list[tuple[float, float, float]]) -> bool:
        """Whether the slopes over the two smallest steps are the same: if not, there are kinks within the smallest one."""
        (_, a, a_noise), (_, b, b_noise) = sorted(slopes)[:2]
        return not abs(a - b) > self.rtol * max(abs(a), abs(b)) + a_noise + b_noise

    def _is_kink(self, direction: Array, step: float, symbolic: float) -> bool:
        """Whether ys bend at this point, and the gradient is that of one side or lies between both."""
        up = (self._moved(step * direction) - self.base) / step
        down = (self.base - self._moved(-step * direction)) / step
        low, high = min(up, down), max(up, down)
        margin = self.rtol * max(abs(low), abs(high))
        return high - low > 10 * margin and low - margin <= symbolic <= high + margin

    def _moved(self, by: Array) -> float:
        moved = (self.at.astype(self.gradient.dtype) + by).astype(self.at.dtype)
        if self.variable is not None:
            return self.point.loss(variables={self.variable: moved})
        return self.point.loss({self.x: moved})


def _worst_first(error: float) -> float:
    return np.inf if np.isnan(error) else error


def _variable_name(x: Tensor, variables: Mapping[str, Array]) -> str | None:
    """The variable an x stands for, None for a plain tensor. Raises ArgumentError for one without a value."""
    signature = x.op.signature
    is_reference = signature is not None and any(arg.is_ref for arg in signature.outputs)
    if x.dtype is not dtypes.resource and not is_reference:
        return None
    for name in (x.op.get("shared_name"), x.op.name):
        if name and name in variables:
            return str(name)
    raise lacking_variables(
        ArgumentError(f"variable {x.op.name!r} has no value {dims.show(x.shape)}: give it with --variables")
    )
