"""Gradients of Fourier transforms.

A transform is a symmetric matrix F: the gradient of a complex one is its adjoint, the inverse up to the number of
points. A real one keeps half of a spectrum whose other half is the conjugate, so its rules weigh what stands for two.
"""

from __future__ import annotations

import math
from typing import Any

from graphgrad import dtypes
from graphgrad.dtypes import DType
from graphgrad.functions import GraphBuilder
from graphgrad.registry import gradient, no_gradient
from graphgrad.shapes import dims
from graphgrad.shapes.values import python_shape
from graphgrad.tensors import Tensor

no_gradient("AudioMicrofrontend")

COMPLEX_OF = {dtypes.float32: dtypes.complex64, dtypes.float64: dtypes.complex128}
# op type -> the transform back and the number of axes
INVERSES = {
    "FFT": ("IFFT", 1),
    "FFT2D": ("IFFT2D", 2),
    "FFT3D": ("IFFT3D", 3),
    "IFFT": ("FFT", 1),
    "IFFT2D": ("FFT2D", 2),
    "IFFT3D": ("FFT3D", 3),
}
REAL_INVERSES = {"RFFT": ("IRFFT", 1), "RFFT2D": ("IRFFT2D", 2), "IRFFT": ("RFFT", 1), "IRFFT2D": ("RFFT2D", 2)}


def points(g: GraphBuilder, x: Tensor, rank: int) -> Tensor:
    """The number of points of each transform of `x`."""
    return g.reduce_prod(g.shape(x)[-rank:])


@gradient("FFT", "FFT2D", "FFT3D")
def fft(g, op, dz):
    inverse, rank = INVERSES[op.type]
    count = g.cast(points(g, dz, rank), dz.dtype)
    return getattr(g, inverse)(dz) * count


@gradient("IFFT", "IFFT2D", "IFFT3D")
def ifft(g, op, dz):
    inverse, rank = INVERSES[op.type]
    share = g.cast(1.0 / g.cast(points(g, dz, rank), dz.dtype.real_dtype), dz.dtype)
    return getattr(g, inverse)(dz) * share


# ---------------------------------------------------------------------- real transforms
@gradient("RFFT", "RFFT2D")
def rfft(g, op, dz):
    """Half of the inverse transform, and half of the columns that stand for themselves alone: the first, the middle."""
    x, length = op.inputs
    inverse, rank = REAL_INVERSES[op.type]
    dz = g.dense(dz)
    shape = g.shape(x)
    is_even = g.cast(1 - length[-1] % 2, dz.dtype)
    first = dz[..., 0:1]
    if rank == 1:
        middle = dz[..., -1:]
        alone = first + is_even * middle * alternating(g, shape[-1], dz.dtype)
    else:
        alone = columns_alone(g, dz, first, is_even, shape)
    count = g.cast(points(g, x, rank), dz.dtype.real_dtype)
    back = real_transform(g, inverse, dz, length) * count
    return 0.5 * (back + g.Real(alone, Tout=dz.dtype.real_dtype)), None


def columns_alone(g: GraphBuilder, dz: Tensor, first: Tensor, is_even: Tensor, shape: Tensor) -> Tensor:
    """The first and the middle column, transformed along the rows."""
    matrix = spread_over(g, fourier_matrix(g, shape[-2], dz.dtype), first)
    alone = g.matmul(matrix, g.conj(first))
    middle = g.matmul(matrix, g.conj(dz[..., -1:]))
    width = shape[-1]
    middle = g.Tile(middle, g.concat([g.ones([g.rank(dz) - 1], dtypes.int32), [width]], 0))
    middle = middle * alternating(g, width, dz.dtype)
    return alone + is_even * middle


def alternating(g: GraphBuilder, length: Tensor, dtype: DType | None) -> Tensor:
    """1, -1, 1, -1 and so on."""
    return g.cast(1 - 2 * (g.range(0, length) % 2), dtype)  # type: ignore[no-any-return, arg-type]


def fourier_matrix(g: GraphBuilder, length: Tensor, dtype: DType | None) -> Tensor:
    """exp(-2πi jk / n) for all j and k."""
    rows = g.Tile(g.ExpandDims(g.range(0, length), 0), [length, 1])
    columns = g.transpose(rows, [1, 0])
    exponent = complex(0, -2 * math.pi) * g.cast(rows * columns, dtype)  # type: ignore[arg-type]
    return g.Exp(exponent / g.cast(length, dtype))  # type: ignore[no-any-return, arg-type]


def spread_over(g: GraphBuilder, matrix: Tensor, batch: Tensor) -> Tensor:
    """The matrix once for each matrix of a batch."""
    shape = g.concat([g.ones([g.rank(batch) - 2], dtypes.int32), g.shape(matrix)], 0)
    matrix = g.Reshape(matrix, shape)
    return g.Tile(matrix, g.concat([g.shape(batch)[:-2], [1, 1]], 0))  # type: ignore[no-any-return]


@gradient("IRFFT", "IRFFT2D")
def irfft(g, op, dz):
    """The transform over the number of points, doubled for all columns but the first and the middle."""
    x, length = op.inputs
    forward, rank = REAL_INVERSES[op.type]
    known = g.python_value(length)
    length = length if known is None else list(known.flat)
    is_odd = g.FloorMod(length[-1], 2, name="mod")
    width = g.shape(x)[-1]
    doubled = 2.0 * g.ones([width - 2 + is_odd], dz.dtype)
    weights = g.concat([[1.0], doubled, g.ones([1 - is_odd], dz.dtype)], 0)
    share = g.Reciprocal(g.cast(points(g, dz, rank), dz.dtype))
    spectrum = real_transform(g, forward, dz, length)
    return spectrum * g.cast(share * weights, COMPLEX_OF[dz.dtype]), None


def real_transform(g: GraphBuilder, op_type: str, x: Tensor, length: Any) -> Tensor:
    """TensorFlow's function of a real transform, which pads its input to the length."""
    rank = 2 if op_type.endswith("2D") else 1
    is_inverse = op_type[0] == "I"
    dtypes_of = {"Treal": x.dtype.real_dtype} if is_inverse else {"Tcomplex": COMPLEX_OF[x.dtype]}  # type: ignore[union-attr, index]
    with g.name_scope(op_type.lower()) as scope:
        x = g.dense(x)
        if not isinstance(length, Tensor):
            length = g.constant(length, dtypes.int32)
        x = padded(g, x, rank, length, is_inverse)
        known = g.python_value(length)
        given = length if known is None else list(known.flat)
        return getattr(g, op_type)(x, given, **dtypes_of, name=scope)  # type: ignore[no-any-return]


def padded(g: GraphBuilder, x: Tensor, rank: int, length: Tensor, is_inverse: bool) -> Tensor:
    """`x` with zeros behind its innermost axes up to the length; of a spectrum the last axis holds one half of it."""
    if x.shape is not None and 0 in x.shape:
        return x
    wanted = python_shape(length)
    if dims.is_known(wanted) and x.shape is not None and dims.is_known(present := x.shape[-len(wanted or ()) :]):
        assert wanted is not None
        wanted = (*wanted[:-1], wanted[-1] // 2 + 1) if is_inverse else wanted  # type: ignore[operator]
        gaps = [max(n - m, 0) for n, m in zip(wanted, present, strict=False)]  # type: ignore[operator]
        if not any(gaps):
            return x
        outer = [[0, 0]] * max(len(x.shape) - len(wanted), 0)
        return g.Pad(x, outer + [[0, gap] for gap in gaps])  # type: ignore[no-any-return]
    rank_of_x = g.rank(x)
    present = g.shape(x)[-rank:]
    outer = g.zeros([g.Maximum(0, rank_of_x - rank)], dtypes.int32)
    if is_inverse:
        length = g.concat([length[:-1], length[-1:] // 2 + 1], 0)
    behind = g.concat([outer, g.Maximum(0, length - present)], 0)
    return g.Pad(x, g.stack([g.zeros_like(behind), behind], axis=1))  # type: ignore[no-any-return]
