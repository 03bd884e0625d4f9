"""Compiling a graph for given fetches: only what they need, in an order that holds, each kernel bound once.

The plan is a flat list of steps over numbered slots. Everything that can be refused is refused here, all at once.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from graphgrad import registry, signatures
from graphgrad.definitions import Body
from graphgrad.depth import with_room
from graphgrad.dtypes import variant
from graphgrad.errors import ArgumentError, EvaluationError
from graphgrad.formats import arrays, restored
from graphgrad.graph import Graph, Operation, needed_by
from graphgrad.kernels._state import State
from graphgrad.library import is_call
from graphgrad.runtime import binding, frames, functions
from graphgrad.runtime.constants import LEAST, Constants
from graphgrad.runtime.execution import FeedSpec, Plan, parts_of
from graphgrad.runtime.liveness import Liveness, guard, read_reference
from graphgrad.runtime.profile import Profile
from graphgrad.runtime.rounds import Rounds, Slots
from graphgrad.runtime.shared import SMALL, Shared
from graphgrad.runtime.steps import Step
from graphgrad.shapes import dims
from graphgrad.tensors import IndexedSlices, Tensor

_PLACEHOLDERS = ("Placeholder", "PlaceholderV2")
OF_SHAPES = frozenset(["Shape", "ShapeN", "Size", "Rank"])
Fetch = str | Tensor | IndexedSlices | Operation
Feed = str | Tensor | IndexedSlices

# Ops that reach outside the graph: files, processes, Python. They are refused, not missing.
_OUTSIDE = """
PyFunc PyFuncStateless EagerPyFunc
ReadFile WriteFile MatchingFiles LoadLibrary LoadAndRemapMatrix GenerateVocabRemapping FileSystemSetConfiguration
RecordInput
Save SaveV2 SaveSlices Restore RestoreV2 RestoreSlice MergeV2Checkpoints
WholeFileReader WholeFileReaderV2 TextLineReader TextLineReaderV2 TFRecordReader TFRecordReaderV2 LMDBReader
FixedLengthRecordReader FixedLengthRecordReaderV2
TextLineDataset TFRecordDataset TFRecordDatasetV2 FixedLengthRecordDataset FixedLengthRecordDatasetV2 SqlDataset
CSVDataset CSVDatasetV2 MatchingFilesDataset LoadDataset SaveDataset SaveDatasetV2 DatasetToTFRecord
IteratorV2 OneShotIterator CreateSummaryFileWriter CreateSummaryDbWriter
RpcCall RpcClient RpcServer Send Recv _Send _Recv HostSend HostRecv _HostSend _HostRecv
"""
OUTSIDE = frozenset(_OUTSIDE.split())


def compile(
    graph: Graph,
    fetches: Fetch | Sequence[Fetch],
    feeds: Iterable[Feed] = (),
    variables: Mapping[str, np.ndarray[Any, Any]] | None = None,
    state: State | None = None,
    threads: int | None = None,
    max_iterations: int | None = None,
) -> Plan:
    """A plan that computes the fetches from the feeds, to be run as often as one likes.

    Args:
        graph: the graph; the plan keeps no reference to nodes that fetches do not need.
        fetches: tensors, IndexedSlices or operations of the graph (operations are run and give None), or their names.
        feeds: the tensors whose values `Plan.run` will be given; any tensor may be one, and IndexedSlices.
        variables: first values of variables by name, used where `state` is not given; a SavedModel's own by default.
        state: variables and random generators shared with other plans.
        threads: how many threads long element-wise chains are run on; all processors by default.
        max_iterations: where a loop that goes on is stopped, used where `state` is not given.

    Raises:
        ValueError: a name is not in the graph.
        RuntimeError: an operation that is needed has no kernel, or a placeholder is needed and not fed; all are named.
    """
    listed: Any = fetches if isinstance(fetches, (list, tuple)) else [fetches]
    wanted = [_fetch(graph, fetch) for fetch in listed]
    fed = dict.fromkeys(
        part for f in feeds for part in parts_of(f if isinstance(f, IndexedSlices) else _tensor(graph, f))
    )
    state = state or _state(graph, variables, max_iterations)
    return with_room(graph.depth, lambda: Compiler(wanted, fed, state, threads or _processors()).plan(graph.depth()))


def _state(graph: Graph, variables: Mapping[str, np.ndarray[Any, Any]] | None, max_iterations: int | None) -> State:
    """The state before the first run; a SavedModel brings the values of its variables with it."""
    return State(restored.variables_of(graph) if variables is None else variables, max_iterations)


def evaluate(
    graph: Graph,
    fetches: Fetch | Sequence[Fetch],
    feeds: Mapping[Feed, Any] | None = None,
    variables: Mapping[str, np.ndarray[Any, Any]] | None = None,
    run_first: Sequence[str | Operation] = (),
    threads: int | None = None,
    profile: Profile | None = None,
    max_iterations: int | None = None,
    memory_limit: int | None = None,
) -> Any:
    """Computes fetches once: an array for one fetch, a list for a list; an IndexedSlices fetch gives an IndexedSlices of arrays.

    `run_first` names operations (initialisers, assignments) that run before, one after the other, with the same
    feeds; by default what fills the tables of a SavedModel, where a table is needed. `threads` and `max_iterations` are
    as in `compile`, `profile` as in `Plan.run`. Raises as these do, and RuntimeError before anything is computed where
    the arrays would take more than `memory_limit` bytes.
    """
    given = {k if isinstance(k, IndexedSlices) else _tensor(graph, k): value for k, value in (feeds or {}).items()}
    state = _state(graph, variables, max_iterations)
    run_before(graph, run_first or fills_tables(graph, fetches), given, state, memory_limit, signatures.assets(graph))
    plan = compile(graph, fetches, given, state=state, threads=threads)
    if memory_limit is not None:
        _refuse_larger(plan, given, memory_limit)
    if profile is not None:
        if plan.is_stateless:
            plan.run(given)  # what a first run does once, loading libraries and asking for memory, is not shown
        profile.begin()
    results = plan.run(given, profile)
    return results if isinstance(fetches, (list, tuple)) else results[0]


def run_before(
    graph: Graph,
    operations: Sequence[str | Operation],
    feeds: Mapping[Any, Any],
    state: State,
    memory_limit: int | None = None,
    files: Mapping[str, str] | None = None,
) -> None:
    """Runs operations one after the other; `files`, by the tensor that holds the path, are what tables may be filled from."""
    named = {graph.tensor(name): np.array(path.encode(), object) for name, path in (files or {}).items()}
    fed = {**(named if operations else {}), **feeds}
    state.assets.update((files or {}).values())
    for operation in operations:
        op = graph.operation(operation) if isinstance(operation, str) else operation
        first = compile(graph, [op], fed, state=state)
        if memory_limit is not None:
            _refuse_larger(first, fed, memory_limit)
        first.run(fed)


def fills_tables(graph: Graph, fetches: Fetch | Sequence[Fetch]) -> list[str]:
    """The operation that fills a SavedModel's tables, where fetches look something up in one."""
    name = signatures.initialiser(graph)
    if name is None:
        return []
    listed: Any = fetches if isinstance(fetches, (list, tuple)) else [fetches]
    found = [_fetch(graph, fetch) for fetch in listed]
    needed = needed_by(f if isinstance(f, Operation) else f.op for f in found)
    return [name] if any("HashTable" in op.type for op in needed) else []


def _refuse_larger(plan: Plan, feeds: Mapping[Any, Any], limit: int) -> None:
    shapes = {}
    for fed, value in feeds.items():
        parts = {fed: value} if not isinstance(fed, IndexedSlices) else {fed.values: value.values}
        shapes.update({tensor.name: np.shape(part) for tensor, part in parts.items()})
    most = plan.footprint(shapes)
    if most.bytes > limit:
        by = f" by the time of node {most.node!r}" if most.node else ""
        raise EvaluationError(f"the arrays take {most.bytes:,} bytes{by}, and the limit is {limit:,}")


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


class Compiler:
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
                self.tensors += parts_of(fetch)
            else:
                self.tensors.append(fetch)
        self.slots: dict[Tensor, int] = {}
        self.initial: list[Any] = []
        self.level: frames.Frame | None = None  # the loop whose operations are compiled
        self.is_inside = False  # whether what is compiled runs round by round
        self.loops: frames.Loops | None = None  # known once a loop is met
        self.given: set[Operation] = set()  # whose outputs are there before the first step
        self.functions = functions.Functions()
        self.constants: dict[Any, int] = {}  # slots of small constants
        self.known = Constants(self.fed)
        self.prefix = ""  # of the names under which nodes keep their state
        self.liveness = Liveness(self.fed)
        self.alive: dict[Operation, int] = {}

    def plan(self, depth: int = 0) -> Plan:
        """The plan; `depth` tells how many functions and loops may run inside each other."""
        order = self.order(self.tensors, self.targets)
        self.refuse(order)
        for tensor in self.fed:
            self.slot(tensor)
        steps = _shapes_early(self.steps(order))
        fetched = {t: self.slot(t) for t in self.tensors}
        reads = [self.read_reference(t, slot) for t, slot in fetched.items() if t not in self.fed and _is_reference(t)]
        steps += [step for step, _, _ in reads]
        fetched.update({tensor: slot for _, tensor, slot in reads})
        _free_after_last_use(
            steps, set(fetched.values()), kept={i for i, v in enumerate(self.initial) if v is not None}
        )
        specs = [FeedSpec(t, self.slots[t]) for t in self.fed]
        return Plan(steps, self.initial, specs, self.fetches, fetched, self.functions, self.threads, depth)

    def inside(self, level: frames.Frame) -> Compiler:
        """A compiler for the operations of a loop that the graph of this one holds."""
        inner = Compiler([], dict(self.fed), self.state, self.threads)
        inner.level, inner.loops, inner.is_inside = level, self.loops, True
        inner.functions, inner.prefix = self.functions, self.prefix
        return inner

    def of_function(self, body: Body) -> Plan:
        """The plan of a function that an operation of this plan calls: from its arguments to its results."""
        inner = Compiler([*body.results, *body.targets], dict.fromkeys(body.arguments), self.state, self.threads)
        inner.functions, inner.prefix = self.functions, f"{body.name}/"
        return inner.plan()

    def of_loop(self, op: Operation, condition: Body, body: Body) -> Rounds:
        """A While, its two functions in the same slots: the condition sees the variables where the body leaves them."""
        head, inner = (
            Compiler([*b.results, *b.targets], dict.fromkeys(b.arguments), self.state, self.threads)
            for b in (condition, body)
        )
        inner.slots, inner.initial = head.slots, head.initial
        now = [inner.slot(argument) for argument in body.arguments]
        head.slots.update(zip(condition.arguments, now, strict=True))
        steps = []
        for compiler, function in ((head, condition), (inner, body)):
            compiler.functions, compiler.prefix, compiler.is_inside = self.functions, f"{function.name}/", True
            order = compiler.order(compiler.tensors, compiler.targets)
            compiler.refuse(order)
            steps.append(compiler.steps(order))
        following = [inner.slot(result) for result in body.results]
        slots = Slots(inner.initial, now, now, now, following, head.slot(condition.results[0]), now, [])
        return Rounds(f"{op.type} node {op.name!r}", self.state, slots, *steps)

    def give(self, op: Operation) -> None:
        """Notes that the outputs of an operation are there before the first step."""
        self.given.add(op)
        self.fed.update(dict.fromkeys(op.outputs))

    def slot(self, tensor: Tensor) -> int:
        """The slot in which a tensor's value is kept."""
        slot = self.slots.get(tensor)
        if slot is None:
            slot = self.slots[tensor] = self._new_slot()
        return slot

    def _new_slot(self) -> int:
        self.initial.append(None)
        return len(self.initial) - 1

    def order(
        self, tensors: Iterable[Tensor], targets: Iterable[Operation], but: Iterable[Operation] = ()
    ) -> list[Operation]:
        """Every operation these need, producers first, without those in `but`; a walk in depth with a stack of its own."""
        order: dict[Operation, None] = dict.fromkeys(but)
        known = len(order)
        entered: set[Operation] = set()
        roots = [self._unit(t.op) for t in tensors if t not in self.fed] + [self._unit(op) for op in targets]
        stack = roots[::-1]
        while stack:
            op = stack[-1]
            if op in order:
                stack.pop()
                continue
            if op.type in frames.EXITS and self.loops is None:
                self.loops = frames.Loops(roots, self.fed)
                return self.order(tensors, targets)
            needed = [p for p in self._producers(op) if p not in order]
            if needed and op not in entered:
                entered.add(op)
                stack.extend(reversed(needed))
            elif any(p in entered for p in needed):
                raise EvaluationError(
                    f"node {op.name!r} ({op.type}) has a value per iteration of a loop: fetch what leaves the loop"
                )
            else:
                stack.pop()
                order[op] = None
        return list(order)[known:]

    def _producers(self, op: Operation) -> list[Operation]:
        producers = [t.op for t in op.inputs if t not in self.fed]
        producers += [c for c in op.control_inputs if c.type not in _PLACEHOLDERS or c.outputs[0] not in self.fed]
        if self.loops is None:
            return producers
        return [self._unit(p) for p in producers if p not in self.given]

    def _unit(self, op: Operation) -> Operation:
        """What is run for an operation: a whole loop for one that leaves it."""
        return op if self.loops is None else self.loops.unit(op, self.level)  # type: ignore[return-value]

    def refuse(self, order: list[Operation]) -> None:
        """Raises EvaluationError naming all that is needed and cannot be run."""
        if self.loops is not None:
            order = self.loops.needed
        unfed = [op for op in order if op.type in _PLACEHOLDERS]
        if unfed:
            named = ", ".join(f"{op.name!r} ({op.outputs[0].dtype} {dims.show(op.outputs[0].shape)})" for op in unfed)
            raise EvaluationError(f"not fed: {named}: give each with --feed NAME=VALUE or --feeds FILE.npz")
        outside = [op for op in order if op.type in OUTSIDE]
        if outside:
            named = ", ".join(f"{op.type} (node {op.name!r})" for op in outside)
            raise EvaluationError(f"refused, since it reaches outside the graph: {named}")
        missing: dict[str, list[str]] = {}
        for op in order:
            if not (op.type in ("Const", "NoOp") or is_call(op) or registry.kernel_of(op.type)):
                missing.setdefault(op.type, []).append(op.name)
        if missing:
            named = ", ".join(
                f"{t} (node {n[0]!r}{f' and {len(n) - 1} more' if n[1:] else ''})" for t, n in missing.items()
            )
            raise EvaluationError(f"no kernel for: {named}")

    def steps(self, order: Sequence[Operation]) -> list[Step]:
        """The steps of operations, those they read from before them."""
        steps = []
        shared = Shared()
        for op in order:
            may_be_dead = self.liveness.note(op)
            if may_be_dead:
                steps += self._guarded(op)
                continue
            for step in self._steps(op):
                twin = shared.twin_of(step)
                if twin is None:
                    steps.append(step)
                else:
                    self.slots.update(zip(op.outputs, twin.outputs, strict=True))
        return steps

    def _guarded(self, op: Operation) -> list[Step]:
        """The steps of an operation that may lie on a way not taken."""
        if op.type in frames.MERGES:
            return self._steps(op)
        *reads, step = self._steps(op) or [_constant_step(op, [self.slot(t) for t in op.outputs])]
        waited_for = [self._alive(p) for p in map(self._unit, op.control_inputs) if self.liveness[p]]
        tells = not op.outputs or op.type in frames.SWITCHES
        return [*reads, guard(step, waited_for, self._alive(op) if tells else None)]

    def _alive(self, op: Operation) -> int:
        """A slot that tells whether an operation was run."""
        if op.outputs and op.type not in frames.SWITCHES:
            return self.slot(op.outputs[0])
        return self.alive.get(op) or self.alive.setdefault(op, self._new_slot())

    def _steps(self, op: Operation) -> list[Step]:
        if op.type == "NoOp":
            return []
        if op.type == "Const":
            if not self.liveness[op]:
                self._constant(op.outputs[0], arrays.of_constant(op))
            return []
        if op.type == "Loop":
            return frames.steps(op, self)  # type: ignore[arg-type]
        is_passing = self.is_inside and op.type in frames.PASSING and not self.liveness[op]
        if is_passing and not binding.references_read(op):
            self.slots[op.outputs[0]] = self.slot(op.inputs[0])
            return []
        if is_call(op):
            reads, inputs = self._inputs(op)
            outputs = [self.slot(t) for t in op.outputs]
            return [*reads, Step(op, functions.runner(op, self), inputs, outputs, False)]
        kernel = self._kernel(op)
        run = binding.bind(kernel, op, self.state, self.prefix + op.name)
        sizes = binding.grouping(op)
        if sizes is not None:
            run = binding.grouped(run, sizes)
        reads, inputs = self._inputs(op)
        outputs = [-1 if t in self.fed else self.slot(t) for t in op.outputs]
        signature = op.signature
        step = Step(
            op,
            run,
            inputs,
            outputs,
            binding.outputs_flat(op),
            is_plain=signature is not None
            and not signature.is_stateful
            and not binding.asks_for(kernel, "state")
            and not any(t.dtype is variant for t in (*op.inputs, *op.outputs)),  # which may hold on to arrays
            is_elementwise=registry.is_elementwise(op.type),
            takes_out=sizes is None and binding.asks_for(kernel, "out"),
        )
        return [*reads, step]

    def _kernel(self, op: Operation) -> binding.Kernel:
        kernel, of_constants = registry.kernel_of(op.type), registry.kernel_of_constants(op.type)
        assert kernel is not None
        is_optimized = of_constants is not None and (self.prefix or len(op.graph) >= LEAST)
        if is_optimized and all(t in self.known for t in op.inputs[1:]):
            kernel = of_constants
        return binding.for_dtypes(kernel, op)  # type: ignore[arg-type]

    def _inputs(self, op: Operation) -> tuple[list[Step], list[int]]:
        """What reads the references among an operation's inputs, and the slots of the inputs."""
        inputs, reads = [self.slot(t) for t in op.inputs], []
        for i in binding.references_read(op):
            step, _, inputs[i] = self.read_reference(op.inputs[i], inputs[i])
            reads.append(step)
        return reads, inputs

    def _constant(self, tensor: Tensor, value: np.ndarray[Any, Any]) -> None:
        """Puts a constant into a slot, a small one into that of the first like it."""
        if value.nbytes <= SMALL and value.dtype != object and tensor not in self.slots:
            key = value.dtype, value.shape, value.tobytes()
            self.slots[tensor] = self.constants.setdefault(key, self.slot(tensor))
        self.initial[self.slot(tensor)] = value

    def read_reference(self, tensor: Tensor, slot: int) -> tuple[Step, Tensor, int]:
        """A step that reads the variable behind a reference when it is reached, into a slot of its own."""
        value = self._new_slot()
        return Step(tensor.op, read_reference, [slot], [value], False), tensor, value


def _constant_step(op: Operation, outputs: list[int]) -> Step:
    """A step for what needs none on a way that is always taken: a Const, a NoOp."""
    value = arrays.of_constant(op) if op.type == "Const" else ()
    return Step(op, lambda: value, [], outputs, False)


def _is_reference(tensor: Tensor) -> bool:
    signature = tensor.op.signature
    return signature is not None and any(arg.is_ref for arg in signature.outputs)


def _shapes_early(steps: list[Step]) -> list[Step]:
    """The steps, those that only read a shape as soon as there is one: nothing is held for them."""
    readers = [step for step in steps if step.is_plain and step.op.type in OF_SHAPES]
    if not readers:
        return steps
    made = {slot: at for at, step in enumerate(steps) for slot in step.outputs}
    ready: dict[int, list[Step]] = {}
    for step in readers:
        ready.setdefault(max(made.get(slot, -1) for slot in step.inputs), []).append(step)
    early, moved = ready.pop(-1, []), set(readers)
    for at, step in enumerate(steps):
        early += [*([] if step in moved else [step]), *ready.get(at, ())]
    return early


def _free_after_last_use(steps: list[Step], fetched: set[int], kept: set[int]) -> None:
    """Tells each step which slots nobody needs after it."""
    seen = fetched | kept
    for step in reversed(steps):
        dying = [s for s in dict.fromkeys([*step.inputs, *step.outputs]) if s >= 0 and s not in seen]
        seen.update(dying)
        step.frees = dying
