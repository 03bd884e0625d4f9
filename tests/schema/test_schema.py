"""The generated schema is what proto/ says, and carries every tensor through binary, text and JSON.
Whether it also agrees with TensorFlow's schema is asked in tests/oracle.
"""

from __future__ import annotations

import hashlib
import importlib.util
import pathlib
import struct
import subprocess
import sys
from collections.abc import Callable

import pytest
from google.protobuf import descriptor_pb2, json_format, text_format
from google.protobuf.message import Message

from graphgrad.schema import checkpoint_pb2, example_pb2, graph_pb2, saved_model_pb2

ROOT = pathlib.Path(__file__).resolve().parents[2]
MODULES = {
    "graphgrad/schema/graph.proto": graph_pb2,
    "graphgrad/schema/saved_model.proto": saved_model_pb2,
    "graphgrad/schema/checkpoint.proto": checkpoint_pb2,
    "graphgrad/schema/example.proto": example_pb2,
}

# How each element type is written: the field that holds values, what stands in it for two elements, and the
# same two elements as little-endian bytes; None where a type has no such encoding.
FLOAT8 = ("float8_val", b"\x3c\xbc", b"\x3c\xbc")
INTEGERS = [-2, 3]
BITS = [0x3C00, 0xBC00]
TENSORS: dict[str, tuple[str, object, bytes | None]] = {
    "DT_FLOAT": ("float_val", [0.5, -1.25], struct.pack("<2f", 0.5, -1.25)),
    "DT_DOUBLE": ("double_val", [0.1, -1e300], struct.pack("<2d", 0.1, -1e300)),
    "DT_INT32": ("int_val", [-(2**31), 2**31 - 1], struct.pack("<2i", -(2**31), 2**31 - 1)),
    "DT_UINT8": ("int_val", [0, 255], b"\x00\xff"),
    "DT_INT16": ("int_val", [-(2**15), 2**15 - 1], struct.pack("<2h", -(2**15), 2**15 - 1)),
    "DT_INT8": ("int_val", INTEGERS, struct.pack("<2b", *INTEGERS)),
    "DT_STRING": ("string_val", [b"", b"\x00\xff not UTF-8"], None),
    "DT_COMPLEX64": ("scomplex_val", [0.5, -1.0, 2.0, 0.0], struct.pack("<4f", 0.5, -1.0, 2.0, 0.0)),
    "DT_INT64": ("int64_val", [-(2**63), 2**63 - 1], struct.pack("<2q", -(2**63), 2**63 - 1)),
    "DT_BOOL": ("bool_val", [True, False], b"\x01\x00"),
    "DT_QINT8": ("int_val", INTEGERS, struct.pack("<2b", *INTEGERS)),
    "DT_QUINT8": ("int_val", [0, 255], b"\x00\xff"),
    "DT_QINT32": ("int_val", INTEGERS, struct.pack("<2i", *INTEGERS)),
    "DT_BFLOAT16": ("half_val", BITS, struct.pack("<2H", *BITS)),
    "DT_QINT16": ("int_val", INTEGERS, struct.pack("<2h", *INTEGERS)),
    "DT_QUINT16": ("int_val", [0, 65535], struct.pack("<2H", 0, 65535)),
    "DT_UINT16": ("int_val", [0, 65535], struct.pack("<2H", 0, 65535)),
    "DT_COMPLEX128": ("dcomplex_val", [0.1, -1.0, 2.0, 0.0], struct.pack("<4d", 0.1, -1.0, 2.0, 0.0)),
    "DT_HALF": ("half_val", BITS, struct.pack("<2H", *BITS)),
    "DT_RESOURCE": (
        "resource_handle_val",
        [
            graph_pb2.ResourceHandleProto(
                device="/cpu:0",
                name="v",
                hash_code=2**64 - 1,
                dtypes_and_shapes=[{"dtype": graph_pb2.DT_FLOAT}],
            )
        ],
        None,
    ),
    "DT_VARIANT": (
        "variant_val",
        [
            graph_pb2.VariantTensorDataProto(
                type_name="list", metadata=b"\x00\xff", tensors=[graph_pb2.TensorProto(int_val=[7])]
            )
        ],
        None,
    ),
    "DT_UINT32": ("uint32_val", [0, 2**32 - 1], struct.pack("<2I", 0, 2**32 - 1)),
    "DT_UINT64": ("uint64_val", [0, 2**64 - 1], struct.pack("<2Q", 0, 2**64 - 1)),
    "DT_FLOAT8_E5M2": FLOAT8,
    "DT_FLOAT8_E4M3FN": FLOAT8,
    "DT_FLOAT8_E4M3FNUZ": FLOAT8,
    "DT_FLOAT8_E4M3B11FNUZ": FLOAT8,
    "DT_FLOAT8_E5M2FNUZ": FLOAT8,
    "DT_INT4": ("int_val", INTEGERS, struct.pack("<2b", *INTEGERS)),
    "DT_UINT4": ("int_val", [0, 15], b"\x00\x0f"),
    "DT_INT2": ("int_val", [-2, 1], struct.pack("<2b", -2, 1)),
    "DT_UINT2": ("int_val", [0, 3], b"\x00\x03"),
    "DT_FLOAT4_E2M1FN": ("float8_val", b"\x01\x09", b"\x01\x09"),
}


def through_binary(message: Message) -> Message:
    """The message, written and read in the binary encoding."""
    return type(message).FromString(message.SerializeToString())


def through_text(message: Message) -> Message:
    """The message, written and read in the text encoding."""
    return text_format.Parse(text_format.MessageToString(message), type(message)())


def through_json(message: Message) -> Message:
    """The message, written and read in the JSON encoding."""
    return json_format.Parse(json_format.MessageToJson(message), type(message)())


ENCODINGS: list[Callable[[Message], Message]] = [through_binary, through_text, through_json]


def test_recorded_hashes_are_those_of_the_files() -> None:
    recorded = {}
    for line in (ROOT / "graphgrad/schema/SOURCES.sha256").read_text().splitlines():
        digest, path = line.split("  ")
        recorded[path] = digest
    files = [*ROOT.glob("proto/graphgrad/schema/*.proto"), *ROOT.glob("graphgrad/schema/*_pb2.py*")]
    found = {path.relative_to(ROOT).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
    assert found == recorded, "run proto/generate.sh"


def test_generated_modules_are_what_the_compiler_makes(tmp_path: pathlib.Path) -> None:
    if importlib.util.find_spec("grpc_tools") is None:
        pytest.skip("grpcio-tools is not installed")
    output = tmp_path / "schema.pb"
    command = [sys.executable, "-W", "ignore", "-m", "grpc_tools.protoc", "-I", str(ROOT / "proto")]
    subprocess.run([*command, f"--descriptor_set_out={output}", *MODULES], check=True, cwd=tmp_path)
    compiled = descriptor_pb2.FileDescriptorSet.FromString(output.read_bytes())
    assert [file.name for file in compiled.file] == list(MODULES)
    for file in compiled.file:
        generated = descriptor_pb2.FileDescriptorProto.FromString(MODULES[file.name].DESCRIPTOR.serialized_pb)
        for message in all_messages(file):
            for field in message.field:
                field.ClearField("json_name")  # protoc writes it into descriptor sets only
        assert generated == file, "run proto/generate.sh"


def all_messages(file: descriptor_pb2.FileDescriptorProto) -> list[descriptor_pb2.DescriptorProto]:
    """Every message of the file, nested ones included."""
    messages = list(file.message_type)
    for message in messages:
        messages.extend(message.nested_type)
    return messages


@pytest.mark.parametrize("name", MODULES)
def test_descriptors_stand_under_names_of_their_own(name: str) -> None:
    assert MODULES[name].DESCRIPTOR.name == name
    assert MODULES[name].DESCRIPTOR.package == "graphgrad"


def test_every_element_type_is_tried() -> None:
    names = {name for name in graph_pb2.DataType.keys() if not name.endswith("_REF")} - {"DT_INVALID"}  # noqa: SIM118 - an enum is no mapping
    assert set(TENSORS) == names


def test_references_are_numbered_a_hundred_above() -> None:
    for name in TENSORS:
        assert graph_pb2.DataType.Value(f"{name}_REF") == graph_pb2.DataType.Value(name) + 100


@pytest.mark.parametrize("through", ENCODINGS)
@pytest.mark.parametrize("suffix", ["", "_REF"])
@pytest.mark.parametrize("name", TENSORS)
def test_values_survive(name: str, suffix: str, through: Callable[[Message], Message]) -> None:
    field, values, _ = TENSORS[name]
    shape = {"dim": [{"size": 2, "name": "rows"}]}
    tensor = graph_pb2.TensorProto(dtype=name + suffix, tensor_shape=shape, **{field: values})
    back = through(tensor)
    assert back == tensor
    assert back.dtype == graph_pb2.DataType.Value(name + suffix)
    assert (list if isinstance(values, list) else bytes)(getattr(back, field)) == values


@pytest.mark.parametrize("through", ENCODINGS)
@pytest.mark.parametrize("suffix", ["", "_REF"])
@pytest.mark.parametrize("name", [name for name, (_, _, content) in TENSORS.items() if content is not None])
def test_content_survives(name: str, suffix: str, through: Callable[[Message], Message]) -> None:
    content = TENSORS[name][2]
    tensor = graph_pb2.TensorProto(dtype=name + suffix, tensor_shape={"dim": [{"size": 2}]}, tensor_content=content)
    back = through(tensor)
    assert back == tensor
    assert back.tensor_content == content


@pytest.mark.parametrize("through", ENCODINGS)
def test_a_saved_model_survives(through: Callable[[Message], Message]) -> None:
    model = saved_model_pb2.SavedModel(saved_model_schema_version=1)
    meta = model.meta_graphs.add()
    meta.meta_info_def.tags.append("serve")
    meta.meta_info_def.any_info.Pack(graph_pb2.VersionDef(producer=1))
    node = meta.graph_def.node.add(name="x", op="Placeholder")
    node.attr["dtype"].type = graph_pb2.DT_FLOAT
    node.attr["shape"].shape.unknown_rank = True
    meta.graph_def.library.function.add().arg_attr[3].attr["_name"].s = b"\xff"
    meta.graph_def.debug_info.frames_by_id[2**64 - 1].line = 0
    meta.collection_def["variables"].bytes_list.value.append(b"\x00\xff")
    meta.signature_def["serving_default"].inputs["x"].name = "x:0"
    saved = meta.object_graph_def.nodes.add()
    saved.constant.operation = "x"
    function = meta.object_graph_def.concrete_functions["f"]
    function.output_signature.dict_value.fields["n"].int64_value = -1
    back = through(model)
    assert back == model
    assert back.meta_graphs[0].graph_def.debug_info.frames_by_id[2**64 - 1].HasField("line")


@pytest.mark.parametrize("through", ENCODINGS)
def test_checkpoint_entries_survive(through: Callable[[Message], Message]) -> None:
    extents = [{"start": 1, "length": 2}, {}]
    entry = checkpoint_pb2.BundleEntryProto(dtype="DT_HALF", crc32c=2**32 - 1, slices=[{"extent": extents}])
    back = through(entry)
    assert back == entry
    assert [extent.WhichOneof("has_length_hack") for extent in back.slices[0].extent] == ["length", None]
    header = checkpoint_pb2.BundleHeaderProto(num_shards=1, endianness="BIG", version={"producer": 1})
    assert through(header) == header
    record = checkpoint_pb2.SavedTensorSlices(data={"name": "v", "data": {"float_val": [1.0]}})
    assert through(record) == record


def test_unknown_fields_are_kept() -> None:
    # Field 999, length-delimited, at each depth: graph, node, attribute, tensor, library, function.
    unknown = b"\xba\x3e\x03new"
    tensor = graph_pb2.TensorProto(dtype="DT_INT32").SerializeToString() + unknown
    attribute = graph_pb2.AttrValue(tensor=graph_pb2.TensorProto.FromString(tensor)).SerializeToString() + unknown
    node = graph_pb2.NodeDef(name="c", attr={"value": graph_pb2.AttrValue.FromString(attribute)})
    node_bytes = node.SerializeToString() + unknown
    function = graph_pb2.FunctionDef(node_def=[graph_pb2.NodeDef.FromString(node_bytes)])
    function_bytes = function.SerializeToString() + unknown
    library = graph_pb2.FunctionDefLibrary(function=[graph_pb2.FunctionDef.FromString(function_bytes)])
    library_bytes = library.SerializeToString() + unknown
    graph = graph_pb2.GraphDef(
        node=[graph_pb2.NodeDef.FromString(node_bytes)],
        library=graph_pb2.FunctionDefLibrary.FromString(library_bytes),
    )
    data = graph.SerializeToString(deterministic=True) + unknown
    assert data.count(unknown) == 9
    assert graph_pb2.GraphDef.FromString(data).SerializeToString(deterministic=True) == data


def test_unknown_enum_values_are_kept() -> None:
    node = graph_pb2.NodeDef(name="x", attr={"dtype": graph_pb2.AttrValue(type=99)})
    assert through_binary(node).attr["dtype"].type == 99
