"""Kernels of random numbers: the very numbers TensorFlow draws on the CPU from the same seeds.

A stateful node draws on from run to run, a stateless op gives the same numbers for the same seeds. Where
TensorFlow's numbers depend on how many threads share the work, they are those of one thread.
"""

from __future__ import annotations

import math
import warnings

import numpy as np

from graphgrad.kernels import (  # noqa: F401  (two register kernels of their own)
    _binomial,
    _index_shuffle,
    _libm,
    _samplers,
    _truncated,
    philox,
)
from graphgrad.kernels._checks import lone
from graphgrad.kernels.philox import Streams
from graphgrad.registry import kernel

PHILOX, THREEFRY, AUTO = 1, 2, 3
BLOCKS_PER_NUMBER = 256  # what one output may use up, and a run of a stateful node skips for it


def shape_of(shape):
    shape = tuple(int(n) for n in np.atleast_1d(shape))
    if any(n < 0 for n in shape):
        raise ValueError(f"the shape {list(shape)} has a negative dimension")
    return shape


def generator_of(key, counter, alg):
    if int(alg) not in (PHILOX, AUTO):
        raise ValueError(f"random algorithm {int(alg)} is not supported on the cpu, only Philox ({PHILOX})")
    if key.shape != (1,) or counter.ndim != 1 or counter.size < 2:
        raise ValueError(f"key {list(key.shape)} and counter {list(counter.shape)} must have shapes [1] and [2]")
    return philox.from_key(key, counter)


def seeded(seed):
    if seed.shape != (2,):
        raise ValueError(f"seed must have shape [2], not {list(seed.shape)}")
    if seed.dtype.kind == "u":
        raise TypeError(f"seed must be int32 or int64, not {seed.dtype}")
    return philox.from_seed(seed)


# --- uniform, normal, truncated normal -------------------------------------------------------------------


def draw_uniform(generator, size, dtype):
    return philox.uniform(generator.blocks(-(-size // philox.group_size(dtype))), dtype).reshape(-1)[:size]


def draw_normal(generator, size, dtype):
    return philox.normal(generator.blocks(-(-size // philox.group_size(dtype))), dtype).reshape(-1)[:size]


DISTRIBUTIONS = {
    "RandomUniform": ("StatelessRandomUniform", draw_uniform),
    "RandomStandardNormal": ("StatelessRandomNormal", draw_normal),
    "TruncatedNormal": ("StatelessTruncatedNormal", philox.truncated_normal),
}


def register_distribution(op_type, stateless_op_type, draw):
    """The kernels of one distribution: by a node's generator, by seeds, by key and counter."""

    @kernel(op_type)
    def stateful(shape, *, dtype, seed, seed2, state, node_name):
        shape = shape_of(shape)
        size = math.prod(shape)
        generator = state.generator(node_name, seed, seed2).reserve(size * BLOCKS_PER_NUMBER)
        return draw(generator, size, dtype).reshape(shape)

    @kernel(stateless_op_type)
    def stateless(shape, seed, *, dtype):
        shape = shape_of(shape)
        return draw(seeded(seed), math.prod(shape), dtype).reshape(shape)

    @kernel(f"{stateless_op_type}V2")
    def keyed(shape, key, counter, alg, *, dtype):
        shape = shape_of(shape)
        return draw(generator_of(key, counter, alg), math.prod(shape), dtype).reshape(shape)


for _op_type, (_stateless_op_type, _draw) in DISTRIBUTIONS.items():
    register_distribution(_op_type, _stateless_op_type, _draw)


# --- integers --------------------------------------------------------------------------------------------


def draw_bits(generator, size, dtype):
    words = generator.blocks(-(-size // philox.group_size(dtype)))
    bits = philox.words64(words) if dtype.itemsize == 8 else words
    return bits.reshape(-1)[:size]


def draw_integers(generator, shape, dtype, minval, maxval):
    if not math.prod(shape):
        return np.empty(shape, dtype)
    if minval.ndim or maxval.ndim:
        raise ValueError("minval and maxval must be scalars")
    if minval >= maxval:
        raise ValueError(f"minval {minval} must be less than maxval {maxval}")
    bits = draw_bits(generator, math.prod(shape), dtype)
    span = bits.dtype.type(int(maxval) - int(minval))
    return ((bits % span).view(dtype) + minval.astype(dtype)).reshape(shape)


@kernel("RandomUniformInt")
def random_uniform_int(shape, minval, maxval, *, Tout, seed, seed2, state, node_name):
    shape = shape_of(shape)
    lone(minval, "minval"), lone(maxval, "maxval")
    generator = state.generator(node_name, seed, seed2).reserve(math.prod(shape) * BLOCKS_PER_NUMBER)
    return draw_integers(generator, shape, Tout, minval, maxval)


@kernel("StatelessRandomUniformInt")
def stateless_uniform_int(shape, seed, minval, maxval, *, dtype):
    return draw_integers(seeded(seed), shape_of(shape), dtype, minval, maxval)


@kernel("StatelessRandomUniformIntV2")
def keyed_uniform_int(shape, key, counter, alg, minval, maxval, *, dtype):
    return draw_integers(generator_of(key, counter, alg), shape_of(shape), dtype, minval, maxval)


@kernel("StatelessRandomUniformFullInt")
def stateless_full_int(shape, seed, *, dtype):
    shape = shape_of(shape)
    return draw_bits(seeded(seed), math.prod(shape), dtype).view(dtype).reshape(shape)


@kernel("StatelessRandomUniformFullIntV2")
def keyed_full_int(shape, key, counter, alg, *, dtype):
    shape = shape_of(shape)
    return draw_bits(generator_of(key, counter, alg), math.prod(shape), dtype).view(dtype).reshape(shape)


# --- keys and algorithms ---------------------------------------------------------------------------------


@kernel("StatelessRandomGetKeyCounter")
def key_and_counter(seed):
    generator = seeded(seed)
    halves = [generator.counter & philox.LOW64, generator.counter >> 64]
    return np.array([generator.key], np.uint64), np.array(halves, np.uint64)


@kernel("StatelessRandomGetAlg")
def algorithm():
    return np.int32(PHILOX)


@kernel("StatelessRandomGetKeyCounterAlg")
def key_counter_and_algorithm(seed):
    return (*key_and_counter(seed), algorithm())


# --- permutations and classes ----------------------------------------------------------------------------


@kernel("RandomShuffle")
def random_shuffle(value, *, seed, seed2, state, node_name):
    return shuffled(value, lambda blocks: state.generator(node_name, seed, seed2).reserve(blocks))


@kernel("StatelessShuffle")
def stateless_shuffle(value, key, counter, alg):
    generator = generator_of(key, counter, alg)
    return shuffled(value, lambda blocks: generator)


def shuffled(value, generator_for):
    """Exchanges each row with one of those from it on."""
    if value.size <= 1 or value.shape[0] <= 1:
        return value
    count = len(value)
    blocks = -(-(count - 1) // 4)
    words = generator_for(blocks).blocks(blocks).reshape(-1)[: count - 1]
    others = np.arange(count - 1) + words % np.arange(count, 1, -1, dtype=np.uint32)
    order = list(range(count))
    for row, other in enumerate(others.tolist()):
        order[row], order[other] = order[other], order[row]
    return value[order]


def draw_classes(generator, logits, count, dtype):
    """Class numbers, [batch, count]; each row of logits holds the logarithms of what is proportional."""
    finite = np.isfinite(logits)
    logits = logits.astype(np.float64)
    weights = np.exp(logits - np.where(finite, logits, -np.inf).max(axis=1, keepdims=True))
    sums = np.where(finite, weights, 0).cumsum(axis=1)
    numbers = draw_uniform(generator, len(logits) * count, philox.float64)
    numbers = numbers.reshape(len(logits), count) * sums[:, -1:]
    classes = [row.searchsorted(found, side="right") for row, found in zip(sums, numbers, strict=True)]
    return np.array(classes, dtype).reshape(len(logits), count)


def check_classes(logits, num_samples):
    if logits.ndim != 2 or not logits.shape[1]:
        raise ValueError(f"logits must be a matrix with at least one class, not of shape {list(logits.shape)}")
    if num_samples < 0:
        raise ValueError(f"num_samples is {num_samples}, it must not be negative")


@kernel("Multinomial")
def multinomial(logits, num_samples, *, seed, seed2, output_dtype, state, node_name):
    check_classes(logits, num_samples)
    count = int(num_samples)
    reserved = len(logits) * (-(-count // 4) * 4) * 2 * BLOCKS_PER_NUMBER
    generator = state.generator(node_name, seed, seed2).reserve(reserved)
    return draw_classes(generator, logits, count, output_dtype)


@kernel("StatelessMultinomial")
def stateless_multinomial(logits, num_samples, seed, *, output_dtype):
    check_classes(logits, num_samples)
    return draw_classes(seeded(seed), logits, int(num_samples), output_dtype)


# --- gamma, poisson and binomial --------------------------------------------------------------------------


def draw_gamma(generator, alpha, count):
    """[count, *alpha.shape] numbers, by Marsaglia and Tsang's rejection of transformed normal ones."""
    repeated = np.repeat(alpha.reshape(-1).astype(np.float64), count)
    streams = Streams(generator, repeated.size, BLOCKS_PER_NUMBER)
    result = np.empty(repeated.size)
    exponential = np.flatnonzero(repeated == 1)
    result[exponential] = -_libm.log1p(-streams.uniform(exponential))
    boosted = repeated < 1
    d = repeated + np.where(boosted, 2.0 / 3, -1.0 / 3)
    c = 1.0 / 3 / np.sqrt(d)
    waiting = np.flatnonzero(repeated != 1)
    while waiting.size:
        x = streams.normal(waiting)
        v = 1 + c[waiting] * x
        possible = ~(v <= 0)  # NaN goes on, else it would be tried for ever
        tried, x, v = waiting[possible], x[possible], v[possible]
        v = v * v * v
        u = streams.uniform(tried)
        bound = 0.5 * x * x + d[tried] * (1 - v + np.log(v))
        accepted = (u < 1 - 0.0331 * (x * x) * (x * x)) | (np.log(u) < bound)
        result[tried[accepted]] = (d[tried] * v)[accepted]
        done = tried[accepted]
        small = done[boosted[done]]
        result[small] *= _libm.power(streams.uniform(small), 1 / repeated[small])
        waiting = np.setdiff1d(waiting, done, assume_unique=True)
    return result.reshape(alpha.size, count).T.reshape(count, *alpha.shape).astype(alpha.dtype)


@kernel("RandomGamma")
def random_gamma(shape, alpha, *, seed, seed2, state, node_name):
    shape = shape_of(shape)
    count = math.prod(shape)
    generator = state.generator(node_name, seed, seed2).reserve(count * alpha.size * BLOCKS_PER_NUMBER)
    return draw_gamma(generator, alpha, count).reshape(shape + alpha.shape)


def gamma_of_shape(generator, shape, alpha):
    shape = shape_of(shape)
    if not math.prod(shape):
        return np.empty(shape, alpha.dtype)
    if shape[len(shape) - alpha.ndim :] != alpha.shape:
        raise ValueError(f"the shape {list(shape)} does not end with that of alpha, {list(alpha.shape)}")
    count = math.prod(shape[: len(shape) - alpha.ndim])
    return draw_gamma(generator, alpha, count).reshape(shape)


@kernel("StatelessRandomGammaV2")
def stateless_gamma(shape, seed, alpha):
    return gamma_of_shape(seeded(seed), shape, alpha)


@kernel("StatelessRandomGammaV3")
def keyed_gamma(shape, key, counter, alg, alpha):
    return gamma_of_shape(generator_of(key, counter, alg), shape, alpha)


def draw_poisson(generator, rate, count, dtype):
    """[count, *rate.shape] numbers, those of small rates by Knuth's way, of large ones by Hoermann's."""
    repeated = np.repeat(rate.reshape(-1).astype(np.float64), count)
    streams = Streams(generator, repeated.size, BLOCKS_PER_NUMBER)
    result = np.full(repeated.size, np.nan)
    result[repeated == np.inf] = 0 if np.dtype(dtype).kind in "iu" else np.inf
    count_products(streams, repeated, np.flatnonzero(repeated < 10), result)
    transform_and_reject(streams, repeated, np.flatnonzero((repeated >= 10) & np.isfinite(repeated)), result)
    return result.reshape(rate.size, count).T.reshape(count, *rate.shape).astype(dtype)


def count_products(streams, rate, waiting, result):
    """Writes how many uniform numbers, less one, it takes to multiply them down to exp(-rate)."""
    result[waiting] = 0
    product = np.ones_like(rate)
    limit = np.exp(-rate)
    while waiting.size:
        product[waiting] *= streams.uniform(waiting)
        waiting = waiting[product[waiting] > limit[waiting]]
        result[waiting] += 1


def transform_and_reject(streams, rate, waiting, result):
    """Writes numbers by Hoermann's transformed rejection with squeeze (1993), whose names these are."""
    from scipy.special import gammaln

    while waiting.size:
        mu = rate[waiting]
        b = 0.931 + 2.53 * np.sqrt(mu)
        a = -0.059 + 0.02483 * b
        inverse_alpha = 1.1239 + 1.1328 / (b - 3.4)
        u = streams.uniform(waiting) - 0.5
        v = streams.uniform(waiting)
        us = 0.5 - np.abs(u)
        k = np.floor((2 * a / us + b) * u + mu + 0.43)
        inside = (us >= 0.07) & (v <= 0.9277 - 3.6224 / (b - 2))
        outside = (k < 0) | ((us < 0.013) & (v > us))
        below = np.log(v * inverse_alpha / (a / (us * us) + b)) <= -mu + k * np.log(mu) - gammaln(k + 1)
        accepted = inside | (~outside & below)
        result[waiting[accepted]] = k[accepted]
        waiting = waiting[~accepted]


@kernel("RandomPoisson", "RandomPoissonV2")
def random_poisson(shape, rate, *, dtype, seed, seed2, state, node_name):
    shape = shape_of(shape)
    count = math.prod(shape)
    generator = state.generator(node_name, seed, seed2).reserve(count * rate.size * BLOCKS_PER_NUMBER)
    return draw_poisson(generator, rate, count, dtype).reshape(shape + rate.shape)


@kernel("StatelessRandomPoisson")
def stateless_poisson(shape, seed, lam, *, dtype):
    shape = shape_of(shape)
    if shape[len(shape) - lam.ndim :] != lam.shape:
        raise ValueError(f"the shape {list(shape)} does not end with that of lam, {list(lam.shape)}")
    count = math.prod(shape[: len(shape) - lam.ndim])
    return draw_poisson(seeded(seed), lam, count, dtype).reshape(shape)


@kernel("StatelessRandomBinomial")
def stateless_binomial(shape, seed, counts, probs, *, dtype):
    return _binomial.draw(seeded(seed), shape_of(shape), counts, probs).astype(dtype)


# --- normal numbers between bounds -----------------------------------------------------------------------

BATCH = 100  # numbers of equal parameters are drawn in batches of this size


@kernel("ParameterizedTruncatedNormal")
def parameterized_truncated_normal(shape, means, stdevs, minvals, maxvals, *, dtype, seed, seed2, state, node_name):
    """Rows of the output have parameters of their own, or share scalars."""
    shape = shape_of(shape)
    parameters = (means, stdevs, minvals, maxvals)
    if not shape or any(p.ndim > 1 or p.size not in (1, shape[0]) for p in parameters):
        raise ValueError(f"the parameters must be scalars or vectors of the length of {list(shape)}'s first dimension")
    size = math.prod(shape)
    if means.size == stdevs.size == 1 and minvals.ndim == maxvals.ndim == 0:
        counts = [BATCH] * (size // BATCH) + [size % BATCH] * (size % BATCH > 0)
        batch, samples = len(counts), BATCH
    else:
        batch, samples = shape[0], size // shape[0] if shape[0] else 0
        counts = [samples] * batch
    reserved = batch * 2 * _truncated.TRIES * (samples + 3) // 4
    generator = state.generator(node_name, seed, seed2).reserve(reserved)
    rows = np.broadcast_arrays(*(p.reshape(-1) for p in parameters), np.empty(batch))[:4]
    return draw_batches(generator, zip(*rows, strict=True), counts, dtype).reshape(shape)


@kernel("StatelessParameterizedTruncatedNormal")
def stateless_parameterized_truncated_normal(shape, seed, means, stddevs, minvals, maxvals, *, dtype):
    """The output's last dimensions are those the parameters are broadcast to."""
    shape = shape_of(shape)
    rows = np.broadcast_arrays(means, stddevs, minvals, maxvals)
    inner = rows[0].shape
    if shape[len(shape) - len(inner) :] != inner:
        raise ValueError(f"the shape {list(shape)} does not end with that of the parameters, {list(inner)}")
    count = math.prod(shape[: len(shape) - len(inner)])
    parameters = zip(*(p.reshape(-1) for p in rows), strict=True)
    numbers = draw_batches(seeded(seed), parameters, [count] * rows[0].size, dtype)
    return numbers.reshape(rows[0].size, count).T.reshape(shape)


def draw_batches(generator, parameters, counts, dtype):
    drawn = [np.empty(0, dtype)]
    for parameter, count in zip(parameters, counts, strict=True):
        numbers, generator = _truncated.draw_between(generator, _truncated.bounds_of(*parameter), count, dtype)
        drawn.append(numbers)
    return np.concatenate(drawn)


@kernel("SobolSample")
def sobol_sample(dim, num_results, skip, *, dtype):
    """Points of the Sobol sequence with the direction numbers of Joe and Kuo (2008), without its first, the origin."""
    from scipy.stats import qmc  # loads half of scipy

    dim, count, skip = lone(dim, "dim"), lone(num_results, "num_results"), lone(skip, "skip")
    if dim < 1 or count < 1 or skip < 0:
        raise ValueError(f"dim {dim} and num_results {count} must be positive, skip {skip} not negative")
    sequence = qmc.Sobol(dim, scramble=False, bits=32)
    sequence.fast_forward(skip + 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that numbers other than powers of two are not balanced
        return sequence.random(count).astype(dtype)
