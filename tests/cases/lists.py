"""Tensor lists: made from rows, changed, and read again, since a list itself can neither be fed nor fetched."""

from tests.cases import case, const, f32, f64


def stacked(g, handle, dtype):
    return [g.TensorListStack(handle, [-1], element_dtype=dtype)]


def of_rows(g, rows):
    return g.TensorListFromTensor(rows, [-1])


def from_tensor(g, rows):
    return stacked(g, of_rows(g, rows), rows.dtype)


def stack_known(g, rows):
    return [g.TensorListStack(of_rows(g, rows), [2], element_dtype=rows.dtype, num_elements=3)]


def pushed(g, a, b):
    empty = g.EmptyTensorList([-1], -1, element_dtype=a.dtype)
    return stacked(g, g.TensorListPushBack(g.TensorListPushBack(empty, a), b), a.dtype)


def popped(g, rows):
    shorter, last = g.TensorListPopBack(of_rows(g, rows), [-1], element_dtype=rows.dtype)
    return [last, *stacked(g, shorter, rows.dtype)]


def got(g, rows):
    return [g.TensorListGetItem(of_rows(g, rows), 1, [-1], element_dtype=rows.dtype)]


def put(g, rows, item, **attrs):
    return stacked(g, g.TensorListSetItem(of_rows(g, rows), 1, item, **attrs), rows.dtype)


def resized(g, rows):
    return stacked(g, g.TensorListResize(of_rows(g, rows), 2), rows.dtype)


def gathered(g, rows, indices):
    return [g.TensorListGather(of_rows(g, rows), indices, [-1], element_dtype=rows.dtype)]


def scattered(g, rows, indices):
    return stacked(g, g.TensorListScatter(rows, indices, [-1]), rows.dtype)


def scattered_v2(g, rows, indices):
    return stacked(g, g.TensorListScatterV2(rows, indices, [-1], 3), rows.dtype)


def scattered_into(g, rows, new, indices):
    return stacked(g, g.TensorListScatterIntoExistingList(of_rows(g, rows), new, indices), rows.dtype)


def summed(g, a, b):
    """What is known of the elements of one list is known of both."""
    return stacked(g, g.AddN([of_rows(g, a), g.TensorListFromTensor(b, [2])]), a.dtype)


def split(g, rows, lengths):
    handle = g.TensorListSplit(rows, [-1, 2], lengths)
    return [g.TensorListConcatV2(handle, [-1, 2], lengths, element_dtype=rows.dtype)[0]]


def joined(g, rows, lengths):
    handle = g.TensorListSplit(rows, [-1, 2], lengths)
    return [g.TensorListConcat(handle, element_dtype=rows.dtype)[0]]


_INDICES = const([2, 0])
_LENGTHS = const([1, 2], "int64")
CASES = [
    case("TensorListFromTensor", f32(3, 2), graph=from_tensor),
    case("TensorListFromTensor", f64(3, 2), graph=from_tensor),
    case("TensorListStack", f32(3, 2), graph=stack_known),
    case("TensorListPushBack", f32(2), f32(2), graph=pushed),
    case("TensorListPopBack", f32(3, 2), graph=popped),
    case("TensorListGetItem", f32(3, 2), graph=got),
    case("TensorListSetItem", f32(3, 2), f32(2), graph=put),
    case("TensorListSetItem", f32(3, 2), f32(2), graph=put, resize_if_index_out_of_bounds=True),
    case("TensorListResize", f32(3, 2), graph=resized),
    case("TensorListGather", f32(3, 2), _INDICES, graph=gathered),
    case("TensorListScatter", f32(2, 2), const([1, 0]), graph=scattered),
    case("TensorListScatterV2", f32(3, 2), const([1, 0, 2]), graph=scattered_v2),
    case("TensorListScatterIntoExistingList", f32(3, 2), f32(2, 2), _INDICES, graph=scattered_into),
    case("TensorListStack", f32(3, 2), f32(3, 2), graph=summed, label="of a sum"),
    case("TensorListSplit", f32(3, 2), _LENGTHS, graph=split),
    case("TensorListConcat", f32(3, 2), _LENGTHS, graph=joined),
    case("TensorListConcatV2", f32(3, 2), const([2, 1], "int64"), graph=split),
]
