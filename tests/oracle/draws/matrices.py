"""Decompositions and solves, diagonals of matrices, Fourier transforms, recurrent cells and CTC."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphgrad.tensors import Tensor
from tests.oracle.draws import ALL, COMPLEX, FLOATS, Drawer, dtype_of, sketch


def batch(d: Drawer) -> tuple[int, ...]:
    return tuple(d.integer(1, 2) for _ in range(d.integer(0, 2)))


def well_conditioned(d: Drawer, dtype: str, rows: int, columns: int, symmetric: bool = False) -> Tensor:
    """Matrices whose singular values lie apart and away from zero."""
    shape = (*batch(d), rows, columns)
    values = d.values(shape, dtype, -1, 1)
    if symmetric:
        values = values @ np.conj(np.swapaxes(values, -1, -2)) + 0.5 * np.eye(rows)
    elif rows == columns:
        values = values + np.diag(np.arange(1, rows + 1) * 1.5)
    return d.tensor(shape, dtype, value=values)


@sketch("Cholesky")
def cholesky(d: Drawer, op: str) -> Any:
    n = d.integer(1, 4)
    return d.op(op, well_conditioned(d, d.dtype(op), n, n, symmetric=True))


@sketch("MatrixInverse", "MatrixDeterminant", "LogMatrixDeterminant", "MatrixSquareRoot")
def square(d: Drawer, op: str) -> Any:
    n, dtype = d.integer(1, 3), d.dtype(op)
    x = well_conditioned(d, dtype, n, n)
    return d.op(op, x, **({"adjoint": d.chance(0.5)} if op == "MatrixInverse" else {}))


@sketch("MatrixSolve", "MatrixTriangularSolve", "BandedTriangularSolve")
def solve(d: Drawer, op: str) -> Any:
    n, columns, dtype = d.integer(1, 3), d.integer(1, 3), d.dtype(op)
    attrs = {"adjoint": d.chance(0.4)}
    if op != "MatrixSolve":
        attrs["lower"] = d.chance(0.5)
    if op == "BandedTriangularSolve":  # TensorFlow's gradient of a lone band has another shape than the band
        n = d.integer(2, 4)
        bands = d.integer(2, n)
        values = d.values((bands, n), dtype, -0.5, 0.5)
        values[0 if attrs["lower"] else -1] += 2
        matrix = d.tensor((bands, n), dtype, value=values)
        return d.op(op, matrix, d.tensor((n, columns), dtype), **attrs)
    matrix = well_conditioned(d, dtype, n, n)
    outer = d.value(matrix).shape[:-2]
    if op == "MatrixTriangularSolve" and d.chance(0.3):
        outer = d.narrowed(outer)
    return d.op(op, matrix, d.tensor((*outer, n, columns), dtype), **attrs)


@sketch("MatrixSolveLs")
def solve_ls(d: Drawer, op: str) -> Any:
    rows, columns, dtype = d.integer(1, 4), d.integer(1, 3), d.dtype(op)
    d.know_more()
    matrix = well_conditioned(d, dtype, rows, columns)
    rhs = d.tensor((*d.value(matrix).shape[:-1], d.integer(1, 2)), dtype)
    return d.op(op, matrix, rhs, d.const(d.pick(0.0, 0.5), "float64"), fast=d.chance(0.8))


@sketch("Qr", "Svd", "SelfAdjointEigV2", "Eig")
def decomposition(d: Drawer, op: str) -> Any:
    """Signs and phases of vectors are free: where numbers are compared, magnitudes are."""
    n, dtype = d.integer(1, 3), d.dtype(op, among=(*FLOATS, *FLOATS, *COMPLEX))
    d.know_more()
    d.numbers = op != "Eig" and dtype in FLOATS and d.chance(0.5)
    made = decomposed(d, op, n, dtype)
    if not d.numbers:
        return made
    if op == "SelfAdjointEigV2" and not made[0].op["compute_v"]:
        made = made[:1]  # TensorFlow leaves the vectors as they are in memory
    return [d.g.Square(y) for y in made]


def decomposed(d: Drawer, op: str, n: int, dtype: str) -> list[Tensor]:
    if op == "Eig":
        tout = dtype_of("complex64" if dtype in ("float32", "complex64") else "complex128")
        return d.op(op, well_conditioned(d, dtype, n, n), compute_v=d.chance(0.7), Tout=tout)
    if op == "SelfAdjointEigV2":
        return d.op(op, well_conditioned(d, dtype, n, n, symmetric=True), compute_v=d.chance(0.7))
    rows, columns = d.pick((n, n), (n + d.integer(0, 2), n), (n, n + d.integer(0, 2)))
    x = well_conditioned(d, dtype, rows, columns)
    if op == "Qr":
        return d.op(op, x, full_matrices=d.chance(0.3))
    full = d.chance(0.3)
    d.numbers &= (
        not full or abs(rows - columns) < 2
    )  # of several vectors beyond the smaller side only their space is told
    return d.op(op, x, compute_uv=d.chance(0.7), full_matrices=full)


@sketch("TridiagonalMatMul", "TridiagonalSolve")
def tridiagonal(d: Drawer, op: str) -> Any:
    n, columns, dtype, outer = d.integer(1, 4), d.integer(1, 2), d.dtype(op), batch(d)
    if op == "TridiagonalMatMul":
        parts = [d.tensor((*outer, 1, n), dtype) for _ in range(3)]
        return d.op(op, *parts, d.tensor((*outer, n, columns), dtype))
    values = d.values((*outer, 3, n), dtype, -0.5, 0.5)
    values[..., 1, :] += 2
    diagonals = d.tensor(values.shape, dtype, value=values)
    rhs = d.tensor((*outer, n, columns), dtype)
    return d.op(op, diagonals, rhs, partial_pivoting=d.chance(0.6), perturb_singular=d.chance(0.1))


# ---------------------------------------------------------------------- diagonals
ALIGNMENTS = ("LEFT_RIGHT", "RIGHT_LEFT", "LEFT_LEFT", "RIGHT_RIGHT")


def band(d: Drawer, rows: int, columns: int) -> tuple[Any, int, int]:
    """Some diagonals of a matrix: how they are asked for, the lowest and the highest."""
    low = d.integer(-(rows - 1), columns - 1)
    if d.chance(0.5):
        return low, low, low
    high = d.integer(low, columns - 1)
    return [low, high], low, high


def packed(outer: tuple[int, ...], rows: int, columns: int, low: int, high: int, as_list: bool) -> tuple[int, ...]:
    """The shape of diagonals packed side by side."""
    longest = max(min(rows + min(k, 0), columns - max(k, 0)) for k in range(low, high + 1))
    return (*outer, *((high - low + 1,) if as_list and high > low else ()), longest)


def version(op: str) -> int:
    return int(op[-1]) if op[-2] == "V" else 1


@sketch("MatrixDiag", "MatrixDiagV2", "MatrixDiagV3")
def matrix_diag(d: Drawer, op: str) -> Any:
    dtype, outer = d.pick("float32", *ALL), batch(d)
    if op == "MatrixDiag":
        return d.op(op, d.tensor((*outer, d.integer(1, 4)), dtype))
    rows, columns = d.integer(1, 4), d.integer(1, 4)
    k, low, high = band(d, rows, columns)
    if d.level != "nothing":
        d.level = "static"  # of diagonals whose length is unknown TensorFlow makes matrices without columns
    x = d.tensor(packed(outer, rows, columns, low, high, True), dtype)
    attrs = {"align": d.pick(*ALIGNMENTS)} if version(op) == 3 else {}
    sizes = [d.index(n, "int32") for n in (rows, columns)]
    return d.op(op, x, d.index(k, "int32"), *sizes, d.const(d.pick(0.0, 0.5), dtype), **attrs)


@sketch("MatrixDiagPart", "MatrixDiagPartV2", "MatrixDiagPartV3")
def matrix_diag_part(d: Drawer, op: str) -> Any:
    dtype, rows, columns = d.pick("float32", *ALL), d.integer(1, 4), d.integer(1, 4)
    x = d.tensor((*batch(d), rows, columns), dtype)
    if op == "MatrixDiagPart":
        return d.op(op, x)
    k, _, _ = band(d, rows, columns)
    attrs = {"align": d.pick(*ALIGNMENTS)} if version(op) == 3 else {}
    return d.op(op, x, d.index(k, "int32"), d.const(d.pick(0.0, 0.5), dtype), **attrs)


@sketch("MatrixSetDiag", "MatrixSetDiagV2", "MatrixSetDiagV3")
def matrix_set_diag(d: Drawer, op: str) -> Any:
    dtype, rows, columns, outer = d.pick("float32", *ALL), d.integer(1, 4), d.integer(1, 4), batch(d)
    x = d.tensor((*outer, rows, columns), dtype)
    if op == "MatrixSetDiag":
        return d.op(op, x, d.operand((*outer, min(rows, columns)), dtype))
    k, low, high = band(d, rows, columns)
    attrs = {"align": d.pick(*ALIGNMENTS)} if version(op) == 3 else {}
    return d.op(op, x, d.operand(packed(outer, rows, columns, low, high, True), dtype), d.index(k, "int32"), **attrs)


# ---------------------------------------------------------------------- Fourier transforms
@sketch("FFT", "FFT2D", "FFT3D", "IFFT", "IFFT2D", "IFFT3D")
def fft(d: Drawer, op: str) -> Any:
    rank = int(op[-2]) if op.endswith("D") else 1
    shape = (*batch(d), *(d.integer(1, 4) for _ in range(rank)))
    return d.op(op, d.tensor(shape, d.pick(*COMPLEX)))


@sketch("RFFT", "RFFT2D", "IRFFT", "IRFFT2D")
def rfft(d: Drawer, op: str) -> Any:
    rank = 2 if op.endswith("2D") else 1
    inner = [d.integer(1, 5) for _ in range(rank)]
    real = d.pick(*FLOATS)
    other = "complex64" if real == "float32" else "complex128"
    if op.startswith("R"):
        x = d.tensor((*batch(d), *inner), real)
        return d.op(op, x, d.index(inner, "int32"), Tcomplex=dtype_of(other))
    length = [*inner[:-1], max(1, 2 * (inner[-1] - 1) + d.integer(0, 1))]
    x = d.tensor((*batch(d), *inner), other)
    return d.op(op, x, d.index(length, "int32"), Treal=dtype_of(real))


# ---------------------------------------------------------------------- recurrent
@sketch("BlockLSTM", "BlockLSTMV2")
def lstm(d: Drawer, op: str) -> Any:
    time, rows, width, cells = d.integer(1, 3), d.integer(1, 2), d.integer(1, 3), d.integer(1, 3)
    attrs: dict[str, Any] = {"use_peephole": d.chance(0.4), "cell_clip": d.pick(-1.0, 0.3, 3.0)}
    if op == "BlockLSTM":
        attrs["forget_bias"] = d.pick(0.0, 1.0)
    dtype = d.dtype(op)
    x = d.tensor((time, rows, width), dtype)
    state = [d.tensor((rows, cells), dtype) for _ in range(2)]
    w = d.tensor((width + cells, 4 * cells), dtype)
    peepholes = [d.tensor((cells,), dtype) for _ in range(3)]
    steps = time if d.chance(0.7) else d.integer(1, time)
    d.numbers = steps == time  # what stands behind the last step is left to chance
    longest = d.index(steps, "int64")
    return d.op(op, longest, x, *state, w, *peepholes, d.tensor((4 * cells,), dtype), **attrs)


@sketch("CudnnRNN", "CudnnRNNV2", "CudnnRNNV3")
def cudnn(d: Drawer, op: str) -> Any:
    d.numbers = False  # needs a GPU
    time, rows, width, cells, directions = (d.integer(1, 3) for _ in range(5))
    dtype = d.dtype(op)
    attrs: dict[str, Any] = {
        "rnn_mode": d.pick("lstm", "gru", "rnn_relu", "rnn_tanh"),
        "input_mode": d.pick("linear_input", "skip_input", "auto_select"),
        "direction": d.pick("unidirectional", "bidirectional"),
        "dropout": d.pick(0.0, 0.3),
        "seed": d.integer(0, 3),
        "seed2": d.integer(0, 3),
        "is_training": d.chance(0.8),
    }
    lengths = []
    if op == "CudnnRNNV3":
        attrs |= {"num_proj": d.pick(0, 2), "time_major": d.chance(0.6)}
        lengths = [d.index([time] * rows, "int32")]
    state = [d.tensor((directions, rows, cells), dtype) for _ in range(2)]
    return d.op(op, d.tensor((time, rows, width), dtype), *state, d.tensor((40,), dtype), *lengths, **attrs)


@sketch("CTCLoss", "CTCLossV2")
def ctc(d: Drawer, op: str) -> Any:
    time, rows, classes = d.integer(3, 5), d.integer(1, 2), 4
    dtype = d.dtype(op) if op == "CTCLoss" else "float32"
    d.numbers = dtype == "float32"  # TensorFlow's are no more exact in float64
    x = d.tensor((time, rows, classes), dtype)
    places = [[r, i] for r in range(rows) for i in range(d.integer(1, 2))]
    labels = d.tensor((len(places),), "int32", 0, 2, rank_known=True)
    lengths = d.tensor((rows,), "int32", value=[d.integer(time - 1, time) for _ in range(rows)])
    names = ("preprocess_collapse_repeated", "ctc_merge_repeated")
    attrs = {"ignore_longer_outputs_than_inputs": True, **{name: d.chance(0.5) for name in names}}
    return d.op(op, x, d.const(places, "int64"), labels, lengths, **attrs)
