"""Random cases: per op type a sketch that draws one use of the op, its attributes, shapes, dtypes and operands.

A sketch is written `@sketch("Sum", "Mean")` above a function of a `Drawer` and the op type; what it draws depends on the
seed, the op type and the number of the draw alone. `check` compares what TensorFlow and graphgrad make of a draw.
"""

from __future__ import annotations

import functools
import importlib
import math
import pkgutil
import zlib
from collections.abc import Callable, Sequence
from typing import Any

import ml_dtypes
import numpy as np

from graphgrad import compile as compile_graph
from graphgrad import dtypes, opdefs
from graphgrad.dtypes import DType
from graphgrad.errors import EvaluationError
from graphgrad.formats import arrays
from graphgrad.graph import Graph
from graphgrad.tensors import Tensor
from tests.oracle.draws.computed import computed
from tests.oracle.kernel_draws.drawing import corners_of

Sketch = Callable[["Drawer", str], Any]
_SKETCHES: dict[str, Sketch] = {}
_CORNERED: set[str] = set()

HALVES, FLOATS, COMPLEX = ("float16", "bfloat16"), ("float32", "float64"), ("complex64", "complex128")
REAL, ALL = (*HALVES, *FLOATS), (*HALVES, *FLOATS, *COMPLEX)


def sketch(*op_types: str, corners: bool = False) -> Callable[[Sketch], Sketch]:
    """Registers the function below as the sketch of these op types; `corners` where NaN, infinities and zeros may be met."""

    def register(function: Sketch) -> Sketch:
        for op_type in op_types:
            if op_type in _SKETCHES:
                raise ValueError(f"{op_type} has two sketches")
            _SKETCHES[op_type] = function
        _CORNERED.update(op_types if corners else ())
        return function

    return register


@functools.cache
def sketches() -> dict[str, Sketch]:
    """Every sketch, by op type."""
    for module in pkgutil.iter_modules(__path__):
        if module.name not in ("check", "__main__"):
            importlib.import_module(f"{__name__}.{module.name}")
    return dict(sorted(_SKETCHES.items()))


def draw(op_type: str, number: int, seed: int = 0) -> Drawer:
    """Draw `number` of an op type."""
    drawer = Drawer(op_type, zlib.crc32(f"{seed}/{op_type}/{number}".encode()))
    if drawer.chance(0.1):
        drawer.g.scope = drawer.pick("inside/", "a/gradients/", "x_1/")
    sketched = sketches()[op_type]
    drawer.corners = op_type in _CORNERED and drawer.chance(0.25)
    drawer.outputs = list(sketched(drawer, op_type))
    surround(drawer)
    drawer.g.scope = ""
    return drawer


class Drawer:
    """Draws one case: `graph` with `feeds`; the gradients may be asked of `xs` and of the trainable `outputs`."""

    def __init__(self, op_type: str, seed: int):
        self.op_type = op_type
        self.rng = np.random.default_rng(seed)
        self.graph = Graph()
        self.graph.message.versions.producer = 2300
        self.g = self.graph.build
        self.feeds: dict[str, np.ndarray[Any, Any]] = {}
        self.variables: dict[str, np.ndarray[Any, Any]] = {}  # values of variables by name
        self.xs: list[Tensor] = []
        self.outputs: list[Tensor] = []
        self.numbers = True  # False where the values are not determined, or TensorFlow cannot run the op on a CPU
        self.undetermined: set[int] = set()  # outputs whose values TensorFlow leaves open
        self.corners = False  # whether NaN, infinities, zeros and ties stand among the values
        self.least_corner: float | None = None  # corners below it are left out, and with any, NaN
        self.vague_seeds = False  # whether a y's gradient is fed with less static shape than the y has
        self._drawn: dict[tuple[Any, ...], Tensor] = {}  # operands by shape, dtype and range, to be met again
        self.level = self.pick("static", "static", "ranks", "ranks", "nothing", "mixed")

    # ------------------------------------------------------------------ choices
    def pick(self, *options: Any) -> Any:
        """One of the options."""
        return options[int(self.rng.integers(len(options)))]

    def chance(self, probability: float) -> bool:
        return bool(self.rng.random() < probability)

    def integer(self, low: int, high: int) -> int:
        """Between low and high, both possible."""
        return int(self.rng.integers(low, high + 1))

    def dims(self, rank: int, low: int = 1, high: int = 4) -> tuple[int, ...]:
        """A shape of this rank, seldom with an empty dimension."""
        shape = [self.integer(low, high) for _ in range(rank)]
        if rank and low <= 1 and self.chance(0.04):
            shape[self.integer(0, rank - 1)] = 0
        return tuple(shape)

    def shape(self, low: int = 0, high: int = 4) -> tuple[int, ...]:
        """A shape of a rank between low and high."""
        return self.dims(self.integer(low, high))

    def broadcastable(self, count: int) -> list[tuple[int, ...]]:
        """Shapes that broadcast to one, often without any need to."""
        whole = self.shape()
        if self.chance(0.35):
            return [whole] * count
        return [self.narrowed(whole) for _ in range(count)]

    def narrowed(self, whole: Sequence[int]) -> tuple[int, ...]:
        """A shape that broadcasts to `whole`."""
        kept = whole[self.integer(0, len(whole)) if self.chance(0.4) else 0 :]
        return tuple(1 if self.chance(0.25) else n for n in kept)

    def axis(self, rank: int) -> int:
        """An axis, counted from either end."""
        axis = self.integer(0, rank - 1)
        return axis - rank if self.chance(0.3) else axis

    def axes(self, rank: int) -> list[int]:
        """Some axes, possibly none, in any order, counted from either end."""
        chosen = self.rng.permutation(rank)[: self.integer(0, rank)]
        return [int(a) - rank if self.chance(0.3) else int(a) for a in chosen]

    def dtype(self, op_type: str, attr: str = "T", among: Sequence[str] = ALL) -> str:
        """A dtype that the op takes, float32 more often than not."""
        signature = opdefs.signature(op_type)
        assert signature is not None, op_type
        allowed = signature.attrs[attr].allowed
        names = [n for n in among if allowed is None or n in {t.name for t in allowed}]
        if "float32" in names and self.chance(0.6):
            return "float32"
        return str(self.pick(*names))

    def know_more(self) -> None:
        """For ops whose gradient TensorFlow refuses where shapes are not static."""
        if self.chance(0.7):
            self.level = "static"

    # ------------------------------------------------------------------ tensors
    def values(self, shape: Sequence[int], dtype: str, low: float, high: float) -> np.ndarray[Any, Any]:
        target = numpy_dtype(dtype)
        if target.kind in "iu":
            return self.rng.integers(math.ceil(low), math.floor(high) + 1, shape).astype(target)
        drawn = self.rng.uniform(low, high, shape)
        if self.chance(0.08):  # ties, and zeros where there may be any
            drawn = np.clip(np.round(drawn), low, high)
        if target.kind == "b":
            return drawn > (low + high) / 2
        drawn = (drawn + 1j * self.rng.uniform(low, high, shape) if target.kind == "c" else drawn).astype(target)
        if not self.corners:
            return drawn
        table = corners_of(target)
        table = table if self.least_corner is None else table[table >= self.least_corner]
        return np.where(self.rng.random(shape) < 0.4, table[self.rng.integers(0, len(table), shape)], drawn)

    def tensor(
        self,
        shape: Sequence[int],
        dtype: str = "float32",
        low: float = -2.0,
        high: float = 2.0,
        value: Any = None,
        rank_known: bool = False,
    ) -> Tensor:
        """A placeholder, of whose shape the graph says more or less; one of the xs where gradients reach it."""
        key = (tuple(shape), dtype, low, high)
        if value is None and key in self._drawn and self.chance(0.06):
            return self._drawn[key]
        fed = self.values(shape, dtype, low, high) if value is None else np.asarray(value, numpy_dtype(dtype))
        if self.chance(0.04):
            return self.g.ReadVariableOp(self.variable(fed, dtype), dtype=dtype_of(dtype))
        name = f"x{len(self.feeds)}"
        tensor = self.g.Placeholder(dtype=dtype_of(dtype), shape=self.known_of(fed.shape, rank_known), name=name)
        self.feeds[tensor.name] = fed
        if tensor.dtype.is_trainable:
            self.xs.append(tensor)
        if value is None:
            self._drawn[key] = tensor
        return tensor

    def variable(self, value: np.ndarray[Any, Any], dtype: str) -> Tensor:
        """The handle of a variable, one of the xs where gradients reach it."""
        name = self.g.scope + f"v{len(self.variables)}"
        self.variables[name] = value
        known = self.known_of(value.shape)
        handle: Tensor = self.g.VarHandleOp(
            dtype=dtype_of(dtype), shape=known, shared_name=name, name=name.split("/")[-1]
        )
        if dtype_of(dtype).is_trainable:
            self.xs.append(handle)
        return handle

    def value(self, x: Tensor) -> np.ndarray[Any, Any]:
        """What `tensor` put into x."""
        return self.feeds[x.name] if x.name in self.feeds else self.variables[x.op.inputs[0].op.name]

    def operand(self, shape: Sequence[int], dtype: str = "float32", low: float = -2.0, high: float = 2.0) -> Tensor:
        """Like `tensor`, and sometimes a constant instead."""
        if self.xs and self.chance(0.12):
            return self.const(self.values(shape, dtype, low, high), dtype)
        return self.tensor(shape, dtype, low, high)

    def known_of(self, shape: Sequence[int], rank_known: bool = False) -> tuple[int | None, ...] | None:
        """What the graph says of a shape."""
        level = self.level
        if level == "mixed":
            level = self.pick("static", "some", "some", "nothing")
        if level == "nothing" and rank_known:
            level = "ranks"
        if level == "some":
            return tuple(None if self.chance(0.5) else n for n in shape)
        return {"static": tuple(shape), "ranks": (None,) * len(shape), "nothing": None}[level]

    def const(self, value: Any, dtype: str = "int32") -> Tensor:
        """A constant of the graph."""
        array = np.asarray(value, numpy_dtype(dtype))
        return self.g.Const(value=arrays.to_proto(array, dtype_of(dtype)), dtype=dtype_of(dtype))

    def index(self, value: Any, dtype: str | None = None, constant: float = 0.6) -> Tensor:
        """An integer operand such as axes, sizes or a permutation: a constant, fed, or computed from either."""
        dtype = dtype or self.pick("int32", "int32", "int64")
        if self.chance(constant):
            return self.const(value, dtype)
        if dtype != "bool" and self.chance(0.5):
            return computed(self, value, dtype)
        fed = np.asarray(value, numpy_dtype(dtype))
        return self.tensor(fed.shape, dtype, value=fed)

    # ------------------------------------------------------------------ ops
    def op(self, op_type: str, *inputs: Any, **attrs: Any) -> list[Tensor]:
        """The outputs of a new operation."""
        return list(self.g.op(op_type, *inputs, **attrs).outputs)

    def ys(self) -> list[Tensor]:
        """The outputs that gradients leave from."""
        return [t for t in self.outputs if t.dtype is not None and t.dtype.is_trainable]


def surround(d: Drawer) -> None:
    """What graphs have around an op: devices, colocation, control inputs, and readers of a few of its rows."""
    if d.chance(0.12):
        _place(d)
    if d.chance(0.15):
        d.outputs = [part for y in d.outputs for part in _rows(d, y)]
    if d.xs and d.chance(0.12):
        d.outputs += _other_readers(d, d.pick(*d.xs))


def _place(d: Drawer) -> None:
    """Puts some of the nodes on a device, beside another node, or behind one."""
    before = d.g.op("NoOp", name="before") if d.chance(0.5) else None
    for op in list(d.graph.operations):
        if op.type in ("Placeholder", "NoOp"):
            continue
        if d.chance(0.3) and op.inputs:
            op.annotate("_class", (f"loc:@{op.inputs[0].op.name}",))
            op.device = op.inputs[0].op.device
        elif d.chance(0.4):
            op.device = d.pick("/device:CPU:0", "/job:localhost/replica:0/task:0/device:CPU:0")
        if before is not None and d.chance(0.5):
            op.control_inputs = [before]


def _rows(d: Drawer, y: Tensor) -> list[Tensor]:
    """The output, rows of it, whose gradient arrives as IndexedSlices, or both."""
    if d.op_type in ("GatherNd", "ResourceGatherNd", "RaggedGather"):  # TensorFlow puts one IndexedSlices into another
        return [y]
    if y.op.type == d.op_type and y.index in d.undetermined:
        return [y]
    value = _value_of(d, y)
    if value is None or not value.ndim or not value.shape[0] or not d.chance(0.8):
        return [y]
    chosen = _gathered(d, y, value.shape[0])
    return [y, *chosen] if d.chance(0.4) else chosen


def _gathered(d: Drawer, y: Tensor, count: int) -> list[Tensor]:
    chosen = []
    for _ in range(d.integer(1, 2)):
        kind = d.pick("int32", "int64")
        rows = d.index(d.rng.integers(0, count, d.dims(d.integer(0, 2), 1, 3)), kind)
        chosen.append(d.g.Gather(y, rows) if d.chance(0.2) else d.g.GatherV2(y, rows, d.const(0)))
    return chosen


def _other_readers(d: Drawer, x: Tensor) -> list[Tensor]:
    """What else is made of an x, so that several gradients of it are summed, of rows or of the whole."""
    fed = d.feeds.get(x.name)
    if fed is None:
        return []
    whole = [d.g.Mul(x, x)] if d.chance(0.5) else []
    return [*whole, *_gathered(d, x, fed.shape[0])] if fed.ndim and fed.shape[0] else whole


def _value_of(d: Drawer, y: Tensor) -> np.ndarray[Any, Any] | None:
    """What the op gives, where its gradient may be asked for in parts."""
    if not d.numbers or y.dtype is None or not y.dtype.is_trainable or y.dtype.name in ("variant", "resource"):
        return None
    try:
        return np.asarray(compile_graph(d.graph, [y], d.feeds, d.variables).run(d.feeds)[0])
    except EvaluationError:
        return None


def numpy_dtype(name: str) -> np.dtype[Any]:
    """The array type of a dtype's name."""
    return np.dtype(ml_dtypes.bfloat16) if name == "bfloat16" else np.dtype(name)


def dtype_of(name: str) -> DType:
    """The dtype of this name."""
    found: DType = dtypes.by_name(name)
    return found
