"""Matrix products and decompositions."""

from graphgrad import dtypes
from tests.cases import bf16, c64, case, f16, f32, f64, i8

SINGLE = {"smooth": False}  # the op takes nothing wider than float32

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
    case("BatchMatMul", c64(2, 3), c64(4, 3), adj_y=True),  # one matrix each: TensorFlow makes a MatMul of conjugates
    *[
        case("BatchMatMulV3", f32(*x), f32(*y), adj_x=adj_x, adj_y=adj_y, Tout=dtypes.float32, label=f"{x}{y}")
        for x, y, adj_x, adj_y in (
            ((2, 2, 3), (2, 3, 4), False, False),
            ((2, 1, 3, 2), (3, 3, 4), True, False),
            ((3, 2), (2, 4, 3), True, True),
            ((2, 3), (4, 3), False, True),
        )
    ],
    case("BatchMatMulV3", c64(2, 3), c64(4, 3), adj_y=True, Tout=dtypes.complex64),
    case("BatchMatMulV3", bf16(2, 3), bf16(3, 4), Tout=dtypes.float32, order=1, label="wider-result"),
    case("BatchMatMulV3", i8(2, 2, 3), i8(2, 3, 4), Tout=dtypes.int32, label="bytes"),
    *[
        case(
            "SparseMatMul",
            make(*x),
            f32(*y),
            transpose_a=t_a,
            transpose_b=t_b,
            a_is_sparse=t_a,
            label=label + str(x),
            **SINGLE,
        )
        for label, make in (("float32", f32), ("bfloat16", bf16))
        for x, y, t_a, t_b in (
            ((2, 3), (3, 4), False, False),
            ((3, 2), (3, 4), True, False),
            ((2, 5), (4, 5), False, True),
            ((4, 2), (3, 4), True, True),
        )
    ],
    case("SparseMatMul", bf16(2, 3), bf16(3, 4), a_is_sparse=True, b_is_sparse=True, **SINGLE),
    case("Einsum", [f32(2, 3), f32(3, 4)], equation="ab,bc->ac"),
    case("Einsum", [f32(2, 3, 4), f32(4, 2, 5)], equation="bsd,dhk->bhsk"),
    case("Einsum", [f32(2, 3)], equation="ab->b"),
    case("Einsum", [f32(5, 2, 3), f32(3, 4)], equation="...ab,bc->...ac"),
    case("XlaEinsum", f32(2, 3), f32(3, 4), equation="ab,bc->ac"),
    case("Cross", f32(2, 3), f32(2, 3)),
]
