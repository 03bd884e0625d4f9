"""What JAX does with a benchmark's folder: the model as one writes it there, differentiated and compiled by `jit`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax import lax
from jax import numpy as jnp

from tests.benchmarks.forward import STEPS

Array = Any


class Jax:
    relu, relu6 = staticmethod(jax.nn.relu), staticmethod(jax.nn.relu6)
    tanh, sin, sigmoid = staticmethod(jnp.tanh), staticmethod(jnp.sin), staticmethod(jax.nn.sigmoid)

    def softmax(self, x: Array) -> Array:
        return jax.nn.softmax(x, -1)

    def swap(self, x: Array, one: int, other: int) -> Array:
        return jnp.swapaxes(x, one, other)

    def concat(self, parts: list[Array]) -> Array:
        return jnp.concatenate(parts, 1)

    def split(self, x: Array, parts: int) -> list[Array]:
        return jnp.split(x, parts, 1)

    def cross_entropy(self, logits: Array, labels: Array) -> Array:
        return -jnp.take_along_axis(jax.nn.log_softmax(logits), labels[:, None], 1).mean()

    def conv(self, x: Array, filters: Array, stride: int = 1, groups: int = 1) -> Array:
        if groups > 1:
            filters = jnp.swapaxes(filters, 2, 3)
        layout = ("NHWC", "HWIO", "NHWC")
        return lax.conv_general_dilated(
            x, filters, (stride, stride), "SAME", dimension_numbers=layout, feature_group_count=groups
        )

    def max_pool(self, x: Array, size: int, padding: str) -> Array:
        return lax.reduce_window(x, -jnp.inf, lax.max, (1, size, size, 1), (1, 2, 2, 1), padding)

    def batch_norm(self, x: Array) -> Array:
        mean = x.mean((0, 1, 2))
        return (x - mean) * lax.rsqrt(((x - mean) ** 2).mean((0, 1, 2)) + 1e-3)


def evaluation(folder: Path) -> Callable[[], list[Any]]:
    """One step: the loss and every gradient from the feeds."""
    names = json.loads((folder / "names.json").read_text())
    step, xs = STEPS[names["model"]], [name.partition(":")[0] for name in names["xs"]]
    constants = {name: jnp.asarray(array) for name, array in np.load(folder / "constants.npz").items()}
    feeds = {name: jnp.asarray(array) for name, array in np.load(folder / "feeds.npz").items()}

    def loss(leaves: list[Array], rest: dict[str, Array]) -> Array:
        known = {**rest, **dict(zip(xs, leaves, strict=True))}
        return step(Jax(), {n: known[n] for n in constants}, **{n: known[n] for n in feeds})

    compiled = jax.jit(jax.value_and_grad(loss))
    everything = {**constants, **feeds}
    leaves = [everything[name] for name in xs]
    rest = {name: array for name, array in everything.items() if name not in xs}

    def run() -> list[Any]:
        value, gradients = compiled(leaves, rest)
        return [np.asarray(array) for array in (value, *gradients)]

    return run
