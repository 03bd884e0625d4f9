"""Recipes of variables: read, assigned, scattered into, and updated by optimizers.

Each draw is a program: variables of both kinds get their first values, the op runs, every variable is read.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from graphgrad import dtypes
from graphgrad.tensors import Tensor
from tests.oracle.kernel_draws.drawing import Drawer, Program, Recipe, numpy_dtype

Parts = tuple[list[Any], dict[str, Any], Program]

# Numbers an optimizer is given, by the names its arguments have; from 0.1 to 0.9 where it is not here.
HYPERPARAMETERS = {
    "l1": (0, 0.2),
    "l2": (0, 0.2),
    "l2_shrinkage": (0, 0.2),
    "lr_power": (-0.9, -0.1),
    "epsilon": (0.01, 0.1),
}
POSITIVE = ("accum", "accum_update", "v", "vhat", "ms", "gradient_squared_accumulator")


def _is_slot(arg: Any) -> bool:
    return arg.is_ref or arg.dtype is dtypes.resource


def _variables(g: Any, values: list[Tensor], shapes: list[Any], ref: bool) -> tuple[list[Tensor], list[Any]]:
    """A variable per value, and the operations that set them."""
    handles, set_by = [], []
    for i, (value, shape) in enumerate(zip(values, shapes, strict=True)):
        if ref:
            handle = g.VariableV2(dtype=value.dtype, shape=shape, name=f"v{i}")
            set_by.append(g.op("Assign", handle, value, name=f"set{i}", validate_shape=False))
        else:
            handle = g.VarHandleOp(dtype=value.dtype, shape=shape, shared_name=f"v{i}", name=f"v{i}")
            set_by.append(g.op("AssignVariableOp", handle, value, name=f"set{i}"))
        handles.append(handle)
    return handles, set_by


def _program(d: Drawer) -> Program:
    """Sets the op's variables, runs it, and gives its outputs and what the variables hold then. A reference is told the
    shape of its value by the arrays, not by what the graph knows."""
    op_type, signature = d.op_type, d.signature
    slots = [_is_slot(arg) for arg in signature.inputs]
    ref = any(arg.is_ref for arg in signature.inputs)

    def program(g: Any, *inputs: Tensor, **attrs: Any) -> list[Tensor]:
        values = [t for t, is_slot in zip(inputs, slots, strict=True) if is_slot]
        handles, set_by = _variables(g, values, [None if ref else t.shape for t in values], ref)
        left = iter(handles)
        with g.control_dependencies(set_by):
            op = g.op(
                op_type, *[next(left) if s else t for t, s in zip(inputs, slots, strict=True)], name="op", **attrs
            )
        with g.control_dependencies([op]):
            if ref:
                after = [g.Identity(h, name=f"after{i}") for i, h in enumerate(handles)]
            else:
                after = [g.ReadVariableOp(h, dtype=v.dtype) for h, v in zip(handles, values, strict=True)]
        outputs = [t for t, arg in zip(op.outputs, signature.outputs, strict=True) if not arg.is_ref]
        return [*outputs, *after]

    return program


def apply(d: Drawer) -> Parts:
    """An optimizer's step; over chosen rows where it takes indices."""
    sparse = any(arg.name == "indices" for arg in d.signature.inputs)
    inner = d.shape(0, 2, 3)
    shape = (d.integer(1, 5), *inner) if sparse else d.shape()
    rows = d.random().permutation(shape[0])[: d.integer(1, shape[0])] if sparse else None
    grad = (len(rows), *shape[1:]) if rows is not None else shape
    inputs: list[Any] = []
    for arg in d.signature.inputs:
        dtype = arg.dtype.name if arg.dtype is not None and arg.dtype is not dtypes.resource else d.dtype()
        if _is_slot(arg):
            low = 0.5 if arg.name in POSITIVE else -2
            inputs.append(d.array(dtype, shape, low, 2, corners=False))
        elif arg.name in ("grad", "delta"):
            inputs.append(d.array(dtype, grad, corners=False))
        elif arg.name == "indices":
            assert rows is not None
            inputs.append(rows.astype(d.dtype("Tindices")))
        elif arg.name == "global_step":
            inputs.append(np.int64(d.integer(1, 9)))
        else:
            low, high = HYPERPARAMETERS.get(arg.name, (0.1, 0.9))
            inputs.append(d.given(dtype, d.number(low, high)))
    flags = ("use_nesterov", "update_slots", "multiply_linear_by_lr")
    return inputs, {name: d.flag() for name in flags if name in d.signature.attrs}, _program(d)


def assign(d: Drawer) -> Parts:
    shape = d.shape()
    dtype = d.types.get("T") or d.types["dtype"]
    return [d.array(dtype, shape, corners=False), d.array(dtype, shape, corners=False)], {}, _program(d)


def read(d: Drawer) -> Parts:
    return [d.array(d.dtype("dtype"), d.shape())], {}, _program(d)


def known(d: Drawer) -> Parts:
    """Shape of a variable, or whether it has a value."""
    dtype = d.pick(["float32", "int64", "bool"])
    d.types = {name: dtype for name in d.types if name != "out_type"} | {
        k: v for k, v in d.types.items() if k == "out_type"
    }
    return [d.array(dtype, d.shape())], {}, _program(d)


def count(d: Drawer) -> Parts:
    return [d.given("T", d.integer(0, 5))], {"limit": d.integer(1, 6)}, _program(d)


def scatter(d: Drawer) -> Parts:
    """Into rows; a lone update for all of them now and then. Each row once where the last write would win."""
    shape = (d.integer(1, 5), *d.shape(0, 2, 3))
    dtype = d.types.get("T") or d.types["dtype"]
    settles = d.op_type.endswith(("Update", "Div"))
    places = d.random().permutation(shape[0])[: d.integer(0, shape[0])]
    indices = places if settles else d.indices("int64", d.shape(0, 2, 4), shape[0])
    updates = () if d.rarely() and not settles else (*indices.shape, *shape[1:])
    low = 1 if d.op_type.endswith("Div") else -3
    return (
        [
            d.array(dtype, shape, corners=False),
            indices.astype(d.dtype("Tindices")),
            d.array(dtype, updates, low, 3, corners=False),
        ],
        {},
        _program(d),
    )


def scatter_nd(d: Drawer) -> Parts:
    shape = tuple(d.integer(1, 4) for _ in range(d.integer(1, 3)))
    depth, lead = d.integer(1, len(shape)), (d.integer(1, 4),)
    total = int(np.prod(shape[:depth]))
    flat = d.random().permutation(total)[: lead[0]]
    if not d.op_type.endswith("Update") and d.flag():
        flat = d.random().integers(0, total, lead)
    indices = np.stack(np.unravel_index(flat, shape[:depth]), -1)
    updates = (len(flat), *shape[depth:])
    return (
        [
            d.array(d.dtype(), shape, corners=False),
            indices.astype(d.dtype("Tindices")),
            d.array(d.dtype(), updates, corners=False),
        ],
        {},
        _program(d),
    )


def gather(d: Drawer) -> Parts:
    shape = tuple(d.integer(1, 4) for _ in range(d.integer(1, 3)))
    dtype = d.dtype("dtype")
    if d.op_type == "ResourceGatherNd":
        depth = d.integer(1, len(shape))
        rows = d.random().integers(0, shape[:depth], (*d.shape(0, 2, 3), depth))
        return [d.array(dtype, shape), rows.astype(numpy_dtype(d.dtype("Tindices")))], {}, _program(d)
    batch = d.integer(0, min(1, len(shape) - 1))
    # Of batches TensorFlow takes the neighbour's rows for indices that are out of range.
    indices = d.indices(d.dtype("Tindices"), (*shape[:batch], *d.shape(0, 2, 3)), shape[batch], wrong=not batch)
    return [d.array(dtype, shape), indices], {"batch_dims": batch}, _program(d)


def assign_part(d: Drawer) -> Parts:
    shape = tuple(d.integer(1, 4) for _ in range(d.integer(1, 3)))
    begin = [d.integer(0, n - 1) for n in shape]
    end = [d.integer(b + 1, n) for b, n in zip(begin, shape, strict=True)]
    strides = [d.integer(1, 2) for _ in shape]
    part = np.empty(shape)[tuple(map(slice, begin, end, strides))].shape
    places = [d.given("Index", v) for v in (begin, end, strides)]
    return [d.array(d.dtype(), shape), *places, d.array(d.dtype(), part)], {}, _program(d)


def _table(recipe: Recipe, *ops: str) -> dict[str, Recipe]:
    return dict.fromkeys(" ".join(ops).split(), recipe)


OPTIMIZERS = [
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
    "GradientDescent",
    "Momentum",
    "PowerSign",
    "ProximalAdagrad",
    "ProximalGradientDescent",
    "RMSProp",
]
SPARSE = [
    "Adadelta",
    "Adagrad",
    "AdagradDA",
    "AdagradV2",
    "CenteredRMSProp",
    "Ftrl",
    "FtrlV2",
    "Momentum",
    "ProximalAdagrad",
    "ProximalGradientDescent",
    "RMSProp",
]
WAYS = ["Add", "Div", "Max", "Min", "Mul", "Sub", "Update"]
ND_WAYS = ["Add", "Max", "Min", "Sub", "Update"]

RECIPES: dict[str, Recipe] = {
    **_table(apply, *[f"{kind}Apply{name}" for kind in ("", "Resource") for name in OPTIMIZERS]),
    **_table(apply, *[f"{kind}SparseApply{name}" for kind in ("", "Resource") for name in SPARSE]),
    **_table(apply, "ResourceApplyAdamWithAmsgrad ResourceApplyKerasMomentum ResourceSparseApplyKerasMomentum"),
    **_table(assign, "Assign AssignAdd AssignSub AssignVariableOp AssignAddVariableOp AssignSubVariableOp"),
    **_table(assign_part, "StridedSliceAssign ResourceStridedSliceAssign"),
    "ReadVariableOp": read,
    **_table(known, "VarIsInitializedOp VariableShape IsVariableInitialized"),
    **_table(count, "CountUpTo ResourceCountUpTo"),
    **_table(scatter, *[f"{kind}Scatter{way}" for kind in ("", "Resource") for way in WAYS]),
    **_table(scatter_nd, *[f"{kind}ScatterNd{way}" for kind in ("", "Resource") for way in ND_WAYS]),
    **_table(gather, "ResourceGather ResourceGatherNd"),
}
