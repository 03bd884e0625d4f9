"""Writes the sample: a layer that is normalised otherwise while it is trained, as `.meta`, and what to feed it. Needs TensorFlow."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import tensorflow as tf

tf1 = tf.compat.v1


def main(folder: Path) -> None:
    """Writes graph.meta and feeds.npz."""
    tf1.disable_control_flow_v2()
    with tf.Graph().as_default():
        x = tf1.placeholder(tf.float32, [None, 3], name="x")
        scale = tf1.placeholder(tf.float32, [3], name="scale")
        training = tf1.placeholder(tf.bool, [], name="training")

        def of_the_batch() -> tf.Tensor:
            mean, variance = tf.nn.moments(x, [0])
            return (x - mean) * tf1.rsqrt(variance + 1e-3)

        normal = tf1.cond(training, of_the_batch, lambda: x * 0.5)
        tf.reduce_sum(tf.sin(normal * scale), name="loss")
        tf1.train.export_meta_graph(str(folder / "graph.meta"))
    x_value = np.array([[0.5, 1.0, -1.0], [2.0, 0.0, 0.25], [1.0, 3.0, -0.5]], np.float32)
    np.savez(folder / "feeds.npz", x=x_value, scale=np.array([1.0, 2.0, 0.5], np.float32), training=np.array(True))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
