"""Counts of values row by row, and distances of sequences."""

from tests.cases import case, const, f32, given

_AT = const([[0, 0], [0, 1], [1, 0], [2, 3]], "int64")
_SHAPE = const([3, 4], "int64")
_VALUES = given([1, 1, 3, 6], "int32")
_SPLITS = const([0, 2, 2, 4], "int64")
_NONE = const([], "float32")
_TYPES = {"minlength": -1, "maxlength": -1, "binary_output": False}

CASES = [
    *[case("SparseBincount", _AT, _VALUES, _SHAPE, const(5), weights) for weights in (_NONE, f32(4))],
    case("SparseBincount", const([[0], [2]], "int64"), given([1, 1], "int32"), const([3], "int64"), const(4), _NONE),
    *[
        case("RaggedBincount", _SPLITS, _VALUES, const(5), w, binary_output=b)
        for w, b in ((_NONE, True), (f32(4), False))
    ],
    *[
        case("SparseCountSparseOutput", _AT, _VALUES, _SHAPE, weights, **{**_TYPES, **attrs})
        for weights, attrs in (
            (_NONE, {}),
            (f32(4), {"maxlength": 4}),
            (_NONE, {"minlength": 9, "binary_output": True}),
        )
    ],
    case(
        "SparseCountSparseOutput",
        const([[1], [2]], "int64"),
        given([3, 3], "int32"),
        const([4], "int64"),
        _NONE,
        **_TYPES,
    ),
    case("RaggedCountSparseOutput", _SPLITS, _VALUES, _NONE, **_TYPES),
    case("DenseCountSparseOutput", given([[1, 1, 2], [0, 5, 0]], "int32"), _NONE, **_TYPES),
    case("DenseCountSparseOutput", given([3, 1, 3], "int64"), f32(3), **{**_TYPES, "minlength": 6}),
    *[
        case(
            "EditDistance",
            *(const([[0, 0], [0, 1], [2, 0]], "int64"), given([1, 2, 3], "int64"), const([3, 2], "int64")),
            *(const([[0, 0], [1, 0], [1, 1]], "int64"), given([2, 2, 2], "int64"), const([3, 2], "int64")),
            normalize=normalize,
        )
        for normalize in (True, False)
    ],
    case("Bincount", given([1, 1, 3], "int32"), const(5), _NONE),
]
