"""Which operations of a graph lack a gradient or a kernel, and which rules there are for each op type.

Rules are asked for, never run, except that higher orders differentiate a copy of the graph in memory.
"""

from __future__ import annotations

import dataclasses
import inspect
import os
from collections.abc import Sequence
from typing import Any

from graphgrad import opdefs, registry
from graphgrad.errors import MissingGradientError
from graphgrad.families import FAMILY_OF
from graphgrad.graph import Graph, IndexedSlices, Operation, Tensor

# What the interpreter does itself, without a kernel.
BUILT_IN = frozenset({"Const", "NoOp", "Placeholder", "PlaceholderV2"})


@dataclasses.dataclass(frozen=True)
class Coverage:
    """What is lacking: op types without kernel with their nodes, missing gradients with node and path."""

    ops: dict[str, int]
    without_kernel: dict[str, list[str]]
    without_gradient: list[dict[str, Any]]

    def __bool__(self) -> bool:
        """Whether nothing is lacking."""
        return not (self.without_kernel or self.without_gradient)

    def as_json(self) -> dict[str, Any]:
        return {
            "schema": 1,
            "complete": bool(self),
            "ops": self.ops,
            "without_kernel": self.without_kernel,
            "without_gradient": self.without_gradient,
        }


def coverage(graph: Graph, ys: Sequence[str] = (), xs: Sequence[str] = (), order: int = 1) -> Coverage:
    """What of a graph cannot be run or differentiated.

    With `ys` and `xs` gradients are looked for on the way between them, up to the given order of differentiation, and
    the gradient nodes themselves must have kernels; the graph gains these nodes. Without, every op type is asked.
    Raises ValueError for names that are not in the graph.
    """
    missing: list[dict[str, Any]] = []
    if ys and xs:
        missing = _differentiate(graph, list(ys), list(xs), order)
    else:
        lacking = [op for op in graph if op.inputs and registry.gradient_rule(op.type) is registry.UNKNOWN]
        missing = [{"op": op.type, "node": op.name, "path": [op.name], "custom_gradient": None} for op in lacking]
    counts: dict[str, int] = {}
    without_kernel: dict[str, list[str]] = {}
    for op in graph:
        counts[op.type] = counts.get(op.type, 0) + 1
        if not has_kernel(op):
            without_kernel.setdefault(op.type, []).append(op.name)
    return Coverage(dict(sorted(counts.items())), without_kernel, missing)


def has_kernel(op: Operation) -> bool:
    """Whether the interpreter can run the operation."""
    return op.type in BUILT_IN or registry.kernel_of(op.type) is not None


def _differentiate(graph: Graph, ys: list[Any], xs: list[str], order: int) -> list[dict[str, Any]]:
    from graphgrad.differentiate import gradients

    for _ in range(order):
        try:
            found = gradients(ys, xs, graph=graph)
        except MissingGradientError as error:
            return error.details["missing"]  # type: ignore[return-value]
        ys = [part for g in found if g is not None for part in _tensors_of(g)]
        if not ys:
            break
    return []


def _tensors_of(gradient: Tensor | IndexedSlices) -> list[Tensor]:
    return [gradient.values if isinstance(gradient, IndexedSlices) else gradient]


@dataclasses.dataclass(frozen=True)
class OpRules:
    """One op type: its signature and where each of its rules is written ('file:line'), None where there is none."""

    op: str
    signature: str
    family: str | None
    shape: str | None
    gradient: str | None
    kernel: str | None

    def as_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


def rules_of(op_type: str) -> OpRules:
    """The rules of an op type that TensorFlow has. Its gradient is 'none on purpose' where TensorFlow has none either."""
    signature = opdefs.signature(op_type)
    gradient = registry.gradient_rule(op_type)
    return OpRules(
        op=op_type,
        signature=str(signature) if signature is not None else op_type,
        family=FAMILY_OF.get(op_type),
        shape=_where(registry.shape_rule(op_type)),
        gradient=None if gradient is registry.UNKNOWN else "none on purpose" if gradient is None else _where(gradient),
        kernel="built in" if op_type in BUILT_IN else _where(registry.kernel_of(op_type)),
    )


def _where(rule: Any) -> str | None:
    """'gradients/math.py:12', or the function's name where it is numpy's own."""
    if rule is None:
        return None
    try:
        rule = inspect.unwrap(getattr(rule, "func", rule))
        path, line = inspect.getsourcefile(rule) or "", inspect.getsourcelines(rule)[1]
    except (TypeError, OSError):
        return f"numpy.{rule.__name__}" if hasattr(rule, "__name__") else type(rule).__name__
    return f"{os.path.basename(os.path.dirname(path))}/{os.path.basename(path)}:{line}"
