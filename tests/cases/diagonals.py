"""Diagonals of matrices: taken, made, replaced."""

from tests.cases import bf16, c64, case, const, f32, f64

ALIGNS = ("LEFT_LEFT", "LEFT_RIGHT", "RIGHT_LEFT", "RIGHT_RIGHT")
BAND = const([-1, 1])
# TensorFlow's rules of version 2 take short diagonals of a band from the other end than its ops put them: no gradients.
MISALIGNED = {"smooth": False}
ANY, ZERO = const(-1), const(0.0, "float32")

CASES = [
    case("Diag", f32(3)),
    case("Diag", f32(2, 3)),
    case("DiagPart", f32(3, 3)),
    case("DiagPart", f32(2, 3, 2, 3)),
    case("MatrixBandPart", f32(3, 4), const(1, "int64"), const(0, "int64")),
    # --- matrices from diagonals
    case("MatrixDiag", f32(2, 3)),
    case("MatrixDiag", c64(3)),
    case("MatrixDiag", bf16(0, 3)),
    *[case("MatrixDiagV2", f32(2, 3), const(k), ANY, ANY, ZERO) for k in (-2, 0, 1)],
    case("MatrixDiagV2", f32(2, 3, 3), BAND, ANY, ANY, const(0.5, "float32"), **MISALIGNED),
    *[case("MatrixDiagV3", f32(2, 3, 3), BAND, ANY, ANY, ZERO, align=align) for align in ALIGNS],
    case("MatrixDiagV3", f32(2, 2, 2), const([-2, -1]), ANY, const(2), ZERO, align="LEFT_RIGHT"),
    case("MatrixDiagV3", f64(2, 2, 2), const([1, 2]), const(3), ANY, const(0.0, "float64")),
    case("MatrixDiagV3", f32(4), const([1]), const(4), const(7), ZERO),
    # --- diagonals of matrices
    case("MatrixDiagPart", f32(2, 3, 3)),
    case("MatrixDiagPart", f32(2, 3, 4)),
    case("MatrixDiagPart", c64(4, 2)),
    *[case("MatrixDiagPartV2", f32(2, 3, 4), const(k), ZERO) for k in (-1, 0, 3)],
    case("MatrixDiagPartV2", f32(2, 3, 4), BAND, ZERO, **MISALIGNED),
    *[case("MatrixDiagPartV3", f32(2, 4, 3), const([-2, 1]), ZERO, align=align) for align in ALIGNS],
    case("MatrixDiagPartV3", f32(3, 3), const([1, 2]), const(7.0, "float32")),
    # --- matrices with diagonals replaced
    case("MatrixSetDiag", f32(2, 3, 3), f32(2, 3)),
    case("MatrixSetDiag", f32(3, 4), f32(3)),
    case("MatrixSetDiag", f64(2, 1, 4, 3), f64(2, 1, 3)),
    *[case("MatrixSetDiagV2", f32(2, 3, 4), f32(2, n), const(k)) for k, n in ((0, 3), (-1, 2), (2, 2))],
    case("MatrixSetDiagV2", f32(2, 3, 4), f32(2, 3, 3), BAND, **MISALIGNED),
    *[case("MatrixSetDiagV3", f32(2, 4, 3), f32(2, 4, 3), const([-2, 1]), align=align) for align in ALIGNS],
    case("MatrixSetDiagV3", f32(3, 3), f32(2, 2), const([1, 2])),
    case("MatrixSetDiagV3", c64(3, 3), c64(2), const([-1])),
]
