"""Are two arrays the same within what their dtype can tell? One scale of tolerances for all tests."""

from __future__ import annotations

from typing import Any

import numpy as np

# dtype -> (relative, absolute against the largest element)
TOLERANCE = {
    "float64": (1e-7, 1e-9),
    "complex128": (1e-7, 1e-9),
    "float32": (2e-4, 2e-5),
    "complex64": (2e-4, 2e-5),
    "float16": (1e-2, 2e-3),
    "bfloat16": (3e-2, 1e-2),
}

# dtype -> as what numpy's files hold it
WIDENED = {
    **dict.fromkeys(("bfloat16", "float8_e5m2", "float8_e4m3fn"), np.dtype("float32")),
    **dict.fromkeys(("int4", "uint4", "int2", "uint2"), np.dtype("int8")),
}


def widened(array: Any) -> Any:
    """The array, or its values in a dtype that numpy itself has."""
    return array.astype(WIDENED[array.dtype.name]) if array.dtype.name in WIDENED else array


def why_not_close(expected: Any, found: Any, factor: float = 1.0) -> str:
    """Why two arrays differ, or nothing where they agree."""
    expected, found = np.asarray(expected), np.asarray(found)
    if expected.shape != found.shape:
        return f"shape {found.shape}, expected {expected.shape}"
    if expected.dtype.kind in "SO" or found.dtype.kind in "SO":
        return "" if expected.astype("S").tolist() == found.astype("S").tolist() else "strings differ"
    name = found.dtype.name
    if expected.dtype not in (found.dtype, WIDENED.get(name, found.dtype)):
        return f"dtype {name}, expected {expected.dtype.name}"
    if name not in TOLERANCE:
        expected, found = widened(expected), widened(found)
        return (
            ""
            if np.array_equal(expected, found, equal_nan=expected.dtype.kind == "f")
            else f"{found.tolist()}, expected {expected.tolist()}"
        )
    relative, absolute = (factor * t for t in TOLERANCE[name])
    a, b = _parts(expected), _parts(found)
    finite = np.isfinite(a)
    if not np.array_equal(a[~finite], b[~finite], equal_nan=True) or not np.isfinite(b[finite]).all():
        return f"non-finite values differ: {found.tolist()}, expected {expected.tolist()}"
    if not finite.any():
        return ""
    off = np.abs(a[finite] - b[finite])
    allowed = relative * np.abs(a[finite]) + absolute * max(1.0, np.abs(a[finite]).max())
    return "" if (off <= allowed).all() else f"off by {off.max():.3g} (largest element {np.abs(a[finite]).max():.3g})"


def _parts(array: Any) -> Any:
    """In double precision, real and imaginary parts one behind the other."""
    return np.stack([array.real, array.imag]) if array.dtype.kind == "c" else array.astype(np.float64)
