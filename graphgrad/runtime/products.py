"""Products that a loop makes round after round, for less: sums over rounds as a few long products, operands turned once.

What a backward loop adds to the gradient of a weight in each round is x^T @ dz, a product as wide as the weight and
as short as the batch. The rows of many rounds below each other make one product of the same sum.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from graphgrad.errors import EvaluationError
from graphgrad.kernels import _threads
from graphgrad.runtime.steps import Step, failure
from graphgrad.runtime.uses import Uses

Array = np.ndarray[Any, Any]
SUMS = frozenset(["Add", "AddN", "AddV2"])
ROWS = 256  # of one long product
LARGE = 1 << 15  # bytes of an operand that is worth turning
FEW_ROWS = 64  # for which turning the other operand costs as much as the product


class Accumulated(NamedTuple):
    """A loop variable that only grows by x^T @ y; the slots of the three, and the steps this stands for."""

    total: int
    x: int
    y: int
    product: Step
    sum: Step


def accumulated(uses: Uses, changing: Sequence[tuple[int, int]]) -> list[Accumulated]:
    """The variables of a loop, given as slots (now, following), that only sum such products."""
    makers, readers = uses
    found = []
    for now, following in changing:
        total = makers.get(following)
        if total is None or total.op.type not in SUMS or len(total.inputs) != 2 or now not in total.inputs:
            continue
        term = total.inputs[1 - total.inputs.index(now)]
        product = makers.get(term)
        if product is None or product.op.type != "MatMul" or not (total.is_plain and product.is_plain):
            continue
        is_long = product.op["transpose_a"] and not product.op["transpose_b"]
        if is_long and readers[term] == readers[now] == readers[following] == 1:
            x, y = product.inputs
            found.append(Accumulated(now, x, y, product, total))
    return found


class LongProduct:
    """The rows of x and y, collected over rounds and multiplied now and then; serves one run of a loop at a time."""

    def __init__(self, variable: Accumulated):
        self.variable = variable
        self._rows = 0
        self._collected: list[tuple[Array, Array]] = []  # one is multiplied while the other is filled
        self._product: Array | None = None
        self._own: Array | None = None  # the total, once it is an array that nobody else knows
        self._wait: Callable[[], Any] = _nothing

    def take(self, slots: list[Any]) -> None:
        """Takes in what a round gives."""
        x, y = slots[self.variable.x], slots[self.variable.y]
        if not _is_short(x, y):
            self.finish(slots)
            self._add(slots, _run(self.variable.product, x, y))
            return
        if self._rows + len(x) > ROWS or not self._fits(x, y):
            self._multiply(slots)
        if not self._fits(x, y):
            self._wait()
            self._collected = [(_like(x), _like(y)) for _ in range(2)]
            self._product = np.empty((x.shape[1], y.shape[1]), x.dtype)
        for collected, array in zip(self._collected[0], (x, y), strict=True):
            collected[self._rows : self._rows + len(x)] = array
        self._rows += len(x)

    def finish(self, slots: list[Any]) -> None:
        """Brings the variable up to date."""
        self._multiply(slots)
        self._wait()
        self._wait, self._own = _nothing, None

    def _fits(self, x: Array, y: Array) -> bool:
        return bool(self._collected) and all(
            a.shape[1] == b.shape[1] and a.dtype == b.dtype for a, b in zip(self._collected[0], (x, y), strict=True)
        )

    def _multiply(self, slots: list[Any]) -> None:
        if not self._rows:
            return
        self._wait()
        x, y = (collected[: self._rows] for collected in self._collected[0])
        self._collected.reverse()
        self._rows = 0

        self._wait = _threads.aside(lambda: self._add(slots, np.matmul(x.T, y, self._product)))

    def _add(self, slots: list[Any], product: Array) -> None:
        place = self.variable.total
        if self._own is None:
            slots[place] = self._own = _run(self.variable.sum, slots[place], product)
        else:
            np.add(self._own, product, self._own)


def _is_short(x: Array, y: Array) -> bool:
    """Whether the factors are matrices that fit each other, of so few rows that collecting them is worth it."""
    return x.ndim == y.ndim == 2 and len(x) == len(y) <= ROWS // 2 and x.dtype == y.dtype and x.dtype.char in "fd"


def _like(rows: Array) -> Array:
    return np.empty((ROWS, rows.shape[1]), rows.dtype)


def _run(step: Step, *inputs: Array) -> Any:
    try:
        return step.run(*inputs)
    except Exception as error:
        raise EvaluationError(failure(step, list(inputs), error)) from error


def _nothing() -> None:
    pass


class Turned:
    """x @ y^T for few rows x and a y that is the same in many rounds: BLAS would turn it in each of them."""

    def __init__(self, multiply: Callable[..., Array]) -> None:
        self._multiply = multiply
        self._seen: Array | None = None
        self._turned: Array | None = None

    def forget(self) -> None:
        """Between two runs of the loop other numbers may have come to the same place."""
        self._seen = self._turned = None

    def __call__(self, x: Array, y: Array, out: Array | None = None) -> Array:
        if y is not self._seen:
            self._seen, self._turned = y, None
            return np.matmul(x, y.T, out)
        if self._turned is None:
            self._turned = np.ascontiguousarray(y.T)
        return self._multiply(x, self._turned, out)


def turned(step: Step, inputs: Sequence[Array]) -> Turned | None:
    """What makes the product of a step that is worth turning an operand for."""
    if step.op.type != "MatMul" or step.op["transpose_a"] or not step.op["transpose_b"]:
        return None
    x, y = inputs
    if len(x) > FEW_ROWS or x.dtype.char not in "fd" or y.nbytes < LARGE:
        return None
    return Turned(_threads.product(x.shape, y.shape[::-1], x.dtype))
