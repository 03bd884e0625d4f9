"""What TensorFlow and graphgrad make of a drawn program: the same nodes and results, and the same numbers wherever it runs.

A program of frames goes to TensorFlow as a MetaGraphDef, without which it cannot differentiate loops, and to graphgrad as
the same file ('meta') or as the GraphDef alone ('v1'); one of functions goes to both as a GraphDef ('v2'). One that
calls functions ('calls') TensorFlow differentiates where its Python wrote it, by what no file holds: of such only numbers
are compared.
"""

from __future__ import annotations

import dataclasses
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.python.framework.ops import gradient_registry

import graphgrad
from graphgrad.errors import GraphGradError
from graphgrad.graph import Graph
from graphgrad.runtime.plan import evaluate
from graphgrad.schema import graph_pb2, saved_model_pb2
from tests.closeness import why_not_close
from tests.oracle import flow_draws
from tests.oracle.flow_draws import handle
from tests.structure import difference, normal_form

tf1 = tf.compat.v1
Orders = list[list[Any]]  # of gradients, a list for each time the program was differentiated
FACTOR = 3.0  # of the tolerance: numbers went through many operations


@dataclasses.dataclass
class Verdict:
    """What came of one program: what differs, what could not be compared, how often TensorFlow differentiated it."""

    problem: str = ""
    note: str = ""
    orders: int = 0


@dataclasses.dataclass
class Call:
    """A program as the file holds it."""

    message: Any
    meta: Any
    ys: list[str]
    xs: list[str]
    options: dict[str, Any]
    feeds: dict[str, np.ndarray[Any, Any]]
    initializer: str
    variables: dict[str, tuple[str, Any]]

    def differentiate(self, found: Orders, tensor: Any, gradients: Any) -> list[Any]:
        """The next gradients, by `gradients`; `tensor` looks names up."""
        xs = [tensor(x) for x in self.xs]
        if found:
            return gradients([dx for dx in found[-1] if dx is not None], xs)  # type: ignore[no-any-return]
        lists = {key: [tensor(t) for t in value] for key, value in self.options.items() if isinstance(value, list)}
        return gradients([tensor(y) for y in self.ys], xs, **{**self.options, **lists})  # type: ignore[no-any-return]


def check(seed: int, kind: str, level: str, orders: int = 1) -> Verdict:
    """Compares program `seed`."""
    (tf1.enable_control_flow_v2 if kind in ("v2", "calls") else tf1.disable_control_flow_v2)()
    written = tf.Graph()
    try:
        call = _written(written, seed, kind, level)
    except (TypeError, ValueError) as error:
        return Verdict(note=f"cannot be built: {error}")
    colocated = "colocate_gradients_with_ops" in call.options
    with (written if kind == "calls" else tf.Graph()).as_default() as graph, tf1.Session() as session:
        if kind == "v2":
            tf.import_graph_def(call.message, name="")
        elif call.meta is not None:
            tf1.train.import_meta_graph(call.meta)
        reads = {name: _read(graph.get_tensor_by_name(t), dtype) for name, (t, dtype) in call.variables.items()}
        before = len(graph.get_operations())
        theirs, note, nodes_added = _by_tensorflow(call, graph, orders)
        expected = normal_form(nodes_added[before:], colocated)
        session.run(call.initializer)
        try:
            values, variables = session.run((_fetches(call, theirs, tf.convert_to_tensor), reads), call.feeds)
        except tf.errors.OpError as error:
            return Verdict(note=f"TensorFlow cannot run it: {error.message}")
    ours = (
        _loaded(call.meta) if kind == "meta" else Graph(graph_pb2.GraphDef.FromString(call.message.SerializeToString()))
    )
    if kind == "calls" and (unlike := _unlike_shapes(call.message, ours)):
        return Verdict(unlike)
    found: Orders = []
    try:
        for _ in range(max(1, len(theirs))):
            gradients = call.differentiate(found, ours.tensor, graphgrad.gradients)
            if kind == "calls":  # TensorFlow takes no IndexedSlices as ys; which gradients are such may differ
                gradients = [dx if dx is None else ours.build.dense(dx) for dx in gradients]
            found.append(gradients)
    except GraphGradError as error:
        if "has the custom gradient" in str(error):  # whose captured tensors a GraphDef leaves to their names
            return Verdict(note=str(error))
        return Verdict(f"graphgrad raises {error}" if theirs else "", note)
    if not theirs:
        return Verdict(note=note)
    problem = ""
    if kind != "calls":
        nodes = normal_form([op.node_def() for op in ours.added()], colocated)
        problem = difference(expected, nodes)
        if _names(theirs) != _names(found):
            problem += "\nresults have other names"
    wanted = _fetches(call, found, ours.build.dense)
    wanted |= {key: ours.tensor(t) for key, t in wanted.items() if isinstance(t, str)}
    got = dict(zip(wanted, evaluate(ours, list(wanted.values()), call.feeds, variables), strict=True))
    if kind == "calls":
        problem = "".join(f"\n{key}: None in one, in the other not zero" for key in _one_sided(values, got))
    problem += _unlike(values, got, "eval")
    try:
        problem += _unlike(values, _in_tensorflow(ours, wanted, call), "TensorFlow")
    except tf.errors.OpError as error:
        if kind == "calls" and "is not found" in error.message:
            note += "TensorFlow lost a result of a function that is called by name, as it does now and then: docs/fidelity.md"
        else:
            problem += f"\nTensorFlow cannot run it: {error.message}"
    return Verdict(problem, note, len(theirs))


def _written(graph: Any, seed: int, kind: str, level: str) -> Call:
    with graph.as_default():
        program = flow_draws.write(seed, kind, level)
        variables = {v.op.name: (handle(v).name, v.dtype.base_dtype) for v in tf1.global_variables()}
        options = {
            key: [handle(t).name for t in value] if isinstance(value, list) else value
            for key, value in program.options.items()
        }
        initializer = tf1.global_variables_initializer().name
        message = graph.as_graph_def()
        for op in program.customs:
            _register(message, op)
        if kind == "calls" and seed % 2:
            _call_by_name(message)
        return Call(
            message=message,
            meta=None
            if kind in ("v2", "calls")
            else tf1.train.export_meta_graph(graph=graph, clear_extraneous_savers=True),
            ys=[handle(y).name for y in program.ys],
            xs=[handle(x).name for x in program.xs],
            options=options,
            feeds={t.name: value for t, value in program.feeds.items()},
            initializer=initializer,
            variables=variables,
        )


def _register(message: Any, op: Any) -> None:
    """Puts the Python function of a custom gradient into the library, as a SavedModel holds it that is saved with these."""
    name = op.get_attr("_gradient_op_type").decode()
    if any(entry.registered_op_type == name for entry in message.library.registered_gradients):
        return
    rule = gradient_registry.lookup(name)
    with op.graph.as_default():
        function = tf.function(lambda *dys: rule(op, *dys), autograph=False)
        made = function.get_concrete_function(*[tf.TensorSpec(t.shape, t.dtype) for t in op.outputs])
    message.library.function.add().CopyFrom(made.function_def)
    message.library.registered_gradients.add(gradient_func=made.function_def.signature.name, registered_op_type=name)


def _call_by_name(message: Any) -> None:
    """Calls functions as TensorFlow's first Python did: by nodes whose type is the function's name."""
    results = {f.signature.name: [arg.name for arg in f.signature.output_arg] for f in message.library.function}
    for nodes in (message.node, *(f.node_def for f in message.library.function)):
        for node in nodes:
            if node.op in ("PartitionedCall", "StatefulPartitionedCall"):
                node.op = node.attr["f"].func.name
                node.attr.clear()
    for f in message.library.function:
        called = {node.name: results[node.op] for node in f.node_def if node.op in results}
        for node in f.node_def:
            node.input[:] = [_of_function(reference, called) for reference in node.input]
        for result in f.ret:
            f.ret[result] = _of_function(f.ret[result], called)


def _of_function(reference: str, called: dict[str, list[str]]) -> str:
    """`call:output:1` as `call:name:0`, by the name of the function's second result."""
    node, _, output = reference.partition(":output:")
    return f"{node}:{called[node][int(output)]}:0" if node in called else reference


def _by_tensorflow(call: Call, graph: Any, orders: int) -> tuple[Orders, str, list[Any]]:
    """The gradients, why there are no more, and the graph's nodes before that."""
    found: Orders = []
    nodes = list(graph_def(graph).node)
    for order in range(orders):
        try:
            found.append(call.differentiate(found, graph.get_tensor_by_name, tf1.gradients))
        except Exception as error:  # of any kind: TensorFlow stumbles in many ways
            return found, f"order {order + 1}: TensorFlow raises {type(error).__name__} {error}", nodes
        nodes = list(graph_def(graph).node)
        if not any(dx is not None for dx in found[-1]):
            break
    return found, "", nodes


def graph_def(graph: Any) -> graph_pb2.GraphDef:
    """A graph of TensorFlow as graphgrad's message."""
    return graph_pb2.GraphDef.FromString(graph.as_graph_def().SerializeToString())


def _read(tensor: Any, dtype: Any) -> Any:
    return tf.raw_ops.ReadVariableOp(resource=tensor, dtype=dtype) if tensor.dtype == tf.resource else tensor


def _fetches(call: Call, found: Orders, dense: Any) -> dict[str, Any]:
    """The ys, and every gradient as one tensor."""
    fetches = {f"{i}/{j}": dense(dx) for i, order in enumerate(found) for j, dx in enumerate(order) if dx is not None}
    return fetches | {f"y{i}": y for i, y in enumerate(call.ys)}


def _loaded(meta: Any) -> Graph:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "m.meta"
        path.write_bytes(meta.SerializeToString())
        return graphgrad.load(path)


def _in_tensorflow(ours: Graph, wanted: dict[str, Any], call: Call) -> dict[str, Any]:
    """What a Session gives for the graph that graphgrad writes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "m.pb"
        graphgrad.save(ours, path)
        data = path.read_bytes()
    if ours.meta is not None:
        data = saved_model_pb2.MetaGraphDef.FromString(data).graph_def.SerializeToString()
    with tf.Graph().as_default(), tf1.Session() as session:
        tf.import_graph_def(tf1.GraphDef.FromString(data), name="")
        session.run(call.initializer)
        return session.run({key: t.name for key, t in wanted.items()}, call.feeds)  # type: ignore[no-any-return]


def _unlike(expected: dict[str, Any], found: dict[str, Any], where: str) -> str:
    whys = {key: why_not_close(value, found[key], FACTOR) for key, value in expected.items() if key in found}
    return "".join(f"\n{key} in {where}: {why}" for key, why in whys.items() if why)


def _names(found: Orders) -> list[list[str]]:
    return [["" if dx is None else dx.name for dx in order] for order in found]


def _one_sided(some: dict[str, Any], others: dict[str, Any]) -> list[str]:
    """The gradients that only one has, and that are not zero."""
    both = some | others
    return [key for key in both if not (key in some and key in others) and np.any(both[key])]


def _unlike_shapes(message: Any, ours: Graph) -> str:
    """Where other static shapes are known than TensorFlow knows once it has read the file."""
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(message, name="")
    lines = []
    for op in graph.get_operations():
        for theirs in op.outputs:
            shape = ours.tensor(theirs.name).shape
            if theirs.shape.rank != (None if shape is None else len(shape)) or (
                shape and theirs.shape.as_list() != list(shape)
            ):
                lines.append(f"{op.type} {theirs.name}: {shape}, in TensorFlow {theirs.shape}")
    return "\n".join(lines[:6])
