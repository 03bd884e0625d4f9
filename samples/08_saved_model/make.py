"""Writes the sample: a module of two layers as a SavedModel of TensorFlow 2, and a batch to feed it. Needs TensorFlow."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import tensorflow as tf


class Regression(tf.Module):
    """A hidden layer in a function of its own, which the signature's function calls."""

    def __init__(self) -> None:
        super().__init__()
        random = np.random.default_rng(8)
        self.kernel = tf.Variable(random.normal(0, 0.5, (3, 4)).astype(np.float32), name="hidden/kernel")
        self.bias = tf.Variable(np.zeros(4, np.float32), name="hidden/bias")
        self.output = tf.Variable(random.normal(0, 0.5, (4, 1)).astype(np.float32), name="output/kernel")

    @tf.function
    def hidden(self, x: tf.Tensor) -> tf.Tensor:
        return tf.tanh(tf.matmul(x, self.kernel) + self.bias)

    @tf.function(input_signature=[tf.TensorSpec([None, 3], tf.float32, name="features")])
    def score(self, features: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"score": tf.matmul(self.hidden(features), self.output)}


def main(folder: Path) -> None:
    """Writes model/ and feeds.npz."""
    module = Regression()
    tf.saved_model.save(module, str(folder / "model"), signatures=module.score)
    np.savez(folder / "feeds.npz", features=np.array([[1, 0, -1], [0.5, 2, 0]], np.float32))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
