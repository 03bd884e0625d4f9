"""Sparse tensors: indices, values and a dense shape."""

from typing import Any

from graphgrad import dtypes
from tests.cases import case, const, f32, given

_AT = const([[0, 0], [0, 2], [1, 1], [2, 0]], "int64")
_UNSORTED = const([[2, 0], [0, 2], [1, 1], [0, 0]], "int64")
_OTHER = const([[0, 2], [1, 0], [2, 0]], "int64")
_SHAPE = const([3, 4], "int64")
_AT3 = const([[0, 0, 1], [0, 2, 0], [1, 0, 1], [1, 2, 1]], "int64")
_SHAPE3 = const([2, 3, 2], "int64")
_FED_AT = given([[0, 0], [0, 2], [1, 1], [2, 0]], "int64")
_FED_SHAPE = given([3, 4], "int64")
_ZERO = const(0.0, "float32")

_NUMBERS, _WORDS = given([1, 2, 3, 4], dtype="int64"), given([b"a", b"bc", b""], dtype="object")


def _crossed(**attrs: Any) -> dict[str, Any]:
    return {"sparse_types": [dtypes.int64, dtypes.string], "dense_types": [], **attrs}


def _read_again(g: Any, values: Any) -> list[Any]:
    return list(g.DeserializeSparse(g.SerializeSparse(_at(g), values, _shape(g)), dtype=values.dtype))


def _batch_read_again(g: Any, values: Any) -> list[Any]:
    return list(g.DeserializeManySparse(g.SerializeManySparse(_at(g), values, _shape(g)), dtype=values.dtype))


def _at(g: Any) -> Any:
    return g.constant(_AT.value, dtypes.int64)


def _shape(g: Any) -> Any:
    return g.constant(_SHAPE.value, dtypes.int64)


CASES = [
    case("SparseReorder", _UNSORTED, f32(4), _SHAPE),
    case("SparseReorder", _FED_AT, f32(4), _FED_SHAPE, label="fed"),
    case("SparseReshape", _AT, _SHAPE, const([2, -1], "int64")),
    case("SparseReshape", _AT, _SHAPE, const([2, 3, 2], "int64")),
    case("SparseSlice", _AT, f32(4), _SHAPE, const([0, 1], "int64"), const([2, 9], "int64"), order=1),
    case(
        "SparseSlice", _FED_AT, f32(4), _FED_SHAPE, given([0, 0], "int64"), given([2, 2], "int64"), order=1, label="fed"
    ),
    case("SparseSliceGrad", f32(2), _AT, const([0, 1], "int64"), const([[0, 1], [1, 0]], "int64")),
    case("SparseConcat", [_AT, _OTHER], [f32(4), f32(3)], [_SHAPE, _SHAPE], concat_dim=1),
    case("SparseConcat", [_AT, _FED_AT], [f32(4), f32(4)], [_SHAPE, _SHAPE], concat_dim=-2),
    case("SparseSplit", const(1, "int64"), _AT, f32(4), _SHAPE, num_split=3),
    case("SparseFillEmptyRows", _OTHER, f32(3), const([5, 4], "int64"), f32(), order=1),
    case("SparseFillEmptyRows", const([[3, 0], [1, 1]], "int64"), f32(2), const([5, 4], "int64"), f32(), order=1),
    case("SparseFillEmptyRows", _FED_AT, f32(4), _FED_SHAPE, f32(), order=1, label="fed"),
    case("SparseFillEmptyRowsGrad", const([0, 2, 3], "int64"), f32(5)),
    case("SparseToDense", _AT, _SHAPE, f32(4), f32()),
    case("SparseToDense", _UNSORTED, _SHAPE, f32(), f32(), validate_indices=False),
    case("SparseToDense", const([1, 3]), const([5]), f32(2), f32()),
    case("SparseToDense", const(3), const([5]), f32(), f32()),
    case("SparseToDense", _FED_AT, _FED_SHAPE, f32(4), f32(), label="fed"),
    case("SparseAdd", _AT, f32(4), _SHAPE, _OTHER, f32(3), _SHAPE, _ZERO, order=1),
    case("SparseAdd", _AT, f32(4), _SHAPE, _OTHER, f32(3), _SHAPE, const(0.3, "float32"), order=1, smooth=False),
    case("SparseAdd", _FED_AT, f32(4), _FED_SHAPE, _OTHER, f32(3), _FED_SHAPE, _ZERO, order=1, label="fed"),
    case("SparseAddGrad", f32(5), _AT, _OTHER, const([[0, 0], [0, 2], [1, 0], [1, 1], [2, 0]], "int64")),
    case("SparseAddGrad", f32(3), _AT, _OTHER, const([[0, 2], [1, 1], [2, 0]], "int64"), label="some left out"),
    case("SparseTensorDenseAdd", _AT, f32(4), _SHAPE, f32(3, 4)),
    case("SparseTensorDenseAdd", const([[0, 1], [0, 1]]), f32(2), const([2, 2]), f32(2, 2)),
    *[
        case(op, _AT, f32(4), _SHAPE, _OTHER, f32(3), _SHAPE, order=1)
        for op in ("SparseSparseMaximum", "SparseSparseMinimum")
    ],
    *[
        case("SparseReduceSum", _AT3, f32(4), _SHAPE3, axes, keep_dims=keep)
        for axes in (const([1]), const([0, -1]), const(2), const([0], "int32"))
        for keep in (False, True)
    ],
    case("SparseReduceSum", _AT3, f32(4), _SHAPE3, given([1], "int32"), keep_dims=True, label="fed axes"),
    case("SparseReduceSum", _AT3, f32(4), _SHAPE3, const([])),
    case("SparseReduceSum", _FED_AT, f32(4), _FED_SHAPE, const([1]), label="fed"),
    case("SparseReduceSumSparse", _AT3, f32(4), _SHAPE3, const([1])),
    case("SparseReduceSumSparse", _AT3, f32(4), _SHAPE3, const([0, 2]), keep_dims=True),
    case("SparseReduceMax", _AT3, f32(4), _SHAPE3, const([1])),
    case("SparseReduceMaxSparse", _AT3, f32(4), _SHAPE3, const([-1]), keep_dims=True),
    case("SparseSoftmax", _AT, f32(4), _SHAPE, order=1),
    case("SparseSoftmax", _AT3, f32(4), _SHAPE3, order=1),
    case("SparseDenseCwiseAdd", _AT, f32(4), _SHAPE, f32(4), order=1),
    *[
        case(op, indices, f32(4), shape, dense, order=1, smooth=dense.shape != ())
        for op in ("SparseDenseCwiseMul", "SparseDenseCwiseDiv")
        for indices, shape, dense in (
            (_AT, _SHAPE, f32(3, 4, low=1, high=2)),
            (_AT, _SHAPE, f32(4, low=1, high=2)),
            (_AT, _SHAPE, f32(3, 1, low=1, high=2)),
            (_AT3, _SHAPE3, f32(1, 2, low=1, high=2)),
            (_AT, _SHAPE, f32(low=1, high=2)),
        )
    ],
    case("SparseDenseCwiseMul", _FED_AT, f32(4), _FED_SHAPE, f32(4), order=1, label="fed"),
    *[
        case("SparseTensorDenseMatMul", _AT, f32(4), _SHAPE, f32(*shape), adjoint_a=a, adjoint_b=b)
        for a, b, shape in (
            (False, False, (4, 2)),
            (True, False, (3, 2)),
            (False, True, (2, 4)),
            (True, True, (2, 3)),
        )
    ],
    case("SparseTensorDenseMatMul", _FED_AT, f32(4), _FED_SHAPE, f32(4, 2), label="fed"),
    case(
        "SparseCross",
        *([_AT, _OTHER], [_NUMBERS, _WORDS], [_SHAPE, _SHAPE], []),
        label="hashed",
        **_crossed(hashed_output=True, num_buckets=1000, hash_key=956888297470),
        out_type=dtypes.int64,
        internal_type=dtypes.int64,
    ),
    case(
        "SparseCrossV2",
        *([_AT, _OTHER], [_NUMBERS, _WORDS], [_SHAPE, _SHAPE], [], given(b"_X_", dtype="object")),
        label="joined",
        **_crossed(),
    ),
    case(
        "SparseCrossHashed",
        *([_AT, _OTHER], [_NUMBERS, _WORDS], [_SHAPE, _SHAPE], []),
        *(const(1000, "int64"), const(True, "bool"), const([7, 11], "int64")),
        label="strong",
        **_crossed(),
    ),
    *[
        case(op, _AT, values, _SHAPE, order=1, smooth=False, label=values.dtype)
        for op in ("SerializeSparse", "SerializeManySparse")
        for values in (given([1.0, 2.0, 3.0, 4.0]), given([b"a", b"bc", b"", b"d"], "object"))
    ],
    case("DeserializeSparse", f32(4), graph=_read_again, order=1, smooth=False),
    case("DeserializeManySparse", f32(4), graph=_batch_read_again, order=1, smooth=False),
]
