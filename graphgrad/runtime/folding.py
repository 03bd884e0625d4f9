"""The static value of an op whose inputs are constant, by its kernel. TensorFlow's shape functions run such ops too."""

from __future__ import annotations

import numpy as np

from graphgrad import registry
from graphgrad.errors import GraphGradError
from graphgrad.formats import arrays
from graphgrad.graph import Operation
from graphgrad.runtime import binding
from graphgrad.shapes.value_rules import LIMIT
from graphgrad.shapes.values import Value
from graphgrad.tensors import Tensor


def fold(op: Operation) -> list[Value | None] | None:
    """The values of the outputs, or None where the op has no kernel or refuses its inputs, which a run will tell."""
    kernel = registry.kernel_of(op.type)
    if kernel is None or binding.asks_for(kernel, "state"):
        return None
    call = binding.bind(kernel, op, None)
    sizes = binding.grouping(op)
    if sizes is not None:
        call = binding.grouped(call, sizes)
    inputs = [_array(t) for t in op.inputs]
    try:
        with np.errstate(all="ignore"):
            result = call(*inputs)
    except (GraphGradError, ValueError, TypeError, IndexError, ArithmeticError):
        return None
    results = binding.flatten(result) if binding.outputs_flat(op) else result
    return [_value(np.asarray(x)) for x in (results if isinstance(results, (tuple, list)) else [results])]


def _array(tensor: Tensor) -> np.ndarray:
    value = tensor.value
    assert value is not None and tensor.dtype is not None
    return np.array(value.flat, arrays.numpy_dtype(tensor.dtype)).reshape(value.shape)


def _value(array: np.ndarray) -> Value | None:
    return (
        Value(array.shape, tuple(array.ravel().tolist()))
        if array.dtype.kind in "biuf" and array.size <= LIMIT
        else None
    )
