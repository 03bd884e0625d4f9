"""Static shapes where operands know different things of them. The answers are TensorFlow's, found by tests/oracle/draws."""

from __future__ import annotations

from typing import Any

import pytest

from graphgrad import dtypes
from graphgrad.graph import Graph
from graphgrad.shapes.values import as_shape, python_shape


def shaped(g: Any, *shape: int | None, rank: bool = True) -> Any:
    return g.Placeholder(dtype=dtypes.float32, shape=shape if rank else None)


def unknown(g: Any) -> Any:
    return shaped(g, rank=False)


def fed_size(g: Any) -> Any:
    """A vector of a constant and a number that is fed."""
    return g.Pack([g.constant(3), g.Placeholder(dtype=dtypes.int32, shape=())])


def fed_axis(g: Any) -> Any:
    return g.Placeholder(dtype=dtypes.int32, shape=())


def of_unknown_shape(g: Any) -> Any:
    return g.Placeholder(dtype=dtypes.int32, shape=None)


def sparse(g: Any, *shape: int | None) -> Any:
    places = g.Placeholder(dtype=dtypes.int64, shape=(None, len(shape)))
    return g.DenseToCSRSparseMatrix(shaped(g, *shape), places)


def shape_of_two(g: Any) -> Any:
    """The shape of a constant's two different elements, whose static shape is not known."""
    return g.Shape(g.Unique(g.constant([3, 3, 1]))[0])


CASES = {
    "a shape followed, not run": (lambda g: g.Fill(shape_of_two(g), 1.0), (None,)),
    "a shape followed through a join": (lambda g: g.Fill(g.ConcatV2([shape_of_two(g), [1]], 0), 1.0), (None, 1)),
    "a shape followed through a slice": (
        lambda g: g.Fill(g.StridedSlice(shape_of_two(g), [0], [1], [1]), 1.0),
        (None,),
    ),
    "a shape run because it is cast": (lambda g: g.Fill(g.Cast(shape_of_two(g), DstT=dtypes.int64), 1.0), (2,)),
    "a shape run because it is passed on": (lambda g: g.Fill(g.Identity(shape_of_two(g)), 1.0), (2,)),
    "numbers with a fraction, run": (
        lambda g: g.Fill(g.Cast(g.Floor(g.Mul(g.constant([2.7, 3.2]), 1.5)), DstT=dtypes.int32), 1.0),
        (4, 4),
    ),
    "a default that may be fed": (lambda g: g.Fill(g.PlaceholderWithDefault([2, 3], shape=(2,)), 1.0), (None, None)),
    "packed numbers that say nothing": (
        lambda g: g.Fill(g.Pack([of_unknown_shape(g), of_unknown_shape(g)]), 1.0),
        (None, None),
    ),
    "the other factor's rank": (lambda g: g.BatchMatMul(unknown(g), shaped(g, 2, 5), adj_y=True), (None, 2)),
    "either of two alike": (lambda g: g.Cross(unknown(g), shaped(g, None)), (None,)),
    "channels of the bias": (lambda g: g.BiasAdd(shaped(g, 2, None), shaped(g, 4)), (2, 4)),
    "channels of the first version's bias": (lambda g: g.BiasAddV1(shaped(g, None, None), shaped(g, 3)), (None, 3)),
    "channels first": (
        lambda g: g.BiasAdd(shaped(g, None, None, 2), shaped(g, 3), data_format="NCHW"),
        (None, 3, 2),
    ),
    "half a size is none": (lambda g: g.ResizeBilinear(shaped(g, 1, 4, 4, 2), fed_size(g)), (1, None, None, 2)),
    "labels know the rows": (
        lambda g: g.SoftmaxCrossEntropyWithLogits(unknown(g), shaped(g, 1, 3))[0],
        (1,),
    ),
    "labels that broadcast": (
        lambda g: g.SoftmaxCrossEntropyWithLogits(shaped(g, 2, 3), shaped(g, 1, 3))[1],
        (2, 3),
    ),
    "channels of what arrives": (
        lambda g: g.BatchNormWithGlobalNormalizationGrad(
            unknown(g),
            *[unknown(g)] * 3,
            shaped(g, 1, None, 2, 3),
            variance_epsilon=1e-3,
            scale_after_normalization=True,
        )[1],
        (3,),
    ),
    "windows of one element, and what is padded": (
        lambda g: g.MaxPool(
            shaped(g, 1, 1, 2, 1),
            ksize=(1, 1, 1, 1),
            strides=(1, 3, 1, 1),
            padding="EXPLICIT",
            explicit_paddings=(0, 0, 1, 0, 0, 1, 0, 0),
        ),
        (1, 1, 3, 1),
    ),
    "a product of sparse batches": (
        lambda g: g.CSRSparseMatrixToDense(
            g.SparseMatrixSparseMatMul(sparse(g, None, 2, 3), sparse(g, 1, 3, 4), type=dtypes.float32),
            type=dtypes.float32,
        ),
        (None, 2, 4),
    ),
    "a product of sparse batches of several": (
        lambda g: g.CSRSparseMatrixToDense(
            g.SparseMatrixSparseMatMul(sparse(g, None, 2, 3), sparse(g, 5, 3, 4), type=dtypes.float32),
            type=dtypes.float32,
        ),
        (5, 2, 4),
    ),
    "a state of unknown rank": (lambda g: g.CudnnRNN(*[unknown(g)] * 4)[1], None),
    "the handle of a first tensor array": (lambda g: g.TensorArray(g.constant(3), dtype=dtypes.float32), None),
    "one piece along any axis": (lambda g: g.SplitV(shaped(g, 4, 3), [4], fed_axis(g), num_split=1)[0], (4, 3)),
}


@pytest.mark.parametrize("name", CASES)
def test_static_shape(name: str) -> None:
    make, expected = CASES[name]
    assert make(Graph().build).shape == expected


def test_what_shape_functions_compute_python_does_not_see() -> None:
    g: Any = Graph().build
    length = g.Sub(g.constant([3]), g.constant(1))
    assert (as_shape(length), python_shape(length)) == ((2,), (None,))
