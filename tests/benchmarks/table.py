"""The benchmarks: what is run, beside what, and what is to be reached.

A goal is a number worked out for each round, sides measured one right after the other, never from separate runs.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Callable
from pathlib import Path

from tests.benchmarks import forward
from tests.benchmarks.measure import (
    BenchmarkError,
    Measured,
    Round,
    Worker,
    Workshop,
    frameworks,
    processes,
    take_turns,
    workers,
)

OWN, TENSORFLOW, NUMPY = "graphgrad", "tensorflow", "numpy"
TITLES = {TENSORFLOW: "TensorFlow", NUMPY: "NumPy by hand", "pytorch": "PyTorch", "jax": "JAX"}
COMMAND = str(Path(sys.executable).with_name("graphgrad"))


@dataclasses.dataclass(frozen=True)
class Goal:
    """A number per round, and the limit its median is to keep; None where there is no promise."""

    what: str
    limit: float | None
    at_least: bool
    of: Callable[[Round], float]

    def reached(self, median: float) -> bool | None:
        if self.limit is None:
            return None
        return median >= self.limit if self.at_least else median <= self.limit

    def __str__(self) -> str:
        return "no promise" if self.limit is None else f"{'at least' if self.at_least else 'at most'} {self.limit:g}"


def faster(limit: float | None, side: str = TENSORFLOW) -> Goal:
    return Goal(f"times faster than {TITLES[side]}", limit, True, lambda r: r[side].seconds / r[OWN].seconds)


def slower(limit: float | None, side: str = TENSORFLOW) -> Goal:
    return Goal(f"times as long as {TITLES[side]}", limit, False, lambda r: r[OWN].seconds / r[side].seconds)


def faster_per_node(limit: float | None) -> Goal:
    return Goal("times faster a node", limit, True, lambda r: r[TENSORFLOW].per_node / r[OWN].per_node)


def lighter(limit: float | None) -> Goal:
    return Goal("times less memory", limit, True, lambda r: r[TENSORFLOW].megabytes / r[OWN].megabytes)  # type: ignore[operator]


def milliseconds_more(limit: float, side: str) -> Goal:
    return Goal(f"ms more than {side}", limit, False, lambda r: (r[OWN].seconds - r[side].seconds) * 1e3)


def seconds(limit: float) -> Goal:
    return Goal("s", limit, False, lambda r: r[OWN].seconds)


def megabytes(limit: float) -> Goal:
    return Goal("MB", limit, False, lambda r: r[OWN].megabytes)  # type: ignore[return-value]


FLAT = Goal("times the time a node of 1,000 nodes", 1.25, False, lambda r: r[OWN].per_node / r["1,000 nodes"].per_node)


@dataclasses.dataclass(frozen=True)
class Benchmark:
    """`measure` gives the rounds; `most_runs` is how many of them are worth the time they take."""

    name: str
    what: str
    measure: Measured
    goals: list[Goal]
    most_runs: int = 1000


# ------------------------------------------------------------------ ways of measuring
def help_page(shop: Workshop, runs: int) -> list[Round]:
    return processes({OWN: [COMMAND, "--help"], "import click": [sys.executable, "-c", "import click"]}, runs)


def commands(action: str, name: str, size: int = 0, beside: bool = True) -> Measured:
    """A whole `graphgrad` process, beside a Python process that does the same with TensorFlow."""

    def measure(shop: Workshop, runs: int) -> list[Round]:
        folder = shop.model(name, size, with_gradients=action == "eval")
        model, feeds = str(folder / "graph.pb"), str(folder / "feeds.npz")
        if action == "eval":
            own = [COMMAND, "eval", model, "--feeds", feeds, "--fetch", ",".join(_names(folder, "fetches"))]
        else:
            # The inputs at the ends of the graph: all of it lies between them and the loss.
            xs = _names(folder, "xs")[:5]
            own = [COMMAND, "add-gradients", model, "--ys", "loss", "--xs", ",".join(xs)]
        suffix = ".npz" if action == "eval" else ".pb"
        sides = {OWN: [*own, "-o", str(folder / f"graphgrad-out{suffix}")]}
        if beside:
            other = [sys.executable, "-m", "tests.benchmarks.tensorflow_side", action, str(folder)]
            sides[TENSORFLOW] = [*other, str(folder / f"tensorflow-out{suffix}")]
        return processes(sides, runs)

    return measure


def building(name: str, size: int) -> Measured:
    """Building gradients in a process that has loaded the graph, beside tf.gradients on the same graph."""

    def measure(shop: Workshop, runs: int) -> list[Round]:
        folder = shop.model(name, size)
        with workers("build", dict.fromkeys((OWN, TENSORFLOW), folder)) as started:
            if size <= 10_000:
                take_turns(started, 1)
            rounds = take_turns(started, runs)
        nodes = {side: usage.nodes for side, usage in rounds[0].items()}
        if len(set(nodes.values())) > 1:
            raise BenchmarkError(f"the sides added different numbers of nodes: {nodes}")
        return rounds

    return measure


def flatness(name: str, size: int) -> Measured:
    """Time a node in a large graph beside that in one of a thousand nodes."""

    def measure(shop: Workshop, runs: int) -> list[Round]:
        folders = {OWN: shop.model(name, size), "1,000 nodes": shop.model(name, 1000)}
        with workers("build", folders, dict.fromkeys(folders, OWN)) as started:
            take_turns(started, 1)
            return take_turns(started, runs)

    return measure


def step(name: str, size: int = 0, by_hand: bool = True) -> Measured:
    """One evaluation of the loss and all gradients, each side in its process; their numbers are compared before."""
    sides = (TENSORFLOW, *[NUMPY] * by_hand, *_frameworks(name), OWN)

    def measure(shop: Workshop, runs: int) -> list[Round]:
        if not by_hand:
            # Rounding turns units on and off in fifty layers normalised over one image: of gradients, TensorFlow's are up
            # to 0.28 of the largest number off the same in double precision, ours 0.27. There the loss is compared alone,
            # and all gradients of the same network normalised with fixed numbers, for one image.
            with workers("step", dict.fromkeys((TENSORFLOW, OWN), shop.model(f"{name}-fixed", 1, True))) as started:
                _compare(started, OWN, 1000)
        with workers("step", dict.fromkeys(sides, shop.model(name, size, with_gradients=True))) as started:
            for side in sides[1:]:
                _compare(started, side, 1000 if by_hand else 1)
            return take_turns(started, runs)

    return measure


def _compare(started: dict[str, Worker], side: str, count: int) -> None:
    """Holds the first `count` results of a side against TensorFlow's."""
    difference = started[side].ask(f"compare {started[TENSORFLOW].folder / TENSORFLOW}.npz {count}")["difference"]
    if difference:
        raise BenchmarkError(f"{side} and TensorFlow compute different numbers: {difference}")


def _frameworks(name: str) -> list[str]:
    """Those a model is written for; JAX would compile the chain of scalars for minutes."""
    known = [] if name not in forward.STEPS else frameworks()
    return [side for side in known if (name, side) != ("scalar-chain", "jax")]


def _names(folder: Path, key: str) -> list[str]:
    return json.loads((folder / "names.json").read_text())[key]


# ------------------------------------------------------------------ the table
SHAPES = {
    "chain": "element-wise operations in a row",
    "deep-mlp": "layers with weights of their own",
    "wide": "branches side by side",
    "fan": "one tensor with thousands of gradients to sum",
}

# name, what it is, goals beside TensorFlow and NumPy
STEPS = [
    ("tiny-mlp", "MLP 8-16-4, batch 5", faster(3)),
    ("large-mlp", "MLP 784-1024-1024-10, batch 256", slower(1)),
    ("transformer", "transformer block, batch 8, 128 tokens, width 256", slower(1)),
    ("cnn", "two convolutions with pooling, batch 16", slower(1.5)),
    ("scalar-chain", "10,000 scalar operations in a row", slower(1.5)),
    ("lstm-v1", "LSTM of 128 units, 64 steps, batch 32, a loop of frames", slower(1)),
    ("lstm-v2", "the same as a While", slower(1)),
    ("word2vec", "skip-gram, 50,000 words, sparse gradients", slower(None)),
]


def benchmarks(large: bool, quick: bool) -> list[Benchmark]:
    """All of them. `large` goes to a million nodes for the flatness, `quick` makes every graph small, to try this out."""
    sizes = {1_000: 1000, 10_000: 5, 100_000: 1}  # nodes -> most runs
    million, constant = (20_000, 16) if quick else (1_000_000, 1024)
    if quick:
        sizes = {1_000: 1000}
    found = [
        Benchmark("help", "graphgrad --help", help_page, [milliseconds_more(60, "import click")]),
        Benchmark(
            "add-gradients",
            "a small MLP, whole process",
            commands("add-gradients", "tiny-mlp"),
            [faster(25), lighter(5)],
        ),
        Benchmark("eval", "a small MLP, whole process", commands("eval", "tiny-mlp"), [faster(None), lighter(None)]),
    ]
    for shape, what in SHAPES.items():
        for size, most in sizes.items():
            text = f"gradients of {size:,} nodes: {what}"
            found.append(Benchmark(f"build-{shape}-{size}", text, building(shape, size), [faster_per_node(40)], most))
    for shape in SHAPES:
        size = million if large else 20_000 if quick else 100_000
        text = f"gradients of {size:,} nodes beside 1,000: {SHAPES[shape]}"
        found.append(Benchmark(f"flat-{shape}", text, flatness(shape, size), [FLAT], 3))
    file = f"load, add gradients, save {million:,} nodes, whole process"
    found.append(
        Benchmark(
            "million", file, commands("add-gradients", "deep-mlp", million, False), [seconds(60), megabytes(4096)], 3
        )
    )
    memory = megabytes(constant * 1.3 + 100)
    file = f"load, add gradients, save with a constant of {constant} MB, whole process"
    found.append(Benchmark("constant", file, commands("add-gradients", "large-constant", constant, False), [memory], 3))
    for name, what, goal in STEPS:
        size = 10_000 if name == "scalar-chain" else 0
        goals = [goal, slower(1, NUMPY), *(slower(None, side) for side in _frameworks(name))]
        found.append(Benchmark(f"step-{name}", f"one step: {what}", step(name, size), goals))
    for name in ("resnet-50", "mobilenet-v2"):
        for batch in (1,) if quick else (1, 8):
            what = f"one step: {name}, batch {batch}, 224x224"
            goals = [slower(1.5), *(slower(None, side) for side in _frameworks(name))]
            found.append(Benchmark(f"step-{name}-{batch}", what, step(name, batch, by_hand=False), goals, 3))
    return found
