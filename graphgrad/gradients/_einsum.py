"""The gradient of Einsum, itself made of Einsums: labels that were summed away are spread out again.

For `x,y->z` the gradient of x is `z,y->x`; labels of x that stand in neither z nor y are broadcast afterwards.
"""

from __future__ import annotations

from typing import Any

from graphgrad import dtypes
from graphgrad.functions import GraphBuilder
from graphgrad.graph import Operation
from graphgrad.shapes import dims
from graphgrad.tensors import Tensor

DOTS = "..."


def gradient_of_einsum(g: GraphBuilder, op: Operation, dz: Tensor) -> list[Any]:
    """One gradient per operand of a unary or binary Einsum."""
    operands, _, result = op["equation"].partition("->")
    subscripts = operands.split(",")
    if len(subscripts) == 1:
        return [_unary(g, op.inputs[0], dz, operands, result)]
    if DOTS in result:
        subscripts = [s if DOTS in s else s + DOTS for s in subscripts]
    operand_tensors = [g.conj(x) for x in op.inputs] if dz.dtype.is_complex else op.inputs  # type: ignore[union-attr]
    shapes = [g.shape(x) for x in operand_tensors]
    gradients = [
        _with_respect_to(g, dz, operand_tensors[1 - i], shapes[i], subscripts[i], subscripts[1 - i], result)
        for i in (0, 1)
    ]
    if DOTS not in result:
        return gradients
    bounds = [_ellipsis_bounds(s) for s in subscripts]
    batches = [None if x.shape is None else x.shape[a:b] for x, (a, b) in zip(operand_tensors, bounds, strict=True)]
    if all(dims.is_known(x.shape) for x in operand_tensors) and batches[0] == batches[1]:
        return gradients
    axes = g.BroadcastGradientArgs(*[s[a:b] for s, (a, b) in zip(shapes, bounds, strict=True)])
    return [g.Reshape(g.reduce_sum(d, bounds[i][0] + axes[i]), shapes[i]) for i, d in enumerate(gradients)]


def _unary(g: GraphBuilder, x: Tensor, dz: Tensor, subscripts: str, result: str) -> Tensor:
    shape = g.shape(x)
    reduced = _only_in(subscripts, result + DOTS)
    if not reduced:
        return g.Einsum([dz], equation=f"{result}->{subscripts}")
    return _spread(g, dz, result, subscripts, shape, reduced)


def _with_respect_to(
    g: GraphBuilder, dz: Tensor, other: Tensor, shape: Tensor, subscripts: str, other_subscripts: str, result: str
) -> Tensor:
    reduced = _only_in(subscripts, result + other_subscripts + ".")
    kept = "".join(s for s in subscripts if s not in reduced)
    dx = g.Einsum([dz, other], equation=f"{result},{other_subscripts}->{kept}")
    return _spread(g, dx, kept, subscripts, shape, reduced) if reduced else dx


def _only_in(subscripts: str, others: str) -> str:
    """The labels that no other operand and not the result has, each once, in the order they stand."""
    return "".join(dict.fromkeys(s for s in subscripts if s not in others))


def _spread(g: GraphBuilder, dx: Tensor, subscripts: str, wanted: str, shape: Tensor, reduced: str) -> Tensor:
    """`dx` repeated along the labels in `reduced`, so that it has the subscripts wanted."""
    axes = [_axis_of(wanted, label) for label in reduced]
    sizes = g.stack([shape[axis] for axis in axes])
    repeats = len(set(wanted)) + len(set(subscripts)) < len(wanted) + len(subscripts)
    if not repeats and "".join(s for s in wanted if s not in reduced) == subscripts:
        kept = g.reduced_shape(shape, g.constant(axes))
        return g.BroadcastTo(g.Reshape(dx, kept), shape)
    whole = g.concat([sizes, g.shape(dx)], 0)
    with g.name_scope("ones") as scope:
        ones = g.Fill(
            g.constant([len(reduced)], dtypes.int32, name="shape_as_tensor"), g.constant(1, dtypes.int32), name=scope
        )
    kept = g.concat([ones, g.shape(dx)], 0)
    return g.Einsum([g.BroadcastTo(g.Reshape(dx, kept), whole)], equation=f"{reduced}{subscripts}->{wanted}")


def _axis_of(subscripts: str, label: str) -> int:
    """The axis of a label, counted from the end where it stands behind the ellipsis."""
    before, _, behind = subscripts.partition(DOTS)
    return before.index(label) if label in before else behind.index(label) - len(behind)


def _ellipsis_bounds(subscripts: str) -> tuple[int, int | None]:
    """The slice of the axes that the ellipsis stands for."""
    start = subscripts.find(DOTS)
    if start < 0:
        return 0, 0
    behind = len(subscripts) - start - len(DOTS)
    return start, -behind if behind else None
