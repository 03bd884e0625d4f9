"""Gradients of resizing, cropping and warping images, of their patches and of colour spaces."""

from __future__ import annotations

import functools
import math
import operator

from graphgrad import dtypes
from graphgrad.functions import static_shape
from graphgrad.gradients import _colours  # noqa: F401  (registers the colour spaces)
from graphgrad.registry import gradient, no_gradient
from graphgrad.shapes import dims

no_gradient(
    *["ResizeBilinearGrad", "HSVToRGB", "ExtractGlimpse", "RandomCrop", "GenerateBoundingBoxProposals"],
    *["SampleDistortedBoundingBox", "SampleDistortedBoundingBoxV2"],
)


# ------------------------------------------------------------------ resizing
def grid(op):
    """How sampling points lie."""
    return {name: op[name] for name in ("align_corners", "half_pixel_centers")}


@gradient("ResizeBilinear")
def resize_bilinear(g, op, dz):
    return g.ResizeBilinearGrad(dz, op.inputs[0], **grid(op)), None


@gradient("ResizeBicubic")
def resize_bicubic(g, op, dz):
    image = op.inputs[0]
    if image.dtype not in (dtypes.float32, dtypes.float64):
        return None, None
    return g.ResizeBicubicGrad(dz, image, **grid(op)), None


@gradient("ResizeNearestNeighbor")
def resize_nearest_neighbor(g, op, dz):
    (image, _) = op.inputs
    static = image.shape
    size = list(static[1:3]) if static is not None and dims.is_known(static[1:3]) else g.shape(image)[1:3]
    return g.ResizeNearestNeighborGrad(dz, size, **grid(op)), None


@gradient("ScaleAndTranslate")
def scale_and_translate(g, op, dz):
    image, _, scale, translation = op.inputs
    how = {name: op[name] for name in ("kernel_type", "antialias")}
    return g.ScaleAndTranslateGrad(dz, image, scale, translation, **how), None, None, None


@gradient("CropAndResize")
def crop_and_resize(g, op, dz):
    """Of the boxes' gradient TensorFlow knows the bilinear form alone and takes it for the nearest pixels too."""
    image, boxes, index, _ = op.inputs
    static = static_shape(image)
    shape = g.shape(image) if static is None else list(static)
    dimage = None
    if image.dtype in (dtypes.float16, dtypes.float32, dtypes.float64):
        dimage = g.CropAndResizeGradImage(dz, boxes, index, shape, T=image.dtype, method=op["method"])
    return dimage, g.CropAndResizeGradBoxes(dz, image, boxes, index), None, None


# ------------------------------------------------------------------ warping
@gradient("ImageProjectiveTransformV2", "ImageProjectiveTransformV3")
def projective_transform(g, op, dz):
    """The gradient image, warped back by the inverse transform."""
    image, transforms = op.inputs[:2]
    if transforms.shape is not None and len(transforms.shape) == 1:
        transforms = transforms[None]
    back = inverse_transforms(g, transforms)
    size = g.shape(image)[1:3]
    how = {name: op[name] for name in ("interpolation", "fill_mode")}
    fill = [0.0] if op.type.endswith("V3") else []
    warped = getattr(g, op.type)(dz, back, size, *fill, **how)
    return [warped, *[None] * (len(op.inputs) - 1)]


def inverse_transforms(g, transforms):
    """Rows of eight numbers, of a 3 x 3 matrix all but the last, which is 1, as those of the inverse matrix."""
    with g.name_scope("flat_transforms_to_matrices"):
        rows = g.Reshape(transforms, g.constant([-1, 8]))
        count = g.shape(rows)[0]
        nine = g.concat([rows, g.ones([count, 1])], axis=1)
        matrices = g.Reshape(nine, g.constant([-1, 3, 3]))
    inverse = g.MatrixInverse(matrices)
    with g.name_scope("matrices_to_flat_transforms"):
        rows = g.Reshape(inverse, g.constant([-1, 9]))
        rows = rows / rows[:, 8:9]
        return rows[:, :8]


# ------------------------------------------------------------------ patches
@gradient("ExtractImagePatches")
def extract_image_patches(g, op, dz):
    how = {name: op[name] for name in ("ksizes", "strides", "rates", "padding")}
    return sum_of_copies(g, op, dz, how, dtypes.float32)


@gradient("ExtractVolumePatches")
def extract_volume_patches(g, op, dz):
    """TensorFlow multiplies by a sparse matrix, for which it needs static sizes; where they lack, copies are summed."""
    how = {name: op[name] for name in ("ksizes", "strides", "padding")}
    sizes = [t.shape and t.shape[1:4] for t in (op.inputs[0], op.outputs[0])]
    if all(map(dims.is_known, sizes)):
        return product_of_copies(g, op, dz, how, *sizes)
    return sum_of_copies(g, op, dz, how, dtypes.int64)


def sum_of_copies(g, op, dz, how, dtype):
    """Every pixel gets the sum over its copies; where these lie is seen from patches of an image of numbers."""
    rank = len(op["ksizes"])
    batch, *sizes, channels = unstack(g, g.shape(op.inputs[0], out_type=dtypes.int64), rank)
    outputs = unstack(g, g.shape(op.outputs[0], out_type=dtypes.int64)[1 : rank - 1], rank - 2)
    pixels = functools.reduce(operator.mul, sizes)
    numbers = g.Reshape(g.range(1, pixels + 1, dtype=dtype), [1, *sizes, 1])
    found = g.cast(getattr(g, op.type)(numbers, **how), dtypes.int64)
    copies = pixel_rows(g, op, dz, batch, outputs, channels)
    places = g.Reshape(found, [-1]) - 1  # padding stands at -1, which the sum leaves out
    return as_images(g, g.UnsortedSegmentSum(copies, places, pixels), sizes, batch, channels)


def product_of_copies(g, op, dz, how, sizes, outputs):
    """The same sum as the product with a sparse matrix, its ones where copies of a pixel lie; padding has row 0."""
    shape = g.shape(op.inputs[0])
    batch, channels = shape[0], shape[4]
    pixels = 1 + math.prod(sizes)
    numbers = g.Reshape(g.range(1, pixels, dtype=dtypes.int64), [1, *sizes, 1])
    found = getattr(g, op.type)(numbers, **how)
    taps = math.prod(op["ksizes"])
    count = math.prod(outputs) * taps
    columns = g.Reshape(g.range(0, count, dtype=dtypes.int64), [1, *outputs, taps])
    places = g.Reshape(g.concat([g.ExpandDims(found, -1), g.ExpandDims(columns, -1)], axis=-1), [-1, 2])
    ones = g.ones([count], dz.dtype)
    with g.name_scope("SparseTensor"):
        whole = g.constant([pixels, count], dtypes.int64, name="dense_shape")
    start, size = g.constant([1, 0], dtypes.int64), g.constant([pixels - 1, count], dtypes.int64)
    matrix = g.SparseSlice(places, ones, whole, start, size)
    copies = pixel_rows(g, op, dz, batch, outputs, channels)
    with g.name_scope("SparseTensorDenseMatMul") as scope:
        dx = g.SparseTensorDenseMatMul(*matrix, copies, name=scope + "SparseTensorDenseMatMul/")
    dx.has_shape((pixels - 1, dx.shape and dx.shape[1]))  # TensorFlow works the slice out
    return as_images(g, dx, sizes, batch, channels)


def pixel_rows(g, op, dz, batch, outputs, channels):
    """A row for every tap of every window, with the pixels of all images in it."""
    kernel_sizes = op["ksizes"][1:-1]
    taps = 2 * len(kernel_sizes)
    split = g.Reshape(g.dense(dz), [batch, *outputs, *kernel_sizes, channels])
    return g.Reshape(g.transpose(split, [*range(1, taps + 1), 0, taps + 1]), [-1, batch * channels])


def as_images(g, rows, sizes, batch, channels):
    """Undoes the order of `pixel_rows`."""
    rank = len(sizes)
    return g.transpose(g.Reshape(rows, [*sizes, batch, channels]), [rank, *range(rank), rank + 1])


def unstack(g, x, count):
    """The elements of a vector."""
    return g.Unpack(x, num=count, name="unstack")
