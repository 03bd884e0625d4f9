"""The reverse pass: appends to a graph the operations that compute the gradients of ys with respect to xs.

It knows no operation by name: it marks what lies between xs and ys, walks back over it, asks each operation's
gradient rule and sums what arrives, in the order and with the node names of `tf.gradients`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

from graphgrad import registry
from graphgrad.dtypes import resource
from graphgrad.errors import ArgumentError, DtypeError, MissingGradientError, note
from graphgrad.frontier import Frontier
from graphgrad.functions import GraphBuilder
from graphgrad.graph import Operation
from graphgrad.handles import is_trainable
from graphgrad.progress import Stage
from graphgrad.tensors import IndexedSlices, Tensor

Gradient = Tensor | IndexedSlices | None

AGGREGATION_METHODS = ("default", "add-n", "experimental-tree", "experimental-accumulate-n")
_TREES = AGGREGATION_METHODS[2:]


class _Missing:
    """Stands for the gradient that an operation without a rule would have passed on."""


_MISSING: Any = _Missing()


class ReversePass:
    """One call of `gradients`. After `run`, `received` holds what arrived at each operation's outputs."""

    def __init__(
        self, g: GraphBuilder, frontier: Frontier, *, gate: bool, aggregation: str, colocate: bool, through: bool
    ):
        self.g, self.frontier = g, frontier
        self.gate, self.aggregation, self.colocate, self.through = gate, aggregation, colocate, through
        self.received: dict[Operation, list[Any]] = {}
        self.missing: list[MissingGradientError] = []
        self.awaits = frontier.awaited_gradients()

    def run(self, ys: Sequence[Tensor], seeds: Sequence[Tensor | IndexedSlices]) -> None:
        """Walks back from ys. Raises MissingGradientError naming every operation on the way that has no rule."""
        for y, seed in zip(ys, seeds, strict=True):
            self._receive(y, seed)
        ready = deque(op for op in dict.fromkeys(y.op for y in ys) if op in self.awaits and not self.awaits[op])
        self._start(ready)
        stops = self.frontier.stops(self.awaits)
        with Stage("adding gradients", len(self.awaits)) as stage:
            while ready:
                op = ready.popleft()
                if self.colocate:
                    with self.g.colocate_with(op):
                        self._visit(op, op in stops)
                else:
                    self._visit(op, op in stops)
                self._release(op, ready)
                stage.done += 1
        if self.missing:
            raise self._missing_error()
        self._finish()

    def gradient(self, x: Tensor) -> Gradient:
        """What the pass found for x: its gradient, or None."""
        received = self.received.get(x.op)
        if received is None or isinstance(received[x.index], list):
            return None
        return received[x.index]

    def why_none(self, op: Operation) -> str:
        """What is the matter with an operation whose rule gave an input no gradient."""
        return "has no gradient on purpose" if self._rule(op) is None else "hands no gradient on to this input"

    def _receive(self, tensor: Tensor, gradient: Any) -> None:
        op = tensor.op
        received = self.received.get(op)
        if received is None:
            received = self.received[op] = [[] for _ in op.outputs]
        received[tensor.index].append(gradient)

    def _start(self, ready: deque[Operation]) -> None:
        """What a pass through loops has to do before the first operation, ..."""

    def _finish(self) -> None:
        """... and after the last."""

    def _visit(self, op: Operation, stopped: bool) -> None:
        received = self.received.get(op)
        if received is None:
            return
        self._sum_up(op, received)
        if not stopped and op.inputs and any(dz is not None for dz in received):
            self._hand_on(op, received)

    def _sum_up(self, op: Operation, received: list[Any]) -> None:
        for i, summands in enumerate(received):
            received[i] = summands[0] if len(summands) == 1 else self._aggregate(op, summands)

    def _hand_on(self, op: Operation, received: list[Any]) -> None:
        before = len(self.g.graph)
        gradients = self._ask_rule(op, received)
        if gradients is None:
            return
        self._infer_readers(before, gradients)
        for tensor, gradient in zip(op.inputs, gradients, strict=True):
            if gradient is not None:
                if gradient.__class__ is Tensor and tensor.dtype is not resource:
                    gradient.shaped_like(tensor)
                self._receive(tensor, gradient)

    def _infer_readers(self, start: int, gradients: Sequence[Any]) -> None:
        """Works out the shapes of what a rule computes of the gradients it gives, before these are said to be shaped alike."""
        if self.missing:  # what is made now is thrown away
            return
        given = {dx for dx in gradients if dx.__class__ is Tensor}
        for op in self.g.graph.operations[start:]:
            if not given.isdisjoint(op.inputs):
                for output in op.outputs[:1]:
                    _ = output.shape

    def _aggregate(self, op: Operation, summands: list[Any]) -> Any:
        if len(summands) < 2:
            return summands[0] if summands else None
        if any(s is _MISSING for s in summands):
            return _MISSING
        if all(isinstance(s, Tensor) for s in summands):
            if self.aggregation not in _TREES:
                return self.g.add_n_by_device(summands)
            with self.g.name_scope(op.name + "_gradient_sum"):
                total = summands[0]
                for summand in summands[1:]:
                    total = self.g.AddN([total, summand])
                return total
        if any(isinstance(s, Tensor) for s in summands):
            return self.g.AddN(summands)
        return self._join_slices(summands)

    def _join_slices(self, summands: list[IndexedSlices]) -> IndexedSlices:
        g, indices = self.g, [s.indices for s in summands]
        if len({t.dtype for t in indices}) > 1:
            indices = [g.widen_index(t) for t in indices]
        values = g.concat([s.values for s in summands], axis=0)
        return IndexedSlices(values, g.concat(indices, axis=0), summands[0].dense_shape)

    def _ask_rule(self, op: Operation, received: list[Any]) -> Sequence[Any] | None:
        rule = self._rule(op)
        if rule is None:
            return None
        if rule is registry.UNKNOWN:
            self.missing.append(self._no_gradient(op))
            return self._marks(op)
        is_lost = bool(self.missing) and any(dz is _MISSING for dz in received)
        try:
            gradients = self._gradients_by(rule, op, received)
        except MissingGradientError as error:  # of the op itself, or of one in a function it calls
            self.missing.append(self._located(error, op))
            return self._marks(op)
        except Exception as error:
            if self.missing:  # what it was called with only stands for gradients
                return self._marks(op)
            note(error, f"in the gradient of {op.type} node {op.name!r}")
            if isinstance(error, (ArgumentError, DtypeError)):
                error.details.setdefault("missing", [{**self._entry(op), "reason": str(error)}])
            raise
        return [_MISSING if dx is not None else None for dx in gradients] if is_lost else gradients

    def _gradients_by(self, rule: Any, op: Operation, received: list[Any]) -> Sequence[Any]:
        """What the rule gives inside the op's scope; zeros stand for gradients that did not arrive, and are an x's too."""
        g = self.g
        for i, output in enumerate(op.outputs):
            if received[i] is None and output.dtype is not None and is_trainable(output):
                received[i] = self._zeros_for(output)
        output_gradients = [
            self._zeros_for(output) if dz is _MISSING else dz for output, dz in zip(op.outputs, received, strict=True)
        ]
        outer = g.scope
        g.scope = g.graph.name_authority.unique(f"{outer}{op.name}_grad") + "/"
        try:
            gradients = rule(g, op, *output_gradients)
            if not isinstance(gradients, (list, tuple)):
                gradients = [gradients]
            if len(gradients) != len(op.inputs):
                raise AssertionError(
                    f"the rule of {op.type} gave {len(gradients)} gradients for {len(op.inputs)} inputs"
                )
            if self.gate and sum(x is not None for x in gradients) > 1:
                with g.anywhere():
                    gradients = g.tuple(gradients)
        finally:
            g.scope = outer
        return gradients

    @staticmethod
    def _marks(op: Operation) -> list[Any]:
        """What an operation hands on whose gradient is missing, so that everything before it is asked as well."""
        return [_MISSING if is_trainable(t) else None for t in op.inputs]

    def _zeros_for(self, output: Tensor) -> Tensor | None:
        return self.g.zeros_for(output)

    def _rule(self, op: Operation) -> Any:
        op_type = op.annotation("_gradient_op_type")
        if op_type is not None:
            rule = registry.gradient_rule(op_type)
            if rule is not registry.UNKNOWN:
                return rule
            if op.graph.functions.registered_gradient(op_type) is not None:
                return registry.gradient_rule(registry.FUNCTION_CALL)
            if not self.through:
                return rule
        rule = registry.gradient_rule(op.type)
        if rule is registry.UNKNOWN and op.signature is None and op.type in op.graph.functions:
            return registry.gradient_rule(registry.FUNCTION_CALL)
        return rule

    def _release(self, op: Operation, ready: deque[Operation]) -> None:
        awaits = self.awaits
        for tensor in op.inputs:
            producer = tensor.op
            if producer in awaits:
                awaits[producer] -= 1
                if not awaits[producer]:
                    ready.append(producer)

    def _entry(self, op: Operation) -> dict[str, Any]:
        """An operation without a gradient, as the command line's contract has it."""
        path = [p.name for p in self.frontier.path_through(op)]
        return {"op": op.type, "node": op.name, "path": path, "custom_gradient": op.annotation("_gradient_op_type")}

    def _no_gradient(self, op: Operation) -> MissingGradientError:
        entry = self._entry(op)
        path, custom = entry["path"], entry["custom_gradient"]
        way = f"on the way from {path[0] + ':0'!r} to {path[-1] + ':0'!r}"
        if custom is None:
            return MissingGradientError(f"no gradient for op type {op.type!r} (node {op.name!r}) {way}", [entry])
        return MissingGradientError(
            f"the custom gradient {custom!r} of {op.type} node {op.name!r} {way} was Python code that the file does "
            "not hold (--custom-gradients through differentiates what the graph computes; a SavedModel saved with "
            "SaveOptions(experimental_custom_gradients=True) holds its gradients)",
            [entry],
        )

    def _located(self, error: MissingGradientError, op: Operation) -> MissingGradientError:
        """What a rule raised, with the path through its op where it is of this graph and not of a function's body."""
        path = [p.name for p in self.frontier.path_through(op)]
        entries = [entry if "function" in entry else {**entry, "path": path} for entry in error.missing]
        return MissingGradientError(str(error), entries)

    def _missing_error(self) -> MissingGradientError:
        return MissingGradientError("; ".join(map(str, self.missing)), [m for e in self.missing for m in e.missing])
