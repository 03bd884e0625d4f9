"""Shapes that a file declares: `_output_shapes` tells what no shape rule can."""

from __future__ import annotations

import pytest

import graphgrad
from graphgrad.schema import graph_pb2

NODE = 'node { name: "%s" op: "%s" %s attr { key: "T" value { type: DT_FLOAT } } %s }'
DECLARED = 'attr { key: "_output_shapes" value { list { shape { dim { size: 2 } dim { size: -1 } } } } }'
PLACEHOLDER = """node { name: "x" op: "Placeholder" attr { key: "dtype" value { type: DT_FLOAT } }
attr { key: "shape" value { shape { unknown_rank: true } } } %s }"""


@pytest.mark.parametrize(("declared", "shape"), [("", None), (DECLARED, (2, None))])
def test_declared_shapes_are_used(declared: str, shape: tuple[int | None, ...] | None) -> None:
    from google.protobuf import text_format

    text = (
        PLACEHOLDER % declared
        + NODE % ("op", "SomebodysOp", 'input: "x"', declared)
        + NODE % ("y", "Neg", 'input: "x"', "")
    )
    graph = graphgrad.Graph(text_format.Parse(text, graph_pb2.GraphDef()))
    assert graph.tensor("x").shape == shape
    assert graph.operation("op").output(0).shape == shape
    assert graph.tensor("y").shape == shape
