"""Inputs that TensorFlow's kernels refuse though numpy would take them: refused here too, in one line with the node's name."""

from __future__ import annotations

import zlib

import numpy as np
import pytest

from graphgrad import dtypes
from graphgrad.errors import EvaluationError
from graphgrad.graph import Graph
from graphgrad.runtime.plan import evaluate
from tests.cases import Case, case, const, f32, f64, given

REFUSED = [
    *[
        case(op, f32(2, 3), f32(3))
        for op in (
            *["TanhGrad", "SigmoidGrad", "SqrtGrad", "RsqrtGrad", "ReciprocalGrad", "InvGrad", "ReluGrad", "Relu6Grad"],
            *["EluGrad", "SeluGrad", "SoftplusGrad", "SoftsignGrad", "LeakyReluGrad"],
        )
    ],
    case("ReluGrad", f32(2, 3), f32(6)),
    case("Conv", f32(1, 4, 4, 2), f32(2, 2, 1, 2), strides=[1, 1, 1, 1], padding="VALID"),
    case("Conv3D", f32(1, 2, 3, 4, 2), f32(2, 2, 2, 1, 2), strides=[1, 1, 1, 1, 1], padding="VALID"),
    case("CropAndResizeGradBoxes", f32(2, 3, 3, 1), f32(2, 2, 4, 1), f32(1, 4), given([0], "int32")),
    case(
        "CropAndResizeGradImage",
        *[f32(2, 3, 3, 1), f32(1, 4), given([0], "int32"), const([2, 2, 4, 1])],
        T=dtypes.float32,
    ),
    *[case(op, f32(2, 3), f32()) for op in ("AdjustContrastv2", "AdjustHue", "AdjustSaturation")],
    case("GatherV2", f32(2, 3), given([1], "int32"), given([0], "int32")),
    case("ScatterNd", given([1], "int32"), f32(), given([2], "int32")),
    case("TensorScatterAdd", f32(3), given([1], "int32"), f32()),
    case("InplaceAdd", given([True, False], "bool"), given([0], "int32"), given([True], "bool")),
    case("LinSpace", f32(1), f32(), const(3)),
    case("ConcatV2", [f32(2, 2), f32(2, 2)], given([[1]], "int32")),
    case("Range", given([[0]], "int32"), const(3), const(1)),
    case("Tile", f32(2, 2), given([[1, 2]], "int32")),
    case("MirrorPad", f32(2, 3), given([[[0, 1], [0, 2]]], "int32"), mode="REFLECT"),
    case("SpaceToBatch", f32(2, 2, 3, 1), given([[[1, 1], [1, 0]]], "int32"), block_size=2),
    case("StatelessRandomUniform", const([2]), given([3, 4], "uint64"), dtype=dtypes.float32),
    case("AllCandidateSampler", given([[0, 1]], "int64"), num_true=1, num_sampled=2, unique=False, random=True),
]


@pytest.mark.parametrize("row", [pytest.param(row, id=row.id) for row in REFUSED])
def test_refused(row: Case) -> None:
    built = row.build("nothing")
    with pytest.raises(EvaluationError) as error:
        evaluate(built.graph, built.outputs, built.feeds)
    assert "'op'" in str(error.value)
    assert "\n" not in str(error.value)


ACCEPTED = [
    (case("ConcatV2", [given([[1.0]]), given([[2.0]])], given([1], "int32")), [[1.0, 2.0]]),
    (case("Range", const(0), const(3), given([1], "int32")), [0, 1, 2]),
    (case("TanhGrad", f64(1, 2, value=[[0.0, 0.5]]), f64(2, value=[2.0, 4.0])), [[2.0, 3.0]]),
    (case("SqrtGrad", f32(2, value=[0, 0]), f32(2, value=[0, 1])), [0, np.inf]),
    (
        case("FakeQuantWithMinMaxArgs", f32(2, value=[0.75, 0.5]), min=0.0, max=1.0, num_bits=4, narrow_range=True),
        np.float32([11, 7]) * (np.float32(1) / np.float32(14)),
    ),
    (
        case("FakeQuantWithMinMaxVars", f32(1, value=[2.0]), const(-6.0, "float32"), const(6.0, "float32"), num_bits=4),
        [np.float32(1.6)],
    ),
    (case("RsqrtGrad", f32(2, value=[np.inf, 1]), f32(2, value=[0, 2])), [0, -1]),
    (case("ReciprocalGrad", f32(2, value=[np.inf, 1]), f32(2, value=[0, 2])), [0, -2]),
]


@pytest.mark.parametrize(("row", "expected"), [pytest.param(r, e, id=r.id) for r, e in ACCEPTED])
def test_accepted(row: Case, expected: list[float]) -> None:
    built = row.build("nothing")
    (found,) = evaluate(built.graph, built.outputs, built.feeds)
    np.testing.assert_array_equal(found, expected)


def test_strings_of_a_list_are_stacked() -> None:
    g = Graph().build
    x = g.Placeholder(dtype=dtypes.string, shape=None)
    made = g.TensorListFromTensor(x, g.constant([2], dtypes.int32))
    stacked = g.TensorListStack(made, g.constant([2], dtypes.int32), element_dtype=dtypes.string)
    value = np.array([[b"a", b"b"], [b"c", b"d"]], object)
    assert evaluate(x.graph, stacked, {x: value}).tolist() == value.tolist()


def test_a_row_of_a_ragged_tensor() -> None:
    g = Graph().build
    splits, values = g.constant([0, 2, 3], dtypes.int64), g.constant([5, 6, 7], dtypes.int32)
    found, rest = g.RaggedGather([splits], values, g.constant(0, dtypes.int64), OUTPUT_RAGGED_RANK=0)
    assert found == []
    assert evaluate(values.graph, rest).tolist() == [5, 6]


def test_rows_of_nothing_are_scattered() -> None:
    g = Graph().build
    handle = g.VarHandleOp(dtype=dtypes.float32, shape=(3, 0))
    updates = g.Placeholder(dtype=dtypes.float32, shape=(2, 0), name="updates")
    scatter = g.op("ResourceScatterUpdate", handle, g.constant([0, 2], dtypes.int32), updates)
    variables = {"VarHandleOp": np.zeros((3, 0), np.float32)}
    assert evaluate(handle.graph, [scatter], {updates: np.zeros((2, 0), np.float32)}, variables) == [None]


def test_a_learning_rate_is_a_number() -> None:
    g = Graph().build
    handle = g.VarHandleOp(dtype=dtypes.float32, shape=(2,))
    one, rates = g.constant([1.0, 1.0], dtypes.float32), g.constant([0.1], dtypes.float32)
    step = g.op("ResourceApplyGradientDescent", handle, rates, one)
    with pytest.raises(EvaluationError, match="alpha must be a scalar"):
        evaluate(handle.graph, [step], variables={"VarHandleOp": np.zeros(2, np.float32)})


def test_volume_patches_stand_in_the_middle() -> None:
    """TensorFlow 2.21: along an axis of 3, one window of 1 with stride 3 is the second element."""
    g = Graph().build
    x = g.Placeholder(dtype=dtypes.float32, shape=None)
    sizes = {"ksizes": [1, 2, 1, 1, 1], "strides": [1, 3, 3, 3, 1], "padding": "SAME"}
    volume = np.arange(18, dtype=np.float32).reshape(1, 3, 3, 2, 1)
    assert evaluate(x.graph, g.ExtractVolumePatches(x, **sizes), {x: volume}).ravel().tolist() == [2, 8]


def test_a_part_of_a_variable_is_assigned() -> None:
    g = Graph().build
    handle = g.VarHandleOp(dtype=dtypes.float32, shape=(2, 3))
    places = [g.constant(v, dtypes.int32) for v in ([0, 1], [2, 3], [1, 1])]
    new = g.constant([[7.0, 8.0], [9.0, 10.0]], dtypes.float32)
    with g.control_dependencies([g.op("ResourceStridedSliceAssign", handle, *places, new)]):
        after = g.ReadVariableOp(handle, dtype=dtypes.float32)
    found = evaluate(handle.graph, after, variables={"VarHandleOp": np.zeros((2, 3), np.float32)})
    assert found.tolist() == [[0, 7, 8], [0, 9, 10]]


def test_compressed_bytes() -> None:
    g = Graph().build
    packed = g.Placeholder(dtype=dtypes.string, shape=None)
    opened = g.DecodeCompressed(packed, compression_type="ZLIB")
    assert evaluate(packed.graph, opened, {packed: np.array([zlib.compress(b"abc")], object)}).tolist() == [b"abc"]
