"""Functions are differentiated as graphs: the reverse pass adds to a copy of the body, and what it added is moved out
into a function of its own. What the moved nodes need of the body, the forward function hands on.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from graphgrad import handles
from graphgrad.attributes import Shape
from graphgrad.backprop import Gradient
from graphgrad.controlflow import steering
from graphgrad.controlflow.conditions import Conditions
from graphgrad.controlflow.frames import BACK_EDGES, ENTERS, EXITS, MERGES, SWITCHES, back_edge, producers
from graphgrad.definitions import Body, is_stateful
from graphgrad.dtypes import DType, bool_, resource, string, variant
from graphgrad.errors import MissingGradientError
from graphgrad.functions import GraphBuilder
from graphgrad.graph import Graph, Operation
from graphgrad.library import Library
from graphgrad.names import NameAuthority
from graphgrad.schema import graph_pb2
from graphgrad.shapes import dims
from graphgrad.tensors import IndexedSlices, Tensor

HANDED_THROUGH = ENTERS | SWITCHES | EXITS | BACK_EDGES  # what a handle may pass
OF_ONE_CALL = frozenset(["StackV2", *(f"TensorArray{kind}V3" for kind in ("", "Grad", "GradWithShape"))])
NOTHING: dict[DType | None, Any] = {string: "", bool_: False}  # what is no number


def _gives_the_same(op: Operation) -> bool:
    """Whether an operation that is run again gives what it gave."""
    return not is_stateful(op) or op.type.startswith(("TensorArray", "Stack"))


class Copy:
    """A function's body, to be differentiated. `op` calls it with `inputs`, whose static shapes are given: arguments have
    them unless the function states shapes of its own.
    """

    def __init__(self, op: Operation, name: str, inputs: Sequence[Tensor], shapes: Sequence[Shape]):
        self.op, self.inputs = op, list(inputs)
        self.library: Library = op.graph.functions
        self.library.check_call(op)
        self.body: Body = self.library.copy(name, op)
        self.graph = self.body.graph
        self.graph.build.custom_gradients = op.graph.build.custom_gradients
        self.graph.build.recording = self
        self.graph.told = {}
        self.is_of_gradient = self.library.is_made_here(name)
        self.arguments, self.results = list(self.body.arguments), list(self.body.results)
        for argument, shape in zip(self.arguments, shapes, strict=False):
            if argument.op.annotation("_output_shapes") is None or not dims.compatible(argument.shape, shape):
                self.graph.inference.settle(argument.op, [shape])
        self.forward = set(self.graph)  # the operations of the function itself, also once it is rewritten
        self.names = NameAuthority(())  # of the function that what is added will be moved to
        self.seeds: dict[Tensor, Tensor] = {}  # placeholders that stand for gradients in the caller's graph
        self._recorded: list[Operation] = []  # not yet named as the forward function names its nodes
        self.conditions = Conditions()  # of what is handed on, which must always have a value

    def settle_shapes(self) -> None:
        """Works out the static shapes of all there is: what is learned of the caller after that tells new operations alone."""
        for op in self.graph:
            for output in op.outputs:
                _ = output.shape

    def differentiate(
        self, ys: Sequence[Tensor], xs: Sequence[Tensor], dys: Sequence[Gradient], unconnected: str = "none"
    ) -> list[Gradient]:
        """The gradients of results with respect to arguments, in this copy. Raises MissingGradientError."""
        from graphgrad.differentiate import differentiate

        if not ys or not xs:
            return [None] * len(xs)
        try:
            with self.graph.names_apart(self.names):
                found = differentiate(
                    list(ys),
                    list(xs),
                    [self._seed(dy) for dy in dys],
                    unconnected_gradients=unconnected,
                    custom_gradients=self.graph.build.custom_gradients,
                    graph=self.graph,
                ).gradients
        except MissingGradientError as error:
            where = f"function {self.body.name!r}, which {self.op.type} node {self.op.name!r} calls"
            inside = [{"function": self.body.name, **entry} for entry in error.missing]
            raise MissingGradientError(f"{where}: {error}", inside) from None
        self._find_forward()
        return found

    @contextlib.contextmanager
    def adding(self) -> Iterator[GraphBuilder]:
        """Adds to what the reverse pass added, outside of its scopes."""
        g: GraphBuilder = self.graph.build
        with self.graph.names_apart(self.names), g.in_scope(""):
            yield g

    def _seed(self, dy: Gradient) -> Gradient:
        if isinstance(dy, IndexedSlices):
            shape = None if dy.dense_shape is None else self._stand_in(dy.dense_shape)
            return IndexedSlices(self._stand_in(dy.values), self._stand_in(dy.indices), shape)
        return None if dy is None else self._stand_in(dy)

    def _stand_in(self, tensor: Tensor) -> Tensor:
        placeholder: Tensor = self.graph.build.Placeholder(dtype=tensor.dtype, shape=tensor.shape, name="seed")
        self.seeds[placeholder] = tensor
        if tensor.dtype is variant:
            self.graph.outer[placeholder] = tensor  # of a list one knows its elements
        return placeholder

    def take_note(self, recorded: Iterable[Operation]) -> None:
        """Keeps what loops of frames were given to record values."""
        self._recorded += recorded

    def _find_forward(self) -> None:
        """A loop inside that was made to record values needs new nodes: they belong to the forward function."""
        for op in self._recorded:
            self.keep(op)
        self._recorded.clear()
        queue = [t.op for op in self.forward for t in op.inputs]
        while queue:
            op = queue.pop()
            if op not in self.forward:
                self.keep(op)
                queue += [t.op for t in op.inputs]

    def added(self) -> list[Operation]:
        """What the reverse pass added, in order, without what belongs to the forward function."""
        return [op for op in self.graph.added() if op not in self.forward and not self._is_seed(op)]

    def run_again(self) -> list[Operation]:
        """What the gradient has to run again, since it needs handles of what lives no longer than one call: what can be
        run again of all that stands in the body.
        """
        if not any(self._is_of_one_call(t) for op in self.added() for t in op.inputs):
            return []
        return [op for op in self.graph if op in self.forward and op.type != "Placeholder" and _gives_the_same(op)]

    def _is_of_one_call(self, tensor: Tensor) -> bool:
        if tensor.dtype is not resource or tensor.op not in self.forward:
            return False
        return self.source_of_resource(tensor).op.type in OF_ONE_CALL

    def _is_seed(self, op: Operation) -> bool:
        return len(op.outputs) == 1 and op.outputs[0] in self.seeds

    def in_forward(self, op_type: str, *inputs: Any, **attrs: Any) -> list[Tensor]:
        """A new operation of the forward function: its outputs."""
        g = self.graph.build
        with g.in_scope(""):
            op: Operation = g.op(op_type, *inputs, **attrs)
        self.forward.add(op)
        self._find_forward()
        return op.outputs

    def out_of_branches(self, tensor: Tensor) -> Tensor:
        """The tensor where the branches it is in are taken, else something of its dtype: results always have a value."""
        for predicate, way in reversed(self.conditions.of(tensor)):
            if tensor.dtype is resource:
                raise self.cannot_hand_on(tensor, "a branch")
            if tensor.dtype is variant:
                [nothing] = self.in_forward("OptionalNone")
            else:
                nothing = self.graph.build.constant(NOTHING.get(tensor.dtype, 0), tensor.dtype)
            other = self.in_forward("Switch", nothing, predicate)[1 - way]
            tensor = self.in_forward("Merge", steering.in_order(tensor, other, way))[0]
        return tensor

    def new_argument(self, dtype: Any) -> Tensor:
        """A new argument of the forward function."""
        op = self.graph.build.op("Placeholder", dtype=dtype, shape=(), name="handed_on")
        self.forward.add(op)
        self.arguments.append(op.outputs[0])
        return self.arguments[-1]

    def keep(self, op: Operation) -> None:
        """Takes an operation that differentiating added into the forward function."""
        self.forward.add(op)
        self.graph.rename(op)

    def source_of_resource(self, handle: Tensor) -> Tensor:
        """The tensor of the body that a handle was handed on from: an argument, or that of the op that made it."""
        while True:
            handle = handles.handed_in(handle)
            if handle.op.type not in HANDED_THROUGH:
                return handle
            handle = handle.op.inputs[0]

    def cannot_hand_on(self, handle: Tensor, where: str) -> MissingGradientError:
        """What is raised where a handle is made in a branch or an iteration."""
        caller, name, made = self.op, self.body.name, handle.op
        return MissingGradientError(
            f"function {name!r}, which {caller.type} node {caller.name!r} calls: its gradient needs the {made.type} node "
            f"{made.name!r}, which is made in {where} (export the model with control flow of version 2)",
            [{"op": made.type, "node": made.name, "function": name, "path": [], "custom_gradient": None}],
        )

    def rewritten(self) -> Body:
        """The forward function with the arguments and results that were added to it."""
        keep = [op for op in self.graph if op in self.forward]
        return self.library.add(
            f"{self.body.base}_rewritten", self.graph, self.arguments, self.results, like=self.body, keep=keep
        )


class GradientFunction:
    """The nodes that differentiating a copy added, in a graph of their own.

    `captured` lists what the function takes: a tensor of the caller's graph, or one of the body that the caller will
    find among what it hands to the forward function or gets from it, and the placeholder that stands for it.
    """

    def __init__(self, copy: Copy):
        self.copy = copy
        self.graph = Graph(graph_pb2.GraphDef(versions=copy.library.versions))
        self.graph.functions = copy.library
        self.g = self.graph.build
        self.captured: list[tuple[Tensor, Tensor]] = []
        self._moved: dict[Tensor, Tensor] = {}
        self._operations: dict[Operation, Operation] = {}
        self._closing: list[tuple[Operation, Tensor]] = []  # loop variables with what goes round to them
        self.vague: set[Tensor] = set()  # of whose shapes less is known here than in the copy
        self.stand_ins: list[
            str
        ] = []  # what TensorFlow calls the arguments that stand for tensors, so nothing else here
        self._taking = ""  # the node whose output is to be stood for

    def move_added(self) -> None:
        """Takes over what differentiating added to the copy, each operation after those it reads or waits for.

        What brings a tensor into a branch was made after its reader.
        """
        again = self.copy.run_again()
        waiting = dict.fromkeys([*again, *self.copy.added()])
        stack = list(reversed(waiting))
        while stack:
            op = stack[-1]
            before = [p for p in producers(op) if p in waiting]
            if op in waiting and before:
                stack += before
                continue
            stack.pop()
            if op in waiting:
                del waiting[op]
                if op in self.copy.forward:
                    self._move_again(op)
                else:
                    self.move(op)
        for op, back in self._closing:
            self._operations[op].inputs[1] = self._moved[back]

    def move(self, op: Operation) -> None:
        """Takes over an operation that was added to the copy."""
        moved = self.graph.take_over(op, *self._reads(op))
        self._moved_to(op, moved)
        if not self.vague.isdisjoint(moved.inputs):
            self._infer_anew(op, moved)

    def _infer_anew(self, op: Operation, moved: Operation) -> None:
        """Works out what is known of an operation's shapes here, and from what was learned of them there."""
        moved.facts, told = None, self.copy.graph.told or {}
        for before, here in zip(op.outputs, moved.outputs, strict=True):
            here.has_shape(told.get(before))
            if here.shape != before.shape:
                self.vague.add(here)

    def _move_again(self, op: Operation) -> None:
        """Takes over an operation of the forward function, which is run a second time."""
        with self.g.in_scope("again/"):
            copied = self.g.copy_of(op, *self._reads(op))
        if op.type in ENTERS:
            copied.own_attrs()["frame_name"] = f"again/{op['frame_name']}"
        self._moved_to(op, copied)

    def _moved_to(self, op: Operation, moved: Operation) -> None:
        self._operations[op] = moved
        self._moved.update(zip(op.outputs, moved.outputs, strict=True))

    def _reads(self, op: Operation) -> tuple[list[Tensor], list[Operation]]:
        """What an operation reads and waits for, here."""
        reads = op.inputs
        if op.type in MERGES and (back := back_edge(op)) is not None:
            self._closing.append((op, back))
            reads = [op.inputs[0]] * 2  # until the back edge is there
        with self.g.in_scope(op.name + "/"):
            inputs = [self.take(t) for t in reads]
        return inputs, [self._operations[c] for c in op.control_inputs if c in self._operations]

    def take(self, tensor: Tensor) -> Tensor:
        """What stands for a tensor of the copy here."""
        found = self._moved.get(tensor)
        if found is None:
            seed = self.copy.seeds.get(tensor)
            around = self._taking
            self._taking = around or (tensor if seed is None else seed).op.name
            found = self._moved[tensor] = self.capture(tensor) if seed is None else self._argument_of(seed)
            self._taking = around
        return found

    def _argument_of(self, seed: Tensor) -> Tensor:
        """The argument for a gradient that comes in, one also where it is that of several results."""
        for source, here in self.captured:
            if source is seed:
                return here
        return self.argument(seed)

    def stands(self, tensor: Tensor, here: Tensor) -> None:
        """Notes what stands for a tensor of the copy."""
        self._moved[tensor] = here

    def argument(self, source: Tensor, dtype: Any = None, shape: Any = ()) -> Tensor:
        """A new argument for `source`, of its dtype and shape unless a dtype is given."""
        shape = source.shape if dtype is None else shape
        if self._taking:
            self.stand_ins.append(self.graph.name_authority.unique(self.g.scope + self._taking))
        with self.g.in_scope(""):
            placeholder: Tensor = self.g.Placeholder(dtype=dtype or source.dtype, shape=shape)
        self.graph.outer[placeholder] = source
        self.captured.append((source, placeholder))
        return placeholder

    def capture(self, tensor: Tensor) -> Tensor:
        """What stands for a tensor of the forward function: here what every call has, its arguments and results."""
        copy = self.copy
        if tensor in copy.arguments or tensor in copy.results:
            return self.argument(tensor)
        if tensor.op.type == "Const":
            return self._in_branches(tensor, self.g.constant_like(tensor.op))
        if tensor.dtype is resource:
            tensor = copy.source_of_resource(tensor)
            if tensor in copy.arguments:
                return self.take(tensor)
        return self.hand_on_alive(tensor)

    def hand_on_alive(self, tensor: Tensor) -> Tensor:
        """The same of a tensor that may stand in branches of frames: here it has a value where they are taken."""
        return self._in_branches(tensor, self.hand_on(self.copy.out_of_branches(tensor)))

    def _in_branches(self, tensor: Tensor, here: Tensor) -> Tensor:
        for predicate, way in self.copy.conditions.of(tensor):
            here = self.g.Switch(here, self.take(predicate))[way]
        return here

    def hand_on(self, tensor: Tensor) -> Tensor:
        """What stands for a tensor that the forward function has to hand on: it becomes a result of it."""
        self.copy.results.append(tensor)
        return self.argument(tensor)

    def outer(self, source: Tensor) -> Tensor:
        """The tensor of the caller's graph for what was captured; asked once the forward operation is rewritten."""
        copy = self.copy
        if source.graph is not copy.graph:
            return source
        if source in copy.results:
            return copy.op.outputs[copy.results.index(source)]
        return copy.inputs[copy.arguments.index(source)]

    @property
    def is_stateful(self) -> bool:
        return any(is_stateful(op) for op in self.graph)

    def add_to_library(self, arguments: Sequence[Tensor], results: Sequence[Tensor]) -> graph_pb2.NameAttrList:
        """The function, ready to be called."""
        body = self.copy.library.add(f"{self.copy.body.base}_grad", self.graph, arguments, results)
        return graph_pb2.NameAttrList(name=body.name)


def components(gradient: Gradient) -> list[Tensor]:
    """The tensors that a gradient consists of."""
    if isinstance(gradient, IndexedSlices):
        assert gradient.dense_shape is not None
        return [gradient.values, gradient.indices, gradient.dense_shape]
    return [] if gradient is None else [gradient]


def put_together(like: Gradient, tensors: Any) -> Gradient:
    """A gradient of the next tensors of an iterator, of the kind of another."""
    if isinstance(like, IndexedSlices):
        return IndexedSlices(next(tensors), next(tensors), next(tensors))
    return None if like is None else next(tensors)
