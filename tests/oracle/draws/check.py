"""What TensorFlow and graphgrad make of a draw, compared: static shapes, the nodes of every order, their shapes, and numbers."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from graphgrad import compile as compile_graph
from graphgrad.differentiate import gradients
from graphgrad.errors import EvaluationError, GraphGradError
from graphgrad.graph import Graph
from graphgrad.schema import graph_pb2
from graphgrad.tensors import IndexedSlices, Tensor
from tests.closeness import TOLERANCE, why_not_close
from tests.oracle.draws import Drawer, draw
from tests.seeds import seed_value
from tests.structure import difference, normal_form

tf1 = tf.compat.v1
METHODS = {
    "default": tf1.AggregationMethod.DEFAULT,
    "add-n": tf1.AggregationMethod.ADD_N,
    "experimental-tree": tf1.AggregationMethod.EXPERIMENTAL_TREE,
    "experimental-accumulate-n": tf1.AggregationMethod.EXPERIMENTAL_ACCUMULATE_N,
}

# Ops of which TensorFlow's static shapes are not what its kernels give.
WRONG_SHAPES = {"FractionalMaxPool", "FractionalAvgPool"}
# Draws of whose gradients TensorFlow learns more shapes: it runs constant parts of the graph, or sees through variants.
MORE_SHAPES = {
    *["RaggedTensorToTensor", "CompositeTensorVariantFromComponents", "CompositeTensorVariantToComponents"],
    *["TensorListScatterIntoExistingList", "TensorListSetItem"],
}
# The order from which derivatives are noise in single precision, where it is not the third: I1e's is divided by x
# and taken from what is nearly the same, which leaves few digits near 0.
NOISY_FROM = {"BesselI1e": 2}


@dataclasses.dataclass
class Call:
    """One call of gradients: ys, xs and grad_ys by name, and the other arguments."""

    ys: list[str]
    xs: list[str]
    grad_ys: list[str | None] | None
    stop_gradients: list[str] | None = None
    options: dict[str, Any] = dataclasses.field(default_factory=dict)

    def ours(self, graph: Graph) -> list[Any]:
        """graphgrad's gradients; the graph grows."""
        return gradients(
            self.ys, self.xs, self.grad_ys, stop_gradients=self.stop_gradients, graph=graph, **self.options
        )

    def tensorflows(self, graph: tf.Graph) -> list[Any]:
        """TensorFlow's gradients; the graph grows."""
        find = graph.get_tensor_by_name
        options = dict(self.options)
        if "aggregation_method" in options:
            options["aggregation_method"] = METHODS[options["aggregation_method"]]
        seeds = self.grad_ys and [None if name is None else find(name) for name in self.grad_ys]
        stops = self.stop_gradients and [find(name) for name in self.stop_gradients]
        with graph.as_default():
            return list(
                tf1.gradients(
                    [find(y) for y in self.ys], [find(x) for x in self.xs], seeds, stop_gradients=stops, **options
                )
            )


@dataclasses.dataclass
class Verdict:
    """What became of a draw: `problem` is empty where all agrees; `notes` say what could not be compared."""

    op_type: str
    number: int
    problem: str = ""
    notes: list[str] = dataclasses.field(default_factory=list)
    orders: int = 0
    numbers: bool = False
    shown: str = ""

    def __str__(self) -> str:
        return f"{self.op_type} #{self.number}: {self.problem}\n{self.shown}"


def check(op_type: str, number: int, seed: int = 0) -> Verdict:
    """Draws a case and compares."""
    verdict = Verdict(op_type, number)
    try:
        drawer = draw(op_type, number, seed)
    except GraphGradError as error:
        verdict.problem = f"the op cannot be built: {error}"
        return verdict
    _add_seeds(drawer)
    forward = list(drawer.graph.operations)
    verdict.shown = "\n".join(f"    {line}" for line in _listing(drawer))
    definition = graph_pb2.GraphDef(node=[op.node_def() for op in forward])
    definition.versions.producer = drawer.graph.message.versions.producer
    graph = tf.Graph()
    try:
        with graph.as_default():
            tf.import_graph_def(tf1.GraphDef.FromString(definition.SerializeToString(deterministic=True)), name="")
    except Exception as error:
        verdict.notes.append(f"TensorFlow does not import it: {_first_line(error)}")
        return verdict
    verdict.problem = _shapes_differ(drawer, graph, 0)
    calls: list[Call] = []
    fetches: dict[str, tuple[str, Tensor]] = {
        t.name: (t.name, t)
        for t in drawer.outputs
        if t.dtype.name not in ("variant", "resource") and t.index not in drawer.undetermined
    }
    if drawer.xs and drawer.ys():
        _differentiate(drawer, graph, verdict, calls, fetches)
    if verdict.problem:
        verdict.shown += "".join(f"\n    {call}" for call in calls)
        return verdict
    if drawer.numbers:
        verdict.problem = _numbers_differ(drawer, graph, fetches, verdict)
        verdict.shown += "".join(f"\n    {call}" for call in calls)
    return verdict


def _add_seeds(drawer: Drawer) -> None:
    """Placeholders for the gradients that ys receive, in the graph from the beginning."""
    for i, y in enumerate(drawer.ys()):
        shape = None if drawer.chance(0.12) else y.shape
        drawer.vague_seeds |= shape != y.shape
        with drawer.g.on_device(y.op.device):
            drawer.g.Placeholder(dtype=y.dtype, shape=shape, name=f"dy{i}")


def _differentiate(
    drawer: Drawer, graph: tf.Graph, verdict: Verdict, calls: list[Call], fetches: dict[str, tuple[str, Tensor]]
) -> None:
    ys, xs = [y.name for y in drawer.ys()], [x.name for x in drawer.xs]
    call = _first_call(drawer, ys, xs)
    fine = all(t.dtype.name in ("float64", "complex128") for t in drawer.xs)
    for order in range(1, drawer.integer(1, 3) + 1):
        calls.append(call)
        before = len(drawer.graph), {op.name for op in graph.get_operations()}
        theirs: list[Any] | None
        refusal = ours_refused = ""
        try:
            theirs = call.tensorflows(graph)
        except Exception as error:
            refusal, theirs = _first_line(error), None
        try:
            ours = call.ours(drawer.graph)
        except GraphGradError as error:
            ours_refused = _first_line(error)
        except Exception as error:
            verdict.problem = f"order {order} crashes: {type(error).__name__}: {_first_line(error)}"
            return
        if refusal or ours_refused:
            if not refusal:
                verdict.problem = f"order {order} is refused: {ours_refused}"
            elif not ours_refused:
                verdict.notes.append(f"order {order}: TensorFlow raises {refusal}")
            return
        assert theirs is not None
        verdict.problem = verdict.problem or _nodes_differ(drawer, graph, before, call, order)
        verdict.problem = verdict.problem or _gradients_differ(ours, theirs, order)
        if not drawer.vague_seeds:  # a seed learns its y's shape late, and TensorFlow infers what follows before that
            verdict.problem = verdict.problem or _shapes_differ(drawer, graph, before[0])
        verdict.orders = order
        if verdict.problem:
            return
        found = [_values(d) for d in ours if d is not None]
        if fine or order < NOISY_FROM.get(drawer.op_type, 3):
            indices = [d.indices for d in ours if isinstance(d, IndexedSlices)]
            fetches.update({t.name: (t.name, t) for t in (*found, *indices)})
        ys = [t.name for t in found if t.dtype.is_trainable]
        if not ys:
            return
        if order == 1 and call.grad_ys and drawer.chance(0.5):
            xs = xs + [name for name in call.grad_ys if name is not None]
        chosen = [y for y in ys if drawer.chance(0.6)] or ys[:1]
        seeds = None
        if any(drawer.graph.tensor(y).dtype.is_complex for y in chosen):
            seeds = chosen  # a complex y needs a seed, and each is one of the right shape for itself
        call = Call(chosen, xs, seeds)


def _first_call(drawer: Drawer, ys: list[str], xs: list[str]) -> Call:
    chosen: list[tuple[str, str | None]] = [(y, f"dy{i}:0") for i, y in enumerate(ys) if drawer.chance(0.8)]
    chosen = chosen or [(ys[0], "dy0:0")]
    if drawer.chance(0.06):
        chosen.append(drawer.pick(*chosen))
    numbers = [t.name for t in drawer.outputs if t.dtype.name in ("int32", "int64")]
    if numbers and drawer.op_type not in WRONG_SHAPES and drawer.chance(0.1):
        chosen.insert(drawer.integer(0, 1), (drawer.pick(*numbers), None))
    # where TensorFlow's NcclBroadcast is asked for the shape of what it gives, it takes this for a receiver
    given = any(drawer.graph.tensor(y).dtype.is_complex for y, _ in chosen) or drawer.op_type.startswith("Nccl")
    seeds = [s if given or drawer.chance(0.8) else None for _, s in chosen]
    call = Call([y for y, _ in chosen], _wanted(drawer, xs), seeds if given or drawer.chance(0.6) else None)
    options: dict[str, Any] = {}
    if drawer.chance(0.1):
        options["gate_gradients"] = True
    if drawer.op_type.startswith("Nccl") or drawer.chance(0.1):
        options["colocate_gradients_with_ops"] = True
    if drawer.chance(0.1):
        options["aggregation_method"] = drawer.pick(*METHODS)
    if drawer.chance(0.1):
        options["unconnected_gradients"] = "zero"
    # gradients of tensor arrays are looked up under "gradients"
    if not drawer.op_type.startswith("TensorArray") and drawer.chance(0.06):
        options["name"] = drawer.pick("back", "a/b", "x0", drawer.op_type)
    if drawer.chance(0.1):
        call.stop_gradients = [drawer.pick(*xs, *call.ys)]
    call.options = options
    return call


def _wanted(drawer: Drawer, xs: list[str]) -> list[str]:
    """What gradients are asked for: most of the xs, and now and then something else, or one of them again."""
    chosen = [x for x in xs if drawer.chance(0.8)] or xs[:1]
    if drawer.op_type not in WRONG_SHAPES and drawer.chance(0.06):
        known = [t.name for t in drawer.outputs if t.index not in drawer.undetermined]
        chosen.append(drawer.pick(*chosen, *known))
    numbers = [name for name in drawer.feeds if name not in xs]
    if numbers and drawer.chance(0.06):
        chosen.insert(0, drawer.pick(*numbers))
    return chosen


def _values(gradient: Any) -> Tensor:
    return gradient.values if isinstance(gradient, IndexedSlices) else gradient


def _nodes_differ(drawer: Drawer, graph: tf.Graph, before: Any, call: Call, order: int) -> str:
    ours = [op.node_def() for op in drawer.graph.operations[before[0] :]]
    nodes = graph_pb2.GraphDef.FromString(graph.as_graph_def().SerializeToString()).node
    theirs = [node for node in nodes if node.name not in before[1]]
    with_classes = bool(call.options.get("colocate_gradients_with_ops"))
    problem = difference(normal_form(theirs, with_classes), normal_form(ours, with_classes))
    return f"order {order}\n{problem}" if problem else ""


def _gradients_differ(ours: Sequence[Any], theirs: Sequence[Any], order: int) -> str:
    for i, (a, b) in enumerate(zip(ours, theirs, strict=True)):
        ours_are = _names(a, IndexedSlices)
        theirs_are = _names(b, tf.IndexedSlices)
        if ours_are != theirs_are:
            return f"order {order}, gradient {i} is {ours_are}, TensorFlow's {theirs_are}"
    return ""


def _names(gradient: Any, slices: type) -> list[str | None]:
    if gradient is None:
        return [None]
    if isinstance(gradient, slices):
        parts = (gradient.values, gradient.indices, gradient.dense_shape)
        return [None if part is None else part.name for part in parts]
    return [gradient.name]


def _shapes_differ(drawer: Drawer, theirs: tf.Graph, start: int) -> str:
    for op in drawer.graph.operations[start:]:
        if op.type in WRONG_SHAPES or (start and drawer.op_type in MORE_SHAPES):
            continue
        for tensor in op.outputs:
            shape = theirs.get_tensor_by_name(tensor.name).shape
            expected = None if shape.rank is None else tuple(shape.as_list())
            if tensor.shape != expected:
                return f"static shape of {tensor.name} ({op.type}): {tensor.shape}, TensorFlow's {expected}"
    return ""


def _numbers_differ(drawer: Drawer, graph: tf.Graph, fetches: dict[str, tuple[str, Tensor]], verdict: Verdict) -> str:
    feeds = dict(drawer.feeds)
    config = tf1.ConfigProto(intra_op_parallelism_threads=1, inter_op_parallelism_threads=1)
    config.graph_options.rewrite_options.disable_meta_optimizer = True  # it aborts the process on some of these graphs
    with tf1.Session(graph=graph, config=config) as session:
        try:
            _assign(graph, session, drawer)
            for i, y in enumerate(drawer.ys()):
                feeds[f"dy{i}:0"] = seed_value(i, np.asarray(session.run(y.name, drawer.feeds)))
        except tf.errors.OpError as error:
            verdict.notes.append(f"TensorFlow does not run it: {_first_line(error)}")
            return ""
        try:
            expected = session.run(list(fetches), feeds)
        except ValueError as error:
            verdict.notes.append(f"a value has another shape than TensorFlow's static one: {_first_line(error)}")
            return ""
        except tf.errors.OpError:
            expected = [_run_alone(session, name, feeds, verdict) for name in fetches]
    wanted = [(t, e) for (_, t), e in zip(fetches.values(), expected, strict=True) if e is not None]
    if not wanted:
        return ""
    try:
        results = compile_graph(drawer.graph, [t for t, _ in wanted], feeds, drawer.variables).run(feeds)
    except EvaluationError as error:
        return f"evaluation fails: {_first_line(error)}"
    except Exception as error:
        return f"evaluation crashes: {type(error).__name__}: {_first_line(error)}"
    verdict.numbers = True
    for (tensor, e), result in zip(wanted, results, strict=True):
        problem = why_not_close(_plain(e), result, _slack(drawer, result) * max(1, verdict.orders))
        if problem:
            return f"value of {tensor.name}: {problem[:600]}"
    return ""


def _assign(graph: tf.Graph, session: tf1.Session, drawer: Drawer) -> None:
    """Gives the variables their values."""
    with graph.as_default():
        for name, value in drawer.variables.items():
            variable = graph.get_tensor_by_name(f"{name}:0")
            if variable.dtype == tf.resource:
                session.run(tf.raw_ops.AssignVariableOp(resource=variable, value=value))
            else:
                session.run(tf.raw_ops.Assign(ref=variable, value=value, validate_shape=False).op)


def _slack(drawer: Drawer, result: Any) -> float:
    """By how much the tolerance of a result's dtype grows, since the graph computes in coarser ones on the way."""
    names = {t.dtype.name for op in drawer.graph.operations for t in op.outputs}
    coarsest = max((TOLERANCE[n][0] for n in names if n in TOLERANCE), default=0.0)
    own = TOLERANCE.get(np.asarray(result).dtype.name)
    return 1.0 if own is None else coarsest / own[0] * (8.0 if coarsest > 1e-3 else 1.0)


def _run_alone(session: Any, name: str, feeds: dict[str, Any], verdict: Verdict) -> Any:
    try:
        return session.run(name, feeds)
    except tf.errors.OpError as error:
        verdict.notes.append(f"TensorFlow does not run {name}: {_first_line(error)}")
        return None


def _plain(value: Any) -> np.ndarray[Any, Any]:
    array = np.asarray(value)
    return array.astype(np.float32) if array.dtype.name == "bfloat16" else array


def _listing(drawer: Drawer) -> list[str]:
    lines = []
    for op in drawer.graph.operations:
        if op.type == "Placeholder":
            fed = drawer.feeds.get(f"{op.name}:0")
            value = f" = {fed.tolist()}" if fed is not None and fed.size <= 6 else ""
            lines.append(f"{op.name}: {op['dtype']} {op.outputs[0].shape} fed {getattr(fed, 'shape', None)}{value}")
        else:
            lines.append(
                f"{op.name}: {next(iter(normal_form([op.node_def()]).values()))[:300]} -> {op.outputs[0].shape if op.outputs else ''}"
            )
    return lines


def _first_line(error: BaseException) -> str:
    text = str(getattr(error, "message", None) or error).replace("Graph execution error:", "").strip()
    return f"{type(error).__name__}: {text.splitlines()[0][:300] if text else ''}"
