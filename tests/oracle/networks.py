"""Real networks with seeded weights, frozen: each a graph with a loss, what to differentiate it by, and feeds."""

from __future__ import annotations

import dataclasses
import unittest.mock
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

tf1 = tf.compat.v1


@dataclasses.dataclass
class Network:
    """A graph, the loss in it, the input and all weights, and values for the inputs."""

    definition: Any
    loss: str
    xs: list[str]
    feeds: dict[str, np.ndarray]
    has_gradients: bool = False  # from calls in the process that made it, whose scopes an imported graph has forgotten


def application(name: str, size: int) -> Network:
    """An image classifier of keras.applications, its logarithmic loss on one image."""
    tf.keras.utils.set_random_seed(1)
    model = getattr(tf.keras.applications, name)(weights=None, input_shape=(size, size, 3), classes=10)
    image = np.random.default_rng(0).normal(size=(1, size, size, 3)).astype(np.float32)
    if name.startswith(("EfficientNet", "ConvNeXt")):
        image = 50 * image + 127  # these bring their preprocessing with them

    def loss(x: Any) -> Any:
        # Keras puts grouped convolutions into functions of their own, for XLA; here they are nodes like all others.
        with unittest.mock.patch.object(tf, "function", lambda **_: lambda body: body):
            probabilities = model(x, training=False)
        return -tf.reduce_sum(tf.math.log(probabilities + 1e-6) * tf.one_hot([3], 10))

    return frozen(loss, image)


def frozen(loss: Callable[[Any], Any], image: np.ndarray) -> Network:
    """The loss as a graph with its variables turned into constants, all of which are differentiated by."""
    function = tf.function(loss).get_concrete_function(tf.TensorSpec(image.shape, tf.float32, name="x"))
    fixed = convert_variables_to_constants_v2(function, lower_control_flow=False)
    weights = [
        op.outputs[0] for op in fixed.graph.get_operations() if op.type == "Const" and "ReadVariableOp" in op.name
    ]
    x, y = fixed.inputs[0].name, fixed.outputs[0].name
    weights = [w.name for w in weights if w.dtype == tf.float32]
    return Network(fixed.graph.as_graph_def(), y, [x, *weights], {x: image})


def _in_graph(
    build: Callable[[], tuple[Any, list[Any], dict[Any, np.ndarray]]], has_gradients: bool = False
) -> Network:
    with tf.Graph().as_default() as graph:
        loss, xs, feeds = build()
        names = {tensor.name: value for tensor, value in feeds.items()}
        return Network(graph.as_graph_def(), loss.name, [x.name for x in xs], names, has_gradients)


def _weights(*shape: int, seed: int) -> Any:
    values = np.random.default_rng(seed).normal(size=shape) / np.sqrt(shape[0])
    return tf.constant(values.astype(np.float32), name="weights")


def variational_autoencoder() -> Network:
    """The evidence bound of a small one, its noise from a seeded generator."""

    def build() -> Any:
        x = tf1.placeholder(tf.float32, [16, 32], name="x")
        w1, wm, ws, w2, w3 = (
            _weights(*shape, seed=i) for i, shape in enumerate([(32, 24), (24, 4), (24, 4), (4, 24), (24, 32)])
        )
        h = tf.nn.tanh(x @ w1)
        mean, log_variance = h @ wm, h @ ws
        z = mean + tf.exp(0.5 * log_variance) * tf1.random_normal([16, 4], seed=11)
        logits = tf.nn.softplus(z @ w2) @ w3
        likelihood = tf.reduce_sum(tf.nn.sigmoid_cross_entropy_with_logits(labels=tf.sigmoid(x), logits=logits), 1)
        divergence = -0.5 * tf.reduce_sum(1 + log_variance - mean**2 - tf.exp(log_variance), 1)
        image = np.random.default_rng(1).normal(size=(16, 32)).astype(np.float32)
        return tf.reduce_mean(likelihood + divergence), [x, w1, wm, ws, w2, w3], {x: image}

    return _in_graph(build)


def dropout_mlp() -> Network:
    """A classifier of which seeded dropout switches off a part."""

    def build() -> Any:
        x = tf1.placeholder(tf.float32, [32, 20], name="x")
        w1, w2, w3 = (_weights(*shape, seed=i) for i, shape in enumerate([(20, 40), (40, 40), (40, 5)]))
        h = tf1.nn.dropout(tf.nn.relu(x @ w1), rate=0.3, seed=5)
        h = tf1.nn.dropout(tf.nn.gelu(h @ w2), rate=0.5, seed=6)
        labels = tf.one_hot(np.arange(32) % 5, 5)
        loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(labels=labels, logits=h @ w3))
        return loss, [x, w1, w2, w3], {x: np.random.default_rng(1).normal(size=(32, 20)).astype(np.float32)}

    return _in_graph(build)


def word2vec() -> Network:
    """Skip-gram with a sampled softmax: sparse gradients of both embeddings."""

    def build() -> Any:
        words, width = 500, 16
        centres = tf1.placeholder(tf.int64, [12], name="centres")
        embeddings, out, bias = _weights(words, width, seed=1), _weights(words, width, seed=2), _weights(words, seed=3)
        labels = tf.constant(np.arange(12).reshape(12, 1) * 7, tf.int64)
        losses = tf1.nn.sampled_softmax_loss(
            out, bias, labels, tf.nn.embedding_lookup(embeddings, centres), num_sampled=20, num_classes=words, seed=9
        )
        return tf.reduce_mean(losses), [embeddings, out, bias], {centres: np.arange(12, dtype=np.int64) ** 2}

    return _in_graph(build)


def physics_informed() -> Network:
    """The Korteweg-de Vries residual u_t + u u_x + u_xxx of a tanh network: third derivatives inside the loss."""

    def build() -> Any:
        points = tf1.placeholder(tf.float32, [24, 2], name="points")
        w1, w2, w3 = (_weights(*shape, seed=i) for i, shape in enumerate([(2, 16), (16, 16), (16, 1)]))
        u = tf.nn.tanh(tf.nn.tanh(points @ w1) @ w2) @ w3
        first = tf1.gradients(u, points)[0]
        u_x = first[:, :1]
        u_xx = tf1.gradients(u_x, points)[0][:, :1]
        u_xxx = tf1.gradients(u_xx, points)[0][:, :1]
        loss = tf.reduce_mean(tf.square(first[:, 1:] + u * u_x + u_xxx))
        return loss, [points, w1, w2, w3], {points: np.random.default_rng(1).normal(size=(24, 2)).astype(np.float32)}

    return _in_graph(build, has_gradients=True)


def unet() -> Network:
    """Two levels down and up again, with the skip connections and batch normalization in training."""

    def build() -> Any:
        xs: list[Any] = []

        def weights(*shape: int) -> Any:
            values = np.random.default_rng(len(xs)).normal(size=shape) * np.sqrt(2 / np.prod(shape[:-1]))
            xs.append(tf.constant(values.astype(np.float32), name="weights"))
            return xs[-1]

        def block(x: Any, width: int) -> Any:
            for _ in range(2):
                x = tf.nn.conv2d(x, weights(3, 3, x.shape[-1], width), 1, "SAME")
                scale, offset = 1 + weights(width), weights(width)
                x = tf.nn.relu(tf1.nn.fused_batch_norm(x, scale, offset, is_training=True)[0])
            return x

        image = tf1.placeholder(tf.float32, [2, 32, 32, 1], name="image")
        value = np.random.default_rng(0).normal(size=image.shape).astype(np.float32)
        skips, x = [], image
        for width in (8, 16):
            skips.append(block(x, width))
            x = tf.nn.max_pool2d(skips[-1], 2, 2, "VALID")
        x = block(x, 32)
        for width in (16, 8):
            skip = skips.pop()
            x = tf.nn.conv2d_transpose(x, weights(2, 2, width, x.shape[-1]), skip.shape, 2, "SAME")
            x = block(tf.concat([x, skip], 3), width)
        logits = tf.nn.conv2d(x, weights(1, 1, 8, 2), 1, "SAME")
        labels = (value[..., 0] > 0).astype(np.int32)
        loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits))
        return loss, [image, *xs], {image: value}

    return _in_graph(build)


SMALL: dict[str, Callable[[], Network]] = {
    "unet": unet,
    "variational_autoencoder": variational_autoencoder,
    "dropout_mlp": dropout_mlp,
    "word2vec": word2vec,
    "physics_informed": physics_informed,
}
# name -> the side of the square image it is given here
APPLICATIONS = {
    "MobileNetV2": 64,
    "ResNet50": 48,
    "DenseNet121": 48,
    "InceptionV3": 80,
    "NASNetMobile": 64,
    "ConvNeXtTiny": 48,
}
