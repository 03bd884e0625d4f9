"""Static shapes of tensor lists: a list is a scalar, what is read from it has the shape that is asked for."""

from __future__ import annotations

from graphgrad.attributes import Shape
from graphgrad.graph import Operation
from graphgrad.handles import HELD
from graphgrad.registry import shape, shapes
from graphgrad.shapes import dims, values
from graphgrad.shapes.common import same_as_first, scalar
from graphgrad.tensors import Tensor

shapes(
    scalar,
    *["EmptyTensorList", "TensorListFromTensor", "TensorListLength", "TensorListPushBack", "TensorListReserve"],
    *["TensorListResize", "TensorListScatter", "TensorListScatterIntoExistingList", "TensorListScatterV2"],
    *["TensorListSetItem", "TensorListSplit"],
)
shapes(same_as_first, "TensorListConcatLists", "TensorListPushBackBatch")


def _asked(tensor: Tensor) -> Shape:
    """A shape given as a vector, or as the scalar -1 for an unknown rank."""
    return None if tensor.shape == () else values.as_shape(tensor)


# Which input of the ops that make lists says what shape the elements have.
_MADE_WITH = {
    "EmptyTensorList": 0,
    "TensorListReserve": 0,
    "TensorListFromTensor": 1,
    "TensorListScatter": 2,
    "TensorListScatterV2": 2,
    "TensorListSplit": 1,
}
_CHANGED_BY = (
    *["Identity", "TensorListPopBack", "TensorListPushBack", "TensorListResize", "TensorListScatterIntoExistingList"],
    *["TensorListSetItem", "ZerosLike"],
)
_JOINED_BY = ("AddN", "TensorListConcatLists")


def _element(handle: Tensor) -> Shape:
    """The shape of a list's elements, as far as the ops that made it tell."""
    found: Shape = None
    waiting, seen = [handle], {handle}
    while waiting:
        handle = waiting.pop()
        before = _made_of(handle)
        if not before and (made_with := _MADE_WITH.get(handle.op.type)) is not None:
            found = dims.merge(found, _asked(handle.op.inputs[made_with]))
        waiting += [t for t in before if t not in seen]
        seen.update(before)
    return found


def _made_of(handle: Tensor) -> list[Tensor]:
    """The lists whose elements have the same shape as those of this one."""
    op = handle.op
    if op.type in _JOINED_BY:
        return op.inputs
    if op.type in _CHANGED_BY and handle.index == 0:
        return op.inputs[:1]
    if op.type in ("While", "StatelessWhile") and (op.annotation(HELD) or {handle.index: 0})[handle.index]:
        return [op.inputs[handle.index]]
    handed_in = op.graph.given.get(handle, op.graph.outer.get(handle))
    return [] if handed_in is None else [handed_in]


@shape("TensorListGetItem")
def get_item(op: Operation) -> Shape:
    return dims.merge(_asked(op.inputs[2]), _element(op.inputs[0]))


@shape("TensorListPopBack")
def pop_back(op: Operation) -> list[Shape]:
    """TensorFlow does not look at the shape that is asked for."""
    return [(), _element(op.inputs[0])]


@shape("TensorListStack")
def stack(op: Operation) -> Shape:
    count = op["num_elements"]
    element = dims.merge(_asked(op.inputs[1]), _element(op.inputs[0]))
    return dims.join((None if count < 0 else count,), element)


@shape("TensorListGather")
def gather(op: Operation) -> Shape:
    indices = op.inputs[1].shape
    return dims.join(indices, dims.merge(_asked(op.inputs[2]), _element(op.inputs[0])))


@shape("TensorListConcat")
def concat(op: Operation) -> list[Shape]:
    return [_joined(dims.merge(op["element_shape"], _element(op.inputs[0]))), (None,)]


@shape("TensorListConcatV2")
def concat_v2(op: Operation) -> list[Shape]:
    return [_joined(dims.merge(_asked(op.inputs[1]), _element(op.inputs[0]))), (None,)]


def _joined(element: Shape) -> Shape:
    return None if element is None else (None, *element[1:])


@shape("TensorListElementShape")
def element_shape(op: Operation) -> Shape:
    """A vector, or the scalar -1 where elements differ in rank."""
    element = _element(op.inputs[0])
    return None if element is None else (len(element),)
