"""Every test row against TensorFlow's stored answers and against finite differences."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest

from graphgrad import compile as compile_graph
from graphgrad import dtypes, registry
from graphgrad.differentiate import gradients
from graphgrad.errors import GraphGradError
from graphgrad.runtime.plan import evaluate
from graphgrad.tensors import IndexedSlices, Tensor
from tests import cases, golden_store
from tests.cases import Built, Case
from tests.closeness import why_not_close, widened
from tests.seeds import seed_value
from tests.structure import difference, normal_form

ROWS = [(family, row) for family in cases.families() for row in cases.cases_of(family)]
golden = functools.cache(golden_store.read)


def rows(wanted: Any = lambda row: True) -> list[Any]:
    return [pytest.param(family, row, id=f"{family}:{row.id}") for family, row in ROWS if wanted(row)]


def dense(gradient: Any) -> Any:
    return gradient.graph.build.dense(gradient) if isinstance(gradient, IndexedSlices) else gradient


def differentiated(case: Case, level: str) -> tuple[Built, list[list[Any]], list[dict[str, str]]]:
    """The case's graph with its gradients, order by order, and the nodes each order added."""
    built = case.build(level)
    g = built.graph.build
    seeds = [g.Placeholder(dtype=y.dtype, shape=y.shape, name=f"dy{i}") for i, y in enumerate(built.ys)]
    found, listings = [], []
    ys: list[Tensor] = built.ys
    for order in range(1, case.order + 1):
        before = len(built.graph)
        found.append(gradients(ys, built.xs, grad_ys=seeds if order == 1 else None, name=case.scope(order)))
        listings.append(normal_form(op.node_def() for op in built.graph.operations[before:]))
        ys = [dense(d) for d in found[-1] if d is not None and not d.dtype.is_complex][:1]
        if not ys:
            break
    return built, found, listings


def recorded(family: str, row: Case) -> dict[str, Any]:
    record = golden(family).get(row.id)
    assert record is not None, f"no golden values for {row.id}: run python -m tests.oracle.write_golden {family}"
    return record


@pytest.mark.parametrize(("family", "row"), rows())
def test_nodes_are_tensorflows(family: str, row: Case) -> None:
    record = recorded(family, row)
    for level in row.levels:
        if not any(key.startswith(f"{level}/") for key in record["nodes"]):
            continue
        built, _, listings = differentiated_as_far_as(record, row, level)
        orders = [key for key in record["nodes"] if key.startswith(f"{level}/")]
        assert built is None or len(listings) >= len(orders), f"{row.id}: TensorFlow differentiates {orders}"
        for order, listing in enumerate(listings, 1):
            expected = record["nodes"].get(f"{level}/{order}")
            if expected is not None:
                scope = row.scope(order) + "/"
                problem = difference(expected, {k: v for k, v in listing.items() if k.startswith(scope)})
                assert not problem, f"{row.id}, shapes known: {level}, order {order}\n{problem}"


def differentiated_as_far_as(record: dict[str, Any], row: Case, level: str) -> Any:
    """Like `differentiated`; an order that TensorFlow refuses may be refused here too."""
    try:
        return differentiated(row, level)
    except GraphGradError:
        refused = [key for key in record["raises"] if key.startswith(f"{level}/")]
        if not refused:
            raise
        return None, [], []


@pytest.mark.parametrize(("family", "row"), rows(lambda row: not row.random))
def test_values_are_tensorflows(family: str, row: Case) -> None:
    record = recorded(family, row)
    if not record["values"]:
        pytest.skip(f"TensorFlow has no CPU kernel here: {record['raises']}")
    built, found, _ = (
        differentiated_as_far_as(record, row, row.levels[0]) if has_gradient(row) else (row.build(), [], [])
    )
    if built is None:
        built, found = row.build(), []
    fetches: dict[str, Any] = {f"y{i}": t for i, t in enumerate(built.outputs)}
    for order, gradient_list in enumerate(found, 1):
        fetches |= {f"order{order}/{i}": dense(d) for i, d in enumerate(gradient_list) if d is not None}
    assert {k for k in record["values"] if k.startswith("order")} <= set(fetches) | set(record["raises"])
    wanted = {
        k: t
        for k, t in fetches.items()
        if k in record["values"] and k not in row.undefined and t.dtype not in (dtypes.variant, dtypes.resource)
    }
    feeds = dict(built.feeds)
    for i, y in enumerate(built.ys):
        if f"dy{i}" in built.graph:
            feeds[f"dy{i}:0"] = seed_value(i, evaluate(built.graph, y, built.feeds))
    plan = compile_graph(built.graph, list(wanted.values()), feeds)
    results = plan.run(feeds)
    for key, result in zip(wanted, results, strict=True):
        problem = why_not_close(record["values"][key], result, row.tolerance)
        assert not problem, f"{row.id} {key}: {problem}"
    if not any(step.op.signature.is_stateful for step in plan.steps):
        for run in range(2, 5):  # the second is watched, from the third on a program made for these shapes runs
            for key, first, later in zip(wanted, results, plan.run(feeds), strict=True):
                np.testing.assert_array_equal(widened(later), widened(first), err_msg=f"{row.id} {key}, run {run}")


def has_gradient(row: Case) -> bool:
    built = row.build()
    if not built.ys or not built.xs:
        return False
    return registry.gradient_rule(row.op) not in (None, registry.UNKNOWN)


def can_differ(row: Case) -> bool:
    return (
        row.smooth
        and not row.random
        and has_gradient(row)
        and all(spec.dtype in ("float32", "float64", "int32", "int64", "bool") for spec in row.flat_inputs())
    )


@pytest.mark.parametrize(("family", "row"), rows(can_differ))
def test_finite_differences(family: str, row: Case) -> None:
    built = in_double_precision(row)
    g = built.graph.build
    seeds = [g.Placeholder(dtype=y.dtype, shape=y.shape, name=f"dy{i}") for i, y in enumerate(built.ys)]
    found = gradients(built.ys, built.xs, grad_ys=seeds)
    check_slopes(row, built, built.ys, seeds, found)


@pytest.mark.parametrize(("family", "row"), rows(lambda row: can_differ(row) and row.order > 1))
def test_finite_differences_of_gradients(family: str, row: Case) -> None:
    """The gradients of the gradients, where the op has them."""
    built = in_double_precision(row)
    g = built.graph.build
    given = [g.Placeholder(dtype=y.dtype, shape=y.shape, name=f"dy{i}") for i, y in enumerate(built.ys)]
    ys = evaluate(built.graph, built.ys, built.feeds)
    built.feeds.update({dy.name: seed_value(i, y) for i, (dy, y) in enumerate(zip(given, ys, strict=True))})
    try:
        first = [dense(d) for d in gradients(built.ys, built.xs, grad_ys=given) if d is not None]
        seeds = [g.Placeholder(dtype=d.dtype, shape=d.shape, name=f"ddx{i}") for i, d in enumerate(first)]
        second = gradients(first, built.xs, grad_ys=seeds) if first else []
    except GraphGradError as error:
        if recorded(family, row)["raises"]:
            pytest.skip(f"TensorFlow has no second order either: {error}")
        raise
    check_slopes(row, built, first, seeds, second)


def in_double_precision(row: Case) -> Built:
    """The row's graph in float64; the test is skipped where there is none or nothing to differentiate."""
    try:
        built = row.build("static", dtype="float64")
    except GraphGradError as error:
        pytest.skip(f"the op does not take float64: {error}")
    if not built.xs or not built.ys:
        pytest.skip("nothing to differentiate")
    return built


def check_slopes(row: Case, built: Built, ys: list[Tensor], seeds: list[Tensor], found: list[Any]) -> None:
    """Along one direction per x: (f(x + hv) - f(x - hv)) / 2h = <df/dx, v>, f being ys weighted by the seeds."""
    weights = [seed_value(i, y) for i, y in enumerate(evaluate(built.graph, ys, built.feeds))]
    seeded = {s.name: w for s, w in zip(seeds, weights, strict=True)}
    forward = compile_graph(built.graph, ys, list(built.feeds))
    for x, gradient in zip(built.xs, found, strict=False):
        if gradient is None:
            continue
        value = built.feeds[x.name]
        direction = np.cos(np.arange(value.size) * 1.7 + 0.3).reshape(value.shape)
        step = 1e-5
        sides = [forward.run({**built.feeds, x.name: value + s * step * direction}) for s in (1, -1)]
        change = sum(np.vdot(w, up - down).real for w, up, down in zip(weights, *sides, strict=True)) / (2 * step)
        slope = np.vdot(direction, evaluate(built.graph, dense(gradient), {**built.feeds, **seeded}))
        assert slope == pytest.approx(change, rel=2e-4, abs=2e-5 * row.tolerance), f"{row.id}: d/d{x.name}"
