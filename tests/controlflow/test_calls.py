"""Function calls: TensorFlow's numbers, recursion, what cannot be called."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from graphgrad.differentiate import gradients
from graphgrad.errors import ModelError
from graphgrad.formats import models
from graphgrad.graph import Graph
from graphgrad.runtime.plan import evaluate
from graphgrad.schema import graph_pb2
from tests import program_store
from tests.closeness import why_not_close
from tests.controlflow.test_programs import differentiated
from tests.loops import FLOAT
from tests.loops import function as function_of

PROGRAMS = program_store.read("call_programs")


@pytest.mark.parametrize("name", PROGRAMS)
def test_numbers_are_tensorflows(name: str) -> None:
    program = PROGRAMS[name]
    graph, found = differentiated(program)
    fetches = {"y": graph.tensor(program.ys[0])}
    for i, order in enumerate(found):
        fetches.update({f"{i}/{j}": graph.build.dense(dx) for j, dx in enumerate(order) if dx is not None})
    assert fetches.keys() == program.values.keys()
    values = evaluate(graph, list(fetches.values()), program.feeds, program.variables)
    for key, value in zip(fetches, values, strict=True):
        assert why_not_close(program.values[key], value) == "", key


def test_what_is_written_is_the_same_graph(tmp_path) -> None:  # type: ignore[no-untyped-def]
    program = PROGRAMS["loop_of_calls-static"]
    path = tmp_path / "m.pb"
    path.write_bytes(program.graph_def)
    graph = models.load(path)
    [a, b] = gradients(program.ys, program.xs, graph=graph)
    models.save(graph, path)
    again = models.load(path)
    for key, dx in (("0/0", a), ("0/1", b)):
        value = evaluate(again, dx.name, program.feeds, program.variables)
        assert why_not_close(program.values[key], value) == ""


def test_a_shape_that_a_function_states_wrongly_is_passed_over() -> None:
    graph = Graph()
    g = graph.build
    inside = Graph()
    a = inside.build.Placeholder(dtype=FLOAT, shape=(5,), name="a")
    graph.functions.add("sums", inside, [a], [inside.build.Sum(inside.build.Mul(a, a), 0)])
    x = g.Placeholder(dtype=FLOAT, shape=(3,), name="x")
    y = g.op("PartitionedCall", [x], f=graph_pb2.NameAttrList(name="sums"), Tout=[FLOAT]).outputs[0]
    [dx] = gradients(y, x, graph=graph)
    np.testing.assert_array_equal(evaluate(graph, dx, {"x": np.float32([1, 2, 3])}), [2, 4, 6])


def _calling(name: str, bodies: dict[str, str]) -> Graph:
    """A graph whose node 'y' calls a function; each function calls another by its name."""
    message = graph_pb2.GraphDef()
    message.node.add(name="x", op="Placeholder").attr["dtype"].type = 1
    node = message.node.add(name="y", op="PartitionedCall", input=["x"])
    node.attr["f"].func.name = name
    node.attr["Tin"].list.type.append(1)
    node.attr["Tout"].list.type.append(1)
    for function, called in bodies.items():
        definition = message.library.function.add()
        definition.signature.name = function
        definition.signature.input_arg.add(name="a", type=1)
        definition.signature.output_arg.add(name="b", type=1)
        definition.node_def.add(name="inner", op=called, input=["a"])
        definition.ret["b"] = f"inner:{'y' if called == 'Sin' else 'b'}:0"
        if called == "Sin":
            definition.node_def[0].attr["T"].type = 1
    return Graph(message)


def test_calls_by_name_are_differentiated() -> None:
    graph = _calling("f", {"f": "g", "g": "Sin"})
    [dx] = gradients("y:0", "x:0", graph=graph)
    value = evaluate(graph, dx, {"x:0": np.float32(0.5)})
    assert value == pytest.approx(np.cos(0.5))


@pytest.mark.parametrize("work", ["gradients", "eval"])
def test_recursion_names_the_cycle(work: str) -> None:
    graph = _calling("f", {"f": "g", "g": "f"})
    with pytest.raises(ModelError, match=r"f -> g -> f|g -> f -> g"):
        if work == "gradients":
            gradients("y:0", "x:0", graph=graph)
        else:
            evaluate(graph, "y:0", {"x:0": np.float32(0.5)})


def test_a_missing_function_is_named() -> None:
    graph = _calling("nowhere", {})
    with pytest.raises(ModelError, match="'y' calls function 'nowhere', which is not in the library"):
        gradients("y:0", "x:0", graph=graph)


def test_a_symbolic_gradient_runs_and_is_differentiated() -> None:
    graph = _calling("f", {"f": "Sin"})
    seed = graph.build.constant(2.0, graph.tensor("x:0").dtype)
    f = graph_pb2.NameAttrList(name="f")
    dx = graph.build.SymbolicGradient([graph.tensor("x:0"), seed], f=f, Tout=[seed.dtype])[0]
    [ddx] = gradients(dx, "x:0", graph=graph)
    first, second = evaluate(graph, [dx, ddx], {"x:0": np.float32(0.5)})
    assert first == pytest.approx(2 * np.cos(0.5)) and second == pytest.approx(-2 * np.sin(0.5))


def _called_with_a_matrix(body: Any) -> tuple[Graph, Any, Any]:
    """A graph, a placeholder in it, and what a function of that body makes of it."""
    g = (graph := Graph()).build
    x = g.Placeholder(dtype=FLOAT, shape=None, name="x")
    f = function_of(graph, "f", [FLOAT], lambda g, x: [body(g, x)])
    return graph, x, g.PartitionedCall([x], f=f, Tout=[FLOAT])[0]


def test_what_is_brought_into_a_branch_comes_before_its_reader() -> None:
    graph, x, y = _called_with_a_matrix(lambda g, x: g.MatrixDiagPartV3(g.Mul(x, x), 0, 0.0))
    [dx] = gradients(y, x)
    [ddx] = gradients(dx, x)  # the rule of MatrixSetDiagV3, with its conds
    value = evaluate(graph, ddx, {"x": np.ones((2, 3), np.float32)})
    np.testing.assert_array_equal(value, 2 * np.eye(2, 3))


def _doubled_three_times(g: Any, x: Any) -> Any:
    """A loop of frames."""
    merges = [g.Merge([t, t])[0] for t in (g.Enter(start, frame_name="three") for start in (g.constant(0), x))]
    go_on = g.LoopCond(g.Less(merges[0], g.Enter(g.constant(3), frame_name="three", is_constant=True)))
    ways = [g.Switch(merge, go_on) for merge in merges]
    i, value = (g.Identity(way[1]) for way in ways)
    with g.control_dependencies([i]):
        following = [g.AddV2(i, 1), g.AddV2(value, value)]
    for merge, tensor in zip(merges, following, strict=True):
        merge.op.inputs[1] = g.NextIteration(tensor)
    return g.Exit(ways[1][0])


def test_a_loop_of_frames_in_a_function_hands_on_how_often_it_ran() -> None:
    graph, x, y = _called_with_a_matrix(lambda g, x: g.Mul(x, _doubled_three_times(g, x)))
    [dx] = gradients(y, x)
    assert evaluate(graph, [y, dx], {"x": np.ones(2, np.float32)})[1].tolist() == [16, 16]


def test_calls_may_be_nested_deeper_than_pythons_stack() -> None:
    depth = 150
    graph = _calling("f0", {f"f{i}": f"f{i + 1}" if i < depth else "Sin" for i in range(depth + 1)})
    [dx] = gradients("y:0", "x:0", graph=graph)
    y, slope = evaluate(graph, ["y:0", dx], {"x:0": np.float32(0.5)})
    assert y == pytest.approx(np.sin(0.5)) and slope == pytest.approx(np.cos(0.5))


@pytest.mark.parametrize("work", ["gradients", "eval"])
@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda f: f.signature.input_arg.add(name="more", type=1), "hands 1 value, and function 'f' takes 2"),
        (lambda f: f.signature.output_arg.pop(), "wants 1 result, and function 'f' gives 0"),
        (
            lambda f: setattr(f.signature.input_arg[0], "type", 2),
            "hands float32 as value 0, and function 'f' takes float64",
        ),
    ],
)
def test_what_a_call_and_its_function_do_not_agree_on_is_told(work: str, change: Any, said: str) -> None:
    message = _calling("f", {"f": "Sin"}).message
    change(message.library.function[0])
    graph = Graph(message)
    with pytest.raises(ModelError, match=f"PartitionedCall node 'y' {said}"):
        if work == "gradients":
            gradients("y:0", "x:0", graph=graph)
        else:
            evaluate(graph, "y:0", {"x:0": np.float32(0.5)})


def _call(graph: Graph, make: Any, *inputs: Any) -> list[Any]:
    """The static shapes of what a call gives, as the file alone tells them."""
    types = [t.dtype for t in inputs]
    name = graph.functions.unique("f")
    f = function_of(graph, name, types, make)
    results = [t.dtype for t in graph.functions.body(name).results]
    op = graph.build.op("PartitionedCall", inputs, f=f, Tout=results)
    shapes = [t.shape for t in op.outputs]
    node = op.node_def()
    message = graph_pb2.GraphDef(node=[other.node_def() for other in graph])
    message.library.function.extend(graph.functions[n] for n in graph.functions)
    message.node[-1].CopyFrom(graph_pb2.NodeDef(name=node.name, op=name, input=node.input))
    by_name = Graph(message)
    assert [by_name.tensor(t.name).shape for t in op.outputs] == shapes, "called by its name"
    return shapes


# What TensorFlow knows of the results once it has read such files.
def test_shapes_of_results_are_those_that_the_body_gives() -> None:
    g = (graph := Graph()).build
    matrices = [g.Placeholder(dtype=FLOAT, shape=shape) for shape in ([2, 3], [None, 3], None)]
    body = lambda g, x: [g.Sin(x), g.Sum(x, 0), g.Shape(x), g.Reshape(x, [3, -1])]  # noqa: E731
    assert _call(graph, body, matrices[0]) == [(2, 3), (3,), (2,), (3, 2)]
    assert _call(graph, body, matrices[1]) == [(None, 3), (3,), (2,), (3, None)]
    assert _call(graph, body, matrices[2]) == [None, None, (None,), (3, None)]


def test_one_function_gives_shapes_by_what_it_is_called_with() -> None:
    graph = _calling("f", {"f": "g", "g": "Sin"})
    g = graph.build
    f = graph_pb2.NameAttrList(name="f")
    for shape in ((2,), (3, 4), (2,), None):
        x = g.Placeholder(dtype=FLOAT, shape=shape)
        assert g.PartitionedCall([x], f=f, Tout=[FLOAT])[0].shape == shape


def test_constants_and_variables_that_a_call_hands_over_tell_of_shapes() -> None:
    g = (graph := Graph()).build
    x, w = g.Placeholder(dtype=FLOAT, shape=None), g.VarHandleOp(dtype=FLOAT, shape=(2, 3))
    assert _call(graph, lambda g, x, shape: [g.Reshape(x, shape)], x, g.constant([2, 5])) == [(2, 5)]
    assert _call(graph, lambda g, w: [g.ReadVariableOp(w, dtype=FLOAT)], w) == [(2, 3)]


def test_lists_that_a_call_hands_over_tell_of_shapes() -> None:
    g = (graph := Graph()).build
    x, empty = g.Placeholder(dtype=FLOAT, shape=(3,)), g.EmptyTensorList(g.constant([3]), -1, element_dtype=FLOAT)

    def body(g: Any, values: Any, x: Any) -> list[Any]:
        pushed = g.TensorListPushBack(values, x)
        return [pushed, g.TensorListStack(pushed, -1, element_dtype=FLOAT)]

    assert _call(graph, body, empty, x) == [(), (None, 3)]


def test_functions_that_were_read_stay_as_they_were(tmp_path) -> None:  # type: ignore[no-untyped-def]
    """What is noted of an argument beside its shape, as Keras notes its name, does not get a shape."""
    graph = Graph()
    f = function_of(graph, "f", [FLOAT], lambda g, a: [g.Exp(a)])
    attrs = graph.functions["f"].arg_attr[0].attr
    attrs.clear()
    attrs["_user_specified_name"].s = b"a"
    before = graph.functions["f"].SerializeToString(deterministic=True)
    g = graph.build
    g.op("PartitionedCall", [g.Placeholder(dtype=FLOAT, shape=(2,), name="x")], f=f, Tout=[FLOAT], name="y")
    models.save(graph, tmp_path / "m.pb")
    graph = models.load(tmp_path / "m.pb")
    gradients("y", "x", graph=graph)
    assert graph.functions["f"].SerializeToString(deterministic=True) == before
