"""Recipes of random numbers: TensorFlow's own for given seeds, to the last bit."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.oracle.kernel_draws.drawing import Drawer, Recipe

Parts = tuple[list[Any], dict[str, Any]]


def _seeds(d: Drawer) -> dict[str, int]:
    """Not both zero: that asks for other numbers in every run."""
    return {"seed": d.integer(1, 1 << 40), "seed2": d.integer(0, 1 << 40)}


def _shape(d: Drawer, attr: str) -> Any:
    return d.given(attr, d.shape(0, 3, 6)).reshape(-1)


def stateful(d: Drawer) -> Parts:
    return [_shape(d, "T")], _seeds(d)


def stateful_int(d: Drawer) -> Parts:
    low = d.integer(-50, 50)
    return [_shape(d, "T"), d.given("Tout", low), d.given("Tout", low + d.integer(1, 100))], _seeds(d)


def gamma(d: Drawer) -> Parts:
    return [_shape(d, "S"), d.array(d.dtype(), d.shape(0, 2, 3), 0.2, 4, corners=False)], _seeds(d)


def poisson(d: Drawer) -> Parts:
    return [
        _shape(d, "S"),
        d.array(d.dtype("dtype" if d.op_type == "RandomPoisson" else "R"), d.shape(0, 2, 3), 0, 20, corners=False),
    ], _seeds(d)


def truncated(d: Drawer) -> Parts:
    """Bounds as scalars or one per batch."""
    batch = d.integer(1, 3)
    many = d.flag()
    edges: tuple[int, ...] = (batch,) if many else ()
    dtype = d.dtype("dtype")
    parts = [(-1, 1), (0.5, 2), (-4, -1), (0, 3)]
    return [
        d.given("T", [batch, *d.shape(0, 2, 4)]),
        *[d.array(dtype, edges, low, high, corners=False) for low, high in parts],
    ], _seeds(d)


def shuffle(d: Drawer) -> Parts:
    return [d.array(d.dtype(), d.shape())], _seeds(d)


def multinomial(d: Drawer) -> Parts:
    logits = d.array(d.dtype(), (d.integer(1, 3), d.integer(1, 5)), corners=False)
    if d.op_type == "Multinomial":
        return [logits, np.int32(d.integer(0, 9))], _seeds(d)
    return [logits, np.int32(d.integer(0, 9)), _pair(d)], {}


def _pair(d: Drawer, attr: str = "Tseed") -> Any:
    d.types[attr] = d.pick(["int32", "int64"])
    return d.given(attr, [d.integer(0, 1 << 30), d.integer(0, 1 << 30)])


def stateless(d: Drawer) -> Parts:
    return [_shape(d, "T"), _pair(d)], {}


def stateless_int(d: Drawer) -> Parts:
    low = d.integer(0, 50)
    return [_shape(d, "T"), _pair(d), d.given("dtype", low), d.given("dtype", low + d.integer(1, 100))], {}


def _key(d: Drawer) -> list[Any]:
    key = d.random().integers(0, 1 << 63, 1, np.uint64)
    counter = d.random().integers(0, 1 << 63, 2, np.uint64)
    return [key, counter, np.int32(1)]


def stateless_v2(d: Drawer) -> Parts:
    inputs = [_shape(d, "Tshape"), *_key(d)]
    if d.op_type.endswith("IntV2") and "Full" not in d.op_type:
        low = d.integer(0, 50)
        inputs += [d.given("dtype", low), d.given("dtype", low + d.integer(1, 100))]
    return inputs, {}


def key_of_seed(d: Drawer) -> Parts:
    return [_pair(d)], {}


def stateless_shuffle(d: Drawer) -> Parts:
    return [d.array(d.dtype(), d.shape()), *_key(d)], {}


def algorithm(d: Drawer) -> Parts:
    return [], {}


def stateless_gamma(d: Drawer) -> Parts:
    alpha = d.array(d.dtype("dtype"), d.shape(0, 2, 3), 0.2, 4, corners=False)
    if d.op_type.endswith("V3"):
        return [d.given("shape_dtype", [*d.shape(0, 2, 3), *alpha.shape]), *_key(d), alpha], {}
    return [d.given("T", [*d.shape(0, 2, 3), *alpha.shape]), _pair(d), alpha], {}


def stateless_poisson(d: Drawer) -> Parts:
    rate = d.array(d.dtype("Rtype"), d.shape(0, 2, 3), 0, 20, corners=False)
    return [d.given("T", [*d.shape(0, 2, 3), *rate.shape]), _pair(d), rate], {}


def trials(d: Drawer) -> tuple[Any, list[Any]]:
    """A shape, and few and many trials, whole or not, with chances beyond both ends."""
    counts, probs = d.broadcasting()
    number = d.array(d.dtype(), counts, -1, d.pick([12, 400]), corners=False)
    chance = d.array(d.dtype(), probs, -0.05, 1.1, corners=False)
    d.types["S"] = "int32"  # of int64, TensorFlow ends its process
    shape = d.given("S", [*d.shape(0, 2, 3), *np.broadcast(number, chance).shape])
    return shape, [number if d.rarely() else np.floor(number), chance]


def stateless_binomial(d: Drawer) -> Parts:
    shape, parameters = trials(d)
    return [shape, _pair(d), *parameters], {}


def stateless_truncated(d: Drawer) -> Parts:
    dtype = d.dtype("dtype")
    parts = [(-1, 1), (0.5, 2), (-4, -1), (0, 3)]
    full = (*d.shape(0, 2, 3), d.integer(1, 3))
    edges = [d.pick([(), full[-1:]]) for _ in parts]
    arrays = [d.array(dtype, e, low, high, corners=False) for e, (low, high) in zip(edges, parts, strict=True)]
    return [d.given("S", full), _pair(d), *arrays], {}


def sobol(d: Drawer) -> Parts:
    return [np.int32(d.integer(1, 300)), np.int32(d.integer(1, 40)), np.int32(d.integer(0, 1000))], {}


def candidates(d: Drawer) -> Parts:
    rows, true = d.integer(1, 3), d.integer(1, 2)
    most = d.integer(8, 20)
    unique = d.flag()
    attrs: dict[str, Any] = {"num_true": true, "num_sampled": d.integer(1, 6), "unique": unique, **_seeds(d)}
    attrs |= {"range_max": most} if "range_max" in d.signature.attrs else {}
    if d.op_type.startswith("Fixed"):
        reserved, shards = d.pick([0, 0, 1, 3]), d.pick([1, 1, 2])
        shard = d.integer(0, shards - 1)
        kept = len(range(shard, reserved, shards))
        attrs |= {"unigrams": [float(d.integer(1, 9)) for _ in range(most)], "distortion": d.pick([1.0, 0.75, 0.0])}
        attrs |= {"num_reserved_ids": reserved, "num_shards": shards, "shard": shard}
        weighted = len(range((shard - kept) % shards, most, shards))
        attrs["num_sampled"] = min(attrs["num_sampled"], weighted)  # of fewer TensorFlow draws for ever
        most = attrs["range_max"] = kept + weighted + d.rarely()
    limit = most if "range_max" in attrs else attrs["num_sampled"]
    return [d.indices("int64", (rows, true), limit)], attrs


def index_shuffle(d: Drawer) -> Parts:
    count, limit = d.integer(1, 4), d.pick([5, 255, 1000, 65536, 100000])
    shapes = [d.pick([(), (count,)]) for _ in range(3)]
    key = d.random().integers(0, 1 << 31, (*shapes[1], 3))
    index = d.random().integers(0, limit + 1, shapes[0])
    limits = limit + d.random().integers(0, 3, shapes[2])
    return [d.given("dtype", index), d.given("Tseed", key), d.given("dtype", limits)], {"rounds": d.pick([4, 6, 8])}


def hits(d: Drawer) -> Parts:
    rows, true = d.integer(1, 3), d.integer(1, 2)
    sampled = d.random().permutation(8)[: d.integer(1, 6)].astype(np.int64)
    return [d.indices("int64", (rows, true), 8, wrong=False), sampled], {"num_true": true}


def _table(recipe: Recipe, ops: str) -> dict[str, Recipe]:
    return dict.fromkeys(ops.split(), recipe)


RECIPES: dict[str, Recipe] = {
    "SobolSample": sobol,
    "StatelessShuffle": stateless_shuffle,
    **_table(stateful, "RandomUniform RandomStandardNormal TruncatedNormal"),
    "RandomUniformInt": stateful_int,
    "RandomGamma": gamma,
    **_table(poisson, "RandomPoisson RandomPoissonV2"),
    "ParameterizedTruncatedNormal": truncated,
    "RandomShuffle": shuffle,
    **_table(multinomial, "Multinomial StatelessMultinomial"),
    **_table(
        stateless,
        "StatelessRandomNormal StatelessRandomUniform StatelessRandomUniformFullInt StatelessTruncatedNormal",
    ),
    "StatelessRandomUniformInt": stateless_int,
    **_table(
        stateless_v2,
        """StatelessRandomNormalV2 StatelessRandomUniformV2 StatelessRandomUniformFullIntV2
        StatelessTruncatedNormalV2 StatelessRandomUniformIntV2""",
    ),
    **_table(key_of_seed, "StatelessRandomGetKeyCounter StatelessRandomGetKeyCounterAlg"),
    "StatelessRandomGetAlg": algorithm,
    **_table(stateless_gamma, "StatelessRandomGammaV2 StatelessRandomGammaV3"),
    "StatelessRandomPoisson": stateless_poisson,
    "StatelessRandomBinomial": stateless_binomial,
    "StatelessParameterizedTruncatedNormal": stateless_truncated,
    **_table(
        candidates,
        """AllCandidateSampler LogUniformCandidateSampler UniformCandidateSampler FixedUnigramCandidateSampler
        LearnedUnigramCandidateSampler ThreadUnsafeUnigramCandidateSampler""",
    ),
    "ComputeAccidentalHits": hits,
    "RandomIndexShuffle": index_shuffle,
}
