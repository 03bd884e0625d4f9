"""Static shapes of resizing, cropping, warping and patches of images, and of colour spaces."""

from __future__ import annotations

import math

from graphgrad.attributes import Shape
from graphgrad.graph import Operation
from graphgrad.registry import shape, shapes
from graphgrad.shapes import dims, values
from graphgrad.shapes._windows import output_size
from graphgrad.shapes.common import same_as_first
from graphgrad.shapes.dims import Dim
from graphgrad.tensors import Tensor


def _size(tensor: Tensor) -> tuple[Dim, Dim]:
    """Height and width that an operand gives, where it gives both."""
    size = values.complete(tensor)
    return (None, None) if size is None else (size[0], size[1])


def _images(op: Operation, number: int = 0) -> tuple[Dim, ...]:
    return dims.merge(op.inputs[number].shape, (None,) * 4) or ()


@shape("ResizeBilinear", "ResizeNearestNeighbor", "ResizeBicubic", "ResizeArea", "ScaleAndTranslate")
def resize(op: Operation) -> Shape:
    image = _images(op)
    return (image[0], *_size(op.inputs[1]), image[3])


@shape("ResizeBilinearGrad", "ResizeBicubicGrad", "ScaleAndTranslateGrad")
def resize_grad(op: Operation) -> Shape:
    return op.inputs[1].shape


@shape("ResizeNearestNeighborGrad")
def resize_nearest_neighbor_grad(op: Operation) -> Shape:
    dz = _images(op)
    return (dz[0], *_size(op.inputs[1]), dz[3])


@shape("ImageProjectiveTransformV2", "ImageProjectiveTransformV3")
def projective_transform(op: Operation) -> Shape:
    image = _images(op)
    return (image[0], *_size(op.inputs[2]), image[3])


@shape("CropAndResize")
def crop_and_resize(op: Operation) -> Shape:
    boxes, indices = (op.inputs[1].shape or (None,))[0], (op.inputs[2].shape or (None,))[0]
    return (dims.merge_dim(boxes, indices), *_size(op.inputs[3]), _images(op)[3])


@shape("CropAndResizeGradImage")
def crop_and_resize_grad_image(op: Operation) -> Shape:
    return dims.merge(values.as_shape(op.inputs[3]), (None,) * 4)


@shape("CropAndResizeGradBoxes")
def crop_and_resize_grad_boxes(op: Operation) -> Shape:
    return op.inputs[2].shape


@shape("ExtractImagePatches", "ExtractVolumePatches")
def patches(op: Operation) -> Shape:
    """One unknown size makes TensorFlow forget all (of volumes also the rank, which is wrong and not done here)."""
    sizes, strides = op["ksizes"], op["strides"]
    rates = op.get("rates") or (1,) * len(sizes)
    x = dims.merge(op.inputs[0].shape, (None,) * len(sizes)) or ()
    along = [
        output_size(x[axis], sizes[axis], strides[axis], op["padding"], (0, 0), rates[axis])
        for axis in range(1, len(sizes) - 1)
    ]
    along = [None] * len(along) if None in along else along
    return (x[0], *along, dims.product(x[-1], math.prod(sizes)))


@shape("RGBToHSV", "HSVToRGB")
def colours(op: Operation) -> Shape:
    x = op.inputs[0].shape
    return dims.replace(x, -1, 3)


shapes(same_as_first, "AdjustContrast", "AdjustContrastv2", "AdjustHue", "AdjustSaturation")


@shape("SampleDistortedBoundingBox", "SampleDistortedBoundingBoxV2", "StatelessSampleDistortedBoundingBox")
def sample_distorted_bounding_box(op: Operation) -> list[Shape]:
    return [(3,), (3,), (1, 1, 4)]


@shape("ExtractGlimpse", "ExtractGlimpseV2")
def extract_glimpse(op: Operation) -> Shape:
    image, offsets = _images(op), dims.merge(op.inputs[2].shape, (None, 2))
    return dims.merge((image[0], *_size(op.inputs[1]), image[3]), (*(offsets or ())[:1], None, None, None))
