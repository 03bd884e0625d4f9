"""Static shapes of reductions, scans and searches along axes. Unknown axes leave unknown dimensions, never an error."""

from __future__ import annotations

from graphgrad.attributes import Shape
from graphgrad.graph import Operation
from graphgrad.registry import shape, shapes
from graphgrad.shapes import dims, values
from graphgrad.shapes.common import same_as_first


def reduced(op: Operation) -> Shape:
    """The input's shape without the axes of the second input, or with ones in their place."""
    x, keep = op.inputs[0].shape, op["keep_dims"]
    axes = values.complete(op.inputs[1])
    if axes is None:
        return dims.unknown(dims.rank_of(x)) if keep else None
    if x is None:
        return None
    places = {axis + len(x) if axis < 0 else axis for axis in axes}
    if keep:
        return tuple(1 if i in places else d for i, d in enumerate(x))
    return tuple(d for i, d in enumerate(x) if i not in places)


def largest(op: Operation) -> list[Shape]:
    """k elements along the innermost axis, and their places."""
    k = op["k"] if op.type == "TopK" else values.scalar(op.inputs[1])
    x = op.inputs[0].shape
    return [x and (*x[:-1], k)] * 2


@shape("ApproxTopK")
def approx_top_k(op: Operation) -> list[Shape]:
    """k elements along the axis searched, and their places; how many there are before aggregation is the device's."""
    k = op["k"] if op["aggregate_to_topk"] else None
    return [dims.replace(op.inputs[0].shape, op["reduction_dimension"], k)] * 2


@shape("NthElement")
def nth_element(op: Operation) -> Shape:
    x = op.inputs[0].shape
    return x and x[:-1]


@shape("Bincount")
def bincount(op: Operation) -> Shape:
    return (values.scalar(op.inputs[1]),)


@shape("DenseBincount")
def dense_bincount(op: Operation) -> Shape:
    """One histogram, or one for each row; nothing but the rank is said before their size is known."""
    x, count = op.inputs[0].shape, values.scalar(op.inputs[1])
    if x is None or count is None:
        return dims.unknown(dims.rank_of(x))
    return (*x[:-1], count)


@shape("HistogramFixedWidth")
def histogram(op: Operation) -> Shape:
    return (values.scalar(op.inputs[2]),)


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
shapes(largest, "TopK", "TopKV2")
shapes(same_as_first, "Cumsum", "Cumprod", "CumulativeLogsumexp")
