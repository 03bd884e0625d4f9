"""Recipes of sparse and ragged tensors, of counts and sets."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphgrad.kernels._serialized import serialize as serialized
from tests.oracle.kernel_draws.drawing import Drawer, Recipe, Shape

Parts = tuple[list[Any], dict[str, Any]]


def sparse(
    d: Drawer, dtype: str, shape: Shape, low: float = -3, high: float = 3, values: Any = None, attr: str = "int64"
) -> list[Any]:
    """Indices in order, values and shape of a sparse tensor."""
    total = int(np.prod(shape))
    random = d.random()
    flat = np.sort(random.permutation(total)[: d.integer(0, min(total, 6))])
    indices = np.stack(np.unravel_index(flat, shape), -1) if shape else np.zeros((len(flat), 0))
    numbers = d.array(dtype, (len(flat),), low, high, corners=False, values=values)
    return [d.given(attr, indices), numbers, d.given(attr, shape)]


def _shape(d: Drawer, least: int = 1, most: int = 3) -> Shape:
    return tuple(d.integer(1, 4) for _ in range(d.integer(least, most)))


def add(d: Drawer) -> Parts:
    shape = _shape(d)
    real = {"complex64": "float32", "complex128": "float64"}.get(d.dtype(), d.dtype())
    d.types["Treal"] = real
    return [*sparse(d, d.dtype(), shape), *sparse(d, d.dtype(), shape), d.given("Treal", d.pick([0, 1]))], {}


def add_grad(d: Drawer) -> Parts:
    shape = _shape(d)
    a, b = sparse(d, d.dtype(), shape), sparse(d, d.dtype(), shape)
    both = sorted({tuple(i) for i in [*a[0].tolist(), *b[0].tolist()]})
    total = np.array(both, np.int64).reshape(-1, len(shape))
    return [d.array(d.dtype(), (len(total),), corners=False), a[0], b[0], total], {}


def concat(d: Drawer) -> Parts:
    shape, count = _shape(d), d.integer(2, 3)
    axis = d.axis(len(shape))
    parts = [
        sparse(d, d.dtype(), tuple(d.integer(1, 4) if i == axis % len(shape) else n for i, n in enumerate(shape)))
        for _ in range(count)
    ]
    indices, values, shapes = (list(x) for x in zip(*parts, strict=True))
    return [indices, values, shapes], {"concat_dim": axis}


def cwise(d: Drawer) -> Parts:
    """With a dense tensor that broadcasts to it; numbers that are no 0."""
    shape = _shape(d)
    dense = tuple(d.pick([1, n]) for n in shape)[d.integer(0, len(shape)) :]
    return [*sparse(d, d.dtype(), shape), d.array(d.dtype(), dense, 1, 3, corners=False)], {}


def fill_empty_rows(d: Drawer) -> Parts:
    return [*sparse(d, d.dtype(), _shape(d, 2, 3)), d.array(d.dtype(), ())], {}


def fill_empty_rows_grad(d: Drawer) -> Parts:
    total = d.integer(0, 5)
    kept = np.sort(d.random().permutation(total)[: d.integer(0, total)]).astype(np.int64)
    return [kept, d.array(d.dtype(), (total,), corners=False)], {}


def reduce(d: Drawer) -> Parts:
    shape = _shape(d)
    return [*sparse(d, d.dtype(), shape), np.array(d.axes(len(shape)), np.int32)], {"keep_dims": d.flag()}


def reorder(d: Drawer) -> Parts:
    indices, values, shape = sparse(d, d.dtype(), _shape(d))
    order = d.random().permutation(len(values))
    return [indices[order], values[order], shape], {}


def reshape(d: Drawer) -> Parts:
    shape = (d.integer(1, 3), d.integer(1, 2) * 2, d.integer(1, 3))
    total = int(np.prod(shape))
    new = d.pick([[total], [-1], [2, total // 2], [2, -1], [1, 2, -1]])
    indices, _, dense = sparse(d, "float32", shape)
    return [indices, dense, np.array(new, np.int64)], {}


def slices(d: Drawer) -> Parts:
    shape = _shape(d)
    start = [d.integer(0, n) for n in shape]
    size = [d.integer(0, n + 1) for n in shape]
    return [*sparse(d, d.dtype(), shape), np.array(start, np.int64), np.array(size, np.int64)], {}


def slice_grad(d: Drawer) -> Parts:
    shape = _shape(d)
    indices, _, _ = sparse(d, d.dtype(), shape)
    start = np.array([d.integer(0, n - 1) for n in shape], np.int64)
    inside = indices[(indices >= start).all(1)] - start
    return [d.array(d.dtype(), (len(inside),), corners=False), indices, start, inside], {}


def softmax(d: Drawer) -> Parts:
    return sparse(d, d.dtype(), _shape(d, 2, 3)), {}


def pairwise(d: Drawer) -> Parts:
    shape = _shape(d)
    return [*sparse(d, d.dtype(), shape), *sparse(d, d.dtype(), shape)], {}


def split(d: Drawer) -> Parts:
    shape = _shape(d)
    axis = d.integer(0, len(shape) - 1)
    return [np.int64(axis), *sparse(d, d.dtype(), shape)], {"num_split": d.integer(1, shape[axis])}


def dense_add(d: Drawer) -> Parts:
    shape = _shape(d)
    return [*sparse(d, d.dtype(), shape, attr="Tindices"), d.array(d.dtype(), shape, corners=False)], {}


def dense_matmul(d: Drawer) -> Parts:
    rows, inner, columns = d.integer(1, 4), d.integer(1, 4), d.integer(1, 4)
    adjoint_a, adjoint_b = d.flag(), d.flag()
    indices, values, shape = sparse(d, d.dtype(), (inner, rows) if adjoint_a else (rows, inner))
    b = d.array(d.dtype(), (columns, inner) if adjoint_b else (inner, columns), corners=False)
    return [d.given("Tindices", indices), values, shape, b], {"adjoint_a": adjoint_a, "adjoint_b": adjoint_b}


def to_dense(d: Drawer) -> Parts:
    indices, values, shape = sparse(d, d.dtype(), _shape(d), attr="Tindices")
    if shape.size == 1 and d.flag():
        indices = indices[:, 0]
    return [indices, shape, values, d.array(d.dtype(), ())], {"validate_indices": True}


def dense_count(d: Drawer) -> Parts:
    shape = _shape(d, 1, 2)
    weights = d.pick([shape, (0,)])
    return [
        d.array(d.dtype(), shape, 0, 5, corners=False),
        d.array(d.dtype("output_type"), weights, corners=False),
    ], _limits(d, weights)


def _limits(d: Drawer, weights: Shape) -> dict[str, Any]:
    low = d.pick([-1, 0, 3])
    return {"minlength": low, "maxlength": d.pick([-1, 4, 7]), "binary_output": d.flag() and weights == (0,)}


def sparse_count(d: Drawer) -> Parts:
    indices, values, shape = sparse(d, d.dtype(), _shape(d, 1, 2), 0, 5)
    weights = d.pick([values.shape, (0,)])
    return [indices, values, shape, d.array(d.dtype("output_type"), weights, corners=False)], _limits(d, weights)


def ragged_count(d: Drawer) -> Parts:
    lengths = [d.integer(0, 3) for _ in range(d.integer(1, 4))]
    total = sum(lengths)
    weights = d.pick([(total,), (0,)])
    return [
        np.cumsum([0, *lengths]).astype(np.int64),
        d.array(d.dtype(), (total,), 0, 5, corners=False),
        d.array(d.dtype("output_type"), weights, corners=False),
    ], _limits(d, weights)


def sparse_bincount(d: Drawer) -> Parts:
    indices, values, shape = sparse(d, d.dtype("Tidx"), _shape(d, 1, 2), 0, 5)
    weights = d.pick([values.shape, (0,)])
    return [indices, values, shape, d.given("Tidx", d.integer(0, 6)), d.array(d.dtype(), weights, corners=False)], {
        "binary_output": d.flag()
    }


def ragged_bincount(d: Drawer) -> Parts:
    lengths = [d.integer(0, 3) for _ in range(d.integer(1, 4))]
    total = sum(lengths)
    weights = d.pick([(total,), (0,)])
    return [
        np.cumsum([0, *lengths]).astype(np.int64),
        d.array(d.dtype("Tidx"), (total,), 0, 5, corners=False),
        d.given("Tidx", d.integer(0, 6)),
        d.array(d.dtype(), weights, corners=False),
    ], {"binary_output": d.flag()}


def edit_distance(d: Drawer) -> Parts:
    """Words of a few letters, in the rows of two sparse tensors."""
    rows = d.integer(1, 3)

    def side() -> list[Any]:
        words = [d.integer(0, 4) for _ in range(rows)]
        indices = [[i, j] for i, n in enumerate(words) for j in range(n)]
        letters = d.array(d.dtype(), (len(indices),), 0, 2, corners=False)
        return [np.array(indices, np.int64).reshape(-1, 2), letters, np.array([rows, 4], np.int64)]

    return [*side(), *side()], {"normalize": d.flag()}


WAYS = ["a-b", "b-a", "intersection", "union"]


def _set(d: Drawer, rows: Shape) -> list[Any]:
    found = sparse(d, d.dtype(), (*rows, 4), 0, 4)
    return found


def dense_sets(d: Drawer) -> Parts:
    rows = _shape(d)
    return [d.array(d.dtype(), (*rows, d.integer(1, 4)), 0, 4, corners=False) for _ in range(2)], {
        "set_operation": d.pick(WAYS)
    }


def mixed_sets(d: Drawer) -> Parts:
    rows = _shape(d, 1, 2)
    return [d.array(d.dtype(), (*rows, d.integer(1, 4)), 0, 4, corners=False), *_set(d, rows)], {
        "set_operation": d.pick(WAYS)
    }


def sparse_sets(d: Drawer) -> Parts:
    rows = _shape(d, 1, 2)
    return [*_set(d, rows), *_set(d, rows)], {"set_operation": d.pick(WAYS)}


def set_size(d: Drawer) -> Parts:
    return _set(d, _shape(d, 1, 2)), {}


def serialize(d: Drawer) -> Parts:
    d.types["out_type"] = "string"
    return sparse(d, d.dtype(), _shape(d, 2 if d.op_type == "SerializeManySparse" else 1)), {}


def deserialize(d: Drawer) -> Parts:
    """One sparse tensor, or axes of them whose shapes may differ; one of another rank now and then."""
    dtype, rank = d.dtype("dtype"), d.integer(1, 2)
    d.types = {name: {"Tserialized": "string"}.get(name, kind) for name, kind in d.types.items()}
    outer = d.shape(1 if d.op_type == "DeserializeManySparse" else 0, 2, 2)
    count = int(np.prod(outer))
    threes = [serialized(*sparse(d, dtype, _shape(d, n, n))) for n in [rank] * (count - 1) + [rank + d.rarely()]]
    return [np.array(threes[:count], object).reshape(*outer, 3)], {}


# Ragged tensors


def _splits(d: Drawer, attr: str, rows: int) -> Any:
    return d.given(attr, np.cumsum([0, *[d.integer(0, 3) for _ in range(rows)]]))


def _ragged(d: Drawer, values: str, depth: int, attr: str = "Tsplits") -> tuple[list[Any], Any]:
    """Row splits from the outermost on, and the values under them."""
    splits, rows = [], d.integer(1, 3)
    for _ in range(depth):
        splits.append(_splits(d, attr, rows))
        rows = int(splits[-1][-1])
    return splits, d.array(d.dtype(values), (rows, *d.shape(0, 1, 2)))


def ragged_gather(d: Drawer) -> Parts:
    depth = d.integer(1, 2)
    splits, values = _ragged(d, "Tvalues", depth)
    indices = d.indices(d.dtype("Tindices"), d.shape(0, 2, 3), len(splits[0]) - 1)
    return [splits, values, indices], {"OUTPUT_RAGGED_RANK": depth + indices.ndim - 1}


def ragged_range(d: Drawer) -> Parts:
    rows = d.integer(0, 3)
    shapes = [d.pick([(rows,), ()]) for _ in range(3)]
    return [
        d.array(d.dtype(), shapes[0], -3, 3, corners=False),
        d.array(d.dtype(), shapes[1], -3, 6, corners=False),
        d.array(d.dtype(), shapes[2], values=[1, 2, -1]),
    ], {}


def ragged_to_sparse(d: Drawer) -> Parts:
    splits, values = _ragged(d, "T", d.integer(1, 2))
    return [splits, values], {}


def ragged_to_tensor(d: Drawer) -> Parts:
    rows = d.integer(1, 3)
    lengths = [d.integer(0, 3) for _ in range(rows)]
    total = sum(lengths)
    tail = d.shape(0, 1, 2)
    values = d.array(d.dtype(), (total, *tail))
    width = d.pick([-1, 2, 4])
    shape = [d.pick([-1, rows]), width, *tail]
    if d.flag():
        kinds, parts = ["ROW_SPLITS"], [d.given("Tindex", np.cumsum([0, *lengths]))]
    else:
        ids = np.repeat(np.arange(rows), lengths)
        kinds, parts = ["FIRST_DIM_SIZE", "VALUE_ROWIDS"], [d.given("Tindex", rows), d.given("Tindex", ids)]
    default = d.array(d.dtype(), d.pick([(), tail]))
    return [d.given("Tshape", shape), values, default, parts], {"row_partition_types": kinds}


def ragged_fill(d: Drawer) -> Parts:
    rows = d.integer(1, 4)
    ids = np.sort(d.random().integers(0, rows, d.integer(0, 5)))
    return [ids, d.array(d.dtype(), ids.shape), np.int64(rows), d.array(d.dtype(), ())], {}


def _table(recipe: Recipe, ops: str) -> dict[str, Recipe]:
    return dict.fromkeys(ops.split(), recipe)


RECIPES: dict[str, Recipe] = {
    "SparseAdd": add,
    "SparseAddGrad": add_grad,
    "SparseConcat": concat,
    **_table(cwise, "SparseDenseCwiseAdd SparseDenseCwiseDiv SparseDenseCwiseMul"),
    "SparseFillEmptyRows": fill_empty_rows,
    **_table(fill_empty_rows_grad, "SparseFillEmptyRowsGrad RaggedFillEmptyRowsGrad"),
    **_table(reduce, "SparseReduceMax SparseReduceMaxSparse SparseReduceSum SparseReduceSumSparse"),
    "SparseReorder": reorder,
    "SparseReshape": reshape,
    "SparseSlice": slices,
    "SparseSliceGrad": slice_grad,
    "SparseSoftmax": softmax,
    **_table(pairwise, "SparseSparseMaximum SparseSparseMinimum"),
    "SparseSplit": split,
    "SparseTensorDenseAdd": dense_add,
    "SparseTensorDenseMatMul": dense_matmul,
    "SparseToDense": to_dense,
    "DenseCountSparseOutput": dense_count,
    "SparseCountSparseOutput": sparse_count,
    "RaggedCountSparseOutput": ragged_count,
    "SparseBincount": sparse_bincount,
    "RaggedBincount": ragged_bincount,
    "EditDistance": edit_distance,
    "DenseToDenseSetOperation": dense_sets,
    "DenseToSparseSetOperation": mixed_sets,
    "SparseToSparseSetOperation": sparse_sets,
    "SetSize": set_size,
    **_table(serialize, "SerializeSparse SerializeManySparse"),
    **_table(deserialize, "DeserializeSparse DeserializeManySparse"),
    "RaggedGather": ragged_gather,
    "RaggedRange": ragged_range,
    "RaggedTensorToSparse": ragged_to_sparse,
    "RaggedTensorToTensor": ragged_to_tensor,
    "RaggedFillEmptyRows": ragged_fill,
}
