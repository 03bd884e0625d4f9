"""Custom gradients whose functions the library holds: found by the objects of a SavedModel or by the names of arguments."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from graphgrad.check import check
from graphgrad.differentiate import gradients
from graphgrad.errors import MissingGradientError, ModelError
from graphgrad.graph import Graph
from graphgrad.runtime.plan import evaluate
from graphgrad.schema import graph_pb2, saved_model_pb2

X = np.array([0.5, 0.6, 0.7], np.float32)
TRIPLE = 3 * np.cos(X)  # the custom gradient of sin(x), three times the right one


def model(argument: str = "cos_x", is_registered: bool = True) -> graph_pb2.GraphDef:
    """y = sin(x), in an IdentityN beside x that asks for a custom gradient, as TensorFlow traces it."""
    message = graph_pb2.GraphDef()
    add = message.node.add
    add(name="x", op="Placeholder").attr["dtype"].type = 1
    add(name="sin", op="Sin", input=["x"]).attr["T"].type = 1
    node = add(name="y", op="IdentityN", input=["sin", "x"])
    node.attr["T"].list.type.extend([1, 1])
    node.attr["_gradient_op_type"].s = b"CustomGradient-7"
    function = message.library.function.add()
    function.signature.name = "gradient_of_sine"
    for name in ("result_grads_0", "result_grads_1", argument):
        function.signature.input_arg.add(name=name, type=1)
    function.signature.output_arg.add(name="identity", type=1)
    cos = function.node_def.add(name="Cos", op="Cos", input=[argument, "^result_grads_1"])
    mul = function.node_def.add(name="mul", op="Mul", input=["result_grads_0", "Cos:y:0"])
    three = function.node_def.add(name="three", op="Const")
    three.attr["dtype"].type = 1
    three.attr["value"].tensor.CopyFrom(
        graph_pb2.TensorProto(dtype=1, float_val=[3.0], tensor_shape=graph_pb2.TensorShapeProto())
    )
    last = function.node_def.add(name="mul_1", op="Mul", input=["mul:z:0", "three:output:0"])
    for built in (cos, mul, last):
        built.attr["T"].type = 1
    function.ret["identity"] = "mul_1:z:0"
    if is_registered:
        message.library.registered_gradients.add(
            gradient_func="gradient_of_sine", registered_op_type="CustomGradient-7"
        )
    return message


def objects() -> saved_model_pb2.SavedObjectGraph:
    """What a SavedModel says of the custom gradient: it captured x, and gives none for its first input."""
    found = saved_model_pb2.SavedObjectGraph()
    found.nodes.add()
    found.nodes.add().captured_tensor.name = "x:0"
    function = found.concrete_functions["gradient_of_sine"]
    function.bound_inputs.append(1)
    for kind in ("none_value", "tensor_spec_value"):
        getattr(function.output_signature.list_value.values.add(), kind).SetInParent()
    return found


def derivative(graph: Graph) -> Any:
    return evaluate(graph, gradients("y:0", "x:0", graph=graph)[0], {"x:0": X})


def test_what_is_captured_is_found_by_its_name() -> None:
    np.testing.assert_allclose(derivative(Graph(model())), TRIPLE, rtol=1e-6)


def test_what_is_captured_is_found_among_the_objects() -> None:
    graph = Graph(model(argument="whatever"))
    graph.meta = saved_model_pb2.MetaGraphDef(object_graph_def=objects())
    np.testing.assert_allclose(derivative(graph), TRIPLE, rtol=1e-6)


def test_what_is_captured_and_not_there_is_told() -> None:
    with pytest.raises(
        ModelError, match="IdentityN node 'y' has the custom gradient 'gradient_of_sine', whose argument"
    ):
        derivative(Graph(model(argument="cos_z")))


def test_what_may_be_one_of_two_is_told() -> None:
    """The function's own node `mul`, or the caller's, which is handed in for `sin` to read."""
    message = model(argument="cos_mul")
    function = message.library.function.add()
    function.signature.name = "inner"
    function.signature.input_arg.add(name="sin_mul_0", type=1)
    function.signature.output_arg.add(name="y", type=1)
    function.ret["y"] = "y:output:0"
    for node, inputs in zip(message.node[1:], (["sin_mul_0"], ["mul:z:0", "sin_mul_0"]), strict=True):
        function.node_def.add().CopyFrom(node)
        function.node_def[-1].input[:] = inputs
    function.node_def.add(name="mul", op="Mul", input=["sin:y:0", "sin:y:0"]).attr["T"].type = 1
    del message.node[1:]
    call = message.node.add(name="y", op="PartitionedCall", input=["x"])
    call.attr["f"].func.name = "inner"
    for attr in ("Tin", "Tout"):
        call.attr[attr].list.type.append(1)
    with pytest.raises(ModelError, match="'cos_mul' may stand for node 'mul' or what is handed in as 'sin_mul_0'"):
        derivative(Graph(message))


def test_without_its_function_both_ways_out_are_told() -> None:
    with pytest.raises(MissingGradientError, match=r"CustomGradient-7.*custom-gradients through.*experimental_custom"):
        derivative(Graph(model(is_registered=False)))


def test_it_may_be_differentiated_again() -> None:
    graph = Graph(model())
    [dx] = gradients("y:0", "x:0", graph=graph)
    [ddx] = gradients(dx, "x:0", graph=graph)
    np.testing.assert_allclose(evaluate(graph, ddx, {"x:0": X}), -3 * np.sin(X), rtol=1e-6)


@pytest.mark.parametrize("argument", ["cos_x", "unknown"])
def test_a_check_knows_them_too(argument: str) -> None:
    """By the names of arguments and by the objects: the gradient it compares is the custom one, which is wrong."""
    graph = Graph(model(argument))
    if argument == "unknown":
        graph.meta = saved_model_pb2.MetaGraphDef(object_graph_def=objects())
    (found,) = check(graph, ["y"], ["x"], {"x:0": X}).results
    assert (found.verdict, round(found.worst["symbolic"] / found.worst["numerical"])) == ("disagrees", 3)
