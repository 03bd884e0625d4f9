"""Writes the sample: an LSTM whose steps are a While of TensorFlow 2, as a SavedModel, and a batch to feed it. Needs TensorFlow."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import tensorflow as tf

UNITS = 3


class Lstm(tf.Module):
    """A recurrent layer over any number of steps, and a score of its last state."""

    def __init__(self) -> None:
        super().__init__()
        random = np.random.default_rng(10)
        self.kernel = tf.Variable(random.normal(0, 0.5, (2 + UNITS, 4 * UNITS)).astype(np.float32), name="kernel")
        self.bias = tf.Variable(np.zeros(4 * UNITS, np.float32), name="bias")

    def step(self, x: tf.Tensor, h: tf.Tensor, c: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        i, f, g, o = tf.split(tf.concat([x, h], 1) @ self.kernel + self.bias, 4, axis=1)
        c = tf.sigmoid(f + 1.0) * c + tf.sigmoid(i) * tf.tanh(g)
        return tf.sigmoid(o) * tf.tanh(c), c

    @tf.function(input_signature=[tf.TensorSpec([None, None, 2], tf.float32, name="steps")])
    def score(self, steps: tf.Tensor) -> dict[str, tf.Tensor]:
        h = c = tf.zeros([tf.shape(steps)[1], UNITS])
        for t in tf.range(tf.shape(steps)[0]):
            h, c = self.step(steps[t], h, c)
        return {"score": tf.reduce_sum(h * h)}


def main(folder: Path) -> None:
    """Writes model/ and feeds.npz."""
    module = Lstm()
    tf.saved_model.save(module, str(folder / "model"), signatures=module.score)
    np.savez(folder / "feeds.npz", steps=np.random.default_rng(1).normal(size=(4, 1, 2)).astype(np.float32))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
