"""Gradients of sparse tensors: coordinate lists of indices, values and a dense shape.

Only values have gradients; the gradient of a value is read at its index, indices and shapes get None.
"""

from __future__ import annotations

from graphgrad import dtypes
from graphgrad.functions import GraphBuilder
from graphgrad.graph import Operation
from graphgrad.registry import gradient, no_gradient
from graphgrad.shapes import dims
from graphgrad.tensors import Tensor

no_gradient("SparseAddGrad", "SparseConcat")


# ---------------------------------------------------------------------- rearranging
@gradient("SparseReorder")
def sparse_reorder(g, op, _, dz):
    """The order is found by sorting the places of the entries along with them."""
    indices, _, shape = op.inputs
    places = g.range(0, g.shape(indices)[0])
    with g.name_scope("SparseTensor"):
        pass
    order = g.SparseReorder(indices, places, shape)[1]
    _note_shape(g, shape)
    return None, g.gather(dz, g.InvertPermutation(order)), None


def _note_shape(g: GraphBuilder, shape: Tensor) -> None:
    """What TensorFlow leaves behind for the shape of a sparse tensor that nobody asks for."""
    known = g.python_value(shape)
    if known is None:
        g.Identity(shape)
    with g.name_scope("SparseTensor"):
        if known is not None:
            g.constant(list(known.flat), dtypes.int64, name="dense_shape")


@gradient("SparseSlice")
def sparse_slice(g, op, _, dz, __):
    indices, start, kept = op.inputs[0], op.inputs[3], op.outputs[0]
    return None, g.SparseSliceGrad(dz, indices, start, kept), None, None, None


@gradient("SparseFillEmptyRows")
def sparse_fill_empty_rows(g, op, _, dz, *__):
    values, default = g.SparseFillEmptyRowsGrad(op.outputs[3], dz)
    return None, values, None, default


@gradient("SparseToDense")
def sparse_to_dense(g, op, dz):
    """What stands nowhere else came from the default value."""
    indices, shape, values, _ = op.inputs
    dvalues = g.GatherNd(dz, index_rows(g, indices))
    everything, total = g.reduce_sum(dz), g.reduce_sum(dvalues)
    ddefault = everything - total
    return g.zeros_like(indices), g.zeros_like(shape), total if values.shape == () else dvalues, ddefault


def index_rows(g: GraphBuilder, indices: Tensor) -> Tensor:
    """The indices as a matrix. TensorFlow has no gradient for the lone index, or vector of places, that may stand here."""
    rank = dims.rank_of(indices.shape)
    return indices if rank in (2, None) else g.Reshape(indices, [-1, 1])


# ---------------------------------------------------------------------- sums
@gradient("SparseAdd")
def sparse_add(g, op, _, dz, __):
    a_indices, b_indices, sum_indices = op.inputs[0], op.inputs[3], op.outputs[0]
    da, db = g.SparseAddGrad(dz, a_indices, b_indices, sum_indices)
    da.has_shape(op.inputs[1].shape)
    db.has_shape(op.inputs[4].shape)
    return None, da, None, None, db, None, None


@gradient("SparseSparseMaximum", "SparseSparseMinimum")
def sparse_extremum(g, op, _, dz):
    """An entry gets what was chosen from it, on a tie the first operand's. TensorFlow's rule for these is broken."""
    a_indices, a, shape, b_indices, b, _ = op.inputs
    indices, z = op.outputs
    zeros, limit = g.zeros_like(z), g.zeros((), z.dtype.real_dtype)
    wide_a, wide_b = (
        g.SparseAdd(indices, zeros, shape, places, values, shape, limit)[1]
        for places, values in ((a_indices, a), (b_indices, b))
    )
    compare = g.GreaterEqual if op.type == "SparseSparseMaximum" else g.LessEqual
    is_a, zeros = compare(wide_a, wide_b), g.zeros_like(dz)
    da = g.SparseAddGrad(g.SelectV2(is_a, dz, zeros), a_indices, b_indices, indices)[0]
    db = g.SparseAddGrad(g.SelectV2(is_a, zeros, dz), a_indices, b_indices, indices)[1]
    return None, da, None, None, db, None


@gradient("SparseTensorDenseAdd")
def sparse_tensor_dense_add(g, op, dz):
    return None, g.GatherNd(dz, op.inputs[0]), None, dz


@gradient("SparseReduceSum")
def sparse_reduce_sum(g, op, dz):
    """An entry's sum stands at its own index, which is 0 along each reduced axis."""
    indices, _, shape, axes = op.inputs
    kept = g.reduced_shape(shape, axes)
    dz = g.Reshape(dz, kept)
    scale = shape // g.cast(kept, dtypes.int64)
    return None, g.GatherNd(dz, indices // scale), None, None


# ---------------------------------------------------------------------- with dense tensors
@gradient("SparseDenseCwiseMul")
def sparse_dense_mul(g, op, dz):
    at, shape, y = dense_entries(g, op)
    dx = dz * y
    return None, dx, None, scattered(g, op, at, dz * op.inputs[1], shape)


@gradient("SparseDenseCwiseDiv")
def sparse_dense_div(g, op, dz):
    at, shape, y = dense_entries(g, op)
    dx = dz / y
    return None, dx, None, scattered(g, op, at, dz * (-op.inputs[1] / g.Square(y)), shape)


def dense_entries(g: GraphBuilder, op: Operation) -> tuple[Tensor, Tensor, Tensor]:
    """For each sparse entry its index into the dense operand, which is broadcast; that operand's shape; its entry."""
    indices, _, shape, dense = op.inputs
    dense_shape = g.cast(g.shape(dense), dtypes.int64)
    added = g.ExpandDims(g.size(shape) - g.size(dense_shape), 0)
    aligned = g.concat([g.ones(added, dtypes.int64), dense_shape], 0)
    scaling = shape // aligned
    scaled = indices // scaling
    at = g.Slice(scaled, g.concat([[0], added], 0), [-1, -1])
    return at, dense_shape, g.GatherNd(dense, at)


def scattered(g: GraphBuilder, op: Operation, at: Tensor, values: Tensor, shape: Tensor) -> Tensor:
    """Zeros of the dense operand with `values` added at indices that may repeat."""
    zeros = g.zeros_like(op.inputs[3])
    return g.SparseTensorDenseAdd(at, values, shape, zeros)


@gradient("SparseTensorDenseMatMul")
def sparse_tensor_dense_matmul(g, op, dz):
    """z = A b: db = Aᴴ dz, and the gradient of the entry at (r, c) is the product of row r of dz and row c of b."""
    indices, values, shape, b = op.inputs
    adjoint_a, adjoint_b = op["adjoint_a"], op["adjoint_b"]
    db = g.SparseTensorDenseMatMul(indices, values, shape, dz, adjoint_a=not adjoint_a)
    if adjoint_b:
        with g.name_scope("matrix_transpose"):
            db = g.transpose(db, [1, 0], conjugate=True)
    rows, columns = indices[:, 0], indices[:, 1]
    if adjoint_a:
        rows, columns = columns, rows
    left = g.gather(dz, rows)
    right = g.gather(g.transpose(b) if adjoint_b else b, columns)
    left = g.ExpandDims(left, -1 if adjoint_a else -2)
    right = g.ExpandDims(right, -2 if adjoint_a == adjoint_b else -1)
    products = g.matmul(left, right, adjoint_a=adjoint_a, adjoint_b=adjoint_a == adjoint_b)
    return None, g.Squeeze(products, squeeze_dims=[-2, -1]), None, db


# ---------------------------------------------------------------------- others
@gradient("SparseSoftmax")
def sparse_softmax(g, op, dz):
    """dx = (dz - sum(dz y)) y along rows, over the entries that are there."""
    indices, _, shape = op.inputs
    (y,) = op.outputs
    # TensorFlow makes sparse tensors of y and dz here, each in a scope of its own.
    with g.name_scope("SparseTensor"):
        pass
    with g.name_scope("SparseTensor"):
        dz = g.dense(dz, "values")
    total = -g.SparseReduceSum(indices, y * dz, shape, [-1], keep_dims=True)
    return None, g.SparseDenseCwiseAdd(indices, dz, shape, total) * y, None
