"""Resizing. Not smooth: these ops compute in float32 whatever they are given."""

from tests.cases import case, const, f32

CASES = [
    *[
        case(op, f32(1, 3, 4, 2), const([5, 6]), order=1, smooth=False)
        for op in ("ResizeBilinear", "ResizeNearestNeighbor", "ResizeBicubic")
    ],
    case("ResizeBilinear", f32(1, 3, 4, 2), const([2, 3]), order=1, smooth=False, half_pixel_centers=True),
    case("ResizeNearestNeighbor", f32(1, 3, 4, 2), const([6, 8]), order=1, smooth=False, align_corners=True),
]
