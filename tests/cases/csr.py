"""Sparse matrices in compressed rows: variants, so that each row makes them of dense matrices and shows them as such."""

from graphgrad import dtypes
from tests.cases import c64, case, const, f32

_AT = const([[0, 0], [0, 2], [1, 1], [2, 0], [2, 2]], "int64")
_AT2 = const([[0, 1], [1, 1], [1, 2], [2, 0]], "int64")
_BATCH = const([[0, 0, 1], [0, 1, 0], [1, 0, 0], [1, 1, 1]], "int64")
_SHAPE = const([3, 4], "int64")


def shown(g, matrix, dtype):
    return [g.CSRSparseMatrixToDense(matrix, type=dtype)]


def to_dense(g, dense, indices):
    return shown(g, g.DenseToCSRSparseMatrix(dense, indices), dense.dtype)


def to_sparse_tensor(g, indices, values, shape):
    matrix = g.SparseTensorToCSRSparseMatrix(indices, values, shape)
    return list(g.CSRSparseMatrixToSparseTensor(matrix, type=values.dtype))


def transposed(g, dense, indices, conjugate):
    matrix = g.SparseMatrixTranspose(g.DenseToCSRSparseMatrix(dense, indices), conjugate=conjugate, type=dense.dtype)
    return shown(g, matrix, dense.dtype)


def multiplied(g, dense, indices, b, **flags):
    return [g.SparseMatrixMatMul(g.DenseToCSRSparseMatrix(dense, indices), b, **flags)]


def sparse_product(g, a, a_indices, b, b_indices, **flags):
    matrices = g.DenseToCSRSparseMatrix(a, a_indices), g.DenseToCSRSparseMatrix(b, b_indices)
    return shown(g, g.SparseMatrixSparseMatMul(*matrices, type=a.dtype, **flags), a.dtype)


def summed(g, a, a_indices, b, b_indices, alpha, beta):
    matrices = g.DenseToCSRSparseMatrix(a, a_indices), g.DenseToCSRSparseMatrix(b, b_indices)
    return shown(g, g.SparseMatrixAdd(*matrices, alpha, beta), a.dtype)


def softmax(g, dense, indices):
    matrix = g.DenseToCSRSparseMatrix(dense, indices)
    return shown(g, g.SparseMatrixSoftmax(matrix, type=dense.dtype), dense.dtype)


def scaled(g, dense, indices, factor):
    return shown(g, g.SparseMatrixMul(g.DenseToCSRSparseMatrix(dense, indices), factor), dense.dtype)


def twice(g, dense, indices):
    matrix = g.DenseToCSRSparseMatrix(dense, indices)
    other = g.SparseMatrixTranspose(matrix, type=dense.dtype)
    return [*shown(g, matrix, dense.dtype), *shown(g, other, dense.dtype)]


def counted(g, dense, indices):
    return [g.SparseMatrixNNZ(g.DenseToCSRSparseMatrix(dense, indices))]


def components(g, dense, indices, index):
    return list(g.CSRSparseMatrixComponents(g.DenseToCSRSparseMatrix(dense, indices), index, type=dense.dtype))


def zeros(g, shape):
    return shown(g, g.SparseMatrixZeros(shape, type=dtypes.float32), dtypes.float32)


_FLAGS = ("", "transpose", "adjoint")


def _flags(**done):
    return {f"{what}_{side}": True for side, what in done.items() if what}


_SHAPES_A = {"": (3, 4), "transpose": (4, 3), "adjoint": (4, 3)}
_CASE = {"order": 1}

CASES = [
    case("DenseToCSRSparseMatrix", f32(3, 3), _AT, graph=to_dense, **_CASE),
    case("DenseToCSRSparseMatrix", f32(2, 2, 2), _BATCH, graph=to_dense, **_CASE),
    case("CSRSparseMatrixToDense", c64(3, 3), _AT, graph=to_dense, **_CASE),
    case("CSRSparseMatrixToDense", f32(3, 3), _AT, graph=twice, label="twice", **_CASE),
    case("SparseTensorToCSRSparseMatrix", _AT, f32(5), _SHAPE, graph=to_sparse_tensor, **_CASE),
    case("CSRSparseMatrixToSparseTensor", _BATCH, f32(4), const([2, 2, 2], "int64"), graph=to_sparse_tensor, **_CASE),
    *[case("SparseMatrixTranspose", c64(3, 3), _AT, graph=transposed, conjugate=c, **_CASE) for c in (False, True)],
    *[
        case(
            "SparseMatrixMatMul",
            *(f32(3, 3), _AT, f32(3, 2) if not b else f32(2, 3)),
            graph=multiplied,
            **_flags(a=a, b=b),
            **({"transpose_output": True} if flipped else {}),
            **_CASE,
        )
        for a in _FLAGS
        for b in _FLAGS
        for flipped in (False, True)
    ],
    *[
        case(
            "SparseMatrixMatMul",
            c64(3, 3),
            _AT,
            c64(3, 3),
            graph=multiplied,
            label=f"complex,{label}",
            **flags,
            **_CASE,
        )
        for label, flags in (
            ("plain", {}),
            ("adjoint", {"adjoint_a": True}),
            ("conjugate", {"conjugate_output": True, "transpose_b": True}),
            ("crossed", {"adjoint_a": True, "transpose_b": True}),
            ("crossed back", {"transpose_a": True, "adjoint_b": True}),
        )
    ],
    *[
        case(
            "SparseMatrixMatMul",
            f32(2, 2, 2),
            _BATCH,
            f32(2, 2, 3),
            graph=multiplied,
            label=f"batch,{t}",
            transpose_a=t,
            **_CASE,
        )
        for t in (False, True)
    ],
    *[
        case(
            "SparseMatrixSparseMatMul",
            f32(3, 3),
            _AT,
            f32(3, 3),
            _AT2,
            graph=sparse_product,
            **_flags(a=a, b=b),
            **_CASE,
        )
        for a in _FLAGS
        for b in _FLAGS
    ],
    case("SparseMatrixSparseMatMul", c64(3, 3), _AT, c64(3, 3), _AT2, graph=sparse_product, adjoint_a=True, **_CASE),
    case("SparseMatrixSparseMatMul", f32(2, 2, 2), _BATCH, f32(2, 2, 2), _BATCH, graph=sparse_product, **_CASE),
    case(
        "SparseMatrixAdd",
        f32(3, 3),
        _AT,
        f32(3, 3),
        _AT2,
        const(2.0, "float32"),
        const(-1.0, "float32"),
        graph=summed,
        **_CASE,
    ),
    case("SparseMatrixSoftmax", f32(3, 3), _AT, graph=softmax, **_CASE),
    case("SparseMatrixMul", f32(3, 3), _AT, const(3.0, "float32"), graph=scaled),
    case("SparseMatrixMul", f32(2, 2, 2), _BATCH, const([[[2.0]], [[3.0]]], "float32"), graph=scaled),
    case("SparseMatrixNNZ", const([[1.0, 2.0, 3.0]] * 3, "float32"), _AT, graph=counted),
    case("SparseMatrixNNZ", const([[[1.0, 2.0]] * 2] * 2, "float32"), _BATCH, graph=counted),
    case("CSRSparseMatrixComponents", const([[[1.0, 2.0]] * 2] * 2, "float32"), _BATCH, const(1), graph=components),
    case("SparseMatrixZeros", const([2, 3], "int64"), graph=zeros),
]
