"""Integer operands in the ways that graphs come by them: constants, fed numbers, and what little ops make of these.

TensorFlow knows the value of some of them before it runs the graph, of some a part, of some nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from graphgrad.tensors import Tensor

if TYPE_CHECKING:
    from tests.oracle.draws import Drawer

Way = Callable[["Drawer", np.ndarray[Any, Any], str], Tensor]


def given(d: Drawer, value: Any, dtype: str) -> Tensor:
    """A constant, or fed."""
    array = np.asarray(value, dtype)
    return d.const(array, dtype) if d.chance(0.5) else d.tensor(array.shape, dtype, value=array)


def computed(d: Drawer, value: Any, dtype: str) -> Tensor:
    """The value, made by ops."""
    array = np.asarray(value, dtype)
    ways: list[Way] = [identity, cast, total, reshaped]
    if array.ndim == 1 and array.size:
        ways += [packed, packed, joined, cut]
        if (array >= 0).all() and np.prod(array, dtype=float) <= 2000 and dtype in ("int32", "int64"):
            ways += [shape, shape]
    if array.ndim == 1 and dtype != "int16" and (array == np.arange(array.size)).all():
        ways.append(counted)
    if array.size and (array == array.flat[0]).all():
        ways.append(filled)
    if array.ndim == 0:
        ways.append(element)
    way: Way = d.pick(*ways)
    return way(d, array, dtype)


def identity(d: Drawer, value: np.ndarray[Any, Any], dtype: str) -> Tensor:
    return d.g.Identity(d.const(value, dtype))


def cast(d: Drawer, value: np.ndarray[Any, Any], dtype: str) -> Tensor:
    from tests.oracle.draws import dtype_of

    return d.g.Cast(given(d, value, d.pick("int32", "int64", "int16")), DstT=dtype_of(dtype))


def total(d: Drawer, value: np.ndarray[Any, Any], dtype: str) -> Tensor:
    return d.g.Sub(given(d, value + 1, dtype), d.const(1, dtype))


def reshaped(d: Drawer, value: np.ndarray[Any, Any], dtype: str) -> Tensor:
    return d.g.Reshape(given(d, value.reshape(-1, 1), dtype), given(d, value.shape, "int32"))


def packed(d: Drawer, value: np.ndarray[Any, Any], dtype: str) -> Tensor:
    return d.g.Pack([given(d, v, dtype) for v in value])


def joined(d: Drawer, value: np.ndarray[Any, Any], dtype: str) -> Tensor:
    at = d.integer(0, value.size)
    return d.g.ConcatV2([given(d, value[:at], dtype), given(d, value[at:], dtype)], d.const(0))


def cut(d: Drawer, value: np.ndarray[Any, Any], dtype: str) -> Tensor:
    whole = given(d, [7, *value, 7], dtype)
    if d.chance(0.5):
        return d.g.StridedSlice(whole, d.const([1]), d.const([1 + value.size]), d.const([1]))
    return d.g.StridedSlice(whole, d.const([1]), d.const([-1]), d.const([1]))


def shape(d: Drawer, value: np.ndarray[Any, Any], dtype: str) -> Tensor:
    """The shape of something fed, or the end of a longer one."""
    from tests.oracle.draws import dtype_of

    before = d.chance(0.4)
    x = d.tensor((2, *value) if before else value, d.pick("float32", "bool"), 0, 1)
    whole = d.g.Shape(x, out_type=dtype_of(dtype))
    return d.g.StridedSlice(whole, d.const([1]), d.const([0]), d.const([1]), end_mask=1) if before else whole


def counted(d: Drawer, value: np.ndarray[Any, Any], dtype: str) -> Tensor:
    """A Range, up to the rank of something now and then."""
    if dtype == "int32" and value.size <= 4 and d.chance(0.5):
        limit = d.g.Rank(d.tensor((1,) * value.size))
    else:
        limit = given(d, value.size, dtype)
    return d.g.Range(d.const(0, dtype), limit, d.const(1, dtype))


def filled(d: Drawer, value: np.ndarray[Any, Any], dtype: str) -> Tensor:
    return d.g.Fill(given(d, value.shape, "int32"), given(d, value.flat[0], dtype))


def element(d: Drawer, value: np.ndarray[Any, Any], dtype: str) -> Tensor:
    """A number out of a vector."""
    vector = given(d, [7, value], dtype)
    return d.g.StridedSlice(vector, d.const([1]), d.const([2]), d.const([1]), shrink_axis_mask=1)
