"""What TensorFlow knows of a shape before the graph runs, where the obvious rule would know less."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from graphgrad import dtypes
from graphgrad.graph import Graph
from graphgrad.tensors import Tensor

Build = Callable[[Any], Tensor]


def x(g: Any, shape: Any, dtype: Any = dtypes.float32) -> Tensor:
    return g.Placeholder(dtype=dtype, shape=shape)  # type: ignore[no-any-return]


KNOWN: dict[str, tuple[Build, Any]] = {
    "transpose with axes from the end": (
        lambda g: g.Transpose(x(g, (1, 4, 3, 2)), g.constant([-1, 0, -3, 2], dtypes.int32)),
        (2, 1, 4, 3),
    ),
    "strings joined with unknown ones": (
        lambda g: g.StringJoin([x(g, None, dtypes.string), x(g, (), dtypes.string), x(g, (2, None), dtypes.string)]),
        (2, None),
    ),
    "labels unknown": (lambda g: g.SoftmaxCrossEntropyWithLogits(x(g, (1, 5)), x(g, None))[1], (1, 5)),
    "labels that broadcast": (lambda g: g.SoftmaxCrossEntropyWithLogits(x(g, (1, 5)), x(g, (3, 1)))[0], (3,)),
    "a convolution of any rank": (
        lambda g: g.Conv(x(g, (2, 5, 5, 3)), x(g, (2, 2, 3, 4)), strides=[1, 2, 1, 1], padding="VALID"),
        (2, 2, 4, 4),
    ),
    "one row of a ragged range": (
        lambda g: g.RaggedRange(*[x(g, (), dtypes.int32) for _ in range(3)])[0],
        (2,),
    ),
    "what is found in a dense table": (
        lambda g: g.LookupTableFindV2(
            g.MutableDenseHashTableV2(
                x(g, (), dtypes.int64), x(g, (), dtypes.int64), value_dtype=dtypes.float32, value_shape=(2,)
            ),
            x(g, (3,), dtypes.int64),
            x(g, (2,)),
        ),
        (3, 2),
    ),
    "a list joined": (
        lambda g: g.TensorListConcat(
            g.TensorListSplit(x(g, (4, 3)), g.constant([-1, 3], dtypes.int32), x(g, (2,), dtypes.int64)),
            element_dtype=dtypes.float32,
        )[0],
        (None, 3),
    ),
    "a shape turned round": (
        lambda g: g.Reshape(x(g, (6,)), g.ReverseV2(g.constant([3, 2], dtypes.int32), g.constant([0], dtypes.int32))),
        (2, 3),
    ),
    "rows of a sparse constant": (
        lambda g: g.SparseFillEmptyRows(
            g.Where(g.NotEqual(g.constant([[1, 0], [0, 3]], dtypes.int64), g.constant(0, dtypes.int64))),
            x(g, (2,)),
            g.SparseReshape(
                g.Where(g.constant([[True, False]], dtypes.bool_)),
                g.constant([1, 2], dtypes.int64),
                g.constant([-1, 1], dtypes.int64),
            )[1],
            x(g, ()),
        )[2],
        (2,),
    ),
    "padding of some axes": (
        lambda g: g.Fill(
            g.Reshape(
                g.Slice(
                    g.constant([[1, 2], [3, 4], [5, 6]], dtypes.int32),
                    g.constant([1, 0], dtypes.int32),
                    g.constant([-1, 1], dtypes.int32),
                ),
                g.constant([-1], dtypes.int32),
            ),
            x(g, ()),
        ),
        (3, 5),
    ),
    "sets of sparse tensors": (
        lambda g: g.SparseToSparseSetOperation(
            *[x(g, shape, dtypes.int64) for shape in ((None, 2), (None,), None) * 2], set_operation="union"
        )[0],
        (None, None),
    ),
    "targets unknown": (lambda g: g.InTopK(x(g, (2, 5)), x(g, None, dtypes.int64), k=1), (2,)),
}


@pytest.mark.parametrize("what", KNOWN)
def test_the_shape_is_known(what: str) -> None:
    build, expected = KNOWN[what]
    graph = Graph()
    graph.message.versions.producer = 2300
    assert build(graph.build).shape == expected
