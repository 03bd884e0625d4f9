"""Test rows: one op, its inputs and attributes. Every row is checked against TensorFlow's stored results, at three
degrees of static knowledge, to second order, and against finite differences.

A row is written `case("MatMul", f32(2, 3), f32(3, 4), transpose_b=True)`; `write_golden` in tests/oracle stores what
TensorFlow makes of it, `tests/gradients/test_cases.py` holds ours against that.
"""

from __future__ import annotations

import dataclasses
import importlib
import pkgutil
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np

from graphgrad import dtypes
from graphgrad.formats import arrays
from graphgrad.graph import Graph
from graphgrad.tensors import Tensor

# Ops that TensorFlow has retired, and the last version of a graph that may hold them.
LAST_VERSIONS = {
    "BatchNormWithGlobalNormalization": 8,
    "MatrixExponential": 26,
    "QuantizeAndDequantize": 21,
    "RandomPoisson": 24,
    "TopK": 6,
    **{f"TensorArray{what}": 15 for what in ("Write", "Read", "Scatter", "Gather", "Split", "Concat")},
    **{f"TensorArray{what}V2": 25 for what in ("Write", "Read", "Scatter", "Gather", "Split", "Concat")},
}
# How much of the placeholders' shapes the graph says: everything, the ranks, nothing.
LEVELS = ("static", "ranks", "nothing")


@dataclasses.dataclass(frozen=True)
class Input:
    """One input tensor: a fed placeholder, or a constant in the graph."""

    dtype: str
    shape: tuple[int, ...]
    low: float = -1.0
    high: float = 1.0
    value: Any = None
    is_const: bool = False

    def array(self, seed: int) -> np.ndarray[Any, Any]:
        """Its value, drawn from the case's seed where the row does not give it."""
        target = np.dtype(object) if self.dtype == "object" else arrays.numpy_dtype(dtypes.by_name(self.dtype))
        if self.value is not None:
            with np.errstate(over="ignore"):  # a number too large for a half type is infinity
                return np.array(self.value, target).reshape(self.shape)
        random = np.random.default_rng(seed)
        drawn = random.uniform(self.low, self.high, self.shape)
        if target.kind == "c":
            drawn = drawn + 1j * random.uniform(self.low, self.high, self.shape)
        if target.kind == "b":
            return drawn > (self.low + self.high) / 2
        return np.floor(drawn).astype(target) if target.kind in "iu" else drawn.astype(target)


def _maker(dtype: str, low: float = -1.0, high: float = 1.0) -> Any:
    def make(*shape: int, low: float = low, high: float = high, value: Any = None) -> Input:
        return Input(dtype, shape, low, high, value)

    return make


f16, bf16, f32, f64 = _maker("float16"), _maker("bfloat16"), _maker("float32"), _maker("float64")
c64, c128 = _maker("complex64"), _maker("complex128")
i8, i32, i64 = _maker("int8", -5, 5), _maker("int32", -5, 5), _maker("int64", -5, 5)
b1 = _maker("bool")


def given(value: Any, dtype: str = "float32") -> Input:
    """A placeholder fed with this value."""
    shape = np.shape(value)
    return Input(dtype, shape, value=value)


def const(value: Any, dtype: str = "int32") -> Input:
    """A constant of the graph."""
    return Input(dtype, np.shape(value), value=value, is_const=True)


def regular(*shape: int, dtype: str = "float32", dominant: float = 3.0) -> Input:
    """Matrices far from singular: random ones, with a number added to the main diagonal."""
    random = np.random.default_rng(7)
    value = random.uniform(-1, 1, shape) + dominant * np.eye(*shape[-2:])
    if dtype.startswith("complex"):
        value = value + 1j * random.uniform(-1, 1, shape)
    return Input(dtype, shape, value=value)


@dataclasses.dataclass(frozen=True)
class Case:
    """A row. `smooth` is False where finite differences mean nothing at some points; `order` 1 leaves out the second;
    `undefined` names values that TensorFlow leaves to chance; `graph` makes the outputs from the inputs where the op
    alone can neither be fed nor fetched."""

    op: str
    inputs: tuple[Any, ...]
    attrs: dict[str, Any]
    label: str
    smooth: bool
    order: int
    levels: tuple[str, ...]
    tolerance: float
    random: bool
    undefined: tuple[str, ...]
    graph: Callable[..., list[Tensor]] | None = None

    @property
    def id(self) -> str:
        return f"{self.op}-{self.label}"

    def scope(self, order: int) -> str:
        """The name of the gradients of an order. TensorFlow wants those of tensor arrays to begin so."""
        return f"gradients{order}" if self.op.startswith("TensorArray") else f"order{order}"

    def flat_inputs(self) -> list[Input]:
        return [i for item in self.inputs for i in (item if isinstance(item, list) else [item])]

    def build(self, level: str = "static", dtype: str | None = None) -> Built:
        """The graph of the case. `dtype` replaces float32 inputs (and complex64 by its double)."""
        graph = Graph()
        graph.message.versions.producer = LAST_VERSIONS.get(self.op, 2300)
        g, feeds, xs = graph.build, {}, []
        seed = zlib.crc32(self.id.encode())
        arguments: list[Any] = []
        for item in self.inputs:
            made = []
            for spec in item if isinstance(item, list) else [item]:
                spec = _widened(spec, dtype)
                tensor = _tensor(g, spec, f"x{len(feeds) + len(graph)}", level, feeds, spec.array(seed + len(graph)))
                made.append(tensor)
                if tensor.name in feeds and tensor.dtype.is_trainable:
                    xs.append(tensor)
            arguments.append(made if isinstance(item, list) else made[0])
        attrs = {k: _attr(v, dtype) for k, v in self.attrs.items()}
        if self.graph is not None:
            outputs = self.graph(g, *arguments, **attrs)
        else:
            outputs = list(g.op(self.op, *arguments, name="op", **attrs).outputs)
        xs += [op.outputs[0] for op in graph if op.type == "VarHandleOp"]
        return Built(graph, feeds, xs, [t for t in outputs if t.dtype.is_trainable], outputs)


@dataclasses.dataclass
class Built:
    """A case as a graph: feeds by name, the xs and ys of its gradients, every output."""

    graph: Graph
    feeds: dict[str, np.ndarray[Any, Any]]
    xs: list[Tensor]
    ys: list[Tensor]
    outputs: list[Tensor]


def _widened(spec: Input, dtype: str | None) -> Input:
    wider = {"float32": dtype, "complex64": "complex128"}.get(spec.dtype) if dtype == "float64" else None
    return dataclasses.replace(spec, dtype=wider) if wider else spec


def _attr(value: Any, dtype: str | None) -> Any:
    if dtype == "float64" and value in (dtypes.float32, dtypes.complex64):
        return dtypes.float64 if value is dtypes.float32 else dtypes.complex128
    return value


def _tensor(g: Any, spec: Input, name: str, level: str, feeds: dict[str, Any], array: np.ndarray[Any, Any]) -> Tensor:
    dtype = dtypes.string if array.dtype == object else arrays.dtype_of(array)
    if spec.is_const:
        return g.op("Const", value=arrays.to_proto(array, dtype), dtype=dtype, name=name).outputs[0]
    shape = {"static": array.shape, "ranks": (None,) * array.ndim, "nothing": None}[level]
    tensor = g.op("Placeholder", dtype=dtype, shape=shape, name=name).outputs[0]
    feeds[tensor.name] = array
    return tensor


def case(
    op: str,
    *inputs: Any,
    label: str = "",
    smooth: bool = True,
    order: int = 2,
    levels: tuple[str, ...] = LEVELS,
    tolerance: float = 1.0,
    random: bool = False,
    undefined: tuple[str, ...] = (),
    graph: Callable[..., list[Tensor]] | None = None,
    **attrs: Any,
) -> Case:
    """A row. A list among the inputs is a list argument; the label tells rows of one op apart and is made up if missing."""
    if not label:
        shown = [_spell(i) for i in inputs] + [f"{k}={v}" for k, v in attrs.items()]
        label = ",".join(shown).replace(" ", "")
    return Case(op, inputs, attrs, label, smooth, order, levels, tolerance, random, undefined, graph)


def _spell(item: Any) -> str:
    if isinstance(item, list):
        return f"[{','.join(map(_spell, item))}]"
    size = "x".join(map(str, item.shape)) or "scalar"
    value = f"={np.array(item.value).ravel().tolist()}" if item.is_const and np.size(item.value) <= 8 else ""
    return f"{item.dtype}:{size}{value}"


def families() -> list[str]:
    """The families that have a table of rows."""
    return sorted(m.name for m in pkgutil.iter_modules(__path__))


def cases_of(family: str) -> list[Case]:
    """The rows of a family, as its module lists them. Raises ValueError where two rows have one id."""
    rows: list[Case] = importlib.import_module(f"tests.cases.{family}").CASES
    ids = [row.id for row in rows]
    if len(set(ids)) < len(ids):
        raise ValueError(f"tests.cases.{family}: rows with the same id: {sorted({i for i in ids if ids.count(i) > 1})}")
    return rows
