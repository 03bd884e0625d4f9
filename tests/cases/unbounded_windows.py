"""NaN and infinity in convolutions: which of them meet the zeros around images and between distant windows."""

from __future__ import annotations

from typing import Any

from tests.cases import Case, const
from tests.cases.corners import corner
from tests.cases.unbounded import spoiled

_PLANES = (3, 5, 4, 2)
_VOLUMES = ((1, 3, 4, 3, 2), (2, 3, 4, 3, 2))


def _gradients(
    op: str, x: tuple[int, ...], kernel: tuple[int, ...], y: tuple[int, ...], dtype: str, **attrs: Any
) -> list[Case]:
    """Of inputs and filters, each with one argument that is not finite and one that is."""
    found = []
    for which, shares in (("filter", (1 / 8, 0)), ("gradient", (0, 1 / 8))):
        filters, dy = spoiled(*kernel, dtype=dtype, share=shares[0]), spoiled(*y, dtype=dtype, share=shares[1])
        label = f"{dtype}:{list(x)}:{list(y)}:{which}"
        version = "V2" if op.startswith("Conv3D") else ""
        found.append(corner(f"{op}BackpropInput{version}", const(x), filters, dy, label=label, order=0, **attrs))
        images = spoiled(*x, dtype=dtype, share=shares[0] / 4)
        found.append(corner(f"{op}BackpropFilter{version}", images, const(kernel), dy, label=label, order=0, **attrs))
    return found


CASES: list[Case] = [
    *_gradients("Conv2D", _PLANES, (3, 3, 2, 3), (3, 3, 2, 3), "float64", strides=(1, 2, 2, 1), padding="SAME"),
    *_gradients("Conv2D", _PLANES, (3, 3, 2, 3), (3, 5, 4, 3), "float64", strides=(1, 1, 1, 1), padding="SAME"),
    *_gradients("Conv2D", _PLANES, (2, 3, 2, 3), (3, 4, 2, 3), "float64", strides=(1, 1, 1, 1), padding="VALID"),
    *_gradients(
        "DepthwiseConv2dNative", _PLANES, (3, 2, 2, 2), (3, 3, 2, 4), "float64", strides=(1, 2, 2, 1), padding="SAME"
    ),
    *_gradients(
        "DepthwiseConv2dNative", _PLANES, (3, 2, 2, 2), (3, 3, 3, 4), "float64", strides=(1, 1, 1, 1), padding="VALID"
    ),
    *[
        case
        for shape in _VOLUMES
        for case in [
            *_gradients(
                *("Conv3D", shape, (2, 3, 2, 2, 3), (shape[0], 2, 2, 3, 3), "float64"),
                strides=(1, 2, 2, 1, 1),
                padding="SAME",
            ),
            *_gradients(
                *("Conv3D", shape, (2, 2, 2, 2, 3), (shape[0], 2, 2, 1, 3), "float64"),
                strides=(1, 1, 2, 2, 1),
                padding="VALID",
            ),
        ]
    ],
    corner(
        "LRNGrad",
        *[
            spoiled(4, 6, 5, 7, dtype="float32", seed=seed, share=share)
            for seed, share in ((1, 1 / 60), (2, 1 / 90), (3, 1 / 90))
        ],
        depth_radius=2,
        bias=2.0,
        alpha=0.1,
        beta=0.5,
        label="float32",
        order=0,
    ),
]
