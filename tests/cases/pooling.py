"""Pooling: paddings, strides, layouts; its gradients and theirs."""

import numpy as np

from tests.cases import case, const, f16, f32, given

_SAME = {"ksize": [1, 2, 3, 1], "strides": [1, 2, 2, 1], "padding": "SAME"}
_VALID = {"ksize": [1, 2, 2, 1], "strides": [1, 1, 2, 1], "padding": "VALID"}
_CUBE = {"ksize": [1, 2, 2, 2, 1], "strides": [1, 2, 2, 2, 1], "padding": "SAME"}
_EXPLICIT = {"padding": "EXPLICIT", "explicit_paddings": [0, 0, 1, 0, 1, 1, 0, 0]}
_FIRST = {"ksize": [1, 1, 2, 2], "strides": [1, 1, 2, 2], "padding": "VALID", "data_format": "NCHW"}
_IMAGE, _VOLUME = f32(2, 5, 6, 3), f32(1, 4, 4, 5, 2)
_POOLED, _POOLED_VOLUME = f32(2, 3, 3, 3), f32(1, 2, 2, 3, 2)
_WINDOW = const([1, 2, 3, 1]), const([1, 2, 2, 1])
_FRACTION = {"pooling_ratio": [1.0, 1.44, 1.73, 1.0], "deterministic": True, "seed": 3, "seed2": 5}
_CORNERS = np.reshape(
    [-9, 3, -5, -15, 2, 3, 10, 17, 19, -13, -17, 12, -18, -8, 16, 9, -4, -10, -19, 9, 8, 8, 18, -20], (2, 3, 4, 1)
)

CASES = [
    *[case(op, _IMAGE, label="same", **_SAME) for op in ("MaxPool", "AvgPool")],
    *[case(op, _IMAGE, label="valid", **_VALID) for op in ("MaxPool", "AvgPool")],
    *[case(op, _VOLUME, label="cube", **_CUBE) for op in ("MaxPool3D", "AvgPool3D")],
    *[case(op, f32(2, 3, 4, 6), label="channels-first", order=1, **_FIRST) for op in ("MaxPool", "AvgPool")],
    *[case(op, f16(2, 5, 6, 3), label="half", **_SAME) for op in ("MaxPool", "AvgPool")],
    case("MaxPool", _IMAGE, label="explicit", order=1, **{**_SAME, **_EXPLICIT}),
    case("MaxPoolV2", _IMAGE, *_WINDOW, label="same", padding="SAME"),
    case("MaxPoolV2", _IMAGE, *_WINDOW, label="valid", padding="VALID"),
    case("MaxPoolV2", _IMAGE, given([1, 2, 2, 1], "int32"), given([1, 2, 2, 1], "int32"), label="fed", padding="SAME"),
    *[
        case("MaxPoolWithArgmax", _IMAGE, label=f"batch:{included}", order=1, include_batch_in_index=included, **_SAME)
        for included in (True, False)
    ],
    # Not smooth in what is pooled: where the maxima lie counts as constant.
    case("MaxPoolGrad", _IMAGE, _POOLED, _POOLED, label="same", smooth=False, **_SAME),
    case("MaxPoolGradV2", _IMAGE, _POOLED, _POOLED, *_WINDOW, label="same", smooth=False, padding="SAME"),
    case("MaxPoolGradGrad", _IMAGE, _POOLED, _IMAGE, label="same", smooth=False, **_SAME),
    # corners of the images: numbers in steps of four, which numpy 2.4 negates wrongly in their place
    case(
        "MaxPool",
        given(_CORNERS),
        ksize=(1, 3, 3, 1),
        strides=(1, 2, 2, 1),
        padding="SAME",
        label="steps",
        smooth=False,
    ),
    case(
        "MaxPool3D",
        given(np.zeros((1, 3, 3, 2, 1))),
        ksize=(1, 2, 1, 2, 1),
        strides=(1, 2, 1, 2, 1),
        padding="SAME",
        label="ties",
        smooth=False,
    ),
    case("MaxPool3DGrad", _VOLUME, _POOLED_VOLUME, _POOLED_VOLUME, label="cube", smooth=False, **_CUBE),
    case("MaxPool3DGradGrad", _VOLUME, _POOLED_VOLUME, _VOLUME, label="cube", smooth=False, **_CUBE),
    case("AvgPoolGrad", const([2, 5, 6, 3]), _POOLED, label="same", **_SAME),
    case("AvgPoolGrad", given([2, 5, 6, 3], "int32"), _POOLED, label="fed", **_SAME),
    case("AvgPool3DGrad", const([1, 4, 4, 5, 2]), _POOLED_VOLUME, label="cube", **_CUBE),
    *[
        case(op, f32(2, 7, 9, 2), label=f"overlapping:{overlapping}", order=1, overlapping=overlapping, **_FRACTION)
        for op in ("FractionalMaxPool", "FractionalAvgPool")
        for overlapping in (True, False)
    ],
    case("FractionalMaxPool", f32(2, 7, 9, 2), label="pseudo-random", order=1, pseudo_random=True, **_FRACTION),
]
