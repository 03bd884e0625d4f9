"""Sums over segments."""

from tests.cases import case, const, f32

_IDS = const([0, 0, 2, 2])

CASES = [
    *[case(op, f32(4, 3), _IDS) for op in ("SegmentSum", "SegmentMean")],
    *[case(op, f32(4, 3), _IDS, order=1) for op in ("SegmentMax", "SegmentMin")],
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
