"""Static shapes of sparse matrices in compressed rows: variant tensors without axes, each standing for a matrix.

The matrix's own shape stands on no tensor; it is found on the way back to what the matrix was made of.
"""

from __future__ import annotations

from graphgrad.attributes import Shape
from graphgrad.graph import Operation
from graphgrad.registry import shape, shapes
from graphgrad.shapes import dims, values
from graphgrad.shapes.common import scalar
from graphgrad.tensors import Tensor

shapes(
    scalar,
    *["DenseToCSRSparseMatrix", "SparseTensorToCSRSparseMatrix", "SparseMatrixZeros"],
    *["SparseMatrixAdd", "SparseMatrixMul", "SparseMatrixSparseMatMul", "SparseMatrixTranspose"],
    *["SparseMatrixSoftmax", "SparseMatrixSoftmaxGrad", "SparseMatrixSparseCholesky"],
)

# Ops that hand the shape of their first input on.
_KEEPING = frozenset(
    [
        *["Identity", "Conj", "ZerosLike", "StopGradient", "AddN", "SparseMatrixMul"],
        *["SparseMatrixSoftmax", "SparseMatrixSoftmaxGrad", "SparseMatrixSparseCholesky"],
    ]
)
_JOINING = frozenset(["SparseMatrixAdd", "SparseMatrixTranspose", "SparseMatrixSparseMatMul"])


def matrix_shape(matrix: Tensor) -> Shape:
    """The shape of the matrix, or batch of matrices, that a variant stands for."""
    found: dict[Operation, Shape] = {}
    stack = [matrix.op]
    while stack:
        op = stack[-1]
        needed = [] if op in found else [t.op for t in _matrices(op) if t.op not in found]
        if needed:
            stack.extend(needed)
            continue
        stack.pop()
        if op not in found:
            found[op] = _made(op, [found[t.op] for t in _matrices(op)])
    return found[matrix.op]


def _matrices(op: Operation) -> list[Tensor]:
    """The matrices whose shapes tell that of the op's matrix."""
    if op.type in _KEEPING:
        return op.inputs[:1]
    return op.inputs[:2] if op.type in _JOINING else []


def _made(op: Operation, given: list[Shape]) -> Shape:
    if op.type == "SparseMatrixMul":
        return _with_batch(given[0], op.inputs[1].shape)
    if op.type in _KEEPING:
        return given[0]
    if op.type == "DenseToCSRSparseMatrix":
        return op.inputs[0].shape
    if op.type in ("SparseTensorToCSRSparseMatrix", "SparseMatrixZeros"):
        rank = (op.inputs[0].shape or (None, None))[-1] if op.type == "SparseTensorToCSRSparseMatrix" else None
        return dims.merge(values.as_shape(op.inputs[-1]), dims.unknown(rank))
    if op.type == "SparseMatrixAdd":
        return dims.merge(*given)
    if op.type == "SparseMatrixTranspose":
        return None if given[0] is None else _flipped(given[0], True)
    return _product(op, *_sure_of_batch(*given)) if op.type == "SparseMatrixSparseMatMul" else None


def _with_batch(matrix: Shape, factors: Shape) -> Shape:
    """The shape of a batch, whose size the factors, one for each matrix, may know."""
    if matrix is None or len(matrix) != 3 or not factors:
        return matrix
    return (dims.merge_dim(matrix[0], factors[0]), *matrix[1:])


def _flipped(shape_: Shape, flip: bool) -> Shape:
    return (*shape_[:-2], shape_[-1], shape_[-2]) if shape_ is not None and flip else shape_


def _sure_of_batch(a: Shape, b: Shape) -> tuple[Shape, Shape]:
    """Of two batches, one of unknown size, TensorFlow knows the size of the product's where the other has more than one matrix."""
    if a is None or b is None or not len(a) == len(b) == 3 or None not in (a[0], b[0]):
        return a, b
    if max(a[0] or 0, b[0] or 0) > 1:
        return a, b
    return (None, *a[1:]), (None, *b[1:])


def _product(op: Operation, a: Shape, b: Shape) -> Shape:
    """Of op(a) and op(b)."""
    a = _flipped(a, op["transpose_a"] or op["adjoint_a"])
    b = _flipped(b, op["transpose_b"] or op["adjoint_b"])
    if a is None or b is None or len(a) < 2 or len(b) < 2:
        return None
    return (*(dims.merge(a[:-2], b[:-2]) or ()), a[-2], b[-1])


@shape("CSRSparseMatrixToDense")
def to_dense(op: Operation) -> Shape:
    return matrix_shape(op.inputs[0])


@shape("CSRSparseMatrixToSparseTensor")
def to_sparse_tensor(op: Operation) -> list[Shape]:
    rank = dims.rank_of(matrix_shape(op.inputs[0]))
    return [(None, rank), (None,), (rank,)]


@shape("CSRSparseMatrixComponents")
def components(op: Operation) -> list[Shape]:
    matrix = matrix_shape(op.inputs[0])
    return [(dims.total(matrix[-2], 1) if matrix else None,), (None,), (None,)]


@shape("SparseMatrixNNZ")
def count(op: Operation) -> Shape:
    matrix = matrix_shape(op.inputs[0])
    return None if matrix is None else matrix[:-2]


@shape("SparseMatrixOrderingAMD")
def ordering(op: Operation) -> Shape:
    matrix = matrix_shape(op.inputs[0])
    return None if matrix is None else matrix[:-1]


@shape("SparseMatrixMatMul")
def matmul(op: Operation) -> Shape:
    z = _product(op, matrix_shape(op.inputs[0]), op.inputs[1].shape)
    return _flipped(z, op["transpose_output"])
