"""Ops that pass on and rearrange tensors."""

from tests.cases import c64, case, const, f32, given

CASES = [
    case("Identity", f32(2, 3)),
    case("IdentityN", [f32(2, 3), f32(4)]),
    case("StopGradient", f32(2, 3), smooth=False),
    case("CheckNumerics", f32(2, 3), message="here"),
    case("Reshape", f32(2, 6), const([3, 4])),
    case("Reshape", f32(2, 6), const([-1, 3])),
    case("ExpandDims", f32(2, 3), const(1)),
    case("Squeeze", f32(2, 1, 3), squeeze_dims=[1]),
    case("Transpose", f32(2, 3, 4), const([2, 0, 1])),
    case("ConjugateTranspose", c64(2, 3), const([1, 0])),
    case("Pack", [f32(2, 3), f32(2, 3)], axis=1),
    case("Unpack", f32(3, 2), num=3),
    case("ConcatV2", [f32(2, 3), f32(2, 1)], const(1)),
    case("ConcatV2", [f32(2, 3), f32(1, 3)], const(-2)),
    case("Split", const(1), f32(2, 6), num_split=3),
    case("SplitV", f32(2, 6), const([1, 3, 2]), const(1), num_split=3),
    case("Tile", f32(2, 3), const([2, 1])),
    case("BroadcastTo", f32(1, 3), const([2, 3])),
    case("Fill", const([2, 3]), f32()),
    case("ZerosLike", f32(2, 3), smooth=False),
    case("OneHot", given([0, 2], "int32"), const(3), const(1.0, "float32"), const(0.0, "float32"), smooth=False),
    case("Shape", f32(2, 3), smooth=False),
]
