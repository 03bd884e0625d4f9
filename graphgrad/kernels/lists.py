"""Kernels of tensor lists: values that share their elements and never change one another.

A list made by pushing onto another goes on in the same storage while it is the longest there, so that pushing costs
the same however long the list is; any other change copies the (references to the) elements.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from graphgrad.kernels._checks import lone
from graphgrad.kernels._variants import boxed, boxes, sum_of, unboxed, zeros_of
from graphgrad.registry import kernel

Array = np.ndarray[Any, Any]
Shape = tuple[int, ...] | None  # -1 where a dimension is not known, None where the rank is not
EMPTY = "the list is empty"
FEW = 8  # places of a list: adding so many takes the same time however long the list is


class TensorList:
    """The first `length` elements of `storage`; None stands for one that was never written.

    The list made last of another takes its storage over, so that a loop that writes n elements takes n steps; the other
    remembers what it had at the place that was changed, and takes the storage back should it be read again.
    """

    __slots__ = ("_changed", "_had", "_storage", "_successor", "_written", "dtype", "element_shape", "length", "most")

    def __init__(
        self, dtype: np.dtype[Any], element_shape: Shape, storage: list[Any], length: int | None = None, most: int = -1
    ):
        self._written: frozenset[int] | None = None  # the places ever written, where they are known to be few
        self.dtype, self.element_shape, self.most = dtype, element_shape, most
        self.length = len(storage) if length is None else length
        self._storage: list[Any] | None = storage
        self._successor: TensorList | None = None  # that took the storage over
        self._changed, self._had = -1, None  # the place where the successor differs, and what stands there here

    @property
    def storage(self) -> list[Any]:
        """The elements and perhaps more."""
        if self._storage is None:
            path = [self]
            while (successor := path[-1]._successor) is not None:
                path.append(successor)
            holder = path.pop()
            for version in reversed(path):
                holder._give_back(version)
                holder = version
        assert self._storage is not None
        return self._storage

    def _give_back(self, before: TensorList) -> None:
        storage, place = self.storage, before._changed
        self._changed, self._had = place, storage[place] if place >= 0 else None
        if place >= 0:
            storage[place] = before._had
        self._storage, self._successor = None, before
        before._storage, before._successor = storage, None

    def _followed(self, length: int, place: int = -1, element: Any = None) -> TensorList:
        """The list of that length with an element at a place, which may be the first behind all."""
        storage = self._storage if self._storage is not None else self.storage
        successor = TensorList(self.dtype, self.element_shape, storage, length, self.most)
        self._changed = -1
        if place == len(storage):
            storage.append(element)
        elif place >= 0:
            self._changed, self._had = place, storage[place]
            storage[place] = element
        self._storage, self._successor = None, successor
        return successor

    def elements(self) -> list[Any]:
        """The elements, in a list of the caller's own."""
        return self.storage[: self.length]

    def with_elements(self, elements: list[Any]) -> TensorList:
        """A list of the same kind."""
        return TensorList(self.dtype, self.element_shape, elements, None, self.most)

    def pushed(self, element: Array) -> TensorList:
        """One longer. Raises ValueError where the list is full."""
        self.accept_at(self.length, element)
        return self._followed(self.length + 1, self.length, element)

    def popped(self) -> tuple[TensorList, Any]:
        """One shorter, and what was its last element."""
        if not self.length:
            raise ValueError(EMPTY)
        element = self.storage[self.length - 1]
        return self._followed(self.length - 1), element

    def with_element(self, place: int, element: Any) -> TensorList:
        """A list that differs in one element."""
        written, successor = self._written, self._followed(self.length, place, element)
        if written is not None and len(written) < FEW:
            successor._written = written | {place}
        return successor

    def accept_at(self, place: int, element: Array) -> None:
        """Raises ValueError or TypeError where there is no such place, or the element does not belong there."""
        if 0 <= self.most <= place:
            raise ValueError(f"the list is full: it holds its {self.most} elements")
        if element.dtype != self.dtype or element.shape != self.element_shape:
            self.accept(element)

    def accept(self, element: Array) -> None:
        """Raises ValueError or TypeError for an element that does not belong here."""
        if element.dtype != self.dtype:
            raise TypeError(f"a list of {self.dtype} cannot hold {element.dtype}")
        merged(self.element_shape, element.shape)

    def zeros_like(self) -> TensorList:
        return self.with_elements([None if e is None else zeros_of(e) for e in self.elements()])

    def __add__(self, other: Any) -> TensorList:
        other = unboxed(other, TensorList)
        if self.length != other.length:
            raise ValueError(f"lists of {self.length} and {other.length} elements cannot be added")
        total, few = (self, other) if other._written is not None else (other, self)
        is_at_hand = self._storage is not None and other._storage is not None
        if few._written is None or self.element_shape != other.element_shape or not is_at_hand:
            pairs = zip(self.elements(), other.elements(), strict=True)
            return self.with_elements([_sum_of_written(a, b) for a, b in pairs])
        for place in few._written:
            both = self.storage[place], other.storage[place]
            total = total.with_element(place, _sum_of_written(*both))
        return total

    @classmethod
    def unwritten(cls, dtype: np.dtype[Any], element_shape: Shape, length: int) -> TensorList:
        """A list of elements that are still to be written."""
        unwritten = cls(dtype, element_shape, [None] * length)
        unwritten._written = frozenset()
        return unwritten


def _sum_of_written(a: Any, b: Any) -> Any:
    return b if a is None else a if b is None else sum_of(a, b)


class ListInUse:
    """A list in the hands of a loop that, once a round, either pushes onto it or pops from it and does nothing else with it."""

    __slots__ = ("_asked", "_elements", "_list", "_shape")

    def __init__(self, variant: Any, dtype: np.dtype[Any] | None = None):
        self._list = list_of(variant, dtype)
        self._elements = self._list.elements()
        self._asked: Array | None = None
        self._shape: Shape = None

    def push(self, element: Array) -> None:
        """As TensorListPushBack."""
        self._list.accept_at(len(self._elements), element)
        self._elements.append(element)

    def pop(self, element_shape: Array) -> Array:
        """The element that TensorListPopBack takes off."""
        if not self._elements:
            raise ValueError(EMPTY)
        if element_shape is not self._asked:
            self._asked, self._shape = element_shape, shape_of(element_shape)
        return _read(self._elements.pop(), self._list, self._shape)

    def released(self) -> Array:
        """The list as it has become."""
        return boxed(self._list.with_elements(self._elements))


def merged(a: Shape, b: Shape) -> Shape:
    """The shape both describe. Raises ValueError where they contradict."""
    if a == b:
        return a
    if a is None or b is None:
        return b if a is None else a
    if len(a) != len(b) or any(m != n and m >= 0 and n >= 0 for m, n in zip(a, b, strict=True)):
        raise ValueError(f"the element shapes {_show(a)} and {_show(b)} do not agree")
    return tuple(max(m, n) for m, n in zip(a, b, strict=True))


def _show(shape: Shape) -> str:
    return "unknown" if shape is None else "[" + ",".join("?" if n < 0 else str(n) for n in shape) + "]"


def shape_of(tensor: Array) -> Shape:
    """A shape as lists are given it: a vector, or the scalar -1 for an unknown rank."""
    if tensor.ndim == 0:
        if int(tensor) != -1:
            raise ValueError(f"an element shape is a vector or -1, not {int(tensor)}")
        return None
    return tuple(tensor.tolist())


def list_of(variant: Any, dtype: np.dtype[Any] | None = None) -> TensorList:
    """The list a variant holds. Raises TypeError where it holds something else or other elements."""
    found = unboxed(variant, TensorList)
    if dtype is not None and found.dtype != dtype:
        raise TypeError(f"the list holds {found.dtype}, not {dtype}")
    return found


# ---------------------------------------------------------------------------------------------------- made
@kernel("EmptyTensorList")
def empty_tensor_list(element_shape, max_num_elements, *, element_dtype):
    return boxed(TensorList(element_dtype, shape_of(element_shape), [], None, int(max_num_elements)))


@kernel("TensorListReserve")
def tensor_list_reserve(element_shape, num_elements, *, element_dtype):
    if num_elements < 0:
        raise ValueError(f"a list cannot have {int(num_elements)} elements")
    return boxed(TensorList.unwritten(element_dtype, shape_of(element_shape), int(num_elements)))


@kernel("TensorListFromTensor")
def tensor_list_from_tensor(tensor, element_shape):
    if not tensor.ndim:
        raise ValueError("a list is made of the rows of a tensor, and a scalar has none")
    shape = shape_of(element_shape)
    merged(shape, tensor.shape[1:])
    return boxed(TensorList(tensor.dtype, shape, _rows(tensor)))


def _rows(tensor: Array) -> list[Array]:
    return [np.asarray(row) if tensor.dtype != object else _cell(row) for row in tensor]


def _cell(value: Any) -> Array:
    return value if isinstance(value, np.ndarray) else boxed(value)


@kernel("TensorListSplit")
def tensor_list_split(tensor, element_shape, lengths):
    if not tensor.ndim:
        raise ValueError("a scalar cannot be split into a list")
    if element_shape.ndim > 1:
        raise ValueError(f"element_shape must be a vector or -1, not of shape {list(element_shape.shape)}")
    if lengths.sum() != len(tensor):
        raise ValueError(f"the lengths {lengths.tolist()} do not add up to the {len(tensor)} rows")
    shape, ends = shape_of(element_shape), np.cumsum(lengths)
    merged(None if shape is None else shape[1:], tensor.shape[1:])
    return boxed(TensorList(tensor.dtype, shape, [tensor[e - n : e] for e, n in zip(ends, lengths, strict=True)]))


def _scattered(into: list[Any], tensor: Array, indices: Array) -> list[Any]:
    if len(indices) != len(tensor):
        raise ValueError(f"{len(indices)} indices do not go with {len(tensor)} rows")
    if len(indices) and indices.min() < 0:
        raise ValueError(f"index {indices.min()} is negative")
    into += [None] * (int(indices.max(initial=-1)) + 1 - len(into))
    for index, row in zip(indices.tolist(), _rows(tensor), strict=True):
        into[index] = row
    return into


@kernel("TensorListScatter")
def tensor_list_scatter(tensor, indices, element_shape):
    return boxed(TensorList(tensor.dtype, shape_of(element_shape), _scattered([], tensor, indices.ravel())))


@kernel("TensorListScatterV2")
def tensor_list_scatter_v2(tensor, indices, element_shape, num_elements):
    count = int(num_elements)
    if 0 <= count <= indices.max(initial=-1):
        raise ValueError(f"index {indices.max()} lies outside a list of {count} elements")
    into = [None] * max(count, 0)
    return boxed(TensorList(tensor.dtype, shape_of(element_shape), _scattered(into, tensor, indices.ravel())))


@kernel("TensorListScatterIntoExistingList")
def tensor_list_scatter_into(input_handle, tensor, indices):
    if indices.ndim != 1:
        raise ValueError(f"indices must be a vector, not of shape {list(indices.shape)}")
    into = list_of(input_handle, tensor.dtype)
    return boxed(into.with_elements(_scattered(into.elements(), tensor, indices)))


# ------------------------------------------------------------------------------------------------- changed
@kernel("TensorListPushBack")
def tensor_list_push_back(input_handle, tensor):
    return boxed(list_of(input_handle).pushed(tensor))


@kernel("TensorListPushBackBatch")
def tensor_list_push_back_batch(input_handles, tensor):
    if input_handles.ndim != 1 or len(input_handles) != len(tensor):
        raise ValueError(f"{list(input_handles.shape)} lists do not go with {list(tensor.shape)} elements")
    return boxes([list_of(x).pushed(row) for x, row in zip(input_handles, _rows(tensor), strict=True)])


@kernel("TensorListPopBack")
def tensor_list_pop_back(input_handle, element_shape, *, element_dtype):
    shorter, element = list_of(input_handle, element_dtype).popped()
    return boxed(shorter), _read(element, shorter, shape_of(element_shape))


def _read(element: Any, owner: TensorList, shape: Shape) -> Array:
    """An element; zeros for one that was never written, if its shape is known."""
    if element is not None and element.shape == shape:  # the list has taken it, so its own shape is no other
        return element  # type: ignore[no-any-return]
    shape = merged(owner.element_shape, shape)
    if element is not None:
        merged(shape, element.shape)
        return element  # type: ignore[no-any-return]
    if shape is None or min(shape, default=0) < 0:
        raise ValueError(f"an element that was never written is read, and its shape is {_show(shape)}")
    return np.zeros(shape, owner.dtype)


@kernel("TensorListSetItem")
def tensor_list_set_item(input_handle, index, item, *, resize_if_index_out_of_bounds):
    changed = list_of(input_handle)
    changed.accept(item)
    place = lone(index, "index")
    if resize_if_index_out_of_bounds and place >= changed.length:
        changed = changed.with_elements(changed.elements() + [None] * (place + 1 - changed.length))
    if not 0 <= place < changed.length:
        raise ValueError(f"index {place} lies outside a list of {changed.length} elements")
    return boxed(changed.with_element(place, item))


@kernel("TensorListResize")
def tensor_list_resize(input_handle, size):
    if size < 0:
        raise ValueError(f"a list cannot have {int(size)} elements")
    resized = list_of(input_handle)
    elements = resized.elements()[: int(size)]
    return boxed(resized.with_elements(elements + [None] * (int(size) - len(elements))))


@kernel("TensorListConcatLists")
def tensor_list_concat_lists(input_a, input_b):
    if input_a.shape != input_b.shape:
        raise ValueError(f"lists of shapes {list(input_a.shape)} and {list(input_b.shape)} cannot be joined")
    joined = [_joined(a, b) for a, b in zip(input_a.ravel(), input_b.ravel(), strict=True)]
    return boxes(joined).reshape(input_a.shape)


def _joined(a: Any, b: Any) -> TensorList:
    a, b = list_of(a), list_of(b)
    if a.dtype != b.dtype:
        raise TypeError(f"a list of {a.dtype} and one of {b.dtype} cannot be joined")
    return TensorList(a.dtype, merged(a.element_shape, b.element_shape), a.elements() + b.elements())


# ---------------------------------------------------------------------------------------------------- read
@kernel("TensorListLength")
def tensor_list_length(input_handle):
    return np.int32(list_of(input_handle).length)


@kernel("TensorListElementShape")
def tensor_list_element_shape(input_handle, *, shape_type):
    shape = list_of(input_handle).element_shape
    return np.array(-1 if shape is None else shape, shape_type)


@kernel("TensorListGetItem")
def tensor_list_get_item(input_handle, index, element_shape, *, element_dtype):
    found = list_of(input_handle, element_dtype)
    place = index.item()
    if not 0 <= place < found.length:
        raise ValueError(f"index {place} lies outside a list of {found.length} elements")
    return _read(found.storage[place], found, shape_of(element_shape))


def _stacked(elements: list[Any], owner: TensorList, shape: Shape) -> Array:
    shape = merged(owner.element_shape, shape)
    for element in elements:
        if element is not None:
            shape = merged(shape, element.shape)
    if not elements:
        if shape is None or min(shape, default=0) < 0:
            raise ValueError(f"no elements to stack, and their shape is {_show(shape)}")
        return np.zeros((0, *shape), owner.dtype)
    read = [_read(element, owner, shape) for element in elements]
    return boxes([e[()] for e in read]) if owner.dtype == object and not read[0].ndim else np.stack(read)


@kernel("TensorListStack")
def tensor_list_stack(input_handle, element_shape, *, element_dtype, num_elements):
    found = list_of(input_handle, element_dtype)
    if num_elements not in (-1, found.length):
        raise ValueError(f"{num_elements} elements are to be stacked, and the list has {found.length}")
    return _stacked(found.elements(), found, shape_of(element_shape))


@kernel("TensorListGather")
def tensor_list_gather(input_handle, indices, element_shape, *, element_dtype):
    found = list_of(input_handle, element_dtype)
    outside = (indices < 0) | (indices >= found.length)
    if outside.any():
        raise ValueError(f"index {indices[outside][0]} lies outside a list of {found.length} elements")
    return _stacked([found.storage[i] for i in indices.reshape(-1).tolist()], found, shape_of(element_shape))


@kernel("TensorListConcat")
def tensor_list_concat(input_handle, *, element_dtype, element_shape):
    shape = None if element_shape is None else tuple(-1 if n is None else n for n in element_shape)
    return _concatenated(list_of(input_handle, element_dtype), shape, None)


@kernel("TensorListConcatV2")
def tensor_list_concat_v2(input_handle, element_shape, leading_dims, *, element_dtype):
    return _concatenated(list_of(input_handle, element_dtype), shape_of(element_shape), leading_dims)


def _concatenated(found: TensorList, shape: Shape, leading: Any) -> tuple[Array, Array]:
    """The elements behind one another, and how many rows each has."""
    shape = merged(found.element_shape, shape)
    inner = None if shape is None else shape[1:]
    elements = found.elements()
    for element in elements:
        if element is not None:
            inner = merged(inner, element.shape[1:])
    for at, element in enumerate(elements):
        if element is None:
            rows = int(leading[at]) if leading is not None and len(leading) > at else (shape or (-1,))[0]
            if inner is None or rows < 0 or min(inner, default=0) < 0:
                raise ValueError("an element that was never written is read, and its shape is not known")
            elements[at] = np.zeros((rows, *inner), found.dtype)
    lengths = np.array([len(e) for e in elements], np.int64)
    if not elements:
        if inner is None or min(inner, default=0) < 0:
            raise ValueError(f"no elements to join, and their shape is {_show(shape)}")
        return np.zeros((0, *inner), found.dtype), lengths
    return np.concatenate(elements), lengths
