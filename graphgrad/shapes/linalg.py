"""Static shapes of matrix products and decompositions. Batch dimensions lead, matrices are innermost."""

from __future__ import annotations

from graphgrad.attributes import Shape
from graphgrad.graph import Operation
from graphgrad.registry import shape, shapes
from graphgrad.shapes import dims
from graphgrad.shapes.common import merge_all


@shape("MatMul", "SparseMatMul")
def matmul(op: Operation) -> Shape:
    a, b = (t.shape or (None, None) for t in op.inputs[:2])
    return (a[1] if op["transpose_a"] else a[0], b[0] if op["transpose_b"] else b[1])


@shape("BatchMatMul")
def equal_batch_matmul(op: Operation) -> Shape:
    """Both have the same batch, so one of them is enough to know it."""
    a, b = (t.shape for t in op.inputs)
    batch = dims.merge(*(None if s is None else s[:-2] for s in (a, b)))
    rows, columns = a or (None, None), b or (None, None)
    if batch is None:
        return None
    return (*batch, rows[-1] if op["adj_x"] else rows[-2], columns[-2] if op["adj_y"] else columns[-1])


@shape("BatchMatMulV2", "BatchMatMulV3")
def batch_matmul(op: Operation) -> Shape:
    a, b = (t.shape for t in op.inputs)
    if a is None or b is None or len(a) < 2 or len(b) < 2:
        return None
    batch = dims.broadcast(a[:-2], b[:-2])
    return (*(batch or ()), a[-1] if op["adj_x"] else a[-2], b[-2] if op["adj_y"] else b[-1])


shapes(merge_all, "Cross")


@shape("Einsum", "XlaEinsum")
def einsum(op: Operation) -> Shape:
    """Each label has the size any of its places knows; the ellipsis is what the broadcast dimensions give."""
    operands, _, result = op["equation"].replace(" ", "").partition("->")
    sizes: dict[str, dims.Dim] = {}
    batch: Shape = ()
    for subscripts, tensor in zip(operands.split(","), op.inputs, strict=True):
        x = tensor.shape
        before, dots, behind = subscripts.partition("...")
        if x is None:
            batch = None if dots else batch
            continue
        rest = x[len(before) : len(x) - len(behind)]
        if dots:
            batch = dims.broadcast(batch, rest)
        for label, size in [*zip(before, x, strict=False), *zip(behind, x[len(x) - len(behind) :], strict=False)]:
            sizes[label] = dims.merge_dim(sizes.get(label), size)
    before, dots, behind = result.partition("...")
    if dots and batch is None:
        return None
    return (*(sizes.get(c) for c in before), *((batch or ()) if dots else ()), *(sizes.get(c) for c in behind))
