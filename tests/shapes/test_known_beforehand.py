"""What TensorFlow knows of a shape before the graph runs, where the obvious rule would know less."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from graphgrad import dtypes
from graphgrad.graph import Graph, Tensor

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
    "targets unknown": (lambda g: g.InTopK(x(g, (2, 5)), x(g, None, dtypes.int64), k=1), (2,)),
}


@pytest.mark.parametrize("what", KNOWN)
def test_the_shape_is_known(what: str) -> None:
    build, expected = KNOWN[what]
    assert build(Graph().build).shape == expected
