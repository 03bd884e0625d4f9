"""Which operations of a graph lack a gradient or a kernel, and which rules there are for each op type.

Rules are asked for, never run, except that higher orders differentiate a copy of the graph in memory.
"""

from __future__ import annotations

import dataclasses
import importlib.resources
import inspect
import os
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any

from graphgrad import opdefs, registry
from graphgrad.errors import MissingGradientError
from graphgrad.families import FAMILY_OF
from graphgrad.graph import Graph, IndexedSlices, Operation, Tensor

# What the interpreter does itself, without a kernel.
BUILT_IN = frozenset({"Const", "NoOp", "Placeholder", "PlaceholderV2"})

NO_GRADIENT = "none on purpose"  # in place of where a rule is


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
        lacking = [(place, op) for place, op in everything(graph) if op.inputs and not _can_be_differentiated(op)]
        missing = [
            {"op": op.type, "node": place, "path": [place], "custom_gradient": op.annotation("_gradient_op_type")}
            for place, op in lacking
        ]
    counts: dict[str, int] = {}
    without_kernel: dict[str, list[str]] = {}
    for place, op in everything(graph):
        counts[op.type] = counts.get(op.type, 0) + 1
        if not has_kernel(op):
            without_kernel.setdefault(op.type, []).append(place)
    return Coverage(dict(sorted(counts.items())), without_kernel, missing)


def everything(graph: Graph) -> Iterator[tuple[str, Operation]]:
    """Every operation of the graph and of the functions it calls, each of these once, with its name or 'function/name'."""
    library = graph.functions
    called: dict[str, None] = {}
    queue: deque[tuple[str, Graph]] = deque([("", graph)])
    while queue:
        prefix, body = queue.popleft()
        for op in body:
            yield prefix + op.name, op
        for name in library.called_by(op.node_def() for op in body) if library else ():
            if name in library and name not in called:
                called[name] = None
                queue.append((f"{name}/", library.body(name).graph))


def has_kernel(op: Operation) -> bool:
    """Whether the interpreter can run the operation."""
    from graphgrad.runtime import functions

    return op.type in BUILT_IN or functions.is_call(op) or registry.kernel_of(op.type) is not None


def _can_be_differentiated(op: Operation) -> bool:
    custom = op.annotation("_gradient_op_type")
    if op.signature is None and op.type in op.graph.functions:
        return custom is None
    return registry.gradient_rule(op.type if custom is None else custom) is not registry.UNKNOWN


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
        shape=_where(registry.shape_rule(op_type), op_type, "shapes"),
        gradient=None if gradient is registry.UNKNOWN else _where(gradient, op_type, "gradients") or NO_GRADIENT,
        kernel="built in" if op_type in BUILT_IN else _where(_kernel_of(op_type), op_type, "kernels"),
    )


def _kernel_of(op_type: str) -> Any:
    from graphgrad.runtime import functions

    return functions.RUNNERS.get(op_type) or registry.kernel_of(op_type)


def _where(rule: Any, op_type: str, room: str) -> str | None:
    """'gradients/math.py:12'; for a function of numpy's own the line that names the op in its family's table."""
    if rule is None:
        return None
    try:
        rule = inspect.unwrap(getattr(rule, "func", rule))
        path, line = inspect.getsourcefile(rule) or "", inspect.getsourcelines(rule)[1]
    except (TypeError, OSError):
        return f"{_table_line(op_type, room)} ({getattr(rule, '__module__', None) or 'numpy'}.{rule.__name__})"
    return f"{os.path.basename(os.path.dirname(path))}/{os.path.basename(path)}:{line}"


def _table_line(op_type: str, room: str) -> str:
    family = FAMILY_OF[op_type]
    lines = (importlib.resources.files("graphgrad") / room / f"{family}.py").read_text(encoding="utf-8").splitlines()
    found = [number for number, line in enumerate(lines, 1) if f'"{op_type}"' in line]
    return f"{room}/{family}.py:{found[0] if found else 1}"
