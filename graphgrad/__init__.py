"""Gradients for serialized TensorFlow graphs: load a GraphDef, append what `tf.gradients` would, run and compare it.

    graph = graphgrad.load("model.pb")
    dW, db = graphgrad.gradients("loss", ["W", "b"], graph=graph)
    graphgrad.evaluate(graph, [dW, db], {"x": batch})
    graphgrad.save(graph, "with_grads.pb")

Nothing is imported before it is used: gradients load no kernels, evaluation loads no gradient rules.
"""

from __future__ import annotations

import importlib
import sys
import types
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from graphgrad.check import check
    from graphgrad.coverage import coverage
    from graphgrad.diff import diff
    from graphgrad.differentiate import (
        AggregationMethod,
        Differentiation,
        UnconnectedGradients,
        differentiate,
        gradients,
    )
    from graphgrad.errors import GraphGradError
    from graphgrad.formats.models import load, save
    from graphgrad.formats.restored import variables_of
    from graphgrad.freeze import freeze
    from graphgrad.graph import Graph, Operation
    from graphgrad.inspect import inspect
    from graphgrad.runtime.plan import compile, evaluate
    from graphgrad.tensors import IndexedSlices, Tensor

_WHERE = {
    "load": "formats.models",
    "save": "formats.models",
    "variables_of": "formats.restored",
    "freeze": "freeze",
    "gradients": "differentiate",
    "differentiate": "differentiate",
    "AggregationMethod": "differentiate",
    "Differentiation": "differentiate",
    "UnconnectedGradients": "differentiate",
    "compile": "runtime.plan",
    "evaluate": "runtime.plan",
    "check": "check",
    "diff": "diff",
    "inspect": "inspect",
    "coverage": "coverage",
    "Graph": "graph",
    "IndexedSlices": "tensors",
    "Operation": "graph",
    "Tensor": "tensors",
    "GraphGradError": "errors",
}

__all__ = [
    "AggregationMethod",
    "Differentiation",
    "Graph",
    "GraphGradError",
    "IndexedSlices",
    "Operation",
    "Tensor",
    "UnconnectedGradients",
    "__version__",
    "check",
    "compile",
    "coverage",
    "diff",
    "differentiate",
    "evaluate",
    "freeze",
    "gradients",
    "inspect",
    "load",
    "save",
    "variables_of",
]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'graphgrad' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"graphgrad.{_WHERE[name]}"), name)
    setattr(sys.modules[__name__], name, value)
    return value


class _Face(types.ModuleType):
    """`graphgrad.gradients`, `graphgrad.diff` and the like stay functions when the submodules of these names are imported."""

    def __setattr__(self, name: str, value: Any) -> None:
        if not (name in _WHERE and isinstance(value, types.ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Face


def __dir__() -> list[str]:
    return sorted(__all__)
