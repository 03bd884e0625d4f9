"""NaN and infinity that become integers, that end the paths of a labelling, and that bands of a spectrogram share."""

from __future__ import annotations

import numpy as np

from graphgrad import dtypes
from tests.cases import Case, const, given
from tests.cases.corners import corner
from tests.cases.unbounded import spoiled

_NAN, _INF = np.nan, np.inf
_ONCE = {
    "preprocess_collapse_repeated": False,
    "ctc_merge_repeated": True,
    "ignore_longer_outputs_than_inputs": False,
}


def _logits(value: float) -> np.ndarray:
    """Of a label, the blank and what is in no labelling, at different times."""
    logits = np.linspace(-1, 2, 36).reshape(4, 3, 3)
    for sequence in range(3):
        logits[sequence, sequence, sequence] = value
    return logits


CASES: list[Case] = [
    *[
        corner(
            "QuantizeV2",
            spoiled(3, 3, 23, seed=8, share=1 / 3),
            *(given(low), given(high)),
            label=f"{dtype}:{mode}:{round_mode}:{axis}",
            order=0,
            T=dtypes.by_name(dtype),
            mode=mode,
            round_mode=round_mode,
            axis=axis,
        )
        for dtype in ("qint8", "qint16", "qint32", "quint8", "quint16")
        for mode, round_mode in (
            ("MIN_COMBINED", "HALF_AWAY_FROM_ZERO"),
            ("MIN_FIRST", "HALF_AWAY_FROM_ZERO"),
            ("SCALED", "HALF_AWAY_FROM_ZERO"),
            ("SCALED", "HALF_TO_EVEN"),
        )
        for axis, low, high in ((-1, -2.0, 3.0), (1, [-2.0, -1.0, 0.0], [3.0, 1.0, 2.0]))
        if mode != "MIN_FIRST" or axis == -1  # which takes no slices
        if (round_mode, axis) != ("HALF_TO_EVEN", -1) or dtype not in ("qint32", "qint8")  # refused, and oneDNN's
    ],
    *[
        corner(
            "CTCLoss",
            given(_logits(value)),
            *(const([[0, 0], [1, 0], [2, 0]], "int64"), const([0, 1, 0]), const([4, 4, 3])),
            label=str(value),
            order=0,
            **_ONCE,
        )
        for value in (_NAN, _INF, -_INF)
    ],
    *[
        corner(
            "Mfcc",
            given(np.where(np.arange(129) == np.reshape([0, 40, 62, 100], (1, 4, 1)), value, np.linspace(0.5, 2, 129))),
            const(16000),
            label=str(value),
            order=0,
            filterbank_channel_count=20,
            dct_coefficient_count=3,
            lower_frequency_limit=20.0,
            upper_frequency_limit=4000.0,
        )
        for value in (_NAN, _INF)
    ],
]
