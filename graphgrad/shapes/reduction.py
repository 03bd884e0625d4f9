"""Static shapes of reductions, scans and searches along axes. Unknown axes leave unknown dimensions, never an error."""

from __future__ import annotations

from graphgrad.attributes import Shape
from graphgrad.graph import Operation
from graphgrad.registry import shapes
from graphgrad.shapes import dims, values
from graphgrad.shapes.common import same_as_first


def reduced(op: Operation) -> Shape:
    """The input's shape without the axes of the second input, or with ones in their place."""
    x, keep = op.inputs[0].shape, op["keep_dims"]
    axes = values.complete(op.inputs[1])
    if axes is None:
        if keep:
            return dims.unknown(dims.rank_of(x))
        known = op.inputs[1].shape
        # A lone axis that is not known still takes exactly one dimension away.
        if x is not None and known is not None and dims.size(known) == 1:
            return (None,) * (len(x) - 1)
        return None
    if x is None:
        return None
    places = {axis + len(x) if axis < 0 else axis for axis in axes}
    if keep:
        return tuple(1 if i in places else d for i, d in enumerate(x))
    return tuple(d for i, d in enumerate(x) if i not in places)


def searched(op: Operation) -> Shape:
    """The input's shape without the axis searched."""
    x, axis = op.inputs[0].shape, values.scalar(op.inputs[1])
    if x is None:
        return None
    if axis is None or (place := dims.axis_of(axis, len(x))) is None:
        return (None,) * (len(x) - 1)
    return x[:place] + x[place + 1 :]


shapes(reduced, "Sum", "Mean", "Prod", "Max", "Min", "All", "Any", "EuclideanNorm")
shapes(searched, "ArgMax", "ArgMin")
shapes(same_as_first, "Cumsum", "Cumprod", "CumulativeLogsumexp")
