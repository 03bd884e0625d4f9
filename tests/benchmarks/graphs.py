"""The graphs that are measured, each made with graphgrad's own builder, so that TensorFlow imports the same file.

    python -m tests.benchmarks.graphs NAME FOLDER [--size NODES] [--with-gradients]

writes graph.pb, feeds.npz and names.json (ys, xs, fetches). Weights are constants, as in a frozen model; random
numbers come from a fixed seed, so a graph of one name and size is the same file every time.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from graphgrad import Graph, IndexedSlices, Tensor, dtypes, gradients, save
from graphgrad.formats import arrays
from tests.benchmarks import loops

PRODUCER = 1882  # the GraphDef version TensorFlow 2.21 writes
FLOAT, INT = dtypes.float32, dtypes.int32


@dataclasses.dataclass
class Model:
    """What to differentiate with respect to what, and the numbers to feed."""

    y: Tensor
    xs: list[Tensor]
    feeds: dict[str, np.ndarray] = dataclasses.field(default_factory=dict)


class Layers:
    """A graph under construction, with the few layers the models share."""

    def __init__(self, is_training: bool = True) -> None:
        self.is_training = is_training  # normalise over the batch, else with fixed numbers
        self.graph = Graph()
        self.graph.message.versions.producer = PRODUCER
        self.g = self.graph.build
        self.random = np.random.default_rng(0)

    def array(self, *shape: int, scale: float = 1.0) -> np.ndarray:
        return self.random.normal(0, scale, shape).astype(np.float32)

    def constant(self, value: np.ndarray, name: str) -> Tensor:
        dtype = INT if value.dtype == np.int32 else FLOAT
        return self.g.op("Const", value=arrays.to_proto(value), dtype=dtype, name=name).outputs[0]

    def weights(self, name: str, *shape: int) -> Tensor:
        """Normal numbers, scaled so that products keep the size of their operand."""
        fan_in = int(np.prod(shape[:-1])) or 1
        return self.constant(self.array(*shape, scale=fan_in**-0.5), name)

    def placeholder(self, name: str, *shape: int, dtype: Any = FLOAT) -> Tensor:
        return self.g.Placeholder(dtype=dtype, shape=shape, name=name)

    def dense(self, x: Tensor, weights: Tensor, bias: Tensor) -> Tensor:
        return self.g.BiasAdd(self.g.MatMul(x, weights), bias)

    def cross_entropy(self, logits: Tensor, labels: Tensor) -> Tensor:
        losses, _ = self.g.SparseSoftmaxCrossEntropyWithLogits(logits, labels)
        return self.g.Mean(losses, [0], name="loss")

    def normed_conv(self, x: Tensor, channels: int, size: int, stride: int, xs: list[Tensor]) -> Tensor:
        """A convolution and the normalisation of its batch; the filters join `xs`."""
        xs.append(self.weights("filters", size, size, x.shape[-1], channels))  # type: ignore[index,arg-type]
        return self._over_batch(self.g.Conv2D(x, xs[-1], strides=(1, stride, stride, 1), padding="SAME"))

    def normed_depthwise(self, x: Tensor, stride: int, xs: list[Tensor]) -> Tensor:
        """A 3x3 convolution channel by channel and the normalisation of its batch."""
        xs.append(self.constant(self.array(3, 3, x.shape[-1], 1, scale=1 / 3), "filters"))  # type: ignore[index,arg-type]
        strides = (1, stride, stride, 1)
        return self._over_batch(self.g.DepthwiseConv2dNative(x, xs[-1], strides=strides, padding="SAME"))

    def _over_batch(self, x: Tensor) -> Tensor:
        ones = np.ones(x.shape[-1], np.float32)  # type: ignore[index,arg-type]
        count = 0 if self.is_training else len(ones)
        parts = [self.constant(array, "norm") for array in (ones, 0 * ones, 0 * ones[:count], ones[:count])]
        return self.g.FusedBatchNormV3(x, *parts, is_training=self.is_training, epsilon=1e-3)[0]

    def classifier(self, x: Tensor, labels: Tensor, h: Tensor, xs: list[Tensor]) -> Model:
        """The loss of a network of images over 1,000 classes."""
        xs += [self.weights("W", h.shape[-1], 1000), self.constant(np.zeros(1000, np.float32), "b")]  # type: ignore[index,arg-type]
        loss = self.cross_entropy(self.dense(self.g.Mean(h, [1, 2]), *xs[-2:]), labels)
        batch = x.shape[0]  # type: ignore[index]
        numbers = self.random.integers(0, 1000, batch).astype(np.int32)
        return Model(loss, xs, {"x": self.array(*x.shape), "labels": numbers})  # type: ignore[misc]

    def norm(self, x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
        """Layer normalisation over the last axis of a matrix, from its parts."""
        g = self.g
        mean = g.Mean(x, [1], keep_dims=True)
        variance = g.Mean(g.SquaredDifference(x, mean), [1], keep_dims=True)
        inverse = g.Rsqrt(g.AddV2(variance, 1e-5))
        return g.AddV2(g.Mul(g.Mul(g.Sub(x, mean), inverse), scale), shift)


# ------------------------------------------------------------------ models: one evaluation step
def mlp(b: Layers, widths: list[int], batch: int) -> Model:
    x, labels = b.placeholder("x", batch, widths[0]), b.placeholder("labels", batch, dtype=INT)
    h, xs = x, [x]
    for i, (before, after) in enumerate(itertools.pairwise(widths), 1):
        xs += [b.weights(f"W{i}", before, after), b.constant(np.zeros(after, np.float32), f"b{i}")]
        h = b.dense(h, *xs[-2:])
        if i < len(widths) - 1:
            h = b.g.Relu(h)
    feeds = {
        "x": b.array(batch, widths[0]),
        "labels": b.random.integers(0, widths[-1], batch).astype(np.int32),
    }
    return Model(b.cross_entropy(h, labels), xs, feeds)


def tiny_mlp(b: Layers, size: int) -> Model:
    return mlp(b, [8, 16, 4], 5)


def large_mlp(b: Layers, size: int) -> Model:
    return mlp(b, [784, 1024, 1024, 10], 256)


def transformer(b: Layers, size: int) -> Model:
    """One block, pre-norm: 4 heads of attention, then a GELU layer four times as wide. The batch is laid out in rows."""
    g, batch, tokens, width, heads = b.g, 8, 128, 256, 4
    x = b.placeholder("x", batch * tokens, width)
    weights = {n: b.weights(n, width, width) for n in ("Wq", "Wk", "Wv", "Wo")}
    weights.update(W1=b.weights("W1", width, 4 * width), W2=b.weights("W2", 4 * width, width))
    for name, shape in (("b1", 4 * width), ("b2", width), ("shift1", width), ("shift2", width)):
        weights[name] = b.constant(np.zeros(shape, np.float32), name)
    for name in ("scale1", "scale2"):
        weights[name] = b.constant(np.ones(width, np.float32), name)

    def split(rows: Tensor) -> Tensor:
        return g.Transpose(g.Reshape(rows, [batch, tokens, heads, width // heads]), [0, 2, 1, 3])

    normed = b.norm(x, weights["scale1"], weights["shift1"])
    q, k, v = (split(g.MatMul(normed, weights[n])) for n in ("Wq", "Wk", "Wv"))
    scores = g.Mul(g.BatchMatMulV2(q, k, adj_y=True), (width // heads) ** -0.5)
    mixed = g.BatchMatMulV2(g.Softmax(scores), v)
    joined = g.Reshape(g.Transpose(mixed, [0, 2, 1, 3]), [batch * tokens, width])
    x2 = g.AddV2(x, g.MatMul(joined, weights["Wo"]))
    h = b.dense(b.norm(x2, weights["scale2"], weights["shift2"]), weights["W1"], weights["b1"])
    cubic = g.AddV2(h, g.Mul(g.Mul(g.Mul(h, h), h), 0.044715))
    gelu = g.Mul(g.Mul(h, 0.5), g.AddV2(g.Tanh(g.Mul(cubic, 0.7978845608)), 1.0))
    out = g.AddV2(x2, b.dense(gelu, weights["W2"], weights["b2"]))
    return Model(
        g.Mean(g.Square(out), [0, 1], name="loss"), [x, *weights.values()], {"x": b.array(batch * tokens, width)}
    )


def cnn(b: Layers, size: int) -> Model:
    """Two 3x3 convolutions (32 and 64 channels) with pooling on 32x32 images, batch 16, then a dense layer."""
    g, batch = b.g, 16
    x, labels = b.placeholder("x", batch, 32, 32, 3), b.placeholder("labels", batch, dtype=INT)
    h, xs = x, [x]
    for i, (before, after) in enumerate([(3, 32), (32, 64)], 1):
        xs += [b.weights(f"K{i}", 3, 3, before, after), b.constant(np.zeros(after, np.float32), f"b{i}")]
        h = g.Relu(g.BiasAdd(g.Conv2D(h, xs[-2], strides=(1, 1, 1, 1), padding="SAME"), xs[-1]))
        h = g.MaxPool(h, ksize=(1, 2, 2, 1), strides=(1, 2, 2, 1), padding="VALID")
    xs += [b.weights("W", 8 * 8 * 64, 10), b.constant(np.zeros(10, np.float32), "b")]
    logits = b.dense(g.Reshape(h, [batch, 8 * 8 * 64]), *xs[-2:])
    feeds = {"x": b.array(batch, 32, 32, 3), "labels": b.random.integers(0, 10, batch).astype(np.int32)}
    return Model(b.cross_entropy(logits, labels), xs, feeds)


def resnet(b: Layers, size: int) -> Model:
    """ResNet-50 on `size` images of 224x224, normalised over the batch, with a loss over 1,000 classes."""
    g, xs = b.g, []
    x, labels = b.placeholder("x", size, 224, 224, 3), b.placeholder("labels", size, dtype=INT)
    h = g.Relu(b.normed_conv(x, 64, 7, 2, xs))
    h = g.MaxPool(h, ksize=(1, 3, 3, 1), strides=(1, 2, 2, 1), padding="SAME")
    for width, blocks, stride in ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2)):
        for block in range(blocks):
            step = stride if block == 0 else 1
            inner = g.Relu(b.normed_conv(h, width, 1, 1, xs))
            inner = g.Relu(b.normed_conv(inner, width, 3, step, xs))
            inner = b.normed_conv(inner, 4 * width, 1, 1, xs)
            h = g.Relu(g.AddV2(inner, b.normed_conv(h, 4 * width, 1, step, xs) if block == 0 else h))
    return b.classifier(x, labels, h, xs)


def mobilenet(b: Layers, size: int) -> Model:
    """MobileNetV2 on `size` images of 224x224, normalised over the batch, with a loss over 1,000 classes."""
    g, xs = b.g, []
    x, labels = b.placeholder("x", size, 224, 224, 3), b.placeholder("labels", size, dtype=INT)
    h = g.Relu6(b.normed_conv(x, 32, 3, 2, xs))
    table = (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)
    for expansion, channels, blocks, stride in table:
        for block in range(blocks):
            inner, before = h, h.shape[-1]
            if expansion > 1:
                inner = g.Relu6(b.normed_conv(inner, expansion * before, 1, 1, xs))
            inner = g.Relu6(b.normed_depthwise(inner, stride if block == 0 else 1, xs))
            inner = b.normed_conv(inner, channels, 1, 1, xs)
            h = g.AddV2(h, inner) if block else inner
    return b.classifier(x, labels, g.Relu6(b.normed_conv(h, 1280, 1, 1, xs)), xs)


def scalar_chain(b: Layers, size: int) -> Model:
    """`size` scalar operations in a row: plus a shift, sine, times a weight, tanh, over and over."""
    g, x = b.g, b.placeholder("x")
    weight, shift = b.constant(np.float32(1.1), "weight"), b.constant(np.float32(0.1), "shift")
    h = x
    for i in range(size // 2):
        h = g.Tanh(g.Mul(h, weight)) if i % 2 else g.Sin(g.AddV2(h, shift))
    return Model(g.Identity(h, name="loss"), [x, weight, shift], {"x": np.float32(0.5)})


def word2vec(b: Layers, size: int) -> Model:
    """Skip-gram with negative sampling: 50,000 words of width 128, 256 pairs, 64 shared negatives; sparse gradients."""
    g, words, width, batch, negatives = b.g, 50_000, 128, 256, 64
    centres, contexts = b.placeholder("centres", batch, dtype=INT), b.placeholder("contexts", batch, dtype=INT)
    sampled = b.placeholder("sampled", negatives, dtype=INT)
    inner, outer = (b.constant(b.array(words, width, scale=0.3), name) for name in ("inner", "outer"))
    v, u, n = (g.GatherV2(t, i, 0) for t, i in ((inner, centres), (outer, contexts), (outer, sampled)))
    right = g.Sum(g.Softplus(g.Neg(g.Sum(g.Mul(v, u), [1]))), [0])
    wrong = g.Sum(g.Softplus(g.MatMul(v, n, transpose_b=True)), [0, 1])
    feeds = {
        name: b.random.integers(0, words, n).astype(np.int32)
        for name, n in (("centres", batch), ("contexts", batch), ("sampled", negatives))
    }
    return Model(g.AddV2(right, wrong, name="loss"), [inner, outer], feeds)


def lstm(b: Layers, loop: Callable[..., Tensor]) -> Model:
    """64 steps of an LSTM of 128 units, batch 32, as a loop; its last output is what counts."""
    g, (steps, batch, inputs, units) = b.g, (loops.STEPS, loops.BATCH, loops.INPUTS, loops.UNITS)
    x, start = b.placeholder("x", steps, batch, inputs), b.constant(np.zeros((batch, units), np.float32), "start")
    weights = b.weights("weights", inputs + units, 4 * units)
    bias = b.constant(np.zeros(4 * units, np.float32), "bias")
    output = loop(g, x, start, weights, bias)
    loss = g.Mean(g.Square(output), [0, 1], name="loss")
    return Model(loss, [x, weights, bias], {"x": b.array(steps, batch, inputs)})


def lstm_v1(b: Layers, size: int) -> Model:
    return lstm(b, loops.of_frames)


def lstm_v2(b: Layers, size: int) -> Model:
    return lstm(b, loops.of_functions)


# ------------------------------------------------------------------ shapes of graphs: building gradients
def chain(b: Layers, size: int) -> Model:
    """Element-wise operations in a row."""
    x = b.placeholder("x", 4, 8)
    h = x
    while len(b.graph) < size - 2:
        h = b.g.Sigmoid(b.g.Tanh(h))
    return Model(b.g.Sum(h, [0, 1], name="loss"), [x])


def deep_mlp(b: Layers, size: int) -> Model:
    """Layers of product, bias and tanh, each with weights and a bias of its own."""
    x = b.placeholder("x", 4, 8)
    h, xs = x, [x]
    while len(b.graph) < size - 2:
        xs += [b.placeholder("W", 8, 8), b.placeholder("b", 8)]
        h = b.g.Tanh(b.dense(h, *xs[-2:]))
    return Model(b.g.Sum(h, [0, 1], name="loss"), xs)


def wide(b: Layers, size: int) -> Model:
    """Short branches side by side, each from an input of its own, joined by one AddN."""
    branches, xs = [], []
    while len(b.graph) < size - 3:
        xs += [b.placeholder("x", 4, 8), b.placeholder("y", 4, 8)]
        branches.append(b.g.Tanh(b.g.Mul(*xs[-2:])))
    return Model(b.g.Sum(b.g.AddN(branches), [0, 1], name="loss"), xs)


def fan(b: Layers, size: int) -> Model:
    """One tensor that everything consumes, so that its gradient is a sum of thousands."""
    x, branches = b.placeholder("x", 4, 8), []
    while len(b.graph) < size - 3:
        branches.append(b.g.Tanh(b.g.Sigmoid(x)))
    return Model(b.g.Sum(b.g.AddN(branches), [0, 1], name="loss"), [x])


def large_constant(b: Layers, size: int) -> Model:
    """A product with a constant of `size` megabytes."""
    x = b.placeholder("x", 1, 8192)
    weights = b.constant(np.ones((8192, size * 2**20 // 8192 // 4), np.float32), "weights")
    return Model(b.g.Sum(b.g.MatMul(x, weights), [0, 1], name="loss"), [x], {"x": b.array(1, 8192)})


FIXED = "-fixed"  # behind the name of a network whose normalisation takes fixed numbers

MODELS: dict[str, Callable[[Layers, int], Model]] = {
    "tiny-mlp": tiny_mlp,
    "large-mlp": large_mlp,
    "transformer": transformer,
    "cnn": cnn,
    "resnet-50": resnet,
    "mobilenet-v2": mobilenet,
    "scalar-chain": scalar_chain,
    "word2vec": word2vec,
    "lstm-v1": lstm_v1,
    "lstm-v2": lstm_v2,
    "chain": chain,
    "deep-mlp": deep_mlp,
    "wide": wide,
    "fan": fan,
    "large-constant": large_constant,
}


def write(name: str, folder: Path, size: int, with_gradients: bool) -> None:
    """Writes graph.pb, feeds.npz and names.json to the folder; with gradients these are fetched beside the loss."""
    b = Layers(is_training=not name.endswith(FIXED))
    name = name.removesuffix(FIXED)
    model = MODELS[name](b, size)
    names: dict[str, Any] = {
        "model": name,
        "y": model.y.name,
        "xs": [x.name for x in model.xs],
        "fetches": [model.y.name],
    }
    if with_gradients:
        for gradient in gradients(model.y, model.xs):
            sparse = isinstance(gradient, IndexedSlices)
            names["fetches"] += [gradient.values.name, gradient.indices.name] if sparse else [gradient.name]
    folder.mkdir(parents=True, exist_ok=True)
    save(b.graph, folder / "graph.pb")
    arrays.write_npz(str(folder / "feeds.npz"), model.feeds)
    if with_gradients:
        constants = {op.name: arrays.of_constant(op) for op in b.graph if op.type == "Const" and "/" not in op.name}
        np.savez(folder / "constants.npz", **constants)
    (folder / "names.json").write_text(json.dumps(names))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=[*MODELS, f"resnet-50{FIXED}", f"mobilenet-v2{FIXED}"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--size", type=int, default=0)
    parser.add_argument("--with-gradients", action="store_true")
    arguments = parser.parse_args()
    write(arguments.name, arguments.folder, arguments.size, arguments.with_gradients)


if __name__ == "__main__":
    main()
