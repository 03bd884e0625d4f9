"""Variables of both kinds, and the nodes of branches and loops of version 1, one by one.

Whole branches and loops are drawn in `tests/oracle/flow_draws`.
"""

from __future__ import annotations

from typing import Any

from graphgrad.tensors import Tensor
from tests.oracle.draws import ALL, Drawer, dtype_of, sketch

NUMBERS = ("float32", "float32", "float64", "float32", "float64", *ALL)


def resource(d: Drawer, shape: tuple[int, ...], dtype: str) -> Tensor:
    return d.variable(d.values(shape, dtype, -2, 2), dtype)


def reference(d: Drawer, shape: tuple[int, ...], dtype: str) -> Tensor:
    """A variable that is read by its name alone, one of the xs."""
    known = shape if d.chance(0.7) else d.known_of(shape)  # others TensorFlow does not run
    variable: Tensor = d.g.VariableV2(dtype=dtype_of(dtype), shape=known, name=f"v{len(d.variables)}")
    d.variables[variable.op.name] = d.values(shape, dtype, -2, 2)
    d.xs.append(variable)
    return variable


@sketch("ReadVariableOp")
def read(d: Drawer, op: str) -> Any:
    dtype = d.pick(*NUMBERS)
    handle = resource(d, d.shape(), dtype)
    values = [d.op(op, handle, dtype=dtype_of(dtype))[0] for _ in range(d.integer(1, 2))]
    return values if d.chance(0.5) else [d.g.Mul(values[0], values[-1])]


@sketch("ResourceGather", "ResourceGatherNd")
def rows_of_variables(d: Drawer, op: str) -> Any:
    shape, dtype = tuple(d.integer(1, 4) for _ in range(d.integer(1, 3))), d.pick(*NUMBERS)
    handle = resource(d, shape, dtype)
    more = [d.g.ReadVariableOp(handle, dtype=dtype_of(dtype))] if d.chance(0.3) else []
    if op == "ResourceGather":
        # with batch_dims TensorFlow takes rows for numbers
        indices = d.index(d.rng.integers(0, shape[0], d.dims(d.integer(0, 2))))
        return [*d.op(op, handle, indices, dtype=dtype_of(dtype), validate_indices=d.chance(0.8)), *more]
    depth = d.integer(1, len(shape))
    places = d.rng.integers(0, min(shape), (*d.dims(d.integer(0, 2)), depth))
    return [*d.op(op, handle, d.index(places), dtype=dtype_of(dtype)), *more]


@sketch("Switch", "Merge", "RefSwitch", "RefMerge")
def switch(d: Drawer, op: str) -> Any:
    ref = "Ref" if op.startswith("Ref") else ""
    shape, dtype = d.shape(), d.pick(*NUMBERS)
    x = reference(d, shape, dtype) if ref else d.tensor(shape, dtype)
    no, yes = d.op(f"{ref}Switch", x, d.tensor((), "bool", value=d.chance(0.5)))
    if not ref:
        no, yes = d.g.Sin(no), d.g.Square(yes)
    sides = [no, yes] if d.chance(0.5) else [yes, no]
    merged = d.op(f"{ref}Merge", sides)[0]
    return d.op("Square", merged) if ref else [merged]


@sketch("RefIdentity", "DebugGradientRefIdentity", "RefEnter", "RefNextIteration", "RefExit")
def references(d: Drawer, op: str) -> Any:
    shape, dtype = d.shape(), d.pick(*NUMBERS)
    return around(d, op, d.op(op, reference(d, shape, dtype), **frame(d, op))[0], dtype)


@sketch("Enter", "NextIteration", "LoopCond", "Exit")
def alone(d: Drawer, op: str) -> Any:
    if op == "LoopCond":
        condition = d.op(op, d.tensor((), "bool", 0, 1))[0]
        return d.op("Select", condition, d.tensor((2,)), d.tensor((2,)))
    dtype = d.pick(*NUMBERS)
    return around(d, op, d.op(op, d.tensor(d.shape(), dtype), **frame(d, op))[0], dtype)


def frame(d: Drawer, op: str) -> dict[str, Any]:
    if not op.endswith("Enter"):
        return {}
    # of what varies in a loop TensorFlow infers no shape, which its Python then sets
    return {"frame_name": "f", "is_constant": op == "Enter" or d.chance(0.5), "parallel_iterations": d.pick(10, 1)}


def around(d: Drawer, op: str, y: Tensor, dtype: str) -> list[Tensor]:
    """A product with what came through; frames without an end cannot be run."""
    d.numbers = op == "RefIdentity"
    return d.op("Mul", y, d.tensor((), dtype))
