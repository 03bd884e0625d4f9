"""Fourier transforms, of complex and of real tensors."""

from graphgrad import dtypes
from tests.cases import c64, c128, case, const, f32, f64, given

# How real transforms are asked for their length: as a constant, and as what is fed.
LENGTHS = (const, lambda lengths: given(lengths, "int32"))
# Rows of order 1 cut their input to the length: TensorFlow has no gradient of that, its nodes do not fit together.
COMPLEX = {"Tcomplex": dtypes.complex64}

CASES = [
    *[case(op, c64(2, 3, 4, 5)) for op in ("FFT", "FFT2D", "FFT3D", "IFFT", "IFFT2D", "IFFT3D")],
    case("FFT", c128(5)),
    case("IFFT2D", c128(3, 1)),
    case("FFT", c64(0, 4)),
    *[
        case(
            f"RFFT{suffix}",
            f32(*shape),
            asked(lengths),
            label=f"{label},{shape},{lengths}",
            order=order,
            smooth=order == 2,
            **COMPLEX,
        )
        for suffix, shape, lengths, order in (
            ("", (8,), [8], 2),
            ("", (2, 7), [7], 2),
            ("", (2, 7), [5], 1),
            ("", (3, 6), [4], 1),
            ("2D", (4, 6), [4, 6], 2),
            ("2D", (2, 3, 5), [3, 5], 2),
            ("2D", (2, 4, 5), [3, 4], 1),
        )
        for label, asked in zip(("const", "fed"), LENGTHS, strict=True)
    ],
    case("RFFT", f64(2, 6), const([6]), Tcomplex=dtypes.complex128),
    *[
        case(f"IRFFT{suffix}", c64(*shape), asked(lengths), label=f"{label},{shape},{lengths}", order=order)
        for suffix, shape, lengths, order in (
            ("", (5,), [8], 2),
            ("", (2, 4), [7], 2),
            ("", (2, 6), [7], 1),
            ("2D", (4, 4), [4, 6], 2),
            ("2D", (2, 3, 3), [3, 5], 2),
        )
        for label, asked in zip(("const", "fed"), LENGTHS, strict=True)
    ],
]
