"""NaN and infinity in images and boxes, and in the ranges that numbers are quantized to, where comparisons decide what becomes of them."""

from __future__ import annotations

import numpy as np

from tests.cases import Case, const, given
from tests.cases.corners import corner
from tests.cases.unbounded import spoiled

_NAN, _INF = np.nan, np.inf
_SCALES = [(0.6, 1.5), (1.75, 0.5)]
_SCORES = given([0.8, 0.5, 0.3, 0.9, 0.5, 0.7])
_PLACES = [*range(3), 8, 9, 10]


def _number(value: float, dtype: str = "float32") -> object:
    return const(value, dtype)


def _scaled(kernel: str, antialias: bool) -> list[Case]:
    """Both directions."""
    found = []
    for scale in _SCALES:
        numbers = (given(scale), given((-0.5, 0.75)))
        attrs = {"kernel_type": kernel, "antialias": antialias, "label": f"{kernel}:{antialias}:{scale}", "order": 0}
        found.append(corner("ScaleAndTranslate", spoiled(2, 5, 4, 2), const([4, 6]), *numbers, **attrs))
        found.append(
            corner("ScaleAndTranslateGrad", spoiled(2, 4, 6, 2, share=1 / 16), spoiled(2, 5, 4, 2), *numbers, **attrs)
        )
    return found


CASES: list[Case] = [
    *[case for kernel in ("lanczos1", "triangle", "keyscubic") for it in (False, True) for case in _scaled(kernel, it)],
    *[
        corner("AdjustSaturation", spoiled(3, 4, 3, share=1 / 4), _number(scale), label=f"{scale}", order=0)
        for scale in (0.5, -1.0, _INF, _NAN)
    ],
    *[
        corner(
            "QuantizeAndDequantizeV2",
            given(np.where(np.arange(11) == place, _NAN, np.linspace(-2, 3, 11)), dtype),
            *(_number(0, dtype), _number(0, dtype)),
            signed_input=True,
            num_bits=4,
            range_given=False,
            label=f"{dtype}:{place}",
            order=0,
        )
        for dtype in ("float32", "float64")
        for place in _PLACES
    ],
    *[
        corner(
            "NonMaxSuppressionV5",
            spoiled(6, 4, seed=seed, share=1 / 12),
            _SCORES,
            *(const(6), _number(0.3), _number(-1), _number(sigma)),
            label=f"{seed}:{sigma}",
            order=0,
        )
        for seed in range(4)
        for sigma in (0, 0.5)
    ],
    corner("DrawBoundingBoxes", spoiled(2, 4, 5, 3, share=0), spoiled(2, 5, 4, share=1 / 6), label="", order=0),
    *[
        corner(
            "ImageProjectiveTransformV2",
            spoiled(3, 4, 5, 1),
            spoiled(3, 8, seed=seed, share=1 / 10),
            const([3, 4]),
            interpolation=interpolation,
            fill_mode=fill_mode,
            label=f"{seed}:{interpolation}:{fill_mode}",
            order=0,
        )
        for seed in range(2)
        for interpolation in ("NEAREST", "BILINEAR")
        for fill_mode in ("CONSTANT", "REFLECT", "WRAP", "NEAREST")
    ],
]
