"""Gradients of While: a loop that runs the iterations backwards, over values that the forward loop recorded.

The forward loop pushes what the gradient of its body needs onto tensor lists, one for each value; the backward loop
pops them. What no iteration changes is handed over as it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from graphgrad import dtypes, handles
from graphgrad.attributes import Shape
from graphgrad.backprop import Gradient
from graphgrad.controlflow.bodies import Copy, GradientFunction
from graphgrad.definitions import Body
from graphgrad.functions import GraphBuilder
from graphgrad.graph import Graph, Operation, needed_by
from graphgrad.handles import HELD, is_trainable
from graphgrad.schema import graph_pb2
from graphgrad.shapes import dims
from graphgrad.shapes.common import small_constant
from graphgrad.tensors import IndexedSlices, Tensor

# What these give is small beside what they look at: the forward loop records it in place of their inputs.
_MEASURES = ("Shape", "Size", "Rank", "TensorListElementShape", "TensorListLength")
# ... under this name in the gradient's function: when the loop is differentiated again, the same is not measured twice.
_MEASURED_AS = "_measured_as"
# What nodes were called that the reverse pass made and that do not stand in the function: such names are not given again.
_GONE_NAMES = "_gone_names"
_STEERING = 3  # inputs of a backward loop before the gradients: its counter, the most iterations, those there were


class LoopGradient(GradientFunction):
    """The gradient of a loop's body."""

    def __init__(self, copy: Copy, g: GraphBuilder, most: Tensor):
        super().__init__(copy)
        self.outside, self.most = g, most
        self.results: list[Tensor] = []  # what becomes of each captured argument, for the next iteration
        self.lists: list[Tensor] = []  # empty lists that the forward loop starts from
        self._measured = {op.annotation(_MEASURED_AS): op for op in copy.forward if op.type in _MEASURES}
        self._gone: list[str] = []  # names of nodes that were left to the forward loop
        self._same: dict[Tensor, Tensor] = {}  # what would be measured again -> what was measured

    def argument(self, source: Tensor, dtype: Any = None, shape: Any = ()) -> Tensor:
        argument = super().argument(source, dtype, shape)
        self.results.append(argument)
        return argument

    def move(self, op: Operation) -> None:
        copy = self.copy
        if op.type in _MEASURES and all(t.op in copy.forward and self._recorded(t) is None for t in op.inputs):
            self._measure(op)
        else:
            super().move(op)

    def _measure(self, op: Operation) -> None:
        """Leaves an operation to the forward loop, which may have it already."""
        self._gone.append(op.name)
        known = self._measured.get(op.name)
        if known is not None and _are_equal(known, op):
            self._same.update(zip(op.outputs, known.outputs, strict=True))
            return
        if self.copy.is_of_gradient:
            op.annotate(_MEASURED_AS, op.name)
        self.copy.keep(op)

    def capture(self, tensor: Tensor) -> Tensor:
        copy = self.copy
        if tensor in self._same or tensor.op.type == "Identity":
            return self.take(self._same[tensor] if tensor in self._same else tensor.op.inputs[0])
        if tensor in copy.arguments and tensor in copy.results:
            return self.argument(tensor)
        if tensor.op.type == "Const" or tensor.dtype is dtypes.resource:
            return super().capture(tensor)
        return self.hand_on_alive(tensor)

    def hand_on(self, tensor: Tensor) -> Tensor:
        if tensor.dtype is dtypes.resource:
            raise self.copy.cannot_hand_on(tensor, "every iteration")
        recorded = self._recorded(tensor)
        if recorded is None:
            recorded = self._record(tensor)
        values = self.argument(recorded, dtypes.variant)
        rest, value = self.g.TensorListPopBack(values, -1, element_dtype=tensor.dtype)
        self.results[-1] = rest
        if value.shape != tensor.shape:
            self.vague.add(value)
        return value  # type: ignore[no-any-return]

    def _recorded(self, tensor: Tensor) -> Tensor | None:
        """The list, among the body's results, onto which a tensor is pushed already."""
        copy = self.copy
        for argument, result in zip(copy.arguments, copy.results, strict=True):
            push = result.op.inputs[0].op if result.op.type == "Identity" else result.op
            if push.type == "TensorListPushBack" and push.inputs[1] is tensor and push.inputs[0] is argument:
                return result
        return None

    def _record(self, tensor: Tensor) -> Tensor:
        g, name = self.outside, tensor.name.replace(":", "_") + "/accumulator"
        element_shape = g.shape_with_gaps(tensor.shape)
        with g.detached():
            empty = g.EmptyTensorList(element_shape, self.most, element_dtype=tensor.dtype, name=name)
        self.lists.append(empty)
        self.copy.inputs.append(empty)
        before = self.copy.new_argument(dtypes.variant)
        self.copy.graph.outer[before] = empty
        self.copy.results += self.copy.in_forward("TensorListPushBack", before, tensor)
        return self.copy.results[-1]

    def add_to_library(self, arguments: Sequence[Tensor], results: Sequence[Tensor]) -> graph_pb2.NameAttrList:
        written = set(needed_by(t.op for t in results))
        dead = [op.name for op in self.graph if op not in written and op.type != "Placeholder"]
        gone = (*self._gone, *dead, *self.stand_ins)
        if gone:
            results[0].op.annotate(_GONE_NAMES, gone)
        return super().add_to_library(arguments, results)


def _are_equal(one: Operation, other: Operation) -> bool:
    """Whether two operations measure the same in the same way."""
    if one.type != other.type or one.inputs != other.inputs:
        return False
    assert one.signature is not None
    return all(one[attr] == other[attr] for attr in one.signature.attrs)


def gradient_of_loop(g: GraphBuilder, op: Operation, dz: Sequence[Gradient]) -> list[Gradient]:
    """The gradients of a loop."""
    most, count = _counting(g, op)
    copy = Copy(op, op.function("body"), op.inputs, op["output_shapes"] or [t.shape for t in op.inputs])
    if copy.library.is_made_here(op.function("body")):
        copy.graph.build.zeros_by_shape = True
        copy.graph.name_authority.reserve(n for op in copy.graph for n in op.annotation(_GONE_NAMES) or ())
        copy.settle_shapes()
        pairs = zip(op.annotation(HELD) or (), copy.arguments, op.inputs, strict=False)
        copy.graph.outer.update((argument, x) for is_known, argument, x in pairs if is_known)
    gradients = _gradients_to_start_with(g, op, copy, dz)
    carried = [i for i, dy in enumerate(gradients) if dy is not None]
    counter = g.constant(0, count.dtype, name="grad_counter")
    started = [gradients[i] for i in carried]
    found = copy.differentiate(
        [copy.results[i] for i in carried], [copy.arguments[i] for i in carried], started, unconnected="zero"
    )
    with copy.adding() as inner:
        dense = [inner.dense(dx) for dx in found if dx is not None]
    loop = LoopGradient(copy, g, most)
    steering = [loop.argument(t) for t in (counter, most, count)]
    for placeholder, dy in copy.seeds.items():
        loop.stands(placeholder, loop.argument(dy))
    loop.move_added()
    taken = [loop.take(dx) for dx in dense]
    following = [loop.g.AddV2(steering[0], 1, name="add"), *steering[1:], *taken]
    loop.results[: len(following)] = [loop.g.Identity(t) for t in following]
    if loop.lists:
        _rewrite(op, copy, loop)
    new = _backward_loop(g, op, loop)
    outputs = [g.Identity(t) for t in new.outputs]
    result: list[Gradient] = [None] * len(op.inputs)
    for i, dx in zip(carried, outputs[_STEERING:], strict=False):
        result[i] = dx
    return result


def _counting(g: GraphBuilder, op: Operation) -> tuple[Tensor, Tensor]:
    """The most iterations (or -1) and how many there were. TensorFlow's Python makes loops that carry both before all
    else; another loop is made to count, unless it does.
    """
    op.graph.functions.check_call(op)
    body = op.graph.functions.body(op.function("body"), op)
    if len(body.arguments) > 1 and _counts(body, 0) and _handed_on(body.results[1]) is body.arguments[1]:
        return op.inputs[1], op.outputs[0]
    from_zero = [i for i, x in enumerate(op.inputs) if x.op.type == "Const" and small_constant(x.op) == ((), [0])]
    counters = [i for i in from_zero if _counts(body, i)]
    if not counters:
        counters = [len(op.outputs)]
        _add_counter(g, op)
    with g.detached():
        most = g.constant(-1, dtypes.int32, name="maximum_iterations")
    return most, op.outputs[counters[0]]


def _handed_on(tensor: Tensor) -> Tensor:
    while tensor.op.type == "Identity":
        tensor = tensor.op.inputs[0]
    return tensor


def _counts(body: Body, i: int) -> bool:
    """Whether a loop variable grows by one with each iteration."""
    add = _handed_on(body.results[i]).op
    if add.type not in ("Add", "AddV2") or body.arguments[i].dtype is not dtypes.int32:
        return False
    before, one = map(_handed_on, add.inputs)
    return before is body.arguments[i] and one.op.type == "Const" and small_constant(one.op) == ((), [1])


def _add_counter(g: GraphBuilder, op: Operation) -> None:
    """Makes a loop count its iterations, behind what it carries along."""
    body, condition = (Copy(op, op.function(f), op.inputs, [t.shape for t in op.inputs]) for f in ("body", "cond"))
    condition.new_argument(dtypes.int32)
    body.results += body.in_forward("AddV2", body.new_argument(dtypes.int32), 1)
    with g.detached():
        zero = g.constant(0, dtypes.int32, name="counter")
    attrs: dict[str, Any] = {
        f: graph_pb2.NameAttrList(name=c.rewritten().name) for f, c in (("body", body), ("cond", condition))
    }
    if op["output_shapes"]:
        attrs["output_shapes"] = (*op["output_shapes"], ())
    op.rewrite(inputs=[zero], outputs=[(dtypes.int32, ())], T=tuple(t.dtype for t in body.results), **attrs)


def _gradients_to_start_with(g: GraphBuilder, op: Operation, copy: Copy, dz: Sequence[Gradient]) -> list[Tensor | None]:
    """The gradients of what the loop gives; None for lists that an earlier gradient made it record, and numbers."""
    original = op.annotation("_num_original_outputs") or len(op.outputs)
    gradients: list[Tensor | None] = []
    for i, (dy, inside) in enumerate(zip(dz, copy.results, strict=False)):
        if i >= original or not is_trainable(inside):
            gradients.append(None)
        elif dy is None and inside.dtype in (dtypes.resource, dtypes.variant):
            gradients.append(_zeros(g, op, i))
        else:
            gradients.append(g.dense(dy) if isinstance(dy, IndexedSlices) else dy)
    return gradients


def _zeros(g: GraphBuilder, op: Operation, i: int) -> Tensor | None:
    if op.outputs[i].dtype is dtypes.variant:
        return g.zeros_like(op.outputs[i])
    if handles.variable(op.inputs[i]) is None:
        return None
    return g.zeros(g.VariableShape(op.outputs[i]), g.variable_dtype(op.inputs[i]))


def _rewrite(op: Operation, copy: Copy, loop: LoopGradient) -> None:
    """Makes the forward loop carry the lists along."""
    condition = Copy(op, op.function("cond"), op.inputs, [t.shape for t in op.inputs])
    for _ in loop.lists:
        condition.new_argument(dtypes.variant)
    functions = {
        "cond": graph_pb2.NameAttrList(name=condition.rewritten().name),
        "body": graph_pb2.NameAttrList(name=copy.rewritten().name),
    }
    attrs: dict[str, Any] = {
        "T": tuple(t.dtype for t in copy.results),
        "output_shapes": tuple(_shapes_after(op, copy.results)),
        HELD: _held(op, copy.results),
    }
    op.rewrite(
        inputs=loop.lists,
        outputs=[(dtypes.variant, ())] * len(loop.lists),
        _num_original_outputs=len(copy.results),
        **functions,
        **attrs,
    )


def _shapes_after(op: Operation, results: Sequence[Tensor]) -> Iterator[Shape]:
    """The shapes of what an iteration gives, unless the loop is known to start from others."""
    for i, result in enumerate(results):
        start = op.inputs[i].shape if i < len(op.inputs) else result.shape
        yield result.shape if dims.compatible(start, result.shape) else dims.common([start, result.shape])


def _held(op: Operation, results: Sequence[Tensor]) -> tuple[int, ...]:
    """What the loop's variables hold: of those it had, what was known, of the new ones, what their makers tell."""
    known = op.annotation(HELD) or (0,) * len(op.outputs)
    return (*known, *map(_enum_held, results[len(op.outputs) :]))


def _enum_held(tensor: Tensor) -> int:
    made = handles.variable(tensor) if tensor.dtype is dtypes.resource else None
    dtype = made["dtype"] if made is not None else handles.held(tensor)
    return 0 if dtype is None else dtype.enum


def _backward_loop(g: GraphBuilder, op: Operation, loop: LoopGradient) -> Operation:
    inputs = [loop.outer(source) for source, _ in loop.captured]
    arguments = [placeholder for _, placeholder in loop.captured]
    body = loop.add_to_library(arguments, loop.results)
    new = g.op(
        "While" if loop.is_stateful else "StatelessWhile",
        inputs,
        cond=_condition(op, inputs),
        body=body,
        output_shapes=[t.shape for t in loop.results],
        parallel_iterations=op["parallel_iterations"],
        name=f"{op.name}_grad",
    )
    new.annotate("_lower_using_switch_merge", True)
    new.annotate("_num_original_outputs", len(inputs))
    if any(t.dtype in (dtypes.resource, dtypes.variant) for t in inputs):
        new.annotate(HELD, tuple(map(_enum_held, loop.results)))
    return new  # type: ignore[no-any-return]


def _condition(op: Operation, inputs: list[Tensor]) -> graph_pb2.NameAttrList:
    """As many iterations as the forward loop ran."""
    graph = Graph(graph_pb2.GraphDef(versions=op.graph.functions.versions))
    graph.functions = op.graph.functions
    g = graph.build
    arguments = [g.Placeholder(dtype=t.dtype, shape=t.shape, name=f"argument_{i}") for i, t in enumerate(inputs)]
    body = graph.functions.add(f"{op['cond'].name}_grad", graph, arguments, [g.Less(arguments[0], arguments[2])])
    return graph_pb2.NameAttrList(name=body.name)
