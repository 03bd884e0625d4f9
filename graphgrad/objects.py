"""Signatures as objects of a SavedModel: functions that `tf.saved_model.load` offers by name.

The objects tell what a function captures: the variables and tables of the model. Which node stands for which of them is
read off the calls of the signatures that are there already; a signature that captures anything else stays what serving
systems call, a SignatureDef alone.
"""

from __future__ import annotations

from typing import Any

from graphgrad import attributes, dtypes
from graphgrad.graph import Graph, Operation, needed_by
from graphgrad.schema import saved_model_pb2
from graphgrad.tensors import Tensor

_SIGNATURES = "signatures"
_HELD = (dtypes.resource, dtypes.variant)


def with_signature(graph: Graph, name: str, inputs: dict[str, Tensor], outputs: dict[str, Tensor]) -> bool:
    """Makes a signature a function among the model's objects, in `graph.new_objects`; False where it cannot be one."""
    if graph.meta is None or not graph.meta.HasField("object_graph_def"):
        return False
    objects = saved_model_pb2.SavedObjectGraph()
    objects.CopyFrom(graph.new_objects or graph.meta.object_graph_def)
    holder = _signature_map(objects)
    captured = _captured(graph, objects, list(outputs.values()))
    if holder is None or captured is None or not all(key.isidentifier() for key in inputs):
        return False
    inputs, outputs = (dict(sorted(tensors.items())) for tensors in (inputs, outputs))
    arguments = [*inputs.values(), *captured]
    function = graph.functions.add(f"__inference_signature_{name}", graph, arguments, list(outputs.values())).name
    concrete = objects.concrete_functions[function]
    concrete.bound_inputs.extend(captured.values())
    values = concrete.canonicalized_input_signature.tuple_value.values
    values.add().tuple_value.SetInParent()
    values.add().dict_value.CopyFrom(_specs(inputs))
    concrete.output_signature.dict_value.CopyFrom(_specs(outputs))
    holder.children.add(node_id=len(objects.nodes), local_name=name)
    bare = objects.nodes.add().bare_concrete_function
    bare.concrete_function_name = function
    bare.argument_keywords.extend(inputs)
    graph.new_objects = objects
    return True


def _signature_map(objects: Any) -> Any:
    """The object whose children are the signatures."""
    root = objects.nodes[0].children if objects.nodes else ()
    return next((objects.nodes[child.node_id] for child in root if child.local_name == _SIGNATURES), None)


def _captured(graph: Graph, objects: Any, outputs: list[Tensor]) -> dict[Tensor, int] | None:
    """What the outputs need that is an object of the model, with its number; None where they need other state."""
    known = captured_objects(graph, objects)
    needed = needed_by(t.op for t in outputs)
    found: dict[Tensor, int] = {}
    for op in needed:
        if op.outputs and op.outputs[0] in known:
            found[op.outputs[0]] = known[op.outputs[0]]
        elif not op.inputs and _holds(op):
            return None
    return found


def _holds(op: Operation) -> bool:
    return any(t.dtype in _HELD for t in op.outputs) or op.type in ("Variable", "VariableV2")


def captured_objects(graph: Graph, objects: Any) -> dict[Tensor, int]:
    """The tensors that calls of the model's functions capture, with the objects they stand for."""
    known: dict[Tensor, int] = {}
    for node in graph.message.node:
        function = node.attr["f"].func.name if "f" in node.attr else node.op
        if function not in objects.concrete_functions:
            continue
        bound = objects.concrete_functions[function].bound_inputs
        inputs = [text for text in node.input if text[:1] != "^"]
        for text, number in zip(inputs[len(inputs) - len(bound) :], bound, strict=False):
            tensor = graph.tensor(text)
            if not tensor.op.inputs:
                known[tensor] = number
    return known


def _specs(tensors: dict[str, Tensor]) -> Any:
    specs = saved_model_pb2.DictValue()
    for key, tensor in tensors.items():
        spec = specs.fields[key].tensor_spec_value
        spec.name = key
        spec.dtype = tensor.dtype.enum  # type: ignore[union-attr,assignment]
        attributes.encode_shape(tensor.shape, spec.shape)
        spec.shape.SetInParent()
    return specs
