"""Eliminations in matrices that are singular or not finite, step by step as Eigen takes them on behalf of TensorFlow.

Where NaN goes follows from what is multiplied with what, and in complex numbers from what is divided by which arithmetic: the
columns of a determinant and of its factors stand in registers, those of a system of equations do not.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from graphgrad.kernels._complex import ONE_BY_ONE, PLAIN, Arithmetic

Array = np.ndarray[Any, Any]
_REAL = Arithmetic(np.multiply, np.divide)
DOUBTFUL = 1e-3  # of all digits lost: less than these are left of a solution
TINY = 1e-300


def unbounded_apart(usual: Callable[..., Any], one_by_one: Callable[..., Any]) -> Callable[..., Any]:
    """`usual` for stacks of matrices, but `one_by_one` for those with NaN or infinity, in them or in what stands beside them."""

    def of_one(*member: Array) -> Any:
        return (usual if all(np.isfinite(m).all() for m in member) else one_by_one)(*member)

    def of_stacks(*stacks: Array) -> Any:
        if all(np.isfinite(stack).all() for stack in stacks):
            return usual(*stacks)
        return each_member(of_one, *stacks)

    return of_stacks


def singular_apart(usual: Callable[..., Array], one_by_one: Callable[..., Array]) -> Callable[..., Array]:
    """`usual` for stacks of matrices, but `one_by_one` where rounding decides whether one of them is singular."""

    def of_stacks(matrix: Array, *rhs: Array) -> Array:
        try:
            solution = usual(matrix, *rhs)
        except np.linalg.LinAlgError:
            return each_member(one_by_one, matrix, *rhs)
        growth = _largest(solution) * _largest(matrix) / max(_largest(rhs[0]) if rhs else 1, TINY)
        return each_member(one_by_one, matrix, *rhs) if growth * np.finfo(matrix.dtype).eps > DOUBTFUL else solution

    return of_stacks


def _largest(array: Array) -> float:
    return float(np.abs(array).max(initial=0))


def each_member(function: Callable[..., Any], *stacks: Array) -> Any:
    """What the function makes of the members of stacks one by one, as stacks."""
    batch = stacks[0].shape[:-2]
    found = [function(*(stack[index] for stack in stacks)) for index in np.ndindex(batch)]
    if isinstance(found[0], tuple):
        return tuple(_stacked(results, batch) for results in zip(*found, strict=True))
    return _stacked(found, batch)


def _stacked(results: Any, batch: tuple[int, ...]) -> Array:
    stack = np.stack(results)
    return stack.reshape(batch + stack.shape[1:])


def _arithmetic(matrix: Array, by: Arithmetic) -> Arithmetic:
    return by if matrix.dtype.kind == "c" else _REAL


def factors_of(matrix: Array, columns: Arithmetic = PLAIN) -> tuple[Array, Array]:
    """Both triangular factors in one matrix, and the order its rows were put in. NaN is no larger than another number."""
    factors, order = matrix.copy(), np.arange(len(matrix))
    for k in range(len(factors)):
        pivot = k + _first_largest(np.abs(factors[k:, k]))
        if factors[pivot, k] != 0:
            factors[[k, pivot]], order[[k, pivot]] = factors[[pivot, k]], order[[pivot, k]]
            factors[k + 1 :, k] = _arithmetic(matrix, columns).quotient(factors[k + 1 :, k], factors[k, k])
        factors[k + 1 :, k + 1 :] -= factors[k + 1 :, k, None] * factors[k, k + 1 :]
    return factors, order


def _first_largest(sizes: Array) -> int:
    best = 0
    for i, size in enumerate(sizes):
        if size > sizes[best]:
            best = i
    return best


def refuse_singular(factors: Array) -> None:
    refuse_zero_pivot(np.diagonal(factors))


def refuse_zero_pivot(pivots: Array) -> None:
    """One that is NaN is not found, but for the first."""
    least, *others = np.abs(pivots)
    for size in others:
        least = size if size < least else least
    if not least > 0:
        raise ValueError("the matrix is not invertible")


def _sign_of(order: Array) -> int:
    """That of a permutation."""
    return (-1) ** int(np.triu(order[:, None] > order, 1).sum())


def determinant(matrix: Array) -> Array:
    factors, order = factors_of(matrix)
    found = np.prod(np.diagonal(factors)) * _sign_of(order)
    if matrix.dtype.kind == "c" and not np.isfinite(found):
        return np.array(complex(np.nan, np.nan), matrix.dtype)
    return np.asarray(found, matrix.dtype)


def log_determinant(matrix: Array) -> tuple[Array, Array]:
    factors, order = factors_of(matrix)
    diagonal = np.diagonal(factors)
    sizes = np.abs(diagonal)
    logarithm = np.log(sizes).sum()
    if np.isneginf(logarithm):
        sign = np.zeros((), matrix.dtype)
    elif matrix.dtype.kind == "c":
        sign = np.asarray(_sign_of(order), matrix.dtype)
        for direction in np.divide(diagonal, sizes):
            sign = np.asarray(ONE_BY_ONE.product(sign, direction))
    else:
        sign = np.prod(np.sign(diagonal)) * _sign_of(order)
    return np.asarray(sign, matrix.dtype), np.asarray(logarithm, matrix.dtype)


def solution_of(matrix: Array, rhs: Array) -> Array:
    """Raises ValueError for a matrix that is singular."""
    factors, order = factors_of(matrix, ONE_BY_ONE)
    refuse_singular(factors)
    return solve_triangle(factors, solve_triangle(factors, rhs[order], lower=True, has_ones=True), lower=False)


def inverse_of(matrix: Array) -> Array:
    """Raises ValueError for a matrix that is singular."""
    return solution_of(matrix, np.eye(len(matrix), dtype=matrix.dtype))


def solve_triangle(matrix: Array, rhs: Array, lower: bool, has_ones: bool = False) -> Array:
    """Row by row; `has_ones` on its diagonal, whatever stands there."""
    by = _arithmetic(matrix, ONE_BY_ONE)
    solution = rhs.copy()
    for k in range(len(matrix)) if lower else reversed(range(len(matrix))):
        if not has_ones:
            solution[k] = by.quotient(solution[k], matrix[k, k])
        rest = slice(k + 1, None) if lower else slice(None, k)
        solution[rest] -= by.product(matrix[rest, k, None], solution[k])
    return solution


def cholesky_factor(matrix: Array) -> Array | None:
    """The lower triangle; None where a number on the diagonal is not positive. What NaN is compared with is false."""
    factor, by = np.tril(matrix), _arithmetic(matrix, PLAIN)
    for k in range(len(factor)):
        row = factor[k, :k]
        square = factor[k, k].real - (row.real * row.real + row.imag * row.imag).sum()
        if square <= 0:
            return None
        column = factor[k + 1 :, k]
        for known, number in zip(factor[k + 1 :, :k].T, row.conj(), strict=True):
            column -= by.product(known, number)
        factor[k, k] = root = np.sqrt(square)
        for part in (column.real, column.imag) if matrix.dtype.kind == "c" else (column,):
            part /= root
    return factor
