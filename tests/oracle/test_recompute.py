"""Gradients with checkpoints in TensorFlow: it loads the file, and its session computes the same numbers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from graphgrad import differentiate, save
from graphgrad.tensors import Tensor
from tests.main.test_recompute import X, chain, residual


@pytest.mark.parametrize(
    ("make", "checkpoints", "xs"),
    [
        (lambda: chain(25), "auto", ["x"]),
        (lambda: chain(9), ["h2", "h5"], ["x", "h3"]),
        (residual, "auto", ["x", "w0", "w5"]),
        (residual, ["sum1", "sum3"], ["w1", "w2"]),
    ],
)
def test_tensorflow_computes_the_same(make: Callable[[], Any], checkpoints: Any, xs: list[str], tmp_path: Path) -> None:
    results = []
    for kept in (None, checkpoints):
        graph, _ = make()
        found = differentiate("y", xs, graph=graph, checkpoints=kept)
        assert bool(found.recomputed) is (kept is not None)
        save(graph, tmp_path / "graph.pb")
        definition = tf.compat.v1.GraphDef.FromString((tmp_path / "graph.pb").read_bytes())
        with tf.Graph().as_default() as loaded:
            tf.graph_util.import_graph_def(definition, name="")
            names = [gradient.name for gradient in found.gradients if isinstance(gradient, Tensor)]
            with tf.compat.v1.Session(graph=loaded) as session:
                results.append(session.run(names, {"x:0": X}))
    for one, other in zip(*results, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
