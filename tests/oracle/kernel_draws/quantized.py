"""Recipes of quantized operations. Their types cannot be fed: bits are cast to them and back."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphgrad import dtypes, opdefs
from tests.oracle.kernel_draws.drawing import Drawer, Recipe
from tests.oracle.kernel_draws.windows import Window

Parts = tuple[Any, ...]
PLAIN = {"qint8": "int8", "quint8": "uint8", "qint32": "int32", "qint16": "int16", "quint16": "uint16"}


def program_of(op_type: str, quantum: list[str]) -> Any:
    """The op between casts of bits: `quantum` names the quantized type of each input that has one."""

    def program(g: Any, *inputs: Any, **attrs: Any) -> list[Any]:
        left = iter(quantum)

        def cast(item: Any) -> Any:
            if isinstance(item, list):
                return [cast(one) for one in item]
            name = next(left)
            return g.Bitcast(item, type=dtypes.by_name(name)) if name else item

        wanted = {name: value for name, value in attrs.items() if name in opdefs.signature(op_type).attrs}
        op = g.op(op_type, *map(cast, inputs), name="op", **wanted)
        return [
            g.Bitcast(t, type=dtypes.by_name(PLAIN[t.dtype.name])) if t.dtype.name in PLAIN else t for t in op.outputs
        ]

    return program


def quanta(d: Drawer, name: str, shape: Any) -> Any:
    """Integers of a quantized type: all of them for 8 bits, sums of products for 32."""
    info = np.iinfo(PLAIN[name])
    low, high = (-(1 << 20), 1 << 20) if name == "qint32" and d.flag() else (info.min, info.max)
    return d.random().integers(low, high, shape, PLAIN[name], endpoint=True)


def ends(d: Drawer) -> list[Any]:
    """A range; one around 0 mostly."""
    low, high = d.pick([(-1.0, 1.0), (-3.5, 2.25), (0.0, 6.0), (-0.1, 7.3), (-2.0, -0.5), (0.5, 3.0)])
    return [np.float32(low * d.number(0.5, 2)), np.float32(high * d.number(0.5, 2) + 4 * (high < 0))]


def finished(d: Drawer, inputs: list[Any], quantum: list[str], **attrs: Any) -> Parts:
    kept = {
        name: dtypes.by_name(value) if isinstance(value, str) and value in PLAIN else value
        for name, value in attrs.items()
    }
    d.types.clear()  # the casts say the types
    return inputs, kept, program_of(d.op_type, quantum)


def quantize(d: Drawer) -> Parts:
    mode = d.pick(["MIN_COMBINED", "MIN_FIRST", "SCALED"])
    shape = d.shape(1)
    axis = d.integer(0, len(shape) - 1) if mode == "SCALED" and d.flag() else -1
    ranges = [ends(d) for _ in range(1 if axis < 0 else shape[axis])]
    edges = [np.array([r[i] for r in ranges], np.float32) for i in (0, 1)]
    edges = edges if axis >= 0 else [e[0] for e in edges]
    x = d.array("float32", shape, -5, 8, corners=False)
    kind = d.pick(["qint8", "quint8", "qint16", "quint16", "qint32"])
    how = {"narrow_range": d.flag() and axis < 0, "axis": axis, "round_mode": "HALF_AWAY_FROM_ZERO"}
    return finished(d, [x, *edges], [""] * 3, T=kind, mode=mode, **how)


def dequantize(d: Drawer) -> Parts:
    mode = d.pick(["MIN_COMBINED", "MIN_FIRST", "SCALED"])
    small, shape = ["qint8", "quint8"], d.shape(1)
    kind = d.pick(small if mode == "SCALED" else [*small, "qint16", "quint16", "qint32"])
    how = {"narrow_range": d.flag() and 0 not in shape, "dtype": dtypes.by_name(d.pick(["float32", "bfloat16"]))}
    return finished(d, [quanta(d, kind, shape), *ends(d)], [kind, "", ""], mode=mode, **how)


def unary(d: Drawer) -> Parts:
    kind = "qint32" if "Requant" in d.op_type or "Shrink" in d.op_type else d.pick(["quint8", "qint32"])
    inputs = [quanta(d, kind, d.shape(1)), *ends(d)]
    out = {"out_type": d.pick(["quint8", "qint8"]) if d.op_type == "Requantize" else "quint8"}
    if d.op_type == "RequantizationRange":
        return finished(d, inputs, [kind, "", ""], Tinput=kind)
    if d.op_type == "Requantize":
        low, high = ends(d)
        inputs += [np.minimum(low, np.float32(0)), high]
    elif "Relu" in d.op_type:
        out = {"out_type": kind}
    return finished(d, inputs, [kind] + [""] * (len(inputs) - 1), **out)


def binary(d: Drawer) -> Parts:
    """Scalars, equal shapes, or a vector beside what ends in it."""
    first = tuple(d.integer(1, 5) for _ in range(d.integer(1, 3)))
    second = d.pick([first, (), first[-1:]])
    first, second = (second, first) if d.flag() else (first, second)
    inputs = [quanta(d, "quint8", first), quanta(d, "quint8", second), *ends(d), *ends(d)]
    return finished(d, inputs, ["quint8"] * 2 + [""] * 4, Toutput="qint32")


def bias_add(d: Drawer) -> Parts:
    kind, shape = d.pick(["quint8", "qint8"]), d.shape(2)
    inputs = [quanta(d, kind, shape), quanta(d, kind, shape[-1:]), *ends(d), *ends(d)]
    return finished(d, inputs, [kind, kind] + [""] * 4, out_type="qint32")


def matmul(d: Drawer) -> Parts:
    m, k, n = d.integer(1, 4), d.integer(1, 4), d.integer(1, 4)
    flags = {"transpose_a": d.flag(), "transpose_b": d.flag()}
    a = quanta(d, "quint8", (k, m) if flags["transpose_a"] else (m, k))
    b = quanta(d, "quint8", (n, k) if flags["transpose_b"] else (k, n))
    return finished(d, [a, b, *ends(d), *ends(d)], ["quint8"] * 2 + [""] * 4, Toutput="qint32", **flags)


def conv2d(d: Drawer) -> Parts:
    w = Window(d, 2, formats=False, dilated=False, even=True)
    depth, kind = d.integer(1, 3), "quint8"
    x = quanta(d, "quint8", w.shape(w.size, depth))
    filters = quanta(d, kind, (*w.window, depth, d.integer(1, 3)))
    how = {"strides": w.full(w.strides), "padding": w.padding, "out_type": "qint32"}
    return finished(d, [x, filters, *ends(d), *ends(d)], ["quint8", kind] + [""] * 4, **how)


def pool(d: Drawer) -> Parts:
    w = Window(d, 2, formats=False, dilated=False, even=True)
    x = quanta(d, "quint8", w.shape(w.size, d.integer(1, 3)))
    how = {"ksize": w.full(w.window), "strides": w.full(w.strides), "padding": w.padding}
    return finished(d, [x, *ends(d)], ["quint8", "", ""], **how)


def reshape(d: Drawer) -> Parts:
    kind, shape = d.pick(["quint8", "qint32"]), d.shape()
    new = d.pick([[-1], list(shape), [1, *shape]])
    return finished(d, [quanta(d, kind, shape), np.array(new, np.int32), *ends(d)], [kind, "", "", ""])


def concat(d: Drawer) -> Parts:
    shape, axis = d.shape(1), 0
    axis = d.integer(0, len(shape) - 1)
    count = d.integer(2, 3)
    parts = [quanta(d, "quint8", (*shape[:axis], d.integer(1, 3), *shape[axis + 1 :])) for _ in range(count)]
    ranges = [ends(d) for _ in range(count)]
    lows, highs = [r[0] for r in ranges], [r[1] for r in ranges]
    where, types = np.int32(axis), ["quint8"] * count
    return finished(d, [where, parts, lows, highs], ["", *types, *[""] * 2 * count])


RECIPES: dict[str, Recipe] = {
    "QuantizeV2": quantize,
    "Dequantize": dequantize,
    **dict.fromkeys(
        ["RequantizationRange", "Requantize", "QuantizeDownAndShrinkRange", "QuantizedRelu", "QuantizedRelu6"], unary
    ),
    **dict.fromkeys(["QuantizedAdd", "QuantizedMul"], binary),
    "QuantizedBiasAdd": bias_add,
    "QuantizedMatMul": matmul,
    "QuantizedConv2D": conv2d,
    **dict.fromkeys(["QuantizedMaxPool", "QuantizedAvgPool"], pool),
    "QuantizedReshape": reshape,
    "QuantizedConcat": concat,
}
