"""Reductions over some, all, no and negative axes, keeping them or not; ties; scans."""

from tests.cases import c64, case, const, f16, f32, f64, given

_ALL = ["Sum", "Mean", "Max", "Min", "Prod", "EuclideanNorm"]

CASES = [
    *[case(op, f32(2, 3, low=0.3, high=2.0), const([1]), keep_dims=False) for op in _ALL],
    *[case(op, f32(2, 3, low=0.3, high=2.0), const([0, 1]), keep_dims=False) for op in _ALL],
    *[case(op, f32(2, 3, 2, low=0.3, high=2.0), const([0, -1]), keep_dims=True) for op in _ALL],
    *[case(op, f32(2, 3, low=0.3, high=2.0), const(-1), keep_dims=False) for op in ("Sum", "Mean", "Max", "Prod")],
    *[case(op, f32(2, 3), const([], "int32"), keep_dims=False) for op in ("Sum", "Mean")],
    case("Sum", f32(0, 3), const([0])),
    case("Sum", c64(2, 3), const([0])),
    case("Mean", f16(2, 3), const([0])),
    case("Sum", f64(2, 3), const([1], "int64")),
    case("Max", given([[1.0, 3.0, 3.0], [2.0, 2.0, 1.0]]), const([1]), label="ties", smooth=False),
    case("Prod", given([[0.0, 2.0, 3.0], [0.0, 0.0, 1.0]]), const([1]), label="zeros", smooth=False),
    *[case("Cumsum", f32(2, 4), const(1), exclusive=e, reverse=r) for e in (False, True) for r in (False, True)],
    *[
        case("Cumprod", f32(2, 4, low=0.3, high=2.0), const(1), exclusive=e, reverse=r)
        for e in (False, True)
        for r in (False, True)
    ],
    case("ArgMax", f32(2, 4), const(1), smooth=False),
    *[
        case("CumulativeLogsumexp", f32(2, 4), const(1), exclusive=e, reverse=r, smooth=not e)  # of nothing: -inf
        for e in (False, True)
        for r in (False, True)
    ],
    case("TopK", f32(2, 5), k=3, order=1),  # has no gradient in TensorFlow, whose rule gives one too many
    case("TopKV2", f32(2, 5), const(3)),
    case("TopKV2", f32(2, 3, 4), given(2, "int32"), label="fed"),
    case("TopKV2", f32(4), const(2)),
    case("ApproxTopK", f32(2, 5), k=5, levels=("static",)),
    case(
        "ApproxTopK", f32(4, 3), k=2, reduction_dimension=0, is_max_k=False, levels=("static",), aggregate_to_topk=True
    ),
    case("NthElement", f32(2, 5), const(2)),
    case("NthElement", f32(2, 5), given(1, "int32"), reverse=True, label="fed"),
    case("NthElement", given([[1.0, 2.0, 2.0], [3.0, 3.0, 3.0]]), const(1), label="ties", smooth=False),
]
