"""Attribute values between files and Python: AttrValue messages on one side, plain hashable values on the other.

Types are `DType`, shapes tuples with None for an unknown dimension (None for an unknown rank), strings `str` where
they are UTF-8 and `bytes` where not, lists tuples; tensors and functions stay messages.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from graphgrad import dtypes
from graphgrad.schema import graph_pb2

Shape = tuple[int | None, ...] | None


class CallAttrs(dict[str, Any]):
    """All attributes of one kind of call, shared by the nodes that are built by it until one of them is given another."""

    __slots__ = ("prototypes",)

    def __init__(self, attrs: Mapping[str, Any]):
        super().__init__(attrs)
        self.prototypes: dict[str, graph_pb2.NodeDef] = {}  # by device: the nodes' message but for name and inputs


def decode_shape(shape: graph_pb2.TensorShapeProto) -> Shape:
    """A TensorShapeProto as a tuple."""
    if shape.unknown_rank:
        return None
    return tuple(None if d.size < 0 else d.size for d in shape.dim)


def encode_shape(shape: Shape, into: graph_pb2.TensorShapeProto) -> None:
    """Writes a tuple into an empty TensorShapeProto."""
    if shape is None:
        into.unknown_rank = True
        return
    for size in shape:
        into.dim.add().size = -1 if size is None else size


def shown_shape(shape: Shape) -> str:
    """As messages spell it: [2,?], or 'unknown'."""
    return "unknown" if shape is None else "[" + ",".join("?" if d is None else str(d) for d in shape) + "]"


def _decode_string(value: bytes) -> str | bytes:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value


def _decode_list(value: graph_pb2.AttrValue.ListValue) -> tuple[Any, ...]:
    if value.i:
        return tuple(value.i)
    if value.s:
        return tuple(map(_decode_string, value.s))
    if value.type:
        return tuple(map(dtypes.by_enum, value.type))
    if value.shape:
        return tuple(map(decode_shape, value.shape))
    return tuple(value.f) or tuple(value.b) or tuple(value.func) or tuple(value.tensor)


_DECODE = {
    "i": lambda a: a.i,
    "b": lambda a: a.b,
    "f": lambda a: a.f,
    "s": lambda a: _decode_string(a.s),
    "type": lambda a: dtypes.by_enum(a.type) if a.type else None,
    "shape": lambda a: decode_shape(a.shape),
    "list": lambda a: _decode_list(a.list),
    "tensor": lambda a: a.tensor,
    "func": lambda a: a.func,
    "placeholder": lambda a: a.placeholder,
    None: lambda a: None,
}


def decode(attr: graph_pb2.AttrValue) -> Any:
    """The Python value of an AttrValue; None where it holds nothing."""
    return _DECODE[attr.WhichOneof("value")](attr)


def shown(attr: graph_pb2.AttrValue) -> str:
    """An attribute's value as text."""
    kind = attr.WhichOneof("value")
    if kind == "type":
        return dtypes.shown(attr.type)
    if kind == "list":
        return "[" + ", ".join(_shown_elements(attr.list)) + "]"
    value = decode(attr)
    if kind == "shape":
        return shown_shape(value)
    if kind == "func":
        return shown_function(value.name, value.attr)
    if kind == "tensor":
        return f"{dtypes.shown(value.dtype)} {shown_shape(decode_shape(value.tensor_shape))}"
    if kind == "placeholder":
        return f"${value}"
    return repr(value) if isinstance(value, str) else str(value)


def _shown_elements(values: graph_pb2.AttrValue.ListValue) -> list[str]:
    if values.type:
        return list(map(dtypes.shown, values.type))
    if values.func:
        return [shown_function(f.name, f.attr) for f in values.func]
    return [shown_shape(value) if values.shape else str(value) for value in _decode_list(values)]


def functions_in(value: graph_pb2.AttrValue) -> Iterable[graph_pb2.NameAttrList]:
    """The functions that an attribute names."""
    return [value.func] if value.WhichOneof("value") == "func" else value.list.func


def shown_function(name: str, bound: Mapping[str, graph_pb2.AttrValue]) -> str:
    """A function with attributes of its own that are bound: `Square[T=float32]`."""
    values = ", ".join(f"{attr}={shown(bound[attr])}" for attr in sorted(bound))
    return f"{name}[{values}]" if values else name


# The field of an AttrValue that holds a value of each kind an OpDef names.
_FIELD = {"int": "i", "bool": "b", "float": "f", "string": "s", "type": "type", "shape": "shape", "tensor": "tensor"}
_FIELD |= {f"list({kind})": "list" for kind in (*_FIELD, "func")} | {"func": "func"}


def misfit(attr: graph_pb2.AttrValue, kind: str) -> str | None:
    """What is wrong with a message that is to hold a value of `kind`; None where nothing is."""
    field = attr.WhichOneof("value")
    if field == "placeholder":
        return f"stands for attribute {attr.placeholder!r} of a function around it, which no call gives"
    if field != _FIELD.get(kind, field):
        return f"must be {kind}, and holds {next((k for k, f in _FIELD.items() if f == field), 'nothing')}"
    if field == "list":
        inner = _FIELD[kind[5:-1]]
        others = [found.name for found, _ in attr.list.ListFields() if found.name != inner]
        if others:
            return f"must be {kind}, and its list holds something else"
    numbers = [attr.type] if field == "type" else attr.list.type if field == "list" else ()
    unknown = [number for number in numbers if number and not dtypes.is_known(number)]
    return f"holds {unknown[0]}, the number of no dtype" if unknown else None


# Kinds of values that are short and the same on many nodes: what such a message holds is looked up.
_ALIKE = frozenset(["bool", "float", "int", "list(int)", "shape", "string"])
_SHORT, _MOST = 64, 1 << 12  # bytes of such a message, and how many of them are known
_known: dict[tuple[str, bytes], tuple[Any, str | None]] = {}


def decoded(attr: graph_pb2.AttrValue, kind: str) -> tuple[Any, str | None]:
    """The value of a message that is to hold one of `kind`, or None and what is wrong with it."""
    if kind not in _ALIKE:
        return _decoded(attr, kind)
    key = kind, attr.SerializeToString()
    found = _known.get(key)
    if found is None:
        found = _decoded(attr, kind)
        if len(key[1]) <= _SHORT:
            if len(_known) == _MOST:
                _known.clear()
            _known[key] = found
    return found


def _decoded(attr: graph_pb2.AttrValue, kind: str) -> tuple[Any, str | None]:
    wrong = misfit(attr, kind)
    return (decode(attr), None) if wrong is None else (None, wrong)


def _bytes(value: str | bytes) -> bytes:
    return value.encode() if isinstance(value, str) else value


def encode(kind: str, value: Any) -> graph_pb2.AttrValue:
    """The AttrValue of a Python value, for an attribute whose OpDef type is `kind`."""
    attr = graph_pb2.AttrValue()
    if kind.startswith("list("):
        _encode_list(kind[5:-1], value, attr.list)
    elif kind == "int":
        attr.i = value
    elif kind == "bool":
        attr.b = value
    elif kind == "float":
        attr.f = value
    elif kind == "string":
        attr.s = _bytes(value)
    elif kind == "type":
        attr.type = value.enum
    elif kind == "shape":
        attr.shape.SetInParent()
        encode_shape(value, attr.shape)
    elif kind == "tensor":
        attr.tensor.CopyFrom(value)
    else:
        attr.func.CopyFrom(value)
    return attr


def _encode_list(kind: str, values: Any, into: graph_pb2.AttrValue.ListValue) -> None:
    into.SetInParent()
    if kind == "shape":
        for shape in values:
            encode_shape(shape, into.shape.add())
    elif kind == "type":
        into.type.extend(dtype.enum for dtype in values)
    elif kind == "string":
        into.s.extend(map(_bytes, values))
    else:
        field = {"int": into.i, "float": into.f, "bool": into.b, "func": into.func, "tensor": into.tensor}[kind]
        field.extend(values)
