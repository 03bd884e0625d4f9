"""Sums over segments."""

from tests.cases import case, const, f32, given

_IDS = const([0, 0, 2, 2])

CASES = [
    *[case(op, f32(4, 3), _IDS) for op in ("SegmentSum", "SegmentMean")],
    *[case(op, f32(4, 3), _IDS, order=1) for op in ("SegmentMax", "SegmentMin")],
    case("SegmentProd", f32(4, 3, low=0.3, high=2.0), _IDS),
    case("SegmentProd", given([0.0, 2.0, 3.0, 0.0, 0.0]), const([0, 0, 1, 2, 2]), label="zeros", smooth=False),
    case("UnsortedSegmentProd", f32(4, 3, low=0.3, high=2.0), const([2, 0, 0, -1]), const(3)),
    case(
        "UnsortedSegmentProd", given([0.0, 2.0, 0.0, 0.0]), const([0, 0, 1, 1]), const(3), label="zeros", smooth=False
    ),
    *[
        case(op, f32(4, 3), const([0, 3, 1]), const([0, 0, 2]), const(5), sparse_gradient=sparse, order=1)
        for op in (f"SparseSegment{kind}WithNumSegments" for kind in ("Sum", "Mean", "SqrtN"))
        for sparse in (False, True)
    ],
    case("UnsortedSegmentSum", f32(4, 3), const([2, 0, 0, -1]), const(3)),
    *[
        case(op, f32(4, 3), const([2, 0, 0, 1]), const(3), order=1)
        for op in ("UnsortedSegmentMax", "UnsortedSegmentMin")
    ],
    *[
        case(op, f32(4, 3), const([0, 3, 1]), const([0, 0, 1]), order=1)
        for op in ("SparseSegmentSum", "SparseSegmentMean", "SparseSegmentSqrtN")
    ],
    *[
        case(op, f32(2, 3), const([0, 3, 1]), const([0, 0, 1]), const(5), order=1)
        for op in ("SparseSegmentSumGrad", "SparseSegmentMeanGrad", "SparseSegmentSqrtNGrad")
    ],
]
