"""How kernels of several steps treat float16 and bfloat16: computed in float32 and rounded once, or step by step as TensorFlow does.

The result has the dtype of the first array given, whatever was used in between.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import ml_dtypes
import numpy as np

BFLOAT16 = np.dtype(ml_dtypes.bfloat16)
FLOAT16 = np.dtype(np.float16)
HALVES = (FLOAT16, BFLOAT16)
FLOAT8_E5M2, FLOAT8_E4M3FN = np.dtype(ml_dtypes.float8_e5m2), np.dtype(ml_dtypes.float8_e4m3fn)
FOUR_BITS = (np.dtype(ml_dtypes.int4), np.dtype(ml_dtypes.uint4))


def _note_others(layer: Callable, kernel: Callable) -> None:
    """Notes what a layer is for arrays of other types, and that it is one: what wraps it takes over its attributes."""
    layer.of_others, layer.layer = kernel, layer  # type: ignore[attr-defined]


def without_layers(kernel: Callable) -> Callable:
    """A kernel as it is for arrays that no formula of its own is for."""
    return kernel.of_others if getattr(kernel, "layer", None) is kernel else kernel  # type: ignore[attr-defined, no-any-return]


def halves_in_float32(kernel: Callable) -> Callable:
    """The kernel, with float16 and bfloat16 arrays widened on the way in and the result narrowed.

    `of_others` is what it is for arrays of other types.
    """

    @functools.wraps(kernel)
    def widened(*arrays: np.ndarray, **attributes: object) -> np.ndarray:
        dtype = arrays[0].dtype
        if dtype not in HALVES:
            return kernel(*arrays, **attributes)
        out = attributes.pop("out", None)
        wide = [array.astype(np.float32) if array.dtype == dtype else array for array in arrays]
        narrow = kernel(*wide, **attributes).astype(dtype)
        if out is None:
            return narrow
        out[...] = narrow
        return out

    _note_others(widened, kernel)
    if isinstance(kernel, np.ufunc):  # whose keywords (out, where, ...) are no attributes
        del widened.__wrapped__
    return widened


def _formula_where(belongs: Callable[[np.dtype], bool], formula: Callable) -> Callable[[Callable], Callable]:
    """A kernel with a formula of its own for the dtypes that belong; `of_others` as above."""

    def with_formula(kernel: Callable) -> Callable:
        @functools.wraps(kernel)
        def either(*arrays: np.ndarray, **attributes: object) -> np.ndarray:
            return (formula if belongs(arrays[0].dtype) else kernel)(*arrays, **attributes)

        _note_others(either, getattr(kernel, "of_others", kernel))
        return either

    return with_formula


def halves_by(of_halves: Callable) -> Callable[[Callable], Callable]:
    """A kernel with a formula of its own for float16 and bfloat16, where TensorFlow rounds behind each step."""
    return _formula_where(HALVES.__contains__, of_halves)


def complex_by(of_complex: Callable) -> Callable[[Callable], Callable]:
    """A kernel with a formula of its own for complex numbers."""
    return _formula_where(lambda dtype: dtype.kind == "c", of_complex)


# Steps of formulas over halves; numpy's own for float16 are a bit off now and then.
exp, log, log1p = halves_in_float32(np.exp), halves_in_float32(np.log), halves_in_float32(np.log1p)
