"""The contexts of a graph that was read, found in the nodes alone: loops by their frames, branches by their Switches.

An operation stands in the deepest context that one of its inputs comes from; a Merge joins two branches outside of
both. A Switch opens branches where its predicate has pivots beside it, as every `tf.cond` has, or inside a loop.
"""

from __future__ import annotations

from graphgrad.controlflow.contexts import Branch, Context, Contexts, Loop, contains
from graphgrad.controlflow.frames import (
    BACK_EDGES,
    ENTERS,
    EXITS,
    MERGES,
    SWITCHES,
    Frame,
    back_edge,
    frames_of,
    producers_first,
)
from graphgrad.controlflow.noted import loops_noted
from graphgrad.errors import ModelError
from graphgrad.functions import GraphBuilder
from graphgrad.graph import Graph, Operation
from graphgrad.tensors import Tensor


def recover(g: GraphBuilder) -> Contexts:
    """The contexts of all operations of a graph. Raises ModelError where its loops do not fit together."""
    return _Recovery(g).contexts


class _Recovery:
    def __init__(self, g: GraphBuilder):
        self.contexts = Contexts(g)
        graph = g.graph
        self.frames = frames_of(graph)
        self.loops: dict[Frame, Loop] = {}
        self.noted = loops_noted(graph)
        self.branches: dict[tuple[Tensor, int], Branch] = {}
        self.ways = _ways_used(graph)
        self.pivots = _pivots(graph)
        self.pivot_of = {predicate: op for op, predicate in self.pivots.items()}
        for op in producers_first(graph):
            context = self._context(op)
            self.contexts.put(op, context)
        for frame, loop in self.loops.items():
            _complete(loop, frame)

    def _context(self, op: Operation) -> Context | None:
        base: Context | None = None
        if op.type in MERGES and back_edge(op) is None:
            return self._joined([self._after(t) for t in op.inputs])
        for tensor in op.inputs:
            if tensor.op.type not in BACK_EDGES:
                base = _deeper(base, self._after(tensor))
        for control in op.control_inputs:
            base = _deeper(base, self.contexts.after(control))
        if op.type in ENTERS:
            return self._entered(op, base)
        if op.type in SWITCHES:
            return self._switched(op, base)
        return base

    def _after(self, tensor: Tensor) -> Context | None:
        """The context a tensor is in; a Switch whose two ways are used is in two."""
        op = tensor.op
        if op.type in SWITCHES and (op in self.frames or not is_of_gradient(op)):
            predicate = self.pivots.get(op, op.inputs[1])
            branch = self.branches.get((predicate, tensor.index))
            if branch is not None:
                return branch
        return self.contexts.after(op)

    def _entered(self, op: Operation, outer: Context | None) -> Loop:
        frame = self.frames[op]
        loop = self.loops.get(frame)
        if loop is None:
            loop = self.loops[frame] = Loop(self.contexts, outer, frame.name, op["parallel_iterations"])
            if frame.name in self.noted:
                loop.swaps_memory = self.noted[frame.name].swap_memory
                loop.has_gradient = self.noted[frame.name].back_prop
        loop.outer = _deeper(loop.outer, outer)
        if op["is_constant"]:
            loop.inside[op.inputs[0]] = op.outputs[0]
        else:
            loop.enters.append(op)
        return loop

    def _switched(self, op: Operation, base: Context | None) -> Context | None:
        data, predicate = op.inputs
        if predicate.op.type == "LoopCond":
            if op not in self.frames:
                raise ModelError(f"{op.type} node {op.name!r} asks for another iteration, and stands in no loop")
            return base
        if op in self.pivots:
            for way in (0, 1):
                self._branch(self.pivots[op], way, base)
            return base
        if op not in self.frames and is_of_gradient(op):
            return None
        if op not in self.frames and predicate not in self.pivot_of:
            return base
        ways = [self._branch(predicate, way, base) for way in (0, 1) if op.outputs[way] in self.ways]
        for branch in ways:
            branch.inside[data] = op.outputs[branch.branch]
        return ways[0] if len(ways) == 1 else base

    def _branch(self, predicate: Tensor, way: int, outer: Context | None) -> Branch:
        key = predicate, way
        branch = self.branches.get(key)
        if branch is None:
            branch = self.branches[key] = Branch(self.contexts, outer, predicate, way)
            pivot = self.pivot_of.get(predicate)
            if pivot is not None:
                branch.identity = self.ways.get(pivot.outputs[way])
        return branch

    def _joined(self, contexts: list[Context | None]) -> Context | None:
        """What contains all of them; where two are branches of one predicate, what is around these."""
        joined = contexts[0]
        for context in contexts[1:]:
            while not contains(joined, context):
                assert joined is not None
                joined = joined.outer
        if len(contexts) > 1 and isinstance(joined, Branch) and all(c is joined for c in contexts):
            return joined.outer
        return joined


def is_of_gradient(op: Operation) -> bool:
    """Whether `gradients` made a Switch or Merge to go back over a cond; outside of loops it stands in no branch."""
    return op.name.rpartition("/")[2].startswith("cond_grad")


def _deeper(a: Context | None, b: Context | None) -> Context | None:
    return b if contains(a, b) else a


def _ways_used(graph: Graph) -> dict[Tensor, Tensor]:
    """The outputs of Switches that something reads, each with the first Identity that does (or itself)."""
    used: dict[Tensor, Tensor] = {}
    for op in graph:
        for tensor in op.inputs:
            if tensor.op.type in SWITCHES:
                known = used.get(tensor)
                if known is None or (known is tensor and op.type == "Identity"):
                    used[tensor] = op.outputs[0] if op.type == "Identity" else tensor
    return used


def _pivots(graph: Graph) -> dict[Operation, Tensor]:
    """The Switches that only tell which way is taken, `Switch(p, p)`, each with the predicate its cond goes by."""
    pivots: dict[Operation, Tensor] = {}
    asked: dict[Tensor, list[Tensor]] = {}  # p -> p and its copies, where other Switches ask for them
    for op in graph:
        if op.type in SWITCHES:
            data, predicate = op.inputs
            if data is predicate:
                pivots[op] = predicate
            else:
                source = predicate.op.inputs[0] if predicate.op.type == "Identity" else predicate
                asked.setdefault(source, [])
                if predicate not in asked[source]:
                    asked[source].append(predicate)
    for op, predicate in pivots.items():
        if predicate.op.type == "LoopCond":
            continue
        scope = op.name.rpartition("/")[0]
        candidates = asked.get(predicate, [])
        copy = f"{scope}/pred_id" if scope else "pred_id"
        beside = [t for t in candidates if t.op.name.rpartition("/")[0] == scope]
        if copy in graph and not beside:
            beside = graph.operation(copy).outputs[:1]
        pivots[op] = (beside or candidates or [predicate])[0]
    return pivots


def _complete(loop: Loop, frame: Frame) -> None:
    """The condition, the pivots and the exits of a loop."""
    conditions = [op for op in frame.operations if op.type == "LoopCond"]
    if len(conditions) != 1:
        return  # refused where it is differentiated
    loop.condition = conditions[0].outputs[0]
    merges = [op for op in frame.of_type(MERGES) if back_edge(op) is not None]
    loop.merges = merges
    loop.at_condition = merges[0].outputs[0] if merges else None
    loop.operations = frame.operations
    loop.exits = frame.of_type(EXITS)
    loop.is_backward_in_file = any(op.type in ("StackPop", "StackPopV2") for op in frame.operations)
    loop.switches = [op for op in frame.of_type(SWITCHES) if op.inputs[1] is loop.condition]
    ways = {op.outputs[1] for op in loop.switches}
    bodies = [op for op in frame.operations if op.type not in SWITCHES and any(t in ways for t in op.inputs)]
    identities = [op for op in bodies if op.type == "Identity"]
    loop.at_body = (identities or bodies)[0].outputs[0] if bodies else None
