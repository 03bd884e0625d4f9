"""Random numbers whose parameters have gradients, and those that have none."""

from tests.cases import case, const, f32, f64, given

_BOUNDS = f32(2, low=-2, high=-1), f32(2, low=1, high=2)
_SAMPLED = {"num_true": 1, "num_sampled": 4, "unique": False, "range_max": 6, "seed": 3, "seed2": 5}

CASES = [
    case("RandomGamma", const([3]), f32(2, low=0.5, high=3), order=1, random=True, seed=7, seed2=9),
    case("RandomGamma", const([], "int32"), f64(2, 2, low=0.5, high=3), order=1, random=True, seed=7, seed2=9),
    case("StatelessRandomGammaV2", const([3, 2]), const([1, 2]), f32(2, low=0.5, high=3), order=1, smooth=False),
    case("StatelessRandomGammaV2", const([2]), const([1, 2]), f64(2, low=0.5, high=3), order=1, smooth=False),
    case(
        *["StatelessRandomGammaV3", const([3, 2]), const([5], "uint64"), const([1, 2], "uint64"), const(1)],
        *[f32(2, low=0.5, high=3)],
        order=1,
        smooth=False,
    ),
    case(
        *["StatelessParameterizedTruncatedNormal", const([3, 2]), const([1, 2])],
        *[f32(2), f32(2, low=1, high=2), *_BOUNDS],
        order=1,
        smooth=False,
    ),
    case(
        *["StatelessParameterizedTruncatedNormal", const([3, 2]), const([1, 2])],
        *[f32(1), f32(2, low=1, high=2), *_BOUNDS],
        order=1,
        smooth=False,
    ),
    *[
        case(f"{kind}UnigramCandidateSampler", given([[0], [2]], "int64"), **_SAMPLED, order=1, random=True)
        for kind in ("Learned", "ThreadUnsafe")
    ],
    *[
        case(
            "FixedUnigramCandidateSampler",
            given([[1], [3]], "int64"),
            **{**_SAMPLED, "unique": unique},
            unigrams=[3.0, 1.0, 2.0, 5.0, 1.0],
            num_reserved_ids=1,
            distortion=0.75,
            label="unique" if unique else "",
            order=1,
            random=True,
        )
        for unique in (False, True)
    ],
    case(
        *["RandomIndexShuffle", given([0, 1, 2, 299], "int64"), const([1, 2, 3], "int32"), const(299, "int64")],
        order=1,
        smooth=False,
        rounds=6,
    ),
    case("SobolSample", const(3, "int32"), const(5, "int32"), const(2, "int32"), order=0, smooth=False),
    *[
        case(
            *["StatelessRandomBinomial", const([3, 2, 2]), const([1, 2])],
            *[given([[5.5, 300.0], [12.0, -1.0]], dtype), given([0.3, 0.875], dtype)],
            order=1,
            smooth=False,
            label=dtype,
        )
        for dtype in ("float32", "float64")
    ],
]
