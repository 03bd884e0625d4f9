"""Signatures of TensorFlow's public ops: arguments, attributes, defaults, read from the packed registry in `data/`.

A signature is decoded when its op is first met; the file is parsed once per process.
"""

from __future__ import annotations

import functools
import importlib.resources
from typing import Any

from graphgrad import attributes, dtypes
from graphgrad.dtypes import DType
from graphgrad.errors import ModelError
from graphgrad.schema import graph_pb2

REQUIRED = object()
MOST_TENSORS = 1 << 24  # that one argument may stand for; a damaged file must not ask for all memory


class Arg:
    """An input or output argument: one tensor, `number_attr` of them, or one per type in `type_list_attr`."""

    __slots__ = ("dtype", "is_list", "is_ref", "name", "number_attr", "type_attr", "type_list_attr")

    def __init__(self, definition: graph_pb2.OpDef.ArgDef):
        self.name = definition.name
        self.dtype: DType | None = dtypes.by_enum(definition.type) if definition.type else None
        self.type_attr = definition.type_attr
        self.number_attr = definition.number_attr
        self.type_list_attr = definition.type_list_attr
        self.is_list = bool(self.number_attr or self.type_list_attr)
        self.is_ref = definition.is_ref

    def dtypes(self, attrs: Any) -> list[DType]:
        """The dtypes of the tensors this argument stands for, under these attributes."""
        if self.type_list_attr:
            return list(attrs[self.type_list_attr])
        dtype = self.dtype or attrs[self.type_attr]
        if not self.number_attr:
            return [dtype]
        count = attrs[self.number_attr]
        if not 0 <= count <= MOST_TENSORS:
            node = f" of node {attrs.name!r} ({attrs.type})" if hasattr(attrs, "type") else ""
            raise ModelError(f"attribute {self.number_attr!r}{node} is {count}: no op has so many tensors")
        return [dtype] * count


class Attr:
    """An attribute: its `type` as OpDef writes it ('list(int)', ...) and `default`, or REQUIRED."""

    __slots__ = ("allowed", "default", "name", "type")

    def __init__(self, definition: graph_pb2.OpDef.AttrDef):
        self.name = definition.name
        self.type = definition.type
        has_default = definition.HasField("default_value")
        self.default = attributes.decode(definition.default_value) if has_default else REQUIRED
        allowed = definition.allowed_values
        self.allowed = attributes.decode(allowed) if definition.HasField("allowed_values") else None


class Signature:
    """One op type: its inputs, outputs and attributes in their order."""

    __slots__ = ("attrs", "calls", "defaults", "inputs", "is_stateful", "name", "outputs")

    def __init__(self, definition: graph_pb2.OpDef):
        self.name = definition.name
        self.inputs = [Arg(a) for a in definition.input_arg]
        self.outputs = [Arg(a) for a in definition.output_arg]
        self.attrs = {a.name: Attr(a) for a in definition.attr}
        self.defaults = {name: a.default for name, a in self.attrs.items() if a.default is not REQUIRED}
        self.is_stateful = definition.is_stateful
        # What the builder found for calls it has seen: all attributes and the dtypes of the outputs.
        self.calls: dict[tuple[Any, ...], tuple[dict[str, Any], list[DType]]] = {}

    def output_dtypes(self, attrs: Any) -> list[DType]:
        """One dtype per output tensor, under these attributes (any mapping from name to value)."""
        if len(self.outputs) == 1 and not self.outputs[0].is_list:
            arg = self.outputs[0]
            return [arg.dtype or attrs[arg.type_attr]]
        return [d for arg in self.outputs for d in arg.dtypes(attrs)]

    def input_dtypes(self, attrs: Any) -> list[DType]:
        """One dtype per input tensor, under these attributes."""
        return [d for arg in self.inputs for d in arg.dtypes(attrs)]

    def input_arg_of(self, attrs: Any) -> list[Arg]:
        """For each input tensor the argument it belongs to."""
        return [arg for arg in self.inputs for _ in arg.dtypes(attrs)]

    def __str__(self) -> str:
        def show(arg: Arg) -> str:
            kind = arg.type_list_attr or arg.type_attr or repr(arg.dtype)
            kind = f"{arg.number_attr}*{kind}" if arg.number_attr else kind
            return f"{arg.name}: {'Ref(' + kind + ')' if arg.is_ref else kind}"

        attrs = [
            f"{a.name}: {a.type}" + ("" if a.default is REQUIRED else f" = {a.default!r}") for a in self.attrs.values()
        ]
        inputs, outputs = ", ".join(map(show, self.inputs)), ", ".join(map(show, self.outputs))
        return f"{self.name}({inputs}) -> ({outputs})" + (f" [{', '.join(attrs)}]" if attrs else "")


@functools.cache
def _definitions() -> dict[str, graph_pb2.OpDef]:
    packed = importlib.resources.files("graphgrad").joinpath("data/opdefs.pb").read_bytes()
    return {definition.name: definition for definition in graph_pb2.OpList.FromString(packed).op}


@functools.cache
def signature(op_type: str) -> Signature | None:
    """The signature of an op type, or None where TensorFlow 2.21 has no such public op."""
    definition = _definitions().get(op_type)
    return Signature(definition) if definition is not None else None


def definition(op_type: str) -> graph_pb2.OpDef | None:
    """The message that a signature was read from."""
    return _definitions().get(op_type)


def op_types() -> list[str]:
    """Every op type that has a signature, sorted."""
    return list(_definitions())


def default(op_type: str, attr: str) -> graph_pb2.AttrValue | None:
    """The message of an attribute's default, or None where there is none."""
    definition = _definitions().get(op_type)
    for candidate in definition.attr if definition is not None else ():
        if candidate.name == attr and candidate.HasField("default_value"):
            return candidate.default_value
    return None
