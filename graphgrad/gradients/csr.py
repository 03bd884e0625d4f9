"""Gradients of sparse matrices in compressed rows, which are variant tensors: one matrix or a batch of them.

The gradient of a sparse matrix has entries where the matrix has them and nowhere else.
"""

from __future__ import annotations

from typing import Any

from graphgrad import dtypes
from graphgrad.dtypes import DType
from graphgrad.functions import GraphBuilder
from graphgrad.graph import Operation
from graphgrad.registry import gradient, no_gradient
from graphgrad.shapes import dims
from graphgrad.shapes.values import python_shape
from graphgrad.tensors import Tensor

no_gradient("SparseMatrixNNZ", "SparseMatrixZeros")


# ---------------------------------------------------------------------- conversions
@gradient("DenseToCSRSparseMatrix")
def dense_to_csr(g, op, dz):
    return g.CSRSparseMatrixToDense(dz, type=op["T"]), None


@gradient("CSRSparseMatrixToDense")
def csr_to_dense(g, op, dz):
    indices = g.CSRSparseMatrixToSparseTensor(op.inputs[0], type=dz.dtype)[0]
    values = g.GatherNd(dz, indices)
    static = dz.shape if isinstance(dz, Tensor) else python_shape(dz.dense_shape)
    shape = list(static) if dims.is_known(static) else g.shape(dz, optimize=False, out_type=dtypes.int64)
    return g.SparseTensorToCSRSparseMatrix(indices, values, shape)


@gradient("SparseTensorToCSRSparseMatrix")
def sparse_tensor_to_csr(g, op, dz):
    return None, g.CSRSparseMatrixToSparseTensor(dz, type=op["T"])[1], None


@gradient("CSRSparseMatrixToSparseTensor")
def csr_to_sparse_tensor(g, op, _, dz, __):
    indices, _, shape = op.outputs
    return g.SparseTensorToCSRSparseMatrix(indices, dz, shape)


# ---------------------------------------------------------------------- element by element
@gradient("SparseMatrixAdd")
def sparse_matrix_add(g, op, dz):
    """c = alpha a + beta b; the factors get no gradients."""
    a, b, alpha, beta = op.inputs
    da = g.SparseMatrixMul(pruned(g, dz, a, op["T"]), alpha)
    db = g.SparseMatrixMul(pruned(g, dz, b, op["T"]), beta)
    return da, db, None, None


@gradient("SparseMatrixTranspose")
def sparse_matrix_transpose(g, op, dz):
    return g.SparseMatrixTranspose(dz, type=op["type"], conjugate=op["conjugate"])


@gradient("SparseMatrixSoftmax")
def sparse_matrix_softmax(g, op, dz):
    return g.SparseMatrixSoftmaxGrad(op.outputs[0], dz, type=op["type"])


def pruned(g: GraphBuilder, matrix: Tensor, pattern: Tensor, dtype: DType) -> Tensor:
    """The matrix without the entries that `pattern` has not."""
    indices, values, matrix_shape = g.CSRSparseMatrixToSparseTensor(matrix, type=dtype)
    wanted, wanted_values, shape = g.CSRSparseMatrixToSparseTensor(pattern, type=dtype)
    wanted = flat_indices(g, wanted, wanted_values, shape)
    present = flat_indices(g, indices, values, matrix_shape)
    places = lower_bound(g, present, wanted)
    is_there = g.Equal(g.gather(present, places), wanted)
    kept = g.gather(places, g.Where(is_there))
    return g.SparseTensorToCSRSparseMatrix(g.GatherNd(indices, kept), g.GatherNd(values, kept), shape)


def flat_indices(g: GraphBuilder, indices: Tensor, values: Tensor, shape: Tensor) -> Tensor:
    """The indices counted through the whole tensor, as one vector."""
    flat = g.cast([-1], dtypes.int64)
    with g.name_scope("SparseReshape") as scope:
        flat = g.SparseReshape(indices, shape, flat, name=scope)[0]
        g.Identity(values)
    return flat[..., 0]


def lower_bound(g: GraphBuilder, row: Tensor, wanted: Tensor) -> Tensor:
    """The first place in an ascending vector that is not below each wanted value."""
    length, count = g.shape(row)[-1], g.shape(wanted)[-1]
    row = g.Reshape(row, [-1, length])
    found = g.LowerBound(row, g.Reshape(wanted, [-1, count]))
    return g.Reshape(found, g.shape(wanted))


# ---------------------------------------------------------------------- products of two sparse matrices
# What is done to (a, b) before they are multiplied: nothing, transpose, adjoint. For each operand's gradient its two
# factors, a conjugated one with a star, and what is done to them.
SPARSE_PRODUCT_GRADIENTS = {
    ("", ""): (("dz", "b", "", "adjoint"), ("a", "dz", "adjoint", "")),
    ("", "adjoint"): (("dz", "b", "", ""), ("dz", "a", "adjoint", "")),
    ("adjoint", ""): (("b", "dz", "", "adjoint"), ("a", "dz", "", "")),
    ("adjoint", "adjoint"): (("b", "dz", "adjoint", "adjoint"), ("dz", "a", "adjoint", "adjoint")),
    ("", "transpose"): (("dz", "b*", "", ""), ("dz", "a*", "transpose", "")),
    ("transpose", ""): (("b*", "dz", "", "transpose"), ("a*", "dz", "", "")),
    ("transpose", "transpose"): (("b", "dz", "adjoint", "transpose"), ("dz", "a", "transpose", "adjoint")),
    ("adjoint", "transpose"): (("b", "dz", "transpose", "adjoint"), ("dz", "a", "transpose", "transpose")),
    ("transpose", "adjoint"): (("b", "dz", "transpose", "transpose"), ("dz", "a", "adjoint", "transpose")),
}


@gradient("SparseMatrixSparseMatMul")
def sparse_matrix_sparse_matmul(g, op, dz):
    a, b = op.inputs
    given = {"a": a, "b": b, "dz": dz}

    def factor(name):
        return g.conj(given[name[:-1]]) if name.endswith("*") else given[name]

    def product(left, right, *done):
        flags = {f"{what}_{side}": True for what, side in zip(done, "ab", strict=True) if what}
        return g.SparseMatrixSparseMatMul(factor(left), factor(right), type=op["type"], **flags)

    for_a, for_b = SPARSE_PRODUCT_GRADIENTS[done_to(op, "a"), done_to(op, "b")]
    da, db = product(*for_a), product(*for_b)
    return pruned(g, da, a, op["type"]), pruned(g, db, b, op["type"])


def done_to(op: Operation, side: str) -> str:
    """What a product does to an operand before it multiplies."""
    return "transpose" if op[f"transpose_{side}"] else "adjoint" if op[f"adjoint_{side}"] else ""


# ---------------------------------------------------------------------- products with a dense matrix
@gradient("SparseMatrixMatMul")
def sparse_matrix_matmul(g, op, dz):
    """z = op(a) op(b), transposed or conjugated on demand; b is dense and so is z."""
    a, b = op.inputs
    to_a, to_b, flipped = done_to(op, "a"), done_to(op, "b"), op["transpose_output"]
    if op["conjugate_output"]:
        dz = g.conj(dz)
    if "adjoint" not in (to_a, to_b):
        a, b = g.conj(a), g.conj(b)
    if not to_a:
        left, right = (dz, "transpose" if flipped else ""), (b, "" if to_b else "transpose")
    else:
        left = b, "transpose" if (to_a, to_b) == ("transpose", "adjoint") else to_b
        right = (dz, to_a) if not flipped else (g.conj(dz) if to_a == "adjoint" else dz, "")
    indices = g.CSRSparseMatrixToSparseTensor(a, type=dz.dtype)[0]
    da = product_at(g, indices, left, right)
    return da, gradient_of_dense(g, a, dz, to_a, to_b, flipped)


def gradient_of_dense(g: GraphBuilder, a: Tensor, dz: Tensor, to_a: str, to_b: str, flipped: bool) -> Tensor:
    """The gradient of b, a product of the sparse matrix with dz."""
    crossed = (to_a, to_b) == ("transpose", "adjoint")
    flags = {"transpose_output": bool(to_b), "conjugate_output": to_b == "adjoint"}
    if crossed and flipped:
        return g.SparseMatrixMatMul(a, dz, adjoint_b=True, transpose_output=True)
    if not to_a:
        flags["adjoint_a" if to_b == "adjoint" else "transpose_a"] = True
    return g.SparseMatrixMatMul(g.conj(a) if crossed else a, dz, transpose_b=flipped, **flags)


def product_at(g: GraphBuilder, indices: Tensor, left: tuple[Tensor, str], right: tuple[Tensor, str]) -> Tensor:
    """The entries at `indices` of a product of dense matrices, or of batches of them, as a sparse matrix.

    Each factor comes with what is done to it before: nothing, transpose or adjoint.
    """
    (a, to_a), (b, to_b) = left, right
    a, b = g.conj(a) if to_a == "adjoint" else a, g.conj(b) if to_b == "adjoint" else b
    shape = product_shape(g, a, bool(to_a), b, bool(to_b))
    if (dims.rank_of(a.shape) or 3) == 2:
        rows, columns, gather, perm = indices[:, 0], indices[:, 1], g.gather, None
    else:
        rows = indices[:, :2]
        columns, gather, perm = g.stack([indices[:, 0], indices[:, 2]], axis=1), g.GatherNd, [0, 2, 1]
    a_rows = gather(g.transpose(a, perm) if to_a else a, rows)
    b_columns = gather(b if to_b else g.transpose(b, perm), columns)
    values = g.reduce_sum(a_rows * b_columns, axis=1)
    return g.SparseTensorToCSRSparseMatrix(indices, values, shape)


def product_shape(g: GraphBuilder, a: Tensor, flip_a: bool, b: Tensor, flip_b: bool) -> Any:
    """The shape of a product of matrices, numbers where they are static."""
    row, column = -1 if flip_a else -2, -2 if flip_b else -1
    if a.shape is not None and b.shape is not None:
        static = (*a.shape[:-2], a.shape[row], b.shape[column])
        if dims.is_known(static):
            return list(static)
    a_shape, b_shape = (g.Shape(t, out_type=dtypes.int64) for t in (a, b))
    return g.concat([a_shape[:-2], g.stack([a_shape[row], b_shape[column]])], 0)
