"""Holds every message and enum of graphgrad's schema against TensorFlow's, and passes graphs between the two.
Both live in one process here, which is itself part of what is tested.
"""

from __future__ import annotations

import pathlib
import subprocess
import sys

import pytest
import tensorflow as tf
from google.protobuf import descriptor_pb2, json_format, text_format
from tensorflow.core.example import example_pb2 as tf_example_pb2
from tensorflow.core.example import feature_pb2
from tensorflow.core.framework import (
    attr_value_pb2,
    full_type_pb2,
    function_pb2,
    graph_debug_info_pb2,
    node_def_pb2,
    op_def_pb2,
    resource_handle_pb2,
    tensor_pb2,
    tensor_shape_pb2,
    tensor_slice_pb2,
    types_pb2,
    variable_pb2,
    versions_pb2,
)
from tensorflow.core.framework import graph_pb2 as tf_graph_pb2
from tensorflow.core.protobuf import (
    control_flow_pb2,
    meta_graph_pb2,
    saved_object_graph_pb2,
    saver_pb2,
    struct_pb2,
    tensor_bundle_pb2,
    trackable_object_graph_pb2,
)
from tensorflow.core.protobuf import saved_model_pb2 as tf_saved_model_pb2
from tensorflow.core.util import saved_tensor_slice_pb2

from graphgrad.schema import checkpoint_pb2, example_pb2, graph_pb2, saved_model_pb2

ROOT = pathlib.Path(__file__).resolve().parents[2]
OURS = [graph_pb2, saved_model_pb2, checkpoint_pb2, example_pb2]
THEIRS = [
    attr_value_pb2,
    control_flow_pb2,
    tf_example_pb2,
    feature_pb2,
    full_type_pb2,
    function_pb2,
    graph_debug_info_pb2,
    meta_graph_pb2,
    node_def_pb2,
    op_def_pb2,
    resource_handle_pb2,
    saved_object_graph_pb2,
    saved_tensor_slice_pb2,
    saver_pb2,
    struct_pb2,
    tensor_bundle_pb2,
    tensor_pb2,
    tensor_shape_pb2,
    tensor_slice_pb2,
    tf_graph_pb2,
    tf_saved_model_pb2,
    trackable_object_graph_pb2,
    types_pb2,
    variable_pb2,
    versions_pb2,
]

Declaration = descriptor_pb2.DescriptorProto | descriptor_pb2.EnumDescriptorProto


def declarations(modules: list) -> dict[str, tuple[str, Declaration]]:
    """Every message and enum of the modules, nested ones too, by name without package; with its syntax."""
    found: dict[str, tuple[str, Declaration]] = {}

    def visit(prefix: str, syntax: str, messages: list, enums: list) -> None:
        for declaration in (*messages, *enums):
            found[prefix + declaration.name] = syntax, declaration
        for message in messages:
            visit(f"{prefix}{message.name}.", syntax, message.nested_type, message.enum_type)

    for module in modules:
        file = descriptor_pb2.FileDescriptorProto.FromString(module.DESCRIPTOR.serialized_pb)
        visit("", file.syntax or "proto2", file.message_type, file.enum_type)
    return found


OUR_DECLARATIONS = declarations(OURS)
THEIR_DECLARATIONS = declarations(THEIRS)


def described(syntax: str, declaration: Declaration) -> dict[str, object]:
    """All that decides how a message or enum is encoded, in any encoding, as plain values."""
    if isinstance(declaration, descriptor_pb2.EnumDescriptorProto):
        return {
            "values": [(value.name, value.number, str(value.options)) for value in declaration.value],
            "options": str(declaration.options),
            "reserved": sorted((held.start, held.end) for held in declaration.reserved_range),
            "reserved names": sorted(declaration.reserved_name),
        }
    fields = {}
    for field in declaration.field:
        in_oneof = field.HasField("oneof_index") and not field.proto3_optional
        packable = field.label == field.LABEL_REPEATED and field.type not in (
            field.TYPE_STRING,
            field.TYPE_BYTES,
            field.TYPE_MESSAGE,
        )
        packed = field.options.packed if field.options.HasField("packed") else syntax == "proto3"
        fields[field.name] = {
            "number": field.number,
            "type": field.type,
            "of": field.type_name.removeprefix(".").removeprefix("graphgrad.").removeprefix("tensorflow."),
            "label": field.label,
            "oneof": declaration.oneof_decl[field.oneof_index].name if in_oneof else None,
            "packed": packable and packed,
            "deprecated": field.options.deprecated,
            "default": field.default_value,
            "presence": has_presence(syntax, declaration, field),
        }
    return {
        "fields": fields,
        "order": list(fields),
        "map entry": declaration.options.map_entry,
        "nested": sorted(nested.name for nested in (*declaration.nested_type, *declaration.enum_type)),
        "reserved": sorted((held.start, held.end) for held in declaration.reserved_range),
        "reserved names": sorted(declaration.reserved_name),
        "extensions": [(held.start, held.end) for held in declaration.extension_range],
    }


def has_presence(
    syntax: str, declaration: descriptor_pb2.DescriptorProto, field: descriptor_pb2.FieldDescriptorProto
) -> bool:
    """Whether a field set to its default differs from one that was not set; map entries always write both."""
    if field.label == field.LABEL_REPEATED:
        return False
    always = field.type == field.TYPE_MESSAGE or field.HasField("oneof_index") or declaration.options.map_entry
    return always or syntax == "proto2"


@pytest.mark.parametrize("name", OUR_DECLARATIONS)
def test_declaration_agrees(name: str) -> None:
    assert described(*OUR_DECLARATIONS[name]) == described(*THEIR_DECLARATIONS[name])


def test_no_declaration_is_missing() -> None:
    assert set(THEIR_DECLARATIONS) - set(OUR_DECLARATIONS) == set()


def test_syntax_differs_where_known() -> None:
    differs = {
        name.split(".")[0] for name, (syntax, _) in OUR_DECLARATIONS.items() if THEIR_DECLARATIONS[name][0] != syntax
    }
    assert differs == {"GraphDebugInfo"}


IMPORTS = {
    "tensorflow first": ["import tensorflow", "from graphgrad.schema import checkpoint_pb2, graph_pb2"],
    "graphgrad first": ["from graphgrad.schema import checkpoint_pb2, graph_pb2", "import tensorflow"],
}


@pytest.mark.parametrize("order", IMPORTS)
def test_both_import_orders(order: str) -> None:
    lines = [
        *IMPORTS[order],
        "from tensorflow.core.framework import graph_pb2 as theirs",
        "mine = graph_pb2.GraphDef(node=[graph_pb2.NodeDef(name='x', op='NoOp')])",
        "other = theirs.GraphDef.FromString(mine.SerializeToString())",
        "tensorflow.compat.v1.import_graph_def(other, name='')",
        "assert other.node[0].name == 'x'",
        "assert graph_pb2.GraphDef.FromString(other.SerializeToString()) == mine",
    ]
    result = subprocess.run([sys.executable, "-c", "\n".join(lines)], cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


def graph_with_functions() -> tf_graph_pb2.GraphDef:
    """A graph with a functional loop and conditional, control outputs and constants, from TensorFlow."""

    @tf.function
    def loop(x: tf.Tensor, n: tf.Tensor) -> tf.Tensor:
        for _ in tf.range(n):
            if tf.reduce_sum(x) > 0:
                x = x * tf.constant([0.5, 2.0])
            else:
                tf.print("negative")
        return x

    signature = tf.TensorSpec([None, 2], tf.float32), tf.TensorSpec([], tf.int32)
    return loop.get_concrete_function(*signature).graph.as_graph_def()


def test_a_graph_with_functions_goes_there_and_back() -> None:
    theirs = graph_with_functions()
    assert theirs.library.function
    data = theirs.SerializeToString(deterministic=True)
    ours = graph_pb2.GraphDef.FromString(data)
    assert ours.SerializeToString(deterministic=True) == data
    assert tf_graph_pb2.GraphDef.FromString(ours.SerializeToString()) == theirs

    text = text_format.MessageToString(ours)
    assert text == text_format.MessageToString(theirs)
    assert text_format.Parse(text, tf_graph_pb2.GraphDef()) == theirs
    assert text_format.Parse(text, graph_pb2.GraphDef()) == ours

    assert json_format.MessageToDict(ours) == json_format.MessageToDict(theirs)
    assert json_format.Parse(json_format.MessageToJson(theirs), graph_pb2.GraphDef()) == ours
    assert json_format.Parse(json_format.MessageToJson(ours), tf_graph_pb2.GraphDef()) == theirs

    with tf.Graph().as_default():
        tf.compat.v1.import_graph_def(text_format.Parse(text, tf_graph_pb2.GraphDef()), name="")


def test_a_saved_model_goes_there_and_back(tmp_path: pathlib.Path) -> None:
    module = tf.Module()
    module.v = tf.Variable([1.0, 2.0], name="v")
    module.f = tf.function(lambda x: {"y": x * module.v}, input_signature=[tf.TensorSpec([None, 2], name="x")])
    tf.saved_model.save(module, tmp_path, signatures=module.f.get_concrete_function())
    data = (tmp_path / "saved_model.pb").read_bytes()
    theirs = tf_saved_model_pb2.SavedModel.FromString(data)
    ours = saved_model_pb2.SavedModel.FromString(data)
    assert ours.SerializeToString(deterministic=True) == theirs.SerializeToString(deterministic=True)
    assert text_format.MessageToString(ours) == text_format.MessageToString(theirs)
    assert json_format.MessageToDict(ours) == json_format.MessageToDict(theirs)


def test_opdefs_are_current(tmp_path: pathlib.Path) -> None:
    output = tmp_path / "opdefs.pb"
    command = [sys.executable, str(ROOT / "tests/oracle/write_opdefs.py"), "--output", str(output)]
    subprocess.run(command, check=True, capture_output=True)
    data = output.read_bytes()
    assert data == (ROOT / "graphgrad/data/opdefs.pb").read_bytes(), "run tests/oracle/write_opdefs.py"
    ops = graph_pb2.OpList.FromString(data)
    names = [op.name for op in ops.op]
    assert names == sorted(set(names))
    assert ops.SerializeToString(deterministic=True) == data
    assert ops == graph_pb2.OpList.FromString(op_def_pb2.OpList.FromString(data).SerializeToString())
