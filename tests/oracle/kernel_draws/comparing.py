"""One draw in graphgrad and in TensorFlow: values, dtypes, shapes, who refuses, and what is known before it runs."""

from __future__ import annotations

import re
import sys
import traceback
from collections.abc import Mapping
from typing import Any

import numpy as np
from hypothesis import HealthCheck, Phase, given, reject, seed, settings
from hypothesis import strategies as st

from graphgrad import compile as compile_graph
from graphgrad.errors import GraphGradError
from graphgrad.graph import Graph
from graphgrad.schema import graph_pb2
from graphgrad.tensors import Tensor
from tests.closeness import why_not_close
from tests.oracle.kernel_draws import loosened, recipe_of, spares
from tests.oracle.kernel_draws.beside import tensorflow
from tests.oracle.kernel_draws.drawing import Array, Draw, draw_of

# How TensorFlow says that it cannot run what it accepts: this says nothing of the operation.
LACKING = re.compile(
    r"not in NodeDef|No OpKernel was registered|[Nn]ot (yet )?implemented|currently only supports?|not (yet )?support|[Oo]nly supports?|Unsupported data type"
    r"|could not create a primitive"  # of oneDNN, which fails on some images of one pixel
)


class Different(AssertionError):
    """A draw over which graphgrad and TensorFlow differ."""

    def __init__(self, found: Draw, problem: str):
        super().__init__(f"{found}\n{problem}")
        self.found = found


def compare(
    op_type: str,
    count: int,
    first_seed: int,
    phases: tuple[Phase, ...] = (Phase.generate, Phase.shrink),
    fixed: Mapping[str, str] | None = None,
    unbounded: float = 0,
) -> int:
    """Draws so often, with the dtypes in `fixed` and a share of `unbounded` NaN or infinite, and gives how many draws TensorFlow ran. Raises AssertionError with the simplest
    draw that differs."""
    recipe, kernels = recipe_of(op_type), tensorflow().kernels().get(op_type, [])
    ran = 0

    @seed(first_seed)
    @settings(max_examples=count, deadline=None, database=None, phases=phases, suppress_health_check=list(HealthCheck))
    @given(st.data())
    def search(data: Any) -> None:
        nonlocal ran
        found = draw_of(
            lambda s: data.draw(s),
            op_type,
            recipe,
            kernels,
            spoil="bad" not in spares(op_type) and not unbounded,
            fixed=fixed,
            unbounded=unbounded,
        )
        try:
            problem = difference(found)
        except Exception as error:
            where = traceback.extract_tb(error.__traceback__)[-1]
            problem = f"{type(error).__name__} at {where.filename}:{where.lineno}: {error}"
        if problem is None:
            reject()
        ran += 1
        if problem:
            raise Different(found, problem)

    search()
    return ran


def difference(found: Draw) -> str | None:
    """How graphgrad and TensorFlow differ over a draw; nothing where they agree, None where TensorFlow has no answer."""
    graph, feeds, outputs, reply = answered(found)
    if reply[0] == "died":
        print(f"TensorFlow dies of {found}", file=sys.stderr)
    if is_lacking(reply):
        return None
    ours = run(graph, feeds, outputs)
    if reply[0] == "refused":
        if not isinstance(ours, str) and "lenient" not in spares(found.op_type):
            return f"TensorFlow refuses ({reply[1]}: {reply[2][:300]}), graphgrad gives {[a.tolist() for a in ours]}"
        return why_unclear(ours)
    if isinstance(ours, str):
        return f"graphgrad refuses ({ours}), TensorFlow gives {[v if v is None else v.tolist() for v in map(as_array, reply[1])]}"
    return different_values(found, reply[1], ours) or different_shapes(found.op_type, reply[2], outputs, reply[1])


def answered(found: Draw) -> tuple[Graph, dict[str, Array], list[Tensor], Any]:
    """The graph of a draw, its feeds and outputs, and what TensorFlow says to it. Where its shape rule refuses what graphgrad
    takes, the graph says less of its inputs: would TensorFlow's kernel refuse?"""
    graph, feeds, outputs = found.build()
    reply = ask(graph, feeds, outputs)
    for known in ([a.shape for a in found.flat()], [None] * len(found.known)):
        if reply[0] == "refused" and reply[1] == "graph" and not isinstance(run(graph, feeds, outputs), str):
            graph, feeds, outputs = found.build(known)
            reply = ask(graph, feeds, outputs)
    return graph, feeds, outputs, reply


def is_lacking(reply: Any) -> bool:
    """Whether TensorFlow has no answer: it died, or has no kernel."""
    return reply[0] == "died" or (
        reply[0] == "refused" and (reply[1] == "UnimplementedError" or bool(LACKING.search(reply[2])))
    )


def can_be(known: Any, shape: Any) -> bool:
    """Whether a tensor whose static shape is known so far may have that shape."""
    if known is None or shape is None:
        return True
    return len(known) == len(shape) and all(k in (None, n) for k, n in zip(known, shape, strict=True))


def why_unclear(ours: Any) -> str:
    """A refusal is one line."""
    return f"the message has several lines: {ours!r}" if isinstance(ours, str) and "\n" in ours else ""


def ask(graph: Graph, feeds: dict[str, Array], outputs: list[Tensor], first: tuple[str, ...] = ()) -> Any:
    """TensorFlow's answer."""
    return tensorflow().ask(serialized(graph), feeds, [t.name for t in outputs], list(first))


def serialized(graph: Graph) -> bytes:
    """The graph's bytes."""
    definition = graph_pb2.GraphDef(node=[op.node_def() for op in graph])
    definition.versions.producer = graph.message.versions.producer
    return definition.SerializeToString(deterministic=True)


def run(graph: Graph, feeds: dict[str, Array], outputs: list[Tensor]) -> list[Any] | str:
    """Our values, or why we refuse. The second and third run, for which more is prepared, must give the same."""
    try:
        plan = compile_graph(graph, outputs, list(feeds))
        with np.errstate(all="ignore"):
            results = plan.run(feeds)
            if plan.is_stateless:
                for _ in range(2):
                    for a, b in zip(results, plan.run(feeds), strict=True):
                        assert _are_same(a, b), f"a later run gives {b}, the first {a}"
    except GraphGradError as error:
        return str(error)
    return results


def _are_same(a: Any, b: Any) -> bool:
    if not isinstance(a, np.ndarray):
        return True
    if a.dtype.kind in "fV":
        a, b = a.astype(np.float64), b.astype(np.float64)
    return np.array_equal(a, b, equal_nan=a.dtype.kind in "fc")


def as_array(value: Any) -> Any:
    return None if value is None else np.asarray(value)


def different_values(found: Draw, expected: list[Any], ours: list[Any]) -> str:
    op_type, inputs = found.op_type, found.flat()
    for i, (theirs, mine) in enumerate(zip(expected, ours, strict=True)):
        if theirs is None or f"values {i}" in spares(op_type):
            continue
        theirs, mine = np.asarray(theirs), np.asarray(mine)
        if theirs.dtype.name != mine.dtype.name and not {theirs.dtype.kind, mine.dtype.kind} <= set("OSU"):
            return f"output {i}: dtype {mine.dtype}, TensorFlow's {theirs.dtype}"
        problem = why_not_close(theirs, mine, loosened(op_type))
        if problem:
            return f"output {i}: {problem[:300]}{_first(theirs, mine, inputs)}\n  ours       {mine.tolist()}\n  TensorFlow {theirs.tolist()}"
    return ""


def _first(theirs: Array, mine: Array, inputs: list[Array]) -> str:
    """The first element that is not the same, and what it was made of where inputs have the same shape."""
    for at in np.ndindex(theirs.shape if theirs.shape == mine.shape else (0,)):
        if {theirs.dtype.kind, mine.dtype.kind} & set("OSU"):
            same = theirs[at] == mine[at]
        else:
            same = np.allclose(theirs[at], mine[at], 1e-5, 0, equal_nan=True)
        if not same:
            parts = [a[at] for a in inputs if a.shape == theirs.shape]
            return f"\n  at {list(at)}: ours {mine[at]}, TensorFlow {theirs[at]}, of {parts}"
    return ""


def different_shapes(op_type: str, expected: list[Any], outputs: list[Tensor], values: list[Any]) -> str:
    """How static shapes differ. Where TensorFlow's contradicts its own value, ours may be another that does not."""
    if "shape" in spares(op_type):
        return ""
    for i, (theirs, tensor, value) in enumerate(zip(expected, outputs, values, strict=True)):
        actual = None if value is None else np.shape(value)
        if tensor.shape != theirs and (can_be(theirs, actual) or not can_be(tensor.shape, actual)):
            return f"output {i}: static shape {tensor.shape}, TensorFlow's {theirs}"
    return ""
