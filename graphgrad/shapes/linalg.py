"""Static shapes of matrix products and decompositions. Batch dimensions lead, matrices are innermost."""

from __future__ import annotations

from graphgrad.attributes import Shape
from graphgrad.graph import Operation
from graphgrad.registry import shape
from graphgrad.shapes import dims


@shape("MatMul", "SparseMatMul")
def matmul(op: Operation) -> Shape:
    a, b = (t.shape or (None, None) for t in op.inputs)
    return (a[1] if op["transpose_a"] else a[0], b[0] if op["transpose_b"] else b[1])


@shape("BatchMatMul", "BatchMatMulV2", "BatchMatMulV3")
def batch_matmul(op: Operation) -> Shape:
    a, b = (t.shape for t in op.inputs)
    if a is None or b is None or len(a) < 2 or len(b) < 2:
        return None
    batch = dims.broadcast(a[:-2], b[:-2]) if op.type != "BatchMatMul" else dims.merge(a[:-2], b[:-2])
    return (*(batch or ()), a[-1] if op["adj_x"] else a[-2], b[-2] if op["adj_y"] else b[-1])
