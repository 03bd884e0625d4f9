"""The evaluation steps as one would write them by hand in NumPy, forward and backward.

The functions take the constants of the graph by name and give the loss and the gradients in the order of the fetches.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

Arrays = dict[str, np.ndarray]


def evaluation(folder: Path) -> Callable[[], list[Any]]:
    """One step: the loss and every gradient from the feeds."""
    step = STEPS[json.loads((folder / "names.json").read_text())["model"]]
    constants = dict(np.load(folder / "constants.npz"))
    feeds = dict(np.load(folder / "feeds.npz"))
    return lambda: step(constants, **feeds)


def softmax(x: np.ndarray) -> np.ndarray:
    e = np.exp(x - x.max(-1, keepdims=True))
    e /= e.sum(-1, keepdims=True)
    return e


def cross_entropy(logits: np.ndarray, labels: np.ndarray) -> tuple[np.floating, np.ndarray]:
    """The mean loss and its gradient."""
    p, rows = softmax(logits), np.arange(len(labels))
    loss = -np.log(p[rows, labels]).mean()
    p[rows, labels] -= 1
    p /= np.float32(len(labels))
    return loss, p


def mlp(c: Arrays, x: np.ndarray, labels: np.ndarray) -> list[Any]:
    last = sum(name[0] == "W" for name in c)
    inputs, h = [], x
    for i in range(1, last + 1):
        inputs.append(h)
        h = h @ c[f"W{i}"] + c[f"b{i}"]
        if i < last:
            np.maximum(h, 0, out=h)
    loss, dh = cross_entropy(h, labels)
    found: list[Any] = []
    for i in range(last, 0, -1):
        found[:0] = [inputs[i - 1].T @ dh, dh.sum(0)]
        dh = dh @ c[f"W{i}"].T
        if i > 1:
            dh *= inputs[i - 1] > 0
    return [loss, dh, *found]


def norm(x: np.ndarray, scale: np.ndarray, shift: np.ndarray) -> tuple[np.ndarray, ...]:
    """The normalised rows, before and after scale and shift, and what they were multiplied with."""
    unit = x - x.mean(1, keepdims=True)
    inverse = 1 / np.sqrt((unit * unit).mean(1, keepdims=True) + np.float32(1e-5))
    unit *= inverse
    return unit * scale + shift, unit, inverse


def norm_gradient(dy: np.ndarray, unit: np.ndarray, inverse: np.ndarray, scale: np.ndarray) -> tuple[np.ndarray, ...]:
    d = dy * scale
    dx = d - d.mean(1, keepdims=True) - unit * (d * unit).mean(1, keepdims=True)
    return dx * inverse, (dy * unit).sum(0), dy.sum(0)


def transformer(c: Arrays, x: np.ndarray) -> list[Any]:
    batch, tokens, heads, width = 8, 128, 4, 64
    half, cube, root = np.float32(0.5), np.float32(0.044715), np.float32(0.7978845608)

    def split(rows: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(rows.reshape(batch, tokens, heads, width).transpose(0, 2, 1, 3))

    def join(heads_: np.ndarray) -> np.ndarray:
        return heads_.transpose(0, 2, 1, 3).reshape(batch * tokens, heads * width)

    n1, unit1, inverse1 = norm(x, c["scale1"], c["shift1"])
    q, k, v = (split(n1 @ c[name]) for name in ("Wq", "Wk", "Wv"))
    scale = np.float32(width**-0.5)
    attention = softmax((q @ k.transpose(0, 1, 3, 2)) * scale)
    joined = join(attention @ v)
    x2 = x + joined @ c["Wo"]
    n2, unit2, inverse2 = norm(x2, c["scale2"], c["shift2"])
    h = n2 @ c["W1"] + c["b1"]
    tanh = np.tanh((h + h * h * h * cube) * root)
    gelu = half * h * (tanh + 1)
    out = x2 + gelu @ c["W2"] + c["b2"]

    d_out = out * np.float32(2 / out.size)
    d_gelu = d_out @ c["W2"].T
    slope = half * (tanh + 1) + half * h * (1 - tanh * tanh) * root * (1 + 3 * cube * h * h)
    dh = d_gelu * slope
    d_norm, d_scale2, d_shift2 = norm_gradient(dh @ c["W1"].T, unit2, inverse2, c["scale2"])
    dx2 = d_out + d_norm
    d_mixed = split(dx2 @ c["Wo"].T)
    d_attention = d_mixed @ v.transpose(0, 1, 3, 2)
    d_scores = attention * (d_attention - (d_attention * attention).sum(-1, keepdims=True)) * scale
    dq, dk = join(d_scores @ k), join(d_scores.transpose(0, 1, 3, 2) @ q)
    dv = join(attention.transpose(0, 1, 3, 2) @ d_mixed)
    dn1 = dq @ c["Wq"].T + dk @ c["Wk"].T + dv @ c["Wv"].T
    d_norm1, d_scale1, d_shift1 = norm_gradient(dn1, unit1, inverse1, c["scale1"])
    weights = [n1.T @ dq, n1.T @ dk, n1.T @ dv, joined.T @ dx2, n2.T @ dh, gelu.T @ d_out]
    shifts = [dh.sum(0), d_out.sum(0), d_shift1, d_shift2]
    return [np.mean(out * out), dx2 + d_norm1, *weights, *shifts, d_scale1, d_scale2]


def patches(x: np.ndarray) -> np.ndarray:
    """Every 3x3 neighbourhood as a row."""
    padded = np.pad(x, [(0, 0), (1, 1), (1, 1), (0, 0)])
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))
    return windows.transpose(0, 1, 2, 4, 5, 3).reshape(-1, 9 * x.shape[-1])


def cnn(c: Arrays, x: np.ndarray, labels: np.ndarray) -> list[Any]:
    h, kept = x, []
    for i in (1, 2):
        kernel, rows = c[f"K{i}"], patches(h)
        active = rows @ kernel.reshape(-1, kernel.shape[-1]) + c[f"b{i}"]
        np.maximum(active, 0, out=active)
        active = active.reshape(*h.shape[:3], -1)
        n, height, width, channels = active.shape
        tiles = active.reshape(n, height // 2, 2, width // 2, 2, channels)
        pooled = tiles.max((2, 4))
        kept.append((h.shape, rows, tiles, pooled))
        h = pooled
    flat = h.reshape(len(h), -1)
    loss, d_logits = cross_entropy(flat @ c["W"] + c["b"], labels)
    found = [flat.T @ d_logits, d_logits.sum(0)]
    dh = (d_logits @ c["W"].T).reshape(h.shape)
    for i in (2, 1):
        shape, rows, tiles, pooled = kept[i - 1]
        kernel = c[f"K{i}"]
        spread = (slice(None), slice(None), None, slice(None), None)
        d_active = (tiles == pooled[spread]) * (dh * (pooled > 0))[spread]
        d_rows = d_active.reshape(-1, kernel.shape[-1])
        found[:0] = [(rows.T @ d_rows).reshape(kernel.shape), d_rows.sum(0)]
        turned = kernel[::-1, ::-1].transpose(0, 1, 3, 2).reshape(-1, kernel.shape[2])
        dh = (patches(d_rows.reshape(*shape[:3], -1)) @ turned).reshape(shape)
    return [loss, dh, *found]


def scalar_chain(c: Arrays, x: np.ndarray) -> list[Any]:
    weight, shift = c["weight"], c["shift"]
    h, kept, links = x, [], CHAIN_LINKS // 4
    for _ in range(links):
        a = h + shift
        s = np.sin(a)
        h = np.tanh(s * weight)
        kept.append((a, s, h))
    dh, d_weight, d_shift = np.float32(1), np.float32(0), np.float32(0)
    for a, s, t in reversed(kept):
        d_product = dh * (1 - t * t)
        d_weight += d_product * s
        dh = d_product * weight * np.cos(a)
        d_shift += dh
    return [h, dh, d_weight, d_shift]


CHAIN_LINKS = 10_000  # the size the benchmark is run at


def word2vec(c: Arrays, centres: np.ndarray, contexts: np.ndarray, sampled: np.ndarray) -> list[Any]:
    v, u, n = c["inner"][centres], c["outer"][contexts], c["outer"][sampled]
    right, wrong = np.einsum("ij,ij->i", v, u), v @ n.T
    loss = np.logaddexp(0, -right).sum() + np.logaddexp(0, wrong).sum()
    d_right = (-1 / (1 + np.exp(right)))[:, None]
    d_wrong = 1 / (1 + np.exp(-wrong))
    dv = d_right * u + d_wrong @ n
    d_outer = np.concatenate([d_wrong.T @ v, d_right * v])
    return [loss, dv, centres, d_outer, np.concatenate([sampled, contexts])]


def lstm(c: Arrays, x: np.ndarray) -> list[Any]:
    weights, bias = c["weights"], c["bias"]
    steps, width = len(x), x.shape[2]
    state = output = c["start"]
    kept = []

    def sigmoid(a: np.ndarray) -> np.ndarray:
        return 1 / (1 + np.exp(-a))

    for row in x:
        both = np.concatenate([row, output], 1)
        i, j, f, o = np.split(both @ weights + bias, 4, 1)
        before, i, j, f, o = state, sigmoid(i), np.tanh(j), sigmoid(f + 1), sigmoid(o)
        state = before * f + i * j
        tanh = np.tanh(state)
        output = tanh * o
        kept.append((both, before, i, j, f, o, tanh))
    d_output, d_state = output * np.float32(2 / output.size), np.zeros_like(state)
    dx, d_weights, d_bias = np.empty_like(x), np.zeros_like(weights), np.zeros_like(bias)
    for t in range(steps - 1, -1, -1):
        both, before, i, j, f, o, tanh = kept[t]
        d_state = d_state + d_output * o * (1 - tanh * tanh)
        parts = d_state * j * i * (1 - i), d_state * i * (1 - j * j), d_state * before * f * (1 - f)
        d_gates = np.concatenate([*parts, d_output * tanh * o * (1 - o)], 1)
        d_state = d_state * f
        d_weights += both.T @ d_gates
        d_bias += d_gates.sum(0)
        d_both = d_gates @ weights.T
        dx[t], d_output = d_both[:, :width], d_both[:, width:]
    return [np.mean(output * output), dx, d_weights, d_bias]


STEPS: dict[str, Callable[..., list[Any]]] = {
    "tiny-mlp": mlp,
    "large-mlp": mlp,
    "transformer": transformer,
    "cnn": cnn,
    "scalar-chain": scalar_chain,
    "word2vec": word2vec,
    "lstm-v1": lstm,
    "lstm-v2": lstm,
}
