"""Static shapes of sparse tensors: coordinate lists of indices, values and a dense shape.

How many entries a result has is known only where every entry is kept.
"""

from __future__ import annotations

from graphgrad.attributes import Shape
from graphgrad.graph import Operation
from graphgrad.registry import shape, shapes
from graphgrad.shapes import dims, values
from graphgrad.shapes._coordinates import coordinates, dim_of
from graphgrad.shapes.dims import Dim


@shape("SparseAdd")
def add(op: Operation) -> list[Shape]:
    return coordinates(None, dim_of(op.inputs[2], 0))


@shape("SparseSparseMaximum", "SparseSparseMinimum")
def extremum(op: Operation) -> list[Shape]:
    return [(None, None), (None,)]


@shape("SparseSlice")
def sliced(op: Operation) -> list[Shape]:
    shape_ = op.inputs[2]
    return [(None, dim_of(shape_, 0)), (None,), shape_.shape]


@shape("SparseAddGrad")
def add_grad(op: Operation) -> list[Shape]:
    return [(dim_of(op.inputs[1], 0),), (dim_of(op.inputs[2], 0),)]


@shape("SparseSliceGrad")
def slice_grad(op: Operation) -> Shape:
    return (dim_of(op.inputs[1], 0),)


@shape("SparseDenseCwiseAdd", "SparseDenseCwiseMul", "SparseDenseCwiseDiv")
def with_dense(op: Operation) -> Shape:
    return (dim_of(op.inputs[0], 0),)


@shape("SparseReorder")
def reorder(op: Operation) -> list[Shape]:
    return [op.inputs[0].shape or (None, None), op.inputs[1].shape or (None,)]


@shape("SparseReshape")
def reshape(op: Operation) -> list[Shape]:
    rank = dim_of(op.inputs[2], 0)
    return [(dim_of(op.inputs[0], 0), rank), (rank,)]


@shape("SparseConcat")
def concat(op: Operation) -> list[Shape]:
    count: Dim = 0
    rank: Dim = None  # as the dense shapes tell it; the indices know of it too
    columns: Dim = None
    parts = op["N"]
    for indices, values_, shape_ in zip(*(op.inputs[i * parts : (i + 1) * parts] for i in range(3)), strict=True):
        count = dims.total(count, dims.merge_dim(dim_of(indices, 0), dim_of(values_, 0)))
        rank = dims.merge_dim(rank, dim_of(shape_, 0))
        columns = dims.merge_dim(columns, dim_of(indices, 1))
    return [(count, columns), (count,), (rank,)]


@shape("SparseSplit")
def split(op: Operation) -> list[Shape]:
    shape_, parts = op.inputs[3], op["num_split"]
    return [kind for kind in ((None, dim_of(shape_, 0)), (None,), shape_.shape) for _ in range(parts)]


@shape("SparseFillEmptyRows")
def fill_empty_rows(op: Operation) -> list[Shape]:
    indices, dense_shape = op.inputs[0], values.as_shape(op.inputs[2])
    rows = dense_shape[0] if dense_shape else None
    count = dims.merge_dim(dim_of(indices, 0), dim_of(op.inputs[1], 0))
    return [(None, dim_of(op.inputs[2], 0)), (None,), (rows,), (count,)]


@shape("SparseFillEmptyRowsGrad")
def fill_empty_rows_grad(op: Operation) -> list[Shape]:
    return [(dim_of(op.inputs[0], 0),), ()]


@shape("SparseToDense")
def to_dense(op: Operation) -> Shape:
    return values.as_shape(op.inputs[1])


@shape("SparseTensorDenseAdd")
def tensor_dense_add(op: Operation) -> Shape:
    return op.inputs[3].shape


@shape("SparseTensorDenseMatMul")
def tensor_dense_matmul(op: Operation) -> Shape:
    a, b = values.as_shape(op.inputs[2]) or (None, None), op.inputs[3].shape or (None, None)
    if len(a) != 2 or len(b) != 2:
        return None
    return (a[1] if op["adjoint_a"] else a[0], b[0] if op["adjoint_b"] else b[1])


shapes(lambda op: op.inputs[1].shape or (None,), "SparseSoftmax")


@shape("SparseReduceSum", "SparseReduceMax")
def reduce(op: Operation) -> Shape:
    dense, axes = values.complete(op.inputs[2]), values.complete(op.inputs[3])
    if dense is None or axes is None:
        return None
    reduced = {axis % len(dense) for axis in axes} if dense else set()
    if op["keep_dims"]:
        return tuple(1 if i in reduced else d for i, d in enumerate(dense))
    return tuple(d for i, d in enumerate(dense) if i not in reduced)


@shape("SparseReduceSumSparse", "SparseReduceMaxSparse")
def reduce_to_sparse(op: Operation) -> list[Shape]:
    return [None, None, None]


@shape("SparseCross", "SparseCrossV2", "SparseCrossHashed")
def cross(op: Operation) -> list[Shape]:
    return coordinates(None, 2)


# ---------------------------------------------------------------------- serialised
@shape("SerializeSparse")
def serialize(op: Operation) -> Shape:
    return (3,)


@shape("SerializeManySparse")
def serialize_many(op: Operation) -> Shape:
    return (None, 3)


@shape("DeserializeSparse", "DeserializeManySparse")
def deserialize(op: Operation) -> list[Shape]:
    return coordinates(None, None)
