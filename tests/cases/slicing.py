"""Pieces cut out of tensors and put in."""

from tests.cases import case, const, f32, given

CASES = [
    case("Slice", f32(3, 4), const([1, 0]), const([2, -1])),
    case("StridedSlice", f32(4, 5), const([1, 0]), const([4, 5]), const([2, 1])),
    case("StridedSlice", f32(4, 5), const([1, 0]), const([2, 5]), const([1, 2]), shrink_axis_mask=1, end_mask=2),
    case(
        "StridedSlice",
        f32(4, 5),
        const([0, -1]),
        const([0, 0]),
        const([1, -2]),
        begin_mask=2,
        ellipsis_mask=1,
        end_mask=2,
    ),
    case("Pad", f32(2, 3), const([[1, 0], [2, 1]])),
    case("PadV2", f32(2, 3), const([[1, 0], [2, 1]]), f32()),
    case("MirrorPad", f32(2, 3), const([[1, 0], [1, 1]]), mode="REFLECT"),
    case("GatherV2", f32(4, 3), const([0, 2, 2]), const(0), order=1),
    case("GatherV2", f32(3, 4), const([[0, 2], [3, 3]]), const(1), order=1),
    case("GatherV2", f32(2, 3, 4), const([[0, 2], [1, 1]]), const(2), batch_dims=1, order=1),
    case("GatherV2", f32(2, 3, 4), given([[0, 2], [1, 1]], "int32"), const(-2), batch_dims=1, label="fed", order=1),
    case("GatherV2", f32(3, 4), const(1), const(1), order=1),
    case("GatherV2", f32(3, 4), const([2, 0]), given(1, "int32"), label="fed axis", order=1),
    case("Gather", f32(4, 3), const([0, 2, 2]), order=1),
    case("Gather", f32(4), given([[0, 3]], "int64"), order=1),
    case("MirrorPadGrad", f32(4, 5), const([[1, 0], [1, 1]]), mode="REFLECT"),
    case("MirrorPadGrad", f32(4, 5), given([[1, 0], [1, 1]], "int32"), mode="SYMMETRIC", label="fed"),
    case("StridedSliceGrad", const([4, 5]), const([1, 0]), const([4, 5]), const([2, 1]), f32(2, 5)),
    case(
        "StridedSliceGrad",
        *(given([4, 5], "int64"), const([1, 0], "int64"), const([2, 5], "int64"), const([1, 2], "int64"), f32(3)),
        shrink_axis_mask=1,
    ),
    case("TensorStridedSliceUpdate", f32(4, 5), const([1, 0]), const([4, 5]), const([2, 1]), f32(2, 5)),
    case(
        "TensorStridedSliceUpdate",
        *(f32(4, 5), const([1, 0]), const([2, 5]), const([1, -2]), f32(3)),
        shrink_axis_mask=1,
        begin_mask=2,
        end_mask=2,
    ),
    *[
        case(op, f32(4, 3), const([[0], [2]]), f32(2, 3))
        for op in ("TensorScatterSub", "TensorScatterMax", "TensorScatterMin", "ScatterNdNonAliasingAdd")
    ],
    *[
        case(op, f32(4, 3), given([[0, 1], [2, 2]], "int64"), f32(2), label="elements")
        for op in ("TensorScatterSub", "TensorScatterMax", "TensorScatterMin", "ScatterNdNonAliasingAdd")
    ],
    case("SpaceToBatch", f32(1, 4, 3, 2), const([[0, 0], [0, 1]]), block_size=2),
    case("BatchToSpace", f32(4, 2, 2, 1), const([[0, 0], [0, 1]]), block_size=2),
    case("GatherNd", f32(3, 4), const([[0, 1], [2, 3]])),
    case("ScatterNd", const([[0], [2]]), f32(2, 3), const([4, 3])),
    case("TensorScatterUpdate", f32(4, 3), const([[0], [2]]), f32(2, 3)),
    case("TensorScatterAdd", f32(4, 3), const([[0], [2]]), f32(2, 3)),
    case("ReverseV2", f32(2, 3), const([1])),
    case("Roll", f32(2, 3), const([1]), const([1])),
    case("DynamicStitch", [const([0, 2]), const([1])], [f32(2, 3), f32(1, 3)]),
    case("DynamicPartition", f32(4, 2), given([0, 1, 0, 1], "int32"), num_partitions=2),
    case("SpaceToBatchND", f32(1, 4, 4, 1), const([2, 2]), const([[0, 0], [0, 0]])),
    case("BatchToSpaceND", f32(4, 2, 2, 1), const([2, 2]), const([[0, 0], [0, 0]])),
    case("SpaceToDepth", f32(1, 4, 4, 1), block_size=2),
    case("DepthToSpace", f32(1, 2, 2, 4), block_size=2),
]
