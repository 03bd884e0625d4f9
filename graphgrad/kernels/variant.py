"""Kernels of variants that hold the components of one value, or none."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphgrad.kernels._checks import fits
from graphgrad.kernels._variants import boxed, sum_of, unboxed, zeros_of
from graphgrad.registry import kernel


class Optional:
    """A value of several components, or nothing."""

    __slots__ = ("components",)

    def __init__(self, components: list[Any] | None):
        self.components = components

    def zeros_like(self) -> Optional:
        return Optional(None if self.components is None else [zeros_of(c) for c in self.components])

    def __add__(self, other: Any) -> Optional:
        other = unboxed(other, Optional)
        if (self.components is None) != (other.components is None):
            raise ValueError("an optional that holds a value cannot be added to one that holds none")
        if self.components is None or other.components is None:
            return self
        return Optional([sum_of(a, b) for a, b in zip(self.components, other.components, strict=True)])


class Composite:
    """The tensors that a composite tensor consists of, and what tells how."""

    __slots__ = ("components", "metadata")

    def __init__(self, components: list[Any], metadata: Any):
        self.components, self.metadata = components, metadata

    def zeros_like(self) -> Composite:
        return Composite([zeros_of(c) for c in self.components], self.metadata)

    def __add__(self, other: Any) -> Composite:
        """Of the components that are numbers; splits and indices stay."""
        other = unboxed(other, Composite)
        pairs = zip(self.components, other.components, strict=True)
        return Composite([a if a.dtype.kind in "iu" else sum_of(a, b) for a, b in pairs], self.metadata)


# ----------------------------------------------------------------------------------------------- optionals


@kernel("OptionalFromValue")
def optional_from_value(components):
    return boxed(Optional(components))


@kernel("OptionalNone")
def optional_none():
    return boxed(Optional(None))


@kernel("OptionalHasValue")
def optional_has_value(optional):
    return np.bool_(unboxed(optional, Optional).components is not None)


@kernel("OptionalGetValue")
def optional_get_value(optional, *, output_types, output_shapes):
    components = unboxed(optional, Optional).components
    if components is None:
        raise ValueError("the optional holds no value")
    if len(components) != len(output_types):
        raise ValueError(f"the optional holds {len(components)} components, and {len(output_types)} are asked for")
    for component, dtype, shape in zip(components, output_types, output_shapes, strict=True):
        if not isinstance(component, (np.ndarray, np.generic)):
            continue  # what a handle stands for
        if component.dtype != dtype:
            raise TypeError(f"the optional holds {component.dtype.name}, and {dtype.name} is asked for")
        if not fits(component.shape, shape):
            raise ValueError(f"the optional holds shape {list(component.shape)}, and {list(shape)} is asked for")
    return list(components)


# ----------------------------------------------------------------------------------------------- composite tensors


@kernel("CompositeTensorVariantFromComponents")
def composite_from_components(components, *, metadata):
    return boxed(Composite(components, metadata))


@kernel("CompositeTensorVariantToComponents")
def composite_to_components(encoded, *, metadata, Tcomponents):
    composite = unboxed(encoded, Composite)
    held = tuple(component.dtype for component in composite.components)
    if held != tuple(Tcomponents):
        raise TypeError(f"the composite tensor consists of {held}, and {tuple(Tcomponents)} are asked for")
    return list(composite.components)
