"""Calls that were drawn beside TensorFlow, a few of each op: kernels give its values, its static shapes, and refuse what it refuses."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from graphgrad import compile as compile_graph
from graphgrad.errors import GraphGradError
from tests import call_store
from tests.call_store import Call
from tests.closeness import why_not_close
from tests.oracle.kernel_draws.exceptions import LOOSENED

CALLS = {op: list(calls) for op, calls in itertools.groupby(call_store.read(), lambda call: call.op_type)}


@pytest.mark.parametrize("op_type", CALLS)
def test_calls_give_what_tensorflow_gave(op_type: str) -> None:
    for call in CALLS[op_type]:
        if call.values is None:
            with pytest.raises(GraphGradError) as error:
                run(call)
            assert "\n" not in str(error.value), call.shown
        else:
            compare(call)


def run(call: Call) -> list[np.ndarray]:
    graph = call.graph()
    with np.errstate(all="ignore"):
        return compile_graph(graph, call.outputs, list(call.feeds)).run(call.feeds)


def compare(call: Call) -> None:
    graph = call.graph()
    plan = compile_graph(graph, call.outputs, list(call.feeds))
    with np.errstate(all="ignore"):
        found = plan.run(call.feeds)
    assert call.values is not None
    for expected, result in zip(call.values, found, strict=True):
        if expected is not None:
            problem = why_not_close(expected, result, LOOSENED.get(call.op_type, 1.0))
            assert not problem, f"{call.shown}: {problem}"
    if call.shapes is not None:
        assert [graph.tensor(name).shape for name in call.outputs] == call.shapes, call.shown
