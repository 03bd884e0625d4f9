"""TensorFlow's `cond` of version 1, for the gradient rules that branch: Switch on the way in, Merge on the way out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphgrad.controlflow.contexts import Branch, Context, Contexts
from graphgrad.functions import GraphBuilder
from graphgrad.tensors import Tensor


def cond(g: GraphBuilder, predicate: Tensor, if_true: Callable[[], Tensor], if_false: Callable[[], Tensor]) -> Tensor:
    """What `if_true` gives where the predicate holds when the graph runs, else what `if_false` gives."""
    contexts = Contexts(g) if g.flow is None else g.flow.contexts
    outer: Context | None = g.context
    with g.name_scope("cond"):
        otherwise, then = g.Switch(predicate, predicate)
        pivots = {1: g.Identity(then, name="switch_t"), 0: g.Identity(otherwise, name="switch_f")}
        chosen = g.Identity(predicate, name="pred_id")
        results: dict[int, Tensor] = {}
        for branch, build in ((1, if_true), (0, if_false)):
            results[branch] = _built(g, Branch(contexts, outer, chosen, branch), pivots[branch], build)
        return g.Merge([results[0], results[1]])[0]  # type: ignore[no-any-return]


def _built(g: GraphBuilder, branch: Branch, pivot: Tensor, build: Callable[[], Any]) -> Tensor:
    """What is built in a branch; a tensor from outside comes in through a Switch."""
    branch.identity = pivot
    branch.inside[pivot] = pivot
    with g.within(branch):
        return branch.bring(build())
