"""Gradients of variants that hold the components of one value: they are taken apart as they were put together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphgrad.functions import GraphBuilder
from graphgrad.graph import Operation
from graphgrad.registry import gradient
from graphgrad.tensors import Tensor


def together(g: GraphBuilder, op: Operation, gradients: Sequence[Any], make: str, **attrs: Any) -> Tensor:
    """One variant of the gradients of an op's outputs; what has none stands for itself, so that the structure is kept."""
    with g.name_scope(make) as scope:
        pairs = enumerate(zip(op.outputs, gradients, strict=True))
        components = [t if dz is None else g.dense(dz, f"components_{i}") for i, (t, dz) in pairs]
        return g.op(make, components, name=scope, **attrs).outputs[0]


@gradient("OptionalFromValue")
def optional_from_value(g, op, dz):
    dtypes, shapes = [t.dtype for t in op.inputs], [t.shape for t in op.inputs]
    components = g.OptionalGetValue(dz, output_types=dtypes, output_shapes=shapes)
    return [dx if t.dtype.is_trainable else None for t, dx in zip(op.inputs, components, strict=True)]


@gradient("OptionalGetValue")
def optional_get_value(g, op, *dz):
    return together(g, op, dz, "OptionalFromValue")


@gradient("CompositeTensorVariantFromComponents")
def composite_from_components(g, op, dz):
    return g.CompositeTensorVariantToComponents(dz, metadata=op["metadata"], Tcomponents=op["Tcomponents"])


@gradient("CompositeTensorVariantToComponents")
def composite_to_components(g, op, *dz):
    return together(g, op, dz, "CompositeTensorVariantFromComponents", metadata=op["metadata"])
