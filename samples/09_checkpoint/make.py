"""Writes the sample: a graph of TensorFlow 1 as `.meta` with its checkpoint, and a batch to feed it. Needs TensorFlow."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import tensorflow as tf

tf1 = tf.compat.v1


def main(folder: Path) -> None:
    """Writes model.meta, the checkpoint model and feeds.npz."""
    random = np.random.default_rng(9)
    with tf.Graph().as_default(), tf1.Session() as session:
        x = tf1.placeholder(tf.float32, [None, 3], name="x")
        target = tf1.placeholder(tf.float32, [None, 1], name="target")
        # The kernel lies in two parts, as parameter servers hold it.
        values = random.normal(0, 0.5, (3, 1)).astype(np.float32)
        partitions = tf1.fixed_size_partitioner(2)
        kernel = tf1.get_variable(
            "kernel",
            [3, 1],
            initializer=lambda shape, dtype, partition_info: values[
                partition_info.single_offset(shape) : partition_info.single_offset(shape) + shape[0]
            ],
            partitioner=partitions,
            use_resource=False,
        )
        bias = tf1.get_variable("bias", initializer=np.float32([0.5]), use_resource=False)
        prediction = tf.add(tf.matmul(x, tf.convert_to_tensor(kernel)), bias, name="prediction")
        loss = tf.reduce_mean(tf.square(prediction - target), name="loss")
        tf1.train.GradientDescentOptimizer(0.1).minimize(loss, name="train")
        session.run(tf1.global_variables_initializer())
        tf1.train.Saver(save_relative_paths=True).save(session, str(folder / "model"))
    np.savez(folder / "feeds.npz", x=random.normal(size=(4, 3)).astype(np.float32), target=np.ones((4, 1), np.float32))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
