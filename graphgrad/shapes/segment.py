"""Static shapes of segment reductions: a row per segment, each of the shape of a row of the data.

How many segments there are is known where an input says so.
"""

from __future__ import annotations

from graphgrad.attributes import Shape
from graphgrad.graph import Operation
from graphgrad.registry import shape, shapes
from graphgrad.shapes import values
from graphgrad.shapes.dims import Dim

REDUCTIONS = ("Max", "Min", "Prod", "Sum")
SPARSE = ("Mean", "Sum", "SqrtN")


def rows(op: Operation, count: Dim) -> Shape:
    """So many rows of the data."""
    data = op.inputs[0].shape
    return None if data is None else (count, *data[1:])


def uncounted(op: Operation) -> Shape:
    return rows(op, None)


def counted(op: Operation) -> Shape:
    """The last input is the number of rows."""
    return rows(op, values.scalar(op.inputs[-1]))


shapes(uncounted, "SegmentMean", *[f"Segment{r}" for r in REDUCTIONS], *[f"SparseSegment{r}" for r in SPARSE])
shapes(
    counted,
    *[f"SparseSegment{r}WithNumSegments" for r in SPARSE],
    *[f"SparseSegment{r}Grad" for r in SPARSE],
)


@shape(*[f"Segment{r}V2" for r in REDUCTIONS])
def counted_if_ids_are(op: Operation) -> Shape:
    """TensorFlow knows nothing where the rank of the ids is unknown."""
    return None if op.inputs[1].shape is None else counted(op)


@shape(*[f"SparseSegment{r}GradV2" for r in SPARSE])
def unique_rows(op: Operation) -> list[Shape]:
    return [rows(op, None), (None,)]


@shape(*[f"UnsortedSegment{r}" for r in REDUCTIONS])
def unsorted(op: Operation) -> Shape:
    """A row is what is left behind the axes of the ids."""
    data, ids = (t.shape for t in op.inputs[:2])
    return None if data is None or ids is None else (values.scalar(op.inputs[2]), *data[len(ids) :])
