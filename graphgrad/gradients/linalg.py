"""Gradients of matrix products and decompositions. Operands are conjugated where they are complex."""

from __future__ import annotations

from graphgrad.gradients._einsum import gradient_of_einsum
from graphgrad.gradients._matrices import sum_over_batch
from graphgrad.registry import gradient, gradients

# (transpose_a, transpose_b) -> for each operand's gradient its two factors and their flags, z = op(x) op(y)
MATMUL_GRADIENTS = {
    (False, False): (("dz", "y", False, True), ("x", "dz", True, False)),
    (False, True): (("dz", "y", False, False), ("dz", "x", True, False)),
    (True, False): (("y", "dz", False, True), ("x", "dz", False, False)),
    (True, True): (("y", "dz", True, True), ("dz", "x", True, True)),
}


@gradient("MatMul")
def matmul(g, op, dz):
    """z = x y, either side possibly transposed: dx = dz yᵀ, dy = xᵀ dz."""
    factors = {"x": g.conj(op.inputs[0]), "y": g.conj(op.inputs[1]), "dz": dz}
    (a, b, *flags_x), (c, d, *flags_y) = MATMUL_GRADIENTS[op["transpose_a"], op["transpose_b"]]
    dx = g.MatMul(factors[a], factors[b], transpose_a=flags_x[0], transpose_b=flags_x[1], grad_a=True)
    dy = g.MatMul(factors[c], factors[d], transpose_a=flags_y[0], transpose_b=flags_y[1], grad_b=True)
    return dx, dy


@gradient("BatchMatMul", "BatchMatMulV2", "BatchMatMulV3")
def batch_matmul(g, op, dz):
    """As for matrices; batch dimensions that were broadcast are summed again."""
    x, y = op.inputs
    factors = {"x": x, "y": y, "dz": dz}
    (a, b, *flags_x), (c, d, *flags_y) = MATMUL_GRADIENTS[op["adj_x"], op["adj_y"]]
    if op.type == "BatchMatMul":
        return g.matmul(factors[a], factors[b], *flags_x), g.matmul(factors[c], factors[d], *flags_y)
    dx = g.matmul(factors[a], factors[b], *flags_x, grad_a=True)
    dy = g.matmul(factors[c], factors[d], *flags_y, grad_b=True)
    x_batch, y_batch = (None if t.shape is None else t.shape[:-2] for t in (x, y))
    plain = x_batch == () and y_batch == ()
    if plain or (x_batch is not None and None not in x_batch and x_batch == y_batch):
        return dx, dy
    return sum_over_batch(g, x, y, dx, dy)


@gradient("SparseMatMul")
def sparse_matmul(g, op, dz):
    """As for dense matrices, each factor as sparse as the op says; dz is taken as sparse where it comes from a Relu."""
    is_sparse = {op.inputs[0]: op["a_is_sparse"], op.inputs[1]: op["b_is_sparse"], dz: dz.op.type == "ReluGrad"}
    factors = {"x": op.inputs[0], "y": op.inputs[1], "dz": dz}

    def product(left, right, transpose_left, transpose_right, dtype):
        a, b = factors[left], factors[right]
        transposed = g.transpose(b) if transpose_right else b
        found = g.matmul(a, transposed, transpose_left, a_is_sparse=is_sparse[a], b_is_sparse=is_sparse[b])
        return g.cast(found, dtype)

    for_x, for_y = MATMUL_GRADIENTS[op["transpose_a"], op["transpose_b"]]
    return product(*for_x, op.inputs[0].dtype), product(*for_y, op.inputs[1].dtype)


@gradient("Cross")
def cross(g, op, dz):
    u, v = op.inputs
    return g.Cross(v, dz), g.Cross(dz, u)


gradients({"Einsum": gradient_of_einsum})


@gradient("XlaEinsum")
def xla_einsum(g, op, dz):
    """z = x y over shared labels: each operand's gradient is dz times the other, labels exchanged."""
    x, y = op.inputs
    operands, _, result = op["equation"].partition("->")
    left, right = operands.split(",")
    dx = g.XlaEinsum(dz, y, equation=f"{result},{right}->{left}")
    return dx, g.XlaEinsum(dz, x, equation=f"{result},{left}->{right}")
