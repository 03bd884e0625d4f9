"""Compiling a graph for given fetches: only what they need, in an order that holds, each kernel bound once.

The plan is a flat list of steps over numbered slots. Everything that can be refused is refused here, all at once.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from graphgrad import registry
from graphgrad.errors import ArgumentError, EvaluationError
from graphgrad.formats import arrays
from graphgrad.graph import Graph, IndexedSlices, Operation, Tensor
from graphgrad.kernels._state import State
from graphgrad.runtime import binding
from graphgrad.runtime.execution import FeedSpec, Plan
from graphgrad.runtime.profile import Profile
from graphgrad.runtime.steps import Step
from graphgrad.shapes import dims

Fetch = str | Tensor | IndexedSlices | Operation

# Ops that reach outside the graph: files, processes, Python. They are refused, not missing.
OUTSIDE = frozenset(
    [
        "PyFunc",
        "PyFuncStateless",
        "EagerPyFunc",
        "ReadFile",
        "WriteFile",
        "MatchingFiles",
        "LoadLibrary",
        "Save",
        "SaveV2",
        "SaveSlices",
        "Restore",
        "RestoreV2",
        "RestoreSlice",
        "MergeV2Checkpoints",
        "WholeFileReader",
        "WholeFileReaderV2",
        "TextLineReader",
        "TextLineReaderV2",
        "TFRecordReader",
        "TFRecordReaderV2",
        "FixedLengthRecordReader",
        "FixedLengthRecordReaderV2",
        "IteratorV2",
        "OneShotIterator",
        "RpcCall",
        "Send",
        "Recv",
        "_Send",
        "_Recv",
        "HostSend",
        "HostRecv",
    ]
)


def compile(
    graph: Graph,
    fetches: Fetch | Sequence[Fetch],
    feeds: Iterable[str | Tensor] = (),
    variables: Mapping[str, np.ndarray[Any, Any]] | None = None,
    state: State | None = None,
    threads: int | None = None,
) -> Plan:
    """A plan that computes the fetches from the feeds, to be run as often as one likes.

    Args:
        graph: the graph; the plan keeps no reference to nodes that fetches do not need.
        fetches: tensors, IndexedSlices or operations of the graph (operations are run and give None), or their names.
        feeds: the tensors whose values `Plan.run` will be given; any tensor may be one.
        variables: first values of variables by name, used where `state` is not given.
        state: variables and random generators shared with other plans.
        threads: how many threads long element-wise chains are run on; all processors by default.

    Raises:
        ValueError: a name is not in the graph.
        RuntimeError: an operation that is needed has no kernel, or a placeholder is needed and not fed; all are named.
    """
    listed: Any = fetches if isinstance(fetches, (list, tuple)) else [fetches]
    wanted = [_fetch(graph, fetch) for fetch in listed]
    fed = dict.fromkeys(_tensor(graph, f) for f in feeds)
    return _Compiler(wanted, fed, state or State(variables), threads or _processors()).plan()


def evaluate(
    graph: Graph,
    fetches: Fetch | Sequence[Fetch],
    feeds: Mapping[str | Tensor, Any] | None = None,
    variables: Mapping[str, np.ndarray[Any, Any]] | None = None,
    run_first: Sequence[str | Operation] = (),
    threads: int | None = None,
    profile: Profile | None = None,
) -> Any:
    """Computes fetches once: an array for one fetch, a list for a list; an IndexedSlices fetch gives an IndexedSlices of arrays.

    `run_first` names operations (initialisers, assignments) that run before, one after the other, with the same
    feeds. `threads` is as in `compile`, `profile` as in `Plan.run`. Raises as these do.
    """
    given = {_tensor(graph, name): value for name, value in (feeds or {}).items()}
    state = State(variables)
    for operation in run_first:
        op = graph.operation(operation) if isinstance(operation, str) else operation
        compile(graph, [op], given, state=state).run(given)
    plan = compile(graph, fetches, given, state=state, threads=threads)
    if profile is not None and plan.is_stateless:
        plan.run(
            given
        )  # what a first run does once, libraries that are loaded and memory that is asked for, is not shown
    results = plan.run(given, profile)
    return results if isinstance(fetches, (list, tuple)) else results[0]


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _tensor(graph: Graph, item: str | Tensor) -> Tensor:
    if isinstance(item, str):
        return graph.tensor(item)
    if isinstance(item, Tensor) and item.graph is graph:
        return item
    raise ArgumentError(f"{item!r} is no tensor of this graph")


def _fetch(graph: Graph, item: Fetch) -> Tensor | IndexedSlices | Operation:
    if isinstance(item, str) and ":" not in item and item in graph and not graph.operation(item).outputs:
        return graph.operation(item)
    if isinstance(item, (Operation, IndexedSlices)):
        return item
    return _tensor(graph, item)


class _Compiler:
    """Prunes, orders, checks and binds; used once."""

    def __init__(
        self, fetches: list[Tensor | IndexedSlices | Operation], fed: dict[Tensor, None], state: State, threads: int
    ):
        self.fetches, self.fed, self.state, self.threads = fetches, fed, state, threads
        self.tensors: list[Tensor] = []
        self.targets: list[Operation] = []
        for fetch in fetches:
            if isinstance(fetch, Operation):
                self.targets.append(fetch)
            elif isinstance(fetch, IndexedSlices):
                self.tensors += [t for t in (fetch.values, fetch.indices, fetch.dense_shape) if t is not None]
            else:
                self.tensors.append(fetch)
        self.slots: dict[Tensor, int] = {}
        self.initial: list[Any] = []

    def plan(self) -> Plan:
        order = self._order()
        self._refuse(order)
        for tensor in self.fed:
            self._slot(tensor)
        steps = [step for op in order for step in self._steps(op)]
        fetched = {t: self._slot(t) for t in self.tensors}
        reads = [self._read_reference(t, slot) for t, slot in fetched.items() if t not in self.fed and _is_reference(t)]
        steps += [step for step, _, _ in reads]
        fetched.update({tensor: slot for _, tensor, slot in reads})
        _free_after_last_use(
            steps, set(fetched.values()), kept={i for i, v in enumerate(self.initial) if v is not None}
        )
        specs = [FeedSpec(t, self.slots[t]) for t in self.fed]
        return Plan(steps, self.initial, specs, self.fetches, fetched, self.threads)

    def _slot(self, tensor: Tensor) -> int:
        slot = self.slots.get(tensor)
        if slot is None:
            slot = self.slots[tensor] = len(self.initial)
            self.initial.append(None)
        return slot

    def _order(self) -> list[Operation]:
        """Every operation the fetches need, producers first; a walk in depth with a stack of its own."""
        order: dict[Operation, None] = {}
        entered: set[Operation] = set()
        stack = [t.op for t in self.tensors if t not in self.fed][::-1] + self.targets[::-1]
        while stack:
            op = stack[-1]
            if op in order:
                stack.pop()
                continue
            needed = [p for p in self._producers(op) if p not in order]
            if needed and op not in entered:
                entered.add(op)
                stack.extend(reversed(needed))
            elif any(p in entered for p in needed):
                raise EvaluationError(
                    f"node {op.name!r} ({op.type}) is part of a loop, which this interpreter does not run"
                )
            else:
                stack.pop()
                order[op] = None
        return list(order)

    def _producers(self, op: Operation) -> list[Operation]:
        return [t.op for t in op.inputs if t not in self.fed] + op.control_inputs

    def _refuse(self, order: list[Operation]) -> None:
        unfed = [op for op in order if op.type in ("Placeholder", "PlaceholderV2")]
        if unfed:
            named = ", ".join(f"{op.name!r} ({op.outputs[0].dtype} {dims.show(op.outputs[0].shape)})" for op in unfed)
            raise EvaluationError(f"not fed: {named}: give each with --feed NAME=VALUE or --feeds FILE.npz")
        outside = [op for op in order if op.type in OUTSIDE]
        if outside:
            named = ", ".join(f"{op.type} (node {op.name!r})" for op in outside)
            raise EvaluationError(f"refused, since it reaches outside the graph: {named}")
        missing: dict[str, list[str]] = {}
        for op in order:
            if op.type not in ("Const", "NoOp") and registry.kernel_of(op.type) is None:
                missing.setdefault(op.type, []).append(op.name)
        if missing:
            named = ", ".join(
                f"{t} (node {n[0]!r}{f' and {len(n) - 1} more' if n[1:] else ''})" for t, n in missing.items()
            )
            raise EvaluationError(f"no kernel for: {named}")

    def _steps(self, op: Operation) -> list[Step]:
        if op.type == "NoOp":
            return []
        if op.type == "Const":
            self.initial[self._slot(op.outputs[0])] = arrays.of_constant(op)
            return []
        kernel = registry.kernel_of(op.type)
        assert kernel is not None
        run = binding.bind(kernel, op, self.state)
        sizes = binding.grouping(op)
        if sizes is not None:
            run = binding.grouped(run, sizes)
        inputs = [self._slot(t) for t in op.inputs]
        reads = []
        for i in binding.references_read(op):
            step, _, inputs[i] = self._read_reference(op.inputs[i], inputs[i])
            reads.append(step)
        outputs = [-1 if t in self.fed else self._slot(t) for t in op.outputs]
        signature = op.signature
        step = Step(
            op,
            run,
            inputs,
            outputs,
            binding.outputs_flat(op),
            is_plain=signature is not None and not signature.is_stateful and not binding.asks_for(kernel, "state"),
            is_elementwise=registry.is_elementwise(op.type),
            takes_out=sizes is None and binding.asks_for(kernel, "out"),
        )
        return [*reads, step]

    def _read_reference(self, tensor: Tensor, slot: int) -> tuple[Step, Tensor, int]:
        """A step that reads the variable behind a reference when it is reached, into a slot of its own."""
        self.initial.append(None)
        return (
            Step(tensor.op, lambda variable: variable.read(), [slot], [len(self.initial) - 1], False),
            tensor,
            len(self.initial) - 1,
        )


def _is_reference(tensor: Tensor) -> bool:
    signature = tensor.op.signature
    return signature is not None and any(arg.is_ref for arg in signature.outputs)


def _free_after_last_use(steps: list[Step], fetched: set[int], kept: set[int]) -> None:
    """Tells each step which slots nobody needs after it."""
    seen = fetched | kept
    for step in reversed(steps):
        dying = [s for s in dict.fromkeys([*step.inputs, *step.outputs]) if s >= 0 and s not in seen]
        seen.update(dying)
        step.frees = dying
