"""Writes the sample: a dynamic RNN of TensorFlow 1 as `.meta` with its checkpoint, and a batch to feed it. Needs TensorFlow."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import tensorflow as tf
from tensorflow.python.keras.layers.legacy_rnn import rnn_cell_impl

tf1 = tf.compat.v1


def main(folder: Path) -> None:
    """Writes model.meta, the checkpoint model and feeds.npz."""
    tf1.disable_control_flow_v2()
    with tf.Graph().as_default(), tf1.Session() as session:
        tf1.set_random_seed(11)
        steps = tf1.placeholder(tf.float32, [None, None, 2], name="steps")
        lengths = tf1.placeholder(tf.int32, [None], name="lengths")
        outputs, _ = tf1.nn.dynamic_rnn(rnn_cell_impl.BasicRNNCell(3), steps, lengths, dtype=tf.float32)
        tf.reduce_sum(outputs * outputs, name="loss")
        session.run(tf1.global_variables_initializer())
        saver = tf1.train.Saver(save_relative_paths=True)
        saver.save(session, str(folder / "model"), write_state=False)
    random = np.random.default_rng(1)
    np.savez(
        folder / "feeds.npz", steps=random.normal(size=(2, 4, 2)).astype(np.float32), lengths=np.array([4, 2], np.int32)
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
