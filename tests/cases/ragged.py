"""Ragged tensors: flat values beside splits."""

from graphgrad import dtypes
from tests.cases import case, const, f32, given

_SPLITS = const([0, 2, 2, 5], "int64")
_OUTER = const([0, 1, 3], "int64")
_FED = given([0, 2, 2, 5], "int64")


def through_variants(g, splits, values, batched_input, inner=0):
    variants = g.RaggedTensorToVariant(splits, values, batched_input=batched_input)
    cut, flat = g.RaggedTensorFromVariant(
        variants,
        input_ragged_rank=len(splits) - batched_input if inner is None else inner,
        output_ragged_rank=len(splits),
        Tvalues=values.dtype,
        Tsplits=splits[0].dtype,
    )
    return [*cut, flat]


def whole_row(g, splits, values):
    held = g.RaggedTensorToVariant(splits, values, batched_input=False)
    types = {"Tvalues": values.dtype, "Tsplits": dtypes.int64}
    return list(g.RaggedTensorFromVariant(held, input_ragged_rank=0, output_ragged_rank=0, **types)[1:])


def to_variant(g, splits, values):
    return through_variants(g, splits, values, True, None)


_TYPES = {"row_partition_types": ["ROW_SPLITS"], "order": 1}
_LONG = const([-1, -1], "int64")

CASES = [
    case("RaggedRange", const([0, 5, 8]), const([3, 5, 2]), const([1, 1, -2])),
    case("RaggedRange", given([0.0, 1.0]), given([1.0, 0.0]), given(0.25)),
    case("RaggedGather", [_SPLITS], f32(5, 2), const([2, 0, 2]), OUTPUT_RAGGED_RANK=1, Tsplits=dtypes.int64, order=1),
    case("RaggedGather", [_SPLITS], f32(5), const([[2], [0]]), OUTPUT_RAGGED_RANK=2, label="matrix", order=1),
    case("RaggedGather", [_OUTER, _SPLITS], f32(5), const([1, 1, 0]), OUTPUT_RAGGED_RANK=2, label="nested", order=1),
    case(
        "RaggedGather",
        [given([0, 2, 5], "int32")],
        f32(5),
        given([1, 0], "int32"),
        OUTPUT_RAGGED_RANK=1,
        label="int32",
        order=1,
    ),
    case("RaggedTensorToSparse", [_SPLITS], f32(5)),
    case("RaggedTensorToSparse", [_OUTER, _SPLITS], f32(5, 2), label="nested"),
    case("RaggedTensorToTensor", _LONG, f32(5), f32(), [_SPLITS], **_TYPES),
    case("RaggedTensorToTensor", _LONG, f32(5), f32(), [_FED], label="fed", **_TYPES),
    case("RaggedTensorToTensor", const([4, 2], "int64"), f32(5), const(0.5, "float32"), [_SPLITS], **_TYPES),
    case("RaggedTensorToTensor", const(-1, "int64"), f32(5, 2), f32(2), [_SPLITS], label="rows", **_TYPES),
    case("RaggedTensorToTensor", const([-1, -1, 2], "int64"), f32(5, 2), f32(1), [_SPLITS], label="ones", **_TYPES),
    case("RaggedTensorToTensor", const([-1, 3, 2], "int64"), f32(5, 2), f32(), [_SPLITS], label="scalar", **_TYPES),
    case(
        "RaggedTensorToTensor",
        *(const([-1, -1, -1], "int64"), f32(5), f32(), [_OUTER, _SPLITS]),
        row_partition_types=["ROW_SPLITS", "ROW_SPLITS"],
        order=1,
    ),
    case(
        "RaggedTensorToTensor",
        *(const([-1, -1], "int64"), f32(5), f32(), [const(4, "int64"), const([0, 0, 2, 2, 2], "int64")]),
        row_partition_types=["FIRST_DIM_SIZE", "VALUE_ROWIDS"],
        order=1,
    ),
    case("RaggedFillEmptyRows", const([0, 2, 2], "int64"), f32(3), const(4, "int64"), f32(), order=1),
    case("RaggedFillEmptyRows", given([2, 1], "int64"), f32(2), given(4, "int64"), f32(), order=1),
    case("RaggedFillEmptyRowsGrad", const([0, 2, 3], "int64"), f32(5)),
    case("RaggedTensorToVariant", [_SPLITS], f32(5), graph=to_variant, label="rows"),
    case("RaggedTensorToVariant", [], f32(5), graph=whole_row, label="no splits"),
    case("RaggedTensorToVariant", [_SPLITS], f32(5, 2), graph=to_variant, label="rows of rows"),
    case("RaggedTensorFromVariant", [_OUTER, _SPLITS], f32(5), graph=to_variant, label="nested"),
    case(
        "RaggedTensorFromVariant",
        *([_OUTER, _SPLITS], f32(5)),
        graph=through_variants,
        batched_input=False,
        inner=None,
        label="whole",
    ),
    case(
        "RaggedCross",
        [given([1, 2, 3, 4, 5], dtype="int64")],
        *([_SPLITS], [], [], [], [given([[b"a", b"b"], [b"c", b"d"], [b"", b"e"]], dtype="object")]),
        label="joined",
        input_order="DR",
        hashed_output=False,
        num_buckets=0,
        hash_key=1,
        ragged_values_types=[dtypes.int64],
        ragged_splits_types=[dtypes.int64],
        sparse_values_types=[],
        dense_types=[dtypes.string],
        out_values_type=dtypes.string,
        out_row_splits_type=dtypes.int64,
    ),
]
