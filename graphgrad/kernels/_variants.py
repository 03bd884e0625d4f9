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
    """Zeros like numbers, empty strings like strings, and like variants what they know to be their zero."""
    if x.dtype.kind != "O":
        return np.zeros(x.shape, x.dtype)
    zeros = np.empty(x.shape, object)
    for place, element in np.ndenumerate(x):
        zeros[place] = _zero_of(element)
    return zeros


def _zero_of(element: Any) -> Any:
    if isinstance(element, (bytes, str)):
        return b""
    if not hasattr(element, "zeros_like"):
        raise TypeError(f"no zeros for a tensor that holds {type(element).__name__}")
    return element.zeros_like()


def sum_of(a: Array, b: Array) -> Array:
    """The sum of arrays, or of what variants hold."""
    return boxed(a[()] + b[()]) if a.dtype.kind == "O" and a.ndim == 0 else np.asarray(a + b)
