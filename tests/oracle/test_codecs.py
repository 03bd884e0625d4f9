"""How far JPEG images decoded by TensorFlow's default, fast transform lie from those that are decoded here."""

from __future__ import annotations

import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from graphgrad.kernels import codecs


@pytest.mark.parametrize("quality", [95, 75, 40])
def test_the_fast_transform_is_near_the_accurate_one(quality: int) -> None:
    """docs/fidelity.md says what is measured here."""
    worst, means = 0, []
    for seed in range(20):
        random = np.random.default_rng(seed)
        y, x = np.mgrid[:64, :64]
        waves = np.stack([np.sin(x / random.uniform(2, 9)) * np.cos(y / random.uniform(2, 9)) for _ in range(3)], -1)
        noisy = np.clip(127 + 100 * waves + random.normal(0, 10, waves.shape), 0, 255).astype(np.uint8)
        sink = io.BytesIO()
        Image.fromarray(noisy).save(sink, "JPEG", quality=quality)
        theirs = tf.io.decode_jpeg(sink.getvalue()).numpy().astype(int)
        apart = np.abs(theirs - codecs.jpeg(sink.getvalue(), 0))
        worst, means = max(worst, int(apart.max())), [*means, float(apart.mean())]
    print(f"quality {quality}: {worst} at most, {np.mean(means):.3f} on average")
    assert worst <= 16 and np.mean(means) < 2.5
