"""Gradients of reading variables, and the state ops at which gradients stop on purpose.

The gradient of a read has the shape of the variable, which stands on its handle where it is static.
"""

from __future__ import annotations

from graphgrad.gradients._gather import elements_back, gathered_back, rows_back
from graphgrad.registry import gradient, no_gradient

no_gradient(
    *[
        "Assign",
        "AssignAdd",
        "AssignSub",
        "ScatterAdd",
        "ScatterDiv",
        "ScatterMul",
        "ScatterNdAdd",
        "ScatterNdSub",
        "ScatterNdUpdate",
    ],
    *["ScatterSub", "VarIsInitializedOp", "VariableShape"],
)


@gradient("ReadVariableOp")
def read_variable(g, op, dz):
    return dz


@gradient("ResourceGather")
def resource_gather(g, op, dz):
    shape = g.variable_shape(op.inputs[0])
    if op["batch_dims"]:
        return gathered_back(g, op, shape, op["batch_dims"], dz), None
    return rows_back(g, op, shape, dz), None


@gradient("ResourceGatherNd")
def resource_gather_nd(g, op, dz):
    handle, indices = op.inputs
    return elements_back(g, op, g.VariableShape(handle, out_type=indices.dtype), dz), None
