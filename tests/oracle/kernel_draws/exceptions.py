"""What draws cannot compare, each with its reason."""

from __future__ import annotations

# op type -> (what is spared, why): 'shape' the static shape, 'values I' those of output I, 'bad' inputs of another shape,
# 'lenient' that graphgrad gives a value where TensorFlow refuses.
SPARED: dict[str, tuple[str, str]] = {}

# op type -> by how much more than tests/closeness.py allows its numbers may differ
LOOSENED: dict[str, float] = {
    # whose weights TensorFlow works out in float32, gradients of float64 too
    "ResizeBicubicGrad": 1000,
    "ResizeBilinearGrad": 1000,
}

# op types with a kernel that are not drawn -> why
NOT_DRAWN: dict[str, str] = {}
