"""Gradients of tensor lists, which are variants: the gradient of a list is a list."""

from __future__ import annotations

from graphgrad import dtypes
from graphgrad.functions import GraphBuilder
from graphgrad.graph import Operation
from graphgrad.registry import gradient, no_gradient
from graphgrad.tensors import Tensor

no_gradient("TensorListElementShape", "TensorListLength", "EmptyTensorList", "TensorListReserve")
no_gradient("TensorListConcatLists", "TensorListPushBackBatch")


def _shape_of_list(g: GraphBuilder, handle: Tensor) -> Tensor:
    return g.TensorListElementShape(handle, shape_type=dtypes.int32)


def _row_shape(g: GraphBuilder, x: Tensor) -> Tensor:
    return g.Slice(g.shape(x), [1], [-1])


@gradient("TensorListPushBack")
def push_back(g, op, dz):
    return g.TensorListPopBack(dz, g.shape(op.inputs[1]), element_dtype=op["element_dtype"])


@gradient("TensorListPopBack")
def pop_back(g, op, dlist, delement):
    return g.TensorListPushBack(dlist, delement), None


@gradient("TensorListStack")
def stack(g, op, dz):
    static, dz = dz.shape, g.dense(dz)
    return g.TensorListFromTensor(dz, g.shape_with_gaps(None if static is None else static[1:])), None


@gradient("TensorListFromTensor")
def from_tensor(g, op, dlist):
    rows = op.inputs[0]
    count = rows.shape[0] if rows.shape else None
    return _stacked(g, dlist, rows, -1 if count is None else count), None


def _stacked(g: GraphBuilder, dlist: Tensor, rows: Tensor, count: int) -> Tensor:
    return g.TensorListStack(dlist, _row_shape(g, rows), element_dtype=rows.dtype, num_elements=count)


@gradient("TensorListConcat")
def concat(g, op, dz, _):
    return _split_again(g, op, dz)


@gradient("TensorListConcatV2")
def concat_v2(g, op, dz, _):
    return _split_again(g, op, dz), None, None


def _split_again(g: GraphBuilder, op: Operation, dz: Tensor) -> Tensor:
    return g.TensorListSplit(dz, _shape_of_list(g, op.inputs[0]), op.outputs[1])


@gradient("TensorListSplit")
def split(g, op, dlist):
    rows, _, lengths = op.inputs
    shape = g.concat([[-1], _row_shape(g, rows)], axis=0)
    return g.TensorListConcatV2(dlist, shape, lengths, element_dtype=rows.dtype)[0], None, None


@gradient("TensorListGetItem")
def get_item(g, op, dz):
    handle, index, _ = op.inputs
    count = g.TensorListLength(handle)
    zeros = g.TensorListReserve(_shape_of_list(g, handle), count, element_dtype=dz.dtype)
    return g.TensorListSetItem(zeros, index, dz), None, None


@gradient("TensorListSetItem")
def set_item(g, op, dlist):
    handle, index, item = op.inputs
    dhandle = g.TensorListSetItem(dlist, index, g.zeros_like(item))
    ditem = g.TensorListGetItem(dlist, index, g.shape(item), element_dtype=item.dtype)
    if op["resize_if_index_out_of_bounds"]:
        dhandle = g.TensorListResize(dhandle, g.TensorListLength(handle))
    return dhandle, None, ditem


@gradient("TensorListResize")
def resize(g, op, dlist):
    return g.TensorListResize(dlist, g.TensorListLength(op.inputs[0])), None


@gradient("TensorListGather")
def gather(g, op, dz):
    handle, indices, _ = op.inputs
    shape, count = _shape_of_list(g, handle), g.TensorListLength(handle)
    zeros = g.TensorListReserve(shape, count, element_dtype=dz.dtype)
    return g.TensorListScatterIntoExistingList(zeros, g.dense(dz), indices), None, None


@gradient("TensorListScatter")
def scatter(g, op, dlist):
    return _gathered(g, dlist, op.inputs[0], op.inputs[1]), None, None


@gradient("TensorListScatterV2")
def scatter_v2(g, op, dlist):
    return _gathered(g, dlist, op.inputs[0], op.inputs[1]), None, None, None


def _gathered(g: GraphBuilder, dlist: Tensor, rows: Tensor, indices: Tensor) -> Tensor:
    return g.TensorListGather(dlist, indices, _row_shape(g, rows), element_dtype=rows.dtype)


@gradient("TensorListScatterIntoExistingList")
def scatter_into(g, op, dlist):
    _, rows, indices = op.inputs
    drows = _gathered(g, dlist, rows, indices)
    return g.TensorListScatterIntoExistingList(dlist, g.zeros_like(rows), indices), drows, None
