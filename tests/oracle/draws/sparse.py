"""Sparse tensors as indices, values and a dense shape, and ragged ones as splits and values."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphgrad.tensors import Tensor
from tests.oracle.draws import ALL, Drawer, dtype_of, sketch

NUMBERS = ("float32", "float64", "float32", "float64", *ALL)


class Sparse:
    """A sparse tensor; its places are constants or fed, its values one of the xs."""

    def __init__(self, d: Drawer, shape: tuple[int, ...], dtype: str, *, count: int = 0, kind: str = "int64"):
        size = int(np.prod(shape))
        count = count or d.integer(1, size)
        flat = np.sort(d.rng.permutation(size)[:count])
        self.places = np.stack(np.unravel_index(flat, shape), -1)
        self.constant = d.chance(0.5)
        self.indices = self.fixed(d, self.places, kind)
        self.values = d.tensor((count,), dtype, rank_known=True)
        self.shape = self.fixed(d, shape, "int64" if kind == "int64" else kind)

    def fixed(self, d: Drawer, value: Any, kind: str) -> Tensor:
        array = np.asarray(value)
        return d.const(array, kind) if self.constant else d.tensor(array.shape, kind, value=array, rank_known=True)

    def parts(self) -> list[Tensor]:
        return [self.indices, self.values, self.shape]


def full(d: Drawer, low: int = 1, high: int = 3) -> tuple[int, ...]:
    """A shape without empty dimensions."""
    return tuple(d.integer(1, 4) for _ in range(d.integer(low, high)))


@sketch("SparseReorder")
def reorder(d: Drawer, op: str) -> Any:
    s = Sparse(d, full(d), d.pick(*NUMBERS))
    order = d.rng.permutation(len(s.places))
    return d.op(op, s.fixed(d, s.places[order], "int64"), s.values, s.shape)


@sketch("SparseAdd", "SparseSparseMaximum", "SparseSparseMinimum")
def pairwise(d: Drawer, op: str) -> Any:
    shape, dtype = full(d), d.dtype(op)
    a, b = Sparse(d, shape, dtype), Sparse(d, shape, dtype)
    real = {"complex64": "float32", "complex128": "float64"}.get(dtype, dtype)
    more = [d.const(d.pick(0.0, 0.0, 0.5), real)] if op == "SparseAdd" else []
    return d.op(op, *a.parts(), *b.parts(), *more)


@sketch("SparseTensorDenseAdd")
def add_dense(d: Drawer, op: str) -> Any:
    shape, dtype = full(d), d.dtype(op)
    kind = d.pick("int32", "int64")
    return d.op(op, *Sparse(d, shape, dtype, kind=kind).parts(), d.tensor(shape, dtype))


@sketch("SparseDenseCwiseMul", "SparseDenseCwiseDiv")
def with_dense(d: Drawer, op: str) -> Any:
    shape, dtype = full(d), d.dtype(op)
    dense = shape if d.chance(0.5) else d.narrowed(shape)
    return d.op(op, *Sparse(d, shape, dtype).parts(), d.tensor(dense, dtype, 0.3, 2))


@sketch("SparseSoftmax")
def softmax(d: Drawer, op: str) -> Any:
    return d.op(op, *Sparse(d, full(d, 2), d.dtype(op)).parts())


@sketch("SparseSlice")
def sliced(d: Drawer, op: str) -> Any:
    shape = full(d)
    start = [d.integer(0, n - 1) for n in shape]
    size = [d.integer(1, n) for n in shape]
    s = Sparse(d, shape, d.pick(*NUMBERS))
    return d.op(op, *s.parts(), d.index(start, "int64"), d.index(size, "int64"))


@sketch("SparseFillEmptyRows")
def fill_rows(d: Drawer, op: str) -> Any:
    dtype = d.pick(*NUMBERS)
    return d.op(op, *Sparse(d, full(d, 2, 2), dtype).parts(), d.tensor((), dtype))


@sketch("SparseReduceSum")
def reduce_sum(d: Drawer, op: str) -> Any:
    shape = full(d)
    axes = d.index(d.axes(len(shape)), "int32")
    return d.op(op, *Sparse(d, shape, d.dtype(op)).parts(), axes, keep_dims=d.chance(0.4))


@sketch("SparseToDense")
def to_dense(d: Drawer, op: str) -> Any:
    shape, dtype, kind = full(d, 1, 2), d.pick(*NUMBERS), d.pick("int32", "int64")
    s = Sparse(d, shape, dtype, kind=kind)
    return d.op(op, s.indices, s.shape, s.values, d.tensor((), dtype), validate_indices=d.chance(0.5))


@sketch("SparseTensorDenseMatMul")
def matmul(d: Drawer, op: str) -> Any:
    shape, columns, dtype = full(d, 2, 2), d.integer(1, 3), d.pick(*NUMBERS)
    adjoint_a, adjoint_b = d.chance(0.4), d.chance(0.4)
    inner = shape[0 if adjoint_a else 1]
    s = Sparse(d, shape, dtype)
    if d.chance(0.3):
        s.indices = s.fixed(d, s.places, "int32")
    b = d.tensor((columns, inner) if adjoint_b else (inner, columns), dtype)
    return d.op(op, *s.parts(), b, adjoint_a=adjoint_a, adjoint_b=adjoint_b)


# ---------------------------------------------------------------------- ragged
def splits(d: Drawer, count: int, kind: str, constant: bool) -> tuple[Tensor, int]:
    """Row splits of so many rows, and how many elements they hold."""
    ends = np.cumsum([0, *(d.integer(0, 3) for _ in range(count))])
    return (d.const(ends, kind) if constant else d.tensor(ends.shape, kind, value=ends, rank_known=True)), int(ends[-1])


def nested(d: Drawer, kind: str, rank: int) -> tuple[list[Tensor], int, int]:
    rows = d.integer(1, 3)
    found, count, constant = [], rows, d.chance(0.5)
    for _ in range(rank):
        tensor, count = splits(d, count, kind, constant)
        found.append(tensor)
    return found, rows, count


@sketch("RaggedGather")
def ragged_gather(d: Drawer, op: str) -> Any:
    kind, rank = d.pick("int64", "int32"), d.integer(1, 2)
    cut, rows, count = nested(d, kind, rank)
    values = d.tensor((count, *d.dims(d.integer(0, 1))), d.pick(*NUMBERS))
    indices = d.rng.integers(0, rows, d.dims(d.integer(1, 2)))
    out = rank + indices.ndim - 1
    return d.op(
        op,
        cut,
        values,
        d.tensor(indices.shape, d.pick("int32", "int64"), value=indices, rank_known=True),
        OUTPUT_RAGGED_RANK=out,
    )


@sketch("RaggedTensorToSparse")
def ragged_to_sparse(d: Drawer, op: str) -> Any:
    cut, _, count = nested(d, d.pick("int64", "int32"), d.integer(1, 2))
    return d.op(op, cut, d.tensor((count, *d.dims(d.integer(0, 1), 1, 3)), d.pick(*NUMBERS)))


@sketch("RaggedTensorToTensor")
def ragged_to_tensor(d: Drawer, op: str) -> Any:
    kind, rank = d.pick("int64", "int32"), d.integer(1, 2)
    cut, rows, count = nested(d, kind, rank)
    inner = tuple(d.integer(1, 3) for _ in range(d.integer(0, 1)))
    dtype = d.pick(*NUMBERS)
    values = d.tensor((count, *inner), dtype)
    default = d.tensor(inner if d.chance(0.4) else (), dtype)
    limits = [d.pick(-1, rows, 2), *(d.pick(-1, -1, 2) for _ in range(rank)), *inner]
    return d.op(op, d.index(limits, kind), values, default, cut, row_partition_types=["ROW_SPLITS"] * rank)


@sketch("RaggedTensorToVariant", "RaggedTensorFromVariant")
def variants(d: Drawer, op: str) -> Any:
    kind, rank = d.pick("int64", "int32"), d.integer(1, 2)
    cut, _, count = nested(d, kind, rank)
    values = d.tensor((count, *d.dims(d.integer(0, 1), 1, 3)), d.pick(*NUMBERS))
    batched = d.chance(0.6)
    handle = d.g.RaggedTensorToVariant(cut, values, batched_input=batched)
    return d.op(
        "RaggedTensorFromVariant",
        handle,
        input_ragged_rank=rank - batched,
        output_ragged_rank=rank,
        Tvalues=values.dtype,
        Tsplits=dtype_of(kind),
    )


@sketch("RaggedFillEmptyRows")
def ragged_fill(d: Drawer, op: str) -> Any:
    rows, count = d.integer(1, 4), d.integer(1, 5)
    ids, dtype = np.sort(d.rng.integers(0, rows, count)), d.pick(*NUMBERS)
    constant = 1.0 if d.chance(0.5) else 0.3
    return d.op(
        op,
        d.index(ids, "int64", constant),
        d.tensor((count,), dtype, rank_known=True),
        d.index(rows, "int64", constant),
        d.tensor((), dtype),
    )


# ---------------------------------------------------------------------- compressed sparse rows
CSR = ("float32", "float32", "float64", "complex64", "complex128")


def csr(d: Drawer, shape: tuple[int, ...], dtype: str) -> Tensor:
    """A matrix of compressed sparse rows, made of a dense one."""
    d.know_more()
    places = Sparse(d, shape, dtype)
    if places.values in d.xs:  # an operand met a second time is out already
        d.xs.remove(places.values)
    dense = d.tensor(shape, dtype, 0.3, 2, rank_known=True)
    return d.g.DenseToCSRSparseMatrix(dense, places.indices)


def dense_again(d: Drawer, matrix: Tensor, dtype: str) -> list[Tensor]:
    return d.op("CSRSparseMatrixToDense", matrix, type=dtype_of(dtype))


def turned(flags: dict[str, bool], side: str) -> bool:
    return flags.get(f"transpose_{side}", False) or flags.get(f"adjoint_{side}", False)


def matrix_shape(d: Drawer) -> tuple[int, ...]:
    return full(d, 2, 3)


@sketch("DenseToCSRSparseMatrix", "CSRSparseMatrixToDense")
def csr_dense(d: Drawer, op: str) -> Any:
    dtype = d.pick(*CSR)
    return dense_again(d, csr(d, matrix_shape(d), dtype), dtype)


@sketch("SparseTensorToCSRSparseMatrix", "CSRSparseMatrixToSparseTensor")
def csr_sparse(d: Drawer, op: str) -> Any:
    d.know_more()
    dtype = d.pick(*CSR)
    s = Sparse(d, matrix_shape(d), dtype)
    matrix = d.g.SparseTensorToCSRSparseMatrix(*s.parts())
    if d.chance(0.5):
        return dense_again(d, matrix, dtype)
    return d.op("CSRSparseMatrixToSparseTensor", matrix, type=dtype_of(dtype))


@sketch("SparseMatrixAdd")
def csr_add(d: Drawer, op: str) -> Any:
    shape, dtype = matrix_shape(d), d.pick(*CSR)
    a, b = csr(d, shape, dtype), csr(d, shape, dtype)
    return dense_again(d, d.op(op, a, b, d.tensor((), dtype), d.tensor((), dtype))[0], dtype)


@sketch("SparseMatrixMatMul")
def csr_matmul(d: Drawer, op: str) -> Any:
    batch, m, k, n = full(d, 0, 1), d.integer(1, 3), d.integer(1, 3), d.integer(1, 3)
    dtype = d.pick(*CSR)
    flags = {f"{d.pick('transpose', 'transpose', 'adjoint')}_{side}": d.chance(0.4) for side in "ab"}
    flags |= {key: d.chance(0.1) for key in ("transpose_output", "conjugate_output")}
    a = csr(d, (*batch, k, m) if turned(flags, "a") else (*batch, m, k), dtype)
    b = d.tensor((*batch, n, k) if turned(flags, "b") else (*batch, k, n), dtype, rank_known=True)
    return d.op(op, a, b, **flags)


@sketch("SparseMatrixSparseMatMul")
def csr_csr(d: Drawer, op: str) -> Any:
    batch, m, k, n = full(d, 0, 1), d.integer(1, 3), d.integer(1, 3), d.integer(1, 3)
    dtype = d.pick(*CSR)
    flags = {f"{d.pick('transpose', 'transpose', 'adjoint')}_{side}": d.chance(0.4) for side in "ab"}
    a = csr(d, (*batch, k, m) if turned(flags, "a") else (*batch, m, k), dtype)
    b = csr(d, (*batch, n, k) if turned(flags, "b") else (*batch, k, n), dtype)
    return dense_again(d, d.op(op, a, b, type=dtype_of(dtype), **flags)[0], dtype)


@sketch("SparseMatrixTranspose")
def csr_transpose(d: Drawer, op: str) -> Any:
    dtype = d.pick(*CSR)
    return dense_again(
        d, d.op(op, csr(d, matrix_shape(d), dtype), conjugate=d.chance(0.4), type=dtype_of(dtype))[0], dtype
    )


@sketch("SparseMatrixSoftmax")
def csr_softmax(d: Drawer, op: str) -> Any:
    dtype = d.dtype(op, "type")
    return dense_again(d, d.op(op, csr(d, matrix_shape(d), dtype), type=dtype_of(dtype))[0], dtype)
