"""Static shapes of resizing."""

from __future__ import annotations

from graphgrad.attributes import Shape
from graphgrad.graph import Operation
from graphgrad.registry import shape
from graphgrad.shapes import values


@shape("ResizeBilinear", "ResizeNearestNeighbor", "ResizeBicubic", "ResizeArea")
def resize(op: Operation) -> Shape:
    image = op.inputs[0].shape or (None,) * 4
    return (image[0], *(values.as_shape(op.inputs[1]) or (None, None)), image[3])


@shape("ResizeBilinearGrad", "ResizeBicubicGrad")
def resize_grad(op: Operation) -> Shape:
    return op.inputs[1].shape


@shape("ResizeNearestNeighborGrad")
def resize_nearest_neighbor_grad(op: Operation) -> Shape:
    dz = op.inputs[0].shape or (None,) * 4
    return (dz[0], *(values.as_shape(op.inputs[1]) or (None, None)), dz[3])
