"""Static values of small tensors, element by element, and what shape rules ask of them; `value_rules` works them out.

A value is known, known in part (None for an unknown element) or unknown altogether. TensorFlow knows values in three
ways, and static shapes decide nodes, so all three are kept: its Python layer sees some (`by_python`), its shape functions
run ops whose inputs are constant (`is_constant`), and where a shape is wanted they follow one that is known in part
through a few ops (neither mark).
"""

from __future__ import annotations

from typing import Any, NamedTuple

from graphgrad.tensors import Tensor


class Value(NamedTuple):
    """Elements in row-major order (None where unknown) of a tensor of the given shape.

    `followed` are the elements where a shape is wanted, if less is known of them then than when the op is run.
    """

    shape: tuple[int, ...]
    flat: tuple[Any, ...]
    by_python: bool = False
    is_constant: bool = False
    followed: tuple[Any, ...] | None = None

    @property
    def as_shape(self) -> tuple[Any, ...]:
        """The elements as they are known where a shape is wanted."""
        return self.flat if self.followed is None else self.followed

    @property
    def is_complete(self) -> bool:
        return None not in self.flat

    @property
    def scalar(self) -> Any:
        """The only element."""
        return self.flat[0]


# The ops through which a shape known in part is followed.
FOLLOWED = frozenset({"Cast", "Concat", "ConcatV2", "Pack", "Shape", "ShapeN", "StridedSlice", "VariableShape"})


def complete(tensor: Tensor) -> tuple[Any, ...] | None:
    """The elements of a tensor that is constant, or None."""
    value = tensor.value
    return value.flat if value is not None and value.is_constant else None


def scalar(tensor: Tensor) -> Any:
    """The only element of a tensor that is constant, or None."""
    value = tensor.value
    return value.flat[0] if value is not None and value.is_constant and len(value.flat) == 1 else None


def as_shape(tensor: Tensor) -> tuple[int | None, ...] | None:
    """The shape that a tensor holding a shape stands for: -1 and unknown elements are unknown dimensions."""
    if tensor.op.type == "Shape" and (shape := tensor.op.inputs[0].shape) is not None:
        return shape
    value = tensor.value
    if value is None:
        length = tensor.shape
        return None if length is None or len(length) != 1 or length[0] is None else (None,) * length[0]
    return tuple(None if d is None or d < 0 else d for d in value.as_shape)


def python_value(tensor: Tensor) -> Value | None:
    """The complete value where TensorFlow's Python layer would see it, else None."""
    value = tensor.value
    return value if value is not None and value.by_python and value.is_complete else None


def python_shape(tensor: Tensor) -> tuple[int | None, ...] | None:
    """Like `as_shape`, where TensorFlow's Python layer asks: what shape functions alone compute is unknown to it."""
    value = tensor.value
    if value is None or value.by_python or tensor.op.type in FOLLOWED:
        return as_shape(tensor)
    return (None,) * len(value.flat)
