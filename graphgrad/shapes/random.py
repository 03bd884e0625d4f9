"""Static shapes of random numbers: the first input says how many, and some ops draw as many for each parameter."""

from __future__ import annotations

import functools

from graphgrad.attributes import Shape
from graphgrad.graph import Operation
from graphgrad.registry import shape, shapes
from graphgrad.shapes import dims, values
from graphgrad.shapes.common import same_as_first


@shape(
    *["ParameterizedTruncatedNormal", "RandomStandardNormal", "RandomUniform", "RandomUniformInt"],
    *["StatelessParameterizedTruncatedNormal", "StatelessRandomBinomial", "StatelessRandomGammaV2"],
    *["StatelessRandomGammaV3", "StatelessRandomNormal", "StatelessRandomNormalV2", "StatelessRandomPoisson"],
    *["StatelessRandomUniform", "StatelessRandomUniformFullInt", "StatelessRandomUniformFullIntV2"],
    *["StatelessRandomUniformInt", "StatelessRandomUniformIntV2", "StatelessRandomUniformV2"],
    *["StatelessTruncatedNormal", "StatelessTruncatedNormalV2", "TruncatedNormal"],
)
def of_shape(op: Operation) -> Shape:
    return values.as_shape(op.inputs[0])


@shape("RandomGamma", "RandomPoisson", "RandomPoissonV2")
def for_each_parameter(op: Operation) -> Shape:
    return dims.join(values.as_shape(op.inputs[0]), op.inputs[1].shape)


@shape("Multinomial", "StatelessMultinomial")
def multinomial(op: Operation) -> Shape:
    logits, count = op.inputs[0].shape, values.scalar(op.inputs[1])
    return (None if logits is None else logits[0], count)


shapes(same_as_first, "RandomShuffle", "StatelessShuffle")


@shape("RandomIndexShuffle")
def random_index_shuffle(op: Operation) -> Shape:
    """A vector where one of the inputs is one, or seeds are a matrix."""
    index, seed, limit = (t.shape for t in op.inputs)
    parts = [index, seed and seed[:-1], limit]
    if any(parts):
        return functools.reduce(dims.merge, [part or None for part in parts])
    return None if None in parts else ()


@shape("StatelessRandomGetKeyCounter")
def key_counter(op: Operation) -> list[Shape]:
    return [(1,), (2,)]


@shape("StatelessRandomGetKeyCounterAlg")
def key_counter_algorithm(op: Operation) -> list[Shape]:
    return [(1,), (2,), ()]


@shape("StatelessRandomGetAlg")
def algorithm(op: Operation) -> Shape:
    return ()


@shape(
    *["AllCandidateSampler", "FixedUnigramCandidateSampler", "LearnedUnigramCandidateSampler"],
    *["LogUniformCandidateSampler", "ThreadUnsafeUnigramCandidateSampler", "UniformCandidateSampler"],
)
def candidates(op: Operation) -> list[Shape]:
    """What was sampled, then how often each true class and each sampled one is expected."""
    true = op.inputs[0].shape
    return [(op["num_sampled"],), (None if true is None else true[0], op["num_true"]), (op["num_sampled"],)]


@shape("ComputeAccidentalHits")
def accidental_hits(op: Operation) -> list[Shape]:
    return [(None,)] * 3


@shape("SobolSample")
def sobol_sample(op: Operation) -> Shape:
    dim, count, _ = map(values.scalar, op.inputs)
    return (count, dim)
