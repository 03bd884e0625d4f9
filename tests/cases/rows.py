"""Results of which only some rows are read, so that their gradients arrive as IndexedSlices: one row of the other tables
for each op, its outputs behind a gather.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from graphgrad import registry
from graphgrad.build import OpBuilder
from graphgrad.tensors import Tensor
from tests.cases import Case, cases_of, families

# Where shapes are unknown, TensorFlow refuses the gradients of these, or contradicts itself.
NEED_SHAPES = {
    *["Svd", "Qr", "DenseToCSRSparseMatrix", "CSRSparseMatrixToDense", "FractionalAvgPool", "ExtractVolumePatches"],
    *["MatrixSetDiagV3", "IsotonicRegression", "MatrixSolveLs", "XlaSpmdFullToShardShape", "ApproxTopK"],
}


def by_rows(row: Case) -> Any:
    """What makes the graph of a row and then reads the first row of each output, twice."""

    def build(g: OpBuilder, *inputs: Any, **attrs: Any) -> list[Tensor]:
        outputs = row.graph(g, *inputs, **attrs) if row.graph else g.op(row.op, *inputs, name="op", **attrs).outputs
        return [g.GatherV2(y, [0, 0], 0) if may_be_read(y) else y for y in outputs]

    return build


def may_be_read(y: Tensor) -> bool:
    """Whether it is a tensor with rows, as far as the graph says, that has a gradient."""
    return y.dtype is not None and (y.dtype.is_floating or y.dtype.is_complex) and y.shape != ()


def is_readable(row: Case) -> bool:
    if registry.gradient_rule(row.op) in (None, registry.UNKNOWN):
        return False
    shapes = [y.shape for y in row.build().outputs if may_be_read(y)]
    return any(shape is None or 0 not in shape for shape in shapes)


def first_readable() -> list[Case]:
    found: dict[str, Case] = {}
    for family in families():
        if family not in ("corners", "rows"):
            for row in cases_of(family):
                if row.op not in found and is_readable(row):
                    found[row.op] = row
    return list(found.values())


def level(row: Case) -> str:
    return "static" if row.op in NEED_SHAPES or row.op.startswith(("SparseMatrix", "MatrixDiag")) else "ranks"


CASES = [
    dataclasses.replace(row, graph=by_rows(row), label="rows", levels=(level(row),), order=1, smooth=False)
    for row in first_readable()
]
