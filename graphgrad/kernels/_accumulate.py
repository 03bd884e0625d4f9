"""What sums and maxima over many elements start from and are held in, as TensorFlow's kernels do it.

Both questions are asked of a dtype alone.
"""

from __future__ import annotations

import ml_dtypes
import numpy as np

from graphgrad.kernels._precision import HALVES


def wide(x: np.ndarray) -> np.ndarray:
    """Half precision as float32, in which sums are accumulated; other types as they are."""
    return x.astype(np.float32) if x.dtype in HALVES else x


def lowest(dtype: np.dtype) -> np.generic:
    """The least finite value, from which TensorFlow starts most of its maxima."""
    return dtype.type((np.iinfo if dtype.kind in "iu" else ml_dtypes.finfo)(dtype).min)
