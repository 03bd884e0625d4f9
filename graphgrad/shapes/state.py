"""Static shapes of variables, of what is read from them and of what comes back from changing them.

A variable behind a handle has the shape its VarHandleOp declares.
"""

from __future__ import annotations

import functools

from graphgrad import handles
from graphgrad.attributes import Shape
from graphgrad.graph import Operation
from graphgrad.registry import shape, shapes
from graphgrad.shapes import dims
from graphgrad.shapes.common import first_variable_shape, merge_all, same_as_first, scalar

OPTIMIZERS = (
    *[
        "AdaMax",
        "Adadelta",
        "Adagrad",
        "AdagradDA",
        "AdagradV2",
        "Adam",
        "AddSign",
        "CenteredRMSProp",
        "Ftrl",
        "FtrlV2",
    ],
    *["GradientDescent", "Momentum", "PowerSign", "ProximalAdagrad", "ProximalGradientDescent", "RMSProp"],
)
SPARSE_OPTIMIZERS = (
    *["Adadelta", "Adagrad", "AdagradDA", "AdagradV2", "CenteredRMSProp", "Ftrl", "FtrlV2", "Momentum"],
    *["ProximalAdagrad", "ProximalGradientDescent", "RMSProp"],
)

shapes(scalar, "CountUpTo", "IsVariableInitialized", "ResourceCountUpTo", "VarHandleOp", "VarIsInitializedOp")
shapes(same_as_first, "StridedSliceAssign")
shapes(merge_all, "AssignAdd", "AssignSub")
shapes(
    same_as_first,
    "DestroyTemporaryVariable",
    *[f"Scatter{change}" for change in ("Add", "Div", "Max", "Min", "Mul", "Sub", "Update")],
    *[f"ScatterNd{change}" for change in ("Add", "Max", "Min", "Sub", "Update")],
)


@shape("TemporaryVariable", "VariableV2")
def variable(op: Operation) -> Shape:
    return op["shape"]


@shape("Variable")
def old_variable(op: Operation) -> Shape:
    """A scalar shape stands for 'unknown'."""
    return op["shape"] or None


@shape("Assign")
def assign(op: Operation) -> Shape:
    return merge_all(op) if op["validate_shape"] else op.inputs[1].shape


@shape("ReadVariableOp")
def read(op: Operation) -> Shape:
    return handles.shape_for_what_was_read(op.inputs[0])


@shape("_ReadVariablesOp")
def read_several(op: Operation) -> list[Shape]:
    return [handles.shape_for_what_was_read(handle) for handle in op.inputs]


@shape("VariableShape")
def variable_shape(op: Operation) -> Shape:
    return (dims.rank_of(first_variable_shape(op)),)


@shape("ResourceGather")
def gather(op: Operation) -> Shape:
    params, indices, batch_dims = handles.shape_for_what_was_read(op.inputs[0]), op.inputs[1].shape, op["batch_dims"]
    if params is None or indices is None:
        return None
    return (*params[:batch_dims], *indices[batch_dims:], *params[batch_dims + 1 :])


@shape("ResourceGatherNd")
def gather_nd(op: Operation) -> Shape:
    params, indices = handles.shape_for_what_was_read(op.inputs[0]), op.inputs[1].shape
    if params is None or not indices or indices[-1] is None:
        return None
    return (*indices[:-1], *params[indices[-1] :])


@shape(*[f"Apply{name}" for name in OPTIMIZERS], *[f"SparseApply{name}" for name in SPARSE_OPTIMIZERS])
def optimized(op: Operation) -> Shape:
    """The variable, of which its slots and its gradient may know more; a sparse gradient has fewer rows."""
    shapes_ = []
    for arg, tensor in zip(op.signature.inputs, op.inputs, strict=True):  # type: ignore[union-attr]
        if arg.is_ref or arg.name in ("delta", "grad"):
            is_rows = arg.name == "grad" and op.type.startswith("Sparse")
            shapes_.append((None, *tensor.shape[1:]) if is_rows and tensor.shape else tensor.shape)
    return functools.reduce(dims.merge, shapes_)
