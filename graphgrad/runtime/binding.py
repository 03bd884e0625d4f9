"""From an operation and its kernel to one plain call: attributes decoded once, lists grouped, references read.

What can be settled before a run is settled here; the step that runs has no names to look up.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from graphgrad.dtypes import DType, bfloat16, complex64, complex128, float16
from graphgrad.formats import arrays
from graphgrad.graph import Operation
from graphgrad.kernels._precision import without_layers
from graphgrad.kernels._state import State
from graphgrad.schema import graph_pb2

Kernel = Callable[..., Any]
OF_THEIR_OWN = (float16, bfloat16, complex64, complex128)  # dtypes some kernels have a formula of their own for


def bind(kernel: Kernel, op: Operation, state: State | None, name: str = "") -> Kernel:
    """The kernel with the attributes it names filled in from the operation. `name` is what its state is kept under.

    Raises ModelError where the operation lacks one.
    """
    code = getattr(inspect.unwrap(kernel), "__code__", None)
    if code is None or not code.co_kwonlyargcount:
        return kernel
    names = [name for name in _keywords(code) if name != "out"]
    given: dict[str, Any] = {"state": state, "node_name": name or op.name}
    settled = {name: given[name] if name in given else for_kernel(op[name]) for name in names}
    return functools.partial(kernel, **settled)


def for_dtypes(kernel: Kernel, op: Operation) -> Kernel:
    """The kernel without the layers for half types and complex numbers, where the operation's are known to be others."""
    if any(t.dtype is None or t.dtype in OF_THEIR_OWN for t in op.inputs):
        return kernel
    return without_layers(kernel)


def _keywords(code: Any) -> tuple[str, ...]:
    return code.co_varnames[code.co_argcount : code.co_argcount + code.co_kwonlyargcount]  # type: ignore[no-any-return]


def asks_for(kernel: Kernel, keyword: str) -> bool:
    """Whether a kernel names a keyword; every universal function of numpy takes `out`."""
    kernel = inspect.unwrap(kernel)
    if isinstance(kernel, np.ufunc):
        return keyword == "out"
    code = getattr(kernel, "__code__", None)
    return code is not None and keyword in _keywords(code)


def for_kernel(value: Any) -> Any:
    """An attribute as kernels take it: numpy dtypes for types, arrays for tensors."""
    if isinstance(value, DType):
        return arrays.numpy_dtype(value)
    if isinstance(value, tuple):
        return tuple(map(for_kernel, value))
    if isinstance(value, graph_pb2.TensorProto):
        return arrays.from_proto(value)
    return value


def grouping(op: Operation) -> list[int] | None:
    """How many inputs each argument takes (0 for an empty list), or None where each takes exactly one."""
    signature = op.signature
    if signature is None or not any(arg.is_list for arg in signature.inputs):
        return None
    return [len(arg.dtypes(op)) if arg.is_list else -1 for arg in signature.inputs]


def grouped(kernel: Kernel, sizes: list[int]) -> Kernel:
    """A kernel of arguments, some of them lists, as one of flat inputs. A size of -1 is a lone tensor."""
    if len(sizes) == 1:
        return lambda *inputs: kernel(list(inputs))

    def call(*inputs: Any) -> Any:
        arguments, at = [], 0
        for size in sizes:
            if size < 0:
                arguments.append(inputs[at])
                at += 1
            else:
                arguments.append(list(inputs[at : at + size]))
                at += size
        return kernel(*arguments)

    return call


def outputs_flat(op: Operation) -> bool:
    """Whether the kernel's result nests lists inside a tuple, for ops with several outputs of which some are lists."""
    signature = op.signature
    return signature is not None and len(signature.outputs) > 1 and any(arg.is_list for arg in signature.outputs)


def flatten(result: Any) -> list[Any]:
    """A tuple of arrays and lists of arrays as one flat list."""
    return [x for part in result for x in (part if isinstance(part, list) else [part])]


def references_read(op: Operation) -> list[int]:
    """Inputs that arrive as references (a VariableV2's output) where the op asks for the value."""
    reading = []
    for i, tensor in enumerate(op.inputs):
        signature = tensor.op.signature
        if signature is None or not any(arg.is_ref for arg in signature.outputs):
            continue
        gives_ref = [arg for arg in signature.outputs for _ in arg.dtypes(tensor.op)][tensor.index].is_ref
        own = op.signature
        takes_ref = own is not None and own.input_arg_of(op)[i].is_ref
        if gives_ref and not takes_ref:
            reading.append(i)
    return reading


def as_array(value: Any) -> Any:
    """Numpy scalars as 0-d arrays; handles as they are."""
    return np.asarray(value) if isinstance(value, (np.generic, int, float, bool, complex, bytes)) else value
