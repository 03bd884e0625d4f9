"""Kernels of tensor arrays and stacks: handles are Python objects that live as long as the run that made them.

What was written is never copied and never changed; a gradient array sums what is written to the same place.
"""

from __future__ import annotations

import math

import numpy as np

from graphgrad.kernels._checks import fits
from graphgrad.registry import kernel


class TensorArray:
    """Elements, each with what became of it; `gradients` are the arrays that belong to it, by their source."""

    def __init__(self, size, dtype, element_shape, is_dynamic, is_cleared_by_read, is_uniform, is_gradient=False):
        self.dtype, self.element_shape, self.is_dynamic = dtype, element_shape, is_dynamic
        self.is_cleared_by_read, self.is_uniform, self.is_gradient = is_cleared_by_read, is_uniform, is_gradient
        self.values = [None] * size
        self.shapes = [None] * size
        self.cleared = [False] * size
        self.gradients = {}
        self.is_closed = False

    def __len__(self):
        if self.is_closed:
            raise ValueError("the TensorArray has been closed")
        return len(self.values)

    def _place(self, index, does):
        index = int(index)
        if index >= len(self) and self.is_dynamic and does == "write to":
            more = index + 1 - len(self)
            self.values += [None] * more
            self.shapes += [None] * more
            self.cleared += [False] * more
        if not 0 <= index < len(self):
            fixed = "" if self.is_dynamic or does != "write to" else " and it cannot grow"
            raise ValueError(f"cannot {does} index {index}: the TensorArray has {len(self)} elements{fixed}")
        return index

    def write(self, index, value):
        index = self._place(index, "write to")
        if value.dtype != self.dtype:
            raise ValueError(f"the TensorArray holds {self.dtype}, not {value.dtype}")
        if not fits(value.shape, self.element_shape):
            raise ValueError(
                f"an element of the TensorArray has shape {_show(self.element_shape)}, not {list(value.shape)}"
            )
        if self.cleared[index]:
            raise ValueError(f"index {index} of the TensorArray has already been read")
        if self.values[index] is None:
            self.values[index] = value
        elif not self.is_gradient:
            raise ValueError(f"index {index} of the TensorArray has already been written to")
        elif self.values[index].shape != value.shape:
            raise ValueError(
                f"gradients of shapes {list(self.values[index].shape)} and {list(value.shape)} meet at index {index}"
            )
        else:
            self.values[index] = np.asarray(self.values[index] + value)
        self.shapes[index] = value.shape
        if self.is_uniform and not self.is_gradient:
            self.element_shape = value.shape

    def read(self, index):
        index = self._place(index, "read from")
        if self.cleared[index]:
            raise ValueError(
                f"index {index} of the TensorArray cannot be read twice: it was cleared by the first read "
                "(clear_after_read)"
            )
        value = self.values[index]
        if value is None:
            shape = self.element_shape if self.shapes[index] is None else self.shapes[index]
            if shape is None or None in shape:
                raise ValueError(
                    f"index {index} of the TensorArray was never written, and an element's shape is not known"
                )
            value = np.zeros(shape, self.dtype)
        if self.is_cleared_by_read:
            self.values[index], self.cleared[index] = None, True
        return value

    def stacked(self, indices, element_shape):
        """The elements of these indices along a new axis."""
        if np.ndim(indices) != 1:
            raise ValueError(f"indices must be a vector, not of shape {list(np.shape(indices))}")
        if len(indices):
            values = [self.read(i) for i in indices]
            _same_shape(values)
            return np.stack(values)
        return np.zeros((0, *self._empty_shape(element_shape)), self.dtype)

    def joined(self, element_shape_except0):
        """All elements along their first axis, and their lengths."""
        values = [self.read(i) for i in range(len(self))]
        if not values:
            rest = self._empty_shape(None if element_shape_except0 is None else (0, *element_shape_except0))[1:]
            return np.zeros((0, *rest), self.dtype), np.zeros(0, np.int64)
        if any(value.ndim == 0 for value in values):
            raise ValueError("scalars cannot be concatenated")
        if len({value.shape[1:] for value in values}) > 1:
            shapes = [list(value.shape) for value in values]
            raise ValueError(f"the elements' shapes {shapes} differ beyond the first axis")
        return np.concatenate(values), np.array([len(value) for value in values], np.int64)

    def _empty_shape(self, given):
        for shape in (self.element_shape, given):
            if shape is not None and None not in shape:
                return shape
        raise ValueError("the TensorArray is empty, and an element's shape is not known")

    def gradient(self, source, prefix=()):
        """The array of the gradients that one call of tf.gradients sends to this one; it is made when first asked for.

        Its elements are read once, as in TensorFlow; those of gradients of gradients, which TensorFlow does not run, as often
        as an index of this array was written to.
        """
        found = self.gradients.get(source)
        if found is None:
            for other in self.gradients:
                self._refuse_parts_of_one_call(*sorted([source, other]))
            self.is_dynamic = False
            shape = None if self.element_shape is None else (*prefix, *self.element_shape)
            found = TensorArray(
                len(self), self.dtype, shape, False, not self.is_gradient, self.is_uniform, is_gradient=True
            )
            found.shapes = [None if shape is None else (*prefix, *shape) for shape in self.shapes]
            self.gradients[source] = found
        return found

    @staticmethod
    def _refuse_parts_of_one_call(scope, inner):
        """TensorFlow makes sources of names, and more than one of those in a call for gradients of gradients."""
        if inner.startswith(f"{scope}/gradients"):
            raise ValueError(
                f"one call has the gradients {scope!r} and {inner!r} of a TensorArray: second derivatives through it do not "
                "run, as in TensorFlow (in a function they do, and as a TensorList, which control flow v2 writes)"
            )

    def close(self):
        self.values, self.shapes, self.cleared, self.is_closed = [], [], [], True


def _same_shape(values):
    if len({value.shape for value in values}) > 1:
        raise ValueError(f"elements of shapes {[list(v.shape) for v in values]} cannot be stacked")


def _show(shape):
    return "unknown" if shape is None else ["?" if d is None else d for d in shape]


def _made(size, dtype, element_shape, dynamic_size, clear_after_read, identical_element_shapes=False):
    if size.ndim or size < 0:
        raise ValueError(f"the size of a TensorArray is a number from 0 on, not {size.tolist()}")
    return TensorArray(int(size), dtype, element_shape, dynamic_size, clear_after_read, identical_element_shapes)


@kernel("TensorArray", "TensorArrayV2")
def tensor_array(size, *, dtype, element_shape, dynamic_size, clear_after_read):
    return _made(size, dtype, element_shape, dynamic_size, clear_after_read)


@kernel("TensorArrayV3")
def tensor_array_v3(size, *, dtype, element_shape, dynamic_size, clear_after_read, identical_element_shapes):
    made = _made(size, dtype, element_shape, dynamic_size, clear_after_read, identical_element_shapes)
    return made, np.zeros((), np.float32)


@kernel("TensorArrayGrad", "TensorArrayGradV2")
def gradient(handle, flow, *, source):
    return handle.gradient(source)


@kernel("TensorArrayGradV3")
def gradient_v3(handle, flow, *, source):
    return handle.gradient(source), flow


@kernel("TensorArrayGradWithShape")
def gradient_with_shape(handle, flow, shape_to_prepend, *, source):
    return handle.gradient(source, tuple(shape_to_prepend.tolist())), flow


@kernel("TensorArrayWrite", "TensorArrayWriteV2", "TensorArrayWriteV3")
def write(handle, index, value, flow):
    handle.write(index, value)
    return flow


@kernel("TensorArrayRead", "TensorArrayReadV2", "TensorArrayReadV3")
def read(handle, index, flow, *, dtype):
    if dtype != handle.dtype:
        raise ValueError(f"the TensorArray holds {handle.dtype}, not {dtype}")
    return handle.read(index)


@kernel("TensorArrayGather", "TensorArrayGatherV2", "TensorArrayGatherV3")
def gather(handle, indices, flow, *, element_shape):
    return handle.stacked(indices, element_shape)


@kernel("TensorArrayPack")
def pack(handle, flow, *, element_shape):
    return handle.stacked(range(len(handle)), element_shape)


@kernel("TensorArrayScatter", "TensorArrayScatterV2", "TensorArrayScatterV3")
def scatter(handle, indices, value, flow):
    if indices.ndim != 1 or value.ndim == 0 or len(indices) != len(value):
        raise ValueError(f"{list(indices.shape)} indices cannot take the rows of a value of shape {list(value.shape)}")
    if len(indices):
        handle._place(np.max(indices), "write to")
    for index, row in zip(indices, value, strict=True):
        handle.write(index, np.asarray(row, value.dtype))
    return flow


@kernel("TensorArrayUnpack")
def unpack(handle, value, flow):
    if len(value) != len(handle):
        raise ValueError(f"a value of {len(value)} rows does not fill a TensorArray of size {len(handle)}")
    return scatter(handle, np.arange(len(value)), value, flow)


@kernel("TensorArrayConcat", "TensorArrayConcatV2", "TensorArrayConcatV3")
def concat(handle, flow, *, element_shape_except0):
    return handle.joined(element_shape_except0)


@kernel("TensorArraySplit", "TensorArraySplitV2", "TensorArraySplitV3")
def split(handle, value, lengths, flow):
    if lengths.ndim != 1 or value.ndim == 0 or int(lengths.sum()) != len(value) or (lengths < 0).any():
        raise ValueError(f"lengths {lengths.tolist()} do not split a value of shape {list(value.shape)}")
    if len(lengths) != len(handle) and not handle.is_dynamic:
        raise ValueError(f"{len(lengths)} pieces do not fit a TensorArray of {len(handle)} elements")
    start = 0
    for index, length in enumerate(lengths.tolist()):
        handle.write(index, value[start : start + length])
        start += length
    return flow


@kernel("TensorArraySize", "TensorArraySizeV2", "TensorArraySizeV3")
def size(handle, flow):
    return np.array(len(handle), np.int32)


@kernel("TensorArrayClose", "TensorArrayCloseV2", "TensorArrayCloseV3")
def close(handle):
    handle.close()
    return ()


class Stack:
    """Values put on top of each other; at most `limit` of them."""

    def __init__(self, dtype, limit=math.inf):
        self.dtype, self.limit, self.values = dtype, limit, []

    def push(self, value):
        if len(self.values) >= self.limit:
            raise ValueError(f"the stack holds its maximum of {self.limit} values")
        self.values.append(value)


@kernel("Stack")
def stack(*, elem_type):
    return Stack(elem_type)


@kernel("StackV2")
def stack_v2(max_size, *, elem_type):
    return Stack(elem_type, int(max_size) if max_size >= 0 else math.inf)


@kernel("StackPush", "StackPushV2")
def push(handle, value):
    handle.push(value)
    return value


@kernel("StackPop", "StackPopV2")
def pop(handle):
    if not handle.values:
        raise ValueError("the stack is empty")
    return handle.values.pop()


@kernel("StackClose", "StackCloseV2")
def close_stack(handle):
    handle.values.clear()
    return ()
