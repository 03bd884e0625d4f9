"""Signatures of gradients among a SavedModel's objects: a function that captures the variables of the model."""

from __future__ import annotations

from pathlib import Path

import pytest

import graphgrad
from graphgrad import Graph, dtypes, objects, signatures
from tests import file_store


def exported(name: str, folder: Path) -> Graph:
    """A model that was written with the signature 'slopes', and read again."""
    model = file_store.unpacked(name, folder)
    graph = graphgrad.load(model.path)
    ys = [signatures.tensor_name(graph, y) for y in model.ys]
    xs = [graph.tensor(signatures.tensor_name(graph, x, signatures.INPUTS)) for x in model.xs]
    signatures.export(graph, "slopes", xs, graphgrad.gradients(ys, xs, graph=graph))
    graphgrad.save(graph, folder / "out")
    return graphgrad.load(folder / "out")


@pytest.mark.parametrize("name", ["nested_calls", "keras_lstm", "looked_up"])
def test_a_signature_is_an_object_that_captures_variables(name: str, tmp_path: Path) -> None:
    graph = exported(name, tmp_path)
    held = graph.meta.object_graph_def
    [at] = [child.node_id for child in held.nodes[0].children if child.local_name == "signatures"]
    by_name = {child.local_name: held.nodes[child.node_id] for child in held.nodes[at].children}
    assert {"serving_default", "slopes"} <= set(by_name) == set(signatures.signatures(graph))
    bare = by_name["slopes"].bare_concrete_function
    function = graph.functions[bare.concrete_function_name]
    bound = held.concrete_functions[bare.concrete_function_name].bound_inputs
    assert list(bare.argument_keywords) == sorted(graph.meta.signature_def["slopes"].inputs)
    assert len(function.signature.input_arg) == len(bare.argument_keywords) + len(bound)
    kinds = {"variable", "resource", "constant"} if name == "looked_up" else {"variable"}
    assert {held.nodes[i].WhichOneof("kind") for i in bound} == kinds
    outputs = held.concrete_functions[bare.concrete_function_name].output_signature.dict_value.fields
    assert sorted(outputs) == sorted(graph.meta.signature_def["slopes"].outputs)
    assert not any(node.op == "VarHandleOp" for node in function.node_def)


def test_state_that_no_signature_captures_is_left_to_the_meta_graph(tmp_path: Path) -> None:
    graph = graphgrad.load(file_store.unpacked("nested_calls", tmp_path).path)
    handle = graph.build.VarHandleOp(dtype=dtypes.float32, shape=(), name="other")
    value = graph.build.ReadVariableOp(handle, dtype=dtypes.float32)
    assert not objects.with_signature(graph, "s", {}, {"y": value}) and graph.new_objects is None
