"""Shapes of the nodes that steer, which hand values on. A loop variable has the shape it enters with, as long as the
next iteration's value has it too.
"""

from __future__ import annotations

from graphgrad.attributes import Shape
from graphgrad.graph import Operation
from graphgrad.registry import shape, shapes
from graphgrad.shapes import dims
from graphgrad.shapes._loops import BACK_EDGES, back_edge, open_merges
from graphgrad.shapes.common import same_as_first, scalar

shapes(same_as_first, "Enter", "RefEnter", "Exit", "RefExit", "NextIteration", "RefNextIteration")
shapes(scalar, "LoopCond")


@shape("Switch", "RefSwitch")
def switch(op: Operation) -> list[Shape]:
    return [op.inputs[0].shape] * 2


@shape("RefSelect")
def select(op: Operation) -> Shape:
    """Known where all have the same shape, and that in full."""
    found = {t.shape for t in op.inputs[1:]}
    shape = found.pop()
    return shape if not found and dims.is_known(shape) else None


@shape("Merge", "RefMerge")
def merge(op: Operation) -> list[Shape]:
    if back_edge(op) is None:
        return [dims.common(t.shape for t in op.inputs), ()]
    loose = op.graph.loop_shapes
    if op in loose:
        return [loose[op], ()]
    if not op.is_built:
        declared = op.annotation("_output_shapes")
        if (
            declared
        ):  # as a MetaGraphDef has them; shapes that a loop variable was said to keep to are told nowhere else
            return [declared[0], ()]
        open_merges.append(op)
    return [next((t.shape for t in op.inputs if t.op.type not in BACK_EDGES), None), ()]
