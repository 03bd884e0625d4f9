"""What recipes draw with: dtypes that TensorFlow has a kernel for, shapes, arrays full of corners, attributes.

A *recipe* is a function of a `Drawer` that returns the inputs of one op (arrays, lists of arrays for list arguments),
its attributes and, for ops that work on handles, a program. Everything comes from hypothesis, so a failing draw shrinks to a small one; the numbers inside
arrays come from a seed that hypothesis draws.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import ml_dtypes
import numpy as np
from hypothesis import strategies as st

from graphgrad import dtypes, opdefs
from graphgrad.formats import arrays
from graphgrad.graph import Graph
from graphgrad.tensors import Tensor

Array = np.ndarray[Any, Any]
Shape = tuple[int, ...]

FLOATS = ("float32", "float64", "float16", "bfloat16")
COMPLEX = ("complex64", "complex128")
INTS = ("int32", "int64", "int8", "int16", "uint8", "uint16", "uint32", "uint64")
NUMBERS = (*FLOATS, *COMPLEX, *INTS)
NARROW = ("float8_e5m2", "float8_e4m3fn", "int4", "uint4", "int2", "uint2")
DTYPES = (*NUMBERS, "bool", "string", *NARROW)  # those that graphgrad promises
STRINGS = [b"", b"a", b"bc", b" a b ", b"12", b"-0.5", "\u00e9\u4e2d".encode(), b"A,b;C", b"\xff\x00"]


def numpy_dtype(name: str) -> np.dtype[Any]:
    """The numpy dtype of a dtype's name."""
    return arrays.numpy_dtype(dtypes.by_name(name))


def is_whole(dtype: np.dtype[Any]) -> bool:
    """Whether it is one of the integers, those of a few bits too."""
    return dtype.kind in "iu" or dtype.name in ("int4", "uint4", "int2", "uint2")


def dtypes_of_kernel(
    signature: opdefs.Signature, kernel: Mapping[str, list[str]], fixed: Mapping[str, str]
) -> dict[str, list[str]]:
    """For each type attribute of an op the dtypes that it may have in one of TensorFlow's kernels, those in `fixed` alone."""
    found = {}
    for name, attr in signature.attrs.items():
        if attr.type == "type":
            allowed = [str(d) for d in attr.allowed] if attr.allowed else DTYPES
            wanted = (fixed[name],) if name in fixed else DTYPES
            found[name] = [d for d in wanted if d in allowed and d in kernel.get(name, allowed)]
    return found


def dtypes_drawn(op_type: str, kernels: Sequence[Mapping[str, list[str]]]) -> list[tuple[str, str]]:
    """Each type attribute of an op with each dtype that one of TensorFlow's kernels takes."""
    signature = opdefs.signature(op_type)
    assert signature is not None, op_type
    tables = [dtypes_of_kernel(signature, kernel, {}) for kernel in kernels or [{}]]
    taken = [(name, d) for table in tables if all(table.values()) for name, found in table.items() for d in found]
    return list(dict.fromkeys(taken))


class Drawer:
    """Draws for one op. `types` holds a dtype for each type attribute, such that TensorFlow has a kernel for them all. Of the
    numbers in floating-point arrays, whatever a recipe asks for, a share of `unbounded` is NaN or infinite."""

    def __init__(
        self,
        draw: Callable[[Any], Any],
        op_type: str,
        kernels: Sequence[dict[str, list[str]]],
        fixed: Mapping[str, str] | None = None,
        unbounded: float = 0,
    ):
        self.draw, self.op_type, self.unbounded = draw, op_type, unbounded
        signature = opdefs.signature(op_type)
        assert signature is not None, op_type
        self.signature = signature
        choices = [dtypes_of_kernel(signature, k, fixed or {}) for k in kernels or [{}]]
        usable = [c for c in choices if all(c.values())]
        registered = self.pick(usable) if usable else {name: ["float32"] for name in choices[0]}
        self.types = {name: self.pick(allowed) for name, allowed in registered.items()}

    # ---------------------------------------------------------------- scalars
    def integer(self, low: int, high: int) -> int:
        """An integer from low to high, both included."""
        return self.draw(st.integers(low, high))  # type: ignore[no-any-return]

    def pick(self, choices: Sequence[Any]) -> Any:
        """One of these; the first is the simplest."""
        return self.draw(st.sampled_from(list(choices)))

    def flag(self) -> bool:
        return self.pick([False, True])  # type: ignore[no-any-return]

    def rarely(self) -> bool:
        """True about one time in eight."""
        return self.integer(0, 7) == 7

    def number(self, low: float, high: float) -> float:
        """A float between these, with few digits."""
        return low + (high - low) * self.integer(0, 64) / 64

    # ----------------------------------------------------------------- shapes
    def dim(self, most: int = 5) -> int:
        """A dimension; 0 now and then."""
        return 0 if self.integer(0, 15) == 15 else self.integer(1, most)

    def shape(self, least: int = 0, most: int = 4, largest: int = 4) -> Shape:
        """A shape of a rank from `least` to `most`."""
        return tuple(self.dim(largest) for _ in range(self.integer(least, most)))

    def broadcast_to(self, shape: Shape) -> Shape:
        """A shape that broadcasts against this one."""
        kept = shape[self.integer(0, len(shape)) :]
        return tuple(1 if self.integer(0, 2) == 2 else n for n in kept)

    def broadcasting(self, count: int = 2) -> list[Shape]:
        """Shapes that broadcast against each other."""
        full = self.shape()
        shapes = [full if self.integer(0, 2) < 2 else self.broadcast_to(full) for _ in range(count)]
        return shapes[::-1] if self.flag() else shapes

    def axis(self, rank: int) -> int:
        """An axis of a tensor of that rank, counted from either end."""
        return self.integer(-rank, rank - 1) if rank else 0

    def axes(self, rank: int, least: int = 0) -> list[int]:
        """Different axes, each counted from either end, in any order."""
        chosen = self.draw(st.permutations(range(rank)))[: self.integer(min(least, rank), rank)]
        return [a - rank if self.flag() else a for a in chosen]

    # ----------------------------------------------------------------- arrays
    def dtype(self, attr: str = "T") -> str:
        return self.types[attr]

    def random(self) -> np.random.Generator:
        return np.random.default_rng(self.integer(0, 1 << 32))

    def array(
        self,
        dtype: str,
        shape: Sequence[int],
        low: float = -3,
        high: float = 3,
        corners: bool = True,
        values: Sequence[Any] | None = None,
    ) -> Array:
        """An array between low and high: plain numbers, numbers with ties, or with NaN, infinities and extremes
        among them where `corners` is asked for. `values` are chosen from where they are given."""
        shape, target, random = tuple(shape), numpy_dtype(dtype), self.random()
        kind = self.integer(0, 3 if corners else 2)
        if values is not None or dtype in ("string", "bool"):
            chosen = values if values is not None else STRINGS if dtype == "string" else [False, True]
            table = np.empty(len(chosen), target)
            table[:] = chosen
            found = np.empty(shape, target)
            found[...] = table[random.integers(0, len(table), shape)]
            return found
        if is_whole(target):
            info = ml_dtypes.iinfo(target)  # type: ignore[no-untyped-call]
            low, high = max(low, info.min), min(high, info.max)
            drawn = np.asarray(random.integers(int(np.ceil(low)), int(np.floor(high)) + 1, shape)).astype(target)
            return self._with_corners(drawn, random) if kind == 3 else drawn
        drawn = random.uniform(low, high, shape)
        if target.kind == "c":
            drawn = drawn + 1j * random.uniform(low, high, shape)
        if kind == 2:
            drawn = np.clip(np.rint(drawn.real), low, high) + (1j * np.rint(drawn.imag) if target.kind == "c" else 0)
        drawn = np.asarray(drawn, target)
        if self.unbounded and self.flag():
            return self._with_unbounded(drawn, random)
        return self._with_corners(drawn, random) if kind == 3 else drawn

    def _with_unbounded(self, drawn: Array, random: np.random.Generator) -> Array:
        table = np.array([np.nan, np.inf, -np.inf], drawn.real.dtype)
        parts = drawn.real.copy(), drawn.imag.copy()
        for part in parts:
            part[random.random(part.shape) < self.unbounded] = random.choice(table)
        if drawn.dtype.kind != "c":
            return parts[0]
        found = np.empty_like(drawn)
        found.real, found.imag = parts
        return found

    def _with_corners(self, drawn: Array, random: np.random.Generator) -> Array:
        table = corners_of(drawn.dtype)
        return np.where(random.random(drawn.shape) < 0.4, table[random.integers(0, len(table), drawn.shape)], drawn)

    def given(self, attr_or_dtype: str, values: Any) -> Array:
        """An array of these values; the dtype is a type attribute's or one by name."""
        return np.asarray(values, numpy_dtype(self.types.get(attr_or_dtype, attr_or_dtype)))

    def indices(self, dtype: str, shape: Sequence[int], size: int, wrong: bool = True) -> Array:
        """Indices below `size`; out of range now and then where `wrong`."""
        drawn = self.random().integers(0, max(size, 1), tuple(shape))
        if wrong and drawn.size and self.integer(0, 11) == 11:
            drawn.flat[-1] = self.pick([size, -1])
        return np.asarray(drawn).astype(numpy_dtype(dtype))


def corners_of(dtype: np.dtype[Any]) -> Array:
    """The numbers of a dtype at which functions break."""
    if is_whole(dtype):
        info = ml_dtypes.iinfo(dtype)  # type: ignore[no-untyped-call]
        return np.array([0, 1, info.max, info.min, info.max - 1], dtype)
    if dtype.kind == "c":
        return np.array([0, 1, -1, 1j, -1j, 1 + 1j], dtype)
    return np.array([0.0, -0.0, 1, -1, 0.5, np.inf, -np.inf, np.nan, 2, -2, 100, -100], dtype)


# The outputs that a graph makes of the builder and the inputs, where one op alone can neither be fed nor fetched.
Program = Callable[..., list[Tensor]]
Recipe = Callable[[Drawer], tuple[Any, ...]]

TENSOR_ARRAY_WAYS = ("Close", "Concat", "Gather", "Pack", "Read", "Scatter", "Size", "Split", "Unpack", "Write")

BATCH_OPS = (
    *(
        "Cholesky",
        "CholeskyGrad",
        "MatrixBandPart",
        "MatrixDeterminant",
        "MatrixDiag",
        "MatrixDiagPart",
        "MatrixInverse",
    ),
    *("MatrixSetDiag", "MatrixSolve", "MatrixSolveLs", "MatrixTriangularSolve", "SelfAdjointEigV2", "Svd"),
)

# Ops that TensorFlow has retired, and the last version of a graph that may hold them.
LAST_VERSIONS = {
    "BatchNormWithGlobalNormalization": 8,
    "BatchNormWithGlobalNormalizationGrad": 8,
    "Conv3DBackpropFilter": 9,
    "Conv3DBackpropInput": 9,
    "MatrixExponential": 26,
    "QuantizeAndDequantize": 21,
    "RandomPoisson": 24,
    "StatefulStandardNormal": 28,
    "TopK": 6,
    **{f"Batch{name}": 12 for name in BATCH_OPS},
    **{f"TensorArray{way}": 15 for way in ("", *TENSOR_ARRAY_WAYS)},
    **{f"TensorArray{way}V2": 25 for way in ("", *TENSOR_ARRAY_WAYS)},
}


@dataclasses.dataclass
class Draw:
    """One call of an op: its inputs, its attributes, and what the graph says of each input beforehand: 'const', or a
    shape that may be partly unknown."""

    op_type: str
    inputs: list[Any]
    attrs: dict[str, Any]
    known: list[Any]
    program: Program | None = None
    spoiled: str = ""

    def flat(self) -> list[Array]:
        """The inputs as one list."""
        return [a for item in self.inputs for a in (item if isinstance(item, list) else [item])]

    def build(self, known: Sequence[Any] | None = None) -> tuple[Graph, dict[str, Array], list[Tensor]]:
        """The graph, what to feed, and the op's outputs."""
        graph = Graph()
        graph.message.versions.producer = LAST_VERSIONS.get(self.op_type, 2300)
        g, feeds = graph.build, {}
        told = iter(self.known if known is None else known)
        arguments: list[Any] = []
        for item in self.inputs:
            made = []
            for array in item if isinstance(item, list) else [item]:
                name, what, dtype = f"x{len(graph)}", next(told), arrays.dtype_of(array)
                if isinstance(what, str):
                    made.append(g.op("Const", value=arrays.to_proto(array, dtype), dtype=dtype, name=name).outputs[0])
                else:
                    made.append(g.op("Placeholder", dtype=dtype, shape=what, name=name).outputs[0])
                    feeds[made[-1].name] = array
            arguments.append(made if isinstance(item, list) else made[0])
        if self.program is not None:
            return graph, feeds, self.program(g, *arguments, **self.attrs)
        return graph, feeds, list(g.op(self.op_type, *arguments, name="op", **self.attrs).outputs)

    def __repr__(self) -> str:
        shown = [f"[{', '.join(map(_show, i))}]" if isinstance(i, list) else _show(i) for i in self.inputs]
        attrs = [f"{k}={v!r}" for k, v in self.attrs.items()]
        return f"{self.op_type}({', '.join(shown + attrs)}), known: {self.known}{self.spoiled}"


def _show(array: Array) -> str:
    name = "string" if array.dtype == object else array.dtype.name
    values = array.ravel().tolist()
    return f"{name}{list(array.shape)}={values[:24]}{'...' if array.size > 24 else ''}"


def draw_of(
    draw: Callable[[Any], Any],
    op_type: str,
    recipe: Recipe,
    kernels: Any,
    spoil: bool,
    fixed: Mapping[str, str] | None = None,
    unbounded: float = 0,
) -> Draw:
    """One draw of an op, of the dtypes in `fixed`, a share of `unbounded` NaN or infinite. With `spoil` one in ten has an input whose shape is changed, so that both must
    refuse or agree."""
    d = Drawer(draw, op_type, kernels, fixed, unbounded)
    with np.errstate(all="ignore"):
        inputs, attrs, *program = recipe(d)
    types = {name: dtypes.by_name(dtype) for name, dtype in d.types.items()}
    found = Draw(op_type, inputs, {**types, **attrs}, [], *program)
    if spoil and d.integer(0, 9) == 9 and found.flat():
        _spoil(d, found)
    found.known = [_known(d, array) for array in found.flat()]
    return found


def _known(d: Drawer, array: Array) -> Any:
    """What the graph says of an input: its shape, part of it, nothing, or its value."""
    how = d.integer(0, 5)
    if how == 4:
        return None
    if how == 3:
        return tuple(None if d.flag() else n for n in array.shape)
    if how >= 1 and array.dtype.kind in "iub" and array.size <= 64:
        return "const"
    return array.shape


def _spoil(d: Drawer, found: Draw) -> None:
    """Gives one input another shape."""
    at = d.integer(0, len(found.flat()) - 1)
    old = found.flat()[at]
    way = d.pick(["longer", "deeper", "flat"])
    if way == "longer" and old.ndim and old.shape[0]:
        axis = d.integer(0, old.ndim - 1)
        new = np.concatenate([old, np.take(old, [0], axis) if old.shape[axis] else old], axis)
    elif way == "deeper":
        new = old[None]
    else:
        new = old.ravel()
    found.spoiled = f", input {at} {way}"
    count = -1
    for place, item in enumerate(found.inputs):
        if isinstance(item, list):
            for inner in range(len(item)):
                if (count := count + 1) == at:
                    item[inner] = new
        elif (count := count + 1) == at:
            found.inputs[place] = new
