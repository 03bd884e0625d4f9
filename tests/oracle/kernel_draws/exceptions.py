"""What draws cannot compare, each with its reason."""

from __future__ import annotations

# op type -> (what is spared, why): 'shape' the static shape, 'values I' those of output I, 'bad' inputs of another shape,
# 'lenient' that graphgrad gives a value where TensorFlow refuses.
SPARED: dict[str, tuple[str, str]] = {
    "Svd": ("values 1 values 2", "not asked for, TensorFlow leaves them as they are in memory"),
    "SelfAdjointEigV2": ("values 1", "not asked for, TensorFlow leaves them as they are in memory"),
    **dict.fromkeys(
        [f"{kind}ScatterNd{way}" for kind in ("", "Resource") for way in ("Add", "Max", "Min", "Sub", "Update")],
        ("bad", "TensorFlow takes updates of shape [1] for one index that is no row of a matrix"),
    ),
    "RaggedTensorToTensor": ("bad", "rows that do not fit read memory beyond the values in TensorFlow"),
}

# op type -> by how much more than tests/closeness.py allows its numbers may differ
LOOSENED: dict[str, float] = {
    # whose weights TensorFlow works out in float32, gradients of float64 too
    "ResizeBicubicGrad": 1000,
    "ResizeBilinearGrad": 1000,
}

# op types with a kernel that are not drawn -> why
NOT_DRAWN: dict[str, str] = {}
