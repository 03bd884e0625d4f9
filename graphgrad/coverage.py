"""Which operations of a graph lack a gradient or a kernel, and which rules there are for each op type.

Rules are asked for, never run, except that higher orders differentiate a copy of the graph in memory.
"""

from __future__ import annotations

import dataclasses
import importlib.resources
import inspect
import os
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from graphgrad import opdefs, registry, signatures
from graphgrad.errors import GraphGradError
from graphgrad.families import FAMILY_OF
from graphgrad.graph import Graph, Operation, needed_by
from graphgrad.library import is_call
from graphgrad.tensors import IndexedSlices, Tensor

# What the interpreter does itself, without a kernel.
BUILT_IN = frozenset({"Const", "NoOp", "Placeholder", "PlaceholderV2"})

NO_GRADIENT = "none on purpose"  # in place of where a rule is


@dataclasses.dataclass(frozen=True)
class Coverage:
    """What is lacking: op types without kernel with their nodes, missing gradients with node and path.

    `left_out` are the op types, counted, of what only saves and restores variables and was not looked at.
    """

    ops: dict[str, int]
    without_kernel: dict[str, list[str]]
    without_gradient: list[dict[str, Any]]
    left_out: dict[str, int] = dataclasses.field(default_factory=dict)

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
            "left_out": self.left_out,
        }


def coverage(graph: Graph, ys: Sequence[str] = (), xs: Sequence[str] = (), order: int = 1) -> Coverage:
    """What of a graph cannot be run or differentiated.

    With `ys` and `xs` gradients are looked for on the way between them, up to the given order of differentiation, and
    what the ys and their gradients need must have kernels; the graph gains the gradients' nodes. Without, every op
    type is asked, but for those that only the saver of a model needs.
    Raises ValueError for names that are not in the graph.
    """
    missing: list[dict[str, Any]] = []
    idle: dict[Operation, None] = {}
    if ys and xs:
        missing, results = _differentiate(graph, list(ys), list(xs), order)
        places = list(everything(graph, needed_by(dict.fromkeys(t.op for t in results))))
    else:
        idle = signatures.only_for_the_saver(graph)
        places = list(everything(graph, [op for op in graph if op not in idle]))
        missing = [
            {"op": op.type, "node": place, "path": [place], "custom_gradient": op.annotation("_gradient_op_type")}
            for place, op in places
            if op.inputs and (op.outputs or op.signature is None) and not _can_be_differentiated(op)
        ]
    without_kernel: dict[str, list[str]] = {}
    for place, op in places:
        if not has_kernel(op):
            without_kernel.setdefault(op.type, []).append(place)
    seen = {id(op) for _, op in places}
    left_out = _counted(op for _, op in everything(graph, idle) if id(op) not in seen)
    return Coverage(_counted(op for _, op in places), without_kernel, missing, left_out)


def _counted(operations: Iterable[Operation]) -> dict[str, int]:
    return dict(sorted(Counter(op.type for op in operations).items()))


def everything(graph: Graph, operations: Iterable[Operation] | None = None) -> Iterator[tuple[str, Operation]]:
    """The operations, or all of the graph's, and those of the functions they call, each of these once, with its name
    or 'function/name'."""
    library = graph.functions
    called: dict[str, None] = {}
    queue: deque[tuple[str, Iterable[Operation]]] = deque([("", list(graph if operations is None else operations))])
    while queue:
        prefix, body = queue.popleft()
        for op in body:
            yield prefix + op.name, op
        for name in library.called_by(op.node_def() for op in body) if library else ():
            if name in library and name not in called:
                called[name] = None
                queue.append((f"{name}/", list(library.body(name).graph)))


def has_kernel(op: Operation) -> bool:
    """Whether the interpreter can run the operation."""
    return op.type in BUILT_IN or is_call(op) or registry.kernel_of(op.type) is not None


def _can_be_differentiated(op: Operation) -> bool:
    custom = op.annotation("_gradient_op_type")
    if op.signature is None and op.type in op.graph.functions:
        return custom is None
    return registry.gradient_rule(op.type if custom is None else custom) is not registry.UNKNOWN


def _differentiate(graph: Graph, ys: list[str], xs: list[str], order: int) -> tuple[list[dict[str, Any]], list[Tensor]]:
    """What is missing, and the ys with all their gradients as far as these can be had."""
    from graphgrad.differentiate import gradients

    results = latest = [graph.tensor(y) for y in ys]
    for _ in range(order):
        try:
            found = gradients(latest, xs, graph=graph)
        except GraphGradError as error:
            if "missing" not in error.details:
                raise
            return error.details["missing"], results  # type: ignore[return-value]
        results = results + [part for g in found if g is not None for part in _tensors_of(g)]
        latest = [g.values if isinstance(g, IndexedSlices) else g for g in found if g is not None]
        if not latest:
            break
    return [], results


def _tensors_of(gradient: Tensor | IndexedSlices) -> list[Tensor]:
    if not isinstance(gradient, IndexedSlices):
        return [gradient]
    return [part for part in (gradient.values, gradient.indices, gradient.dense_shape) if part is not None]


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
