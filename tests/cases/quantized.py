"""Quantized operations: integers that stand for numbers of a range, between casts of bits, since they cannot be fed."""

from typing import Any

import numpy as np

from graphgrad import dtypes, opdefs
from tests.cases import case, const, f32, given

PLAIN = {"qint8": "int8", "quint8": "uint8", "qint32": "int32", "qint16": "int16", "quint16": "uint16"}
NAMES = {plain: name for name, plain in PLAIN.items()}
Q = {name: dtypes.by_name(name) for name in PLAIN}


def _quanta(name: str, *shape: int) -> Any:
    """Integers all over a type; those of 32 bits as sums of products are."""
    info = np.iinfo(PLAIN[name])
    low, high = (-90000, 90000) if name == "qint32" else (info.min, info.max)
    return given(np.random.default_rng(5).integers(low, high, shape, endpoint=True), dtype=PLAIN[name])


def _range(low: float, high: float) -> list[Any]:
    return [given(low), given(high)]


def _between_casts(op_type: str) -> Any:
    signature = opdefs.signature(op_type)

    def quantum(arg: Any, item: Any) -> Any:
        return (arg.type_attr or arg.dtype) and not arg.name.startswith(("shape", "axis", "concat_dim", "size"))

    def graph(g: Any, *inputs: Any, **attrs: Any) -> list[Any]:
        def cast(item: Any) -> Any:
            if isinstance(item, list):
                return [cast(one) for one in item]
            name = NAMES.get(item.dtype.name)
            return g.Bitcast(item, type=Q[name]) if name else item

        given_ = [
            cast(item) if quantum(arg, item) else item for arg, item in zip(signature.inputs, inputs, strict=True)
        ]
        outputs = g.op(op_type, *given_, name="op", **attrs).outputs
        return [g.Bitcast(t, type=dtypes.by_name(PLAIN[t.dtype.name])) if t.dtype.name in PLAIN else t for t in outputs]

    return graph


def _case(op: str, *inputs: Any, label: str = "", **attrs: Any) -> Any:
    return case(op, *inputs, label=label or "plain", graph=_between_casts(op), smooth=False, **attrs)


_UP, _WIDE = _range(-1.5, 2.0), _range(-0.3, 6.5)
_U8, _I32 = _quanta("quint8", 2, 5, 6, 3), _quanta("qint32", 3, 4)
_WINDOW = {"ksize": [1, 2, 3, 1], "strides": [1, 2, 2, 1]}

CASES = [
    *[
        _case("QuantizeV2", f32(4, 5, low=-2, high=3), *_UP, label=f"{mode},{name}", mode=mode, T=Q[name])
        for mode in ("MIN_COMBINED", "MIN_FIRST", "SCALED")
        for name in ("quint8", "qint8")
    ],
    _case(
        "QuantizeV2",
        *(f32(2, 3), given([-1.0, -2.0, 0.0]), given([1.0, 3.0, 0.5])),
        label="slices",
        mode="SCALED",
        axis=1,
        T=Q["qint8"],
        narrow_range=True,
    ),
    *[
        _case("Dequantize", _quanta(name, 4, 5), *_UP, label=f"{mode},{name}", mode=mode)
        for mode in ("MIN_COMBINED", "MIN_FIRST", "SCALED")
        for name in ("quint8", "qint8")
    ],
    _case("RequantizationRange", _I32, *_UP),
    *[
        _case("Requantize", _I32, *_UP, *_range(-0.5, 0.9), label=name, out_type=Q[name])
        for name in ("quint8", "qint8")
    ],
    _case("QuantizeDownAndShrinkRange", _I32, *_UP, out_type=Q["quint8"]),
    _case("QuantizedRelu", _U8, *_UP, out_type=Q["quint8"]),
    _case("QuantizedRelu6", _U8, *_WIDE, out_type=Q["quint8"]),
    _case("QuantizedAdd", _quanta("quint8", 3, 4), _quanta("quint8", 4), *_UP, *_WIDE),
    _case("QuantizedMul", _quanta("quint8", 3, 4), _quanta("quint8", 4), *_UP, *_WIDE),
    _case("QuantizedBiasAdd", _U8, _quanta("quint8", 3), *_UP, *_WIDE, out_type=Q["qint32"]),
    _case("QuantizedMatMul", _quanta("quint8", 4, 3), _quanta("quint8", 4, 2), *_UP, *_WIDE, transpose_a=True),
    *[
        _case(
            "QuantizedConv2D",
            *(_U8, _quanta("quint8", 2, 3, 3, 4), *_UP, *_WIDE),
            label=padding,
            strides=[1, 2, 2, 1],
            padding=padding,
        )
        for padding in ("SAME", "VALID")
    ],
    _case("QuantizedMaxPool", _U8, *_UP, padding="VALID", **_WINDOW),
    _case("QuantizedAvgPool", _U8, *_UP, padding="SAME", **_WINDOW),
    _case("QuantizedReshape", _U8, const([10, -1]), *_UP),
    _case(
        "QuantizedConcat",
        *(const(0), [_quanta("quint8", 2, 3), _quanta("quint8", 1, 3)], [_UP[0], _WIDE[0]], [_UP[1], _WIDE[1]]),
    ),
]
