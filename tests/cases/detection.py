"""Boxes chosen and drawn. Draws beside TensorFlow cover the corners; these rows keep its numbers."""

from tests.cases import case as _case
from tests.cases import const, f32, given

_BOXES = given(
    [[0, 0, 1, 1], [0, 0.1, 1, 1.1], [0, -0.1, 1, 0.9], [0, 10, 1, 11], [1.1, 10.1, 0.1, 11.1], [0, 100, 1, 101]]
)
_SCORES = given([0.9, 0.75, 0.6, 0.95, 0.5, 0.3])
_MOST, _IOU, _LEAST = const(3), const(0.5, "float32"), const(0.4, "float32")


def case(op, *inputs, **attrs):  # type: ignore[no-untyped-def]
    return _case(op, *inputs, order=1, smooth=False, **attrs)


CASES = [
    case("NonMaxSuppression", _BOXES, _SCORES, _MOST),
    case("NonMaxSuppressionV2", _BOXES, _SCORES, _MOST, _IOU),
    case("NonMaxSuppressionV3", _BOXES, _SCORES, _MOST, _IOU, _LEAST),
    *[
        case("NonMaxSuppressionV4", _BOXES, _SCORES, const(5), _IOU, _LEAST, pad_to_max_output_size=pad)
        for pad in (False, True)
    ],
    *[
        case("NonMaxSuppressionV5", _BOXES, _SCORES, const(6), _IOU, const(0.1, "float32"), const(sigma, "float32"))
        for sigma in (0.0, 0.5)
    ],
    case(
        "NonMaxSuppressionWithOverlaps",
        given([[1.0, 0.8, 0.1], [0.8, 1.0, 0.2], [0.1, 0.2, 1.0]]),
        given([0.5, 0.9, 0.4]),
        _MOST,
        _IOU,
        _LEAST,
    ),
    *[
        case(
            "CombinedNonMaxSuppression",
            given([[[[0.0, 0.0, 0.6, 0.6]], [[0.0, 0.1, 0.6, 0.7]], [[0.5, 0.5, 1.2, 1.2]]]]),
            given([[[0.9, 0.2], [0.8, 0.7], [0.1, 0.6]]]),
            const(2),
            const(5),
            _IOU,
            const(0.15, "float32"),
            pad_per_class=pad,
            clip_boxes=pad,
        )
        for pad in (False, True)
    ],
    case("DrawBoundingBoxes", f32(1, 4, 5, 3), given([[[0.1, 0.2, 0.9, 0.8], [-0.2, 0.5, 0.6, 1.4]]])),
    case("DrawBoundingBoxesV2", f32(1, 4, 5, 1), given([[[0.1, 0.2, 0.9, 0.8]]]), given([[0.25, 0.5, 0.75, 1.0]])),
]
