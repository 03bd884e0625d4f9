"""Checkpoints: the same gradients in less memory, and nothing computed again before its gradient has come."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest

from graphgrad import Graph, Tensor, compile, differentiate, dtypes, evaluate, load, save
from graphgrad.errors import ArgumentError
from tests.loops import looped

FLOAT = dtypes.float32
X = np.random.default_rng(0).uniform(-1, 1, (500, 16)).astype(np.float32)


def chain(length: int) -> tuple[Graph, Tensor]:
    """x, then `length` times a product with a number and a tanh; the tanhs are h0, h1, ..."""
    graph = Graph()
    g = graph.build
    h = g.Placeholder(dtype=FLOAT, shape=(None, 16), name="x")
    for i in range(length):
        h = g.Tanh(g.Mul(h, 1.01), name=f"h{i}")
    return graph, g.Sum(h, [0, 1], name="y")


def residual(blocks: int = 6) -> tuple[Graph, Tensor]:
    """Blocks around which a sum leads, with noise that must be the same both times."""
    graph = Graph()
    g = graph.build
    h = g.Placeholder(dtype=FLOAT, shape=(None, 16), name="x")
    weights = np.linspace(-0.4, 0.4, 256).reshape(16, 16).tolist()
    for i in range(blocks):
        inner = g.Tanh(g.MatMul(h, g.constant(weights, name=f"w{i}")))
        noisy = g.Mul(inner, g.StatelessRandomUniform([16], [i, 1], dtype=FLOAT))
        h = g.AddV2(h, g.Sigmoid(noisy), name=f"sum{i}")
    return graph, g.Sum(g.Square(h), [0, 1], name="y")


def _gradients(made: tuple[Graph, Tensor], checkpoints: Any, xs: list[str]) -> tuple[Any, list[Any]]:
    graph, _ = made
    found = differentiate("y", xs, graph=graph, checkpoints=checkpoints)
    return found, evaluate(graph, found.gradients, {"x": X})


@pytest.mark.parametrize(
    ("make", "checkpoints", "xs"),
    [
        (lambda: chain(9), "auto", ["x"]),
        (lambda: chain(9), ["h4"], ["x"]),
        (lambda: chain(9), ["h7", "h2:0"], ["x", "h3"]),
        (residual, "auto", ["x", "w0", "w3", "w5"]),
        (residual, ["sum1", "sum3"], ["w1", "w2"]),
        (residual, ["Tanh_2"], ["x"]),  # which the way around leads past
    ],
)
def test_numbers_are_those_without(make: Any, checkpoints: Any, xs: list[str]) -> None:
    _, expected = _gradients(make(), None, xs)
    found, numbers = _gradients(make(), checkpoints, xs)
    assert found.recomputed > 0
    for number, other in zip(numbers, expected, strict=True):
        np.testing.assert_array_equal(number, other)


@pytest.mark.parametrize(("length", "most"), [(16, 10), (64, 18), (256, 34)])
def test_a_chain_needs_the_root_of_its_memory(length: int, most: int) -> None:
    plans = []
    for checkpoints in (None, "auto"):
        graph, _ = chain(length)
        found = differentiate("y", ["x"], graph=graph, checkpoints=checkpoints)
        plans.append(compile(graph, found.gradients, ["x"]))
    without, peak = (plan.peak_bytes({"x": X.shape}) / X.nbytes for plan in plans)
    assert without > length
    assert peak <= most + 0.1
    tracemalloc.start()
    plans[1].run({"x": X})
    measured = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert measured < (most + 1) * X.nbytes


def test_copies_wait_for_the_gradient_that_reaches_their_stretch() -> None:
    graph, _ = chain(8)
    differentiate("y", ["x"], graph=graph, checkpoints=["h3"])
    added = [op for op in graph if op.name.startswith("gradients/")]
    copies = [op for op in added if op.name.startswith("gradients/recomputed/")]
    short = [op.name.removeprefix("gradients/recomputed/") for op in copies]
    assert short == ["Mul", "h0", "Mul_1", "h1", "Mul_2", "h2"]
    waits_for = [[c.name for c in op.control_inputs] for op in copies]
    assert waits_for == [["gradients/Mul_3_grad/Mul"], *[[]] * 5]
    read = {t.op.name for op in added if op not in copies and op.type != "Shape" for t in op.inputs}
    assert not read & {"h0", "h1", "h2"}
    assert {"h3", "h4", "h7"} <= read  # the checkpoint, and what comes behind the last


def test_a_file_holds_the_copies_behind_what_was_read(tmp_path: Any) -> None:
    graph, _ = chain(9)
    save(graph, tmp_path / "forward.pb")
    graph = load(tmp_path / "forward.pb")
    found = differentiate("y", ["x"], graph=graph, checkpoints="auto")
    save(graph, tmp_path / "out.pb")
    assert (tmp_path / "out.pb").read_bytes().startswith((tmp_path / "forward.pb").read_bytes())
    again = evaluate(load(tmp_path / "out.pb"), [found.gradients[0].name], {"x": X})  # type: ignore[union-attr]
    np.testing.assert_array_equal(again[0], _gradients(chain(9), None, ["x"])[1][0])


def test_random_numbers_are_kept() -> None:
    graph = Graph()
    g = graph.build
    h = g.Placeholder(dtype=FLOAT, shape=(None, 16), name="x")
    for i in range(4):
        noise = g.RandomUniform(g.Shape(h), dtype=FLOAT)
        h = g.Tanh(g.Mul(h, noise), name=f"h{i}")
    g.Sum(h, [0, 1], name="y")
    found = differentiate("y", ["x"], graph=graph, checkpoints=["h1", "h3"])
    assert found.recomputed
    copied = {op.type for op in graph if "/recomputed/" in op.name}
    assert copied == {"Mul", "Tanh"}


def test_what_steers_a_loop_is_refused() -> None:
    graph = Graph()
    g = graph.build
    x = g.Placeholder(dtype=FLOAT, shape=(), name="x")
    off, on = g.Switch(x, g.Less(x, 1.0))
    g.Identity(g.Merge([g.Sin(off), g.Cos(on)])[0], name="y")
    with pytest.raises(ArgumentError, match="steers a loop or a branch"):
        differentiate("y", ["x"], graph=graph, checkpoints="auto")


def test_loops_as_functions_are_kept_as_a_whole() -> None:
    graph, outputs = looped(3, [None], lambda g, i, x: [g.Sin(x)])
    g = graph.build
    h = g.Tanh(g.Mul(outputs[1], 2.0), name="h")
    g.Sum(g.Tanh(g.Mul(g.Tanh(h), 3.0)), [0, 1], name="y")
    found = differentiate("y", ["x"], graph=graph, checkpoints=["h"])
    assert not any(op.type == "StatelessWhile" and "/recomputed/" in op.name for op in graph)
    assert found.gradients[0] is not None


def test_a_checkpoint_elsewhere_is_refused() -> None:
    graph, _ = chain(3)
    graph.build.Neg(graph.tensor("h1"), name="aside")
    with pytest.raises(ArgumentError, match="'aside:0' does not lie between xs and ys"):
        differentiate("y", ["x"], graph=graph, checkpoints=["aside"])


def test_auto_copies_nothing_where_all_goes_side_by_side() -> None:
    graph = Graph()
    g = graph.build
    x = g.Placeholder(dtype=FLOAT, shape=(None, 16), name="x")
    g.Sum(g.AddN([g.Tanh(g.Sin(x)) for _ in range(3)]), [0, 1], name="y")
    assert differentiate("y", ["x"], graph=graph, checkpoints="auto").recomputed == 0
