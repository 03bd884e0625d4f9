"""Static shapes of Fourier transforms: the innermost axes change, real transforms keep half of the last."""

from __future__ import annotations

from graphgrad.attributes import Shape
from graphgrad.graph import Operation
from graphgrad.registry import shape, shapes
from graphgrad.shapes import values
from graphgrad.shapes.common import same_as_first

shapes(same_as_first, "FFT", "FFT2D", "FFT3D", "IFFT", "IFFT2D", "IFFT3D")

AXES = {"RFFT": 1, "RFFT2D": 2, "RFFT3D": 3, "IRFFT": 1, "IRFFT2D": 2, "IRFFT3D": 3}


@shape(*AXES)
def real_transform(op: Operation) -> Shape:
    """The lengths, where they are constant."""
    x, rank = op.inputs[0].shape, AXES[op.type]
    if x is None or len(x) < rank:
        return None
    lengths = values.complete(op.inputs[1])
    if lengths is None:
        return (*x[:-rank], *[None] * rank)
    *others, last = lengths
    return (*x[:-rank], *others, last // 2 + 1 if op.type[0] == "R" and last else last)
