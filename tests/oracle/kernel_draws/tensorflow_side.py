"""TensorFlow in a process of its own: runs the graphs it is sent, and may die of one without taking the tests along.

One message in, one out: `(graph, feeds, fetches, first)` gives `("values", arrays, shapes)`, or `("refused", message)`;
`("kernels",)` gives, for each op type, which dtypes its processor kernels are registered for. `beside.py` speaks to it.
"""

from __future__ import annotations

import os
import pickle
import struct
import sys
from typing import Any, BinaryIO

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"


def read_message(stream: BinaryIO) -> Any:
    """The next message. Raises EOFError where the other side is gone."""
    head = stream.read(8)
    if len(head) < 8:
        raise EOFError("the other side is gone")
    return pickle.loads(stream.read(struct.unpack("<q", head)[0]))


def write_message(stream: BinaryIO, message: Any) -> None:
    """Sends a message."""
    data = pickle.dumps(message, protocol=5)
    stream.write(struct.pack("<q", len(data)) + data)
    stream.flush()


def kernels() -> dict[str, list[dict[str, list[str]]]]:
    """Op type -> one entry per kernel: for each attribute that the kernel is made for, the dtypes it may have."""
    import tensorflow as tf
    from tensorflow.python.framework import kernels as registered

    found: dict[str, list[dict[str, list[str]]]] = {}
    for kernel in registered.get_all_registered_kernels().kernel:
        if kernel.device_type == "CPU" and not kernel.label:
            types = {
                c.name: [tf.dtypes.as_dtype(t).name for t in c.allowed_values.list.type] for c in kernel.constraint
            }
            found.setdefault(kernel.op, []).append({"float16" if n == "half" else n: t for n, t in types.items()})
    return found


def run(graph_def: bytes, feeds: dict[str, Any], fetches: list[str], first: list[str]) -> tuple[Any, ...]:
    """Values and static shapes of the fetches, after the operations in `first` were run; or why TensorFlow refuses."""
    import tensorflow as tf

    tf1 = tf.compat.v1
    graph = tf.Graph()
    try:
        with graph.as_default():
            tf.import_graph_def(tf1.GraphDef.FromString(graph_def), name="")
        tensors = [graph.get_tensor_by_name(name) for name in fetches]
        shapes = [None if t.shape.rank is None else tuple(t.shape.as_list()) for t in tensors]
    except Exception as error:
        return "refused", "graph", str(error)
    config = tf1.ConfigProto(intra_op_parallelism_threads=1, inter_op_parallelism_threads=1)
    config.graph_options.rewrite_options.disable_meta_optimizer = True
    config.graph_options.optimizer_options.opt_level = -1
    try:
        with tf1.Session(graph=graph, config=config) as session:
            for name in first:
                session.run(graph.get_operation_by_name(name), feeds)
            fetchable = [t for t in tensors if t.dtype not in (tf.variant, tf.resource)]
            values = iter(session.run(fetchable, feeds))
            return (
                "values",
                [next(values) if t.dtype not in (tf.variant, tf.resource) else None for t in tensors],
                shapes,
            )
    except tf.errors.OpError as error:
        return "refused", type(error).__name__, str(error.message), shapes
    except (ValueError, TypeError) as error:
        return "refused", type(error).__name__, str(error), shapes


def main() -> None:
    """Answers messages from standard input until it is closed."""
    source = sys.stdin.buffer
    sink = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print must not get between the messages
    while True:
        try:
            message = read_message(source)
        except EOFError:
            return
        write_message(sink, kernels() if message == ("kernels",) else run(*message))


if __name__ == "__main__":
    main()
