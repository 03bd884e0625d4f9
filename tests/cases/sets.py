"""Sets: the last axis of a tensor, or the entries of a sparse tensor's row."""

from tests.cases import case, const, given

_AT = const([[0, 0], [0, 1], [1, 0], [2, 3]], "int64")
_SHAPE = const([3, 4], "int64")
_VALUES = given([7, 2, 5, 5], "int64")
_DENSE = given([[2, 9, 2], [5, 4, 5], [1, 1, 1]], "int64")
_WORDS = given([[b"b", b"a", b"b"], [b"", b"c", b"zz"]], "object")

CASES = [
    case("SetSize", _AT, given([7, 7, 5, 5], "int64"), _SHAPE),
    *[
        case("DenseToDenseSetOperation", _DENSE, given([[2, 3], [4, 4], [1, 0]], "int64"), set_operation=operation)
        for operation in ("a-b", "b-a", "intersection", "union")
    ],
    case(
        "DenseToDenseSetOperation",
        _WORDS,
        given([[b"b"], [b"c"]], "object"),
        set_operation="union",
        label="words",
    ),
    case("DenseToSparseSetOperation", _DENSE, _AT, _VALUES, _SHAPE, set_operation="a-b"),
    case("DenseToSparseSetOperation", _DENSE, _AT, _VALUES, _SHAPE, set_operation="union"),
    case(
        "SparseToSparseSetOperation",
        _AT,
        _VALUES,
        _SHAPE,
        _AT,
        given([1, 2, 3, 5], "int64"),
        _SHAPE,
        set_operation="b-a",
    ),
    case(
        "SparseToSparseSetOperation",
        _AT,
        _VALUES,
        _SHAPE,
        _AT,
        given([1, 2, 3, 5], "int64"),
        _SHAPE,
        set_operation="union",
    ),
    case(
        "SparseToSparseSetOperation",
        *(_AT, _VALUES, _SHAPE, _AT, given([1, 2, 3, 5], "int64"), _SHAPE),
        set_operation="intersection",
    ),
]
