"""Connectionist temporal classification."""

from tests.cases import case, const, f32, f64, given

PLACES = const([[0, 0], [0, 1], [1, 0], [1, 1], [1, 2]], "int64")
# The op gives its gradient beside its loss: that output has none, and so there is no second order.
ONCE = {"order": 1, "smooth": False, "tolerance": 4.0}


LOGITS = f32(6, 2, 4, low=-2, high=2)
# In the second step the labelling 0 falls out of a beam of three, and is met again before it would grow.
FALLS_OUT = [
    [[6.3, 10.7, -15.3, -0.8, 6.1, 8.1]],
    [[-0.2, 8.3, -5.4, -4.9, 0.5, 1.7]],
    [[-1.3, -4.1, 3.6, 0.2, -5.2, 12.0]],
]


def loss(op="CTCLoss", inputs=LOGITS, labels=(0, 1, 2, 2, 0), lengths=(6, 5), **attrs):
    return case(op, inputs, PLACES, const(labels), const(lengths), **{**ONCE, **attrs})


def alone(g, *inputs, **attrs):
    """The loss without the gradient."""
    return [g.CTCLoss(*inputs, **attrs)[0]]


CASES = [
    loss(label="plain"),
    loss(label="alone", graph=alone, smooth=True),
    loss(label="alone,not-merged", graph=alone, smooth=True, ctc_merge_repeated=False),
    # TensorFlow keeps the logarithms in float32 whatever the dtype.
    loss(label="double", inputs=f64(6, 2, 4), tolerance=200.0),
    loss(label="not-merged", ctc_merge_repeated=False),
    loss(label="collapsed", preprocess_collapse_repeated=True),
    loss(label="collapsed,not-merged", preprocess_collapse_repeated=True, ctc_merge_repeated=False),
    loss(label="ends-early", labels=(0, 3, 2, 1, 3)),
    loss(label="too-long", lengths=(6, 2), ignore_longer_outputs_than_inputs=True),
    loss(label="no-path", labels=(0, 1, 1, 1, 1), lengths=(6, 3)),
    loss(label="classes-of-a-vocabulary", inputs=f32(6, 2, 30, low=-5, high=5), labels=(3, 28, 7, 7, 0)),
    loss("CTCLossV2", label="no-kernel", labels=(1, 2, 3, 3, 1)),
    *[
        case("CTCGreedyDecoder", f32(7, 3, 4), const([7, 0, 4]), merge_repeated=merged, blank_index=blank)
        for merged in (False, True)
        for blank in (-1, 0)
    ],
    *[
        case(
            "CTCBeamSearchDecoder",
            *(f32(9, 3, 5, low=-3, high=3), const([9, 4, 7])),
            beam_width=width,
            top_paths=paths,
            merge_repeated=merged,
        )
        for width, paths, merged in ((1, 1, True), (3, 2, True), (10, 3, False))
    ],
    case("CTCBeamSearchDecoder", given(FALLS_OUT), const([3]), label="falls-out", beam_width=3, top_paths=3),
]
