"""Switch, Merge, Exit and the like for gradients that may be tensors or IndexedSlices, with TensorFlow's node names."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

from graphgrad import dtypes
from graphgrad.functions import GraphBuilder
from graphgrad.tensors import IndexedSlices, Tensor

Gradient = Tensor | IndexedSlices


def is_reference(tensor: Tensor) -> bool:
    """Whether a tensor is a reference to a variable."""
    signature = tensor.op.signature
    if signature is None:
        return False
    references = [arg.is_ref for arg in signature.outputs for _ in arg.dtypes(tensor.op)]
    return references[tensor.index]


def each(function: Callable[[Tensor], Tensor], gradient: Any) -> Any:
    """The function of a tensor, or of each part of an IndexedSlices."""
    if isinstance(gradient, Tensor):
        return function(gradient)
    return _from_parts([function(part) for part in _parts(gradient)])


def each_pair(function: Callable[[Tensor, Tensor], Any], one: IndexedSlices, other: IndexedSlices) -> None:
    """Calls a function for each part of two IndexedSlices."""
    for a, b in zip(_parts(one), _parts(other), strict=True):
        function(a, b)


def switch(g: GraphBuilder, data: Any, predicate: Tensor, name: str = "Switch") -> tuple[Any, Any]:
    """The data on the way of a false, and on that of a true predicate."""
    if isinstance(data, Tensor):
        return tuple((g.RefSwitch if is_reference(data) else g.Switch)(data, predicate, name=name))
    with g.name_scope(name):
        ways = [g.Switch(part, predicate) for part in _parts(data)]
    return _from_parts([way[0] for way in ways]), _from_parts([way[1] for way in ways])


def switch_beside(g: GraphBuilder, data: Any, predicate: Tensor, name: str = "Switch") -> tuple[Any, Any]:
    """The same, colocated with the data."""
    with g.colocate_with(data.op, ignore_existing=True):
        return switch(g, data, predicate, name)


def merge(g: GraphBuilder, inputs: Sequence[Any], name: str | None = None) -> Any:
    """The one of the inputs that has a value; if some are IndexedSlices, all become such."""
    if all(isinstance(x, Tensor) for x in inputs):
        merged = g.RefMerge if all(map(is_reference, inputs)) else g.Merge
        return merged(list(inputs), name=name)[0]
    with g.name_scope(name or "Merge"):
        parts = [_parts(slices) for slices in as_slices(g, inputs)]
        return _from_parts([g.Merge(list(part))[0] for part in zip(*parts, strict=True)])


def in_order(tensor: Tensor, other: Tensor, way: int) -> list[Tensor]:
    """What a Merge joins: a tensor of this way of a predicate and one of the other, that of a false one first."""
    return [other, tensor] if way else [tensor, other]


def as_slices(g: GraphBuilder, gradients: Sequence[Any]) -> list[IndexedSlices]:
    """Every gradient as IndexedSlices, a tensor as one of all its rows; their indices of one dtype."""
    slices = [x if isinstance(x, IndexedSlices) else rows_of(g, x) for x in gradients]
    if len({x.indices.dtype for x in slices}) > 1:
        slices = [dataclasses.replace(x, indices=g.cast(x.indices, dtypes.int64)) for x in slices]
    return slices


def rows_of(g: GraphBuilder, tensor: Tensor) -> IndexedSlices:
    """A tensor as IndexedSlices."""
    shape = g.Shape(tensor)
    return IndexedSlices(tensor, g.range(0, shape[0]), shape)


def _parts(slices: IndexedSlices) -> list[Tensor]:
    parts = [slices.values, slices.indices]
    return parts if slices.dense_shape is None else [*parts, slices.dense_shape]


def _from_parts(parts: Sequence[Tensor]) -> IndexedSlices:
    return IndexedSlices(parts[0], parts[1], parts[2] if len(parts) > 2 else None)
