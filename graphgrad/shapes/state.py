"""Static shapes of variables and what is read from them."""

from __future__ import annotations

from graphgrad.attributes import Shape
from graphgrad.graph import Operation
from graphgrad.registry import shape, shapes
from graphgrad.shapes.common import same_as_first, scalar

shapes(scalar, "VarHandleOp", "VarIsInitializedOp", "IsVariableInitialized")
shapes(same_as_first, "Assign", "AssignAdd", "AssignSub")


@shape("VariableV2", "Variable", "TemporaryVariable")
def variable(op: Operation) -> Shape:
    return op["shape"]


def _of_handle(op: Operation) -> Shape:
    return op.inputs[0].op.get("shape")


@shape("ReadVariableOp")
def read(op: Operation) -> Shape:
    return _of_handle(op)


@shape("VariableShape")
def variable_shape(op: Operation) -> Shape:
    variable_ = _of_handle(op)
    return (None if variable_ is None else len(variable_),)


@shape("ResourceGather")
def gather(op: Operation) -> Shape:
    params, indices = _of_handle(op), op.inputs[1].shape
    return (
        None
        if params is None or indices is None
        else (*params[: op["batch_dims"]], *indices[op["batch_dims"] :], *params[1 + op["batch_dims"] :])
    )
