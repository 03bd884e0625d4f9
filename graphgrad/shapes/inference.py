"""Static shapes and small static values, worked out when asked for and kept on the operation.

Passes with a stack of their own infer what an operation depends on before the operation itself, so depth never
meets Python's stack; a loop's back edge is not waited for. Most values nobody asks for. A shape that was worked out
stays, unless more is learned of it from elsewhere; a value that was not known then is looked for again, as in TensorFlow.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from graphgrad import registry
from graphgrad.attributes import Shape
from graphgrad.errors import GraphGradError, ModelError
from graphgrad.graph import Graph, Operation
from graphgrad.shapes import _loops, dims, value_rules
from graphgrad.shapes.values import Value
from graphgrad.tensors import Tensor

_UNASKED: Any = object()


class Facts:
    """What is known of an operation's outputs. Values were looked for when so many shapes of the graph had been learned."""

    __slots__ = ("learned", "shapes", "values")

    def __init__(self, shapes: list[Shape], known: list[Value | None] | None):
        self.shapes, self.values, self.learned = shapes, known, -1

    def is_open(self, learned: int) -> bool:
        """Whether values were not looked for yet, or are not known and might be by now."""
        known = self.values
        if known is _UNASKED:
            return True
        if self.learned in (learned, -1):
            return False
        return known is None or any(v is None or not (v.is_constant and v.by_python) for v in known)


class _Unknown:
    """Knows nothing of any output."""

    def __getitem__(self, index: int) -> None:
        return None

    def __len__(self) -> int:
        return 1 << 30


_VISITING = Facts(_Unknown(), _Unknown())  # type: ignore[arg-type]  # stands on an operation while its inputs are inferred


def shape(tensor: Tensor) -> Shape:
    """The static shape, with what the tensor that this one is shaped like knows."""
    facts = tensor.op.facts or _infer(tensor.op)
    like = tensor._shape_like
    try:
        if like is not None and facts is not _VISITING:
            tensor._shape_like = None
            learn(tensor, shape(like))
        return facts.shapes[tensor.index]
    except IndexError:  # an output that only its consumers tell of
        return None


@contextmanager
def supposing(shapes: Mapping[Tensor, Shape], ops: Iterable[Operation]) -> Iterator[None]:
    """Inside, these tensors have these shapes, and of the operations is known what follows from that."""
    affected = dict.fromkeys([*ops, *(tensor.op for tensor in shapes)])
    known = {op: [tensor.shape for tensor in op.outputs] for op in affected}
    before = {op: op.facts for op in affected}
    for op in affected:
        op.facts = None
    for op in dict.fromkeys(tensor.op for tensor in shapes):
        op.facts = Facts([shapes.get(t, known[op][t.index]) for t in op.outputs], None)
    try:
        yield
    finally:
        for op, facts in before.items():
            op.facts = facts


@contextmanager
def called(graph: Graph, given: Mapping[Tensor, Tensor]) -> Iterator[None]:
    """Inside, of a function's graph is known what follows from what is given for its arguments."""
    before = [(op, op.facts) for op in graph]
    known = {argument.op: Facts([x.shape], [value(x)]) for argument, x in given.items()}
    for op, _ in before:
        op.facts = known.get(op)
    kept, graph.given = graph.given, given
    try:
        with _loops.apart(graph):
            yield
    finally:
        graph.given = kept
        for op, facts in before:
            op.facts = facts


def learn(tensor: Tensor, found: Shape) -> None:
    """Adds what is known of a tensor's shape from elsewhere."""
    shapes = (tensor.op.facts or _infer(tensor.op)).shapes
    before, told = shapes[tensor.index], tensor.op.graph.told
    if found is not None and told is not None:
        told[tensor] = dims.merge(told.get(tensor), found)
    if found is not None and found != before:
        shapes[tensor.index] = dims.merge(before, found)
        tensor.op.graph.learned += shapes[tensor.index] != before


def settle(op: Operation, shapes: list[Shape]) -> None:
    """Notes the shapes of an operation's outputs in place of what its rule tells."""
    op.facts = Facts(shapes, None)


def value(tensor: Tensor) -> Value | None:
    """The static value, as far as it is known."""
    facts = tensor.op.facts or _infer(tensor.op)
    known = _find_values(tensor.op) if facts.is_open(tensor.op.graph.learned) else facts.values
    return None if known is None else known[tensor.index]


def _find_values(wanted: Operation) -> list[Value | None] | None:
    stack, entered, learned = [wanted], set(), wanted.graph.learned
    while stack:
        op = stack[-1]
        facts = op.facts or _infer(op)
        if op not in entered and facts.is_open(learned):
            facts.values = None  # what a cycle that comes back here finds
            if value_rules.may_be_known(op):
                facts.learned = learned
                entered.add(op)
                stack += [t.op for t in op.inputs if t.op.facts is None or t.op.facts.is_open(learned)]
                continue
            facts.learned = -1
        stack.pop()
        if op in entered:
            entered.remove(op)
            facts.values = value_rules.of(op)
    return wanted.facts.values  # type: ignore[no-any-return]


def _infer(wanted: Operation) -> Facts:
    stack = [wanted]
    while stack:
        op = stack[-1]
        if op.facts is None:
            op.facts = _VISITING
            waiting = len(stack)
            for t in op.inputs:
                if t.op.facts is None and t.op.type not in _loops.BACK_EDGES:
                    stack.append(t.op)
                if t._shape_like is not None and t._shape_like.op.facts is None:
                    stack.append(t._shape_like.op)
            if len(stack) > waiting:
                continue
        stack.pop()
        if op.facts is _VISITING:
            op.facts = _work_out(op)
    if _loops.open_merges:
        _loops.compare()
    return wanted.facts or _infer(wanted)


def _work_out(op: Operation) -> Facts:
    rule = registry.shape_rule(op.type)
    if rule is None and op.signature is None and op.type in op.graph.functions:
        rule = registry.shape_rule(registry.FUNCTION_CALL)
    shapes: list[Shape]
    if rule is None or op.graph.is_template:
        shapes = [None] * len(op.outputs)
    else:
        try:
            found = rule(op)
        except GraphGradError:
            raise
        except Exception as error:
            given = ", ".join(f"{t.dtype} {dims.show(t.shape)}" for t in op.inputs)
            raise ModelError(
                f"{op.type} node {op.name!r} cannot have inputs and attributes like these: ({given}): {error}"
            ) from error
        shapes = found if isinstance(found, list) else [found]
    declared = op.annotation("_output_shapes")
    if declared:
        shapes = [dims.merge(a, b) for a, b in zip(shapes, declared, strict=False)]
    return Facts(shapes, _UNASKED)
