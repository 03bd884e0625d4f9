"""Recipes of random generators that live in variables: what they give, and what the variable holds then."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphgrad import dtypes
from tests.oracle.kernel_draws.chance import trials
from tests.oracle.kernel_draws.drawing import Drawer, Recipe

Parts = tuple[Any, ...]


def program_of(op_type: str) -> Any:
    """Sets the variable, in memory of its own, runs the op, reads the variable."""

    def program(g: Any, state: Any, *inputs: Any, **attrs: Any) -> list[Any]:
        variable = g.VarHandleOp(dtype=dtypes.int64, shape=(None,), name="v")
        with g.control_dependencies([g.op("AssignVariableOp", variable, g.BitwiseOr(state, state))]):
            op = g.op(op_type, variable, *inputs, name="op", **attrs)
        with g.control_dependencies([op]):
            return [*op.outputs, g.ReadVariableOp(variable, dtype=dtypes.int64)]

    return program


def generator(d: Drawer) -> Parts:
    """The counter runs over now and then. Longer states end TensorFlow's process."""
    low = d.pick([d.integer(0, 1 << 40), -1, -300])
    state = [low, d.pick([d.integer(0, 1 << 40), -1]), d.integer(-(1 << 40), 1 << 40)]
    if d.op_type == "StatefulStandardNormal":
        state = [1, *state]
    elif d.rarely():
        state = state[:2]
    inputs: list[Any] = [np.array(state, np.int64)]
    if "shape_dtype" in d.types and not d.rarely():
        d.types["shape_dtype"] = d.pick(["int32", "int64"])
    algorithm = d.pick([1, 1, 1, 1, 3, 2])
    for arg in d.signature.inputs[1:]:
        if arg.name == "shape":
            inputs.append(d.given("shape_dtype", d.shape(0, 3, 6)).reshape(-1))
        elif arg.name in ("algorithm", "alg"):
            inputs.append(np.array(algorithm, np.int64 if arg.name == "algorithm" else np.int32))
        elif arg.name == "delta":
            inputs.append(np.array(d.integer(0, 1 << 20), np.uint64 if d.op_type == "RngReadAndSkip" else np.int64))
        else:
            inputs.append(d.given("dtype", 3 if arg.name == "minval" else 3 + d.integer(1, 100)))
    return inputs, {}, program_of(d.op_type)


def binomial(d: Drawer) -> Parts:
    state = np.array([d.integer(0, 1 << 40), d.integer(0, 1 << 40), d.integer(-(1 << 40), 1 << 40)])
    shape, parameters = trials(d)
    return [state, np.int64(1), shape, *parameters], {}, program_of(d.op_type)


RECIPES: dict[str, Recipe] = {
    **dict.fromkeys(
        [
            *["StatefulUniform", "StatefulUniformFullInt", "StatefulUniformInt", "StatefulStandardNormalV2"],
            *["StatefulStandardNormal", "StatefulTruncatedNormal", "RngSkip", "RngReadAndSkip"],
        ],
        generator,
    ),
    "StatefulRandomBinomial": binomial,
}
