"""Kernels of random generators that live in variables: of `tf.random.Generator`, whose state is a counter and a key.

The state of Philox is three numbers: the counter's low and high half and the key. An op draws what the stateless op of
the same distribution draws from them, and moves the counter on by 256 for each number.
"""

from __future__ import annotations

import math
import os
from typing import Any

import numpy as np

from graphgrad.kernels import _binomial, philox
from graphgrad.kernels._checks import lone
from graphgrad.kernels._state import Variable
from graphgrad.registry import kernel, kernel_of

Array = np.ndarray[Any, Any]

PHILOX, AUTO = 1, 3
STEP = 256  # blocks that a number is given
LOW64 = (1 << 64) - 1

DISTRIBUTIONS = {
    "StatefulUniform": "StatelessRandomUniformV2",
    "StatefulUniformFullInt": "StatelessRandomUniformFullIntV2",
    "StatefulStandardNormalV2": "StatelessRandomNormalV2",
    "StatefulTruncatedNormal": "StatelessTruncatedNormalV2",
}


def state_of(variable: Variable, algorithm: Any) -> Array:
    """The state of a generator. Raises ValueError where it is of another algorithm or too short."""
    if algorithm not in (PHILOX, AUTO):
        raise ValueError(f"random algorithm {algorithm} is not supported on the cpu, only Philox ({PHILOX})")
    state = variable.read()
    if state.dtype != np.int64 or state.ndim != 1 or len(state) < 3:
        raise ValueError(f"the state of a generator must be three int64, not {state.dtype.name} {list(state.shape)}")
    return state


def key_and_counter(state: Array) -> tuple[Array, Array]:
    return state[2:3].view(np.uint64), state[:2].view(np.uint64)


def vector_of(shape: Array) -> tuple[int, ...]:
    """The shape as numbers. Raises ValueError where it is no vector of integers."""
    if shape.dtype not in (np.int32, np.int64) or shape.ndim != 1:
        raise ValueError(f"shape must be a vector of int32 or int64, not {shape.dtype.name} {list(shape.shape)}")
    return tuple(shape.tolist())


def move(variable: Variable, state: Array, numbers: int) -> None:
    """Moves the counter on by what so many numbers are given."""
    low, high = (int(n) & LOW64 for n in state[:2])
    counter = (low | high << 64) + numbers * STEP
    moved = state.copy()
    moved[:2] = np.array([counter & LOW64, counter >> 64 & LOW64], np.uint64).view(np.int64)
    variable.assign(moved, fresh=True)


def drawn(variable: Variable, algorithm: Any, op_type: str, shape: Array, *more: Array, dtype: Any) -> Array:
    """What the stateless op of that name gives for the state, which is moved on."""
    state = state_of(variable, algorithm)
    vector_of(shape)
    call = kernel_of(op_type)
    assert call is not None, op_type
    result = call(shape, *key_and_counter(state), np.int32(PHILOX), *more, dtype=dtype)
    move(variable, state, math.prod(result.shape))
    return result  # type: ignore[no-any-return]


def register(op_type: str, stateless: str) -> None:
    @kernel(op_type)
    def draw(resource, algorithm, shape, *, dtype):
        return drawn(resource, lone(algorithm, "algorithm"), stateless, shape, dtype=dtype)


for _op_type, _stateless in DISTRIBUTIONS.items():
    register(_op_type, _stateless)


@kernel("StatefulStandardNormal")
def standard_normal(resource, shape, *, dtype):
    """Of old: the algorithm is the first of four numbers."""
    state = resource.read()
    if state.dtype != np.int64 or state.ndim != 1 or len(state) < 4:
        raise ValueError(f"the state must be four int64, not {state.dtype.name} {list(state.shape)}")
    rest = Variable("state", state.dtype, (len(state) - 1,), state[1:])
    result = drawn(rest, int(state[0]), "StatelessRandomNormalV2", shape, dtype=dtype)
    resource.assign(np.append(state[:1], rest.read()), fresh=True)
    return result


@kernel("StatefulUniformInt")
def uniform_int(resource, algorithm, shape, minval, maxval, *, dtype):
    chosen = lone(algorithm, "algorithm")
    lone(minval, "minval")
    lone(maxval, "maxval")
    return drawn(resource, chosen, "StatelessRandomUniformIntV2", shape, minval, maxval, dtype=dtype)


@kernel("StatefulRandomBinomial")
def binomial(resource, algorithm, shape, counts, probs, *, dtype):
    state = state_of(resource, lone(algorithm, "algorithm"))
    generator = philox.from_key(*key_and_counter(state))
    numbers = _binomial.draw(generator, vector_of(shape), counts, probs)
    batches = np.broadcast(counts, probs).size
    move(resource, state, 50 * (numbers.size + 3 * batches))
    return numbers.astype(dtype)


@kernel("RngSkip")
def skip(resource, algorithm, delta):
    move(resource, state_of(resource, lone(algorithm, "algorithm")), lone(delta, "delta"))


@kernel("RngReadAndSkip")
def read_and_skip(resource, algorithm, delta):
    """The state of before."""
    state = state_of(resource, lone(algorithm, "alg"))
    move(resource, state, lone(delta, "delta"))
    return state[:3]


@kernel("NonDeterministicInts")
def any_integers(shape, *, dtype):
    """Other numbers in every run: from the operating system."""
    if shape.ndim != 1 or (shape < 0).any():
        raise ValueError(f"shape {shape.tolist()} is none")
    sizes = tuple(shape.tolist())
    count = math.prod(sizes) * np.dtype(dtype).itemsize
    return np.frombuffer(os.urandom(count), dtype).reshape(sizes).copy()
