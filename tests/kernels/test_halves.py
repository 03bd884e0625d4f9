"""Half types where one rounding more shows: values that TensorFlow gives to the last bit."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest

from graphgrad import dtypes
from graphgrad.dtypes import DType
from graphgrad.graph import Graph
from graphgrad.runtime.plan import evaluate

HALVES = {dtypes.float16: np.float16, dtypes.bfloat16: ml_dtypes.bfloat16}
X = [-7.1, -5.3, -0.71, -0.0215, 0.0073, 0.3, 0.62, 12.0]
DY = [0.9, -0.31, 0.77, 0.1, -0.43, 0.57, 0.83, 0.6]
# Of X, or of X and DY: eight numbers, which fill a vector register. Numbers left over may be rounded otherwise in TensorFlow.
VALUES = {
    ("Elu", dtypes.float16): [
        -0.99902344,
        -0.9951172,
        -0.5083008,
        -0.021484375,
        0.0073013306,
        0.30004883,
        0.6201172,
        12.0,
    ],
    ("LogSoftmax", dtypes.float16): [
        -19.09375,
        -17.296875,
        -12.7109375,
        -12.0234375,
        -11.9921875,
        -11.703125,
        -11.3828125,
        0.0,
    ],
    ("Selu", dtypes.float16): [
        -1.7558594,
        -1.7490234,
        -0.8935547,
        -0.03778076,
        0.007671356,
        0.31518555,
        0.6513672,
        12.609375,
    ],
    ("Sigmoid", dtypes.float16): [
        0.00082302094,
        0.004962921,
        0.32958984,
        0.4946289,
        0.5019531,
        0.57421875,
        0.6503906,
        1.0,
    ],
    ("Softplus", dtypes.float16): [
        0.0008239746,
        0.0049743652,
        0.39990234,
        0.6821289,
        0.6972656,
        0.8544922,
        1.0507812,
        12.0,
    ],
    ("SigmoidGrad", dtypes.float16): [
        -51.78125,
        10.359375,
        -0.9345703,
        -0.0021953583,
        -0.0031166077,
        0.11968994,
        0.19555664,
        -79.1875,
    ],
    ("SqrtGrad", dtypes.float16): [
        -0.06335449,
        0.02923584,
        -0.5419922,
        -2.3242188,
        -29.453125,
        0.94921875,
        0.6689453,
        0.024993896,
    ],
    ("TanhGrad", dtypes.float16): [
        -44.5,
        8.3984375,
        0.38208008,
        0.09991455,
        -0.42993164,
        0.5185547,
        0.5107422,
        -85.8125,
    ],
    ("Elu", dtypes.bfloat16): [-1.0, -0.99609375, -0.5078125, -0.01953125, 0.007293701, 0.30078125, 0.62109375, 12.0],
    ("LogSoftmax", dtypes.bfloat16): [-19.125, -17.25, -12.6875, -12.0, -12.0, -11.6875, -11.375, 0.0],
    ("Selu", dtypes.bfloat16): [
        -1.7578125,
        -1.75,
        -0.89453125,
        -0.034423828,
        0.0076293945,
        0.31445312,
        0.6484375,
        12.5625,
    ],
    ("Sigmoid", dtypes.bfloat16): [0.000831604, 0.00491333, 0.328125, 0.49414062, 0.50390625, 0.578125, 0.6484375, 1.0],
    ("Softplus", dtypes.bfloat16): [
        0.000831604,
        0.0049438477,
        0.3984375,
        0.68359375,
        0.6953125,
        0.85546875,
        1.046875,
        12.0,
    ],
    ("SigmoidGrad", dtypes.bfloat16): [
        -52.0,
        10.375,
        -0.9375,
        -0.0021972656,
        -0.003112793,
        0.119628906,
        0.1953125,
        -79.5,
    ],
    ("SqrtGrad", dtypes.bfloat16): [
        -0.06298828,
        0.029296875,
        -0.54296875,
        -2.328125,
        -29.375,
        0.94921875,
        0.66796875,
        0.025146484,
    ],
    ("TanhGrad", dtypes.bfloat16): [-44.25, 8.4375, 0.38085938, 0.100097656, -0.4296875, 0.51953125, 0.5078125, -86.0],
}


@pytest.mark.parametrize(("op_type", "dtype"), VALUES)
def test_each_step_is_rounded_where_tensorflow_rounds(op_type: str, dtype: DType) -> None:
    graph = Graph()
    g = graph.build
    inputs = [g.Reshape(g.constant(values, dtype), g.constant([1, 8])) for values in (X, DY)]
    y = getattr(g, op_type)(*inputs[: 2 if op_type.endswith("Grad") else 1])
    (found,) = evaluate(graph, [y])
    assert found[0].astype(np.float32).tolist() == np.float32(VALUES[op_type, dtype]).tolist()


@pytest.mark.parametrize("dtype", HALVES)
def test_reciprocal_roots_are_rounded_once(dtype: DType) -> None:
    half = HALVES[dtype]
    x = np.random.default_rng(0).uniform(0.01, 9, 1001).astype(half)
    graph = Graph()
    y = graph.build.Rsqrt(graph.build.Placeholder(dtype=dtype, name="x"))
    (found,) = evaluate(graph, [y], {"x": x})
    np.testing.assert_array_equal(found, (1 / np.sqrt(x.astype(np.float32))).astype(half))


def test_centered_rms_prop_of_rows_adds_epsilon_before_it_subtracts() -> None:
    """Numbers of TensorFlow's kernel; mg^2 takes nearly all of ms away."""
    graph = Graph()
    g = graph.build
    before = {"var": [[0.75, 0.5]], "mg": [[0.59, 0.9]], "ms": [[0.36, 0.83]], "mom": [[0.2, 0.3]]}
    handles = [g.VarHandleOp(dtype=dtypes.float16, shape=(1, 2), name=name, shared_name=name) for name in before]
    numbers = [g.constant(x, dtypes.float16) for x in (0.3, 0.9, 0.7, 0.01)]
    gradient = g.constant([[0.6, 0.4]], dtypes.float16)
    row = g.constant([0])
    step = g.ResourceSparseApplyCenteredRMSProp(*handles, *numbers, gradient, row)
    with g.control_dependencies([step]):
        reads = [g.ReadVariableOp(handle, dtype=dtypes.float16) for handle in handles]
    found = evaluate(graph, reads, variables={k: np.array(v, np.float16) for k, v in before.items()})
    assert [row.tolist()[0] for row in found] == [
        [-0.6318359375, -0.24560546875],
        [0.5908203125, 0.85009765625],
        [0.360107421875, 0.76318359375],
        [1.3818359375, 0.74560546875],
    ]
