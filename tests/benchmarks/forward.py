"""The measured models' forward pass as one writes it in PyTorch or JAX, which differentiate it themselves.

`f` is a framework: the few functions whose names the two do not share. Arrays are laid out as in the graphs, channels last.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Protocol

Array = Any
Arrays = dict[str, Array]


class Framework(Protocol):
    relu: Callable[[Array], Array]
    tanh: Callable[[Array], Array]
    sin: Callable[[Array], Array]
    sigmoid: Callable[[Array], Array]

    def relu6(self, x: Array) -> Array: ...
    def softmax(self, x: Array) -> Array: ...
    def swap(self, x: Array, one: int, other: int) -> Array: ...
    def concat(self, parts: list[Array]) -> Array: ...
    def split(self, x: Array, parts: int) -> list[Array]: ...
    def cross_entropy(self, logits: Array, labels: Array) -> Array: ...
    def conv(self, x: Array, filters: Array, stride: int = 1, groups: int = 1) -> Array: ...
    def max_pool(self, x: Array, size: int, padding: str) -> Array: ...
    def batch_norm(self, x: Array) -> Array: ...


def mlp(f: Framework, c: Arrays, x: Array, labels: Array) -> Array:
    last = sum(name[0] == "W" for name in c)
    for i in range(1, last + 1):
        x = x @ c[f"W{i}"] + c[f"b{i}"]
        x = f.relu(x) if i < last else x
    return f.cross_entropy(x, labels)


def _norm(x: Array, scale: Array, shift: Array) -> Array:
    unit = x - x.mean(1, keepdims=True)
    return unit / ((unit * unit).mean(1, keepdims=True) + 1e-5) ** 0.5 * scale + shift


def transformer(f: Framework, c: Arrays, x: Array) -> Array:
    def heads(rows: Array) -> Array:
        return f.swap(rows.reshape(8, 128, 4, 64), 1, 2)

    normed = _norm(x, c["scale1"], c["shift1"])
    q, k, v = (heads(normed @ c[name]) for name in ("Wq", "Wk", "Wv"))
    attention = f.softmax(q @ f.swap(k, 2, 3) * 64**-0.5)
    x = x + f.swap(attention @ v, 1, 2).reshape(8 * 128, 256) @ c["Wo"]
    h = _norm(x, c["scale2"], c["shift2"]) @ c["W1"] + c["b1"]
    gelu = 0.5 * h * (f.tanh((h + h * h * h * 0.044715) * 0.7978845608) + 1)
    out = x + gelu @ c["W2"] + c["b2"]
    return (out * out).mean()


def cnn(f: Framework, c: Arrays, x: Array, labels: Array) -> Array:
    for i in (1, 2):
        x = f.max_pool(f.relu(f.conv(x, c[f"K{i}"]) + c[f"b{i}"]), 2, "VALID")
    return f.cross_entropy(x.reshape(len(x), -1) @ c["W"] + c["b"], labels)


def scalar_chain(f: Framework, c: Arrays, x: Array, links: int = 10_000) -> Array:
    for _ in range(links // 4):
        x = f.tanh(f.sin(x + c["shift"]) * c["weight"])
    return x


def lstm(f: Framework, c: Arrays, x: Array) -> Array:
    state = output = c["start"]
    for row in x:
        i, j, k, o = f.split(f.concat([row, output]) @ c["weights"] + c["bias"], 4)
        state = state * f.sigmoid(k + 1) + f.sigmoid(i) * f.tanh(j)
        output = f.tanh(state) * f.sigmoid(o)
    return (output * output).mean()


def _filters(c: Arrays) -> Iterator[Array]:
    """The filters in the order in which they were made."""
    yield c["filters"]
    for i in range(1, len(c)):
        if f"filters_{i}" in c:
            yield c[f"filters_{i}"]


def resnet(f: Framework, c: Arrays, x: Array, labels: Array) -> Array:
    filters = _filters(c)

    def conv(x: Array, stride: int = 1) -> Array:
        return f.batch_norm(f.conv(x, next(filters), stride))

    h = f.max_pool(f.relu(conv(x, 2)), 3, "SAME")
    for blocks, stride in ((3, 1), (4, 2), (6, 2), (3, 2)):
        for block in range(blocks):
            step = stride if block == 0 else 1
            inner = conv(f.relu(conv(f.relu(conv(h)), step)))
            h = f.relu(inner + (conv(h, step) if block == 0 else h))
    return f.cross_entropy(h.mean((1, 2)) @ c["W"] + c["b"], labels)


def mobilenet(f: Framework, c: Arrays, x: Array, labels: Array) -> Array:
    filters = _filters(c)

    def conv(x: Array, stride: int = 1, groups: int = 1) -> Array:
        return f.batch_norm(f.conv(x, next(filters), stride, groups))

    h = f.relu6(conv(x, 2))
    table = (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)
    for expansion, _, blocks, stride in table:
        for block in range(blocks):
            inner = f.relu6(conv(h)) if expansion > 1 else h
            inner = f.relu6(conv(inner, stride if block == 0 else 1, inner.shape[-1]))
            h = h + conv(inner) if block else conv(inner)
    return f.cross_entropy(f.relu6(conv(h)).mean((1, 2)) @ c["W"] + c["b"], labels)


STEPS: dict[str, Callable[..., Array]] = {
    "tiny-mlp": mlp,
    "large-mlp": mlp,
    "transformer": transformer,
    "cnn": cnn,
    "scalar-chain": scalar_chain,
    "lstm-v1": lstm,
    "lstm-v2": lstm,
    "resnet-50": resnet,
    "mobilenet-v2": mobilenet,
}
