"""Samplers of candidate classes and how often each class is expected among them; part of the random family.

A sampler turns a generator's words into class numbers, in TensorFlow's order, and knows the probability of each class.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from graphgrad.kernels import philox
from graphgrad.kernels._rows import refuse_outside
from graphgrad.kernels.philox import Philox, rounded
from graphgrad.registry import kernel

Array = np.ndarray[Any, Any]
WORDS_PER_SAMPLE = 2048


class Sampler(NamedTuple):
    """Classes out of blocks of words, one after the other, and the probabilities of classes."""

    classes: Callable[[Array], Array]
    probability: Callable[[Array], Array]


def uniform(range_max: int) -> Sampler:
    """All classes as likely, of the words in pairs; those drawn from the uneven end are left out."""

    def classes(words: Array) -> Array:
        numbers = philox.words64(words).reshape(-1)
        even = numbers >= ((2**64 - 1) % range_max + 1) % range_max
        return (numbers % np.uint64(range_max)).astype(np.int64)[even]

    return Sampler(classes, lambda classes: np.full(classes.shape, np.float32(1 / range_max)))


def log_uniform(range_max: int) -> Sampler:
    """Probabilities fall off as the logarithms of class numbers grow."""

    def classes(words: Array) -> Array:
        numbers = philox.uniform(words, philox.float64).reshape(-1)
        return (np.exp(numbers * math.log1p(range_max)).astype(np.int64) - 1) % range_max

    def probability(classes: Array) -> Array:
        classes = classes.astype(np.float64)
        return ((np.log(classes + 2) - np.log(classes + 1)) / math.log1p(range_max)).astype(np.float32)

    return Sampler(classes, probability)


def counted(weights: Array) -> Sampler:
    """Classes as likely as their whole weights."""
    ends = weights.cumsum()

    def classes(words: Array) -> Array:
        total = int(ends[-1])
        return ends.searchsorted(words[words >= philox.uneven(total)] % np.uint32(total), side="right")

    return Sampler(classes, lambda classes: (weights[classes] / np.float32(ends[-1])).astype(np.float32))


def weighted(weights: Array) -> Sampler:
    """Classes as likely as their weights, by aliases (Walker 1977, in the order of Vose 1991)."""
    share, alias = aliases(weights)
    total = weights.sum(dtype=np.float32)

    def classes(words: Array) -> Array:
        tosses, numbers = philox.uniform(words, philox.float32).reshape(-1), words.reshape(-1)
        chosen = numbers >= philox.uneven(len(weights))  # by the word behind a toss, or one further on
        at, pairs = 0, []
        while at + 1 < len(numbers):
            place = at + 1 + int(chosen[at + 1 :].argmax())
            if not chosen[place]:
                break
            pairs.append((at, place))
            at = place + 1
        toss, place = np.array(pairs, np.intp).reshape(-1, 2).T
        drawn = numbers[place] % np.uint32(len(weights))
        return np.where(tosses[toss] < share[drawn], drawn, alias[drawn]).astype(np.int64)

    return Sampler(classes, lambda classes: weights[classes] / total)


def aliases(weights: Array) -> tuple[Array, Array]:
    """For each class the part of its share of draws that it keeps, and the class that gets the rest."""
    shares = (weights * np.float32(len(weights)) / weights.sum(dtype=np.float64)).tolist()
    alias = list(range(len(shares)))
    low = [i for i, share in enumerate(shares) if share < 1]
    high = [i for i, share in enumerate(shares) if share >= 1]
    while low and high:
        poor, rich = low.pop(), high.pop()
        alias[poor] = rich
        shares[rich] -= 1 - shares[poor]
        (low if shares[rich] < 1 else high).append(rich)
    for i in (*low, *high):  # rounded beside 1
        shares[i], alias[i] = 1, i
    return np.array(shares, np.float32), np.array(alias)


# --- kernels ---------------------------------------------------------------------------------------------


def distinct(generator: Philox, sampler: Sampler, count: int) -> tuple[Array, int]:
    """The first so many different class numbers, and how many had to be drawn for them."""
    blocks = max(count, 16)
    while True:
        drawn = sampler.classes(generator.blocks(blocks))
        first = np.sort(np.unique(drawn, return_index=True)[1])[:count]
        if len(first) == count:
            return drawn[first], int(first[-1]) + 1 if count else 0
        blocks *= 2


def expected_count(probability: Array, count: int, tries: int) -> Array:
    """How often a class of that probability is expected among the samples."""
    if tries == count:
        return probability * np.float32(count)
    return -rounded(np.expm1, np.float32(tries) * rounded(np.log1p, -probability))


def refuse_misfits(true_classes: Array, num_true: int, range_max: int) -> None:
    if true_classes.ndim != 2 or true_classes.shape[1] != num_true:
        raise ValueError(f"true_classes must be a matrix of {num_true} columns, not {list(true_classes.shape)}")
    refuse_outside(true_classes, range_max, "true_classes")


def samples(sampler, true_classes, num_true, num_sampled, unique, range_max, seed, seed2, state, node_name):
    """What a sampler gives, then how often each true class and each sampled one is expected."""
    if unique and num_sampled > range_max:
        raise ValueError(f"there are no {num_sampled} different classes below {range_max}")
    refuse_misfits(true_classes, num_true, range_max)
    generator = state.generator(node_name, seed, seed2).reserve(WORDS_PER_SAMPLE * num_sampled // 4)
    if unique:
        sampled, tries = distinct(generator, sampler, num_sampled)
    else:
        sampled, tries = sampler.classes(generator.blocks(num_sampled))[:num_sampled], num_sampled
    return sampled, *(
        expected_count(sampler.probability(classes), num_sampled, tries) for classes in (true_classes, sampled)
    )


def register_sampler(op_type: str, sampler_of: Callable[[int], Sampler]) -> None:
    @kernel(op_type)
    def sample(true_classes, *, num_true, num_sampled, unique, range_max, seed, seed2, state, node_name):
        how = (num_true, num_sampled, unique, range_max, seed, seed2, state, node_name)
        return samples(sampler_of(range_max), true_classes, *how)


register_sampler("UniformCandidateSampler", uniform)
register_sampler("LogUniformCandidateSampler", log_uniform)


@kernel("LearnedUnigramCandidateSampler", "ThreadUnsafeUnigramCandidateSampler")
def sample_learned(true_classes, *, num_true, num_sampled, unique, range_max, seed, seed2, state, node_name):
    """Each class is as likely as it was a true one in earlier runs, and once more."""
    weights = state.resource(f"{node_name}/weights", lambda: np.ones(range_max, np.int64))
    how = (num_true, num_sampled, unique, range_max, seed, seed2, state, node_name)
    found = samples(counted(weights.copy()), true_classes, *how)
    np.add.at(weights, true_classes, 1)
    return found


@kernel("FixedUnigramCandidateSampler")
def sample_fixed(
    true_classes,
    *,
    num_true,
    num_sampled,
    unique,
    range_max,
    vocab_file,
    distortion,
    num_reserved_ids,
    num_shards,
    shard,
    unigrams,
    seed,
    seed2,
    state,
    node_name,
):
    """Each class is as likely as its weight to the power of `distortion`; the first ones are reserved, and never drawn.

    Of several shards one has every so many of the reserved classes, and of the others behind them.
    """
    if vocab_file:
        raise ValueError(f"weights are taken from the attribute unigrams only, not from file {vocab_file!r}")
    reserved = len(range(shard, num_reserved_ids, num_shards))
    own = np.array(unigrams[(shard - reserved) % num_shards :: num_shards], np.float32)
    if reserved + len(own) != range_max:
        raise ValueError(f"there are {range_max} classes, and weights for {reserved + len(own)}")
    weights = np.append(np.zeros(reserved, np.float32), rounded(lambda x: x ** float(np.float32(distortion)), own))
    if unique and num_sampled > np.count_nonzero(weights):
        raise ValueError(f"of {np.count_nonzero(weights)} classes with weights none are {num_sampled} different ones")
    how = (num_true, num_sampled, unique, range_max, seed, seed2, state, node_name)
    return samples(weighted(weights), true_classes, *how)


@kernel("AllCandidateSampler")
def all_candidates(true_classes, *, num_true, num_sampled):
    refuse_misfits(true_classes, num_true, num_sampled)
    ones = np.ones(num_sampled, np.float32)
    return np.arange(num_sampled), np.ones(true_classes.shape, np.float32), ones


@kernel("ComputeAccidentalHits")
def compute_accidental_hits(true_classes, sampled_candidates, *, num_true):
    """Where a sampled class is a true one: the row, the sample's place (its last), the least number as a weight."""
    if true_classes.ndim != 2 or true_classes.shape[1] != num_true:
        raise ValueError(f"true_classes must be a matrix of {num_true} columns, not {list(true_classes.shape)}")
    places = {candidate: place for place, candidate in enumerate(sampled_candidates.tolist())}
    rows, classes = np.indices(true_classes.shape)[0].ravel(), true_classes.ravel().tolist()
    hits = [(row, places[c]) for row, c in zip(rows.tolist(), classes, strict=True) if c in places]
    indices, ids = np.array(hits, np.int64).reshape(-1, 2).T
    return indices.astype(np.int32), ids, np.full(len(hits), np.finfo(np.float32).min)
