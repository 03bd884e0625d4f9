"""What kernels of stacks of matrices share: adjoints, checks, solving with a triangle."""

from __future__ import annotations

import numpy as np


def adjoint_of(matrix):
    """The conjugate transpose."""
    matrix = matrix.swapaxes(-1, -2)
    return matrix.conj() if matrix.dtype.kind == "c" else matrix


def refuse_not_square(matrix):
    if matrix.ndim < 2 or matrix.shape[-1] != matrix.shape[-2]:
        raise ValueError(f"shape {list(matrix.shape)} is none of square matrices")


def refuse_other_batch(matrix, rhs):
    if matrix.ndim != rhs.ndim or matrix.shape[:-1] != rhs.shape[:-1]:
        raise ValueError(f"shapes {list(matrix.shape)} and {list(rhs.shape)} must be alike but for the last dimension")


def each_matrix(function, stack):
    """The function's results for the matrices of a stack one by one, which are matrices like them."""
    result = np.empty_like(stack)
    for index in np.ndindex(stack.shape[:-2] if stack.size else (0,)):
        result[index] = function(stack[index])
    return result


def identity_like(stack):
    return np.broadcast_to(np.eye(stack.shape[-1], dtype=stack.dtype), stack.shape)


def solve_triangular(matrix, rhs, lower):
    """By halves: first the unknowns that stand alone, then the others, less what the first contribute."""
    size = matrix.shape[-1]
    if size == 0:
        batch = np.broadcast_shapes(matrix.shape[:-2], rhs.shape[:-2])
        return np.broadcast_to(rhs, batch + rhs.shape[-2:])
    if size == 1:
        return rhs / matrix
    half = size // 2
    top, bottom = slice(None, half), slice(half, None)
    first, second = (top, bottom) if lower else (bottom, top)
    known = solve_triangular(matrix[..., first, first], rhs[..., first, :], lower)
    rest = rhs[..., second, :] - matrix[..., second, first] @ known
    other = solve_triangular(matrix[..., second, second], rest, lower)
    return np.concatenate([known, other] if lower else [other, known], axis=-2)
