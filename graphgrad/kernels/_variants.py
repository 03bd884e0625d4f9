"""Values of variant tensors: Python objects in object arrays, a lone one in an array without axes.

A class of such values has `zeros_like()` and `+`, so that gradients of variants can be begun and added up.
"""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np

Array = np.ndarray[Any, Any]
T = TypeVar("T")


def boxed(value: object) -> Array:
    """A variant tensor without axes."""
    box = np.empty((), object)
    box[()] = value
    return box


def boxes(values: list[Any]) -> Array:
    """A vector of variants."""
    row = np.empty(len(values), object)
    row[:] = values
    return row


def unboxed(tensor: Any, kind: type[T]) -> T:
    """What a variant tensor without axes holds. Raises TypeError where it is not of that kind."""
    value = tensor[()] if isinstance(tensor, np.ndarray) and tensor.ndim == 0 else tensor
    if not isinstance(value, kind):
        raise TypeError(f"the variant holds {type(value).__name__}, not {kind.__name__}")
    return value


def zeros_of(x: Array) -> Array:
    """Zeros like an array, or like what a variant holds."""
    return boxed(x[()].zeros_like()) if x.dtype.kind == "O" else np.zeros_like(x)


def sum_of(a: Array, b: Array) -> Array:
    """The sum of arrays, or of what variants hold."""
    return boxed(a[()] + b[()]) if a.dtype.kind == "O" and a.ndim == 0 else np.asarray(a + b)
