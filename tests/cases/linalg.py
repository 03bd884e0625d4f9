"""Matrix products and decompositions."""

from tests.cases import bf16, c64, case, f16, f32, f64

CASES = [
    case("MatMul", f32(2, 3), f32(3, 4)),
    case("MatMul", f32(3, 2), f32(3, 4), transpose_a=True),
    case("MatMul", f32(2, 3), f32(4, 3), transpose_b=True),
    case("MatMul", f32(3, 2), f32(4, 3), transpose_a=True, transpose_b=True),
    case("MatMul", c64(2, 3), c64(3, 2)),
    case("MatMul", f64(0, 3), f64(3, 2)),
    case("MatMul", f16(2, 3), f16(3, 4)),
    case("MatMul", bf16(2, 3), bf16(3, 4)),
    case("BatchMatMulV2", f32(2, 2, 3), f32(2, 3, 4)),
    case("BatchMatMulV2", f32(2, 1, 2, 3), f32(3, 4, 3), adj_y=True),
    case("BatchMatMulV2", f32(2, 3, 2), f32(2, 4, 3), adj_x=True, adj_y=True),
    case("BatchMatMul", f32(2, 2, 3), f32(2, 3, 4)),
    case("Einsum", [f32(2, 3), f32(3, 4)], equation="ab,bc->ac"),
    case("Einsum", [f32(2, 3, 4), f32(4, 2, 5)], equation="bsd,dhk->bhsk"),
    case("Einsum", [f32(2, 3)], equation="ab->b"),
    case("Einsum", [f32(5, 2, 3), f32(3, 4)], equation="...ab,bc->...ac"),
    case("Cross", f32(2, 3), f32(2, 3)),
]
