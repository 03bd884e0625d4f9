"""Shapes of tensor arrays and stacks: flows and sizes are scalars, handles vectors; elements are known by attributes."""

from __future__ import annotations

import weakref

from graphgrad.attributes import Shape
from graphgrad.graph import Graph, Operation
from graphgrad.registry import shape, shapes
from graphgrad.shapes import dims
from graphgrad.shapes.common import scalar
from graphgrad.shapes.values import complete
from graphgrad.tensors import Tensor


def handle(op: Operation) -> Shape:
    """The handle of a tensor array of version 2."""
    return (2,)


def handle_and_flow(op: Operation) -> list[Shape]:
    return [(2,), ()]


def unknown(op: Operation) -> Shape:
    return None


def second(op: Operation) -> Shape:
    """The shape of the second input."""
    return op.inputs[1].shape


shapes(unknown, "TensorArray", "TensorArrayWrite", "TensorArrayScatter", "TensorArraySplit")
shapes(handle, "TensorArrayV2", "TensorArrayGrad", "TensorArrayGradV2")
shapes(handle_and_flow, "TensorArrayV3", "TensorArrayGradV3", "TensorArrayGradWithShape")
shapes(
    scalar,
    *[f"TensorArray{op}{version}" for op in ("Write", "Scatter", "Split") for version in ("V2", "V3")],
    *["TensorArrayUnpack", "TensorArraySizeV2", "TensorArraySizeV3"],
)
shapes(unknown, "TensorArrayPack", "TensorArraySize", "StackPop", "StackPopV2")
shapes(handle, "Stack", "StackV2")
shapes(second, "StackPush", "StackPushV2")


@shape("TensorArrayRead", "TensorArrayReadV2", "TensorArrayReadV3")
def read(op: Operation) -> Shape:
    return element_shape(op.inputs[0])


@shape("TensorArrayGather", "TensorArrayGatherV2", "TensorArrayGatherV3")
def gather(op: Operation) -> Shape:
    indices, given = op.inputs[1], op["element_shape"]
    if indices.op.type == "Range":  # a whole array, stacked
        return dims.join(indices.shape, dims.merge(given, element_shape(op.inputs[0])))
    made, declared = _maker(op.inputs[0]), _declared(_maker(op.inputs[0]))
    uniform = made.type == "TensorArrayV3" and (made["identical_element_shapes"] or dims.is_known(declared))
    return dims.merge(dims.join(indices.shape, declared if uniform else given), dims.join((None,), given))


@shape("TensorArrayConcat", "TensorArrayConcatV2", "TensorArrayConcatV3")
def concat(op: Operation) -> list[Shape]:
    if op.type == "TensorArrayConcat":
        return [None, None]
    element = element_shape(op.inputs[0])
    rest = dims.merge(op["element_shape_except0"], element[1:] if element else None)
    return [dims.join((None,), rest), (None,)]


def element_shape(handle: Tensor) -> Shape:
    """The shape of a tensor array's elements: declared, or where all have the same, that of one that is written."""
    op = _maker(handle)
    if op.type == "TensorArrayGradV3":
        return _declared(_maker(op.inputs[0]))
    if op.type == "TensorArrayGradWithShape":
        return dims.join(dims.unknown((op.inputs[2].shape or (None,))[0]), _declared(_maker(op.inputs[0])))
    shape = _declared(op)
    if op.type == "TensorArrayV3" and op["identical_element_shapes"]:
        for write in _writes(op.graph).get(op, ()):
            if dims.is_known(shape):
                break
            shape = dims.merge(shape, _written(write))
    return shape


def _maker(handle: Tensor) -> Operation:
    op = handle.op
    while op.type in ("Identity", "Enter", "Switch"):
        op = op.inputs[0].op
    return op


def _declared(op: Operation) -> Shape:
    if op.type != "TensorArrayV3":
        return None
    shape = op["element_shape"]
    return shape if op["identical_element_shapes"] or dims.is_known(shape) else None


_WRITES: weakref.WeakKeyDictionary[Graph, dict[Operation, list[Operation]]] = weakref.WeakKeyDictionary()


def _writes(graph: Graph) -> dict[Operation, list[Operation]]:
    """What is written to each tensor array of the graph that was read."""
    writes = _WRITES.get(graph)
    if writes is None:
        writes = _WRITES[graph] = {}
        for op in graph:
            if op.type in ("TensorArrayWriteV3", "TensorArrayScatterV3", "TensorArraySplitV3"):
                writes.setdefault(_maker(op.inputs[0]), []).append(op)
    return writes


def _written(write: Operation) -> Shape:
    """The shape of the elements that an op writes."""
    if write.type == "TensorArrayWriteV3":
        return write.inputs[2].shape
    if write.type == "TensorArrayScatterV3":
        value = write.inputs[2].shape
        return value[1:] if value else None
    value, lengths = write.inputs[1].shape, complete(write.inputs[2])
    return (lengths[0], *value[1:]) if value and lengths and len(set(lengths)) == 1 else None
