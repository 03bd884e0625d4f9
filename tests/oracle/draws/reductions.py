"""Reductions, scans, searches along axes, and products of matrices."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.oracle.draws import ALL, Drawer, dtype_of, sketch


@sketch("Sum", "Mean", "Prod", "Max", "Min", "EuclideanNorm", corners=True)
def reduction(d: Drawer, op: str) -> Any:
    shape, dtype = d.shape(), d.dtype(op)
    x = d.tensor(shape, dtype)
    if op in ("Max", "Min") and d.chance(0.2):
        x = d.g.Round(x)
    if op == "Prod" and d.chance(0.2):
        x = d.g.Relu(x) if dtype not in ("complex64", "complex128") else x
    if d.chance(0.06):
        axes = d.g.Range(d.const(0), d.g.Rank(x), d.const(1))
    elif shape and d.chance(0.15):
        axes = d.index(d.axis(len(shape)))
    else:
        chosen = d.axes(len(shape))
        axes = d.index(chosen if d.chance(0.7) else list(range(len(shape))))
    return d.op(op, x, axes, keep_dims=d.chance(0.4))


@sketch("Cumsum", "Cumprod", "CumulativeLogsumexp", corners=True)
def scan(d: Drawer, op: str) -> Any:
    if op == "CumulativeLogsumexp":
        d.corners = False  # TensorFlow's loses NaN on the way: docs/fidelity.md
    shape = d.shape(1)
    dtype = d.dtype(op)
    axis = d.index(d.axis(len(shape)))
    return d.op(op, d.tensor(shape, dtype), axis, exclusive=d.chance(0.4), reverse=d.chance(0.4))


@sketch("ArgMax", "ArgMin", corners=True)
def search(d: Drawer, op: str) -> Any:
    shape = d.dims(d.integer(1, 3), 2)
    x = d.tensor(shape, d.dtype(op))
    output = dtype_of(d.pick("int32", "int64", *(("int16", "uint16") if op == "ArgMax" else ())))
    axis = d.index(d.axis(len(shape)), d.pick("int32", "int64", *(("int16",) if op == "ArgMax" else ())))
    return [*d.op(op, x, axis, output_type=output), *d.op("Square", x)]


@sketch("TopKV2", "TopK", corners=True)
def top_k(d: Drawer, op: str) -> Any:
    d.least_corner = -np.inf  # TensorFlow ranks NaN by where it stands in an array
    shape = d.dims(d.integer(1, 4), 2)
    k = d.integer(0 if d.chance(0.1) else 1, shape[-1])
    x = d.tensor(shape, d.dtype(op), rank_known=d.chance(0.8))
    if op == "TopK":
        d.graph.message.versions.producer = 6
        return d.op(op, x, k=k, sorted=d.chance(0.8))
    index = dtype_of(d.pick("int32", "int32", "int64", "int16"))
    return d.op(op, x, d.index(k, d.pick("int32", "int64", "int16")), sorted=d.chance(0.9), index_type=index)


@sketch("ApproxTopK")
def approx_top_k(d: Drawer, op: str) -> Any:
    d.numbers = False  # which of the largest elements are found is left open
    d.know_more()
    shape = d.dims(d.integer(1, 3), 2)
    axis = d.axis(len(shape))
    x = d.tensor(shape, d.dtype(op), rank_known=True)
    # without aggregate_to_topk TensorFlow's static size is another than its kernel's
    k, attrs = d.integer(1, shape[axis]), {"recall_target": d.pick(0.95, 0.5)}
    if d.chance(0.3):
        attrs["reduction_input_size_override"] = shape[axis] * 2
    return d.op(op, x, k=k, reduction_dimension=axis, is_max_k=d.chance(0.5), **attrs)


@sketch("NthElement", corners=True)
def nth_element(d: Drawer, op: str) -> Any:
    d.least_corner = -np.inf  # TensorFlow ranks NaN by where it stands in an array
    shape = d.dims(d.integer(1, 4), 2)
    n = d.index(d.integer(0, shape[-1] - 1), "int32")
    x = d.tensor(shape, d.dtype(op))
    return d.op(op, d.g.Round(x) if d.chance(0.3) else x, n, reverse=d.chance(0.4))


@sketch("MatMul", "SparseMatMul")
def matmul(d: Drawer, op: str) -> Any:
    m, k, n = d.dims(3)
    ta, tb = d.chance(0.4), d.chance(0.4)
    attrs: dict[str, Any] = {"transpose_a": ta, "transpose_b": tb}
    if op == "SparseMatMul":
        first, second = (d.pick("float32", "float32", "bfloat16") for _ in range(2))
        attrs |= {"a_is_sparse": d.chance(0.4), "b_is_sparse": d.chance(0.4)}
    else:
        first = second = d.dtype(op)
        attrs |= {"grad_a": d.chance(0.1), "grad_b": d.chance(0.1)}
    a = d.tensor((k, m) if ta else (m, k), first)
    return d.op(op, a, d.operand((n, k) if tb else (k, n), second), **attrs)


@sketch("BatchMatMul", "BatchMatMulV2", "BatchMatMulV3")
def batch_matmul(d: Drawer, op: str) -> Any:
    m, k, n = d.dims(3)
    batch = d.shape(0, 2)
    first, second = (batch, batch) if op == "BatchMatMul" or d.chance(0.4) else (d.narrowed(batch), d.narrowed(batch))
    ta, tb = d.chance(0.4), d.chance(0.4)
    dtype = d.dtype(op, "Ta" if op == "BatchMatMulV3" else "T")
    a = d.tensor((*first, k, m) if ta else (*first, m, k), dtype)
    b = d.operand((*second, n, k) if tb else (*second, k, n), dtype)
    attrs: dict[str, Any] = {"Tout": a.dtype} if op == "BatchMatMulV3" else {}
    if op == "BatchMatMulV3" and d.chance(0.1):
        d.numbers = False  # TensorFlow has no kernel of mixed floats
        attrs["Tout"] = dtype_of(d.pick(*ALL))
    return d.op(op, a, b, adj_x=ta, adj_y=tb, grad_x=d.chance(0.1), grad_y=d.chance(0.1), **attrs)


# Of labels that one operand alone has at most one is reduced: the order of several follows Python's hashes in TensorFlow.
EQUATIONS = (
    "ab,bc->ac", "ab,cb->ac", "abc,acd->abd", "ab->ba", "ab->a", "aab->ab", "aa->a", "a,b->ab",
    "...a,...a->...", "...ab,bc->...ac", "abcd,aefd->abcef", "ab,b->a", "ab,ab->ab", "abc,cd->abd", "ab...,b...->a...",
    "abc->cba", "aabb->ab", "ab,c->abc", "abc,bd->acd", "a...,...->a...", "ab,bcd->acd", "abab->a",
)  # fmt: skip


def drawn_equation(d: Drawer) -> str:
    """Labels at random, some twice in an operand, some left out of the result."""
    operands = [[d.pick(*"abcd") for _ in range(d.integer(0, 3))] for _ in range(d.integer(1, 2))]
    result, reduced = [], set()
    for label in dict.fromkeys(label for labels in operands for label in labels):
        holders = [i for i, labels in enumerate(operands) if label in labels]
        if d.chance(0.4) and (len(holders) == 2 or holders[0] not in reduced):
            reduced |= set(holders[:1] if len(holders) == 1 else ())
        else:
            result.insert(d.integer(0, len(result)), label)
    if d.chance(0.3):
        for labels in (result, operands[0], *(o for o in operands[1:] if d.chance(0.6))):
            labels.insert(d.integer(0, len(labels)), "...")
    return f"{','.join(''.join(labels) for labels in operands)}->{''.join(result)}"


@sketch("Einsum", "XlaEinsum")
def einsum(d: Drawer, op: str) -> Any:
    equation = d.pick(*EQUATIONS) if d.chance(0.4) else drawn_equation(d)
    if op == "XlaEinsum":
        d.numbers = False
        equation = d.pick("ab,bc->ac", "abc,acd->abd", "ab,cb->ac")
    sizes = dict(zip("abcdef", d.dims(6), strict=True))
    batch = d.shape(0, 2)
    dtype = (
        d.dtype(op, among=("float32", "float64", "bfloat16", "complex64"))
        if op == "XlaEinsum"
        else d.pick("float32", "float32", *ALL)
    )
    operands = []
    for labels in equation.split("->")[0].split(","):
        shape: list[int] = []
        before, dots, after = labels.partition("...")
        shape += [sizes[label] for label in before]
        if dots:
            shape += d.narrowed(batch)
        shape += [sizes[label] for label in after]
        operands.append(d.tensor(shape, dtype))
    if op == "XlaEinsum":
        return d.op(op, *operands, equation=equation)
    return d.op(op, operands, equation=equation)
