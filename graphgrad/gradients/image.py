"""Gradients of resizing."""

from __future__ import annotations

from graphgrad.registry import gradient
from graphgrad.shapes import dims

_GRID = ("align_corners", "half_pixel_centers")


def grid(op):
    """How sampling points lie."""
    return {name: op[name] for name in _GRID}


@gradient("ResizeBilinear")
def resize_bilinear(g, op, dz):
    return g.ResizeBilinearGrad(dz, op.inputs[0], **grid(op)), None


@gradient("ResizeBicubic")
def resize_bicubic(g, op, dz):
    return g.ResizeBicubicGrad(dz, op.inputs[0], **grid(op)), None


@gradient("ResizeNearestNeighbor")
def resize_nearest_neighbor(g, op, dz):
    (image, _) = op.inputs
    static = image.shape
    size = list(static[1:3]) if static is not None and dims.is_known(static[1:3]) else g.shape(image)[1:3]
    return g.ResizeNearestNeighborGrad(dz, size, **grid(op)), None
