"""Random generators in variables: TensorFlow's own numbers, and the state they leave."""

from typing import Any

from graphgrad import dtypes
from tests.cases import case, const, given

_STATE = given([5, 7, 123456789012], dtype="int64")
_ALGORITHM, _SHAPE = const(1, dtype="int64"), const([2, 3], dtype="int64")
_LOW, _HIGH = const(-4, dtype="int64"), const(90, dtype="int64")


def _with_state(op_type: str) -> Any:
    """The state in memory of its own: TensorFlow's StatefulRandomBinomial moves the counter of what was fed, too late."""

    def graph(g: Any, state: Any, *inputs: Any, **attrs: Any) -> list[Any]:
        variable = g.VarHandleOp(dtype=dtypes.int64, shape=(None,), name="v")
        with g.control_dependencies([g.op("AssignVariableOp", variable, g.BitwiseOr(state, state))]):
            op = g.op(op_type, variable, *inputs, name="op", **attrs)
        with g.control_dependencies([op]):
            return [*op.outputs, g.ReadVariableOp(variable, dtype=dtypes.int64)]

    return graph


CASES = [
    *[
        case(op, _STATE, _ALGORITHM, _SHAPE, label=dtype.name, graph=_with_state(op), dtype=dtype)
        for op, dtype in (
            ("StatefulUniform", dtypes.float32),
            ("StatefulUniform", dtypes.float64),
            ("StatefulUniformFullInt", dtypes.uint64),
            ("StatefulStandardNormalV2", dtypes.float32),
            ("StatefulTruncatedNormal", dtypes.float16),
        )
    ],
    case(
        "StatefulUniformInt",
        *(_STATE, _ALGORITHM, _SHAPE, _LOW, _HIGH),
        label="between",
        graph=_with_state("StatefulUniformInt"),
    ),
    case(
        "StatefulRandomBinomial",
        *(_STATE, _ALGORITHM, const([3, 2]), given([5.0, 300.0]), given([0.3, 0.875])),
        label="trials",
        graph=_with_state("StatefulRandomBinomial"),
    ),
    case("RngSkip", _STATE, _ALGORITHM, const(3, dtype="int64"), label="three", graph=_with_state("RngSkip")),
    case(
        "RngReadAndSkip",
        *(_STATE, const(1), const(3, dtype="uint64")),
        label="three",
        graph=_with_state("RngReadAndSkip"),
    ),
]
