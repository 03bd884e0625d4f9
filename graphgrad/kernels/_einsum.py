"""Einstein summation with TensorFlow's equations: every pair of inputs becomes one batched matrix product.

What to do depends on the equation and the shapes alone; it is worked out once for each and remembered.
"""

from __future__ import annotations

import functools
import math
from typing import NamedTuple

import numpy as np

from graphgrad.kernels._complex_matmul import unbounded_product
from graphgrad.kernels._precision import HALVES
from graphgrad.registry import kernel


class Preparation(NamedTuple):
    """What is done to one input: diagonals of repeated labels, sums over lonely ones, an order, a shape."""

    diagonal: tuple[tuple[int, ...], tuple[int, ...]] | None  # the label of each axis, the labels that stay
    summed: tuple[int, ...]
    order: tuple[int, ...]
    shape: tuple[int, ...]

    def __call__(self, x):
        if self.diagonal:
            x = np.einsum(x, *self.diagonal)
        if self.summed:
            x = x.sum(self.summed, dtype=x.dtype)
        return x.transpose(self.order).reshape(self.shape)


class Plan(NamedTuple):
    """Prepared inputs are multiplied, given a shape and an order, and spread over diagonals."""

    inputs: tuple[Preparation, ...]
    swapped: bool
    turned: tuple[bool, bool]  # whether TensorFlow's product finds its factors transposed in memory
    elementwise: bool
    shape: tuple[int, ...]
    order: tuple[int, ...]
    spread: tuple[tuple[int, ...], tuple[int, ...]] | None  # the shape, the axis that each of its axes repeats


def parse(equation, ranks):
    """The labels of each input and of the output; the axes of an ellipsis are numbered from its end."""
    sides = equation.split("->")
    if len(sides) != 2:
        raise ValueError(f"einsum equation '{equation}' must have exactly one '->'")
    terms = sides[0].split(",")
    if len(terms) != len(ranks) or len(terms) > 2:
        raise ValueError(f"einsum equation '{equation}' does not fit {len(ranks)} inputs (one or two are supported)")
    spans = []
    for term, rank in zip(terms, ranks, strict=True):
        named = len(term.replace("...", "", 1))
        spans.append(rank - named if "..." in term else 0)
        if rank < named or rank - named != spans[-1]:
            raise ValueError(f"einsum equation '{equation}': term '{term}' does not fit a tensor of rank {rank}")
    widest = max(spans)
    if widest and "..." not in sides[1]:
        raise ValueError(f"einsum equation '{equation}': the output lacks the ellipsis of its inputs")
    inputs = tuple(labels_of(equation, term, span) for term, span in zip(terms, spans, strict=True))
    output = labels_of(equation, sides[1], widest)
    for label in output:
        if not any(label in labels for labels in inputs):
            raise ValueError(f"einsum equation '{equation}': output label '{label}' is in no input")
    return inputs, output


def labels_of(equation, term, span):
    before, ellipsis, after = term.partition("...")
    if "." in before + after:
        raise ValueError(f"einsum equation '{equation}': term '{term}' has a stray '.'")
    return (*before, *range(span, 0, -1), *after) if ellipsis else tuple(before)


def sizes_of(equation, inputs, shapes):
    """The size of each label; only the axes of an ellipsis may be broadcast."""
    sizes = {}
    for labels, shape in zip(inputs, shapes, strict=True):
        for label, size in zip(labels, shape, strict=True):
            known = sizes.setdefault(label, size)
            if known == size:
                continue
            if isinstance(label, str) or 1 not in (known, size):
                raise ValueError(f"einsum equation '{equation}': label '{label}' is {known} and {size}")
            sizes[label] = size if known == 1 else known
    return sizes


@functools.lru_cache(maxsize=1024)
def plan(equation: str, *shapes: tuple[int, ...]) -> Plan:
    """How to compute the equation for inputs of these shapes."""
    inputs, output = parse(equation, [len(shape) for shape in shapes])
    sizes = sizes_of(equation, inputs, shapes)
    kept = [present(labels, shape, sizes) for labels, shape in zip(inputs, shapes, strict=True)]
    outer = tuple(dict.fromkeys(output))
    if len(inputs) == 1:
        groups, swapped, turned = [[outer]], False, (False, False)
        result = outer
    else:
        x, y = ([label for label in own if label in outer or label in other] for own, other in (kept, kept[::-1]))
        batch = tuple(label for label in outer if label in x and label in y)
        summed = tuple(label for label in x if label not in outer)
        free_x = tuple(label for label in outer if label in x and label not in y)
        free_y = tuple(label for label in outer if label in y and label not in x)
        swapped = bool(free_y and (not free_x or outer.index(free_y[0]) < outer.index(free_x[0])))
        turned = (terms_come_first(x, batch, summed), not terms_come_first(y, batch, summed))
        groups = [[batch, free_x, summed], [batch, summed, free_y]]
        if swapped:  # then the product comes out in the order that is wanted
            groups = [[batch, summed, free_x], [batch, free_y, summed]]
        result = (*batch, *free_y, *free_x) if swapped else (*batch, *free_x, *free_y)
        result += tuple(label for label in outer if label not in result)
    preparations = tuple(
        preparation(labels, shape, group) for labels, shape, group in zip(inputs, shapes, groups, strict=True)
    )
    return Plan(
        inputs=preparations,
        swapped=swapped,
        turned=turned,
        elementwise=len(inputs) == 2 and not summed,
        shape=tuple(sizes[label] for label in result),
        order=tuple(result.index(label) for label in outer),
        spread=(tuple(sizes[label] for label in output), tuple(outer.index(label) for label in output))
        if len(outer) < len(output)
        else None,
    )


def present(labels, shape, sizes):
    """The distinct labels of an input, without those whose axis it leaves to the other input to fill."""
    return [
        label
        for label, size in dict(zip(labels, shape, strict=True)).items()
        if isinstance(label, str) or size == sizes[label]
    ]


def terms_come_first(labels, batch, summed):
    """Whether labels are in this order: those of an ellipsis, of the batch, those summed over, the others."""
    ranks = [0 if isinstance(label, int) else 1 if label in batch else 2 if label in summed else 3 for label in labels]
    return ranks == sorted(ranks)


def preparation(labels, shape, groups):
    """Groups are the labels wanted, in order; those of the first keep their axes, the others merge theirs."""
    sizes = dict(zip(labels, shape, strict=True))
    wanted = [label for group in groups for label in group]
    dropped = [label for label in sizes if label not in wanted]
    summed = [label for label in dropped if sizes[label] != 1]
    rest = [label for label in sizes if label not in summed]
    order = wanted + [label for label in dropped if label not in summed]
    batch, *merged = groups
    axes = list(sizes)
    return Preparation(
        diagonal=(tuple(map(axes.index, labels)), tuple(range(len(axes)))) if len(axes) < len(labels) else None,
        summed=tuple(map(axes.index, summed)),
        order=tuple(map(rest.index, order)),
        shape=(*(sizes[label] for label in batch), *(math.prod(sizes[label] for label in g) for g in merged)),
    )


def einsum(equation, inputs):
    steps = plan(equation, *(x.shape for x in inputs))
    dtype = inputs[0].dtype
    wide = np.dtype(np.float32) if dtype in HALVES else dtype
    prepared = [prepare(x.astype(wide, copy=False)) for prepare, x in zip(steps.inputs, inputs, strict=True)]
    if len(prepared) == 1:
        result = prepared[0]
    else:
        x, y = reversed(prepared) if steps.swapped else prepared
        result = x * y if steps.elementwise else np.matmul(x, y)
        if result.dtype.kind == "c" and not np.isfinite(result).all():
            result = np.where(np.isfinite(result), result, _unbounded(steps, x, y))
    result = result.reshape(steps.shape).transpose(steps.order)
    if steps.spread:
        shape, axes = steps.spread
        whole = np.zeros(shape, wide)
        np.einsum(whole, axes, list(range(result.ndim)))[...] = result
        result = whole
    return result.astype(dtype, copy=False)


def _unbounded(steps, x, y):
    if steps.swapped:
        return unbounded_product(y.swapaxes(-1, -2), x.swapaxes(-1, -2), *steps.turned).swapaxes(-1, -2)
    return unbounded_product(x, y, *steps.turned)


@kernel("Einsum")
def einsum_of_list(inputs, *, equation):
    return einsum(equation, inputs)


@kernel("XlaEinsum")
def einsum_of_two(a, b, *, equation):
    return einsum(equation, [a, b])
